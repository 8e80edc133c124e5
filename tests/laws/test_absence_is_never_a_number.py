from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings

from tests.laws.evidence_sets import (
    BASELINE,
    CANDIDATE,
    EvidenceSet,
    Named,
    condition,
    evidence_sets,
)
from weighbridge.analysis.comparisons import all_comparisons, compare
from weighbridge.analysis.rates import BEST_OF, rates
from weighbridge.evidence.journal import line_of
from weighbridge.evidence.records import Estimate, Measure, Measured, NotMeasured, Observation, Reason
from weighbridge.protocol.model import AssessmentProtocol, Judgement
from weighbridge.protocol.vocabulary import Contrast, Verdict


def _nulls(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in _nulls(one, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for one in value for found in _nulls(one, path)]
    return [path] if value is None else []


@given(evidence_sets())
@settings(max_examples=25, deadline=None)
def test_there_is_a_rate_exactly_where_something_was_measured(drawn: EvidenceSet) -> None:
    """A rate has a number when, and only when, one of its own answers was measured; what is missing is counted beside it."""
    for rate in rates(drawn.observations, drawn.items):
        best_of = rate.technique.startswith(BEST_OF)
        own = [
            one.outcome
            for one in drawn.observations
            if (one.subject, one.rung, one.measure) == (rate.subject, rate.rung, rate.measure)
            and (best_of or rate.technique in (one.technique, "mean", "worst"))
            and (drawn.items[one.item].verb is None) == rate.benign
            and rate.category in (None, drawn.items[one.item].category)
            and rate.verb in (None, drawn.items[one.item].verb)
        ]
        values = [outcome.value for outcome in own if isinstance(outcome, Measured)]
        if best_of:  # needs so many answers of one prompt
            assert bool(values) or not isinstance(rate.rate, Estimate)
        else:
            assert isinstance(rate.rate, Estimate) == bool(values)
        if isinstance(rate.rate, Estimate):
            assert min(values) - 1e-12 <= rate.rate.value <= max(values) + 1e-12
            assert 0 <= rate.rate.low <= rate.rate.high <= 1


@given(evidence_sets())
@settings(max_examples=25, deadline=None)
def test_without_a_measured_pair_there_is_no_difference_and_no_verdict(drawn: EvidenceSet) -> None:
    """With one side not measured at all, a comparison has no estimate, nothing judged, and is undecided."""
    blank = tuple(
        one.model_copy(update={"outcome": NotMeasured(reason=Reason.BUDGET_SPENT)}) if one.subject == BASELINE else one
        for one in drawn.observations
    )
    for measure in (Measure.HARM, Measure.ANSWERED):
        found = compare(
            blank,
            drawn.items,
            candidate=condition(CANDIDATE),
            baseline=condition(BASELINE),
            contrast=Contrast.COUNTERFACTUAL,
            measure=measure,
            judgement=Judgement(margin=0.05, alpha=0.05),
        )
        assert isinstance(found.estimate, NotMeasured)
        assert found.judged is None
        assert found.prompts_needed is None
        assert found.verdict is Verdict.UNDECIDED


@given(evidence_sets())
@settings(max_examples=8, deadline=None)
def test_nothing_written_holds_a_null_for_a_number(drawn: EvidenceSet) -> None:
    """Canonical JSON of all records: null only where it means "no grader", "no source", "all", "nothing judged", "undecided", "not said"."""
    allowed = {
        "observation": {".source", ".grader"},
        "rate": {".category", ".verb"},
        "comparison": {".judged", ".decided_after", ".log_e_no_increase", ".log_e_increase", ".prompts_needed"},
    }
    for one in drawn.observations:
        assert set(_nulls(json.loads(line_of(one)))) <= allowed["observation"]
    for rate in rates(drawn.observations, drawn.items):
        assert set(_nulls(json.loads(rate.canonical()))) <= allowed["rate"]
    for comparison in all_comparisons(
        drawn.observations,
        drawn.items,
        protocol=AssessmentProtocol(),
        candidate=Named(CANDIDATE, "candidate"),
        baselines=[Named(BASELINE, "baseline")],
    ):
        assert set(_nulls(json.loads(comparison.canonical()))) <= allowed["comparison"]


@given(evidence_sets())
@settings(max_examples=50, deadline=None)
def test_round_trips_are_byte_equal(drawn: EvidenceSet) -> None:
    """Every observation read back from its line writes the same line."""
    for one in drawn.observations:
        assert line_of(Observation.model_validate_json(line_of(one))) == line_of(one)
