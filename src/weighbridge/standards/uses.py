"""The library of uses: what a model may be used for, and which instruments name that use. The use decides which standard is asked.

Data in `uses.yaml`. What each mark means, and the worked examples: docs/methods/uses.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from weighbridge.errors import StandardError, UsageError
from weighbridge.evidence.provenance import Provenance
from weighbridge.evidence.records import Record
from weighbridge.protocol.typed_files import TypedFile
from weighbridge.standards.standard import Slug, Text
from weighbridge.subject.shown import shown

NONE = "none"

Letter = Annotated[str, StringConstraints(pattern=r"^(none|[a-o])$")]
Point = Annotated[str, StringConstraints(pattern=r"^(none|[1-8](\([a-e]\))?)$")]


class Use(Record):
    """One use, and where it is named.

    `m_25_21`: the letter under which OMB M-25-21 presumes it high-impact; `annex_iii`: the point of Annex III of the EU AI Act; each "none"
    where neither names it, which is always this project's own reading. `national_security`: military or national security, outside both.
    `instruments`: what governs it beyond the two; `prohibited`: bans that may touch it. `provenance`: how far the naming places were checked.
    """

    id: Slug
    title: Text
    m_25_21: Letter
    annex_iii: Point
    national_security: bool = False
    instruments: tuple[Text, ...] = ()
    prohibited: tuple[Text, ...] = ()
    notes: tuple[Text, ...] = ()
    provenance: Provenance

    @property
    def high_impact(self) -> bool:
        """Whether it is presumed high-impact (M-25-21) or named as high-risk (Annex III)."""
        return self.m_25_21 != NONE or self.annex_iii != NONE

    @model_validator(mode="after")
    def _outside_both(self) -> Use:
        if self.national_security and self.high_impact:
            raise ValueError("a national-security use is outside both: m_25_21 and annex_iii are none")
        if self.national_security and not self.instruments:
            raise ValueError("a national-security use names the instruments outside both")
        return self


class _Uses(Record):
    """The file of uses."""

    schema_: Literal["weighbridge.uses/1"] = Field("weighbridge.uses/1", alias="schema")
    uses: tuple[Use, ...] = Field(min_length=1)

    model_config = Record.model_config | {"populate_by_name": True}

    @model_validator(mode="after")
    def _told_apart(self) -> _Uses:
        problems = list(self._twice())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _twice(self) -> Iterator[str]:
        names = [one.id for one in self.uses]
        yield from (f"two uses are called {name}" for name in sorted({n for n in names if names.count(n) > 1}))


@cache
def load_uses() -> tuple[Use, ...]:
    """Return the uses that ship, in the order of the file."""
    name = "uses.yaml"
    kind = TypedFile("list of uses", _Uses, StandardError)
    text = files("weighbridge.standards").joinpath(name).read_text("utf-8")
    return kind.check(kind.parse(text, name), where=name).uses


def find_use(use_id: str) -> Use:
    """Return the use of this id. Raises `UsageError` with the nearest ones when there is none.

    >>> find_use("benefits-eligibility").annex_iii
    '5(a)'
    """
    uses = {one.id: one for one in load_uses()}
    found = uses.get(use_id.strip().lower())
    if found is None:
        wanted = use_id.strip().lower()
        close = difflib.get_close_matches(wanted, uses, n=3, cutoff=0.5)
        close += [name for name in uses if name not in close and set(wanted.split("-")) & set(name.split("-"))]
        instead = f"did you mean {', '.join(close[:3])}?" if close else f"one of {', '.join(uses)}"
        raise UsageError("no such use in the library", where=shown(use_id), do=instead)
    return found


def declared_by(use: Use) -> dict[str, str | bool]:
    """Return what choosing a use declares, by the names of `names.OF_A_USE`.

    >>> declared_by(find_use("internal-search"))
    {'m_25_21': 'none', 'annex_iii': 'none', 'national_security': False, 'high_impact': False}
    """
    return {
        "m_25_21": use.m_25_21,
        "annex_iii": use.annex_iii,
        "national_security": use.national_security,
        "high_impact": use.high_impact,
    }
