"""What a person who tries k times gets: the best of k answers, estimated without bias from n >= k answers of one prompt."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, fsum

from weighbridge.errors import UsageError


def success_at_k(values: Sequence[float], k: int) -> float:
    """Return the expected highest of `k` answers drawn without replacement from `values`, in [0, 1].

    `values`: grades of n independent answers to one prompt, each in [0, 1]. The mean of the highest over all subsets of k, which is an unbiased
    estimate of the expected highest of k new answers. For grades of 0 and 1 with c ones it is 1 - C(n - c, k) / C(n, k): Chen et
    al. (2021), arXiv 2107.03374, equation 1. Plugging the share c / n into 1 - (1 - c / n)^k instead is biased downwards.

    Raises `UsageError` when k < 1, when there are fewer than k values, or for a value outside [0, 1].

    >>> success_at_k([0.0, 0.0, 1.0], 2)  # two of the three pairs hold the one
    0.6666666666666666
    >>> success_at_k([0.0, 0.5, 1.0], 1)
    0.5
    """
    n = len(values)
    if k < 1:
        raise UsageError(f"k counts tries and is at least 1, not {k}")
    if n < k:
        raise UsageError(
            f"the best of {k} cannot be told from {n} answers", do=f"measure at least {k} answers a prompt"
        )
    if not all(0 <= value <= 1 for value in values):
        raise UsageError("a grade lies between 0 and 1", do="check the values")
    # The i-th smallest is the highest of C(i - 1, k - 1) subsets.
    ranked = sorted(values)
    subsets = comb(n, k)
    return fsum(value * (comb(rank, k - 1) / subsets) for rank, value in enumerate(ranked))
