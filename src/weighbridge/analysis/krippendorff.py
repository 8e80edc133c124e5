"""Krippendorff's alpha: how far any number of raters agree, some of whom rated only some of the units.

Alpha is 1 when all agree, 0 when they agree as often as their ratings dealt out at random would, below 0 when they agree less. It stands on every
unit that two or more rated; a unit that one person rated says nothing of agreement. It is not measured, and never 0 or 1, where fewer than two units were
rated twice, or where all ratings are the same: agreement on a thing that never varied shows nothing.

The metric says how far two values lie apart: `nominal` (the same or not), `ordinal` (how many ratings lie between), `interval` (the square of the
difference).

Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability (the coincidence matrix, the metrics, the worked examples in the
tests); Krippendorff (2004), Content Analysis, 2nd ed., chapter 11. The interval is this project's: see `alpha`. Measured coverage: docs/methods/agreement.md.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from weighbridge.evidence.records import Estimate, EstimateOrNot, NotMeasured, Reason

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Value = str | bool | float

DRAWS = 2_000
SEED = 20_240_404
_CELLS_AT_ONCE = 4_000_000


class Metric(StrEnum):
    """How far two values lie apart."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


@dataclass(frozen=True, slots=True)
class Rating:
    """What one rater says of one unit. Who said nothing has no rating. `cluster`: what is drawn together, as the sides of one talk are; "": the unit."""

    unit: str
    rater: str
    value: Value
    cluster: str = ""


def alpha(
    ratings: Iterable[Rating], metric: Metric, level: float = 0.95, *, seed: int = SEED, draws: int = DRAWS
) -> EstimateOrNot:
    """Return alpha, at most 1, with an interval over units (over clusters, where they are named), or why it was not measured.

    Values are numbers for the metrics `ordinal` (their order counts) and `interval`. `n_planned` counts units with a rating, `n_measured` those with
    two or more. Raises `ValueError` when somebody rates a unit twice, or a value is no number where one is needed.

    The interval is a Bayesian bootstrap (units weighted at random, uniformly on the simplex; seeded) with one imagined unit more: for the low end
    one whose two ratings lie as far apart as any seen, for the high end one that agrees. So few units that agree are not certainty: it is to alpha
    what `bounded_mean` is to a mean (with one difference: alpha is a ratio, so it is approximate).

    >>> said = {"a": "yy", "b": "yy", "c": "nn", "d": "nn", "e": "yn", "f": "y"}
    >>> found = alpha([Rating(unit, str(n), v) for unit, vs in said.items() for n, v in enumerate(vs)], Metric.NOMINAL)
    >>> round(found.value, 2), found.low < 0.1, found.n_planned, found.n_measured
    (0.64, True, 6, 5)
    """
    by_unit, clusters = _by_unit(ratings)
    paired = [unit for unit, values in by_unit.items() if len(values) > 1]
    if len(paired) < 2:
        return _not_measured(
            f"{len(paired)} of {len(by_unit)} units were rated by two people or more, and 2 are needed"
        )
    values = _ordered({value for unit in paired for value in by_unit[unit].values()}, metric)
    if len(values) < 2:
        return _not_measured(
            f"all ratings of {len(paired)} units are the same: agreement shows only where something varies"
        )
    import numpy as np

    places = {value: number for number, value in enumerate(values)}
    counts = np.zeros((len(paired), len(values)))
    for row, unit in enumerate(paired):
        for value in by_unit[unit].values():
            counts[row, places[value]] += 1
    numbers = np.array([float(value) for value in values]) if metric is Metric.INTERVAL else None
    value = float(_alphas(counts, np.ones((1, len(paired))), metric, numbers)[0])
    low, high = _interval(counts, [clusters[unit] for unit in paired], metric, numbers, level, seed, draws)
    missing = len(by_unit) - len(paired)
    return Estimate(
        value=value,
        low=min(value, low),
        high=max(value, high),
        level=level,
        method=f"Krippendorff's alpha ({metric.value}), Bayesian bootstrap by unit with one imagined",
        n_planned=len(by_unit),
        n_measured=len(paired),
        missing={Reason.NOTHING_MEASURED: missing} if missing else {},
    )


def _not_measured(why: str) -> NotMeasured:
    return NotMeasured(reason=Reason.NOTHING_MEASURED, detail=f"alpha: {why}")


def _by_unit(ratings: Iterable[Rating]) -> tuple[dict[str, dict[str, Value]], dict[str, str]]:
    found: defaultdict[str, dict[str, Value]] = defaultdict(dict)
    clusters: dict[str, str] = {}
    for one in ratings:
        if one.rater in found[one.unit]:
            raise ValueError("a rater rates a unit once")
        found[one.unit][one.rater] = one.value
        clusters[one.unit] = one.cluster or one.unit
    return dict(sorted(found.items())), clusters


def _ordered(values: set[Value], metric: Metric) -> list[Value]:
    if metric is Metric.NOMINAL:
        return sorted(values, key=lambda value: (type(value).__name__, value))
    if any(isinstance(value, str) for value in values):
        raise ValueError(f"the metric {metric.value} is of numbers")
    if not all(math.isfinite(float(value)) for value in values):
        raise ValueError("a rating is a number, or is not there")
    return sorted(values, key=float)


def _interval(
    counts: Floats, clusters: Sequence[str], metric: Metric, numbers: Floats | None, level: float, seed: int, draws: int
) -> tuple[float, float]:
    """Return the ends: quantiles of alpha over random weights, each with one imagined unit, apart for the low end and agreed for the high one."""
    import numpy as np

    names = {name: place for place, name in enumerate(sorted(set(clusters)))}
    of = np.array([names[name] for name in clusters])
    first, second = _furthest(counts, metric)
    apart = np.zeros((1, counts.shape[1]))
    apart[0, [first, second]] = 1
    alike = np.zeros(
        (2, counts.shape[1])
    )  # half a unit of each, so that the imagined unit has the same values either way
    alike[0, first] = alike[1, second] = 2
    random = np.random.default_rng(seed)
    block = max(1, _CELLS_AT_ONCE // (len(clusters) + 2))
    lows, highs = [], []
    for start in range(0, draws, block):
        drawn = random.standard_exponential((min(block, draws - start), len(names) + 1))
        drawn *= (len(names) + 1) / drawn.sum(axis=1, keepdims=True)
        own, more = drawn[:, of], drawn[:, -1:] * (len(clusters) / len(names))  # an imagined cluster of usual size
        lows.append(_alphas(np.vstack([counts, apart]), np.hstack([own, more]), metric, numbers))
        highs.append(_alphas(np.vstack([counts, alike]), np.hstack([own, more / 2, more / 2]), metric, numbers))
    tail = (1 - level) / 2
    return (
        float(np.quantile(np.concatenate(lows), tail, method="lower")),
        float(np.quantile(np.concatenate(highs), 1 - tail, method="higher")),
    )


def _furthest(counts: Floats, metric: Metric) -> tuple[int, int]:
    """Return the two values that lie furthest apart: any two are as far for names, so those that are there most often."""
    if metric is not Metric.NOMINAL:
        return 0, counts.shape[1] - 1
    often = Counter(dict(enumerate(counts.sum(axis=0).tolist()))).most_common(2)
    return often[0][0], often[1][0]


def _alphas(counts: Floats, weights: Floats, metric: Metric, numbers: Floats | None) -> Floats:
    """Return alpha for each row of weights. `counts` (units, values): how many gave it each value; `weights` (draws, units); `numbers` (values,)."""
    import numpy as np

    raters = counts.sum(axis=1)  # (units,)
    totals = weights @ counts  # (draws, values): what the coincidence matrix has at its margin
    n = totals.sum(axis=1)
    if metric is Metric.NOMINAL:
        apart = weights @ ((raters**2 - (counts**2).sum(axis=1)) / (raters - 1))
        by_chance = n**2 - (totals**2).sum(axis=1)
        return np.asarray(1 - (n - 1) * apart / by_chance)
    # An ordinal distance is the difference of mid-ranks: the ratings between two values, and half of those that have them.
    scores = np.cumsum(totals, axis=1) - totals / 2 if numbers is None else np.broadcast_to(numbers, totals.shape)
    scores = (
        scores - ((totals * scores).sum(axis=1) / n)[:, None]
    )  # centred: squares of large numbers would lose their last digits
    sums, squares = scores @ counts.T, scores**2 @ counts.T  # (draws, units)
    apart = (weights * 2 * (raters * squares - sums**2) / (raters - 1)).sum(axis=1)
    by_chance = 2 * n * (totals * scores**2).sum(axis=1)
    return np.asarray(1 - (n - 1) * apart / by_chance)
