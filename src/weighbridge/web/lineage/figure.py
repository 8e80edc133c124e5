"""The tree of a model and its kin as SVG: a line a model, indented under its parent, so that it is read on a phone and on paper alike."""

from __future__ import annotations

from markupsafe import Markup

from weighbridge.dossier.svg import Attribute, Plots, element
from weighbridge.registry.kin import Kin
from weighbridge.registry.lineage.told import Lack, percent
from weighbridge.subject.shown import shown
from weighbridge.web.lineage.tree import SHOWN, Tree

_ROW, _INDENT, _LEFT, _TOP = 44.0, 22.0, 10.0, 16.0
_LABEL, _OTHER = 36, 14  # letters


def figure(tree: Tree, plots: Plots) -> Markup:
    """Return the figure: an unbroken line is declared or shown by the bytes, a dashed one is the likeliest. The words of all of it are its description."""
    parts, told = [], []
    for number, row in enumerate(tree.rows):
        x, y = _LEFT + _INDENT * row.depth, _TOP + _ROW * number
        if row.above is not None:
            parts += _elbow(x, y, _TOP + _ROW * row.above, "axis" if row.because in SHOWN else "margin")
        words = _words(row.kin, row.others)
        parts += _node(x, y, row.label, words, is_me=row.kin is None)
        above = "" if row.above is None else f", under {shown(tree.rows[row.above].label, _LABEL)}, {row.because.value}"
        told.append(f"{shown(row.label, _LABEL)}: {words}{above}")
    start = len(tree.rows)
    for number, kin in enumerate(tree.beside):
        y = _TOP + _ROW * (start + number)
        words = f"{_words(kin, ())}; no known place"
        parts += _node(_LEFT, y, kin.label, words, is_me=False)
        told.append(f"{shown(kin.label, _LABEL)}: {words}")
    height = _ROW * (start + len(tree.beside)) + 4
    return plots.plot(height, "The model and its kin", ". ".join(told) + ".", parts)


def _words(kin: Kin | None, others: tuple[str, ...]) -> str:
    if kin is None:
        return "this model" + (f"; also from {', '.join(shown(each, _OTHER) for each in others)}" if others else "")
    if others:  # the number is in the table: a line is no longer than a phone
        return f"{kin.relation.value}; also from {', '.join(shown(each, _OTHER) for each in others)}"
    if kin.same_file:
        return f"{kin.relation.value}, a file in common"
    return (
        f"{kin.relation.value}, {percent(kin.probability)}"
        if isinstance(kin.probability, float)
        else kin.relation.value
    )


def _node(x: float, y: float, label: str, words: str, *, is_me: bool) -> list[Markup]:
    dot: dict[str, Attribute] = {"cx": x, "cy": y, "r": 5, "class_": "dot" if is_me else "ring"}
    name = shown(label, _LABEL)
    return [
        element("circle", dot),
        element("text", {"x": x + 12, "y": y + 4, "class_": "strong"}, name),
        element("text", {"x": x + 12, "y": y + 20}, words),
    ]


def _elbow(x: float, y: float, above: float, class_: str) -> list[Markup]:
    path = f"M{x - _INDENT:g} {above + 6:g}V{y:g}H{x - 6:g}"
    return [element("path", {"d": path, "fill": "none", "class_": class_})]


def lack_in_words(found: float | Lack) -> str:
    """Return a share of bits in words."""
    return f"not measured: {found.reason}" if isinstance(found, Lack) else f"{found * 100:.1f} %"
