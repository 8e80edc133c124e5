"""Bets against a hypothesis about a mean: the wealth of a bettor is evidence against it (an e-process).

Against the hypothesis "the mean of y in [-1, 1] is at least `null`" a bettor stakes b_t on y_t lying below it: wealth becomes
W + b_t (null - y_t). With b_t chosen before y_t is seen and small enough that wealth cannot become negative, wealth is a nonnegative
supermartingale when the hypothesis holds, whatever the distribution; it ever reaches 1 / alpha with probability at most alpha
(Ville 1939; Waudby-Smith, Ramdas 2024, JRSS B 86:1-27, arXiv 2010.09686). How well the stakes are chosen decides how soon it gets
there when the hypothesis fails, never whether the promise holds.

Three things are special about the stakes here (why, and what they bring: docs/methods/sequential.md):

- they know the design. Unless the data clearly say otherwise they are Kelly's for the case that the design is made for (true difference
  0 against the margin, or twice the margin), with a variance that is learned; its first guess is what the horizon was planned for;
- they know the horizon. When Kelly's stake would come too late they become those of the bettor who most probably reaches
  1 / alpha by the horizon (Browne 1999, Advances in Applied Probability 31:551-577: the replication of a digital option);
- they are monotone. Given `Bets`, wealth after any number of steps falls with every y and rises with `null`: a stake's slope in
  wealth is kept between -1 / (greatest gain) and 1 / (greatest loss). So the least wealth over all values that missing answers could have
  had is that of their highest values, and one bettor serves all nulls at once, which gives a confidence sequence.

Everything is written for one side, "the mean is at least null"; the other is its mirror image (-y against -null).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

# One number, or an array with a row a replicate.
Numbers = TypeVar("Numbers", float, "npt.NDArray[np.float64]")

# Tuning. Validity does not depend on any of these numbers; docs/methods/sequential.md says how they were chosen.
POWER = 0.9  # of the fixed-size design that a horizon is taken to have been planned for
PLANNED = 1.2  # ... and how many times its size the horizon is taken to be
PSEUDO = 2.0  # discordant pairs that the first guess of the variance is worth
LARGER = 1.05  # stakes are so many times Kelly's: a horizon cuts off the long runs that boldness costs
SAFE = 0.98  # the share of wealth that a single outcome may take
LEADS = (1.0, 1.5, 2.25, 3.4, 5.0)  # distances to the margin that stakes are made for, in units of the designed one
CLEAR = 0.85  # a longer distance is believed when its lower bound (one standard error) is at least this share of it
ROOM = 1.1  # the spread is taken to be at least so many times the least that the designed difference allows
GROWTH = 1.4  # stakes are renewed when so many times as many units were asked
MOMENTS = 28  # second moments of the difference that stakes are made for, from the first to 1 in equal ratios
LEAST_MOMENT = 0.004
GOAL_SLACK = 1 + 1e-9  # a last stake aims a little higher, so that rounding cannot make it miss
ROUNDING = 1e-9  # what the sums of a finite suite may be off by
TINY = 1e-300


@dataclass(frozen=True)
class Plan:
    """What a bettor knows before the first outcome, for one side.

    `null`: the margin as this side sees it (margin, or -margin for the mirrored side). `lead`: the distance below it that the
    design is made for. `alpha` in (0, 1/2). `horizon`: the most units that could be asked. `finite`: without replacement from them.
    """

    null: float
    lead: float
    alpha: float
    horizon: int
    finite: bool

    @property
    def goal(self) -> float:
        """The wealth that decides."""
        return 1 / self.alpha

    @cached_property
    def first_moment_guess(self) -> float:
        """The second moment of the difference for which the horizon would be the right size."""
        z = NormalDist().inv_cdf(1 - self.alpha) + NormalDist().inv_cdf(POWER)
        return min(0.6, max(0.01, self.horizon * self.lead**2 / (PLANNED * z * z)))

    @cached_property
    def pseudo_units(self) -> float:
        """How many units the first guess is worth."""
        return PSEUDO / self.first_moment_guess

    @cached_property
    def moments(self) -> Floats:
        """The second moments that stakes are made for, ascending."""
        return _moments()

    @cached_property
    def _moment_edges(self) -> Floats:
        import numpy as np

        return np.asarray(np.sqrt(self.moments[1:] * self.moments[:-1]))

    @property
    def fractions(self) -> Floats:
        """Shares of wealth to stake, by lead and second moment: (len(LEADS), MOMENTS)."""
        return _fractions(self.null, self.lead)

    def moment(self, n: int, squares: Numbers) -> Numbers:
        """Return the guess of the second moment after `n` units whose squares sum to `squares`."""
        return (PSEUDO + squares) / (self.pseudo_units + n)

    def distance(self, n: int, gains: Numbers) -> Numbers:
        """Return the guess of how far the mean lies below the null, drawn towards the designed distance; `gains`: sum of null - y."""
        return (self.pseudo_units * self.lead + gains) / (self.pseudo_units + n)

    def doubt(self, n: int, moment: Numbers) -> Numbers:
        """Return the standard error of `distance`."""
        import numpy as np

        root: Numbers = np.sqrt(moment / (self.pseudo_units + n))
        return root

    def moment_index(self, moment: Floats | float) -> Integers:
        """Return which of `moments` a guess is nearest to: never falls when the guess rises."""
        import numpy as np

        return np.asarray(np.searchsorted(self._moment_edges, moment))

    def lead_index(self, least_distance: Floats | float) -> Integers:
        """Return which of `LEADS` is believed: never falls when the lower bound of the distance rises."""
        import numpy as np

        return np.asarray(np.searchsorted(np.array(LEADS[1:]) * (CLEAR * self.lead), least_distance, side="right"))

    def bets(self, moment: Integers, lead: Integers, control: Floats | float = 0.0) -> Bets:
        """Return the bets made for these indices (arrays of one shape), using the control variate by this coefficient."""
        import numpy as np

        fraction = self.fractions[lead, moment]
        return Bets(fraction, np.sqrt(self.moments[moment]), np.broadcast_to(control, fraction.shape))


@dataclass(frozen=True)
class Bets:
    """How to bet until the next renewal: arrays that broadcast against wealth of shape (rows, alternatives).

    `fraction`: share of wealth to stake. `spread`: standard deviation of one outcome. `control`: coefficient of the control
    variate.
    """

    fraction: Floats
    spread: Floats
    control: Floats

    def kept(self, rows: npt.NDArray[np.bool_]) -> Bets:
        """Return the bets of some rows, for bets with a row each."""
        return Bets(self.fraction[rows], self.spread[rows], self.control[rows])


class Deviation(NamedTuple):
    """How far a unit's control variate lies from the mean of those left, and the lowest and highest that it could have been."""

    value: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0


NO_CONTROL = Deviation()


@dataclass
class Wealth:
    """Wealth against "the mean is at least null", for rows of nulls (or of replicates) and columns of alternative bets.

    With several alternatives (missing answers leave open which bets a complete record would have chosen) `pessimistic` wealth carries on
    with the least of them, otherwise with the greatest.
    """

    plan: Plan
    null: Floats  # (rows, 1)
    pessimistic: bool
    money: Floats  # (rows, alternatives)
    gains: Floats  # (rows, 1): sum of null - y so far
    asked: int = 0

    @classmethod
    def start(cls, plan: Plan, null: Floats, *, pessimistic: bool = True) -> Wealth:
        """Return the wealth of 1 before the first outcome, a row for each of `null`, shape (rows,)."""
        import numpy as np

        column = np.asarray(null, dtype=np.float64).reshape(-1, 1)
        return cls(plan, column, pessimistic, np.ones_like(column), np.zeros_like(column))

    @property
    def worth(self) -> Floats:
        """Wealth of each row, shape (rows,): the least or the greatest of its alternatives."""
        import numpy as np

        return np.asarray(self.money.min(axis=1) if self.pessimistic else self.money.max(axis=1))

    def renew(self, alternatives: int) -> None:
        """Carry on with so many alternatives, all from where the worst (or best) stood."""
        import numpy as np

        self.money = np.repeat(self.worth[:, None], alternatives, axis=1)

    def step(self, y: Floats | float | None, bets: Bets, control: Deviation = NO_CONTROL) -> None:
        """Take one outcome in [-1, 1] (an array has shape (rows, 1)), or None for a unit that counts neither way.

        `control`: of the unit, where controls are known.
        """
        import numpy as np

        left = self.plan.horizon - self.asked
        gain = np.zeros_like(self.null) if y is None else self.null - y
        # Without replacement the mean of what is left is known, under the null, from what was seen.
        expected = self.gains / left if self.plan.finite else 0.0
        null = self.null + expected
        worst = 1 - null + np.maximum(-bets.control * control.lowest, -bets.control * control.highest)
        worst = np.maximum(worst, TINY)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            stake = bets.fraction * self.money
            if self.plan.finite:
                stake = stake * (self.plan.horizon / left)
            else:
                stake = np.maximum(stake, self._last_chance(bets.spread, left))
            stake = np.minimum(stake, SAFE * self.money / worst)
            money = self.money + stake * (gain + expected + bets.control * control.value)
            if self.plan.finite:  # the mean of what is left would have to be above 1
                money = np.where((null > 1 + ROUNDING) | np.isnan(money), np.inf, money)
        self.money = money
        self.gains = self.gains + gain
        self.asked += 1
        if self.plan.finite and left == 1:  # all were asked: what holds is known
            self.money = np.where(self.gains > ROUNDING, np.inf, self.money)

    def best_case(self) -> Wealth:
        """Return the same wealth, carried on with the greatest of its alternatives."""
        return replace(self, pessimistic=False)

    def keep(self, rows: npt.NDArray[np.bool_]) -> None:
        """Drop the other rows."""
        self.money, self.gains, self.null = self.money[rows], self.gains[rows], self.null[rows]

    def _last_chance(self, spread: Floats, left: int) -> Floats:
        """Return the stake that most probably reaches the goal within the units left, and no more than one outcome could use."""
        import numpy as np

        goal = self.plan.goal
        digital = np.interp(self.money * self.plan.alpha, *_digital_option()) * (goal / (spread * math.sqrt(left)))
        enough = np.maximum(goal * GOAL_SLACK - self.money, 0.0) / np.maximum(1 + self.null, TINY)
        return np.asarray(np.minimum(digital, enough))


@lru_cache(maxsize=1)
def _moments() -> Floats:
    import numpy as np

    return np.geomspace(LEAST_MOMENT, 1.0, MOMENTS)


@lru_cache(maxsize=64)
def _fractions(null: float, distance: float) -> Floats:
    import numpy as np

    most = SAFE / (1 - null)
    return np.array(
        [
            [min(LARGER * kelly_fraction(q, max(-1.0, null - lead * distance), null), most) for q in _moments()]
            for lead in LEADS
        ]
    )


def kelly_fraction(moment: float, mean: float, null: float) -> float:
    """Return the share of wealth whose stake makes log wealth grow fastest against "the mean is at least `null`".

    For outcomes -1, 0 and 1 with mean `mean` (below `null`, at least -1) and second moment `moment` in (0, 1]: of all distributions on
    [-1, 1] with these moments the one with the rarest and longest steps. A moment that is too small for the mean, because too little was
    seen yet, counts as a little more (`ROOM`) than the least that the mean allows.

    >>> round(kelly_fraction(0.5, 0.0, 0.05), 4)  # about distance / second moment
    0.1
    """
    moment = max(moment, min(1.0, ROOM * abs(mean)))
    up, down = (moment + mean) / 2, (moment - mean) / 2
    low, high = 0.0, 1 / (1 - null)
    for _ in range(60):
        share = (low + high) / 2
        slope = (
            (1 - moment) * null / (1 + share * null)
            - up * (1 - null) / max(1 - share * (1 - null), TINY)
            + down * (1 + null) / (1 + share * (1 + null))
        )
        low, high = (share, high) if slope > 0 else (low, share)
    return low


@lru_cache(maxsize=1)
def _digital_option() -> tuple[Floats, Floats]:
    """Return shares u of the goal, and the normal density at the quantile of u: a concave curve from (0, 0) to (1, 0)."""
    import numpy as np

    normal = NormalDist()
    shares = np.concatenate([[0.0], np.geomspace(1e-12, 0.05, 200), np.linspace(0.05, 1.0, 400)[1:]])
    return shares, np.array([normal.pdf(normal.inv_cdf(u)) if 0 < u < 1 else 0.0 for u in shares])
