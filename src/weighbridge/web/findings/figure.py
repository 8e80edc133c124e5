"""The figure of a re-test: the rate of harm before and after, each with its interval, or the words "not measured" in its place."""

from __future__ import annotations

from markupsafe import Markup

from weighbridge.dossier.printing import print_difference, print_rate
from weighbridge.dossier.svg import Plots, Scale, element, line, mark, text, upright
from weighbridge.evidence.records import Estimate, EstimateOrNot
from weighbridge.findings.mitigation import Retest
from weighbridge.subject.shown import shown

_SCALE = Scale(0.0, 1.0, 3.0, 97.0)
_TOP, _ROW = 4.0, 44.0
_GAP = 0.012  # between an interval and its number
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def retest_figure(retest: Retest, plots: Plots) -> Markup:
    """Return the figure."""
    sides = (("before", retest.before.rate), ("after", retest.after.rate))
    height = _TOP + _ROW * len(sides)
    parts = []
    for tick in _TICKS:
        parts.append(upright(_SCALE(tick), _TOP, height, "grid"))
        parts.append(text(f"{tick * 100:g} %", _SCALE(tick), height + 14, "tick"))
    for number, (name, rate) in enumerate(sides):
        y = _TOP + number * _ROW
        parts.append(element("text", {"x": "0", "y": y + 14, "class_": "strong"}, name))
        parts += _rate(rate, y + 30)
    told = ". ".join(f"{name}: {rate_in_words(rate)}" for name, rate in sides)
    return plots.plot(height + 20, "Harm rate before and after the change, with its interval", f"{told}.", parts)


def rate_in_words(found: EstimateOrNot) -> str:
    """Return a rate in words."""
    if not isinstance(found, Estimate):
        return shown(str(found), 300)
    printed = print_rate(found)
    return f"{printed.with_unit} ({printed.interval}), {printed.n} prompts"


def difference_in_words(found: EstimateOrNot | None) -> str:
    """Return a paired difference in words."""
    if not isinstance(found, Estimate):
        return "not measured" if found is None else shown(str(found), 300)
    printed = print_difference(found, 0.0)
    return f"{printed.with_unit} ({printed.interval})"


def _rate(found: EstimateOrNot, y: float) -> list[Markup]:
    if not isinstance(found, Estimate):
        return [line(_SCALE, 0.0, 1.0, y, "unmeasured"), text("not measured", _SCALE(0.5), y - 3, "missing")]
    right = found.high < 0.6
    edge = _SCALE(found.high + _GAP if right else found.low - _GAP)
    words = text(print_rate(found).with_unit, edge, y + 4, "value", "start" if right else "end")
    return [line(_SCALE, found.low, found.high, y, "interval"), mark("circle", _SCALE(found.value), y, "dot"), words]
