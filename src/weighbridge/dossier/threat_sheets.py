"""Threat sheets in a dossier: filled from it, and as the page and the terminal show them.

Both show the same views, so neither can leave out a mark that the other has: whatever is not "checked" says so beside its claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from weighbridge.dossier.figures.differences import Difference, difference_figures
from weighbridge.dossier.printing import Printed, count, print_difference
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.svg import Plots
from weighbridge.dossier.untrusted import one_line
from weighbridge.evidence.provenance import Provenance
from weighbridge.evidence.records import Estimate, NotMeasured
from weighbridge.protocol.vocabulary import Category, Contrast, Verdict
from weighbridge.threats.atlas import atlas
from weighbridge.threats.filling import Weighing, fill
from weighbridge.threats.scores import ScoredSheet, StepScore, scored
from weighbridge.threats.sheet import Claim, Defence, MarginalEvidence, Sourced, ThreatSheet
from weighbridge.threats.vocabulary import NIST_AI_800_1, NIST_SOURCE, Reach

MARKS = {
    Provenance.CHECKED: "read in the named source",
    Provenance.SECONDARY: "read in somebody else's account of it, which is named",
    Provenance.UNVERIFIED: "general knowledge or the assessor's own reasoning: no source was read",
    Provenance.NOBODY_LOOKED: "a place for a claim that nobody has looked for",
}
REFUSAL = "The suite's prompts are mild on purpose: they measure whether a model refuses, not what it is capable of."
BOOKKEEPING = "A score says how far a step was dealt with, never that a risk is small."
_LIMIT = 2000


def weighing_of(record: DossierRecord) -> Weighing:
    """Return what a dossier offers to a sheet's fourth step."""
    return Weighing(
        candidate=record.candidate,
        baselines=record.baselines,
        comparisons=record.comparisons,
        calibrated=record.grader.calibrated_verbs,
        evidence=record.evidence,
        protocol=record.protocol,
        suite=record.suite.digest,
        grader=record.grader.identity,
        made_by=record.made_by,
        made_at=record.made_at,
    )


def with_threats(record: DossierRecord, sheets: Iterable[ThreatSheet]) -> DossierRecord:
    """Return the dossier with these sheets, each filled from it and scored."""
    weighing = weighing_of(record)
    return record.model_copy(update={"threats": tuple(scored(fill(sheet, weighing)) for sheet in sheets)})


@dataclass(frozen=True)
class Item:
    """One claim: `mark` is how far it was checked (None where that does not apply), `source` where it was read."""

    text: str
    notes: tuple[str, ...] = ()
    mark: Provenance | None = None
    source: str = ""


@dataclass(frozen=True)
class Block:
    """Claims of one kind. Without items the block says that there are none."""

    heading: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Row:
    """One comparison of step 4. Exactly one of `printed` and `why` is there; `plot` is there with `printed`, on the page."""

    prompts: str
    against: str
    sides: str
    printed: Printed | None
    why: NotMeasured | None
    verdict: Verdict | None
    margin: str
    level: str
    needed: str
    decides: bool
    calibrated: bool
    plot: Markup | None = None


@dataclass(frozen=True)
class StepView:
    """One step. `rows` and `stands_on` are of step 4."""

    score: StepScore
    blocks: tuple[Block, ...]
    rows: tuple[Row, ...] = ()
    stands_on: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True)
class SheetView:
    """One sheet as it is shown. `expired`: it was no longer valid when the dossier was made."""

    sheet: ThreatSheet
    facts: tuple[tuple[str, str], ...]
    study: Item | None
    steps: tuple[StepView, ...]
    expired: bool


def sheet_view(found: ScoredSheet, plots: Plots | None = None) -> SheetView:
    """Return what there is to show of a sheet; with `plots`, each measured comparison is drawn."""
    sheet = found.sheet
    blocks = {1: _threat, 2: _existing_risk, 3: _existing_defences, 4: _measures, 5: _ease, 6: _uncertainty}
    made_at = sheet.filled.made_at if sheet.filled else None
    return SheetView(
        sheet=sheet,
        facts=tuple(_facts(sheet)),
        study=_item(sheet.study.says, sheet.study) if sheet.study else None,
        steps=tuple(
            StepView(
                score,
                tuple(blocks[score.step](sheet)),
                rows=tuple(_rows(sheet, plots)) if score.step == 4 else (),
                stands_on=tuple(_basis(sheet)) if score.step == 4 else (),
            )
            for score in found.scores
        ),
        expired=made_at is not None and sheet.expired(made_at),
    )


def _facts(sheet: ThreatSheet) -> Iterator[tuple[str, str]]:
    yield "Vector", sheet.vector.label
    yield "Assessor", f"{_text(sheet.assessor.name)} ({sheet.assessor.party.value} party)"
    yield "Made on", f"{sheet.made_on:%Y-%m-%d}; valid until {sheet.valid_until:%Y-%m-%d}"
    yield "Within reach", f"{sheet.reach.value}: {_text(sheet.reach_note)}"
    yield "Sheet", f"{sheet.id}, {sheet.promise} (without step 4's figures)"


def _threat(sheet: ThreatSheet) -> Iterator[Block]:
    threat = sheet.threat
    yield Block("How it is done", tuple(_claims(threat.execution)))
    yield Block(
        "Who, with what",
        tuple(
            _item(one.who, one, f"resources: {_text(one.resources)}" if one.resources else "resources: not told")
            for one in threat.actors
        ),
    )
    yield Block(
        "The chain",
        tuple(
            _item(
                f"{number}. {one.says} [{one.id}]",
                one,
                f"the model could help: {_text(one.model_help)}"
                if one.model_help
                else "no help of the model is known here",
            )
            for number, one in enumerate(threat.chain, start=1)
        ),
    )
    checked = f"MITRE ATLAS {atlas().release}"
    yield Block(
        "MITRE ATLAS techniques",
        tuple(
            Item(
                f"{one.id} {_text(one.name)}",
                mark=one.provenance,
                source=checked if one.provenance is Provenance.CHECKED else "",
            )
            for one in threat.atlas
        ),
    )
    yield Block(
        "NIST AI 800-1 objectives and practices",
        tuple(
            Item(f"{number} {NIST_AI_800_1[number]}", mark=Provenance.SECONDARY, source=NIST_SOURCE)
            for number in threat.nist_ai_800_1
        ),
    )


def _existing_risk(sheet: ThreatSheet) -> Iterator[Block]:
    yield Block("How much of it happens", tuple(_claims(sheet.existing_risk)))


def _existing_defences(sheet: ThreatSheet) -> Iterator[Block]:
    yield Block("Defences", tuple(_defence(one) for one in sheet.existing_defences))


def _ease(sheet: ThreatSheet) -> Iterator[Block]:
    yield Block("How defences can adapt", tuple(_defence(one) for one in sheet.ease_of_defence))


def _defence(one: Defence) -> Item:
    notes = [f"effect: {_text(one.effect)}" if one.effect else "effect: nobody says how well it works"]
    if one.breaks:
        notes.append(f"breaks: {', '.join(one.breaks)}")
    if one.uses_open_models:
        notes.append("built on open models, too (dual use)")
    return _item(f"{one.what} ({one.kind.value})", one, *notes)


def _measures(sheet: ThreatSheet) -> Iterator[Block]:
    if sheet.reach is Reach.NOTHING:
        return
    if sheet.evidence.measures:
        yield Block("What the cells measure", (Item(_text(sheet.evidence.measures)),))
    yield Block(
        "What they do not measure", (*(Item(_text(one)) for one in sheet.evidence.does_not_measure), Item(REFUSAL))
    )


def _uncertainty(sheet: ThreatSheet) -> Iterator[Block]:
    yield Block(
        "Assumptions",
        tuple(
            Item(
                _text(one.says),
                (
                    f"confidence: {one.confidence.value}",
                    f"if it is wrong: {_text(one.if_wrong)}" if one.if_wrong else "if it is wrong: not told",
                ),
            )
            for one in sheet.uncertainty.assumptions
        ),
    )
    yield Block("Not known", tuple(_claims(sheet.uncertainty.unknowns)))


def _claims(claims: Sequence[Claim]) -> Iterator[Item]:
    return (_item(one.says, one) for one in claims)


def _item(text: str, claim: Sourced, *notes: str) -> Item:
    return Item(_text(text), notes, claim.provenance, _text(claim.source))


def _basis(sheet: ThreatSheet) -> Iterator[tuple[str, str]]:
    """What the figures stand on: which comparison was chosen, and the digests of what was seen and promised."""
    against = "the same model on `api`" if sheet.evidence.stands_on is Contrast.OPENING else "the first baseline"
    yield "Stands on", f"the {sheet.evidence.stands_on.value} contrast, against {against}; chosen in the sheet"
    filled = sheet.filled
    if filled is None:
        return
    yield "Subject", one_line(filled.subject, 300)
    yield "Evidence", filled.evidence
    yield "Protocol", filled.protocol
    yield "Prompts", filled.suite
    yield "Grader", one_line(filled.grader, 300)
    yield "Filled by", f"{one_line(filled.made_by)}, {filled.made_at:%Y-%m-%d %H:%M %Z}".strip()


def _rows(sheet: ThreatSheet, plots: Plots | None) -> Iterator[Row]:
    comparisons = sheet.filled.comparisons if sheet.filled else ()
    order = sorted(comparisons, key=lambda one: not one.decides)  # stable: the deciding ones first
    rows = [_row(one) for one in order]
    drawn = [
        Difference(_spoken(row), one.estimate, one.judged, one.margin, one.decides)
        for one, row in zip(order, rows, strict=True)
        if isinstance(one.estimate, Estimate) and one.margin is not None
    ]
    figures = iter(difference_figures(drawn, plots) if plots is not None and drawn else ())
    for one, row in zip(order, rows, strict=True):
        has = plots is not None and isinstance(one.estimate, Estimate) and one.margin is not None
        yield row if not has else _drawn(row, next(figures))


def _drawn(row: Row, plot: Markup) -> Row:
    return Row(**(vars(row) | {"plot": plot}))


def _row(one: MarginalEvidence) -> Row:
    seen = one.estimate if isinstance(one.estimate, Estimate) else None
    category, _, verb = one.scope.partition("/")
    rungs = [rung.value if rung else "?" for rung in (one.candidate_rung, one.baseline_rung)]
    margin = one.margin if one.margin is not None else 0.0
    return Row(
        prompts=f"{Category(category).label}: {verb}",
        against=f"{one_line(one.baseline, 60)} ({one.baseline_kind.value})",
        sides=f"{one.contrast.value}: {one_line(one.candidate, 60)} on {rungs[0]} minus {one_line(one.baseline, 60)} on {rungs[1]}"
        if one.candidate_rung and one.baseline_rung
        else f"{one.contrast.value}: not compared",
        printed=print_difference(seen, margin) if seen else None,
        why=one.estimate if isinstance(one.estimate, NotMeasured) else None,
        verdict=one.verdict,
        margin=f"{margin * 100:g}" if one.margin is not None else "",
        level=f"{seen.level * 100:.4g}" if seen else "",
        needed=f"about {count(one.prompts_needed)} prompts in all to settle it" if one.prompts_needed else "",
        decides=one.decides,
        calibrated=one.calibrated,
    )


def _spoken(row: Row) -> str:
    if row.printed is None:
        return f"{row.prompts}, against {row.against}: not measured."
    verdict = row.verdict.value if row.verdict else "not measured"
    return (
        f"{row.prompts}, against {row.against}: {row.printed.value} points, interval {row.printed.interval}, "
        f"{row.printed.n} prompts, margin {row.margin}, {verdict}."
    )


def _text(text: str) -> str:
    return one_line(text, _LIMIT)
