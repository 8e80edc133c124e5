"""The forest plot: each row's value and the interval that holds together with all others, on one scale, less to the left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from weighbridge.dossier.svg import Plots, Scale, element, line, mark, text, upright
from weighbridge.registry.rankings.records import Of

MOST_DRAWN = 60
"""Rows that one figure shows: more are read in the table."""

_TOP, _ROW, _AXIS = 22.0, 40.0, 34.0
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
_TICKS = 6
_LEFT, _RIGHT = 3.0, 97.0


@dataclass(frozen=True)
class Drawn:
    """One row of the figure: its words, and where it lies."""

    rank: str
    label: str
    value: float
    low: float
    high: float


def forest(rows: Sequence[Drawn], of: Of, title: str, unit: str) -> Markup:
    """Return the figure of a page's rows."""
    rows = rows[:MOST_DRAWN]
    low, high, step = _reach(rows, of)
    scale = Scale(low, high, _LEFT, _RIGHT)
    bottom = _TOP + _ROW * len(rows)
    parts: list[Markup] = []
    ticks = [number * step for number in range(round(low / step), round(high / step) + 1)]
    for tick in ticks:
        for y in (_TOP - 8, bottom + 14):
            parts.append(text(_tick(tick, of), scale(tick), y, "tick"))
    parts.append(text(unit, scale((low + high) / 2), bottom + 31, "tick"))
    for number, row in enumerate(rows):
        y = _TOP + number * _ROW
        parts.append(element("text", {"x": "0", "y": y + 14, "class_": "strong"}, f"{row.rank}  {row.label}"))
        # The grid leaves the words free.
        parts += [upright(scale(tick), y + 19, y + 35, "grid" if round(tick, 9) else "axis") for tick in ticks]
        parts.append(line(scale, row.low, row.high, y + 27, "interval"))
        parts += [upright(scale(end), y + 22, y + 32, "interval") for end in (row.low, row.high)]
        parts.append(mark("circle", scale(row.value), y + 27, "dot risk"))
    told = f"{len(rows)} rows, each a value with its interval, in the order of the table below, which has the same numbers."
    return Plots().plot(bottom + _AXIS, title, told, parts)


def _reach(rows: Sequence[Drawn], of: Of) -> tuple[float, float, float]:
    ends = [0.0, 0.05, *(end for row in rows for end in (row.low, row.high))]
    low, high, step = (0.0, 1.0, 0.25) if of == "rate" else (-1.0, 1.0, 0.5)
    for step in _STEPS:
        low, high = math.floor(min(ends) / step + 1e-9) * step, math.ceil(max(ends) / step - 1e-9) * step
        if (high - low) / step < _TICKS + 0.5:
            break
    return low, high, step


def _tick(value: float, of: Of) -> str:
    number = round(value * 100, 6)
    if of == "rate":
        return f"{number:g}"
    return f"+{number:g}" if number > 0 else f"\u2212{-number:g}" if number < 0 else "0"
