"""Many comparisons at once: which of them stand, when each may stop when it pleases.

An e-value is a nonnegative number whose mean is at most 1 when its hypothesis holds; the wealth of a bettor (`betting`) is one at any
stopping time. e-BH (Wang, Ramdas 2022, JRSS B 84:822-852, arXiv 2009.02824) rejects the k* largest of K, with k* the largest k such that k
of them are at least K / (alpha k). The expected share of wrong verdicts among those reached (the false discovery rate) is then at most
alpha, whatever the dependence of the cells on one another and whenever each of them stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from weighbridge.errors import UsageError


def combine(e_values: Mapping[str, float], alpha: float) -> frozenset[str]:
    """Return the cells whose verdicts stand: e-BH at `alpha` over all of `e_values`.

    `e_values`: of every cell that was planned, decided or not, by name: the larger of its two e-values (against "at least the margin" and "at
    most the margin"), at least 0, infinity allowed. For each truth only one of the two can be wrongly large, and a cell counts
    as wrong when it stands on that one, so the proof of e-BH holds with K the number of cells (docs/methods/sequential.md).

    Lowering an e-value never adds a cell. Raises `UsageError` for a negative or undefined e-value and for `alpha` outside (0, 1/2).

    >>> sorted(combine({"hate": 70.0, "elections": 41.0, "privacy": 3.0, "self-harm": 0.1}, alpha=0.05))
    ['elections', 'hate']
    """
    if not 0 < alpha < 0.5:
        raise UsageError(f"alpha lies between 0 and 0.5, not {alpha}", do="give a share, such as 0.05")
    for name, value in e_values.items():
        if math.isnan(value) or value < 0:
            raise UsageError(f"an e-value is a number of at least 0, not {value}", where=name)
    cells = len(e_values)
    ranked = sorted(e_values.values(), reverse=True)
    standing = max((k for k, value in enumerate(ranked, start=1) if value >= cells / (alpha * k)), default=0)
    if not standing:
        return frozenset()
    return frozenset(name for name, value in e_values.items() if value >= cells / (alpha * standing))
