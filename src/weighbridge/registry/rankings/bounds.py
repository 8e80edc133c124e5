"""Intervals that hold all at once, and the ranks that they leave possible. Pure, on arrays. Method: docs/methods/rankings.md."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

ALPHA = 0.05
"""The chance, at most, that anything that one table says of who is better is wrong."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_STEPS = 40  # halvings: ends lie on a grid of 2**-40, the same for all, so that they compare alike


def family(results: int) -> int:
    """Return for how many results a table's intervals are made: the next power of two, so that ranks do not move with every publication.

    >>> [family(n) for n in (1, 2, 3, 100)]
    [1, 2, 4, 128]
    """
    return 1 << max(0, results - 1).bit_length()


def mean_bounds(
    total: Floats, measured: Floats, lost: Floats, *, among: int, alpha: float = ALPHA
) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of means of values in [0, 1]; with chance at least 1 - alpha all of `among` such intervals hold.

    Arrays of one shape: `total` is the sum of `measured` values, at least one each; the values of `lost` more are not known, and count as 0 for the low
    end and as 1 for the high end. So one value lost only moves the ends apart. `among` of 1: a single interval at level 1 - alpha.

    The interval of a mean x of n is every p with n KL(x, p) <= ln(among / alpha) + ln(n) / 2 + ln 2: it holds for graded values as for counts, and
    whenever asking stopped. For values with a common conditional mean p, the product of 1 + (exp(s) - 1) values against its expectation is a
    supermartingale for every s (the exponential is convex); mixed over s as in the estimator of Krichevsky and Trofimov (1981, IEEE Transactions on
    Information Theory 27:199-207) it is at least exp(n KL(x, p)) / (2 sqrt n), and by Ville's inequality it ever reaches among / alpha with
    chance at most alpha / among. Bonferroni's inequality does the rest, however the results depend on one another.

    >>> low, high = mean_bounds(np.array([10.0]), np.array([100.0]), np.array([0.0]), among=1)
    >>> round(float(low[0]), 3), round(float(high[0]), 3)
    (0.027, 0.234)
    """
    n = measured + lost
    reach = (math.log(among / alpha) + np.log(n) / 2 + math.log(2)) / n
    return _low_end(total / n, reach), 1 - _low_end(1 - (total + lost) / n, reach)


def possible_ranks(low: Floats, high: Floats) -> tuple[Ints, Ints]:
    """Return of each the best and the worst rank, from 1, that the intervals leave possible. Lower values are better.

    Best: 1 and how many are surely better, whose interval lies wholly below. Worst: how many are not surely worse, itself included. While all
    intervals hold, so does every range. Two that cannot be told apart have a rank in common; losing evidence of one widens its own range at both ends.

    >>> best, worst = possible_ranks(np.array([0.0, 0.1, 0.3]), np.array([0.2, 0.4, 0.5]))
    >>> best.tolist(), worst.tolist()
    ([1, 1, 2], [2, 3, 3])
    """
    best = 1 + np.searchsorted(np.sort(high), low, side="left")
    worst = np.searchsorted(np.sort(low), high, side="right")
    return best.astype(np.int64), worst.astype(np.int64)


def _low_end(x: Floats, reach: Floats) -> Floats:
    """Return the greatest p of the grid below x with KL(x, p) >= reach, 0 where there is none."""
    x = np.clip(x, 0.0, 1.0)
    # KL(x, p) = constant - x ln p - (1 - x) ln(1 - p), with 0 ln 0 = 0
    constant = np.where(x > 0, x * np.log(np.where(x > 0, x, 1)), 0) + np.where(
        x < 1, (1 - x) * np.log(np.where(x < 1, 1 - x, 1)), 0
    )
    low = np.zeros_like(x)
    for step in range(1, _STEPS + 1):
        p = low + 2.0**-step
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = constant - x * np.log(p) - np.where(x < 1, (1 - x) * np.log1p(-p), 0)
        low = np.where((p < x) & (distance >= reach), p, low)
    return low
