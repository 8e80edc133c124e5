"""What a dossier says that these documents need: each value as text, with the place in the dossier that it comes from. Nothing is worked out anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from weighbridge.dossier.figures.balance import AGGREGATE_WORDS
from weighbridge.dossier.lookup import Rates, find_comparison
from weighbridge.dossier.printing import count, print_difference, print_rate
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.tables import gap_groups
from weighbridge.dossier.wording import REASONS, uncalibrated, unchecked_grades, verdict_words
from weighbridge.evidence.records import Estimate, EstimateOrNot, Measure, NotMeasured, Reason
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verdict

NOT_FOUND = "not found"


@dataclass(frozen=True)
class Row:
    """One thing that the dossier says. `source` is the place in dossier.json, or "dossier.json" where it says nothing of it."""

    what: str
    value: str
    source: str


@dataclass(frozen=True)
class RungRow:
    """What was measured on one rung, each with interval and number of prompts, or why not."""

    rung: str
    between: str
    harm: str
    worst: str
    refused: str
    coherent: str
    benign: str


def model_rows(record: DossierRecord) -> Iterator[Row]:
    """Yield what the model is, as found in its files."""
    one = record.candidate
    yield Row("Name (a label)", one.label, "candidate.label")
    yield Row("Identity", one.digest or f"{one.identity} (no digest: an endpoint has none)", "candidate.digest")
    yield Row("Where it was found", one.kind.value, "candidate.kind")
    yield Row("Architecture", one.architecture or NOT_FOUND, "candidate.architecture")
    parameters = NOT_FOUND if one.parameters is None else count(one.parameters)
    yield Row("Parameters", parameters, "candidate.parameters")
    yield Row("Quantisation", one.quantisation or NOT_FOUND, "candidate.quantisation")
    template = {None: "cannot be told", True: "found", False: "not found"}[one.chat_template]
    yield Row("Chat template", template, "candidate.chat_template")
    if not one.components:
        yield Row("Licence", NOT_FOUND, "candidate.components")
    for number, part in enumerate(one.components):
        yield Row(f"Licence of: {part.name}", part.licence or NOT_FOUND, f"candidate.components[{number}].licence")
    if not any("data" in part.name.lower() for part in one.components):
        yield Row("Training data", "not found among the model's components", "candidate.components")
    for number, note in enumerate(one.notes):
        yield Row("Note", note, f"candidate.notes[{number}]")


def file_rows(record: DossierRecord) -> Iterator[Row]:
    """Yield what reading the model's files said."""
    for number, read in enumerate(record.files_read):
        if read.subject == record.candidate.identity:
            found = ", ".join(f"{count(many)} {severity}" for severity, many in read.findings.items() if many)
            place = f"files_read[{number}]"
            yield Row(
                "Findings in its files",
                found or ("none" if not read.not_examined else "none in what was examined"),
                f"{place}.findings",
            )
            yield Row("Things in its files that were not examined", count(read.not_examined), f"{place}.not_examined")
            return
    yield Row("Findings in its files", "not measured: the files were not read", "files_read")


def rung_rows(record: DossierRecord) -> Iterator[RungRow]:
    """Yield each rung of the ladder, those on which nothing was measured too."""
    rates, identity = Rates(record.rates), record.candidate.identity
    gaps = {gap.where: gap.why for gap in record.gaps if gap.subject == identity}

    def told(rung: Rung, measure: Measure, technique: str = "mean", *, benign: bool = False) -> str:
        found = rates.find(identity, rung, measure, technique=technique, benign=benign)
        if isinstance(found, NotMeasured) and found.reason is Reason.NOT_IN_PROTOCOL:
            found = gaps.get(rung.value, found)
        return rate_words(found)

    for rung in Rung:
        yield RungRow(
            rung.value,
            rung.label,
            told(rung, Measure.HARM),
            told(rung, Measure.HARM, "worst"),
            told(rung, Measure.REFUSED),
            told(rung, Measure.COHERENT),
            told(rung, Measure.ANSWERED, benign=True),
        )


def category_rows(record: DossierRecord) -> tuple[str, tuple[tuple[str, str, str], ...]]:
    """Return the most open rung that was measured ("" when none was), and for each category its harm rate and its verdict over the deciding
    contrast there."""
    rates, identity = Rates(record.rates), record.candidate.identity
    rung = rates.open_rung(identity)
    if rung is None:
        return "", ()
    head, first = record.headline, record.baselines[0].identity if record.baselines else None
    baseline = first if head.contrast is Contrast.COUNTERFACTUAL else None
    rows = []
    for category in Category:
        rate = rates.find(identity, rung, Measure.HARM, category=category, technique=head.aggregate)
        compared = find_comparison(
            record.comparisons,
            head.contrast,
            Measure.HARM,
            aggregate=head.aggregate,
            scope=category.value,
            baseline=baseline,
        )
        if compared is None:
            verdict = "not measured: not compared"
        elif isinstance(compared.estimate, NotMeasured):
            verdict = rate_words(compared.estimate)
        else:
            printed = print_difference(compared.estimate, compared.margin)
            verdict = f"{verdict_words(compared.verdict)} ({printed.with_unit}, {printed.interval}, n {printed.n})"
        rows.append((category.label, rate_words(rate), verdict))
    return rung.value, tuple(rows)


def verdict_counts(record: DossierRecord, contrast: Contrast) -> dict[Verdict | None, int]:
    """Return for how many of the categories the comparison of harm came out how; None: it was not measured."""
    first = record.baselines[0].identity if record.baselines else None
    baseline = first if contrast is Contrast.COUNTERFACTUAL else None
    counts: dict[Verdict | None, int] = {}
    for category in Category:
        found = find_comparison(
            record.comparisons,
            contrast,
            Measure.HARM,
            aggregate=record.headline.aggregate,
            scope=category.value,
            baseline=baseline,
        )
        verdict = found.verdict if found is not None and isinstance(found.estimate, Estimate) else None
        counts[verdict] = counts.get(verdict, 0) + 1
    return counts


def contrast_words(record: DossierRecord, contrast: Contrast) -> str:
    """Return how the categories came out over one contrast, in words."""
    words = {
        Verdict.MATERIAL_INCREASE: "material increase",
        Verdict.UNDECIDED: "undecided",
        Verdict.NO_MATERIAL_INCREASE: "no material increase",
        None: "not measured",
    }
    counts = verdict_counts(record, contrast)
    return ", ".join(f"{counts[verdict]} {said}" for verdict, said in words.items() if verdict in counts)


def testing_rows(record: DossierRecord) -> Iterator[Row]:
    """Yield how it was tested."""
    suite, grader = record.suite, record.grader
    yield Row(
        "Verdict", f"{verdict_words(record.headline.verdict)} ({record.headline.contrast.value})", "headline.verdict"
    )
    yield Row("Protocol", f"{record.protocol_name}, {record.protocol}", "protocol_name, protocol")
    yield Row("Prompts", f"{suite.name} {suite.version}, {suite.digest}", "suite")
    planned = f"{count(suite.harm_prompts)} that ask for harm, {count(suite.twins)} benign look-alikes"
    yield Row("Prompts planned", planned, "suite.harm_prompts, suite.twins")
    yield Row("Grader", grader.identity, "grader.identity")
    yield Row("Grader checked against people", grader.calibration or "not measured", "grader.calibration")
    for contrast in Contrast:
        compared = "the same model on api" if contrast is Contrast.OPENING else "the first alternative"
        yield Row(f"Harm, 13 categories, against {compared}", contrast_words(record, contrast), "comparisons")
    if not record.baselines:
        yield Row("What the world already has", "not measured: no baseline was named", "baselines")
    for number, other in enumerate(record.baselines):
        yield Row("Compared with", other.label, f"baselines[{number}].label")


def limits(record: DossierRecord) -> Iterator[Row]:
    """Yield what the evidence cannot say."""
    for group in gap_groups(record):
        entries = [f"{who}, {where}" for who, where, _, _ in group.entries]
        more = f"; and {len(entries) - 8} more" if len(entries) > 8 else ""
        yield Row("Not measured", f"{group.words}: {'; '.join(entries[:8])}{more}", "gaps")
    if record.grader.blind_verbs:
        verbs = ", ".join(verb.value for verb in record.grader.blind_verbs)
        yield Row("Not measured", f"{verbs}: the grader cannot see it", "grader.blind_verbs")
    unchecked = unchecked_grades(record.grader)
    if unchecked:
        said = f"grades for {', '.join(unchecked)} were not checked against human labels"
        yield Row("Read the differences, not the levels", said, "grader.calibrated_verbs, grader.calibrated_refusals")
    for number, note in enumerate(record.suite.notes):
        yield Row("About the prompts", note, f"suite.notes[{number}]")
    yield Row(
        "Differences between groups of people", "not measured: no part of this dossier compares groups", "dossier.json"
    )
    yield Row(
        "What the weights remember of personal data", "not measured: no part of this dossier looks", "dossier.json"
    )


def open_points(record: DossierRecord) -> Iterator[Row]:
    """Yield what the evidence leaves to whoever deploys the model. Facts, no advice."""
    rates, identity = Rates(record.rates), record.candidate.identity
    rung = rates.open_rung(identity)
    for where in dict.fromkeys((Rung.API, rung)):
        if where is None:
            continue
        refused = rates.find(identity, where, Measure.REFUSED)
        yield Row(f"Harm prompts that the model itself refuses on {where.value}", rate_words(refused), "rates")
        harm = rates.find(identity, where, Measure.HARM, technique="worst")
        yield Row(f"Harm rate on {where.value}, {AGGREGATE_WORDS['worst']}", rate_words(harm), "rates")
    if rung is None:
        yield Row("Refusals of the model itself", "not measured on any rung", "rates")
    hosted = rates.find(identity, Rung.HOSTED, Measure.HARM)
    yield Row("Effect of a system prompt and filters around it", rate_words(hosted), "rates")
    benign = rates.find(identity, Rung.API, Measure.ANSWERED, benign=True)
    yield Row("Benign requests that it answers on api", rate_words(benign), "rates")
    yield Row("Mitigations already in place", "none is recorded in this dossier", "dossier.json")


def flagged(record: DossierRecord) -> bool:
    """Return whether harm rates stand on grades that were not checked against people."""
    return bool(uncalibrated(record.grader))


def rate_words(rate: EstimateOrNot) -> str:
    """Return a rate with interval, level and number of prompts, or why there is none.

    >>> rate_words(NotMeasured(reason=Reason.NO_GUARD))
    'not measured: no system prompt file was given'
    """
    if isinstance(rate, NotMeasured):
        return f"not measured: {REASONS[rate.reason]}"
    printed = print_rate(rate)
    return f"{printed.with_unit} ({printed.interval} at {rate.level * 100:g}\u202f%, n {printed.n})"
