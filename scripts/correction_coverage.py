"""Coverage and width of intervals for a rate with human labels for some answers: the table of docs/methods/grader-correction.md.

    python scripts/correction_coverage.py [RUNS]

Each run draws N answers (one a prompt) with true labels, a grader with given errors, and an even draw of about n labels. Methods: the
grades alone (Wilson); the labels alone (Clopper and Pearson); PPI++ with its normal interval; the exact interval that ships.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import fsum

import numpy as np

from weighbridge.analysis.correction import (
    Checked,
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
        [Checked(float(g), float(y) if d else None, bool(d), p)]
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


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    for propose, sizes in ((False, ((400, 30), (400, 100), (2000, 100))), (True, ((400, 100),))):
        print("drawn by the grader's uncertainty, half evenly" if propose else "even draw")
        for n, expected in sizes:
            table(n, expected, runs, propose, print)
