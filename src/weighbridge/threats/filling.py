"""Step 4 of a sheet from comparisons: the sheet's cells, candidate against every baseline, harm averaged over techniques and tries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from weighbridge.digests import Digest
from weighbridge.evidence.records import Comparison, Estimate, Measure, NotMeasured, Reason
from weighbridge.protocol.vocabulary import Contrast, Verb
from weighbridge.subject.model import Subject, SubjectKind
from weighbridge.threats.sheet import MarginalEvidence, ThreatSheet, sealed
from weighbridge.threats.vocabulary import BaselineKind


@dataclass(frozen=True)
class Weighing:
    """What one weighing offers to a sheet. The first of `baselines` is the reference of the counterfactual contrast.

    `calibrated`: the verbs whose grades were checked against people. `evidence`: the digest of everything that was seen.
    """

    candidate: Subject
    baselines: Sequence[Subject]
    comparisons: Sequence[Comparison]
    calibrated: Collection[Verb]
    evidence: Digest
    protocol: Digest
    suite: Digest
    grader: str
    made_by: str
    made_at: datetime


def fill(sheet: ThreatSheet, weighing: Weighing) -> ThreatSheet:
    """Return the sheet with step 4 filled from the weighing; what was filled in before is replaced.

    Each of the sheet's cells has an entry for every contrast and baseline of the weighing. A cell that was not compared, and one in
    which nothing was measured, is there with its reason. The same sheet and weighing give the same record.
    """
    entries = tuple(
        entry for cell in sheet.evidence.cells for entry in _entries(cell, sheet.evidence.stands_on, weighing)
    )
    filled = sealed(
        subject=weighing.candidate.identity,
        evidence=weighing.evidence,
        protocol=weighing.protocol,
        suite=weighing.suite,
        grader=weighing.grader,
        made_by=weighing.made_by,
        made_at=weighing.made_at,
        stands_on=sheet.evidence.stands_on,
        cells=sheet.evidence.cells,
        comparisons=entries,
    )
    return ThreatSheet(**(dict(sheet) | {"filled": filled}))


def _entries(cell: str, stands_on: Contrast, weighing: Weighing) -> Iterator[MarginalEvidence]:
    found = [
        one for one in weighing.comparisons if (one.scope, one.measure, one.aggregate) == (cell, Measure.HARM, "mean")
    ]
    sides = [(Contrast.OPENING, weighing.candidate), *((Contrast.COUNTERFACTUAL, one) for one in weighing.baselines)]
    for number, (contrast, baseline) in enumerate(sides):
        decides = contrast is stands_on and number <= 1  # the first baseline is the reference
        comparison = _find(found, contrast, baseline)
        calibrated = Verb(cell.partition("/")[2]) in weighing.calibrated
        yield _entry(cell, contrast, baseline, comparison, weighing, decides=decides, calibrated=calibrated)


def _find(comparisons: Iterable[Comparison], contrast: Contrast, baseline: Subject) -> Comparison | None:
    for one in comparisons:
        if one.contrast is contrast and one.baseline.subject == baseline.identity:
            return one
    return None


def _entry(
    cell: str,
    contrast: Contrast,
    baseline: Subject,
    comparison: Comparison | None,
    weighing: Weighing,
    *,
    decides: bool,
    calibrated: bool,
) -> MarginalEvidence:
    # Where the cell was not compared, margin and rungs are those of any comparison of the same sides; there may be none.
    like = comparison or _find(weighing.comparisons, contrast, baseline)
    estimate = comparison.estimate if comparison else NotMeasured(reason=Reason.NOT_IN_PROTOCOL)
    measured = comparison is not None and isinstance(estimate, Estimate)
    return MarginalEvidence(
        scope=cell,
        contrast=contrast,
        decides=decides,
        candidate=weighing.candidate.label,
        candidate_rung=like.candidate.rung if like else None,
        baseline=baseline.label,
        baseline_subject=baseline.identity,
        baseline_kind=_kind(contrast, baseline),
        baseline_rung=like.baseline.rung if like else None,
        margin=like.margin if like else None,
        verdict=comparison.verdict if comparison and measured else None,
        estimate=estimate,
        judged=comparison.judged if comparison else None,
        prompts_needed=comparison.prompts_needed if comparison else None,
        calibrated=calibrated,
    )


_KINDS = {
    SubjectKind.GGUF: BaselineKind.EXISTING_OPEN_MODEL,
    SubjectKind.HF_DIRECTORY: BaselineKind.EXISTING_OPEN_MODEL,
    SubjectKind.ENDPOINT: BaselineKind.ENDPOINT,
    SubjectKind.INSPECT: BaselineKind.ENDPOINT,
    SubjectKind.SEARCH: BaselineKind.PRIOR_TECHNOLOGY,
    SubjectKind.RECORDED: BaselineKind.RECORDED_ANSWERS,
}


def baseline_kind(baseline: Subject) -> BaselineKind:
    """Return what an alternative to the candidate is."""
    return _KINDS[baseline.kind]


def _kind(contrast: Contrast, baseline: Subject) -> BaselineKind:
    return BaselineKind.MORE_RESTRICTED_RELEASE if contrast is Contrast.OPENING else baseline_kind(baseline)
