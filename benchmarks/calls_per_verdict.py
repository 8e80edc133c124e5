"""What a verdict costs in prompts, as a share of the design whose number of prompts is fixed beforehand.

    python benchmarks/calls_per_verdict.py                      # some minutes on one core
    python benchmarks/calls_per_verdict.py --quick              # a minute
    python benchmarks/calls_per_verdict.py --dossier DIRECTORY  # over the pairs of a dossier, too, such as the demo's

Margin 5 points, alpha 0.05, power 0.9, over rates, true differences and correlations; seeded. Three yardsticks, and the sequence's horizon is
1.1 times each in turn (CAP), so that no cell can cost more than that:

- own, exact: the least number of prompts with which a valid fixed-size test (Gaffke's) decides the cell's true difference in 90 %;
- own, formula: (z + z)^2 variance / distance^2 for the cell's true difference. For rare events no valid test has power 0.9 there;
- planned: the formula for equality and independent answers, which is what a planner has who knows the base rate alone.

A sequence that is undecided at the horizon counts with the horizon. "Decided" is the share of right verdicts. Exits with 1 when a target is missed
under the planned yardstick.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder: its `inspect.py` would stand in for the library's own module

import argparse
import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from weighbridge.analysis.answers import Answers, difference, show
from weighbridge.analysis.power import Pairs, exact_power, exact_size, pairs, run_many, textbook_size
from weighbridge.analysis.sequential import Design
from weighbridge.analysis.sequential import Sequence as Comparison
from weighbridge.evidence.records import Measure, Observation
from weighbridge.protocol.vocabulary import Verdict

Floats = npt.NDArray[np.float64]

MARGIN, ALPHA, CAP = 0.05, 0.05, 1.1
RATES = (0.02, 0.05, 0.10, 0.30, 0.50)
DIFFERENCES = (-0.20, -0.10, 0.0, 0.10, 0.20)
CORRELATIONS = (0.0, 0.3, 0.6)
YARDSTICKS = ("own, exact", "own, formula", "planned")
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SEED = 20250117


@dataclass(frozen=True)
class Cell:
    """One cell of the grid under one yardstick."""

    rate: float
    difference: float
    correlation: float
    fixed: int
    share: float  # mean prompts to a verdict (or the horizon) over the fixed size
    decided: float
    wrong: float
    fixed_decides: float | None  # the power that the fixed size really has


def places() -> list[tuple[float, float, float]]:
    """Return rate, difference and correlation of every cell."""
    return [
        (rate, step, correlation)
        for rate in RATES
        for step in DIFFERENCES
        if rate + step > -1e-9
        for correlation in CORRELATIONS
    ]


def measure(yardstick: str, replicates: int, cap: float, *, power: bool) -> list[Cell]:
    """Return every cell under a yardstick."""
    cells = []
    for rate, step, correlation in places():
        truth = pairs(rate, max(step, -rate), correlation)
        fixed = size(yardstick, truth, rate)
        horizon = math.ceil(cap * fixed)
        numbers = np.random.default_rng([SEED, round(100 * rate), round(100 * step) + 100, round(10 * correlation)])
        runs = run_many(truth.draw(numbers, (replicates, horizon)), Design(MARGIN, ALPHA, horizon))
        right, wrong = verdicts(step)
        cells.append(
            Cell(
                rate,
                step,
                correlation,
                fixed,
                float(runs.asked.mean()) / fixed,
                runs.share(right),
                runs.share(wrong),
                exact_power(fixed, truth, MARGIN, ALPHA) if power else None,
            )
        )
    return cells


def size(yardstick: str, truth: Pairs, rate: float) -> int:
    """Return the fixed number of prompts."""
    if yardstick == "planned":
        return textbook_size(2 * rate * (1 - rate), MARGIN, ALPHA)
    if yardstick == "own, formula":
        return textbook_size(truth.variance, MARGIN - truth.difference, ALPHA)
    exact = exact_size(truth, MARGIN, ALPHA)
    assert exact is not None, "no cell of the grid needs more prompts than are searched"
    return exact


def verdicts(step: float) -> tuple[Verdict, Verdict]:
    """Return the right and the wrong verdict for a true difference."""
    both = (Verdict.NO_MATERIAL_INCREASE, Verdict.MATERIAL_INCREASE)
    return both if step < MARGIN else both[::-1]


def print_cells(yardstick: str, cells: list[Cell]) -> None:
    """Print a row for each rate and difference, a column for each correlation."""
    print(f"\nYardstick: {yardstick}\n")
    print("| rate | difference |" + "".join(f" correlation {r:g} |" for r in CORRELATIONS))
    print("|---|---|" + "---|" * len(CORRELATIONS))
    rows: defaultdict[tuple[float, float], list[Cell]] = defaultdict(list)
    for cell in cells:
        rows[cell.rate, cell.difference].append(cell)
    for (rate, step), row in rows.items():
        print(f"| {rate:.0%} | {100 * step:+.0f} |" + "".join(f" {entry(cell)} |" for cell in row))
    shares = [cell.share for cell in cells]
    equal = [cell for cell in cells if cell.difference == 0]
    worst = max(cells, key=lambda cell: cell.wrong)
    print(
        f"\nmean share {np.mean(shares):.3f}; at equality {np.mean([c.share for c in equal]):.3f}; "
        f"most {max(shares):.2f}; decided {np.mean([c.decided for c in cells]):.3f}, "
        f"at equality {np.mean([c.decided for c in equal]):.3f}; most wrong verdicts {worst.wrong:.4f}"
    )


def entry(cell: Cell) -> str:
    """Return share of the fixed size, share decided, and what the fixed size itself decides."""
    fixed = "" if cell.fixed_decides is None else f" / {cell.fixed_decides:.2f}"
    return f"{cell.share:.2f} of {cell.fixed} ({cell.decided:.2f}{fixed})"


def targets(cells: list[Cell], replicates: int) -> bool:
    """Print the targets and whether they are met; return whether all are."""
    error = 3 * math.sqrt(ALPHA * (1 - ALPHA) / replicates)
    found = (
        ("mean over the grid at most 0.35", float(np.mean([c.share for c in cells])), 0.35),
        ("mean at equality at most 0.7", float(np.mean([c.share for c in cells if c.difference == 0])), 0.7),
        ("nowhere above 1.2", max(c.share for c in cells), 1.2),
        ("no verdict error above alpha (and three standard errors)", max(c.wrong for c in cells), ALPHA + error),
    )
    for what, value, limit in found:
        print(f"  {'met   ' if value <= limit else 'MISSED'} {what}: {value:.3f}")
    return all(value <= limit for _, value, limit in found)


@dataclass(frozen=True)
class Recorded:
    """Real pairs: differences, the baseline's rate, and what is known of each prompt from elsewhere."""

    name: str
    values: Floats
    base_rate: float
    control: Floats | None = None
    control_name: str = ""


def real(recorded: Recorded, replicates: int) -> str:
    """Return a table row: prompts like these (drawn from the recorded ones) and exactly these (in random orders)."""
    mean, variance = float(recorded.values.mean()), float(recorded.values.var())
    numbers = np.random.default_rng(SEED)
    planned = textbook_size(2 * recorded.base_rate * (1 - recorded.base_rate), MARGIN, ALPHA)
    horizon = math.ceil(CAP * planned)
    right, wrong = verdicts(mean)
    runs = run_many(numbers.choice(recorded.values, (replicates, horizon)), Design(MARGIN, ALPHA, horizon))
    suite = len(recorded.values)
    orders = np.array([numbers.permutation(recorded.values) for _ in range(replicates)])
    closed = run_many(orders, Design(MARGIN, ALPHA, suite, finite=True))
    own = textbook_size(variance, MARGIN - mean, ALPHA) if variance else 0
    return (
        f"| {recorded.name} | {suite} | {recorded.base_rate:.3f} | {mean:+.3f} | {own} | {planned} "
        f"| {runs.asked.mean():.0f} ({runs.asked.mean() / planned:.2f}) | {runs.share(right):.2f}, {runs.share(wrong):.3f} "
        f"| {closed.asked.mean():.0f} ({closed.asked.mean() / suite:.2f}) | {closed.share(right):.2f}, {closed.share(wrong):.3f} |"
    )


def with_control(recorded: Recorded, replicates: int) -> str:
    """Return a table row: prompts to a verdict on exactly these prompts, without, with, and with a useless control.

    The recorded differences less their mean, so that the true difference is 0, against a margin of 10 points.
    """
    assert recorded.control is not None
    numbers = np.random.default_rng(SEED)
    values = recorded.values - recorded.values.mean()
    known = {"without": None, "with": recorded.control, "useless": numbers.permutation(recorded.control)}
    asked: dict[str, list[int]] = {name: [] for name in known}
    wrong = 0
    for _ in range(replicates):
        order = numbers.permutation(len(values))
        for name, control in known.items():
            comparison = Comparison(
                Design(0.10, ALPHA, len(values), finite=True), None if control is None else control.tolist()
            )
            for place in order:
                value = float(values[place])
                comparison.take(value, value, value, None if control is None else float(control[place]))
                if comparison.verdict is not Verdict.UNDECIDED:
                    break
            asked[name].append(comparison.n)
            wrong += comparison.verdict is Verdict.MATERIAL_INCREASE
    correlation = float(np.corrcoef(values, recorded.control)[0, 1])
    means = {name: float(np.mean(counts)) for name, counts in asked.items()}
    return (
        f"| {recorded.name} | {recorded.control_name} | {len(values)} | {correlation:+.2f} | {means['without']:.0f} "
        f"| {means['with']:.0f} ({means['with'] / means['without']:.2f}) "
        f"| {means['useless']:.0f} ({means['useless'] / means['without']:.2f}) | {wrong / (3 * replicates):.3f} |"
    )


def xstest() -> list[Recorded]:
    """Return the pairs that people labelled: two models' answers to the same prompts; refused is a full or partial refusal."""
    answers: dict[str, dict[str, dict[str, str]]] = {}
    for model in ("mistralguard", "mistralinstruct"):
        path = SHARED / "xstest" / f"xstest_v2_completions_{model}.csv"
        if not path.exists():
            print("\nno XSTest answers beside the repository (../shared/data/xstest): real pairs are left out")
            return []
        with path.open(encoding="utf-8", newline="") as file:
            answers[model] = {row["id"]: row for row in csv.DictReader(file)}
    guard, plain = answers["mistralguard"], answers["mistralinstruct"]
    ids = [item for item in guard if item in plain]

    def refused(rows: dict[str, dict[str, str]], chosen: Iterable[str], label: str = "final_label") -> Floats:
        return np.array([float(rows[item][label] != "1_full_compliance") for item in chosen])

    safe = [item for item in ids if not guard[item]["type"].startswith("contrast_")]
    unsafe = [item for item in ids if guard[item]["type"].startswith("contrast_")]
    found = []
    for name, chosen in (("all", ids), ("safe prompts", safe), ("unsafe prompts", unsafe)):
        one, other = refused(guard, chosen), refused(plain, chosen)
        found.append(Recorded(f"XSTest, refused, guard - plain, {name}", one - other, float(other.mean())))
        found.append(Recorded(f"XSTest, refused, plain - guard, {name}", other - one, float(one.mean())))
    for model, rows in (("guard", guard), ("plain", plain)):
        first, second = refused(rows, ids, "annotation_1"), refused(rows, ids, "annotation_2")
        found.append(Recorded(f"XSTest, {model}, refused by rater 1 - rater 2", first - second, float(second.mean())))
    unsafe_known = np.array([float(item in set(unsafe)) for item in ids])
    found.append(
        Recorded(
            "XSTest, refused, plain - guard",
            refused(plain, ids) - refused(guard, ids),
            0.0,
            unsafe_known,
            "prompt is unsafe",
        )
    )
    found.append(Recorded("XSTest, refused, guard", refused(guard, ids), 0.0, refused(plain, ids), "refused by plain"))
    found.append(Recorded("XSTest, refused, plain", refused(plain, ids), 0.0, refused(guard, ids), "refused by guard"))
    return found


def dossier(directory: Path) -> list[Recorded]:
    """Return the pairs of a dossier's subjects on `weights`, with the other subjects' answers as control where there are three."""
    lines = (directory / "evidence.jsonl").read_text(encoding="utf-8").splitlines()
    answers = Answers(Observation.model_validate_json(line) for line in lines)
    found = []
    for measure in (Measure.HARM, Measure.ANSWERED, Measure.REFUSED):
        conditions = [(subject, rung) for subject, rung, kind in answers.conditions() if kind == measure]
        for number, (subject, rung) in enumerate(conditions):
            for other, other_rung in conditions[number + 1 :]:
                sides = [
                    (answers.prompts(who, where, measure), who, where)
                    for who, where in ((subject, rung), (other, other_rung))
                ]
                values, base = [], []
                for item in sorted(set(sides[0][0]) & set(sides[1][0])):
                    one, two = (
                        show(
                            prompts[item],
                            answers.techniques(who, where, measure, items=[item]),
                            "mean",
                        )
                        for prompts, who, where in sides
                    )
                    pair = difference(one, two)
                    if isinstance(pair.seen, float) and isinstance(two.seen, float):
                        values.append(pair.seen)
                        base.append(two.seen)
                if len(values) >= 10:
                    label = f"{measure.value}: {subject[7:13]} {rung.value} - {other[7:13]} {other_rung.value}"
                    found.append(Recorded(label, np.array(values), float(np.mean(base))))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the replicates, and no exact sizes")
    parser.add_argument("--replicates", type=int, default=4000)
    parser.add_argument("--cap", type=float, default=CAP, help="the horizon, in fixed sizes (default 1.1)")
    parser.add_argument("--dossier", type=Path, help="a dossier's directory, for real pairs")
    given = parser.parse_args(arguments)
    replicates = max(200, given.replicates // 10) if given.quick else given.replicates
    print(
        f"margin {MARGIN}, alpha {ALPHA}, power 0.9, horizon {given.cap} fixed sizes, {replicates} sequences a cell, seed {SEED}"
    )
    print(
        "In each cell: mean prompts as a share of the fixed size (share decided rightly / share that the fixed size itself decides)."
    )
    met = True
    for yardstick in YARDSTICKS:
        if given.quick and yardstick == "own, exact":
            continue
        cells = measure(yardstick, replicates, given.cap, power=not given.quick)
        print_cells(yardstick, cells)
        met = targets(cells, replicates)
    recorded = xstest() + (dossier(given.dossier) if given.dossier else [])
    if recorded:
        print(
            "\nReal pairs. Prompts: mean to a verdict (share of the planned size, or of the suite); then right and wrong verdicts.\n"
        )
        print(
            "| pairs | n | base rate | difference | own formula | planned | like these: prompts | right, wrong "
            "| exactly these: prompts | right, wrong |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|")
        for one in recorded:
            if one.control is None:
                print(real(one, replicates // 4))
        print("\nControl variate: differences less their mean, exactly these prompts, margin 10 points.\n")
        print("| pairs | control | n | correlation | without | with | useless control | wrong verdicts |")
        print("|---|---|---|---|---|---|---|---|")
        for one in recorded:
            if one.control is not None:
                print(with_control(one, max(40, replicates // 20)))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
