"""The best of k tries, estimated from n."""

from __future__ import annotations

from itertools import combinations, pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.analysis.success_at_k import success_at_k
from weighbridge.errors import UsageError

GRADES = st.lists(st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1)), min_size=1, max_size=8)


@given(GRADES, st.data())
def test_it_is_the_mean_over_all_subsets(values: list[float], data: st.DataObject) -> None:
    """The expected highest of k of n, against brute force."""
    k = data.draw(st.integers(1, len(values)))
    every = [max(chosen) for chosen in combinations(values, k)]
    assert success_at_k(values, k) == pytest.approx(sum(every) / len(every))


@pytest.mark.parametrize(("n", "c", "k"), [(10, 3, 1), (10, 3, 4), (200, 7, 100), (5, 0, 2), (5, 5, 3)])
def test_for_yes_and_no_it_is_the_published_formula(n: int, c: int, k: int) -> None:
    """1 - C(n - c, k) / C(n, k): Chen et al. (2021), equation 1."""
    assert success_at_k([1.0] * c + [0.0] * (n - c), k) == pytest.approx(1 - comb(n - c, k) / comb(n, k))


def test_it_is_unbiased_where_plugging_in_is_not() -> None:
    """Over many samples its mean is 1 - (1 - p)^k; that of the plug-in is below."""
    numbers = np.random.default_rng(8)
    samples = (numbers.random((20_000, 6)) < 0.2).astype(float)
    truth = 1 - 0.8**4
    found = [success_at_k(sample.tolist(), 4) for sample in samples[:6000]]
    error = float(np.std(found)) / 6000**0.5
    assert abs(np.mean(found) - truth) < 4 * error
    assert np.mean(1 - (1 - samples.mean(axis=1)) ** 4) < truth - 0.03


@given(GRADES)
def test_more_tries_never_lower_it(values: list[float]) -> None:
    """From the mean of one try to the highest of all."""
    found = [success_at_k(values, k) for k in range(1, len(values) + 1)]
    assert found[0] == pytest.approx(sum(values) / len(values))
    assert found[-1] == pytest.approx(max(values))
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(found))


@pytest.mark.parametrize(("values", "k"), [([0.5], 0), ([0.5], 2), ([], 1), ([0.5, 1.5], 1), ([0.5, float("nan")], 1)])
def test_bad_input_is_refused(values: list[float], k: int) -> None:
    """Too few answers, or grades out of range."""
    with pytest.raises(UsageError):
        success_at_k(values, k)
