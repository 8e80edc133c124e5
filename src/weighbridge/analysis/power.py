"""How many prompts will a protocol need? For a fixed number of prompts, and for a sequence that stops when it is decided.

Pure: the simulation's seed is passed in, and the same seed gives the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from weighbridge.analysis.betting import Bets, Wealth
from weighbridge.analysis.bounded_mean import p_value
from weighbridge.analysis.sequential import Design, renewals
from weighbridge.errors import UsageError
from weighbridge.protocol.vocabulary import Verdict

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

POWER = 0.9
LIMIT = 100_000  # prompts: larger designs are not simulated
_LARGEST_EXACT = 20_000
_LIKELY = 1e-9  # outcomes rarer than this are left out of a power
NO_INCREASE, INCREASE, NONE = 1, -1, 0


@dataclass(frozen=True)
class Pairs:
    """Paired yes/no answers: how often only the candidate does (`up`), and only the baseline (`down`)."""

    up: float
    down: float

    @property
    def difference(self) -> float:
        """The mean difference."""
        return self.up - self.down

    @property
    def variance(self) -> float:
        """The variance of one prompt's difference."""
        return self.up + self.down - self.difference**2

    def draw(self, numbers: np.random.Generator, shape: tuple[int, int]) -> Floats:
        """Return independent differences of -1, 0 and 1."""
        import numpy as np

        uniform = numbers.random(shape)
        return (uniform < self.up).astype(np.float64) - (uniform > 1 - self.down)


def pairs(base_rate: float, difference: float = 0.0, correlation: float = 0.0) -> Pairs:
    """Return the pairs with these rates: `base_rate` on the baseline, `difference` more on the candidate.

    `correlation`: of the two answers to one prompt (Pearson's, of the 0/1 answers). One that the two rates do not allow is taken as the nearest that
    they do: rates of 0.02 and 0.22 cannot correlate by more than 0.27. Raises `UsageError` for a rate outside [0, 1].

    >>> both = pairs(0.1, 0.0, 0.5)
    >>> round(both.up, 3), round(both.down, 3)
    (0.045, 0.045)
    """
    rate = base_rate + difference
    for share in (base_rate, rate):
        if not 0 <= share <= 1:
            raise UsageError(f"a rate lies between 0 and 1, not {share:g}", do="give another base rate or difference")
    if not -1 <= correlation <= 1:
        raise UsageError(f"a correlation lies between -1 and 1, not {correlation:g}")
    both = base_rate * rate + correlation * math.sqrt(base_rate * (1 - base_rate) * rate * (1 - rate))
    both = min(base_rate, rate, max(both, 0.0, base_rate + rate - 1))
    return Pairs(rate - both, base_rate - both)


def textbook_size(variance: float, distance: float, alpha: float, power: float = POWER) -> int:
    """Return the fixed number of prompts by the normal formula: (z_alpha + z_power)^2 variance / distance^2, one-sided `alpha`.

    What planners use. For rare events it promises too much: see `exact_size`.

    >>> textbook_size(2 * 0.1 * 0.9, 0.05, 0.05)  # independent answers, a tenth of them harmful on both sides
    617
    """
    if distance == 0:
        raise UsageError("a true difference at the margin is never decided", do="give another difference or margin")
    normal = NormalDist()
    return max(1, math.ceil((normal.inv_cdf(1 - alpha) + normal.inv_cdf(power)) ** 2 * variance / distance**2))


def exact_power(n: int, pairs: Pairs, margin: float, alpha: float) -> float:
    """Return how often `n` prompts, a number fixed beforehand, give the right verdict: Gaffke's test with one-sided `alpha`.

    Exact, as a sum over the outcomes of -1, 0 and 1 (those rarer than 1e-9 in all are left out).
    """
    below = pairs.difference < margin
    toward, against = (pairs.down, pairs.up) if below else (pairs.up, pairs.down)
    null = margin if below else -margin
    total = 0.0
    most = n  # for more steps towards the verdict more steps against it are allowed: the edge only moves one way
    edge = -1
    for favourable in range(n + 1):
        mass = _binomial(favourable, n, toward)
        if mass < _LIKELY:
            if favourable > n * toward:
                break
            continue
        most = n - favourable
        while edge < most and _rejects(n, favourable, edge + 1, null, alpha):
            edge += 1
        rest = against / (1 - toward) if toward < 1 else 0.0
        total += mass * _binomial_up_to(min(edge, most), most, rest)
    return total


def exact_size(pairs: Pairs, margin: float, alpha: float, power: float = POWER) -> int | None:
    """Return the least fixed number of prompts whose exact power is at least `power` (to 1 %); None above 20,000.

    The fixed-size design that keeps its promise: the test is valid for every distribution on [-1, 1].
    """
    low = 1
    high = max(2, textbook_size(pairs.variance, margin - pairs.difference, alpha, power))
    while exact_power(high, pairs, margin, alpha) < power:
        low, high = high, math.ceil(high * 1.3) + 8
        if high > _LARGEST_EXACT:
            return None
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if exact_power(middle, pairs, margin, alpha) >= power else (middle, high)
    return high


@dataclass(frozen=True)
class Runs:
    """Simulated sequences: (replicates,) units asked, and verdicts (1 no material increase, -1 material increase, 0 undecided)."""

    asked: npt.NDArray[np.int64]
    verdicts: npt.NDArray[np.int64]

    def share(self, verdict: Verdict) -> float:
        """The share of sequences with this verdict."""
        code = {Verdict.NO_MATERIAL_INCREASE: NO_INCREASE, Verdict.MATERIAL_INCREASE: INCREASE}.get(verdict, NONE)
        return float((self.verdicts == code).mean())


def run_many(differences: Floats, design: Design) -> Runs:
    """Return what many sequences say, each stopped at its verdict or at the end of its row.

    `differences`: (replicates, n), in [-1, 1], nothing missing. Exactly the verdicts of `Sequence`, all rows at once.
    """
    import numpy as np

    rows, n = differences.shape
    plans = design.plans()
    asked = np.full(rows, n)
    verdicts = np.zeros(rows, dtype=np.int64)
    running = np.arange(rows)
    sides = [Wealth.start(plan, np.full(rows, plan.null)) for plan in plans]
    squares = np.zeros(rows)
    bets: list[Bets] = []
    due = frozenset(renewals(design.horizon))
    for t in range(n):
        if t in due:
            bets = [_bets(wealth, t, squares) for wealth in sides]
        y = differences[running, t]
        squares = squares + y * y
        done = np.zeros(len(running), dtype=bool)
        for wealth, side, sign, code in zip(sides, bets, (1.0, -1.0), (NO_INCREASE, INCREASE), strict=True):
            wealth.step(sign * y[:, None], side)
            crossed = (wealth.worth >= wealth.plan.goal) & ~done
            verdicts[running[crossed]] = code
            done |= crossed
        if done.any():
            asked[running[done]] = t + 1
            left = ~done
            running, squares = running[left], squares[left]
            bets = [side.kept(left) for side in bets]
            for wealth in sides:
                wealth.keep(left)
            if not len(running):
                break
    return Runs(asked, verdicts)


@dataclass(frozen=True)
class Need:
    """How many prompts a comparison will need.

    `fixed`: by the normal formula. `fixed_exact`: with a test that keeps its promise, None when over 20,000. For the sequence with this
    `horizon`: `expected` prompts and the 90th percentile (a sequence that is undecided at the horizon counts with the horizon), and
    the shares that end `right`, `wrong` and undecided.
    """

    fixed: int
    fixed_exact: int | None
    horizon: int
    expected: float
    percentile_90: int
    right: float
    wrong: float
    undecided: float
    replicates: int


def prompts_for(
    *,
    margin: float,
    alpha: float,
    base_rate: float,
    difference: float = 0.0,
    correlation: float = 0.0,
    power: float = POWER,
    horizon: int | None = None,
    seed: int,
    replicates: int = 2000,
) -> Need:
    """Return how many prompts it takes to decide a true `difference`, fixed and in sequence; yes/no answers, one try.

    `horizon`: the most prompts that could be asked, by default 1.1 times the fixed size. Raises `UsageError` for values out of range, a
    difference at the margin, or a size above 100,000.
    """
    import numpy as np

    Design(margin, alpha, 1)
    if not 0.5 <= power < 1:
        raise UsageError(f"a power lies between 0.5 and 1, not {power}", do="give a share, such as 0.9")
    if replicates < 1:
        raise UsageError(f"replicates are counted from 1, not {replicates}")
    truth = pairs(base_rate, difference, correlation)
    fixed = textbook_size(truth.variance, margin - truth.difference, alpha, power)
    most = math.ceil(1.1 * fixed) if horizon is None else horizon
    if most > LIMIT:
        raise UsageError(
            f"{most} prompts are more than are simulated ({LIMIT})", do="widen the margin, or give a smaller horizon"
        )
    design = Design(margin, alpha, most)
    numbers = np.random.default_rng(seed)
    block = max(1, min(replicates, 20_000_000 // most))
    runs = [
        run_many(truth.draw(numbers, (min(block, replicates - start), most)), design)
        for start in range(0, replicates, block)
    ]
    asked = np.concatenate([run.asked for run in runs])
    verdicts = np.concatenate([run.verdicts for run in runs])
    right = NO_INCREASE if truth.difference < margin else INCREASE
    return Need(
        fixed=fixed,
        fixed_exact=exact_size(truth, margin, alpha, power),
        horizon=most,
        expected=float(asked.mean()),
        percentile_90=int(np.quantile(asked, 0.9, method="inverted_cdf")),
        right=float((verdicts == right).mean()),
        wrong=float((verdicts == -right).mean()),
        undecided=float((verdicts == NONE).mean()),
        replicates=replicates,
    )


def _bets(wealth: Wealth, n: int, squares: Floats) -> Bets:
    import numpy as np

    plan = wealth.plan
    moment = plan.moment(n, squares)
    distance = plan.distance(n, wealth.gains[:, 0])
    leads = plan.lead_index(distance - plan.doubt(n, np.maximum(moment, 0.0)))
    return plan.bets(plan.moment_index(moment)[:, None], leads[:, None])


@lru_cache(maxsize=100_000)
def _rejects(n: int, favourable: int, unfavourable: int, null: float, alpha: float) -> bool:
    values = [-1.0] * favourable + [1.0] * unfavourable + [0.0] * (n - favourable - unfavourable)
    return math.fsum(values) / n < null and p_value(values, null, highest=1.0) <= alpha


def _binomial(k: int, n: int, share: float) -> float:
    if share in (0.0, 1.0):
        return float(k == n * share)
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log + k * math.log(share) + (n - k) * math.log1p(-share))


def _binomial_up_to(k: int, n: int, share: float) -> float:
    return min(1.0, math.fsum(_binomial(i, n, share) for i in range(k + 1)))
