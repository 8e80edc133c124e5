"""Rates and differences corrected for the grader's errors, from human labels of some of the answers; and which to label next.

Prediction-powered inference: grades are cheap and may be wrong, labels are right and few. Every answer enters with its grade, and
the labelled ones put right what the grades get wrong on average, weighted by how likely they were to be drawn for labelling:

    z = lambda g + (y - lambda g) drawn / probability

has the mean of the labels y whatever the grades g are worth, and little spread where they are good. The unit is a prompt (a
cluster), whose answers are averaged: it is drawn as a whole, and then one answer of it (or more) at random, whose label stands for
them. z of a unit is bounded, so the exact limits of `bounded_mean` hold for its mean in any sample, where the usual normal interval
covers too little when labels are few or errors are rare (docs/methods/grader-correction.md).

- Exactness: for units drawn independently of one another, each with its stated probability (as `weighbridge calibrate --propose` draws).
- lambda is 1 or 0, both at half the error: the overlap is never much wider than labels alone would be, however bad the grader.
- Missing both ways: a grade or a drawn label that is not there counts as what makes each end of the interval wider. Taking a grade or
  a label away (and leaving the line) never narrows it.

Sources: Angelopoulos, Bates, Fannjiang, Jordan, Zrnic (2023), Science 382:669-674 (the idea); Angelopoulos, Duchi, Zrnic (2023), arXiv
2311.01453 (PPI++: lambda tuned by the data, used for the value); Zrnic, Candes (2024), arXiv 2403.03208 (unequal probabilities).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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

    `weight`: its share of the unit's mean; a unit's weights sum to 1. `drawn`: it was drawn for labelling, though the label may be
    missing; the label of one that was not drawn is not used. `lost`: there is no answer that anybody could label. `name`: its key.
    """

    grade: float | None
    label: float | None = None
    drawn: bool = False
    weight: float = 1.0
    lost: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """The answers of one prompt under one condition. `probability` in (0, 1]: how likely it was that any of them was drawn."""

    answers: tuple[Checked, ...]
    probability: float = 1.0

    @property
    def kept(self) -> float:
        """The share of its mean that somebody could label."""
        return fsum(answer.weight for answer in self.answers if not answer.lost)

    @property
    def drawn(self) -> list[Checked]:
        """The answers that were drawn for labelling."""
        return [answer for answer in self.answers if answer.drawn and not answer.lost]

    @property
    def labels(self) -> int:
        """How many of its answers people labelled."""
        return sum(answer.label is not None for answer in self.drawn)


def corrected_rate(units: Sequence[Unit], level: float) -> Interval | None:
    """Return the mean of the labels over all units, in [0, 1], with its exact interval at `level`; None without any label.

    The value is PPI++'s (lambda tuned by the data), moved into the interval where it lies outside.

    >>> half_checked = [Unit((Checked(0.0, 0.0, drawn=n % 2 == 0),), probability=0.5) for n in range(200)]
    >>> [round(x, 3) for x in corrected_rate(half_checked, 0.95)]
    [0.0, 0.0, 0.043]
    """
    if not any(unit.labels for unit in units):
        return None
    even = len({unit.probability for unit in units if unit.kept}) == 1
    low, high = _limits([[(unit, 1)] for unit in units], level, alone=units if even else None)
    low, high = max(0.0, low), min(1.0, high)
    return Interval(min(high, max(low, _tuned(units)[0])), low, high)


def corrected_difference(pairs: Sequence[tuple[Unit, Unit]], level: float) -> Interval | None:
    """Return the mean of candidate minus baseline over units, in [-1, 1], with its exact interval; None without labels on both sides.

    `pairs`: for each unit both sides of it.
    """
    candidates, baselines = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if not any(unit.labels for unit in candidates) or not any(unit.labels for unit in baselines):
        return None
    low, high = _limits([[(one, 1), (other, -1)] for one, other in pairs], level)
    low, high = max(-1.0, low), min(1.0, high)
    value = _tuned(candidates)[0] - _tuned(baselines)[0]
    return Interval(min(high, max(low, value)), low, high)


def asymptotic_rate(units: Sequence[Unit], level: float) -> Interval | None:
    """Return PPI++'s estimate and its normal interval, for comparison: it may cover too little. None without any label.

    Ignores answers without a grade and drawn answers without a label.
    """
    if not any(unit.labels for unit in units):
        return None
    value, error = _tuned(units)
    reach = NormalDist().inv_cdf(0.5 + level / 2) * error
    return Interval(value, value - reach, value + reach)


def _limits(
    rows: Sequence[Sequence[tuple[Unit, int]]], level: float, *, alone: Sequence[Unit] | None = None
) -> tuple[float, float]:
    """Return the overlap of the exact limits for each lambda, each at its share of the error; a row is a unit's signed sides.

    With units drawn evenly (`alone`), those that were drawn stand for all by themselves, and better than lambda 0: their number
    does not count. A unit that nobody could label is among them, as the worst for either end.
    """
    tail = (1 - level) / 2 / len(_LAMBDAS)
    lows, highs = [], []
    if alone is not None:
        extents = [_of_labels(unit) for unit in alone if unit.drawn or not unit.kept]
        lows.append(lower_limit([low for low, _ in extents], tail, lowest=0.0))
        highs.append(upper_limit([high for _, high in extents], tail, highest=1.0))
    for tuned in _LAMBDAS if alone is None else _LAMBDAS[:1]:
        extents = [_added([_turned(_extent(unit, tuned), sign) for unit, sign in row]) for row in rows]
        reaches = [_added([_turned(_reach(unit, tuned), sign) for unit, sign in row]) for row in rows]
        lows.append(lower_limit([low for low, _ in extents], tail, lowest=min(low for low, _ in reaches)))
        highs.append(upper_limit([high for _, high in extents], tail, highest=max(high for _, high in reaches)))
    low, high = max(lows), min(highs)
    return (low, high) if low <= high else (high, low)  # two intervals that miss each other: what lies between them


_Ends = tuple[float, float]


def _turned(ends: _Ends, sign: int) -> _Ends:
    return ends if sign > 0 else (-ends[1], -ends[0])


def _added(ends: Sequence[_Ends]) -> _Ends:
    return fsum(low for low, _ in ends), fsum(high for _, high in ends)


def _extent(unit: Unit, tuned: float) -> _Ends:
    """Return the least and most that z of a unit may be, given what is known of its answers."""
    drawn = unit.drawn
    kept, total = unit.kept, fsum(answer.weight for answer in drawn)
    low = high = 0.0
    for answer in unit.answers:
        if answer.lost:
            high += answer.weight
            continue
        standing = kept / unit.probability * answer.weight / total if answer.drawn else 0.0  # for what it stands
        ends = [tuned * (answer.weight - standing) * grade for grade in _known(answer.grade)]
        low, high = low + min(ends), high + max(ends)
        if answer.drawn:
            ends = [standing * label for label in _known(answer.label)]
            low, high = low + min(ends), high + max(ends)
    return low, high


def _of_labels(unit: Unit) -> _Ends:
    """Return the least and most that the labels of a drawn unit may be on average."""
    return _extent(Unit(tuple(replace(answer, grade=0.0) for answer in unit.answers)), 0.0)


def _known(value: float | None) -> tuple[float, ...]:
    return (0.0, 1.0) if value is None else (value,)


def _reach(unit: Unit, tuned: float) -> _Ends:
    """Return the least and most that z of a unit with this probability could be, whatever its grades, labels and draw."""
    least = min(answer.weight for answer in unit.answers)
    ends = (0.0, tuned * (least - 1 / unit.probability), 1 / unit.probability + tuned * (1 - least), 1.0)
    return min(ends), max(ends)


def _tuned(units: Sequence[Unit]) -> tuple[float, float]:
    """Return PPI++'s estimate and its standard error, with lambda tuned by the data and kept in [0, 1].

    The correction is a ratio of weighted sums (Hajek), which for an even draw is the mean over the labelled, as in PPI++.
    """
    grades = {n: grade for n, unit in enumerate(units) if (grade := _of(unit.answers, "grade")) is not None}
    drawn = [
        (n, 1 / unit.probability, _of(labelled, "grade"), label)
        for n, unit in enumerate(units)
        if (labelled := [answer for answer in unit.drawn if answer.label is not None])
        and (label := _of(labelled, "label")) is not None
    ]
    mean_grade = fsum(grades.values()) / len(grades) if grades else 0.0
    both = [(weight, grade, label) for _, weight, grade, label in drawn if grade is not None]
    tuned = 0.0
    if len(both) > 1:
        middle_g, middle_y = _mean([(w, g) for w, g, _ in both]), _mean([(w, y) for w, _, y in both])
        spread = fsum(w * (g - middle_g) ** 2 for w, g, _ in both)
        shared = fsum(w * (g - middle_g) * (y - middle_y) for w, g, y in both)
        tuned = min(1.0, max(0.0, shared / spread)) if spread > 0 else 0.0
    rectified = {n: (w, y - tuned * (g if g is not None else mean_grade)) for n, w, g, y in drawn}
    correction = _mean(list(rectified.values()))
    total = fsum(weight for weight, _ in rectified.values())
    parts = [
        (tuned * (grades[n] - mean_grade) / len(grades) if n in grades else 0.0)
        + (rectified[n][0] * (rectified[n][1] - correction) / total if n in rectified else 0.0)
        for n in range(len(units))
    ]
    return tuned * mean_grade + correction, math.sqrt(fsum(part**2 for part in parts))


def _of(answers: Sequence[Checked], field: str) -> float | None:
    """Return the weighted mean of the answers' grades or labels that are there; None when none is."""
    found = [(answer.weight, value) for answer in answers if (value := getattr(answer, field)) is not None]
    return _mean(found) if found else None


def _mean(weighted: Sequence[tuple[float, float]]) -> float:
    return fsum(weight * value for weight, value in weighted) / fsum(weight for weight, _ in weighted)


def labelling_probabilities(worth: Sequence[float], expected: float) -> list[float]:
    """Return how likely each unit should be drawn, so that `expected` are drawn on average, by what its label is worth.

    `worth`: at least 0 each. A share `FLOOR` is drawn evenly, the rest in proportion to worth: no unit is left out, and an exact
    interval grows with the inverse of the least probability among its units. That is why the worth should be of the comparison
    that a unit belongs to, not of its answers: drawing the answers that the grader is unsure of made intervals wider, not
    narrower (measured: docs/methods/grader-correction.md). With `expected` of at least all, every probability is 1. Raises
    `ValueError` for a negative worth or nothing expected.

    >>> labelling_probabilities([0.0, 0.5, 0.5, 0.0], expected=2)
    [0.25, 0.75, 0.75, 0.25]
    """
    if expected <= 0:
        raise ValueError("at least some unit must be expected to be drawn")
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
        # Divided before it is multiplied: the smallest worth there is would make `left / rest` infinite.
        shares = [left * (value / rest) if rest > 0 else 0.0 for value in worth]
        over = {place for place, share in enumerate(shares) if place not in capped and share > most}
        if not over:
            break
        capped |= over
    spare = max(0.0, left) / max(1, len(worth) - len(capped)) if rest <= 0 else 0.0
    yield from (most if place in capped else min(most, share + spare) for place, share in enumerate(shares))
