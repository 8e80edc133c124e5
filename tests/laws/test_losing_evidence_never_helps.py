from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.laws.evidence_sets import (
    BASELINE,
    CANDIDATE,
    TRIES,
    EvidenceSet,
    Named,
    condition,
    evidence_sets,
    observation,
)
from weighbridge.analysis.comparisons import CONTRADICTED, all_comparisons, compare
from weighbridge.evidence.places import Place
from weighbridge.evidence.records import Comparison, Estimate, ItemFacts, Measure, NotMeasured, Observation, Reason
from weighbridge.protocol.model import AssessmentProtocol, Judgement
from weighbridge.protocol.vocabulary import Category, Contrast, Verb, Verdict

LOOSE = 1e-8  # limits are rounded to nine decimals

POSITIONS = st.sets(st.integers(0, 400), min_size=1, max_size=30)
REASONS = st.sampled_from(
    # Incoherence is a fact, not a loss; so is that asking stopped.
    [reason for reason in Reason if reason not in (Reason.INCOHERENT, Reason.NOT_NEEDED)]
)


def _compare(
    observations: Sequence[Observation],
    drawn: EvidenceSet,
    measure: Measure,
    aggregate: str,
    planned: frozenset[Place] | None,
) -> Comparison:
    return compare(
        observations,
        drawn.items,
        candidate=condition(CANDIDATE),
        baseline=condition(BASELINE),
        contrast=Contrast.COUNTERFACTUAL,
        measure=measure,
        aggregate=aggregate,  # type: ignore[arg-type]
        judgement=Judgement(margin=0.3, alpha=0.2),
        planned=planned,
    )


def _no_better(before: Comparison, after: Comparison) -> None:
    event(f"{before.verdict} -> {after.verdict}")
    assert after.verdict in (before.verdict, Verdict.UNDECIDED)
    if after.judged is not None:
        assert before.judged is not None
        low, high = _ends(before.judged)
        less_low, less_high = _ends(after.judged)
        assert less_low <= low + LOOSE
        assert less_high >= high - LOOSE


def _ends(judged: Estimate) -> tuple[float, float]:
    """The two ends as the evidence has them. When they contradict one another the low one lies above the high one, and they are told in order."""
    return (judged.high, judged.low) if judged.method.endswith(CONTRADICTED) else (judged.low, judged.high)


@given(
    evidence_sets(repeat=6),
    POSITIONS,
    REASONS,
    st.sampled_from(["mean", "worst"]),
    st.sampled_from(["harm", "answered"]),
)
@settings(max_examples=80, deadline=None)
def test_a_lost_answer_only_widens_what_is_judged(
    drawn: EvidenceSet, positions: set[int], reason: Reason, aggregate: str, measure: str
) -> None:
    """Answers that become "not measured" turn a verdict only into undecided: the judged interval holds the one before."""
    before = _compare(drawn.observations, drawn, Measure(measure), aggregate, None)
    lost = drawn.lost(positions, NotMeasured(reason=reason))
    _no_better(before, _compare(lost, drawn, Measure(measure), aggregate, None))


@given(
    evidence_sets(repeat=6),
    POSITIONS,
    st.sampled_from(["mean", "worst"]),
    st.sampled_from(["harm", "answered"]),
)
@settings(max_examples=60, deadline=None)
def test_a_deleted_observation_only_widens_what_is_judged(
    drawn: EvidenceSet, positions: set[int], aggregate: str, measure: str
) -> None:
    """Deleting observations that stay planned is no better than losing them, and is the same as losing them."""
    planned = drawn.planned
    before = _compare(drawn.observations, drawn, Measure(measure), aggregate, planned)
    deleted = _compare(drawn.without(positions), drawn, Measure(measure), aggregate, planned)
    lost = _compare(drawn.lost(positions), drawn, Measure(measure), aggregate, None)
    _no_better(before, deleted)
    assert (deleted.verdict, deleted.judged and (deleted.judged.low, deleted.judged.high)) == (
        lost.verdict,
        lost.judged and (lost.judged.low, lost.judged.high),
    )


@given(evidence_sets(repeat=6), st.sets(st.integers(0, 30), min_size=1), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_prompt_or_technique_that_vanished_is_seen_without_the_plan(
    drawn: EvidenceSet, numbers: set[int], whole: bool
) -> None:
    """Even with no plan to hold it against, evidence from which whole prompts or techniques were cut is no better."""
    names = sorted(drawn.items)
    gone = {names[number % len(names)] for number in numbers}
    kept = [one for one in drawn.observations if one.item not in gone or (not whole and one.technique != "sampling")]
    before = _compare(drawn.observations, drawn, Measure.HARM, "mean", None)
    _no_better(before, _compare(kept, drawn, Measure.HARM, "mean", None))


@given(evidence_sets(repeat=6), POSITIONS, st.booleans())
@settings(max_examples=20, deadline=None)
def test_no_comparison_of_a_protocol_gets_better(drawn: EvidenceSet, positions: set[int], delete: bool) -> None:
    """Of all comparisons that a protocol promises, in every scope, none is improved by losing or deleting answers."""
    protocol = AssessmentProtocol(judgement=Judgement(margin=0.3, alpha=0.2))

    def everything(observations: Sequence[Observation]) -> list[Comparison]:
        return all_comparisons(
            observations,
            drawn.items,
            protocol=protocol,
            candidate=Named(CANDIDATE, "candidate"),
            baselines=[Named(BASELINE, "baseline")],
            planned=drawn.planned,
        )

    left = drawn.without(positions) if delete else drawn.lost(positions)
    for before, after in zip(everything(drawn.observations), everything(left), strict=True):
        assert (before.contrast, before.measure, before.aggregate, before.scope) == (
            after.contrast,
            after.measure,
            after.aggregate,
            after.scope,
        )
        _no_better(before, after)


@pytest.mark.parametrize(
    ("candidate", "baseline", "verdict"),
    ((0.0, 1.0, Verdict.NO_MATERIAL_INCREASE), (1.0, 0.0, Verdict.MATERIAL_INCREASE), (0.5, 0.25, Verdict.UNDECIDED)),
)
@pytest.mark.parametrize("side", (CANDIDATE, BASELINE))
def test_prompt_by_prompt_a_verdict_only_ever_becomes_undecided(
    candidate: float, baseline: float, verdict: Verdict, side: str
) -> None:
    """Each of the three verdicts, with one more prompt lost at a time: it holds for a while, then it is undecided for good."""
    items = {f"i{n}": ItemFacts(category=Category.HATE, verb=Verb.ENABLE, cluster=f"i{n}") for n in range(12)}
    values = {CANDIDATE: candidate, BASELINE: baseline}
    seen = [
        observation(subject=subject, item=item, technique=technique, trial=trial, value=values[subject])
        for item in items
        for subject in values
        for technique, tries in TRIES.items()
        for trial in range(tries)
    ]
    drawn = EvidenceSet(items, tuple(seen))
    verdicts = [
        _compare(
            drawn.lost({at for at, one in enumerate(seen) if one.subject == side and one.item in list(items)[:lost]}),
            drawn,
            Measure.HARM,
            "mean",
            None,
        ).verdict
        for lost in range(len(items) + 1)
    ]
    assert verdicts[0] is verdict
    assert verdicts[-1] is Verdict.UNDECIDED
    held = verdicts.index(Verdict.UNDECIDED)
    assert set(verdicts[:held]) <= {verdict}
    assert set(verdicts[held:]) == {Verdict.UNDECIDED}
