"""Rates and differences corrected for the grader's errors, from human labels of some of the answers; and which to label next.

Prediction-powered inference: grades are cheap and may be wrong, labels are right and few. Every answer enters with its grade, and
the labelled ones put right what the grades get wrong on average, weighted by how likely they were to be drawn for labelling:

    z = lambda g + (y - lambda g) drawn / probability

has the mean of the labels y whatever the grades g are worth, and little spread where they are good. The unit is a prompt (a
cluster), whose answers are averaged; z of a unit is bounded, so the exact limits of `bounded_mean` hold for its mean in any sample,
where the usual normal interval covers too little when labels are few or errors are rare (docs/methods/grader-correction.md).

- Exactness: for answers drawn independently of one another, each with its stated probability (as `weighbridge calibrate --propose` draws).
- lambda is 1 or 0, both at half the error: the overlap is never much wider than labels alone would be, however bad the grader.
- Missing both ways: a grade or a drawn label that is not there counts as what makes each end of the interval wider. Taking a grade or
  a label away (and leaving the line) never narrows it.

Sources: Angelopoulos, Bates, Fannjiang, Jordan, Zrnic (2023), Science 382:669-674 (the idea); Angelopoulos, Duchi, Zrnic (2023), arXiv
2311.01453 (PPI++: lambda tuned by the data, used for the value); Zrnic, Candes (2024), arXiv 2403.03208 (unequal probabilities).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import NormalDist

from weighbridge.analysis.bounded_mean import lower_limit, upper_limit
from weighbridge.analysis.intervals import Interval

METHOD = "prediction-powered, Gaffke"
_LAMBDAS = (1.0, 0.0)
FLOOR = 0.5  # the share of the labels that is drawn evenly, so that no answer's probability is less than half of an even draw's


@dataclass(frozen=True, slots=True)
class Checked:
    """One answer of a unit. `grade` and `label` in [0, 1]; None: not there.

    `weight`: its share of the unit's mean; a unit's weights sum to 1. `drawn`: it was drawn for labelling, with `probability` in
    (0, 1]; a drawn answer may still be without its label, and the label of one that was not drawn is not used.
    """

    grade: float | None
    label: float | None = None
    drawn: bool = False
    probability: float = 1.0
    weight: float = 1.0


Unit = Sequence[Checked]


def corrected_rate(units: Sequence[Unit], level: float) -> Interval | None:
    """Return the mean of the labels over all units, in [0, 1], with its exact interval at `level`; None without any label.

    The value is PPI++'s (lambda tuned by the data), moved into the interval where it lies outside.

    >>> half_checked = [[Checked(0.0, 0.0, drawn=n % 2 == 0, probability=0.5)] for n in range(200)]
    >>> [round(x, 3) for x in corrected_rate(half_checked, 0.95)]
    [0.0, 0.0, 0.043]
    """
    if not _has_label(units):
        return None
    low, high = _limits([_signed(unit, 1) for unit in units], level)
    low, high = max(0.0, low), min(1.0, high)
    return Interval(min(high, max(low, _tuned(units)[0])), low, high)


def corrected_difference(pairs: Sequence[tuple[Unit, Unit]], level: float) -> Interval | None:
    """Return the mean of candidate minus baseline over units, in [-1, 1], with its exact interval; None without labels on both sides.

    `pairs`: for each unit the answers of both sides.
    """
    candidates, baselines = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if not _has_label(candidates) or not _has_label(baselines):
        return None
    low, high = _limits([[*_signed(one, 1), *_signed(other, -1)] for one, other in pairs], level)
    low, high = max(-1.0, low), min(1.0, high)
    value = _tuned(candidates)[0] - _tuned(baselines)[0]
    return Interval(min(high, max(low, value)), low, high)


def asymptotic_rate(units: Sequence[Unit], level: float) -> Interval | None:
    """Return PPI++'s estimate and its normal interval, for comparison: it may cover too little. None without any label.

    Ignores answers without a grade and drawn answers without a label.
    """
    if not _has_label(units):
        return None
    value, error = _tuned(units)
    reach = NormalDist().inv_cdf(0.5 + level / 2) * error
    return Interval(value, value - reach, value + reach)


_Signed = tuple[Checked, float]


def _signed(unit: Unit, sign: int) -> list[_Signed]:
    return [(answer, sign * answer.weight) for answer in unit]


def _has_label(units: Sequence[Unit]) -> bool:
    return any(answer.drawn and answer.label is not None for unit in units for answer in unit)


def _limits(units: Sequence[Sequence[_Signed]], level: float) -> tuple[float, float]:
    """Return the overlap of the exact limits for each lambda, each at its share of the error."""
    tail = (1 - level) / 2 / len(_LAMBDAS)
    lows, highs = [], []
    for tuned in _LAMBDAS:
        least = [fsum(_extent(answer, weight, tuned)[0] for answer, weight in unit) for unit in units]
        most = [fsum(_extent(answer, weight, tuned)[1] for answer, weight in unit) for unit in units]
        lowest = min(fsum(_reach(answer, weight, tuned)[0] for answer, weight in unit) for unit in units)
        highest = max(fsum(_reach(answer, weight, tuned)[1] for answer, weight in unit) for unit in units)
        lows.append(lower_limit(least, tail, lowest=lowest))
        highs.append(upper_limit(most, tail, highest=highest))
    low, high = max(lows), min(highs)
    return (low, high) if low <= high else (high, low)  # two intervals that miss each other: what lies between them


def _extent(answer: Checked, weight: float, tuned: float) -> tuple[float, float]:
    """Return the least and most that an answer may contribute, given what is known of it."""
    grades = (0.0, 1.0) if answer.grade is None else (answer.grade,)
    if answer.drawn:
        labels = (0.0, 1.0) if answer.label is None else (answer.label,)
        ends = [weight * (tuned * g + (y - tuned * g) / answer.probability) for g in grades for y in labels]
    else:
        ends = [weight * tuned * g for g in grades]
    return min(ends), max(ends)


def _reach(answer: Checked, weight: float, tuned: float) -> tuple[float, float]:
    """Return the least and most that an answer with this probability could contribute, whatever its grade, label and draw."""
    ends = (0.0, 1 / answer.probability, tuned * (1 - 1 / answer.probability), tuned)
    return min(weight * end for end in ends), max(weight * end for end in ends)


def _tuned(units: Sequence[Unit]) -> tuple[float, float]:
    """Return PPI++'s estimate and its standard error, with lambda tuned by the data and kept in [0, 1].

    The correction is a ratio of weighted sums (Hajek), which for an even draw is the mean over the labelled, as in PPI++.
    """
    rows = [
        (unit_number, answer.weight, answer.grade, answer.label if answer.drawn else None, answer.probability)
        for unit_number, unit in enumerate(units)
        for answer in unit
        if answer.grade is not None or (answer.drawn and answer.label is not None)
    ]
    graded = [(w, g) for _, w, g, _, _ in rows if g is not None]
    labelled = [(w / p, g, y) for _, w, g, y, p in rows if y is not None]
    both = [(v, g, y) for v, g, y in labelled if g is not None]
    mean_grade = _mean(graded) if graded else 0.0
    tuned = 0.0
    if len(both) > 1:
        middle_g, middle_y = _mean([(v, g) for v, g, _ in both]), _mean([(v, y) for v, _, y in both])
        spread = fsum(v * (g - middle_g) ** 2 for v, g, _ in both)
        shared = fsum(v * (g - middle_g) * (y - middle_y) for v, g, y in both)
        tuned = min(1.0, max(0.0, shared / spread)) if spread > 0 else 0.0
    rectified = [(v, y - tuned * g if g is not None else y) for v, g, y in labelled]
    correction = _mean(rectified)
    value = tuned * mean_grade + correction
    total, drawn = fsum(w for _, w, _, _, _ in rows), fsum(v for v, _ in rectified)
    by_unit: dict[int, float] = {}
    for number, weight, grade, label, probability in rows:
        part = weight * tuned * (grade - mean_grade) / total if grade is not None else 0.0
        if label is not None:
            part += weight / probability * (label - tuned * (grade or 0.0) - correction) / drawn
        by_unit[number] = by_unit.get(number, 0.0) + part
    return value, math.sqrt(fsum(part**2 for part in by_unit.values()))


def _mean(weighted: Sequence[tuple[float, float]]) -> float:
    return fsum(weight * value for weight, value in weighted) / fsum(weight for weight, _ in weighted)


def labelling_probabilities(worth: Sequence[float], expected: float) -> list[float]:
    """Return how likely each answer should be drawn, so that `expected` are drawn on average, by what its label is worth.

    `worth`: at least 0 each. A share `FLOOR` is drawn evenly, the rest in proportion to worth: no answer is left out, and an exact
    interval grows with the inverse of the least probability among its answers. That is why the worth should be of the comparison
    that an answer belongs to, not of the answer: drawing the answers that the grader is unsure of made intervals wider, not
    narrower (measured: docs/methods/grader-correction.md). With `expected` of at least all, every probability is 1. Raises
    `ValueError` for a negative worth or nothing expected.

    >>> labelling_probabilities([0.0, 0.5, 0.5, 0.0], expected=2)
    [0.25, 0.75, 0.75, 0.25]
    """
    if expected <= 0:
        raise ValueError("at least some answer must be expected to be drawn")
    if any(not value >= 0 for value in worth):
        raise ValueError("a label's worth is at least 0")
    n = len(worth)
    if expected >= n:
        return [1.0] * n
    even = FLOOR * expected / n
    return [even + part for part in _in_proportion(worth, (1 - FLOOR) * expected, 1 - even)]


def _in_proportion(worth: Sequence[float], expected: float, most: float) -> Iterator[float]:
    """Yield shares of `expected` in proportion to worth, none above `most`; evenly where nothing has worth."""
    total = fsum(worth)
    worth = list(worth) if total > 0 else [1.0] * len(worth)
    capped: set[int] = set()
    while True:
        rest = fsum(value for place, value in enumerate(worth) if place not in capped)
        left = expected - most * len(capped)
        scale = left / rest if rest > 0 else 0.0
        over = {place for place, value in enumerate(worth) if place not in capped and value * scale > most}
        if not over:
            break
        capped |= over
    spare = max(0.0, left) / max(1, len(worth) - len(capped)) if rest <= 0 else 0.0
    yield from (most if place in capped else min(most, value * scale + spare) for place, value in enumerate(worth))
