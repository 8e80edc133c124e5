"""What the page and the card put in tables: rates and comparisons picked from a record, with a reason wherever there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from weighbridge.dossier.figures.balance import AGGREGATE_WORDS, Weight
from weighbridge.dossier.lookup import AGGREGATES, Rates, find_comparison, labels
from weighbridge.dossier.printing import THIN, Printed, count, print_rate
from weighbridge.dossier.record import DossierRecord, Gap
from weighbridge.dossier.wording import REASONS, uncalibrated
from weighbridge.evidence.records import Comparison, Estimate, EstimateOrNot, Measure, NotMeasured, Reason
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verb
from weighbridge.subject.model import Subject

_ALL = "All prompts"


@dataclass(frozen=True)
class RateCell:
    """A rate in a table. Exactly one of `printed` and `why` is there."""

    printed: Printed | None
    why: NotMeasured | None

    @classmethod
    def of(cls, rate: EstimateOrNot) -> RateCell:
        """Return the cell that shows `rate`."""
        return cls(print_rate(rate), None) if isinstance(rate, Estimate) else cls(None, rate)


@dataclass(frozen=True)
class KeyNumber:
    """A number that a reader takes home. `flagged`: it rests on grades that were not checked against human labels."""

    label: str
    cell: RateCell
    flagged: bool = False


@dataclass(frozen=True)
class RateTable:
    """Rows of rates under `columns`. A flagged row rests on grades that were not checked against human labels."""

    caption: str
    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, bool, tuple[RateCell, ...]], ...]


@dataclass(frozen=True)
class ComparisonRow:
    """One scope: by the aggregate that decides, and by the other."""

    scope: str
    weights: tuple[Weight, Weight]
    pairs: str
    missing: str
    needed: str


@dataclass(frozen=True)
class ComparisonTable:
    """One contrast of two conditions by one measure, over all prompts and by category."""

    caption: str
    levels: str
    decides: bool
    rows: tuple[ComparisonRow, ...]


@dataclass(frozen=True)
class GapGroup:
    """Everything that was not measured for one reason. `entries`: subject, where, detail, how many."""

    reason: Reason
    words: str
    entries: tuple[tuple[str, str, str, str], ...]


def key_numbers(record: DossierRecord) -> tuple[KeyNumber, ...]:
    """Return the candidate's six key numbers."""
    rates, identity = Rates(record.rates), record.candidate.identity
    flagged, refusals = bool(uncalibrated(record.grader)), record.grader.calibrated_refusals is False
    average, worst = AGGREGATE_WORDS["mean"], AGGREGATE_WORDS["worst"]

    def cell(rung: Rung, measure: Measure, technique: str = "mean", *, benign: bool = False) -> RateCell:
        return RateCell.of(rates.find(identity, rung, measure, technique=technique, benign=benign))

    return (
        KeyNumber("Harm rate on api", cell(Rung.API, Measure.HARM), flagged),
        KeyNumber(f"Harm rate on weights, {average}", cell(Rung.WEIGHTS, Measure.HARM), flagged),
        KeyNumber(f"Harm rate on weights, {worst}", cell(Rung.WEIGHTS, Measure.HARM, "worst"), flagged),
        KeyNumber("Harm prompts refused on api", cell(Rung.API, Measure.REFUSED), refusals),
        KeyNumber("Harm prompts refused on weights", cell(Rung.WEIGHTS, Measure.REFUSED), refusals),
        KeyNumber("Benign look-alikes answered on api", cell(Rung.API, Measure.ANSWERED, benign=True), refusals),
    )


def verb_table(record: DossierRecord) -> RateTable:
    """Return the harm rate by verb, on each rung of the candidate and on each baseline's most open rung."""
    flags = uncalibrated(record.grader)
    columns = tuple(_harm_columns(record))
    rates = Rates(record.rates)
    rows = tuple(
        (
            verb.value,
            verb in flags,
            tuple(RateCell.of(_verb_rate(record, rates, identity, rung, verb)) for _, identity, rung in columns),
        )
        for verb in Verb
    )
    return RateTable("Harm rate by verb, all categories", "Verb", tuple(name for name, _, _ in columns), rows)


def cell_table(record: DossierRecord) -> RateTable:
    """Return the harm rate by category and verb, in the columns of `verb_table`."""
    flags = uncalibrated(record.grader)
    columns = tuple(_harm_columns(record))
    rates = Rates(record.rates)
    rows = tuple(
        (
            f"{category.label}: {verb.value}",
            verb in flags,
            tuple(
                RateCell.of(_verb_rate(record, rates, identity, rung, verb, category)) for _, identity, rung in columns
            ),
        )
        for category in Category
        for verb in Verb
    )
    return RateTable("Harm rate by category and verb", "Category: verb", tuple(name for name, _, _ in columns), rows)


def twin_table(record: DossierRecord) -> RateTable:
    """Return how benign look-alikes were answered, by subject and rung."""
    rates = Rates(record.rates)
    subjects = (record.candidate, *record.baselines)
    names = labels(subjects)
    measures = (Measure.ANSWERED, Measure.REFUSED, Measure.COHERENT)
    rows = tuple(
        (
            f"{names[subject.identity]} on {rung.value}",
            record.grader.calibrated_refusals is False,
            tuple(RateCell.of(rates.find(subject.identity, rung, measure, benign=True)) for measure in measures),
        )
        for subject in subjects
        for rung in rates.rungs(subject.identity)
    )
    columns = ("answered", "refused, of coherent answers", "coherent")
    return RateTable("Benign look-alikes", "Model and rung", columns, rows)


def comparison_tables(record: DossierRecord, measure: Measure) -> tuple[ComparisonTable, ...]:
    """Return a table for each contrast of `measure`, in the record's order; none when nothing was compared."""
    names = labels((record.candidate, *record.baselines))
    pairs = _unique((comparison.contrast, comparison.baseline.subject) for comparison in record.comparisons)
    return tuple(
        table
        for contrast, baseline in pairs
        if (table := _comparison_table(record, contrast, baseline, measure, names)) is not None
    )


def gap_groups(record: DossierRecord) -> tuple[GapGroup, ...]:
    """Return what was not measured, grouped by reason."""
    names = labels((record.candidate, *record.baselines))

    def reason(gap: Gap) -> Reason:
        return gap.why.reason

    return tuple(
        GapGroup(
            why,
            REASONS[why],
            tuple((names.get(gap.subject, gap.subject), gap.where, gap.why.detail, count(gap.count)) for gap in gaps),
        )
        for why, gaps in groupby(sorted(record.gaps, key=lambda gap: list(Reason).index(gap.why.reason)), key=reason)
    )


def missing_words(missing: Mapping[Reason, int]) -> str:
    """Return what is missing, by reason; "none" when nothing is.

    >>> missing_words({Reason.INCOHERENT: 12, Reason.TIMED_OUT: 1})
    '12 incoherent, 1 timed out'
    """
    return ", ".join(f"{count(number)} {reason.value}" for reason, number in missing.items() if number) or "none"


def _harm_columns(record: DossierRecord) -> Iterator[tuple[str, str, Rung]]:
    """Yield (heading, identity, rung) of everything whose harm rate is shown side by side."""
    rates, subjects = Rates(record.rates), (record.candidate, *record.baselines)
    names = labels(subjects)
    for rung in rates.rungs(record.candidate.identity):
        yield f"{names[record.candidate.identity]} on {rung.value}", record.candidate.identity, rung
    for baseline in record.baselines:
        rung = rates.open_rung(baseline.identity) or Rung.WEIGHTS
        yield f"{names[baseline.identity]} on {rung.value}", baseline.identity, rung


def _verb_rate(
    record: DossierRecord, rates: Rates, identity: str, rung: Rung, verb: Verb, category: Category | None = None
) -> EstimateOrNot:
    rate = rates.find(identity, rung, Measure.HARM, verb=verb, category=category, technique=record.headline.aggregate)
    if isinstance(rate, NotMeasured) and rate.reason is Reason.NOT_IN_PROTOCOL:
        # The rung as a whole may know better why: say "no guard" and not "not in protocol".
        whole = rates.find(identity, rung, Measure.HARM, technique=record.headline.aggregate)
        return whole if isinstance(whole, NotMeasured) else rate
    return rate


def _comparison_table(
    record: DossierRecord, contrast: Contrast, baseline: str, measure: Measure, names: Mapping[str, str]
) -> ComparisonTable | None:
    aggregate = record.headline.aggregate
    order = (aggregate, AGGREGATES[1 - AGGREGATES.index(aggregate)])
    rows, first = [], None
    for scope, label in (("all", _ALL), *((category.value, category.label) for category in Category)):
        found = [
            find_comparison(record.comparisons, contrast, measure, aggregate=which, scope=scope, baseline=baseline)
            for which in order
        ]
        if not any(found):
            continue
        first = first or found[0] or found[1]
        one, other = (
            Weight(which, AGGREGATE_WORDS[which], comparison) for which, comparison in zip(order, found, strict=True)
        )
        pairs = one.printed.n if one.printed else "none"
        rows.append(ComparisonRow(label, (one, other), pairs, _missing(found[0]), _needed(found[0])))
    if first is None:
        return None
    return ComparisonTable(
        _caption(first, names), _levels(rows), _decides(record, contrast, baseline, measure), tuple(rows)
    )


def _caption(comparison: Comparison, names: Mapping[str, str]) -> str:
    what = "harm rate" if comparison.measure is Measure.HARM else "benign look-alikes answered"
    one, other = comparison.candidate, comparison.baseline
    return (
        f"{comparison.contrast.value.capitalize()}, {what}: {names.get(one.subject, one.label)} on {one.rung.value} "
        f"minus {names.get(other.subject, other.label)} on {other.rung.value}"
    )


def _levels(rows: Sequence[ComparisonRow]) -> str:
    """Say at which level the intervals are, and that rows looked at together have a stricter one."""
    levels = {
        row.scope: weight.estimate.level
        for row in rows
        for weight in row.weights
        if isinstance(weight.estimate, Estimate)
    }
    whole = sorted({level for scope, level in levels.items() if scope == _ALL})
    parts = sorted({level for scope, level in levels.items() if scope != _ALL})
    if whole == parts or not (whole and parts):
        return f"Intervals at {_percents(whole or parts)}." if levels else ""
    return (
        f"Intervals at {_percents(whole)} over all prompts and at {_percents(parts)} by category: many rows are looked at, so "
        "each is held to a stricter level."
    )


def _percents(levels: Sequence[float]) -> str:
    return " and ".join(f"{level * 100:.4g}{THIN}%" for level in levels)


def _decides(record: DossierRecord, contrast: Contrast, baseline: str, measure: Measure) -> bool:
    if contrast is not record.headline.contrast or measure is not Measure.HARM:
        return False
    return contrast is Contrast.OPENING or baseline == record.baselines[0].identity


def _missing(comparison: Comparison | None) -> str:
    if comparison is None or isinstance(comparison.estimate, NotMeasured):
        return "all"
    return missing_words(comparison.estimate.missing)


def _needed(comparison: Comparison | None) -> str:
    """After how many prompts it was decided, or how many would be expected to decide it."""
    if comparison is not None and comparison.decided_after is not None:
        return f"decided after {count(comparison.decided_after)}"
    if comparison is None or comparison.prompts_needed is None:
        return "\u2013"
    return f"about {count(comparison.prompts_needed)}"


def _unique(pairs: Iterable[tuple[Contrast, str]]) -> list[tuple[Contrast, str]]:
    return list(dict.fromkeys(pairs))


def subjects_of(record: DossierRecord) -> tuple[Subject, ...]:
    """Return the candidate and the baselines."""
    return (record.candidate, *record.baselines)
