"""Sums of what has come by: count, mean, spread, extremes, NaN, Inf and zeros, merged block by block in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


@dataclass
class Moments:
    """What is known of the values so far. `count` is of finite values; extremes, mean and spread are of these alone.

    `mean` and `spread` (the sum of squared distances from the mean) are updated pairwise: Chan, Golub, LeVeque (1983), "Algorithms
    for computing the sample variance", The American Statistician 37:242-247, equation 2.1.
    """

    count: int = 0
    mean: float = 0.0
    spread: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    nan: int = 0
    inf: int = 0
    zeros: int = 0

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the finite values (dividing by their number), None where there are none or it overflows.

        >>> moments = Moments()
        >>> moments.add_values(np.array([1.0, 3.0, np.nan]))
        >>> moments.mean, moments.deviation, moments.nan
        (2.0, 1.0, 1)
        """
        if not self.count:
            return None
        if self.minimum == self.maximum:
            return 0.0  # a constant's spread is rounding error
        deviation = math.sqrt(max(self.spread, 0.0) / self.count)
        return deviation if math.isfinite(deviation) else None

    def add(self, count: int, mean: float, spread: float) -> None:
        """Merge the mean and spread of `count` more finite values."""
        if not count:
            return
        both = self.count + count
        apart = mean - self.mean
        if math.isfinite(apart):
            self.mean += apart * (count / both)
        else:  # two float64 means at the opposite ends of the range
            self.mean = self.mean * (self.count / both) + mean * (count / both)
        self.spread += spread + apart * apart * (self.count * (count / both))
        self.count = both

    def add_extremes(self, minimum: float, maximum: float) -> None:
        """Merge the extremes of more finite values."""
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)

    def add_sums(self, count: int, total: float, squares: float) -> bool:
        """Merge values by their sum and sum of squares; False, and nothing merged, where float32 sums are too coarse for that."""
        if not (math.isfinite(total) and math.isfinite(squares)):
            return False
        mean = total / count
        spread = squares - total * mean
        # Squares that are summed in float32 are good to about 1e-6: enough while the mean does not swamp the spread, or underflow.
        if spread < 0.02 * squares or squares < 1e-30 * count:
            return False
        self.add(count, mean, spread)
        return True

    def add_values(self, values: Floats) -> None:
        """Merge any floats the exact and slow way: NaN and Inf counted and left out, float64 throughout."""
        exact = values.astype(np.float64).ravel()
        finite = np.isfinite(exact)
        if not finite.all():
            nan = int(np.count_nonzero(np.isnan(exact)))
            self.nan += nan
            self.inf += exact.size - int(np.count_nonzero(finite)) - nan
            exact = exact[finite]
        self.zeros += exact.size - int(np.count_nonzero(exact))
        self.add_finite(exact)

    def add_finite(self, exact: npt.NDArray[np.float64]) -> None:
        """Merge the mean, spread and extremes of finite float64 values (zeros are not counted)."""
        if not exact.size:
            return
        self.add_extremes(float(exact.min()), float(exact.max()))
        with np.errstate(all="ignore"):
            mean = float(exact.mean())
            if not math.isfinite(mean):  # the sum overflows: halve first
                mean = float((exact / exact.size).sum())
            apart = exact - mean
            self.add(exact.size, mean, float(apart.dot(apart)))
