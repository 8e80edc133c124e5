"""The weights as a picture: layers down, roles across, so that a damaged tensor is seen at a glance.

A cell's shade says how far the spread of its values is from the middle of its role (median over layers), in doublings. Damage has a
sign of its own besides the colour: a cross for values that are no numbers, a ring for all zero or constant, a hatch for not measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from weighbridge.dossier.inspection import TensorFacts
from weighbridge.dossier.svg import Attribute, Plots, element, text

_ROW, _TOP, _LEFT = 16.0, 22.0, 8.0
MAX_ROLES, MAX_LAYERS = 24, 200
FULL_SHADE = 3.0  # doublings from the role's middle at which the shade is full
SIGNED_FROM = 1.5  # doublings from which a cell also has a sign: colour is never the only one


@dataclass(frozen=True)
class Cell:
    """One layer's tensor of one role. `doublings`: log2 of its deviation over the role's median; None where it has none."""

    doublings: float | None
    sign: str  # "", "nan", "constant", "unmeasured"
    said: str


@dataclass(frozen=True)
class Grid:
    """What the picture shows; `left_out` tensors have no layer or no role, or are beyond the bounds."""

    layers: tuple[int, ...]
    roles: tuple[str, ...]
    cells: Mapping[tuple[int, str], Cell]
    left_out: int


def grid_of(tensors: Sequence[TensorFacts]) -> Grid:
    """Return the grid of the matrices that have a layer and a role, at most `MAX_LAYERS` by `MAX_ROLES`."""
    placed = [each for each in tensors if each.layer is not None and each.role]
    by_role: dict[str, list[TensorFacts]] = {}
    for each in placed:
        by_role.setdefault(each.role or "", []).append(each)
    roles = sorted(by_role, key=lambda role: (-len(by_role[role]), role))[:MAX_ROLES]
    layers = sorted({each.layer for each in placed if each.layer is not None})[:MAX_LAYERS]
    kept = set(layers)
    cells: dict[tuple[int, str], Cell] = {}
    for role in roles:
        spreads = [each.deviation for each in by_role[role] if each.deviation]
        middle = median(spreads) if spreads else None
        for each in by_role[role]:
            if each.layer in kept and each.layer is not None:
                cells[each.layer, role] = _cell(each, middle)
    return Grid(tuple(layers), tuple(sorted(roles)), cells, len(tensors) - len(cells))


def _cell(each: TensorFacts, middle: float | None) -> Cell:
    bad = (each.nan or 0) + (each.inf or 0)
    if not each.measured:
        return Cell(None, "unmeasured", "values not measured")
    if bad:
        return Cell(None, "nan", f"{bad:,} of {each.elements:,} values are NaN or infinite")
    if each.minimum is not None and each.minimum == each.maximum and each.elements > 1:
        return Cell(None, "constant", f"every value is {each.minimum:g}")
    if not each.deviation or not middle:
        return Cell(None, "unmeasured", "no spread measured")
    doublings = math.log2(each.deviation / middle)
    return Cell(doublings, "", f"deviation {each.deviation:.3g}, {2**doublings:.2g} times the middle of its role")


def weights_figure(grid: Grid, plots: Plots) -> Markup:
    """Return the picture; empty where no tensor has a layer and a role."""
    if not grid.cells:
        return Markup("")
    width = (100.0 - _LEFT) / len(grid.roles)
    parts: list[Markup] = []
    for row, layer in enumerate(grid.layers):
        top = _TOP + row * _ROW
        if len(grid.layers) <= 40 or layer % 5 == 0:
            parts.append(text(str(layer), f"{_LEFT - 1:g}%", top + _ROW - 4, "tick", anchor="end"))
        for column, role in enumerate(grid.roles):
            if (cell := grid.cells.get((layer, role))) is not None:
                parts += _drawn(cell, _LEFT + column * width, width, top, f"layer {layer}, {role}: {cell.said}")
    for column in range(len(grid.roles)):
        middle = _LEFT + (column + 0.5) * width
        parts.append(text(str(column + 1), f"{middle:.2f}%", _TOP - 6, "tick"))
    damaged = sum(cell.sign in ("nan", "constant") for cell in grid.cells.values())
    description = f"{len(grid.layers)} layers by {len(grid.roles)} roles; {damaged} cells are damaged."
    height = _TOP + len(grid.layers) * _ROW + 4
    return plots.plot(height, "The weights, layers by roles", description, parts)


def _drawn(cell: Cell, left: float, width: float, top: float, said: str) -> list[Markup]:
    box: dict[str, Attribute] = {
        "x": f"{left + 0.15:.2f}%",
        "width": f"{max(width - 0.3, 0.2):.2f}%",
        "y": top + 1,
        "height": _ROW - 2,
    }
    title = element("title", {}, said)
    middle = f"{left + width / 2:.2f}%"
    if cell.doublings is not None:
        strength = min(abs(cell.doublings) / FULL_SHADE, 1.0)
        kind = "wider" if cell.doublings > 0 else "narrower"
        drawn = [
            element("rect", {**box, "class_": "cell"}, title),
            element("rect", {**box, "class_": f"cell {kind}", "opacity": round(strength, 2)}, title),
        ]
        if abs(cell.doublings) >= SIGNED_FROM:
            drawn.append(text("+" if cell.doublings > 0 else "−", middle, top + _ROW - 4, "sign"))
        return drawn
    signs = {"nan": "✕", "constant": "○", "unmeasured": ""}
    drawn = [element("rect", {**box, "class_": f"cell {cell.sign}"}, title)]
    if signs[cell.sign]:
        drawn.append(text(signs[cell.sign], middle, top + _ROW - 4, f"sign {cell.sign}"))
    return drawn
