"""Contests, and what is counted of them. Pure. A contest that is pending has no time taken, and with none decided there is no median."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from weighbridge.recourse.entries import Entry, Erased, Opened, Outcome, Responded


@dataclass(frozen=True)
class Case:
    """A contested decision, with all that was answered to it."""

    opened: Opened
    responses: tuple[Responded, ...]
    erased: bool

    @property
    def reference(self) -> str:
        """What the contest is called."""
        return self.opened.case

    @property
    def closing(self) -> Responded | None:
        """The response that closed it; None while it is pending."""
        last = self.responses[-1] if self.responses else None
        return last if last is not None and last.outcome is not Outcome.PENDING else None

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        return self.closing.outcome if self.closing else Outcome.PENDING

    @property
    def reviewed(self) -> bool:
        """Whether a person reviewed it before it was closed."""
        return self.closing is not None and self.closing.reviewer is not None

    @property
    def days(self) -> int | None:
        """Whole days from the day on which it came in to the day (UTC) on which it was closed; None while it is pending."""
        return max((self.closing.at.date() - self.opened.received_on).days, 0) if self.closing else None

    def waiting_days(self, today: date) -> int | None:
        """Return how long a pending contest has waited by `today`, in whole days; None when it is closed."""
        return None if self.closing else max((today - self.opened.received_on).days, 0)


@dataclass(frozen=True)
class Summary:
    """What is counted of a log. None is "not measured": there is nothing that it could be taken of.

    `median_days`, `longest_days` and `human_reviewed_share` are of the `decided`: all that are not pending. `oldest_pending_days` is of the pending.
    """

    contested: int
    outcomes: dict[Outcome, int]
    decided: int
    median_days: float | None
    longest_days: int | None
    human_reviewed_share: float | None
    pending: tuple[str, ...]
    oldest_pending_days: int | None


def cases_of(entries: Iterable[Entry]) -> tuple[Case, ...]:
    """Return the contests of a log that was checked, in the order in which they were opened."""
    opened: dict[str, Opened] = {}
    responses: dict[str, list[Responded]] = {}
    erased: set[str] = set()
    for entry in entries:
        if isinstance(entry, Opened):
            opened[entry.case] = entry
        elif isinstance(entry, Responded):
            responses.setdefault(entry.case, []).append(entry)
        elif isinstance(entry, Erased):
            erased.add(entry.case)
    return tuple(Case(one, tuple(responses.get(case, ())), case in erased) for case, one in opened.items())


def summary_of(cases: Sequence[Case], today: date) -> Summary:
    """Return what is counted of the contests as of `today`."""
    days = [one.days for one in cases if one.days is not None]
    waiting = [waited for one in cases if (waited := one.waiting_days(today)) is not None]
    outcomes = Counter(one.outcome for one in cases)
    return Summary(
        contested=len(cases),
        outcomes={outcome: outcomes[outcome] for outcome in Outcome},
        decided=len(days),
        median_days=float(median(days)) if days else None,
        longest_days=max(days) if days else None,
        human_reviewed_share=sum(one.reviewed for one in cases) / len(days) if days else None,
        pending=tuple(one.reference for one in cases if one.outcome is Outcome.PENDING),
        oldest_pending_days=max(waiting) if waiting else None,
    )
