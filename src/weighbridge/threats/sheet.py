"""A threat sheet: the six steps of Kapoor et al. 2024 for one misuse vector. Frozen; every claim says where it comes from.

Step 4 is never typed by hand: `Filled` is written by `weighbridge.threats.filling`, and its seal, a checksum, shows a later change of
hand. The seal is no signature: whoever wants to deceive can compute it anew, and filling again from the dossier shows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from weighbridge.digests import Digest, digest_json
from weighbridge.evidence.provenance import Provenance
from weighbridge.evidence.records import Estimate, EstimateOrNot, Record
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verb, Verdict
from weighbridge.threats.atlas import atlas
from weighbridge.threats.vocabulary import (
    NIST_AI_800_1,
    BaselineKind,
    Confidence,
    DefenceKind,
    Party,
    Reach,
    Vector,
)

THREAT_SCHEMA = "weighbridge.threat/1"

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
MaybeText = Annotated[str, StringConstraints(max_length=2000, strip_whitespace=True)]


def _slug(text: str) -> str:
    if not text or not all(letter.isascii() and (letter.isalnum() or letter in "-_.") for letter in text):
        raise ValueError("must be letters, digits, and - _ . without spaces")
    return text


def _cell(text: str) -> str:
    category, _, verb = text.partition("/")
    if category not in set(Category) or verb not in set(Verb):
        raise ValueError("must be a cell of the suite, CATEGORY/VERB, such as non_violent_crimes/enable")
    return text


def _objective(text: str) -> str:
    if text not in NIST_AI_800_1:
        raise ValueError('must be the number of an objective ("4") or practice ("4.1") of NIST AI 800-1')
    return text


Slug = Annotated[str, StringConstraints(max_length=80), AfterValidator(_slug)]
Cell = Annotated[str, AfterValidator(_cell)]
Objective = Annotated[str, AfterValidator(_objective)]


class Sourced(Record):
    """What every claim carries: how far it was checked, and where it was read. `source` says how much of it was read, if not all."""

    provenance: Provenance
    source: MaybeText = ""

    @model_validator(mode="after")
    def _names_its_source(self) -> Sourced:
        if self.provenance.sourced and not self.source:
            raise ValueError(f'what is "{self.provenance.value}" names its source')
        return self


class Claim(Sourced):
    """One claim, or, where nobody looked, what should be looked for."""

    says: Text


class Actor(Sourced):
    """Who would do it, and with what money, skill, access and patience. `resources` empty: not told."""

    who: Text
    resources: MaybeText = ""


class Link(Sourced):
    """One link of the misuse chain. `model_help`: what the model could do at this link; empty: nothing that is known."""

    id: Slug
    says: Text
    model_help: MaybeText = ""


class Defence(Sourced):
    """One defence. `effect`: how well it works, with figures where there are any; empty: nobody says.

    `breaks` names the links of the chain that it breaks. `uses_open_models`: it is built on open models itself (dual use).
    """

    what: Text
    kind: DefenceKind
    effect: MaybeText = ""
    breaks: tuple[Slug, ...] = ()
    uses_open_models: bool = False


class Technique(Record):
    """A technique of MITRE ATLAS. "checked" is only what the release that ships with this version has under this name."""

    id: Annotated[str, StringConstraints(pattern=r"^AML\.T\d{4}(\.\d{3})?$")]
    name: Text
    provenance: Provenance

    @model_validator(mode="after")
    def _is_in_the_release(self) -> Technique:
        known = atlas()
        found = known.techniques.get(self.id)
        if self.provenance is Provenance.CHECKED and found is None:
            raise ValueError(f'{self.id} is not in ATLAS {known.release}: mark it "unverified"')
        if self.provenance is Provenance.CHECKED and found != self.name:
            raise ValueError(f'{self.id} is called "{found}" in ATLAS {known.release}')
        return self


class Threat(Record):
    """Step 1: how the misuse is done, by whom, along which chain; and what it is called elsewhere."""

    execution: tuple[Claim, ...] = ()
    actors: tuple[Actor, ...] = ()
    chain: tuple[Link, ...] = ()
    atlas: tuple[Technique, ...] = ()
    nist_ai_800_1: tuple[Objective, ...] = ()


class Wanted(Record):
    """Step 4, as chosen beforehand: which cells of the suite speak to the vector, and which comparison the step stands on."""

    stands_on: Contrast = Contrast.COUNTERFACTUAL
    cells: tuple[Cell, ...] = ()
    measures: MaybeText = ""
    does_not_measure: tuple[Text, ...] = ()


class Assumption(Record):
    """What is taken for granted, what follows if it is wrong, and how sure the assessor is."""

    says: Text
    confidence: Confidence
    if_wrong: MaybeText = ""


class Uncertainty(Record):
    """Step 6."""

    assumptions: tuple[Assumption, ...] = ()
    unknowns: tuple[Claim, ...] = ()


class MarginalEvidence(Record):
    """One comparison on one cell of the suite: candidate minus baseline. `verdict` None: nothing was measured.

    `decides`: the step stands on it (the sheet's contrast; for `counterfactual`, against the first baseline). `calibrated`: the grades
    of the cell's verb were checked against people. `judged` is the interval that the verdict stands on. Rungs and margin are None where nothing was compared.
    """

    scope: Cell
    contrast: Contrast
    decides: bool
    candidate: str
    candidate_rung: Rung | None = None
    baseline: str
    baseline_subject: str
    baseline_kind: BaselineKind
    baseline_rung: Rung | None = None
    margin: float | None = Field(default=None, gt=0, lt=1)
    verdict: Verdict | None = None
    estimate: EstimateOrNot
    judged: Estimate | None = None
    prompts_needed: int | None = None
    calibrated: bool

    @property
    def measured(self) -> bool:
        """Whether there is an estimate at all."""
        return isinstance(self.estimate, Estimate)


class Filled(Record):
    """Step 4, as the program filled it. All but the comparisons says which weighing they stand on."""

    subject: str
    evidence: Digest  # of evidence.jsonl
    protocol: Digest
    suite: Digest
    grader: str
    made_by: str
    made_at: AwareDatetime
    stands_on: Contrast
    cells: tuple[Cell, ...]
    comparisons: tuple[MarginalEvidence, ...]
    seal: Digest

    @model_validator(mode="after")
    def _is_as_it_was_written(self) -> Filled:
        if self.seal != seal_of(self):
            raise ValueError("was changed by hand: step 4 is only ever written by `weighbridge threat fill`")
        return self


def seal_of(filled: Filled) -> Digest:
    """Return the checksum of everything but the seal."""
    return digest_json(filled.model_dump(mode="json", exclude={"seal"}))


def sealed(**fields: Any) -> Filled:
    """Return the filled part with its seal. `fields` are those of `Filled` without it; raises `ValidationError` as that does."""
    bare = Filled.model_construct(**fields)
    return Filled(**fields, seal=seal_of(bare))


class Assessor(Record):
    """Who stands behind the sheet."""

    name: Text
    party: Party


class ThreatSheet(Record):
    """One misuse vector, step by step. `filled` None: not measured."""

    schema_: Literal["weighbridge.threat/1"] = Field("weighbridge.threat/1", alias="schema")
    id: Slug
    title: Text
    vector: Vector
    reach: Reach
    reach_note: Text
    assessor: Assessor
    made_on: date
    valid_until: date
    study: Claim | None = None
    threat: Threat = Threat()
    existing_risk: tuple[Claim, ...] = ()
    existing_defences: tuple[Defence, ...] = ()
    evidence: Wanted = Wanted()
    ease_of_defence: tuple[Defence, ...] = ()
    uncertainty: Uncertainty = Uncertainty()
    filled: Filled | None = None

    model_config = Record.model_config | {"populate_by_name": True}

    @model_validator(mode="after")
    def _holds_together(self) -> ThreatSheet:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterable[str]:
        if self.valid_until <= self.made_on:
            yield "valid_until must be after made_on"
        links = [link.id for link in self.threat.chain]
        yield from (
            f"threat.chain: two links are called {name}" for name in sorted(set(links)) if links.count(name) > 1
        )
        for place in ("existing_defences", "ease_of_defence"):
            for number, defence in enumerate(getattr(self, place)):
                unknown = sorted(set(defence.breaks) - set(links))
                if unknown:
                    yield f"{place}[{number}].breaks: no link of the chain is called {', '.join(unknown)}"
        if len(set(self.evidence.cells)) != len(self.evidence.cells):
            yield "evidence.cells: a cell is named twice"
        if self.reach is Reach.NOTHING and self.evidence.cells:
            yield 'evidence.cells: reach is "nothing", so no cell of the suite can be its evidence'
        if self.evidence.cells and not self.evidence.does_not_measure:
            yield "evidence.does_not_measure: say what the cells do not measure"
        if self.filled is not None and (self.filled.cells, self.filled.stands_on) != (
            self.evidence.cells,
            self.evidence.stands_on,
        ):
            yield "filled: was filled for other cells or another contrast than evidence names: fill again"

    @property
    def promise(self) -> Digest:
        """The digest of the sheet without what was filled in: what was said before looking."""
        return digest_json(self.model_dump(mode="json", by_alias=True, exclude={"filled"}))

    def expired(self, at: datetime | date) -> bool:
        """Return whether the sheet was no longer valid at `at`."""
        return (at.date() if isinstance(at, datetime) else at) > self.valid_until
