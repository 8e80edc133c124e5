"""The figure of a notice: the harm rate on each of the four rungs with its interval, or the words "not measured" in its place."""

from __future__ import annotations

from markupsafe import Markup

from weighbridge.dossier.printing import print_rate
from weighbridge.dossier.svg import Mark, Plots, Scale, element, line, mark, text, upright
from weighbridge.evidence.records import Estimate, EstimateOrNot
from weighbridge.registry.notices import Facts

_SCALE = Scale(0.0, 1.0, 3.0, 97.0)  # room for a marker at either end
_TOP, _ROW = 4.0, 62.0
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def ladder(facts: Facts, plots: Plots) -> Markup:
    """Return the figure of one dossier's rates."""
    parts = []
    height = _TOP + _ROW * len(facts.rungs)
    for tick in _TICKS:
        parts.append(upright(_SCALE(tick), _TOP, height, "grid"))
        parts.append(text(f"{tick * 100:g} %", _SCALE(tick), height + 14, "tick"))
    told = []
    for number, rung in enumerate(facts.rungs):
        y = _TOP + number * _ROW
        parts.append(element("text", {"x": "0", "y": y + 14, "class_": "strong"}, rung.rung.value))
        parts += _rate(rung.mean, y + 28, "circle", "dot")
        parts += _rate(rung.worst, y + 48, "diamond", "dot risk")
        told.append(
            f"{rung.rung.value}: {rate_in_words(rung.mean)}; worst technique of each prompt: {rate_in_words(rung.worst)}"
        )
    return plots.plot(height + 20, "Harm rate on each rung, with its interval", ". ".join(told) + ".", parts)


def rate_in_words(found: EstimateOrNot) -> str:
    """Return a rate in words."""
    if not isinstance(found, Estimate):
        return str(found)
    printed = print_rate(found)
    return f"{printed.with_unit} ({printed.interval}), {printed.n} prompts"


def _rate(found: EstimateOrNot, y: float, shape: Mark, class_: str) -> list[Markup]:
    if not isinstance(found, Estimate):
        return [line(_SCALE, 0.0, 1.0, y, "unmeasured"), text("not measured", _SCALE(0.5), y - 3, "missing")]
    printed = print_rate(found)
    right = found.high < 0.6
    place = {"x": _SCALE(found.high if right else found.low), "dx": 6 if right else -6, "y": y + 4}
    words = element("text", {**place, "text_anchor": "start" if right else "end"}, printed.with_unit)
    return [line(_SCALE, found.low, found.high, y, "interval"), mark(shape, _SCALE(found.value), y, class_), words]
