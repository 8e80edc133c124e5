from __future__ import annotations

import math
import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from weighbridge.analysis.bounded_mean import lower_limit, p_value, upper_limit

VALUES = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.1, 0.5, 1.0]) | st.floats(-1, 1), min_size=1, max_size=12)


@pytest.mark.parametrize("n", (1, 2, 8, 104, 312, 2000))
@pytest.mark.parametrize("alpha", (0.2, 0.025, 0.05 / 78, 1e-6))
def test_two_kinds_of_values_give_the_exact_binomial_limit(n: int, alpha: float) -> None:
    """For zeros and ones the limits are those of Clopper and Pearson."""
    for k in sorted({0, 1, 2, n // 3, n // 2, n - 1}):
        if 0 <= k < n:
            values = [1.0] * k + [0.0] * (n - k)
            assert upper_limit(values, alpha, highest=1.0) == pytest.approx(beta.ppf(1 - alpha, k + 1, n - k), abs=2e-8)
            low = beta.ppf(alpha, k, n - k + 1) if k else 0.0
            assert lower_limit(values, alpha, lowest=0.0) == pytest.approx(low, abs=2e-8)


@pytest.mark.parametrize("n", (1, 3, 24, 312))
@pytest.mark.parametrize("kind", ("graded", "spread", "ties"))
def test_the_tail_agrees_with_drawing_the_weights(n: int, kind: str) -> None:
    """The computed tail equals the share of random weightings above the limit, within the error of drawing."""
    numbers = np.random.default_rng(5)
    values = {
        "graded": numbers.choice(np.linspace(-1, 1, 17), n),
        "spread": numbers.uniform(-1, 1, n),
        "ties": np.where(np.arange(n) < n // 4, 0.25, 0.0),
    }[kind]
    draws = 20_000
    weights = numbers.dirichlet(np.ones(n + 1), draws)
    means = weights @ np.append(values, 1.0)
    for alpha in (0.2, 0.025):
        limit = upper_limit(values.tolist(), alpha, highest=1.0)
        assert np.mean(means > limit) == pytest.approx(alpha, abs=5 * math.sqrt(alpha / draws))
        assert p_value(values.tolist(), limit, highest=1.0) == pytest.approx(alpha, rel=1e-4)


@given(values=VALUES, position=st.integers(0, 11), higher=st.floats(0, 2), alpha=st.sampled_from([0.025, 0.05 / 78]))
@settings(max_examples=60, deadline=None)
def test_raising_a_value_or_adding_the_highest_never_lowers_the_limit(
    values: list[float], position: int, higher: float, alpha: float
) -> None:
    """The upper limit rises with each value, and with one more value at the top: what the second law stands on."""
    before = upper_limit(values, alpha, highest=1.0)
    raised = list(values)
    raised[position % len(values)] = min(1.0, raised[position % len(values)] + higher)
    assert upper_limit(raised, alpha, highest=1.0) >= before - 1e-8
    assert upper_limit([*values, 1.0], alpha, highest=1.0) >= before - 1e-8


@given(values=VALUES, seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_order_does_not_matter_and_the_limits_mirror_each_other(values: list[float], seed: int) -> None:
    """Shuffled values give the same limit to the last bit; the lower limit is the upper one of the negatives."""
    shuffled = list(values)
    random.Random(seed).shuffle(shuffled)
    assert upper_limit(shuffled, 0.025, highest=1.0) == upper_limit(values, 0.025, highest=1.0)
    assert lower_limit(values, 0.025, lowest=-1.0) == -upper_limit([-v for v in values], 0.025, highest=1.0)


def test_the_ends() -> None:
    """No values: anything is possible. All at the highest: no lower limit above it. Above the highest: refused."""
    assert upper_limit([], 0.025, highest=1.0) == 1.0
    assert upper_limit([1.0, 1.0], 0.025, highest=1.0) == 1.0
    with pytest.raises(ValueError, match="above the highest"):
        upper_limit([1.5], 0.025, highest=1.0)
    with pytest.raises(ValueError, match="alpha"):
        upper_limit([0.5], 0.5, highest=1.0)


def test_it_is_about_as_wide_as_the_normal_interval_for_many_prompts() -> None:
    """On 312 prompts of middling rates it is at most 5 % wider than the normal approximation."""
    differences = np.random.default_rng(3).choice([-1.0, 0.0, 1.0], 312, p=[0.2, 0.5, 0.3])
    values = differences.tolist()
    normal = 2 * 1.96 * differences.std(ddof=1) / math.sqrt(312)
    assert normal < upper_limit(values, 0.025, highest=1.0) - lower_limit(values, 0.025, lowest=-1.0) < 1.05 * normal


@pytest.mark.parametrize("n", (8, 24, 104))
@pytest.mark.parametrize("rates", ((0.01, 0.01), (0.02, 0.3), (0.5, 0.5), (0.99, 0.97)))
def test_it_misses_no_more_often_than_promised(n: int, rates: tuple[float, float]) -> None:
    """Seeded simulation, counts and graded values: each end misses the truth in at most 2.5 % of samples, within its error."""
    numbers = np.random.default_rng(20240404)
    truth = rates[0] - rates[1]

    @cache
    def misses(differences: bytes) -> tuple[bool, bool]:
        d = np.frombuffer(differences)
        return (
            p_value(d.tolist(), truth, highest=1.0) < 0.025,
            p_value((-d).tolist(), -truth, highest=1.0) < 0.025,
        )

    for graded, samples in ((False, 1000), (True, 100)):
        found = np.zeros(2)
        for _ in range(samples):
            if graded:
                sides = [numbers.beta(0.5 * rate, 0.5 * (1 - rate), n) for rate in rates]
            else:
                sides = [(numbers.random(n) < rate).astype(float) for rate in rates]
            found += misses(np.sort(sides[0] - sides[1]).tobytes())
        assert found.max() / samples <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / samples)
