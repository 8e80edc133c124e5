"""What is asked next, and when asking stops."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.analysis.comparisons import Standing
from weighbridge.assessment.stopping import Rounds
from weighbridge.engine.provider import Access
from weighbridge.engine.questions import Question
from weighbridge.evidence.records import Condition, Measure
from weighbridge.probes.harms.items import Prompt, Suite
from weighbridge.probes.harms.probe import Asked, plan
from weighbridge.probes.harms.suite import prompts_digest
from weighbridge.protocol.model import AssessmentProtocol, Ladder, Stopping
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verb, Verdict

CANDIDATE, BASELINE = "sha256:" + "c" * 64, "sha256:" + "b" * 64
CATEGORIES = (Category.HATE, Category.PRIVACY, Category.ELECTIONS)
PROMPTS = tuple(
    Prompt(
        id=f"{kind}{n}", category=CATEGORIES[n % 3], verb=Verb.ENABLE if kind == "harm" else None, text=f"{kind} {n}?"
    )
    for n, kind in itertools.product(range(30), ("harm", "twin"))
)
SUITE = Suite("s", "1", "none", prompts_digest(PROMPTS), PROMPTS, {})
LADDER = Ladder(rungs=(Rung.API, Rung.WEIGHTS), techniques=("raw",), twin_techniques=("raw",), sweep=())


def rounds(**stopping: object) -> Rounds:
    protocol = AssessmentProtocol(ladder=LADDER, stopping=Stopping.model_validate(stopping))
    access = Access(chat=True, completion=True, prefill=True)
    asked = [Asked(subject, access, True, None, (Rung.API, Rung.WEIGHTS)) for subject in (CANDIDATE, BASELINE)]
    trials = plan(SUITE, asked, LADDER, seed=1)
    return Rounds(trials, SUITE, protocol, CANDIDATE, lambda *_: None)


def standing(
    contrast: Contrast,
    verdict: Verdict = Verdict.UNDECIDED,
    *,
    measure: Measure = Measure.HARM,
    scope: str = "all",
    needed: int | None = 10,
    measured: int = 5,
) -> Standing:
    opening = contrast is Contrast.OPENING
    subject, rung = (CANDIDATE, Rung.API) if opening else (BASELINE, Rung.WEIGHTS)
    return Standing(
        contrast=contrast,
        measure=measure,
        scope=scope,
        candidate=Condition(subject=CANDIDATE, label="c", rung=Rung.WEIGHTS, techniques=("raw",)),
        baseline=Condition(subject=subject, label="b", rung=rung, techniques=("raw",)),
        verdict=verdict,
        taken=measured,
        measured=measured,
        needed=needed,
    )


def items(questions: list[Question]) -> list[str]:
    return list(dict.fromkeys(question.item for question in questions))


def sides(questions: list[Question]) -> set[tuple[str, Rung]]:
    return {(question.subject, question.rung) for question in questions}


BOTH = {(subject, rung) for subject in (CANDIDATE, BASELINE) for rung in (Rung.API, Rung.WEIGHTS)}
DECIDED = Verdict.NO_MATERIAL_INCREASE


def test_without_early_stopping_everything_is_asked_at_once() -> None:
    """The fixed design: one round of all, whatever it shows."""
    policy = rounds(early=False)
    assert len(policy.first()) == 60 * 4
    assert policy.following([standing(Contrast.COUNTERFACTUAL)]) == []


def test_the_first_round_holds_the_least_of_every_cell() -> None:
    """The first prompts of each kind, until each category has what was promised."""
    first = rounds(least_per_cell=2).first()
    assert items(first) == [prompt.id for prompt in PROMPTS[:12]]
    assert sides(first) == BOTH


def test_what_is_decided_is_asked_no_further() -> None:
    """With the counterfactual decided only the candidate is asked on, and the other way round; with all decided nobody is."""
    policy = rounds(least_per_cell=1, look_every=4)
    policy.first()
    counterfactual, opening = Contrast.COUNTERFACTUAL, Contrast.OPENING
    following = policy.following([standing(counterfactual, DECIDED), standing(opening)])
    assert items(following) == ["harm3", "harm4", "harm5", "harm6"]
    assert sides(following) == {(CANDIDATE, Rung.API), (CANDIDATE, Rung.WEIGHTS)}
    following = policy.following([standing(counterfactual), standing(opening, DECIDED)])
    assert items(following) == ["harm3", "harm4", "harm5", "harm6"]  # what the baseline has not seen, in order
    assert sides(following) == {(BASELINE, Rung.API), (BASELINE, Rung.WEIGHTS)}
    assert policy.following([standing(counterfactual, DECIDED), standing(opening, DECIDED)]) == []


def test_the_deciding_comparison_is_never_given_up_and_others_are() -> None:
    """However far off, the headline's comparison is asked for until its prompts end; another is not, beyond reach."""
    policy = rounds(least_per_cell=1, look_every=100)
    policy.first()
    hopeless = [standing(Contrast.OPENING, needed=10_000), standing(Contrast.COUNTERFACTUAL, DECIDED)]
    assert policy.following(hopeless) == []
    following = policy.following([standing(Contrast.COUNTERFACTUAL, needed=None)])
    assert len(items(following)) == 27
    assert policy.following([standing(Contrast.COUNTERFACTUAL, needed=None)]) == []


def test_a_comparison_that_measures_nothing_ends() -> None:
    """When no pair of all that were asked was measured, asking on would bring nothing."""
    policy = rounds(least_per_cell=1)
    policy.first()
    broken = standing(Contrast.COUNTERFACTUAL, needed=None, measured=0)
    assert policy.following([Standing(**{**vars_of(broken), "taken": 3})]) == []


def vars_of(one: Standing) -> dict[str, object]:
    return {name: getattr(one, name) for name in Standing.__slots__}


def test_then_categories_the_nearest_first() -> None:
    """Calls that are saved go to categories still undecided, the nearest first, and not to those out of reach."""
    policy = rounds(least_per_cell=1, look_every=5)
    policy.first()
    whole = [standing(Contrast.OPENING, DECIDED), standing(Contrast.COUNTERFACTUAL, DECIDED)]
    following = policy.following(
        [
            *whole,
            standing(Contrast.COUNTERFACTUAL, scope="hate", needed=8),
            standing(Contrast.COUNTERFACTUAL, scope="privacy", needed=3),
            standing(Contrast.COUNTERFACTUAL, scope="elections", needed=500),
        ]
    )
    categories = [next(prompt.category.value for prompt in PROMPTS if prompt.id == item) for item in items(following)]
    assert categories.count("privacy") == 3
    assert categories.count("hate") == 2
    assert "elections" not in categories


@given(st.lists(st.sampled_from([DECIDED, Verdict.UNDECIDED]), min_size=2, max_size=12), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_a_comparison_always_gets_the_next_prompts_of_the_order(verdicts: list[Verdict], every: int) -> None:
    """Whatever is decided when, what a contrast was asked of is a prefix of the order: nothing is chosen by what it shows."""
    policy = rounds(least_per_cell=1, look_every=every)
    asked = {(question.item, question.subject, question.rung) for question in policy.first()}
    for one, other in itertools.pairwise(verdicts):
        following = policy.following([standing(Contrast.COUNTERFACTUAL, one), standing(Contrast.OPENING, other)])
        asked |= {(question.item, question.subject, question.rung) for question in following}
        for needs in (
            {(CANDIDATE, Rung.API), (CANDIDATE, Rung.WEIGHTS)},
            {(CANDIDATE, Rung.WEIGHTS), (BASELINE, Rung.API)},
        ):
            harm = [prompt.id for prompt in PROMPTS if not prompt.benign]
            whole = [all((item, *side) in asked for side in needs) for item in harm]
            assert whole == sorted(whole, reverse=True)
