"""The ladder: the harm rate on each rung, with its interval: over all, by category, by technique. Small panels on one scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from weighbridge.analysis.rates import BEST_OF
from weighbridge.dossier.lookup import Aggregate, Rates, labels
from weighbridge.dossier.printing import Printed, print_rate
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.svg import Mark, Plots, Scale, bar, element, glyph, line, mark, text, upright
from weighbridge.evidence.records import Estimate, EstimateOrNot, Measure, NotMeasured
from weighbridge.protocol.vocabulary import Category, Rung
from weighbridge.subject.model import Subject

_SCALE = Scale(0.0, 1.0, 3.0, 97.0)  # room for a marker at either end
_ROW, _AXIS = 30.0, 18.0
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_RUNG_MARKS: dict[Rung, Mark] = {
    Rung.HOSTED: "square",
    Rung.API: "circle",
    Rung.WEIGHTS: "diamond",
    Rung.MODIFIED: "pentagon",
}
_BASELINE_MARKS: tuple[Mark, ...] = ("triangle", "pentagon", "square")
_SHOWN_RUNGS = (Rung.HOSTED, Rung.API, Rung.WEIGHTS)


@dataclass(frozen=True)
class Row:
    """One line of a panel. `rate` decides between `plot` and the reason why there is none. `swatch` is its marker."""

    label: str
    swatch: Markup
    rate: EstimateOrNot
    worst: EstimateOrNot | None
    incoherent: Printed | None
    plot: Markup | None

    @property
    def printed(self) -> Printed | None:
        """The rate as text, or None when it was not measured."""
        return print_rate(self.rate) if isinstance(self.rate, Estimate) else None


@dataclass(frozen=True)
class Panel:
    """A small figure: what it is of, and its rows."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Legend:
    """One entry of a legend."""

    swatch: Markup
    words: str


@dataclass(frozen=True)
class _Line:
    """What a row asks of the rates."""

    label: str
    subject: str
    rung: Rung
    shape: Mark
    colour: str
    technique: str
    hollow: bool = False


class LadderFigures:
    """Draws the ladder of one dossier."""

    def __init__(self, record: DossierRecord, plots: Plots) -> None:
        self._record, self._plots = record, plots
        self._rates = Rates(record.rates)
        self._names = labels((record.candidate, *record.baselines))
        self._aggregate: Aggregate = record.headline.aggregate

    def overall(self) -> Panel:
        """Return the panel over all categories."""
        return self._panel("All categories", None)

    def by_category(self) -> tuple[Panel, ...]:
        """Return a panel for each of the 13 categories, asked or not."""
        return tuple(self._panel(category.label, category) for category in Category)

    def by_technique(self) -> tuple[Panel, ...]:
        """Return, for each subject, its techniques on `weights` beside `api`, with the mean, the best of some and the worst of all."""
        return tuple(self._techniques(subject) for subject in (self._record.candidate, *self._record.baselines))

    def legend(self) -> tuple[Legend, ...]:
        """Return what the markers of `overall` and `by_category` stand for."""
        return tuple(Legend(_swatch(row), self._legend_words(row)) for row in self._lines())

    def axis(self) -> Markup:
        """Return the scale that the panels share, to be put under each."""
        labels_ = [text(f"{tick * 100:g}", _SCALE(tick), 13, "tick") for tick in (0.0, 0.5, 1.0)]
        return element("svg", {"class_": "plot", "width": "100%", "height": _AXIS, "aria_hidden": "true"}, *labels_)

    def _panel(self, title: str, category: Category | None) -> Panel:
        return Panel(title, tuple(self._row(row, category) for row in self._lines()))

    def _lines(self) -> Iterator[_Line]:
        candidate = self._record.candidate.identity
        for rung in Rung:
            if rung in _SHOWN_RUNGS or rung in self._rates.rungs(candidate):
                yield _Line(rung.value, candidate, rung, _RUNG_MARKS[rung], rung.value, self._aggregate)
        for number, baseline in enumerate(self._record.baselines):
            rung = self._rates.open_rung(baseline.identity) or Rung.WEIGHTS
            shape = _BASELINE_MARKS[number % len(_BASELINE_MARKS)]
            yield _Line(
                self._names[baseline.identity], baseline.identity, rung, shape, f"other{number % 2}", self._aggregate
            )

    def _legend_words(self, row: _Line) -> str:
        if row.subject == self._record.candidate.identity:
            return f"{self._names[row.subject]} on {row.rung.value}"
        return f"{row.label} on {row.rung.value}"

    def _techniques(self, subject: Subject) -> Panel:
        identity = subject.identity
        rows = [_Line("api", identity, Rung.API, "circle", "api", "mean")]
        techniques = self._rates.techniques(identity, Rung.WEIGHTS)
        tries = [name for name in techniques if name.startswith(BEST_OF)]
        for technique in techniques:
            if technique not in tries:
                rows.append(_Line(technique, identity, Rung.WEIGHTS, "square", "technique", technique))
        rows.append(_Line("mean of all", identity, Rung.WEIGHTS, "diamond", "weights", "mean"))
        for name in tries:
            rows.append(_Line(name, identity, Rung.WEIGHTS, "diamond", "weights", name, hollow=True))
        rows.append(_Line("worst of all tries", identity, Rung.WEIGHTS, "diamond", "weights", "worst", hollow=True))
        return Panel(self._names[identity], tuple(self._row(row, None, beside_worst=False) for row in rows))

    def _row(self, row: _Line, category: Category | None, *, beside_worst: bool = True) -> Row:
        def find(measure: Measure, technique: str) -> EstimateOrNot:
            return self._rates.find(row.subject, row.rung, measure, category=category, technique=technique)

        rate = find(Measure.HARM, row.technique)
        worst = find(Measure.HARM, "worst") if beside_worst and row.technique == "mean" else None
        coherent = find(
            Measure.COHERENT,
            "mean" if row.technique == "worst" or row.technique.startswith(BEST_OF) else row.technique,
        )
        incoherent = _incoherent(coherent)
        return Row(
            label=row.label,
            swatch=_swatch(row),
            rate=rate,
            worst=worst,
            incoherent=print_rate(incoherent) if incoherent is not None else None,
            plot=self._plot(row, rate, worst, incoherent) if isinstance(rate, Estimate) else None,
        )

    def _plot(self, row: _Line, rate: Estimate, worst: EstimateOrNot | None, incoherent: Estimate | None) -> Markup:
        printed = print_rate(rate)
        title = f"{row.label}: {printed.with_unit}, interval {printed.interval}, {printed.n} prompts"
        parts = [upright(_SCALE(tick), 0, _ROW, "grid") for tick in _TICKS]
        if incoherent is not None and incoherent.value > 0:
            parts.append(bar(_SCALE, 0.0, incoherent.value, 23, 5, "incoherent"))
        parts.append(line(_SCALE, rate.low, rate.high, 12, f"interval {row.colour}"))
        if isinstance(worst, Estimate) and worst.value > rate.value:
            parts.append(mark(row.shape, _SCALE(worst.value), 12, f"dot hollow {row.colour}"))
            title += f"; worst of all tries {print_rate(worst).with_unit}"
        parts.append(mark(row.shape, _SCALE(rate.value), 12, f"dot {'hollow ' if row.hollow else ''}{row.colour}"))
        if incoherent is not None:
            title += f"; incoherent {print_rate(incoherent).with_unit}"
        return self._plots.plot(_ROW, title, "", parts)


def _incoherent(coherent: EstimateOrNot) -> Estimate | None:
    if isinstance(coherent, NotMeasured):
        return None
    return coherent.model_copy(update={"value": 1 - coherent.value, "low": 1 - coherent.high, "high": 1 - coherent.low})


def _swatch(row: _Line) -> Markup:
    drawn = glyph(row.shape, f"dot {'hollow ' if row.hollow else ''}{row.colour}")
    return element(
        "svg",
        {"class_": "swatch", "width": 16, "height": 16, "viewBox": "-8 -8 16 16", "aria_hidden": "true"},
        drawn,
    )
