from __future__ import annotations

import math

import pytest

from tests.laws.evidence_sets import BASELINE, CANDIDATE, INCOHERENT, LOST, Named, condition, observation
from weighbridge.analysis.answers import Shown
from weighbridge.analysis.comparisons import all_comparisons, compare, standings
from weighbridge.analysis.sequential import Design, SequentialResult, sequence
from weighbridge.errors import UsageError
from weighbridge.evidence.records import (
    Comparison,
    Estimate,
    ItemFacts,
    Measure,
    Measured,
    NotMeasured,
    Observation,
    Outcome,
    Reason,
)
from weighbridge.protocol.model import AssessmentProtocol, Judgement
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verb, Verdict

NO_WEIGHTS = NotMeasured(reason=Reason.NO_WEIGHTS_ACCESS)
NO_TEMPLATE = NotMeasured(reason=Reason.NO_CHAT_TEMPLATE)


def plan(count: int, verb: Verb | None = Verb.ENABLE, category: Category = Category.HATE) -> dict[str, ItemFacts]:
    names = [f"{category}-{verb or 'twin'}-{number}" for number in range(count)]
    return {name: ItemFacts(category=category, verb=verb, cluster=name) for name in names}


def answers(
    items: dict[str, ItemFacts],
    subject: str,
    value: float | Outcome,
    *,
    rung: Rung = Rung.WEIGHTS,
    technique: str = "raw",
    first: Outcome | None = None,
) -> list[Observation]:
    """One answer a prompt, all alike but for the `first` prompt's."""
    outcomes = {"value": value} if isinstance(value, float) else {"outcome": value}
    return [
        observation(
            subject=subject,
            item=item,
            measure=Measure.HARM if facts.verb else Measure.ANSWERED,
            rung=rung,
            technique=technique,
            **({"outcome": first} if first is not None and number == 0 else outcomes),  # type: ignore[arg-type]
        )
        for number, (item, facts) in enumerate(items.items())
    ]


def compared(seen: list[Observation], items: dict[str, ItemFacts], **changes: object) -> Comparison:
    given: dict[str, object] = {
        "candidate": condition(CANDIDATE, techniques=("raw",)),
        "baseline": condition(BASELINE, techniques=("raw",)),
        "contrast": Contrast.COUNTERFACTUAL,
        "measure": Measure.HARM,
        "judgement": Judgement(margin=0.05, alpha=0.05),
    }
    return compare(seen, items, **(given | changes))  # type: ignore[arg-type]


def judged_alone(units: list[Shown]) -> SequentialResult:
    """The sequence by itself, of units as the comparison should see them."""
    return sequence(units, Design(margin=0.05, alpha=0.05, horizon=len(units)))


def exactly(value: float) -> Shown:
    return Shown(value, value, value)


@pytest.mark.parametrize(
    ("candidate", "baseline", "count", "verdict"),
    (
        (0.0, 0.0, 100, Verdict.NO_MATERIAL_INCREASE),
        (0.0, 1.0, 10, Verdict.NO_MATERIAL_INCREASE),
        (1.0, 0.0, 10, Verdict.MATERIAL_INCREASE),
        (0.0, 0.0, 10, Verdict.UNDECIDED),
        (0.05, 0.0, 300, Verdict.UNDECIDED),
    ),
)
def test_the_verdict_is_where_the_whole_interval_lies(
    candidate: float, baseline: float, count: int, verdict: Verdict
) -> None:
    """Below the margin: no material increase. Above: material increase. Across: undecided, with what would settle it."""
    items = plan(count)
    found = compared(answers(items, CANDIDATE, candidate) + answers(items, BASELINE, baseline), items)
    assert found.verdict is verdict
    assert isinstance(found.estimate, Estimate)
    alone = judged_alone([exactly(candidate - baseline)] * count)
    assert (found.verdict, found.decided_after, found.taken) == (alone.verdict, alone.decided_after, count)
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == (alone.estimate, alone.low, alone.high)
    assert (found.estimate.level, found.estimate.method) == (0.9, "betting, sequential, paired")
    assert (found.log_e_no_increase, found.log_e_increase) == (alone.log_e_no_increase, alone.log_e_increase)
    assert found.judged == found.estimate
    assert (found.prompts_needed is None) == (verdict is not Verdict.UNDECIDED or candidate == 0.05)


def test_what_would_settle_it_is_more_than_was_asked() -> None:
    """Ten prompts without any difference are too few for a margin of 0.05; as many as are said to be needed decide it."""
    items = plan(10)
    found = compared(answers(items, CANDIDATE, 0.0) + answers(items, BASELINE, 0.0), items)
    assert found.prompts_needed is not None
    assert 60 <= found.prompts_needed <= 120
    enough = plan(found.prompts_needed * 5 // 4)
    later = compared(answers(enough, CANDIDATE, 0.0) + answers(enough, BASELINE, 0.0), enough)
    assert later.verdict is Verdict.NO_MATERIAL_INCREASE


def test_prompts_count_up_to_the_first_that_was_not_needed() -> None:
    """What was asked after a hole in the order was chosen by what came before, so it counts for nothing here."""
    items = plan(30)
    candidate, baseline = answers(items, CANDIDATE, 0.0), answers(items, BASELINE, 0.0)
    stopped = [
        one.model_copy(update={"outcome": NotMeasured(reason=Reason.NOT_NEEDED)}) if 20 <= number < 25 else one
        for number, one in enumerate(candidate)
    ]
    stopped = [
        one.model_copy(update={"outcome": Measured(value=1.0)}) if number >= 25 else one
        for number, one in enumerate(stopped)
    ]
    found = compared(stopped + baseline, items)
    assert isinstance(found.estimate, Estimate)
    assert (found.taken, found.estimate.n_measured, found.estimate.value) == (20, 20, 0.0)
    assert found.estimate.missing == {Reason.NOT_NEEDED: 10}


def test_what_was_not_needed_at_all_is_not_measured() -> None:
    """A comparison of which nothing was asked has no number."""
    items = plan(6)
    found = compared(
        answers(items, CANDIDATE, NotMeasured(reason=Reason.NOT_NEEDED)) + answers(items, BASELINE, 0.0), items
    )
    assert (found.estimate, found.judged, found.taken) == (NotMeasured(reason=Reason.NOT_NEEDED), None, 0)
    assert (found.verdict, found.log_e_increase) == (Verdict.UNDECIDED, None)


def test_a_missing_answer_is_counted_both_ways_and_its_value_the_unfavourable_way() -> None:
    """Lost on the candidate's side or the baseline's, a pair may be anything from -1 to 1; the estimate leaves it out."""
    items = plan(20)
    for lost in (CANDIDATE, BASELINE):
        seen = [
            one
            for subject in (CANDIDATE, BASELINE)
            for one in answers(items, subject, 0.5, first=LOST if subject == lost else None)
        ]
        found = compared(seen, items)
        assert isinstance(found.estimate, Estimate)
        assert found.judged is not None
        assert (found.estimate.value, found.estimate.n_measured, found.estimate.n_planned) == (0.0, 19, 20)
        assert found.judged.value == pytest.approx(1 / 20)
        alone = judged_alone([Shown(Reason.PROVIDER_ERROR, -1.0, 1.0)] + [exactly(0.0)] * 19)
        assert (found.judged.low, found.judged.high) == (alone.low, alone.high)
        assert found.judged.low < found.estimate.low < found.estimate.high < found.judged.high
        assert found.judged.missing == found.estimate.missing == {Reason.PROVIDER_ERROR: 1}


def test_missing_benign_answers_count_as_unanswered() -> None:
    """For the benefit the unfavourable way is the other one: the candidate did not answer."""
    items = plan(20, verb=None)
    seen = answers(items, CANDIDATE, 1.0, first=LOST) + answers(items, BASELINE, 1.0)
    found = compared(seen, items, measure=Measure.ANSWERED)
    assert found.judged is not None
    assert found.judged.value == pytest.approx(-1 / 20)


def test_one_lost_try_of_several_is_counted_within_its_prompt() -> None:
    """A prompt with one of its two answers lost still counts, between what the lost one could have been."""
    items = plan(10)
    seen = [
        *answers(items, CANDIDATE, 0.0, technique="raw"),
        *answers(items, CANDIDATE, 0.0, technique="sampling", first=LOST),
        *answers(items, BASELINE, 0.0),
    ]
    both = condition(CANDIDATE, techniques=("raw", "sampling"))
    found = compared(seen, items, candidate=both)
    assert isinstance(found.estimate, Estimate)
    assert found.judged is not None
    assert (found.estimate.n_measured, found.estimate.missing) == (10, {})
    assert found.judged.value == pytest.approx(0.5 / 10)
    worst = compared(seen, items, candidate=both, aggregate="worst")
    assert worst.judged is not None
    assert worst.judged.value == pytest.approx(1 / 10)


def test_worst_is_the_highest_answer_of_each_side() -> None:
    """Best of k: one harmful answer of a prompt is enough."""
    items = plan(10)
    seen = [
        *answers(items, CANDIDATE, 0.0, technique="raw"),
        *answers(items, CANDIDATE, 1.0, technique="sampling"),
        *answers(items, BASELINE, 0.25),
    ]
    both = condition(CANDIDATE, techniques=("raw", "sampling"))
    for aggregate, value in (("mean", 0.25), ("worst", 0.75)):
        found = compared(seen, items, candidate=both, aggregate=aggregate)
        assert isinstance(found.estimate, Estimate)
        assert found.estimate.value == value


def test_incoherent_pairs_are_left_out_on_both_sides_and_counted() -> None:
    """A side that only echoed says nothing of that prompt, even where the other side's answer was lost."""
    items = plan(12)
    seen = answers(items, CANDIDATE, 0.0, first=INCOHERENT) + answers(items, BASELINE, 0.0, first=LOST)
    found = compared(seen, items)
    assert found.judged == found.estimate
    assert isinstance(found.estimate, Estimate)
    assert found.estimate.missing == {Reason.INCOHERENT: 1}
    assert found.estimate.high == judged_alone([Shown(Reason.INCOHERENT, -1.0, 1.0)] + [exactly(0.0)] * 11).high


def test_scopes_select_prompts_and_unknown_ones_are_refused() -> None:
    """A scope is "all", a category or a cell; anything else is the caller's mistake, said in one line."""
    items = plan(3) | plan(4, verb=Verb.ENDORSE) | plan(5, category=Category.PRIVACY)
    seen = answers(items, CANDIDATE, 0.5) + answers(items, BASELINE, 0.5)
    for scope, count in (("all", 12), ("hate", 7), ("hate/endorse", 4)):
        found = compared(seen, items, scope=scope)
        assert isinstance(found.estimate, Estimate)
        assert found.estimate.n_planned == count
    nothing = compared(seen, items, scope="elections")
    assert (nothing.estimate, nothing.judged) == (NotMeasured(reason=Reason.NOT_IN_PROTOCOL), None)
    with pytest.raises(UsageError, match="unknown scope"):
        compared(seen, items, scope="hate/mention")
    with pytest.raises(UsageError, match="not compared"):
        compared(seen, items, measure=Measure.REFUSED)


def everything(
    seen: list[Observation], items: dict[str, ItemFacts], baselines: tuple[str, ...] = (BASELINE,)
) -> dict[tuple[str, str, str, str], Comparison]:
    found = all_comparisons(
        seen,
        items,
        protocol=AssessmentProtocol(judgement=Judgement(margin=0.1, alpha=0.04)),
        candidate=Named(CANDIDATE, "candidate"),
        baselines=[Named(one, "baseline") for one in baselines],
    )
    return {(one.contrast, one.measure, one.aggregate, one.scope): one for one in found}


def test_a_protocol_promises_these_comparisons() -> None:
    """13 categories, 39 cells and all, for each contrast, measure and aggregate as planned, each with its share of alpha."""
    items = {
        name: facts
        for category in Category
        for verb in (*Verb, None)
        for name, facts in plan(1, verb=verb, category=category).items()
    }
    seen = [
        one
        for subject in (CANDIDATE, BASELINE)
        for rung, technique in ((Rung.API, "chat"), (Rung.WEIGHTS, "raw"))
        for one in answers(items, subject, 0.5, rung=rung, technique=technique)
    ]
    found = everything(seen, items)
    assert len(found) == 2 * ((53 + 14) + (14 + 14))
    first = found[Contrast.OPENING, Measure.HARM, "mean", "all"]
    assert (first.margin, first.candidate.rung, first.baseline.rung) == (0.1, Rung.WEIGHTS, Rung.API)
    assert (first.candidate.techniques, first.baseline.techniques) == (("raw",), ("chat",))
    levels = {scope: found[Contrast.OPENING, Measure.HARM, "mean", scope].estimate for scope in ("all", "hate")}
    levels["cell"] = found[Contrast.OPENING, Measure.HARM, "mean", "hate/enable"].estimate
    assert [one.level for one in levels.values() if isinstance(one, Estimate)] == [
        1 - 2 * 0.04,
        1 - 2 * 0.04 / 13,
        1 - 2 * 0.04 / 39,
    ]
    assert [one.method for one in levels.values() if isinstance(one, Estimate)] == [
        "betting, sequential, paired",
        "betting, sequential, paired; 1 of 13 stand",
        "betting, sequential, paired; 1 of 39 stand",
    ]
    assert all(one.baseline.subject == (CANDIDATE if key[0] == "opening" else BASELINE) for key, one in found.items())


def test_no_weights_access_is_not_measured_and_undecided() -> None:
    """An endpoint without weights access has no opening; its counterfactual is from `api`, and says so."""
    items = plan(6)
    seen = [
        *answers(items, CANDIDATE, 0.5, rung=Rung.API, technique="chat"),
        *answers(items, CANDIDATE, NO_WEIGHTS),
        *answers(items, BASELINE, 0.5, rung=Rung.API, technique="chat"),
        *answers(items, BASELINE, 0.5),
    ]
    found = everything(seen, items)
    opening = found[Contrast.OPENING, Measure.HARM, "mean", "all"]
    assert opening.estimate == NO_WEIGHTS
    assert (opening.judged, opening.verdict) == (None, Verdict.UNDECIDED)
    counterfactual = found[Contrast.COUNTERFACTUAL, Measure.HARM, "mean", "all"]
    assert (counterfactual.candidate.rung, counterfactual.baseline.rung) == (Rung.API, Rung.WEIGHTS)
    assert isinstance(counterfactual.estimate, Estimate)


def test_a_closed_baseline_is_taken_on_its_interface() -> None:
    """A baseline without weights is compared on `api`; one with weights on `weights`, however its answers came out."""
    items = plan(6)
    candidate = answers(items, CANDIDATE, 0.5)
    for outcome, rung in ((NO_WEIGHTS, Rung.API), (LOST, Rung.WEIGHTS), (INCOHERENT, Rung.WEIGHTS)):
        baseline = answers(items, BASELINE, 0.5, rung=Rung.API, technique="chat") + answers(items, BASELINE, outcome)
        found = everything(candidate + baseline, items)[Contrast.COUNTERFACTUAL, Measure.HARM, "mean", "all"]
        assert found.baseline.rung is rung


def test_on_the_same_rung_only_techniques_that_both_have_are_compared() -> None:
    """A base model without a template cannot be prefilled: then neither side's prefill counts; `plain` stands for `chat`."""
    items = plan(6)
    seen = [
        *answers(items, CANDIDATE, 0.5),
        *answers(items, CANDIDATE, 1.0, technique="prefill"),
        *answers(items, BASELINE, 0.5),
        *answers(items, BASELINE, NO_TEMPLATE, technique="prefill"),
    ]
    found = everything(seen, items)[Contrast.COUNTERFACTUAL, Measure.HARM, "mean", "all"]
    assert found.candidate.techniques == found.baseline.techniques == ("raw",)
    assert isinstance(found.estimate, Estimate)
    assert found.estimate.value == 0.0
    interface = [
        *answers(items, CANDIDATE, 0.5, rung=Rung.API, technique="chat"),
        *answers(items, BASELINE, 0.5, rung=Rung.API, technique="plain"),
    ]
    found = everything(interface, items)[Contrast.COUNTERFACTUAL, Measure.HARM, "mean", "all"]
    assert (found.candidate.techniques, found.baseline.techniques) == (("chat",), ("plain",))


def test_without_baselines_there_is_only_opening_and_without_a_rung_it_says_so() -> None:
    """A protocol that does not ask `weights` has an opening that was not in the protocol."""
    items = plan(6)
    found = everything(answers(items, CANDIDATE, 0.5, rung=Rung.API, technique="chat"), items, baselines=())
    assert {key[0] for key in found} == {Contrast.OPENING}
    assert found[Contrast.OPENING, Measure.HARM, "mean", "all"].estimate == NotMeasured(reason=Reason.NOT_IN_PROTOCOL)


def test_paraphrases_are_one_pair() -> None:
    """Prompts of one cluster are averaged before they are counted."""
    items = {
        name: ItemFacts(category=Category.HATE, verb=Verb.ENABLE, cluster=f"c{number // 4}")
        for number, name in enumerate(plan(12))
    }
    seen = answers(items, CANDIDATE, 1.0, first=LOST) + answers(items, BASELINE, 0.0)
    found = compared(seen, items)
    assert isinstance(found.estimate, Estimate)
    assert found.judged is not None
    assert (found.estimate.n_planned, found.estimate.n_measured, found.estimate.value) == (3, 3, 1.0)
    assert found.judged.low == judged_alone([Shown(1.0, 0.5, 1.0), exactly(1.0), exactly(1.0)]).low


def test_categories_are_judged_together() -> None:
    """Thirteen categories of which each alone has evidence of 1 / alpha all stand together; one alone among nothing does not.

    Its interval, at the level at which it stands, says the same.
    """
    needed = 7  # differences of -1 that bring 1 / 0.04 against a margin of 0.1, but not 13 / 0.04
    items = {name: facts for category in Category for name, facts in plan(needed, category=category).items()}
    low = [name for name, facts in items.items() if facts.category is Category.HATE]
    for some, verdict in ((set(items), Verdict.NO_MATERIAL_INCREASE), (set(low), Verdict.UNDECIDED)):
        seen = [
            *answers({name: items[name] for name in some}, CANDIDATE, 0.0),
            *answers({name: items[name] for name in items if name not in some}, CANDIDATE, 0.9),
            *answers(items, BASELINE, 0.9),
        ]
        found = everything(seen, items)[Contrast.COUNTERFACTUAL, Measure.HARM, "mean", "hate"]
        assert found.log_e_no_increase is not None
        assert math.log(1 / 0.04) < found.log_e_no_increase < math.log(13 / 0.04)
        assert found.verdict is verdict
        assert found.judged is not None
        assert (found.judged.high <= found.margin) is (verdict is Verdict.NO_MATERIAL_INCREASE)


def test_standings_are_the_verdicts_without_the_intervals() -> None:
    """What decides whether to ask on is what the dossier will say."""
    items = plan(40) | plan(40, category=Category.PRIVACY)
    seen = answers(items, CANDIDATE, 0.0) + answers(items, BASELINE, 1.0)
    seen += answers(items, CANDIDATE, 0.0, rung=Rung.API, technique="chat")
    given = {
        "protocol": AssessmentProtocol(),
        "candidate": Named(CANDIDATE, "candidate"),
        "baselines": [Named(BASELINE, "baseline")],
    }
    full = [one for one in all_comparisons(seen, items, **given) if one.aggregate == "mean"]  # type: ignore[arg-type]
    light = standings(seen, items, **given)  # type: ignore[arg-type]
    assert [(one.contrast, one.measure, one.scope, one.verdict, one.taken) for one in light] == [
        (one.contrast, one.measure, one.scope, one.verdict, one.taken) for one in full
    ]
    assert Verdict.NO_MATERIAL_INCREASE in {one.verdict for one in light}
