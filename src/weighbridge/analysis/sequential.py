"""The sequential comparison: units come one at a time, and the verdict may be taken at any of them.

Two bettors (`betting`) play against "the mean difference is at least the margin" and "at most the margin". The first to multiply its
wealth by 1 / alpha gives the verdict. Only one of the two hypotheses can be wrongly rejected for a given truth, so a verdict is wrong with
probability at most alpha, however often one looks and whenever one stops. The interval beside it has level 1 - 2 alpha, as is usual for two
one-sided tests (Schuirmann 1987).

For an asker that decides what to ask next:

    sequence = Sequence(Design(margin=0.05, alpha=0.05, horizon=400))
    sequence.take(least, most, seen)     # a unit, as `Shown` of `answers.difference` has it: a cluster of prompts
    sequence.skip()                      # an incoherent pair: evidence of nothing
    sequence.verdict                     # stays once it is reached; asking may end then
    sequence.prompts_needed()            # how many more, if what was seen goes on

and for answers that are already there: `sequence(units, design)`. Both give the same verdict.

The second law holds pathwise: replacing a unit by a wider one, or a skipped one by [-1, 1], never makes a verdict out of "undecided"
nor turns one into the other. Mathematics, proofs and measured errors: docs/methods/sequential.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, fsum
from typing import TYPE_CHECKING

from weighbridge.analysis.answers import Shown, seen_and_missing, why_nothing
from weighbridge.analysis.betting import GROWTH, NO_CONTROL, TINY, Bets, Deviation, Plan, Wealth
from weighbridge.errors import UsageError
from weighbridge.evidence.records import NotMeasured, Reason
from weighbridge.protocol.vocabulary import Verdict

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

METHOD = "betting, sequential, paired"
MOST_PROMPTS = 1_000_000  # more than this would never be asked: the difference is at the margin
_LOG_ENDS = 690.0  # of a double: a log e-value is reported between these ends
_GRID = 401  # null means that the interval is read from; the last one is refined between two of them
_FINE = 65
_TRACE = 40  # points of a trace, and those at which bets are renewed
_SHARES = tuple(
    0.05 * 19 ** (k / 7) for k in range(8)
)  # of the most that may be staked: a mixture against nulls far from the margin
_CONTROL_PSEUDO = 10.0  # units that "the control says nothing" is worth
_CONTROL_STEPS = 8  # coefficients of the control are multiples of one in so many
_CONTROL_MOST = 2.0


@dataclass(frozen=True)
class Design:
    """What is promised before looking.

    `margin` in (0, 1). `alpha` in (0, 1/2): the probability that the verdict is wrong is at most this. `horizon`: the most units that
    could be asked (the suite's size, or what the budget allows). `finite`: the estimand is the mean over exactly these `horizon` units, asked
    in random order without replacement; otherwise it is the mean over the prompts that these are a sample of.

    Raises `UsageError` for values out of range.
    """

    margin: float
    alpha: float
    horizon: int
    finite: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1:
            raise UsageError(f"a margin lies between 0 and 1, not {self.margin}", do="give a share, such as 0.05")
        if not 0 < self.alpha < 0.5:
            raise UsageError(f"alpha lies between 0 and 0.5, not {self.alpha}", do="give a share, such as 0.05")
        if self.horizon < 1:
            raise UsageError(
                f"the horizon is the most prompts that could be asked, at least 1, not {self.horizon}",
                do="give a whole number",
            )

    @property
    def level(self) -> float:
        """The level of the interval: each end errs with probability at most alpha."""
        return 1 - 2 * self.alpha

    def plans(self) -> tuple[Plan, Plan]:
        """Return the plans of the two sides: against "at least the margin", and, mirrored, against "at most the margin".

        The designed alternatives are a true difference of 0 and of twice the margin.
        """
        return (
            Plan(self.margin, self.margin, self.alpha, self.horizon, self.finite),
            Plan(-self.margin, min(self.margin, (1 - self.margin) / 2), self.alpha, self.horizon, self.finite),
        )


@dataclass(frozen=True, slots=True)
class Point:
    """The interval after `n` units, and the mean of those measured until then (None: none was)."""

    n: int
    low: float
    high: float
    mean: float | None


@dataclass(frozen=True, slots=True)
class _Unit:
    least: float
    most: float
    seen: float | None
    skipped: bool
    control: Deviation

    def highest(self, side: int) -> float | None:
        """The value that speaks most for the side's hypothesis, as the side sees it; None: it counts neither way."""
        return None if self.skipped else -self.least if side else self.most

    def lowest(self, side: int) -> float | None:
        """The value that speaks most against it."""
        return None if self.skipped else -self.most if side else self.least


class Sequence:
    """A comparison in progress.

    `controls`: what is known beforehand of each of the `horizon` units, in [-1, 1], such as the difference that other models' answers
    lead to expect; only for exactly these prompts (`design.finite`), where their mean is known. Whatever they are, the verdict's
    error stays at most alpha; good ones make it come sooner.

    Raises `UsageError` for a value out of range, more units than the horizon, or controls that do not fit.

    >>> one = Sequence(Design(margin=0.1, alpha=0.05, horizon=200))
    >>> while one.verdict is Verdict.UNDECIDED:
    ...     one.take(0.0, 0.0, 0.0)  # no difference, prompt after prompt
    >>> one.verdict.value, one.n
    ('no material increase', 41)
    """

    def __init__(self, design: Design, controls: Iterable[float] | None = None) -> None:
        import numpy as np

        self.design = design
        self.n = 0  # units that came: measured, missing and skipped
        self.decided_after: int | None = None
        self.verdict = Verdict.UNDECIDED
        self._plans = design.plans()
        # Nulls so near to the margin are tested by the verdict's own bettors; all of them where what is left unasked counts.
        self._reach = 2.0 if design.finite else design.margin + 1e-12
        self._seen = _Bands()
        self._controls = None if controls is None else _Controls.of(controls, design)
        self._units: list[_Unit] = []
        self._renewals = frozenset(renewals(design.horizon))
        self._bets: list[tuple[Bets, Bets]] = []  # at each renewal
        margins = [np.array([plan.null]) for plan in self._plans]
        # By side: the least wealth that complete answers could have given, and the greatest. One and the same until something is missing.
        self._least = [Wealth.start(plan, null) for plan, null in zip(self._plans, margins, strict=True)]
        self._most = self._least
        self._possible = [False, False]  # could complete answers have decided this way by now?

    def take(self, least: float, most: float, seen: float | None, control: float | None = None) -> None:
        """Count one unit: the difference that was `seen` (None: missing), between `least` and `most` whatever the missing answers were."""
        values = (least, most) if seen is None else (least, seen, most)
        if not all(-1 <= value <= 1 for value in values) or list(values) != sorted(values):
            raise UsageError(
                f"a difference lies between -1 and 1, least <= seen <= most, not {least}, {seen}, {most}",
                where=f"unit {self.n + 1}",
            )
        self._count(_Unit(least, most, seen, False, self._deviation(control)), control)

    def skip(self, control: float | None = None) -> None:
        """Count one unit that says nothing: a pair of which one side was incoherent. It costs a prompt, and no evidence."""
        self._count(_Unit(-1.0, 1.0, None, True, self._deviation(control)), control)

    @property
    def log_e_no_increase(self) -> float:
        """The log e-value against "the mean is at least the margin", as if missing answers were the worst."""
        return _log(float(self._least[0].worth[0]))

    @property
    def log_e_increase(self) -> float:
        """The log e-value against "the mean is at most the margin", as if missing answers were harmless."""
        return _log(float(self._least[1].worth[0]))

    @property
    def log_most_no_increase(self) -> float:
        """The log e-value that there could be against "at least the margin" whatever the missing answers were."""
        return _log(float(self._most[0].worth[0]))

    @property
    def log_most_increase(self) -> float:
        """The log e-value that there could be against "at most the margin" whatever the missing answers were."""
        return _log(float(self._most[1].worth[0]))

    @property
    def mean(self) -> float | None:
        """The mean difference of the units that were measured; None when none was."""
        return self._running_means()[-1] if self._units else None

    def interval(self, error: float | None = None) -> tuple[float, float]:
        """Return the anytime-valid interval for the mean difference, at level 1 - 2 alpha, whatever the missing answers were.

        It is the running intersection of all intervals so far. It excludes the margin when there is a verdict, on the verdict's side.

        `error`: of each end, for one of many comparisons, where the error depends on how the others stand (the stakes stay those of
        alpha). The interval is then that of the evidence as it is now: e-values carry over to a level that was not fixed beforehand,
        the greatest of them so far does not (Xu, Wang, Ramdas 2022, arXiv 2203.12572). It excludes the margin exactly when
        an e-value is at least 1 / `error`.
        """
        low, high = self._limits([self.n], error)[-1]
        return low, high

    def trace(self) -> tuple[Point, ...]:
        """Return the interval as it grew, at some tens of points and the last."""
        total = len(self._units)
        at = sorted(
            {n for n in self._renewals if 0 < n <= total}
            | {ceil(total * k / _TRACE) for k in range(1, _TRACE + 1)}
            | ({self.decided_after} if self.decided_after else set())
        )
        if not total:
            return ()
        means = self._running_means()
        return tuple(Point(n, low, high, means[n - 1]) for n, (low, high) in zip(at, self._limits(at), strict=True))

    def prompts_needed(self) -> int | None:
        """Return how many more prompts would be expected to bring a verdict if what was seen went on; 0 when there is one.

        None when it cannot be said: fewer than two units, or a mean at the margin (which the missing answers may put there). It is
        log(what is missing to 1 / alpha) over the mean growth that the present stake would have had on the units so far; about half of
        the time more are needed. A finite suite never needs more than are left.
        """
        if self.verdict is not Verdict.UNDECIDED:
            return 0
        counted = [unit for unit in self._units if not unit.skipped]
        if len(counted) < 2:
            return None
        sides = ([unit.most for unit in counted], [-unit.least for unit in counted])
        for plan, wealth, values, side in zip(self._plans, self._least, sides, (0, 1), strict=True):
            if fsum(values) / len(values) >= plan.null:
                continue
            fraction = float(self._bets[-1][side].fraction.min())
            growth = fsum(math.log1p(fraction * (plan.null - y)) for y in values) / len(self._units)
            if growth <= 0:
                return None
            more = max(1, ceil((math.log(plan.goal) - _log(float(wealth.worth[0]))) / growth))
            if self.design.finite:
                more = min(more, self.design.horizon - self.n)
            return more if 0 < more <= MOST_PROMPTS else None
        return None

    def _deviation(self, control: float | None) -> Deviation:
        if self.n >= self.design.horizon:
            raise UsageError(
                f"there are more than the {self.design.horizon} units that were announced",
                do="give the design the most that could be asked",
            )
        if (control is None) != (self._controls is None):
            raise UsageError("controls are given for every unit or for none", where=f"unit {self.n + 1}")
        return NO_CONTROL if self._controls is None or control is None else self._controls.deviation(control)

    def _count(self, unit: _Unit, control: float | None) -> None:
        if self.n in self._renewals:
            both = [_bets(plan, self._seen, side) for side, plan in enumerate(self._plans)]
            self._bets.append((both[0], both[1]))
            for side, bets in enumerate(both):
                self._least[side].renew(bets.fraction.size)
                if self._most is not self._least:
                    self._most[side].renew(bets.fraction.size)
        if self._most is self._least and unit.least < unit.most and not unit.skipped:
            self._most = [wealth.best_case() for wealth in self._least]
        for side, bets in enumerate(self._bets[-1]):
            self._least[side].step(unit.highest(side), bets, unit.control)
            if self._most is not self._least:
                self._most[side].step(unit.lowest(side), bets, unit.control)
            self._possible[side] |= bool(self._most[side].worth[0] >= self._plans[side].goal)
        if self._controls is not None and control is not None:
            self._seen.relate(unit, self._controls.centred(control), self._controls.ridge)
            self._controls.use(control)
        self._seen.count(unit, self.design.margin)
        self._units.append(unit)
        self.n += 1
        if self.verdict is Verdict.UNDECIDED:
            for side, verdict in enumerate((Verdict.NO_MATERIAL_INCREASE, Verdict.MATERIAL_INCREASE)):
                sure = bool(self._least[side].worth[0] >= self._plans[side].goal)
                if sure and not self._possible[1 - side]:
                    self.verdict, self.decided_after = verdict, self.n

    def _limits(self, at: list[int], error: float | None = None) -> list[tuple[float, float]]:
        """Return the limits after so many units each (ascending): read from all null means at once."""
        import numpy as np

        grid = np.union1d(np.linspace(-1.0, 1.0, _GRID), [self.design.margin])
        uppers = []
        for side in (0, 1):
            nulls = grid if side == 0 else -grid[::-1]
            first = self._first_crossings(side, nulls, error)
            upper = [_upper(nulls, first, n, self._plans[side].null, self._reach) for n in at]
            place = int(np.searchsorted(nulls, upper[-1]))
            if upper[-1] < 1.0 and place > 0:  # where between two null means does it lie?
                fine = np.linspace(nulls[place - 1], nulls[place], _FINE)
                upper[-1] = _upper(
                    fine, self._first_crossings(side, fine, error), at[-1], self._plans[side].null, self._reach
                )
            uppers.append(upper)
        limits: list[tuple[float, float]] = []
        for high, mirrored in zip(*uppers, strict=True):
            low = 0.0 - mirrored
            # Rarely (with probability at most alpha) the two sides come to contradict one another: the first stands.
            limits.append((low, high) if low < high or not limits else limits[-1])
        return limits

    def _first_crossings(self, side: int, nulls: Floats, error: float | None) -> Floats:
        """Return after how many units the hypothesis "the mean is at least null" was rejected, for each null; infinity: never.

        With an `error` of its own: whether it is rejected by the wealth after the last unit, and no other.
        Between 0 and twice the margin by the bettor that the verdict stands on; farther away, where its stakes are far from the
        best, by a mixture. Which of the two is settled beforehand, so each null has one test.
        """
        import numpy as np

        plan = self._plans[side]
        goal = plan.goal if error is None else 1 / error
        near = np.abs(nulls - plan.null) <= self._reach
        first = np.full(len(nulls), math.inf)
        if near.any():
            first[near] = self._designed_crossings(side, nulls[near], goal, ever=error is None)
        if not near.all():
            first[~near] = self._mixed_crossings(side, nulls[~near], goal, ever=error is None)
        return first

    def _designed_crossings(self, side: int, nulls: Floats, goal: float, *, ever: bool) -> Floats:
        import numpy as np

        wealth = Wealth.start(self._plans[side], nulls)
        first = np.full(len(nulls), math.inf)
        renewed = iter(self._bets)
        for n, unit in enumerate(self._units):
            if n in self._renewals:
                bets = next(renewed)[side]
                wealth.renew(bets.fraction.size)
            wealth.step(unit.highest(side), bets, unit.control)
            crossed = wealth.worth >= goal
            first[crossed & np.isinf(first)] = n + 1
        return first if ever else np.where(wealth.worth >= goal, self.n, math.inf)

    def _mixed_crossings(self, side: int, nulls: Floats, goal: float, *, ever: bool) -> Floats:
        """The mean wealth of eight bettors with fixed shares, from 5 to 95 % of the most that may be staked.

        Nothing is learned, so it too falls with every y and rises with the null (a universal portfolio: Cover 1991).
        """
        import numpy as np

        shares = np.array(_SHARES) / np.maximum(1 - nulls, TINY)[:, None]
        log_wealth = np.zeros(shares.shape)
        first = np.full(len(nulls), math.inf)
        needed = math.log(goal) + math.log(len(_SHARES))
        crossed = np.zeros(len(nulls), dtype=bool)
        for n, unit in enumerate(self._units):
            y = unit.highest(side)
            if y is not None:
                log_wealth += np.log1p(shares * (nulls[:, None] - y))
            top = log_wealth.max(axis=1)
            crossed = top + np.log(np.exp(log_wealth - top[:, None]).sum(axis=1)) >= needed
            first[crossed & np.isinf(first)] = n + 1
        return first if ever else np.where(crossed, self.n, math.inf)

    def _running_means(self) -> list[float | None]:
        means: list[float | None] = []
        total, measured = 0.0, 0
        for unit in self._units:
            if unit.seen is not None:
                total, measured = total + unit.seen, measured + 1
            means.append(total / measured if measured else None)
        return means


@dataclass(frozen=True, slots=True)
class SequentialResult:
    """What a sequence of units says.

    `n`: units that came. `decided_after`: how many of them the verdict took; None without one. `estimate`: the mean difference of
    the `n_measured` units that were measured. `low`, `high`: the anytime-valid interval at `level`, whatever the missing answers were;
    None when nothing was measured. `prompts_needed`: more prompts expected to a verdict (0: there is one; None: it cannot be said).
    """

    verdict: Verdict
    n: int
    n_measured: int
    decided_after: int | None
    estimate: float | NotMeasured
    low: float | None
    high: float | None
    level: float
    method: str
    missing: dict[Reason, int]
    log_e_no_increase: float
    log_e_increase: float
    prompts_needed: int | None
    trace: tuple[Point, ...]


def sequence(units: Iterable[Shown], design: Design, controls: Iterable[float] | None = None) -> SequentialResult:
    """Return what recorded differences say, taken in the order given, which must be random (seeded) and not chosen by what they show.

    `units`: one a cluster of prompts (`answers.fold_clusters`), incoherent pairs included. `controls`, of the units in their order: see
    `Sequence`; here they are those of all `design.horizon` units, the units being the first of them.

    All units count, those after the verdict too: they narrow the interval and no longer change the verdict. Raises `UsageError` as
    `Sequence` does.

    >>> nothing = sequence([], Design(margin=0.05, alpha=0.05, horizon=10))
    >>> nothing.verdict.value, str(nothing.estimate)
    ('undecided', 'not measured: not in protocol')
    """
    known = None if controls is None else list(controls)
    running = Sequence(design, known)
    shown = list(units)
    for place, unit in enumerate(shown):
        control = None if known is None or place >= len(known) else known[place]
        if unit.incoherent:
            running.skip(control)
        else:
            seen = None if isinstance(unit.seen, Reason) else unit.seen
            running.take(unit.least, unit.most, seen, control)
    values, missing = seen_and_missing(shown)
    trace = running.trace() if values else ()
    return SequentialResult(
        verdict=running.verdict,
        n=running.n,
        n_measured=len(values),
        decided_after=running.decided_after,
        estimate=fsum(values) / len(values) if values else why_nothing(missing),
        low=trace[-1].low if trace else None,
        high=trace[-1].high if trace else None,
        level=design.level,
        method=METHOD,
        missing=missing,
        log_e_no_increase=running.log_e_no_increase,
        log_e_increase=running.log_e_increase,
        prompts_needed=running.prompts_needed(),
        trace=trace,
    )


@lru_cache(maxsize=64)
def renewals(horizon: int) -> tuple[int, ...]:
    """Return after how many units bets are renewed: after each of the first four, then ever more rarely.

    >>> renewals(20)
    (0, 1, 2, 3, 4, 7, 12, 19)
    """
    found = list(range(min(5, horizon)))
    while found[-1] >= 4 and (following := ceil((found[-1] + 1) * GROWTH)) < horizon:
        found.append(following)
    return tuple(found)


class _Bands:
    """What bets are learned from, as bands that hold whatever the missing answers were: they only widen when a unit does."""

    def __init__(self) -> None:
        self.n = 0  # units that count, missing ones included
        self.sure = 0  # of these, those that count for certain: a missing one may turn out incoherent
        self.squares = (0.0, 0.0)
        self.gains = ((0.0, 0.0), (0.0, 0.0))  # by side: sum of null - y
        self.products = (0.0, 0.0)  # with the centred control
        self.control_squares = 0.0
        self.control_ridge = 0.0

    def count(self, unit: _Unit, margin: float) -> None:
        if unit.skipped:
            return
        self.n += 1
        self.sure += not (unit.least <= -1 and unit.most >= 1)
        smallest = 0.0 if unit.least <= 0 <= unit.most else min(unit.least**2, unit.most**2)
        self.squares = _plus(self.squares, (smallest, max(unit.least**2, unit.most**2)))
        below = (margin - unit.most, margin - unit.least)
        self.gains = (_plus(self.gains[0], below), _plus(self.gains[1], (-below[1], -below[0])))

    def relate(self, unit: _Unit, centred: float, ridge: float) -> None:
        self.control_squares += centred**2
        self.control_ridge = ridge
        if not unit.skipped:
            ends = (unit.least * centred, unit.most * centred)
            self.products = _plus(self.products, (min(ends), max(ends)))

    def coefficient(self) -> tuple[float, float]:
        """The slope of the difference on the control, drawn towards 0."""
        scale = self.control_squares + self.control_ridge
        return (self.products[0] / scale, self.products[1] / scale) if scale > 0 else (0.0, 0.0)

    def explained(self) -> tuple[float, float]:
        """How much of the sum of squares the control explains."""
        low, high = self.products
        smallest = 0.0 if low <= 0 <= high else min(low**2, high**2)
        scale = self.control_squares + self.control_ridge
        return (smallest / scale, max(low**2, high**2) / scale) if scale > 0 else (0.0, 0.0)


def _bets(plan: Plan, seen: _Bands, side: int) -> Bets:
    """Return every bet that a complete record could have led to: one alternative when nothing is missing."""
    import numpy as np

    n, sure = seen.n, seen.sure
    explained = seen.explained()
    lowest = plan.moment(n, seen.squares[0]) - explained[1] / (plan.pseudo_units + sure)
    highest = plan.moment(n, seen.squares[1]) - explained[0] / (plan.pseudo_units + n)
    moments = np.arange(int(plan.moment_index(lowest)), int(plan.moment_index(highest)) + 1)
    gains = seen.gains[side]
    nearest = plan.distance(n, gains[0]) - plan.doubt(sure, max(highest, 0.0))
    farthest = plan.distance(n, gains[1]) - plan.doubt(n, max(lowest, 0.0))
    leads = np.arange(int(plan.lead_index(nearest)), int(plan.lead_index(farthest)) + 1)
    slope = seen.coefficient()
    steps = [
        round(_CONTROL_STEPS * min(_CONTROL_MOST, max(-_CONTROL_MOST, end)))
        for end in (slope if side == 0 else (-slope[1], -slope[0]))
    ]
    controls = np.arange(steps[0], steps[1] + 1) / _CONTROL_STEPS
    # Every combination of the three.
    moment = np.repeat(moments, len(leads) * len(controls))
    lead = np.tile(np.repeat(leads, len(controls)), len(moments))
    control = np.tile(controls, len(moments) * len(leads))
    return plan.bets(moment, lead, control)


class _Controls:
    """What is known beforehand of every unit of a finite suite, and how much of it is left."""

    def __init__(self, values: list[float]) -> None:
        self._left = Counter(values)
        self._n = len(values)
        self._sum = fsum(values)
        self._mean = self._sum / len(values)
        self._ends = min(values), max(values)
        self.ridge = _CONTROL_PSEUDO * fsum((value - self._mean) ** 2 for value in values) / len(values)

    @classmethod
    def of(cls, controls: Iterable[float], design: Design) -> _Controls:
        values = list(controls)
        if not design.finite:
            raise UsageError(
                "controls need a known mean: they serve only for exactly these prompts", do="choose the finite estimand"
            )
        if len(values) != design.horizon:
            raise UsageError(f"there are {len(values)} controls for {design.horizon} units", do="give one a unit")
        if not all(-1 <= value <= 1 for value in values):
            raise UsageError("a control lies between -1 and 1", do="scale the controls")
        return cls(values)

    def deviation(self, value: float) -> Deviation:
        """Return how far a unit's control lies above the mean of all that are left, this one included; and the ends of the suite."""
        if not self._left[value]:
            raise UsageError(f"no unit with a control of {value} is left", do="give every unit its own control")
        expected = self._sum / self._n
        return Deviation(value - expected, self._ends[0] - expected, self._ends[1] - expected)

    def centred(self, value: float) -> float:
        """Return how far it lies above the mean of the suite."""
        return value - self._mean

    def use(self, value: float) -> None:
        """Take one unit with this control out of those left."""
        self._left[value] -= 1
        self._n -= 1
        self._sum -= value


def _upper(nulls: Floats, first: Floats, n: int, margin: float, reach: float) -> float:
    """Return the upper limit after `n` units: the smallest null above all that were not rejected.

    When the `margin` was rejected, at most the smallest null that the verdict's own bettor rejected (those within `reach` of the margin).
    """
    import numpy as np

    rejected = first <= n
    kept = np.flatnonzero(~rejected)
    limit = float(nulls[0])
    if len(kept):
        limit = float(nulls[kept[-1] + 1]) if kept[-1] + 1 < len(nulls) else 1.0
    at_margin = np.flatnonzero(nulls == margin)
    if len(at_margin) and rejected[at_margin[0]]:
        limit = min(limit, float(nulls[rejected & (np.abs(nulls - margin) <= reach)].min()))
    return limit


def _log(wealth: float) -> float:
    return (
        max(-_LOG_ENDS, min(_LOG_ENDS, math.log(wealth)))
        if 0 < wealth < math.inf
        else math.copysign(_LOG_ENDS, wealth - 1)
    )


def _plus(band: tuple[float, float], more: tuple[float, float]) -> tuple[float, float]:
    return band[0] + more[0], band[1] + more[1]
