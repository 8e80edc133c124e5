from __future__ import annotations

import time

import pytest

from tests.laws.evidence_sets import INCOHERENT, LOST, observation
from weighbridge.analysis.intervals import clopper_pearson, wilson
from weighbridge.analysis.rates import rates
from weighbridge.evidence.places import place_of
from weighbridge.evidence.records import Estimate, ItemFacts, Measure, NotMeasured, Observation, Rate, Reason
from weighbridge.protocol.vocabulary import Category, Rung, Verb


def facts(verb: Verb | None = Verb.ENABLE, category: Category = Category.HATE, cluster: str = "") -> ItemFacts:
    return ItemFacts(category=category, verb=verb, cluster=cluster)


def items(*names: str, **kind: object) -> dict[str, ItemFacts]:
    return {name: facts(**kind).model_copy(update={"cluster": name}) for name in names}  # type: ignore[arg-type]


def find(found: list[Rate], **wanted: object) -> Estimate | NotMeasured:
    """The one rate that fits; categories and verbs together unless named."""
    wanted = {"measure": Measure.HARM, "category": None, "verb": None, "technique": "mean", "benign": False} | wanted
    (rate,) = [rate for rate in found if all(getattr(rate, name) == value for name, value in wanted.items())]
    return rate.rate


def estimate(found: list[Rate], **wanted: object) -> Estimate:
    rate = find(found, **wanted)
    assert isinstance(rate, Estimate)
    return rate


def test_the_unit_is_the_prompt() -> None:
    """Tries are averaged per prompt, techniques weigh alike however often each was tried, and n counts prompts."""
    seen = [
        observation(item="a", technique="raw", value=1.0),
        *(observation(item="a", technique="sampling", trial=trial, value=0.0) for trial in range(3)),
        observation(item="b", technique="raw", value=0.0),
        *(observation(item="b", technique="sampling", trial=trial, value=0.5) for trial in range(3)),
    ]
    found = rates(seen, items("a", "b"))
    assert estimate(found, technique="raw").value == 0.5
    assert estimate(found, technique="sampling").value == 0.25
    assert estimate(found).value == 0.375  # (1/2 + 1/4) / 2
    assert estimate(found, technique="worst").value == 0.75  # (1 + 1/2) / 2
    assert {rate.rate.n_measured for rate in found if isinstance(rate.rate, Estimate)} == {2}


def test_the_best_of_some_lies_between_the_mean_and_the_worst() -> None:
    """With four answers a prompt, "best of 2" is the mean highest of all pairs; too few coherent ones, and it is not measured."""
    seen = [
        *(observation(item="a", technique="sampling", trial=trial, value=float(trial == 0)) for trial in range(4)),
        observation(item="b", technique="sampling", trial=0, value=1.0),
        *(observation(item="b", technique="sampling", trial=trial, outcome=INCOHERENT) for trial in range(1, 4)),
    ]
    found = rates(seen, items("a", "b"))
    best = estimate(found, technique="best of 2")
    assert (best.value, best.n_measured, best.missing) == (0.5, 1, {Reason.NOTHING_MEASURED: 1})
    assert not [rate for rate in found if rate.technique == "best of 4"]  # that is "worst"
    assert not [rate for rate in found if rate.technique.startswith("best of") and rate.measure is not Measure.HARM]


def test_every_margin_of_the_table_is_there_and_no_other() -> None:
    """Cells, categories, verbs and all: rows where nothing was planned are absent."""
    plan = items("a", category=Category.HATE) | items("b", "c", category=Category.PRIVACY, verb=Verb.ENDORSE)
    found = rates([observation(item=item) for item in plan], plan)
    cells = {(rate.category, rate.verb, rate.rate.n_planned) for rate in found if isinstance(rate.rate, Estimate)}
    assert cells == {
        (None, None, 3),
        (None, Verb.ENABLE, 1),
        (None, Verb.ENDORSE, 2),
        (Category.HATE, None, 1),
        (Category.HATE, Verb.ENABLE, 1),
        (Category.PRIVACY, None, 2),
        (Category.PRIVACY, Verb.ENDORSE, 2),
    }
    assert {rate.technique for rate in found} == {"raw", "mean", "worst"}


def test_twins_are_kept_apart() -> None:
    """Benign twins have rates of their own, without verbs, for the measures they share with harm prompts, too."""
    plan = items("bad") | items("good", verb=None)
    seen = [
        observation(item="bad", measure=Measure.REFUSED, value=1.0),
        observation(item="good", measure=Measure.REFUSED, value=0.0),
        observation(item="good", measure=Measure.ANSWERED, value=1.0),
    ]
    found = rates(seen, plan)
    assert estimate(found, measure=Measure.REFUSED).value == 1.0
    assert estimate(found, measure=Measure.REFUSED, benign=True).value == 0.0
    assert estimate(found, measure=Measure.ANSWERED, benign=True, technique="worst").value == 1.0
    assert not [rate for rate in found if rate.measure is Measure.REFUSED and rate.technique == "worst"]


def test_a_prompt_without_a_measured_answer_counts_as_missing_by_its_commonest_reason() -> None:
    """One coherent answer is enough for a prompt to count; without one its reason is counted, and the model's own comes last."""
    seen = [
        observation(item="a", technique="raw", outcome=INCOHERENT),
        observation(item="a", technique="sampling", value=1.0),
        observation(item="b", technique="raw", outcome=INCOHERENT),
        observation(item="b", technique="sampling", outcome=INCOHERENT),
        observation(item="c", technique="raw", outcome=INCOHERENT),
        observation(item="c", technique="sampling", outcome=LOST),
    ]
    found = estimate(rates(seen, items("a", "b", "c")))
    assert (found.value, found.n_planned, found.n_measured) == (1.0, 3, 1)
    assert found.missing == {Reason.INCOHERENT: 1, Reason.PROVIDER_ERROR: 1}


def test_nothing_measured_says_why() -> None:
    """One reason is given as it is; of several, the counts."""
    plan = items("a", "b", "c")
    no_access = NotMeasured(reason=Reason.NO_WEIGHTS_ACCESS, detail="chat only")
    alike = find(rates([observation(item=item, outcome=no_access) for item in plan], plan))
    assert alike == NotMeasured(reason=Reason.NO_WEIGHTS_ACCESS)
    mixed = find(rates([observation(item="a", outcome=no_access), observation(item="b", outcome=LOST)], plan))
    assert isinstance(mixed, NotMeasured)
    assert mixed.reason is Reason.NOTHING_MEASURED
    assert mixed.detail == "1 no weights access, 1 provider error, 1 nothing measured"


def test_paraphrases_are_one_unit() -> None:
    """Prompts of one cluster are averaged first: they are not independent evidence."""
    plan = {name: facts(cluster=cluster) for name, cluster in (("a", "x"), ("b", "x"), ("c", "y"))}
    seen = [observation(item=item, value=value) for item, value in (("a", 1.0), ("b", 0.0), ("c", 0.0))]
    found = estimate(rates(seen, plan))
    assert (found.value, found.n_planned) == (0.25, 2)


def test_counts_get_the_exact_interval_and_graded_values_wilsons() -> None:
    """The interval fits the values, and its method is named."""
    plan = items("a", "b", "c", "d")
    counted = [observation(item=item, value=float(item == "a")) for item in plan]
    found = estimate(rates(counted, plan))
    assert (found.value, found.low, found.high) == clopper_pearson(1, 4, 0.95)
    assert found.method == "Clopper-Pearson"
    marked = [observation(item=item, value=0.3) for item in plan]
    found = estimate(rates(marked, plan, level=0.9))
    assert (found.value, found.low, found.high) == wilson(1.2, 4, 0.9)
    assert (found.method, found.level) == ("Wilson, graded values", 0.9)


def test_a_plan_shows_holes_that_evidence_hides() -> None:
    """A planned place without an observation is missing; a place that was never planned for a prompt is not."""
    plan = items("a", "b")
    seen = [observation(item="a"), observation(item="b"), observation(item="b", technique="sampling")]
    planned = [place_of(one) for one in seen]
    assert estimate(rates(seen, plan), technique="sampling").n_planned == 2
    assert estimate(rates(seen, plan, planned=planned), technique="sampling").n_planned == 1
    cut = find(rates(seen[:2], plan, planned=planned), technique="sampling")
    assert cut == NotMeasured(reason=Reason.NOTHING_MEASURED)
    assert estimate(rates(seen[1:], plan), technique="raw").missing == {Reason.NOTHING_MEASURED: 1}


def test_observations_of_other_prompts_are_left_out() -> None:
    """Rates are over the prompts that are asked about, whatever else the evidence holds."""
    found = rates([observation(item="a"), observation(item="stranger", value=1.0)], items("a"))
    assert estimate(found).n_planned == 1


def test_time_is_linear_in_the_number_of_observations() -> None:
    """Four times the observations take about four times as long, not sixteen."""

    def seconds(prompts: int) -> float:
        plan = items(*(f"i{number}" for number in range(prompts)))
        seen: list[Observation] = [
            observation(item=item, rung=rung, technique=technique, value=0.5)
            for item in plan
            for rung, technique in ((Rung.API, "chat"), (Rung.WEIGHTS, "raw"), (Rung.WEIGHTS, "prefill"))
        ]
        start = time.process_time()
        rates(seen, plan)
        return time.process_time() - start

    seconds(100)
    assert min(seconds(1200) for _ in range(2)) < 8 * max(seconds(300) for _ in range(3))


@pytest.mark.parametrize("measure", (Measure.HARM, Measure.COHERENT))
def test_no_observations_no_rates(measure: Measure) -> None:
    """Nothing planned, nothing said."""
    assert rates([], items("a")) == []
    other = observation(item="a", measure=measure, subject="endpoint:http://localhost/v1#m")
    assert {rate.subject for rate in rates([other], items("a"))} == {other.subject}
