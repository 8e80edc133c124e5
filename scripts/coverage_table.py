"""Print how often each interval misses and how wide it is, by seeded simulation: the tables of docs/methods.

    python scripts/coverage_table.py            # some minutes on one core
    python scripts/coverage_table.py --quick    # a tenth of the samples

Every method sees the same samples. A method that misses more often than promised has no use, however narrow. The two methods
that are proven to cover and are wide (betting, empirical Bernstein) are shown by their width alone.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta as beta_distribution
from scipy.stats import binom, norm, t

from weighbridge.analysis.bounded_mean import lower_limit, p_value, upper_limit
from weighbridge.analysis.intervals import clopper_pearson, wilson

Floats = npt.NDArray[np.float64]
Ends = tuple[float, float]
SEED = 20240404
LEVEL = 0.95
SIZES = (8, 24, 104, 312)


@dataclass(frozen=True)
class World:
    """A way in which paired values come about, with the true mean difference. `draw` gives candidate and baseline, (samples, n)."""

    name: str
    truth: float
    draw: Callable[[np.random.Generator, tuple[int, int]], tuple[Floats, Floats]]
    binary: bool


def binary(candidate: float, baseline: float, correlation: float) -> World:
    """Two correlated yes/no answers a prompt, by a common latent normal."""

    def draw(numbers: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        common = numbers.standard_normal(shape)
        own = numbers.standard_normal((2, *shape))
        latent = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own
        return (latent[0] < norm.ppf(candidate)).astype(float), (latent[1] < norm.ppf(baseline)).astype(float)

    return World(f"yes/no {candidate:g} - {baseline:g}, r {correlation:g}", candidate - baseline, draw, True)


def graded(candidate: float, baseline: float, correlation: float, weight: float) -> World:
    """Two correlated graded answers a prompt: beta variables of concentration `weight`, by a common latent normal."""

    def draw(numbers: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        common = numbers.standard_normal(shape)
        own = numbers.standard_normal((2, *shape))
        uniform = norm.cdf(math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own)
        sides = [
            beta_distribution.ppf(u, weight * rate, weight * (1 - rate))
            for u, rate in zip(uniform, (candidate, baseline), strict=True)
        ]
        return sides[0], sides[1]

    name = f"graded {candidate:g} - {baseline:g}, r {correlation:g}, beta({weight:g})"
    return World(name, candidate - baseline, draw, False)


def averaged(candidate: float, baseline: float, techniques: int) -> World:
    """Means over several tries of prompts that differ in how easy they are (rates up to 1/2): the shape of real evidence."""

    def draw(numbers: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        ease = numbers.beta(0.5, 0.5, shape)
        return tuple(numbers.binomial(techniques, 2 * ease * rate) / techniques for rate in (candidate, baseline))

    return World(f"mean of {techniques} tries {candidate:g} - {baseline:g}", candidate - baseline, draw, False)


def fixed_suite(sure: float, others: float, baseline: float) -> World:
    """Prompts that are not alike and not drawn: the same share always gets an answer, the others at a rate."""

    def draw(numbers: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        always = np.arange(shape[1]) < round(shape[1] * sure)
        answered = always | (numbers.random(shape) < others)
        return answered.astype(float), (numbers.random(shape) < baseline).astype(float)

    name = f"fixed suite, {sure:g} sure, others {others:g} - {baseline:g}"
    return World(name, sure + (1 - sure) * others - baseline, draw, True)


def rare_jump(share: float) -> World:
    """Almost always a small negative difference, rarely a whole answer: what variance-based intervals do not see."""

    def draw(numbers: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        jump = numbers.random(shape) < share
        return np.where(jump, 1.0, 0.0), np.where(jump, 0.0, 0.02)

    return World(f"-0.02, and +1 in {share:g}", share - (1 - share) * 0.02, draw, False)


WORLDS = (
    binary(0.01, 0.01, 0.0),
    binary(0.01, 0.01, 0.9),
    binary(0.03, 0.0, 0.0),
    binary(0.1, 0.1, 0.5),
    binary(0.5, 0.5, 0.0),
    binary(0.5, 0.5, 0.9),
    binary(0.6, 0.1, 0.3),
    binary(0.99, 0.99, 0.0),
    binary(0.99, 0.9, 0.5),
    graded(0.02, 0.02, 0.0, 0.3),
    graded(0.1, 0.05, 0.5, 1.0),
    graded(0.5, 0.5, 0.0, 1.0),
    graded(0.5, 0.45, 0.9, 5.0),
    graded(0.97, 0.97, 0.5, 0.5),
    averaged(0.2, 0.1, 8),
    averaged(0.5, 0.5, 4),
    fixed_suite(0.25, 0.3, 0.05),
    rare_jump(0.02),
)


def gaffke(a: Floats, b: Floats) -> Ends:
    """What weighbridge uses where the number of prompts is fixed."""
    d, tail = (a - b).tolist(), (1 - LEVEL) / 2
    return lower_limit(d, tail, lowest=-1.0), upper_limit(d, tail, highest=1.0)


def student(a: Floats, b: Floats) -> Ends:
    """The paired t interval."""
    d = a - b
    half = float(t.ppf(0.5 + LEVEL / 2, len(d) - 1)) * float(d.std(ddof=1)) / math.sqrt(len(d))
    return float(d.mean()) - half, float(d.mean()) + half


def newcombe(a: Floats, b: Floats) -> Ends:
    """Newcombe (1998), Statistics in Medicine 17:2635-2650, method 10: yes/no pairs only."""
    n = len(a)
    both, first, second = float((a * b).sum()), float((a * (1 - b)).sum()), float((b * (1 - a)).sum())
    neither = n - both - first - second
    one, two = wilson(both + first, n, LEVEL), wilson(both + second, n, LEVEL)
    product = (both + first) * (second + neither) * (both + second) * (first + neither)
    cross = both * neither - first * second
    cross = max(cross - n / 2, 0.0) if cross > 0 else cross
    phi = cross / math.sqrt(product) if product > 0 else 0.0
    low_one, high_one = one.value - one.low, one.high - one.value
    low_two, high_two = two.value - two.low, two.high - two.value
    low = math.sqrt(max(0.0, low_one**2 - 2 * phi * low_one * high_two + high_two**2))
    high = math.sqrt(max(0.0, high_one**2 - 2 * phi * high_one * low_two + low_two**2))
    return one.value - two.value - low, one.value - two.value + high


def empirical_bernstein(a: Floats, b: Floats) -> Ends:
    """Maurer and Pontil (2009), theorem 4, on differences of range 2."""
    d, n = a - b, len(a)
    logarithm = math.log(4 / (1 - LEVEL))
    half = math.sqrt(2 * float(d.var(ddof=1)) * logarithm / n) + 2 * 7 * logarithm / (3 * (n - 1))
    return max(-1.0, float(d.mean()) - half), min(1.0, float(d.mean()) + half)


def betting(a: Floats, b: Floats) -> Ends:
    """A mixture of fixed bets (Waudby-Smith, Ramdas 2024; Cover's portfolio): exact at any stopping time, in any order."""
    d = (a - b + 1) / 2
    shares = (np.arange(40) + 0.5) / 40

    def limit(x: Floats) -> float:
        """Upper limit of the mean of x in [0, 1]: bets that the mean is below m, over a grid of m."""
        low, high = float(x.mean()), 1.0
        for _ in range(30):
            m = (low + high) / 2
            gains = np.log1p(np.outer(shares / (1 - m + 1e-12), m - x)).sum(axis=1)
            top = gains.max()
            wealth = top + math.log(float(np.exp(gains - top).mean()))
            low, high = (m, high) if wealth < math.log(2 / (1 - LEVEL)) else (low, m)
        return high

    return 1 - 2 * limit(1 - d), 2 * limit(d) - 1


@dataclass
class Tally:
    """What a method did over the samples of a world: misses below and above the truth, and widths."""

    low: int = 0
    high: int = 0
    samples: int = 0
    width: float = 0.0
    widths: int = 0

    def add(self, misses: tuple[bool, bool] | None, ends: Ends | None) -> None:
        if misses is not None:
            self.low, self.high, self.samples = self.low + misses[0], self.high + misses[1], self.samples + 1
        if ends is not None:
            self.width, self.widths = self.width + ends[1] - ends[0], self.widths + 1

    def __str__(self) -> str:
        width = f"{self.width / self.widths:.3f}" if self.widths else ""
        if not self.samples:
            return width
        return f"{100 * self.low / self.samples:.1f} + {100 * self.high / self.samples:.1f} ({width})"


def gaffke_misses(a: Floats, b: Floats, truth: float) -> tuple[bool, bool]:
    """Whether the interval would lie above, below the truth: as its p-value at the truth says, without finding the ends."""
    d, tail = a - b, (1 - LEVEL) / 2

    def below(values: Floats, mean: float) -> bool:
        """Whether the upper limit is below `mean`. Not when W's own mean is above it: W is log-concave, so half of the work is saved."""
        if (values.sum() + 1) / (len(values) + 1) >= mean:
            return False
        return p_value(values.tolist(), mean, highest=1.0) < tail

    return below(-d, -truth), below(d, truth)


def tally(world: World, n: int, samples: int, widths: int) -> dict[str, Tally]:
    """Return what each method did over `samples` samples of n prompts; slow widths over the first `widths` of them."""
    found = {name: Tally() for name in ("Gaffke", "t", "Newcombe", "betting", "Bernstein")}
    known: dict[bytes, tuple[bool, bool]] = {}
    candidates, baselines = world.draw(np.random.default_rng([SEED, n]), (samples, n))
    for number, (a, b) in enumerate(zip(candidates, baselines, strict=True)):
        key = np.sort(a - b).tobytes()  # yes/no samples repeat
        if key not in known:
            known[key] = gaffke_misses(a, b, world.truth)
        found["Gaffke"].add(known[key], gaffke(a, b) if number < widths else None)
        for name, method in (("t", student), ("Newcombe", newcombe)):
            if world.binary or name == "t":
                ends = method(a, b)
                found[name].add((ends[0] > world.truth + 1e-9, ends[1] < world.truth - 1e-9), ends)
        if number < widths:
            found["betting"].add(None, betting(a, b))
            found["Bernstein"].add(None, empirical_bernstein(a, b))
    return found


def print_paired(samples: dict[int, int], widths: int) -> None:
    print(f"\nPaired differences, level {LEVEL:g}: misses low + high in % (mean width); promised: 2.5 + 2.5")
    print(
        f"Samples for misses by n: {samples}, half for graded values; for widths but those of t, Newcombe: {widths}\n"
    )
    names = ("Gaffke", "t", "Newcombe", "betting", "Bernstein")
    print("| world | n | " + " | ".join(names) + " |")
    print("|---|---|" + "---|" * len(names))
    worst = dict.fromkeys(("Gaffke", "t", "Newcombe"), 0.0)
    for world in WORLDS:
        for n in SIZES:
            row = tally(world, n, samples[n] // (1 if world.binary else 2), widths)
            print(f"| {world.name} | {n} | " + " | ".join(str(row[name]) for name in names) + " |", flush=True)
            for name in worst:
                if row[name].samples:
                    worst[name] = max(
                        worst[name], row[name].low / row[name].samples, row[name].high / row[name].samples
                    )
    print("\nWorst single side in %: " + ", ".join(f"{name} {100 * value:.1f}" for name, value in worst.items()))


def print_counts() -> None:
    """Exact coverage of the intervals for one rate: no sampling, a sum over all counts, least over a grid of rates."""
    print(
        f"\nOne rate, counts, level {LEVEL:g}: least coverage over rates 0.001 to 0.999, mean coverage, mean width at 0.1\n"
    )
    print("| n | Clopper-Pearson | Wilson |")
    print("|---|---|---|")
    grid = np.arange(1, 1000) / 1000
    for n in SIZES:
        cells = []
        for interval in (clopper_pearson, wilson):
            found = [interval(k, n, LEVEL) for k in range(n + 1)]
            low, high = np.array([one.low for one in found]), np.array([one.high for one in found])
            chance = binom.pmf(np.arange(n + 1)[:, None], n, grid[None, :])
            covered = (chance * ((low[:, None] <= grid) & (grid <= high[:, None]))).sum(axis=0)
            width = float((chance[:, 99] * (high - low)).sum())
            cells.append(f"{covered.min():.3f}, {covered.mean():.3f}, {width:.3f}")
        print(f"| {n} | " + " | ".join(cells) + " |")


def print_graded(samples: int) -> None:
    """Coverage of Wilson's interval for means of graded values."""
    print(f"\nOne rate, graded values, Wilson, level {LEVEL:g}: coverage (width). Samples: {samples}\n")
    kinds = (
        ("near yes/no, beta(0.1)", 0.1, (0.02, 0.1, 0.5)),
        ("spread, beta(1)", 1.0, (0.02, 0.1, 0.5)),
        ("narrow, beta(10)", 10.0, (0.02, 0.1, 0.5)),
    )
    print("| values | n | mean 0.02 | mean 0.1 | mean 0.5 |")
    print("|---|---|---|---|---|")
    for name, weight, rates in kinds:
        for n in SIZES:
            numbers = np.random.default_rng([SEED, n])
            cells = []
            for rate in rates:
                sums = numbers.beta(weight * rate, weight * (1 - rate), (samples, n)).sum(axis=1)
                found = [wilson(float(total), n, LEVEL) for total in sums]
                covered = np.mean([one.low <= rate <= one.high for one in found])
                cells.append(f"{covered:.3f} ({np.mean([one.high - one.low for one in found]):.3f})")
            print(f"| {name} | {n} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples")
    cut = 10 if parser.parse_args().quick else 1
    print_counts()
    print_graded(5000 // cut)
    print_paired({8: 4000 // cut, 24: 4000 // cut, 104: 4000 // cut, 312: 2000 // cut}, widths=60)


if __name__ == "__main__":
    main()
