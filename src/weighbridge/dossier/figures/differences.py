"""Differences with their intervals, one row each, on one scale with the margin: for lists of comparisons."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from weighbridge.dossier.printing import points
from weighbridge.dossier.svg import Plots, Scale, bar, line, mark, text, upright
from weighbridge.evidence.records import Estimate

_HEIGHT, _MIDDLE, _AXIS = 42.0, 13.0, 26.0
_STEPS = (0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
_TICKS = 5  # steps, at most: what fits on a phone
_LEFT, _RIGHT = 4.0, 96.0


@dataclass(frozen=True)
class Difference:
    """One row: `spoken` is what a screen reader says of it. `judged` is the interval that the verdict stands on."""

    spoken: str
    estimate: Estimate
    judged: Estimate | None
    margin: float
    decides: bool


def difference_figures(rows: Sequence[Difference], plots: Plots) -> list[Markup]:
    """Return one plot a row, all on the same scale, in points of prompts; harm to the right."""
    low, high, step = _reach(rows)
    scale = Scale(low, high, _LEFT, _RIGHT)
    ticks = [number * step for number in range(round(low / step), round(high / step) + 1)]
    return [plots.plot(_HEIGHT, "Difference, with its interval", row.spoken, _row(scale, ticks, row)) for row in rows]


def _reach(rows: Sequence[Difference]) -> tuple[float, float, float]:
    ends = [0.0]
    for row in rows:
        ends.append(row.margin * 1.6)
        ends += [end for one in (row.estimate, row.judged) if one is not None for end in (one.low, one.high)]
    found = (0.0, 0.0, 0.0)
    for step in _STEPS:
        found = (math.floor(min(ends) / step) * step, math.ceil(max(ends) / step) * step, step)
        if (found[1] - found[0]) / step < _TICKS + 0.5:
            break
    return found


def _row(scale: Scale, ticks: Sequence[float], row: Difference) -> Iterator[Markup]:
    yield bar(scale, row.margin, scale.high, 2, _AXIS - 2, "zone risk")
    for tick in ticks:
        zero = round(tick, 9) == 0
        yield upright(scale(tick), 2, _AXIS, "zero" if zero else "grid")
        yield text(points(round(tick, 4), 0, 1.0), scale(tick), _AXIS + 13, "tick")
    yield upright(scale(row.margin), 0, _AXIS, "margin")
    if row.judged is not None:
        yield line(scale, row.judged.low, row.judged.high, _MIDDLE, "judged")
    kind = "interval" if row.decides else "interval thin"
    yield line(scale, row.estimate.low, row.estimate.high, _MIDDLE, kind)
    for end in (row.estimate.low, row.estimate.high):
        yield upright(scale(end), _MIDDLE - 5, _MIDDLE + 5, kind)
    yield mark("circle", scale(row.estimate.value), _MIDDLE, "dot risk" if row.decides else "dot hollow risk")
