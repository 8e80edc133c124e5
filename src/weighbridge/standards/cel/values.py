"""What an expression can yield besides a plain value: a number known only within bounds, and nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Between:
    """A number that lies from `low` to `high`, both included; either may be infinite. Less evidence only moves them apart.

    >>> Between(0.02, 0.08).below(0.1), Between(0.02, 0.2).below(0.1), Between(0.1, 0.2).below(0.1)
    (True, None, False)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:  # NaN too
            raise ValueError(f"no number lies between {self.low} and {self.high}")

    @classmethod
    def at_least(cls, low: float) -> Between:
        """Return a number of which only a lower bound is known, such as a count when some things were not looked at."""
        return cls(low, math.inf)

    @property
    def point(self) -> bool:
        """Whether it is known exactly."""
        return self.low == self.high

    def below(self, limit: Between | float) -> bool | None:
        """Return whether it is less than `limit`; None: the evidence does not say."""
        other = between(limit)
        if self.high < other.low:
            return True
        return False if self.low >= other.high else None

    def at_most(self, limit: Between | float) -> bool | None:
        """Return whether it is at most `limit`; None: the evidence does not say."""
        other = between(limit)
        if self.high <= other.low:
            return True
        return False if self.low > other.high else None

    def equals(self, value: Between | float) -> bool | None:
        """Return whether the two are the same number; None: the evidence does not say."""
        other = between(value)
        if self.point and other.point:
            return self.low == other.low
        return False if self.high < other.low or other.high < self.low else None


def between(value: Between | float) -> Between:
    """Return a number as bounds."""
    return value if isinstance(value, Between) else Between(value, value)


@dataclass(frozen=True, slots=True)
class Unknown:
    """No value, and why: names that were absent, names whose bounds do not decide, and what cannot be computed at all."""

    absent: frozenset[str] = frozenset()
    undecided: frozenset[str] = frozenset()
    faults: frozenset[str] = field(default=frozenset())

    def __or__(self, other: Unknown) -> Unknown:
        return Unknown(self.absent | other.absent, self.undecided | other.undecided, self.faults | other.faults)
