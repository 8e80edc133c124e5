"""A dossier's evidence with human labels: what counts, with which weight, and what is left out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from weighbridge.analysis.corrected import Label, LabelledEvidence, corrected_comparisons, corrected_rates
from weighbridge.evidence.records import (
    Comparison,
    Condition,
    Estimate,
    ItemFacts,
    Measure,
    Measured,
    NotMeasured,
    Observation,
    Outcome,
    Reason,
)
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verb, Verdict

HATE, PRIVACY, CHILD = Category.HATE, Category.PRIVACY, Category.CHILD_SEXUAL_EXPLOITATION
SUBJECT = "sha256:" + "a" * 64
ENABLE = (Verb.ENABLE,)


def key(item: str, rung: Rung, technique: str) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(f"{item} {rung} {technique}".encode()).hexdigest()


def seen(
    item: str, outcome: float | Reason, *, rung: Rung = Rung.WEIGHTS, technique: str = "raw", source: bool = True
) -> Observation:
    value: Outcome = NotMeasured(reason=outcome) if isinstance(outcome, Reason) else Measured(value=outcome)
    return Observation(
        subject=SUBJECT,
        protocol="sha256:" + "0" * 64,
        probe="harms",
        measure=Measure.HARM,
        item=item,
        rung=rung,
        technique=technique,
        trial=0,
        outcome=value,
        source=key(item, rung, technique) if source else None,
        grader="g@sha256:" + "1" * 64,
        seen_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def facts(category: Category = HATE, verb: Verb | None = Verb.ENABLE, cluster: str = "") -> ItemFacts:
    return ItemFacts(category=category, verb=verb, cluster=cluster or "c")


def many(n: int, category: Category = HATE) -> dict[str, ItemFacts]:
    return {f"{category.value}{m}": facts(category, cluster=f"{category.value}{m}") for m in range(n)}


def test_a_units_weights_are_those_of_a_rate() -> None:
    """Techniques count alike however often each was tried, prompts of a cluster alike, and all adds up to 1."""
    items = {"a": facts(cluster="both"), "b": facts(cluster="both")}
    evidence = LabelledEvidence([seen("a", 0.2), seen("a", 0.4, technique="x"), seen("b", 0.6)], items, {})
    (unit,) = evidence.units(SUBJECT, Rung.WEIGHTS, "all", ENABLE).values()
    assert [(one.grade, one.weight) for one in unit.answers] == [(0.2, 0.25), (0.4, 0.25), (0.6, 0.5)]


def test_incoherent_answers_count_nowhere_and_missing_ones_both_ways() -> None:
    """An echo is evidence of nothing; an answer that never came may have been anything; one that was not graded can be labelled."""
    items = {name: facts(cluster=name) for name in "abcd"}
    evidence = LabelledEvidence(
        [
            seen("a", Reason.INCOHERENT),
            seen("b", Reason.TIMED_OUT, source=False),
            seen("c", Reason.GRADER_FAILED),
            seen("d", 0.5),
        ],
        items,
        {key("c", Rung.WEIGHTS, "raw"): Label(1.0)},
    )
    units = evidence.units(SUBJECT, Rung.WEIGHTS, "all", ENABLE)
    assert set(units) == {"b", "c", "d"}
    (lost,), (labelled,) = units["b"].answers, units["c"].answers
    assert (lost.grade, lost.label, lost.lost) == (None, None, True)
    assert (labelled.grade, labelled.label, labelled.drawn) == (None, 1.0, True)


def test_prompts_that_were_not_needed_are_no_units_and_the_method_says_so() -> None:
    """Where asking stopped early the rest was not drawn; the interval is named as one for a fixed number of prompts."""
    items = many(6)
    observations = [seen(item, 0.5 if n < 4 else Reason.NOT_NEEDED, source=n < 4) for n, item in enumerate(items)]
    labels = {one.source: Label(1.0, 1.0, 1.0) for one in observations if one.source is not None}
    rate = next(corrected_rates(LabelledEvidence(observations, items, labels), {}, ENABLE, 0.95))
    assert isinstance(rate.corrected, Estimate)
    assert rate.corrected.n_planned == 4 and rate.corrected.method.endswith("asking stopped early")


def test_categories_whose_answers_are_not_kept_are_left_out() -> None:
    """Nobody can label them, so no correction speaks of them."""
    items = {**many(3), **many(3, CHILD)}
    evidence = LabelledEvidence([seen(item, 0.0) for item in items], items, {}, left_out=(CHILD,))
    assert len(evidence.units(SUBJECT, Rung.WEIGHTS, "all", ENABLE)) == 3


def test_an_untold_draw_is_taken_to_be_even_and_a_told_one_is_used() -> None:
    """Without probabilities: prompts with a label over prompts of that side; with: each its own, and the least of all for the rest."""
    items = many(4)
    observations = [seen(item, 0.5, technique=technique) for item in items for technique in ("raw", "x")]
    source = observations[0].source
    assert source is not None
    even = LabelledEvidence(observations, items, {source: Label(1.0)}).units(SUBJECT, Rung.WEIGHTS, "all", ENABLE)
    assert {unit.probability for unit in even.values()} == {0.25}
    told = LabelledEvidence(observations, items, {source: Label(1.0, 0.8, 0.1)})
    assert [unit.probability for unit in told.units(SUBJECT, Rung.WEIGHTS, "all", ENABLE).values()] == [
        0.8,
        0.1,
        0.1,
        0.1,
    ]


def test_a_label_of_another_technique_is_not_seen_and_the_probability_is_that_of_the_rest() -> None:
    """A comparison of one of two techniques sees half of the labels, each with half of the probability."""
    items = many(2)
    observations = [seen(item, 0.5, technique=technique) for item in items for technique in ("raw", "x")]
    sources = [observations[0].source, observations[3].source]  # raw of the first, x of the second
    evidence = LabelledEvidence(observations, items, {source: Label(1.0, 0.8, 0.8) for source in sources if source})
    first, second = evidence.units(SUBJECT, Rung.WEIGHTS, "all", ENABLE, ["raw"]).values()
    assert (first.labels, second.labels) == (1, 0)
    assert first.probability == second.probability == pytest.approx(0.4)
    assert [one.weight for one in first.answers] == [1.0]


def test_a_grader_that_says_too_much_is_put_right() -> None:
    """All graded 0.6, all labelled 0: the rate falls from 0.6 to 0, and the interval with it; other categories have no label."""
    items = {**many(40), **many(10, PRIVACY)}
    observations = [seen(item, 0.6) for item in items]
    labels = {one.source: Label(0.0, 1.0, 1.0) for one in observations if one.source and one.item.startswith("hate")}
    found = {
        rate.scope: rate for rate in corrected_rates(LabelledEvidence(observations, items, labels), {}, ENABLE, 0.95)
    }
    assert set(found) == {"all", "hate"}
    hate = found["hate"]
    assert isinstance(hate.graded, Estimate) and isinstance(hate.corrected, Estimate)
    assert hate.graded.value == pytest.approx(0.6)
    assert hate.corrected.value == 0.0 and hate.corrected.high < 0.12
    assert hate.labels == 40


def comparison(scope: str = "all", margin: float = 0.2) -> Comparison:
    def side(rung: Rung) -> Condition:
        return Condition(subject=SUBJECT, label="m", rung=rung, techniques=("raw",))

    return Comparison(
        contrast=Contrast.OPENING,
        measure=Measure.HARM,
        scope=scope,
        aggregate="mean",
        candidate=side(Rung.WEIGHTS),
        baseline=side(Rung.API),
        margin=margin,
        verdict=Verdict.UNDECIDED,
        estimate=NotMeasured(reason=Reason.NOTHING_MEASURED),
        judged=None,
    )


@pytest.mark.parametrize(("label", "verdict"), [(1.0, Verdict.MATERIAL_INCREASE), (0.0, Verdict.NO_MATERIAL_INCREASE)])
def test_labels_can_turn_a_verdict(label: float, verdict: Verdict) -> None:
    """The same grades, other labels: the corrected verdict follows the people."""
    items = many(60)
    both = [seen(item, grade, rung=rung) for item in items for rung, grade in ((Rung.WEIGHTS, 0.5), (Rung.API, 0.1))]
    labels = {
        one.source: Label(label if one.rung is Rung.WEIGHTS else 0.0, 1.0, 1.0)
        for one in both
        if one.source is not None
    }
    (found,) = corrected_comparisons(LabelledEvidence(both, items, labels), [comparison()], ENABLE, 0.05)
    assert isinstance(found.corrected, Estimate)
    assert (found.verdict, found.labels) == (verdict, 120)


def test_without_labels_on_both_sides_a_comparison_is_undecided() -> None:
    """One side's labels correct nothing of the other's: not measured, undecided; smaller scopes without labels are not listed."""
    items = many(5)
    both = [seen(item, 0.5, rung=rung) for item in items for rung in (Rung.WEIGHTS, Rung.API)]
    labels = {one.source: Label(1.0) for one in both if one.source is not None and one.rung is Rung.API}
    (found,) = corrected_comparisons(
        LabelledEvidence(both, items, labels), [comparison(), comparison("hate")], ENABLE, 0.05
    )
    assert isinstance(found.corrected, NotMeasured) and found.verdict is Verdict.UNDECIDED
