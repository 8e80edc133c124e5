"""Rates and differences corrected by human labels: against PPI's own package, by seeded simulation, and by the laws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import fsum

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from weighbridge.analysis.correction import (
    FLOOR,
    Checked,
    Unit,
    asymptotic_rate,
    corrected_difference,
    corrected_rate,
    labelling_probabilities,
)
from weighbridge.analysis.intervals import clopper_pearson

LEVEL = 0.95
LOOSE = 1e-8


def drawn_rate(rng: np.random.Generator, n: int, share: float, rate: float, hit: float, right: float) -> list[Unit]:
    """Answers of true rate `rate`, graded with the given sensitivity and specificity, each labelled with probability `share`."""
    labels = rng.random(n) < rate
    said = np.where(rng.random(n) < np.where(labels, hit, right), labels, ~labels)
    drawn = rng.random(n) < share
    return [
        Unit((Checked(0.9 if g else 0.1, float(y) if d else None, bool(d)),), share)
        for g, y, d in zip(said, labels, drawn, strict=True)
    ]


def test_the_value_and_the_normal_interval_are_those_of_ppi() -> None:
    """An even draw of 60 from 600: estimate and interval as ppi-python 0.2.3 (ppi_mean_pointestimate, ppi_mean_ci) gives them."""
    rng = np.random.default_rng(7)
    labels = (rng.random(600) < 0.3).astype(float)
    grades = np.clip(0.7 * labels + 0.15 + rng.normal(0, 0.2, 600), 0, 1).round(3)
    units = [
        Unit((Checked(float(g), float(y) if n < 60 else None, n < 60),), 0.1)
        for n, (g, y) in enumerate(zip(grades, labels, strict=True))
    ]
    found, exact = asymptotic_rate(units, LEVEL), corrected_rate(units, LEVEL)
    assert found is not None and exact is not None
    assert found.value == pytest.approx(0.28287, abs=0.002)
    assert (found.low, found.high) == pytest.approx((0.21663, 0.34911), abs=0.004)
    assert exact.value == found.value
    assert exact.low < found.low and found.high < exact.high


def test_with_every_answer_labelled_it_is_the_exact_interval_of_the_labels() -> None:
    """Nothing is left to predict: Clopper and Pearson's limits, at half the error for each of the two lambdas."""
    units = [Unit((Checked(0.5, float(n < 7), drawn=True),)) for n in range(40)]
    found = corrected_rate(units, LEVEL)
    assert found is not None
    assert found == pytest.approx(clopper_pearson(7, 40, 1 - (1 - LEVEL) / 2), abs=1e-6)


@pytest.mark.parametrize(
    ("rate", "hit", "right"),
    [(0.3, 0.95, 0.97), (0.02, 0.95, 0.99), (0.05, 0.6, 1.0), (0.9, 0.9, 0.5), (0.1, 0.5, 0.5)],
)
def test_the_exact_interval_covers(rate: float, hit: float, right: float) -> None:
    """However bad the grader and however rare the harm, the true rate is outside in no more runs than promised (with room for chance)."""
    rng, runs = np.random.default_rng(20240404), 120
    missed = 0
    for _ in range(runs):
        found = corrected_rate(drawn_rate(rng, 150, 0.2, rate, hit, right), LEVEL)
        missed += found is not None and not found.low <= rate <= found.high
    assert missed / runs <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


def test_the_normal_interval_covers_too_little_where_errors_are_rare() -> None:
    """The reason why it does not ship: 30 labels, 2 % harm, a good grader; it misses in more than a quarter of the runs."""
    rng, runs = np.random.default_rng(20240404), 200
    found = [asymptotic_rate(drawn_rate(rng, 150, 0.2, 0.02, 0.95, 0.99), LEVEL) for _ in range(runs)]
    assert sum(one is None or not one.low <= 0.02 <= one.high for one in found) / runs > 0.25


def test_a_good_grader_makes_the_interval_narrower_than_labels_alone() -> None:
    """With 100 labels of 500 the corrected interval is at least a seventh narrower than the exact one of the labels alone."""
    rng = np.random.default_rng(20240404)
    shares = []
    for _ in range(10):
        units = drawn_rate(rng, 500, 0.2, 0.3, 0.97, 0.98)
        checked = [answer.label for unit in units for answer in unit.answers if answer.label is not None]
        alone = clopper_pearson(int(sum(checked)), len(checked), LEVEL)
        found = corrected_rate(units, LEVEL)
        assert found is not None
        shares.append((found.high - found.low) / (alone.high - alone.low))
    assert np.mean(shares) < 6 / 7


def test_the_difference_covers_and_pairs() -> None:
    """Candidate and baseline on the same prompts, three answers a prompt and side, of which at most one is labelled."""
    rng, runs, missed = np.random.default_rng(20240404), 60, 0
    for _ in range(runs):
        pairs = []
        for hard in rng.random(80):
            sides = []
            for rate in (0.4, 0.25):
                drawn, chosen = rng.random() < 0.5, rng.integers(3)
                answers = []
                for place in range(3):
                    label = hard + 0.3 * (rng.random() - 0.5) < rate  # both sides find the same prompts easy
                    grade = 0.85 if (rng.random() < 0.92) == label else 0.1
                    seen = bool(drawn and place == chosen)
                    answers.append(Checked(grade, float(label) if seen else None, seen, 1 / 3))
                sides.append(Unit(tuple(answers), 0.5))
            pairs.append((sides[0], sides[1]))
        found = corrected_difference(pairs, LEVEL)
        assert found is not None
        missed += not found.low <= _difference() <= found.high
    assert missed / runs <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


def test_one_label_of_many_answers_stands_for_its_prompt() -> None:
    """Four answers a prompt that err alike: labelling one of each prompt says nearly as much as labelling all."""
    rng, widths = np.random.default_rng(20240404), []
    for labelled in (1, 4):
        units = []
        for _ in range(120):
            label = float(rng.random() < 0.3)
            grades = [0.8 if (rng.random() < 0.9) == bool(label) else 0.2 for _ in range(4)]
            units.append(Unit(tuple(Checked(g, label, n < labelled, 0.25) for n, g in enumerate(grades))))
        found = corrected_rate(units, LEVEL)
        assert found is not None and found.low <= 0.3 <= found.high
        widths.append(found.high - found.low)
    assert widths[0] < 1.5 * widths[1]


def _difference() -> float:
    """The true difference of the simulation above: P(hard + 0.3 (u - 1/2) < rate), both uniform, is the rate inside (0.15, 0.85)."""
    return 0.4 - 0.25


def test_without_labels_there_is_no_correction() -> None:
    """No label, none on one side, or no unit: None, never the grader's own rate."""
    graded, labelled = Unit((Checked(0.5),)), Unit((Checked(0.5, 1.0, drawn=True),))
    assert corrected_rate([graded] * 5, LEVEL) is None
    assert corrected_rate([], LEVEL) is None
    assert corrected_rate([Unit((Checked(0.5, None, drawn=True),))], LEVEL) is None
    assert (
        corrected_rate([Unit((Checked(0.5, 1.0, drawn=False),))], LEVEL) is None
    )  # a label that was not drawn is not used
    assert corrected_difference([(labelled, graded)] * 5, LEVEL) is None
    assert asymptotic_rate([graded], LEVEL) is None


_ANSWERS = st.builds(
    Checked,
    grade=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0, None]),
    label=st.sampled_from([0.0, 0.5, 1.0, None]),
    drawn=st.booleans(),
    lost=st.sampled_from([False, False, False, True]),
)
_UNITS = st.builds(
    lambda answers, probability: Unit(tuple(replace(one, weight=1 / len(answers)) for one in answers), probability),
    st.lists(_ANSWERS, min_size=1, max_size=3),
    st.sampled_from([0.25, 0.5, 1.0]),
)
_LABELLED = Unit((Checked(0.5, 1.0, drawn=True),), 0.5)


@settings(max_examples=80, deadline=None)
@given(st.lists(_UNITS, min_size=1, max_size=8), st.data())
def test_losing_a_grade_or_a_label_never_narrows_it(units: list[Unit], data: st.DataObject) -> None:
    """What is taken away counts both ways: the interval after holds the one before."""
    place = data.draw(st.integers(0, len(units) - 1))
    answers = list(units[place].answers)
    which = data.draw(st.integers(0, len(answers) - 1))
    answers[which] = replace(answers[which], **{data.draw(st.sampled_from(["grade", "label"])): None})
    fewer = [replace(unit, answers=tuple(answers)) if n == place else unit for n, unit in enumerate(units)]
    before, after = corrected_rate([_LABELLED, *units], LEVEL), corrected_rate([_LABELLED, *fewer], LEVEL)
    assert before is not None and after is not None
    assert after.low <= before.low + LOOSE and before.high - LOOSE <= after.high


@settings(max_examples=30, deadline=None)
@given(st.lists(_UNITS, min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_the_value_is_inside(units: list[Unit], numbers) -> None:
    """The same units in any order give the same; the value lies within the interval, in [0, 1]."""
    units = [_LABELLED, *units]
    found = corrected_rate(units, LEVEL)
    numbers.shuffle(units)
    assert found is not None
    assert corrected_rate(units, LEVEL) == pytest.approx(found, abs=1e-7)
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.floats(0.5, 80))
@example([5e-324] * 3, 2.5)
@example([1e-320, 2e-320, 3.0], 2.5)
def test_probabilities_of_drawing(worth: list[float], expected: float) -> None:
    """They add up to what is expected, rise with worth, are at most 1, and none is below the even share."""
    found = labelling_probabilities(worth, expected)
    n = len(worth)
    assert all(0 < p <= 1 for p in found)
    assert fsum(found) == pytest.approx(min(n, expected))
    assert min(found) >= min(1.0, FLOOR * expected / n) - 1e-12
    by_worth = [p for _, p in sorted(zip(worth, found, strict=True), key=lambda pair: pair[0])]
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(by_worth))


@pytest.mark.parametrize(("worth", "expected"), [([1.0], 0), ([1.0, -0.1], 1), ([float("nan")], 1)])
def test_a_draw_that_makes_no_sense_is_refused(worth: list[float], expected: float) -> None:
    """Nothing expected, a negative worth, no number."""
    with pytest.raises(ValueError, match="at least"):
        labelling_probabilities(worth, expected)


def test_a_draw_by_worth_keeps_the_interval_right() -> None:
    """With probabilities that depend on the grades themselves, the interval still covers."""
    rng, runs, missed = np.random.default_rng(20240404), 60, 0
    worth: Callable[[float], float] = lambda grade: grade * (1 - grade)  # noqa: E731
    for _ in range(runs):
        labels = rng.random(120) < 0.3
        grades = np.where(labels, rng.choice([0.3, 0.6, 0.9], 120), rng.choice([0.1, 0.4, 0.7], 120, p=[0.6, 0.3, 0.1]))
        probabilities = labelling_probabilities([worth(grade) for grade in grades], 30)
        units = [
            Unit((Checked(float(g), float(y), bool(rng.random() < p)),), p)
            for g, y, p in zip(grades, labels, probabilities, strict=True)
        ]
        found = corrected_rate(units, LEVEL)
        missed += found is not None and not found.low <= 0.3 <= found.high
    assert missed / runs <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5
