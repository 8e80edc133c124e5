"""Print how often sequential verdicts and intervals are wrong, by seeded simulation: the tables of docs/methods/sequential.md.

    python scripts/sequential_errors.py            # some minutes on one core
    python scripts/sequential_errors.py --quick    # a tenth of the samples

Every sequence is looked at after every unit and stops when it pleases. The truth lies exactly at the margin, where errors are
likeliest: "no material increase" is counted wrong there (as if the truth were a hair above), and so is "material increase" (a hair below). The promise
is alpha for each of them. The interval is the intersection of all intervals so far, so it misses when it ever left the truth out: alpha on either side.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weighbridge.analysis.power import pairs, run_many
from weighbridge.analysis.sequential import Design, Sequence
from weighbridge.protocol.vocabulary import Verdict

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
SEED = 20250118
MARGIN, ALPHA = 0.05, 0.05


@dataclass(frozen=True)
class World:
    """A way in which differences come about, with their true mean."""

    name: str
    truth: float
    draw: Draw


def yes_no(rate: float, step: float, correlation: float) -> World:
    """Independent pairs of yes/no answers."""
    truth = pairs(rate, step, correlation)
    return World(f"yes/no {rate + step:g} - {rate:g}, r {correlation:g}", truth.difference, truth.draw)


def graded(rate: float, step: float, concentration: float) -> World:
    """Grades of both sides from beta distributions."""

    def draw(numbers: np.random.Generator, shape: tuple[int, int]) -> Floats:
        one, two = rate + step, rate
        return numbers.beta(one * concentration, (1 - one) * concentration, shape) - numbers.beta(
            two * concentration, (1 - two) * concentration, shape
        )

    return World(f"graded {rate + step:g} - {rate:g}, beta({concentration:g})", step, draw)


def rare(step: float) -> World:
    """Rare long steps up, and short ones down the rest of the time: a small sample looks better than it is."""
    share = (MARGIN + step) / (1 + step)
    return World(
        f"+1 in {share:.3f}, else -{step:g}",
        MARGIN,
        lambda numbers, shape: np.where(numbers.random(shape) < share, 1.0, -step),
    )


def clusters(members: int) -> World:
    """Clusters of paraphrases that nearly always agree, folded into one unit each."""

    def draw(numbers: np.random.Generator, shape: tuple[int, int]) -> Floats:
        seeds = pairs(0.2, MARGIN, 0.3).draw(numbers, shape)
        agree = numbers.random((members, *shape)) < 0.9
        return np.where(
            agree, seeds, pairs(0.2, MARGIN, 0.3).draw(numbers, (members * shape[0], shape[1])).reshape(members, *shape)
        ).mean(axis=0)

    return World(f"clusters of {members} paraphrases, folded", MARGIN, draw)


def unfolded(members: int) -> World:
    """The same clusters, each paraphrase counted as a unit of its own: what not to do."""

    def draw(numbers: np.random.Generator, shape: tuple[int, int]) -> Floats:
        rows, n = shape
        seeds = np.repeat(pairs(0.2, MARGIN, 0.3).draw(numbers, (rows, math.ceil(n / members))), members, axis=1)[:, :n]
        return np.where(numbers.random(shape) < 0.9, seeds, pairs(0.2, MARGIN, 0.3).draw(numbers, shape))

    return World("the same, each paraphrase a unit (wrong)", MARGIN, draw)


AT_THE_MARGIN = (
    *(
        yes_no(rate, MARGIN, r)
        for rate, r in (
            (0.0, 0),
            (0.01, 0),
            (0.1, 0),
            (0.1, 0.6),
            (0.3, 0.3),
            (0.5, 0),
            (0.5, 0.9),
            (0.9, 0),
            (0.95, 0),
        )
    ),
    graded(0.05, MARGIN, 0.3),
    graded(0.3, MARGIN, 1),
    graded(0.5, MARGIN, 20),
    rare(0.02),
    rare(0.2),
    clusters(3),
)


def shown(world: World, n: int, samples: int) -> tuple[float, float, float]:
    """Return how often the interval of `Sequence` (the intersection of all so far) lies below and above the truth, and its width."""
    numbers = np.random.default_rng(SEED)
    design = Design(MARGIN, ALPHA, n)
    ends = []
    for row in world.draw(numbers, (samples, n)):
        one = Sequence(design)
        for value in row.tolist():
            one.take(value, value, value)
        ends.append(one.interval())
    low, high = np.array(ends).T
    return float((high < world.truth).mean()), float((low > world.truth).mean()), float((high - low).mean())


def errors(world: World, design: Design, samples: int) -> tuple[float, float]:
    """Return how often the verdicts were no material increase and material increase."""
    runs = run_many(world.draw(np.random.default_rng(SEED), (samples, design.horizon)), design)
    return runs.share(Verdict.NO_MATERIAL_INCREASE), runs.share(Verdict.MATERIAL_INCREASE)


def finite(increases: int, decreases: int, suite: int, samples: int) -> tuple[str, float, float]:
    """Return errors for exactly these prompts, in random orders, when their mean is at the margin: only a verdict before the end counts."""
    numbers = np.random.default_rng(SEED)
    prompts = np.array([1.0] * increases + [-1.0] * decreases + [0.0] * (suite - increases - decreases))
    runs = run_many(numbers.permuted(np.tile(prompts, (samples, 1)), axis=1), Design(MARGIN, ALPHA, suite, finite=True))
    name = f"suite of {suite}: {increases} up, {decreases} down, mean {prompts.mean():g}"
    return name, runs.share(Verdict.NO_MATERIAL_INCREASE), runs.share(Verdict.MATERIAL_INCREASE)


def missing(samples: int, n: int) -> list[tuple[str, float, float]]:
    """Return errors when answers go missing because of what they are: a third of the increases, or of the decreases."""
    numbers = np.random.default_rng(SEED)
    values = pairs(0.3, MARGIN, 0.0).draw(numbers, (samples, n))
    found = []
    for word, lost_value in (("increases", 1.0), ("decreases", -1.0)):
        lost = (values == lost_value) & (numbers.random(values.shape) < 1 / 3)
        both_ways = dict.fromkeys(Verdict, 0)
        for row, gone in zip(values, lost, strict=True):
            one = Sequence(Design(MARGIN, ALPHA, n))
            for value, is_gone in zip(row, gone, strict=True):
                if is_gone:
                    one.take(-1.0, 1.0, None)
                else:
                    one.take(value, value, value)
                if one.verdict is not Verdict.UNDECIDED:
                    break
            both_ways[one.verdict] += 1
        kept = np.zeros_like(values)
        for row, (value, gone) in enumerate(zip(values, lost, strict=True)):
            left = value[~gone]
            kept[row] = numbers.choice(left, n)
            kept[row, : len(left)] = left
        naive = run_many(kept, Design(MARGIN, ALPHA, n))
        found.append(
            (
                f"a third of the {word} lost, counted both ways",
                both_ways[Verdict.NO_MATERIAL_INCREASE] / samples,
                both_ways[Verdict.MATERIAL_INCREASE] / samples,
            )
        )
        found.append(
            (
                "the same, left out (wrong)",
                naive.share(Verdict.NO_MATERIAL_INCREASE),
                naive.share(Verdict.MATERIAL_INCREASE),
            )
        )
    return found


def losses(samples: int, n: int) -> list[tuple[str, float, float, float]]:
    """Return what losses at random cost: share decided, wrongly decided, and mean units asked."""
    found = []
    for step in (-0.2, -0.1, 0.0, 0.2):
        for lost in (0.0, 0.01, 0.03):
            numbers = np.random.default_rng(SEED)
            decided, wrong, asked = 0, 0, 0
            for row in pairs(0.3, step, 0.3).draw(numbers, (samples, n)):
                one = Sequence(Design(MARGIN, ALPHA, n))
                for value, gone in zip(row, numbers.random(n) < lost, strict=True):
                    if gone:
                        one.take(-1.0, 1.0, None)
                    else:
                        one.take(value, value, value)
                    if one.verdict is not Verdict.UNDECIDED:
                        break
                right = Verdict.NO_MATERIAL_INCREASE if step < MARGIN else Verdict.MATERIAL_INCREASE
                decided += one.verdict is right
                wrong += one.verdict not in (right, Verdict.UNDECIDED)
                asked += one.n
            found.append(
                (f"{0.3 + step:g} - 0.3, {lost:.0%} lost", decided / samples, wrong / samples, asked / samples)
            )
    return found


def control(samples: int) -> list[tuple[str, float, float]]:
    """Return errors with control variates, good and misleading, at the margin."""
    numbers = np.random.default_rng(SEED)
    suite = 100
    prompts = np.array([1.0] * 20 + [-1.0] * 15 + [0.0] * 65)
    found = []
    for name, known in (
        ("control that knows the differences", 0.9 * prompts),
        ("control that has them the wrong way round", -0.9 * prompts),
        ("control that is noise", numbers.uniform(-1, 1, suite)),
    ):
        counts = dict.fromkeys(Verdict, 0)
        for _ in range(samples):
            one = Sequence(Design(MARGIN, ALPHA, suite, finite=True), known.tolist())
            for place in numbers.permutation(suite):
                value = float(prompts[place])
                one.take(value, value, value, float(known[place]))
                if one.verdict is not Verdict.UNDECIDED:
                    break
            counts[one.verdict] += 1
        found.append(
            (name, counts[Verdict.NO_MATERIAL_INCREASE] / samples, counts[Verdict.MATERIAL_INCREASE] / samples)
        )
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    samples = 1000 if quick else 10_000
    error = 100 * math.sqrt(ALPHA * (1 - ALPHA) / samples)
    print(
        f"alpha {ALPHA:.0%}, margin {MARGIN}, {samples} sequences a row: one standard error at alpha is {error:.2f} points\n"
    )
    print("| truth at the margin | horizon | no material increase, % | material increase, % |")
    print("|---|---|---|---|")
    for world in (*AT_THE_MARGIN, unfolded(3)):
        for horizon in (100, 1000):
            design = Design(MARGIN, ALPHA, horizon)
            row = errors(world, design, samples)
            print(
                f"| {world.name} | {horizon} | " + " | ".join(f"{100 * share:.1f}" for share in row) + " |", flush=True
            )
    few = samples // 20
    print("\n| the interval shown, truth elsewhere | units | interval below, % | above, % | mean width | sequences |")
    print("|---|---|---|---|---|---|")
    for world in (
        yes_no(0.3, 0, 0.3),
        yes_no(0.3, 0.2, 0),
        yes_no(0.5, -0.4, 0),
        yes_no(0.02, 0.9, 0),
        graded(0.5, 0, 1),
        rare(0.05),
    ):
        below, above, width = shown(world, 200, few)
        print(f"| {world.name} | 200 | {100 * below:.1f} | {100 * above:.1f} | {width:.3f} | {few} |", flush=True)
    print(
        "\n| exactly these prompts, missing answers, controls | no material increase, % | material increase, % | sequences |"
    )
    print("|---|---|---|---|")
    rows = [
        (*finite(20, 10, 200, samples), samples),
        (*finite(60, 50, 200, samples), samples),
        (*finite(3, 0, 60, samples), samples),
    ]
    rows += [(*row, few) for row in missing(few, 300)] + [(*row, few) for row in control(few)]
    for name, no, yes, count in rows:
        print(f"| {name} | {100 * no:.1f} | {100 * yes:.1f} | {count} |", flush=True)
    print("\n| losses at random, horizon 600 | decided, % | wrongly, % | prompts | sequences |")
    print("|---|---|---|---|---|")
    for name, right, wrong, asked in losses(few // 5, 600):
        print(f"| {name} | {100 * right:.0f} | {100 * wrong:.1f} | {asked:.0f} | {few // 5} |", flush=True)


if __name__ == "__main__":
    main()
