"""A standard: dated requirements as data, each a condition over evidence or a named attestation. `docs/formats/standard.md`.

Facts of the field travel in these files, sentences do not: every requirement is in words of ours, cites its place in the source, and says
how far it was checked there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from weighbridge.digests import Digest, digest_json
from weighbridge.evidence.provenance import Provenance
from weighbridge.evidence.records import Record
from weighbridge.standards.rulings import Strength


def _slug(text: str) -> str:
    if not text or not all(letter.isascii() and (letter.isalnum() or letter in "-_.") for letter in text):
        raise ValueError("must be letters, digits, and - _ . without spaces")
    return text


Slug = Annotated[str, StringConstraints(max_length=80), AfterValidator(_slug)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]


class Subject(StrEnum):
    """What a standard is about; pages and commands group by it."""

    OPENNESS = "openness"  # how open a release is
    RELEASE = "release"  # whether it may go to the next stage
    USE = "use"  # whether it may be used for that
    NOTICE = "notice"  # what a host may say of it
    PROCESS = "process"  # how a provider manages risk


class Topic(StrEnum):
    """What a requirement is about. Standards of different sectors stand side by side by topic, in this order."""

    SCOPE = "scope"
    PROHIBITED = "prohibited uses"
    TESTING = "testing"
    IMPACT_ASSESSMENT = "impact assessment"
    INDEPENDENT_REVIEW = "independent review"
    FAIRNESS = "fairness"
    PRIVACY = "privacy"
    SECURITY = "security"
    MARGINAL_RISK = "marginal risk"
    SAFEGUARDS = "safeguards"
    TRANSPARENCY = "transparency"
    DOCUMENTATION = "documentation"
    CONSULTATION = "consultation"
    HUMAN_OVERSIGHT = "human oversight"
    TRAINING = "training of operators"
    MONITORING = "monitoring"
    INCIDENTS = "incidents"
    ACCOUNTABILITY = "accountability"
    RECOURSE = "recourse"
    COMPONENTS = "components"
    LICENCE = "licence"
    IDENTITY = "identity of the weights"
    SOCIETY = "societal impact"


class Source(Record):
    """What the standard was taken from. `provenance`: how far the document itself was read."""

    document: Text
    published: date | None = None
    address: str | None = Field(default=None, max_length=400, pattern=r"^(https?://|doi:|arXiv:)\S+$")
    provenance: Provenance


class InForce(Record):
    """From when until when (both included) the source has force. None: open."""

    since: date | None = None
    until: date | None = None

    def on(self, day: date) -> bool:
        """Return whether it has force on that day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)

    @property
    def backwards(self) -> bool:
        """Whether it ends before it begins."""
        return self.since is not None and self.until is not None and self.until < self.since


class Citation(Record):
    """Where in the source. `document` None: the standard's own."""

    section: Text
    document: Text | None = None


class Attested(Record):
    """What a person must have signed for. `document` is its kind; `independent`: by somebody who was not involved."""

    document: Slug
    role: Text | None = None
    independent: bool = False
    max_age_days: int | None = Field(default=None, ge=1)


class Cell(Record):
    """How much is asked under what was declared: the first cell whose `when` holds counts."""

    when: Condition
    strength: Strength
    provenance: Provenance


class Warned(Record):
    """What a reader must see beside a ruling where the evidence shows `when`. It changes no ruling."""

    when: Condition
    says: Text


class Requirement(Record):
    """One requirement: exactly one of `condition` and `attested`. `partly` is a lesser form, reported and never "met".

    `when` says when it applies; `lacking` tells a reader what to do when it is not shown; `warns` adds a remark where the evidence asks for one.
    """

    id: Slug
    title: Text
    says: Text
    topic: Topic
    cites: Citation
    provenance: Provenance
    strength: Strength = Strength.REQUIRED
    when: Condition | None = None
    cells: tuple[Cell, ...] = ()
    condition: Condition | None = None
    partly: Condition | None = None
    attested: Attested | None = None
    max_age_days: int | None = Field(default=None, ge=1)
    lacking: Text | None = None
    remark: Text | None = None
    warns: Warned | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Requirement:
        if (self.condition is None) == (self.attested is None):
            raise ValueError("has exactly one of condition and attested")
        if self.partly is not None and self.condition is None:
            raise ValueError("partly goes with a condition")
        return self


class Level(Record):
    """A class or stage, from the lowest: met when its own requirements and all lower levels are."""

    id: Slug
    title: Text
    requires: tuple[Slug, ...]


class Standard(Record):
    """One standard. Equal files have equal digests, whatever their comments and order of keys."""

    schema_: Literal["weighbridge.standard/1"] = Field("weighbridge.standard/1", alias="schema")
    id: Slug
    title: Text
    publisher: Text
    version: Text
    about: Subject
    source: Source
    in_force: InForce = InForce()
    supersedes: tuple[Slug, ...] = ()
    when: Condition | None = None
    max_age_days: int | None = Field(default=None, ge=1)
    notes: tuple[Text, ...] = ()
    levels: tuple[Level, ...] = ()
    level_asked: Slug | None = None  # the declaration that says which level is asked for; without it, the lowest is
    requirements: tuple[Requirement, ...] = Field(min_length=1)

    model_config = Record.model_config | {"populate_by_name": True}

    @property
    def digest(self) -> Digest:
        """The digest of what it says."""
        return digest_json(self.model_dump(mode="json", by_alias=True))

    @model_validator(mode="after")
    def _holds_together(self) -> Standard:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        names = [one.id for one in self.requirements]
        yield from (f"two requirements are called {name}" for name in sorted({n for n in names if names.count(n) > 1}))
        levels = [one.id for one in self.levels]
        yield from (f"two levels are called {name}" for name in sorted({n for n in levels if levels.count(n) > 1}))
        for level in self.levels:
            unknown = sorted(set(level.requires) - set(names))
            if unknown:
                yield f"level {level.id} requires what is no requirement: {', '.join(unknown)}"
        listed = {name for level in self.levels for name in level.requires}
        if self.levels:
            yield from (
                f"{one.id} is required and no level requires it, so it would count for nothing: list it under a level, or give it a strength"
                for one in self.requirements
                if one.id not in listed and one.strength is Strength.REQUIRED
            )
        if self.id in self.supersedes:
            yield "it supersedes itself"
        if self.in_force.backwards:
            yield "in_force: until lies before since"

    def conditions(self) -> Iterator[tuple[str, str, bool]]:
        """Yield every condition: its place in the file, its text, and whether it may only read what was declared."""
        if self.when is not None:
            yield "when", self.when, True
        for number, one in enumerate(self.requirements):
            place = f"requirements[{number}]"
            if one.when is not None:
                yield f"{place}.when", one.when, True
            for index, cell in enumerate(one.cells):
                yield f"{place}.cells[{index}].when", cell.when, True
            warned = one.warns.when if one.warns else None
            for field, text in (("condition", one.condition), ("partly", one.partly), ("warns.when", warned)):
                if text is not None:
                    yield f"{place}.{field}", text, False
