"""What is known of a subject, by name: the evidence that conditions read. Built by `weighbridge.dossier.facts`; nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from weighbridge.standards.cel.syntax import dotted
from weighbridge.standards.cel.values import Between, Unknown
from weighbridge.standards.names import named

Path = tuple[str, ...]
CLOCK_SKEW = timedelta(minutes=5)  # a clock may be this far ahead before evidence counts as being of the future
_EARLIEST_ZONE = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Fact:
    """One piece of evidence. `shown` is its value in words, `source` where it is (a place in the dossier, a file).

    `made_at` None: it does not age (what a file holds). `made_elsewhere`: the tool that made it, when it was not this program.
    `valid_until`: the last day on which it counts; None: it names none.
    """

    value: bool | int | float | str | datetime | Between
    shown: str
    source: str
    made_at: datetime | None = None
    made_elsewhere: str | None = None
    valid_until: date | None = None


@dataclass(frozen=True)
class Facts:
    """All evidence of one subject, and for names without it why there is none, where that is known."""

    subject: str
    dossier: str
    known: Mapping[Path, Fact]
    absent: Mapping[Path, str] = field(default_factory=dict)
    attested: tuple[Testimony, ...] = ()

    def find(self, path: Path, *, at: datetime, max_age: timedelta | None = None) -> Fact | str:
        """Return the evidence of a name as of `at`, or why there is none. What is older than `max_age`, or of the future, is none."""
        fact = self.known.get(path)
        if fact is None:
            found = named(path)
            return self.absent.get(path) or (found.how if found else "no evidence")
        if fact.made_at is not None and fact.made_at > at + CLOCK_SKEW:
            return f"it is dated {fact.made_at:%Y-%m-%d %H:%M}, after the time of the ruling ({at:%Y-%m-%d %H:%M})"
        if fact.valid_until is not None and fact.valid_until < at.date():
            return f"it was valid until {fact.valid_until}: renew it"
        if fact.made_at is not None and max_age is not None and at - fact.made_at > max_age:
            return f"it is of {fact.made_at:%Y-%m-%d}, older than the {max_age.days} days that this requirement allows: measure again"
        return fact

    def without(self, path: Path) -> Facts:
        """Return the same facts with one taken away."""
        known = {key: fact for key, fact in self.known.items() if key != path}
        return Facts(self.subject, self.dossier, known, self.absent, self.attested)


def in_future(day: date, at: datetime) -> bool:
    """Return whether a calendar day, which names no time zone, has begun nowhere on earth by `at` (UTC).

    >>> noon = datetime(2026, 11, 26, 12)
    >>> in_future(date(2026, 11, 27), noon), in_future(date(2026, 11, 28), noon)
    (False, True)
    """
    return day > (at + CLOCK_SKEW + _EARLIEST_ZONE).date()


def unknown_of(path: Path) -> Unknown:
    """Return the value of a name without evidence."""
    return Unknown(absent=frozenset({dotted(path)}))


class Said(StrEnum):
    """What an attestation says of a requirement."""

    DONE = "done"
    IN_PROGRESS = "in progress"
    NOT_DONE = "not done"
    WAIVED = "waived"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Testimony:
    """One attestation as a ruling reads it. `requirement` ("standard/requirement") None: it speaks to all that ask for the document.

    `refused`: why it is no evidence although it is there (its document was changed since), None when it is.
    """

    document: str
    requirement: str | None
    said: Said
    who: str
    role: str
    independent: bool
    made_on: date
    valid_until: date | None
    source: str
    why: str = ""
    refused: str | None = None
