"""Krippendorff's alpha: against his published examples, a slow definition, and the laws."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.analysis.krippendorff import Metric, Rating, alpha
from weighbridge.evidence.records import Estimate, NotMeasured, Reason

# Krippendorff (2011), section C: four observers, twelve units, a dot where nobody rated.
FOUR_OBSERVERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
# Section A: two observers, ten units, yes or no.
TWO_OBSERVERS = """
0 1 0 0 0 0 0 0 1 0
1 1 1 0 0 1 0 0 0 0
"""
# The computational example that Wikipedia's article has worked through: three coders, fifteen units.
THREE_CODERS = """
. . . . . 3 4 1 2 1 1 3 3 . 3
1 . 2 1 3 3 4 3 . . . . . . .
. . 2 1 3 4 4 . 2 1 1 3 3 . 4
"""


def read(table: str) -> list[Rating]:
    rows = [line.split() for line in table.strip().splitlines()]
    return [
        Rating(f"unit {unit}", f"rater {rater}", float(value))
        for rater, row in enumerate(rows)
        for unit, value in enumerate(row)
        if value != "."
    ]


@pytest.mark.parametrize(
    ("table", "metric", "published"),
    [
        (FOUR_OBSERVERS, Metric.NOMINAL, 0.743),
        (FOUR_OBSERVERS, Metric.ORDINAL, 0.815),
        (FOUR_OBSERVERS, Metric.INTERVAL, 0.849),
        (TWO_OBSERVERS, Metric.NOMINAL, 0.095),
        (THREE_CODERS, Metric.NOMINAL, 0.691),
        (THREE_CODERS, Metric.INTERVAL, 0.811),
    ],
)
def test_the_published_examples(table: str, metric: Metric, published: float) -> None:
    """The value is the published one, to its three digits."""
    found = alpha(read(table), metric)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(published, abs=6e-4)
    assert -1 <= found.low < found.value < found.high <= 1


def slow(ratings: list[Rating], metric: Metric) -> float | None:
    """Alpha as it is defined: the coincidence matrix cell by cell. None where it is undefined."""
    units: dict[str, list[float]] = {}
    for one in ratings:
        units.setdefault(one.unit, []).append(float(one.value))
    matrix: Counter[tuple[float, float]] = Counter()
    for values in units.values():
        for pair in permutations(values, 2):
            matrix[pair] += 1 / (len(values) - 1)  # type: ignore[assignment]
    margin: Counter[float] = Counter()
    for (value, _), often in matrix.items():
        margin[value] += often
    n = sum(margin.values())

    def squared(first: float, second: float) -> float:
        if metric is Metric.NOMINAL:
            return float(first != second)
        if metric is Metric.INTERVAL:
            return (first - second) ** 2
        low, high = min(first, second), max(first, second)
        return (
            sum(often for value, often in margin.items() if low <= value <= high) - (margin[low] + margin[high]) / 2
        ) ** 2

    chance = sum(margin[a] * margin[b] * squared(a, b) for a in margin for b in margin)
    seen = sum(often * squared(*pair) for pair, often in matrix.items())
    return None if chance == 0 else 1 - (n - 1) * seen / chance


tables = st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=8).map(
    lambda units: [Rating(f"{u}", f"{r}", value) for u, values in enumerate(units) for r, value in enumerate(values)]
)


@given(ratings=tables, metric=st.sampled_from(Metric))
def test_the_value_is_the_slow_definitions(ratings: list[Rating], metric: Metric) -> None:
    """Whatever the ratings and whoever is missing: the definition's value, or not measured exactly where it has none (or one unit alone)."""
    found, expected = alpha(ratings, metric), slow(ratings, metric)
    twice = sum(often > 1 for often in Counter(one.unit for one in ratings).values())
    if twice < 2 or expected is None:
        assert isinstance(found, NotMeasured)
        return
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.low <= found.value <= found.high <= 1
    assert found.n_measured == twice


@given(ratings=tables, metric=st.sampled_from(Metric))
def test_the_order_of_ratings_does_not_matter(ratings: list[Rating], metric: Metric) -> None:
    """To the last digit, interval and all: so two servers show the same."""
    assert alpha(ratings, metric) == alpha(ratings[::-1], metric)


def test_where_nothing_varies_it_is_not_measured() -> None:
    """Two people who always say the same one thing have shown no agreement: neither 1 nor 0."""
    same = [Rating(f"{unit}", rater, True) for unit in range(20) for rater in "ab"]
    found = alpha(same, Metric.NOMINAL)
    assert isinstance(found, NotMeasured)
    assert "the same" in found.detail
    assert isinstance(
        alpha([*same, Rating("other", "a", False)], Metric.NOMINAL), NotMeasured
    )  # seen by one person alone


@pytest.mark.parametrize("ratings", [[], [Rating("1", "a", 0)], [Rating("1", "a", 0), Rating("1", "b", 1)]])
def test_fewer_than_two_units_rated_twice_are_not_measured(ratings: list[Rating]) -> None:
    """It says how many there are."""
    found = alpha(ratings, Metric.NOMINAL)
    assert isinstance(found, NotMeasured)
    assert "2 are needed" in found.detail


def test_perfect_agreement_of_few_is_not_certainty() -> None:
    """The low end says how few: five units that agree could come from raters that often differ."""

    def agreeing(units: int) -> Estimate:
        found = alpha([Rating(f"{unit}", rater, unit % 2) for unit in range(units) for rater in "ab"], Metric.NOMINAL)
        assert isinstance(found, Estimate)
        return found

    few, more, many = agreeing(5), agreeing(20), agreeing(200)
    assert {one.value for one in (few, more, many)} == {1.0}
    assert few.low < 0.3 < more.low < 0.8 < 0.95 < many.low


def test_what_one_person_rated_is_counted_as_missing() -> None:
    """It is planned and not measured, and moves nothing."""
    ratings = read(FOUR_OBSERVERS)
    found = alpha(ratings, Metric.ORDINAL)
    assert isinstance(found, Estimate)
    assert (found.n_planned, found.n_measured, found.missing) == (12, 11, {Reason.NOTHING_MEASURED: 1})
    more = alpha([*ratings, Rating("unit 12", "rater 0", 1.0)], Metric.ORDINAL)
    assert isinstance(more, Estimate)
    assert (more.value, more.low, more.high, more.n_planned) == (found.value, found.low, found.high, 13)


def test_what_belongs_together_is_drawn_together() -> None:
    """Twenty sides of two talks tell less than twenty talks."""

    def table(talks: int) -> list[Rating]:
        return [
            Rating(f"{unit}", rater, (unit + (rater == "b" and unit % 5 == 0)) % 2, f"talk {unit % talks}")
            for unit in range(20)
            for rater in "ab"
        ]  # fmt: skip

    together, apart = alpha(table(2), Metric.NOMINAL), alpha(table(20), Metric.NOMINAL)
    assert isinstance(together, Estimate) and isinstance(apart, Estimate)
    assert together.value == apart.value
    assert together.high - together.low > apart.high - apart.low


def test_a_second_rating_of_the_same_person_and_words_on_a_scale_are_refused() -> None:
    """They are slips of the caller."""
    with pytest.raises(ValueError, match="once"):
        alpha([Rating("1", "a", 0), Rating("1", "a", 1)], Metric.NOMINAL)
    with pytest.raises(ValueError, match="numbers"):
        alpha([Rating(unit, rater, "high") for unit in "12" for rater in "ab"], Metric.ORDINAL)


def test_the_interval_covers() -> None:
    """In at least 93 of 100 seeded samples the true alpha lies inside: 20 answers, two raters who err in one of ten (alpha 0.64)."""
    random, found = np.random.default_rng(20240404), []
    for _ in range(150):
        truths = random.random((20, 1)) < 0.5
        said = truths ^ (random.random((20, 2)) < 0.1)
        ratings = [Rating(str(unit), str(rater), bool(said[unit, rater])) for unit in range(20) for rater in range(2)]
        found.append(alpha(ratings, Metric.NOMINAL))
    measured = [one for one in found if isinstance(one, Estimate)]
    assert len(measured) > 145
    assert sum(one.low <= 0.64 <= one.high for one in measured) / len(measured) >= 0.93
