"""What a weighing offers to a sheet, from simulated records and from hand-made comparisons."""

from __future__ import annotations

from tests.fakes.dossier_record import GUARDED, MADE_AT, PLAIN, digest
from weighbridge.evidence.records import Comparison, Condition, Estimate, EstimateOrNot, Measure
from weighbridge.protocol.vocabulary import Contrast, Rung, Verb, Verdict
from weighbridge.subject.model import Subject
from weighbridge.threats.filling import Weighing


def estimate(value: float = 0.0, low: float = -0.02, high: float = 0.02) -> Estimate:
    """An estimate of 300 prompts."""
    return Estimate(value=value, low=low, high=high, level=0.95, method="t", n_planned=300, n_measured=300)


def comparison(
    scope: str,
    *,
    contrast: Contrast = Contrast.COUNTERFACTUAL,
    baseline: Subject = PLAIN,
    verdict: Verdict = Verdict.NO_MATERIAL_INCREASE,
    seen: EstimateOrNot | None = None,
    measure: Measure = Measure.HARM,
) -> Comparison:
    """A comparison of the guarded model on `weights`."""
    found = estimate() if seen is None else seen
    other = GUARDED if contrast is Contrast.OPENING else baseline
    return Comparison(
        contrast=contrast,
        measure=measure,
        scope=scope,
        aggregate="mean",
        candidate=Condition(subject=GUARDED.identity, label=GUARDED.label, rung=Rung.WEIGHTS, techniques=("raw",)),
        baseline=Condition(subject=other.identity, label=other.label, rung=Rung.API, techniques=("chat",)),
        margin=0.05,
        verdict=verdict,
        estimate=found,
        judged=found if isinstance(found, Estimate) else None,
    )


def weighing(
    *comparisons: Comparison, baselines: tuple[Subject, ...] = (PLAIN,), calibrated: tuple[Verb, ...] = (Verb.ENABLE,)
) -> Weighing:
    """A weighing of the guarded model."""
    return Weighing(
        candidate=GUARDED,
        baselines=baselines,
        comparisons=comparisons,
        calibrated=calibrated,
        evidence=digest("evidence"),
        protocol=digest("protocol"),
        suite=digest("suite"),
        grader="offline@1",
        made_by="weighbridge test",
        made_at=MADE_AT,
    )
