"""Coverage and width of intervals for a rate with human labels for some answers: the table of docs/methods/grader-correction.md.

    python scripts/correction_coverage.py [RUNS]
    python scripts/correction_coverage.py [RUNS] FILE...     on real labels, as scripts/label_files.py writes them

Each run draws N answers (one a prompt) with true labels, a grader with given errors, and an even draw of about n labels. Methods: the
grades alone (Wilson); the labels alone (Clopper and Pearson); PPI++ with its normal interval; the exact interval that ships.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from math import fsum
from pathlib import Path

import numpy as np

from weighbridge.analysis.bounded_mean import lower_limit, upper_limit
from weighbridge.analysis.correction import (
    Checked,
    Unit,
    asymptotic_rate,
    corrected_rate,
    labelling_probabilities,
)
from weighbridge.analysis.intervals import Interval, clopper_pearson, wilson

LEVEL = 0.95
SCENES = [
    # name, true rate, grader's sensitivity, specificity
    ("good grader", 0.30, 0.95, 0.97),
    ("good grader", 0.10, 0.95, 0.97),
    ("good grader", 0.02, 0.95, 0.99),
    ("fair grader", 0.10, 0.80, 0.90),
    ("misses a third", 0.05, 0.67, 1.00),
    ("guesses", 0.10, 0.50, 0.50),
    ("almost never wrong", 0.30, 0.995, 0.995),
]


def uncertainty(grade: float) -> float:
    """How far a grade, read as a probability, may be from the label: what unequal draws are usually proportional to."""
    return float(np.sqrt(grade * (1 - grade)))


def _run(
    rng: np.random.Generator, n: int, expected: int, rate: float, hit: float, right: float, propose: bool
) -> dict[str, Interval | None]:
    labels = rng.random(n) < rate
    said = np.where(rng.random(n) < np.where(labels, hit, right), labels, ~labels)
    # Graded like the offline grader's: sure where it is right, less so where it is wrong.
    sure = np.where(said == labels, rng.beta(12, 1, n), rng.beta(5, 2, n) * 0.5 + 0.5)
    grades = np.where(said, sure, 1 - sure).round(2)
    worth = [uncertainty(grade) for grade in grades] if propose else [1.0] * n
    probabilities = labelling_probabilities(worth, expected)
    drawn = rng.random(n) < probabilities
    units = [
        Unit((Checked(float(g), float(y) if d else None, bool(d)),), p)
        for g, y, d, p in zip(grades, labels, drawn, probabilities, strict=True)
    ]
    checked = labels[drawn]
    return {
        "grades alone": wilson(fsum(grades), n, LEVEL),
        "labels alone": clopper_pearson(int(checked.sum()), len(checked), LEVEL)
        if len(checked) and not propose
        else None,
        "PPI++, normal": asymptotic_rate(units, LEVEL),
        "exact": corrected_rate(units, LEVEL),
    }


def table(n: int, expected: int, runs: int, propose: bool, say: Callable[[str], None]) -> None:
    """Say one row for each scene: coverage and mean width of each method."""
    names = ["grades alone", "labels alone", "PPI++, normal", "exact"]
    for name, rate, hit, right in SCENES:
        rng = np.random.default_rng(20240404)
        covered, width, count = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)
        for _ in range(runs):
            for method, found in _run(rng, n, expected, rate, hit, right, propose).items():
                if found is not None:
                    count[method] += 1
                    covered[method] += found.low <= rate <= found.high
                    width[method] += found.high - found.low
        cells = " | ".join(
            f"{covered[m] / count[m]:.3f}, {width[m] / count[m]:.3f}" if count[m] else "-" for m in names
        )
        say(f"| {name}, {hit:g}/{right:g} | {rate:g} | {n} | {expected} | {cells} |")


def on_labels(paths: Sequence[Path], expected: int, runs: int) -> None:
    """Print, for each data set whose answers all have labels, how the intervals of `expected` drawn labels do against all labels.

    The offline grader grades. "Covered" is the mean of all labels, which is what a draw is from.
    """
    from weighbridge.assessment.calibrating import grade_answers
    from weighbridge.graders.labels import read_labels
    from weighbridge.graders.offline.grader import OfflineGrader

    answers = [one for path in paths for one in read_labels(path)[0]]
    grades = asyncio.run(grade_answers(answers, OfflineGrader()))
    for dataset in sorted({one.dataset for one in answers}):
        chosen = [one for one in answers if one.dataset == dataset]
        (field,) = {field for one in chosen for field in one.labels}
        units: dict[str, list[tuple[float | None, float]]] = {}
        for one in chosen:
            grade = grades[one.request.id].get(field)
            units.setdefault(one.unit, []).append((grade if isinstance(grade, float) else None, one.labels[field]))
        truth = fsum(fsum(y for _, y in unit) / len(unit) for unit in units.values()) / len(units)
        graded = [[g for g, _ in unit if g is not None] for unit in units.values()]
        alone = wilson(fsum(fsum(g) / len(g) for g in graded if g), sum(bool(g) for g in graded), LEVEL)
        rng, hit, width, label_hit, label_width = np.random.default_rng(20240404), 0, 0.0, 0, 0.0
        p = min(1.0, expected / len(units))
        for _ in range(runs):
            drawn = []
            for unit in units.values():
                chosen_one = rng.integers(len(unit)) if rng.random() < p else -1
                drawn.append(
                    Unit(tuple(Checked(g, y, n == chosen_one, 1 / len(unit)) for n, (g, y) in enumerate(unit)), p)
                )
            found = corrected_rate(drawn, LEVEL)
            means = [a.label for unit in drawn for a in unit.answers if a.drawn and a.label is not None]
            low, high = lower_limit(means, 0.025, lowest=0.0), upper_limit(means, 0.025, highest=1.0)
            label_hit += low <= truth <= high
            label_width += high - low
            if found is not None:
                hit += found.low <= truth <= found.high
                width += found.high - found.low
        print(
            f"| {dataset}: {field} | {len(chosen)} ({len(units)}) | {truth:.3f} | {alone.value:.3f} ({alone.low:.3f} to {alone.high:.3f}) "
            f"| {label_hit / runs:.2f}, {label_width / runs:.3f} | {hit / runs:.2f}, {width / runs:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    if len(sys.argv) > 2:
        on_labels([Path(name) for name in sys.argv[2:]], 100, runs)
        sys.exit()
    for propose, sizes in ((False, ((400, 30), (400, 100), (2000, 100))), (True, ((400, 100),))):
        print("drawn by the grader's uncertainty, half evenly" if propose else "even draw")
        for n, expected in sizes:
            table(n, expected, runs, propose, print)
