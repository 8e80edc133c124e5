"""e-BH: which of many sequential verdicts stand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.analysis.evalues import combine
from weighbridge.errors import UsageError

E_VALUES = st.lists(st.one_of(st.floats(0, 500), st.just(math.inf)), max_size=9)


def brute_force(values: list[float], alpha: float) -> int:
    """The size of the largest set whose members all reach K / (alpha times its size)."""
    cells = len(values)
    return max((k for k in range(cells + 1) if sum(v >= cells / (alpha * max(k, 1)) for v in values) >= k), default=0)


@given(E_VALUES, st.sampled_from([0.05, 0.2]))
def test_the_largest_self_consistent_set_stands(values: list[float], alpha: float) -> None:
    """e-BH by its definition: Wang and Ramdas (2022), definition 4."""
    standing = combine({str(i): value for i, value in enumerate(values)}, alpha)
    assert len(standing) == brute_force(values, alpha)


@given(E_VALUES, st.data())
def test_losing_evidence_never_adds_a_cell(values: list[float], data: st.DataObject) -> None:
    """Lowering any e-values leaves a subset standing."""
    lower = [data.draw(st.floats(0, 1)) * value if value < math.inf else value for value in values]
    before = combine({str(i): value for i, value in enumerate(values)}, 0.05)
    assert combine({str(i): value for i, value in enumerate(lower)}, 0.05) <= before


def test_one_cell_is_tested_at_alpha() -> None:
    """A single cell stands exactly when its e-value reaches 1 / alpha; when all reach it, all stand."""
    assert combine({"all": 20.0}, 0.05) == {"all"}
    assert combine({"all": 19.99}, 0.05) == frozenset()
    assert combine({}, 0.05) == frozenset()
    assert len(combine({str(i): 20.0 for i in range(13)}, 0.05)) == 13
    assert combine({"a": 20.0, "b": 1.0}, 0.05) == frozenset()


def test_false_discoveries_stay_below_alpha_under_dependence() -> None:
    """The worst dependence known for e-values: all nulls share one two-point e-value. The share of wrong verdicts stays at alpha."""
    numbers = np.random.default_rng(3)
    wrong = 0.0
    for _ in range(4000):
        jackpot = 20.0 * (numbers.random() < 1 / 20)
        standing = combine({**{f"null {i}": jackpot for i in range(8)}, "real 1": 25.0, "real 2": 1000.0}, 0.05)
        wrong += sum(name.startswith("null") for name in standing) / max(1, len(standing))
    assert wrong / 4000 <= 0.05 * 0.8 + 3 * math.sqrt(0.05 / 4000)


@pytest.mark.parametrize("value", [-0.1, math.nan])
def test_bad_e_values_are_refused(value: float) -> None:
    """A negative or undefined e-value names its cell."""
    with pytest.raises(UsageError, match="hate"):
        combine({"hate": value}, 0.05)


def test_bad_alpha_is_refused() -> None:
    """Alpha lies between 0 and 1/2."""
    with pytest.raises(UsageError, match="alpha"):
        combine({"hate": 1.0}, 0.7)
