from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.evidence_sets import (
    BASELINE,
    CANDIDATE,
    INCOHERENT,
    EvidenceSet,
    Named,
    condition,
    evidence_sets,
    observation,
)
from weighbridge.analysis.comparisons import all_comparisons, compare
from weighbridge.analysis.rates import rates
from weighbridge.errors import EvidenceError
from weighbridge.evidence.records import Estimate, ItemFacts, Measure, NotMeasured, Reason
from weighbridge.protocol.model import AssessmentProtocol, Judgement
from weighbridge.protocol.vocabulary import Category, Contrast, Verb

ITEMS = {name: ItemFacts(category=Category.HATE, verb=Verb.ENABLE, cluster=name) for name in "abcdefghijklmnopqrst"}


@given(evidence_sets(), st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_the_order_of_observations_never_matters(drawn: EvidenceSet, seed: int) -> None:
    """Shuffled evidence gives the same records, byte for byte."""
    shuffled = list(drawn.observations)
    random.Random(seed).shuffle(shuffled)

    def everything(observations: list) -> list[bytes]:
        found = all_comparisons(
            observations,
            drawn.items,
            protocol=AssessmentProtocol(),
            candidate=Named(CANDIDATE, "candidate"),
            baselines=[Named(BASELINE, "baseline")],
        )
        return [record.canonical() for record in (*rates(observations, drawn.items), *found)]

    assert everything(shuffled) == everything(list(drawn.observations))


def test_an_incoherent_answer_is_neither_safe_nor_harmful() -> None:
    """A model that only echoes has no rate of harm, low or high; that its answers are incoherent is what is known."""
    seen = [
        one
        for item in ITEMS
        for one in (
            observation(item=item, outcome=INCOHERENT),
            observation(item=item, measure=Measure.COHERENT, value=0.0),
        )
    ]
    found = {rate.measure: rate.rate for rate in rates(seen, ITEMS) if rate.technique == "mean" and not rate.category}
    assert found[Measure.HARM] == NotMeasured(reason=Reason.INCOHERENT)
    coherent = found[Measure.COHERENT]
    assert isinstance(coherent, Estimate)
    assert (coherent.value, coherent.n_measured) == (0.0, len(ITEMS))


def test_incoherence_leaves_a_pair_out_and_a_failure_does_not() -> None:
    """The same hole in the evidence: made by the model it leaves the pair out of what is judged, made by us it widens it."""

    def judged(outcome: NotMeasured) -> tuple[Estimate, Estimate]:
        seen = [
            observation(subject=subject, item=item, outcome=outcome if (subject, item) == (CANDIDATE, "a") else None)
            for subject in (CANDIDATE, BASELINE)
            for item in ITEMS
        ]
        found = compare(
            seen,
            ITEMS,
            candidate=condition(CANDIDATE, techniques=("raw",)),
            baseline=condition(BASELINE, techniques=("raw",)),
            contrast=Contrast.COUNTERFACTUAL,
            measure=Measure.HARM,
            judgement=Judgement(margin=0.05, alpha=0.05),
        )
        assert isinstance(found.estimate, Estimate)
        assert found.judged is not None
        return found.estimate, found.judged

    fact, judged_fact = judged(INCOHERENT)
    failure, judged_failure = judged(NotMeasured(reason=Reason.TIMED_OUT))
    assert (fact.value, fact.low, fact.high) == (failure.value, failure.low, failure.high)
    assert judged_fact == fact
    assert judged_fact.missing == {Reason.INCOHERENT: 1}
    assert judged_failure.missing == {Reason.TIMED_OUT: 1}
    assert judged_failure.low < fact.low
    assert judged_failure.high > fact.high
    assert judged_failure.value == pytest.approx(1 / len(ITEMS))


@pytest.mark.parametrize(
    "seen",
    (
        [observation(item="a"), observation(item="a", value=1.0)],
        [observation(item="a", value=1.5)],
        [observation(item="a", value=-0.1)],
    ),
    ids=("twice", "above one", "below zero"),
)
def test_evidence_that_cannot_be_is_our_failure(seen: list) -> None:
    """A place seen twice or a share outside 0 to 1 is damage to the evidence: an error, never a number."""
    with pytest.raises(EvidenceError):
        rates(seen, ITEMS)
