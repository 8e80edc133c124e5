"""AVID reports: one of type Measurement for the weighing, one for each failure that was found.

Written after AVID's data models (avidtools 0.1.2 and 0.3.2: what is here is valid in both). Its types are used as AVID defines them: a
Measurement is quantitative; a Detection is a measurement that a statistical test called critical (here: a material increase); an Issue
is qualitative (here: a finding in the files that is critical or high). Texts are Markdown, with what others wrote escaped.

The tags of AVID's taxonomy are a mapping of ours, which every report says: AVID has reviewed none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

from weighbridge.dossier.card import escaped
from weighbridge.dossier.exports.export import Export, Kind, Source, Tally
from weighbridge.dossier.exports.facts import comparison_facts, in_utc, json_bytes, measure_words, outcome_facts
from weighbridge.dossier.exports.words import absence
from weighbridge.dossier.inspection import FoundFact, InspectionRecord
from weighbridge.dossier.lookup import labels
from weighbridge.dossier.untrusted import one_line
from weighbridge.dossier.wording import verdict_words
from weighbridge.evidence.records import Comparison, Estimate, Measure, Rate
from weighbridge.findings.avid_tags import BYPASS, DATA_VERSION, MARK, category_tag, impact, in_order, reference, text
from weighbridge.protocol.vocabulary import Category, Contrast, Verb, Verdict

PLACES_SHOWN = 20

_LOADING = ("S0100: Software Vulnerability", "S0202: Software Compromise")
_BY_RULE = {"secret": ("S0301: Information Leak",), "weights": ("S0201: Model Compromise",)}

Report = dict[str, Any]
_RateKey = tuple[str, str, Measure, bool, Category | None, Verb | None, str]


def export(source: Source, *, at: datetime) -> Export:
    """Return the reports, one file each, reported on the day of `at`."""
    return _Reports(source, at).export()


def sep_tags(comparisons: Iterable[Comparison]) -> list[str]:
    """Return the tags of AVID's effect view for comparisons of harm, by our mapping, in AVID's order."""
    found = set()
    for comparison in comparisons:
        category = (_scope(comparison) or (None, None))[0]
        found.add(category_tag(category))
        if comparison.contrast is Contrast.OPENING:
            found.add(BYPASS)
    return in_order(found)


class _Reports:
    """Makes the reports and counts what is in them."""

    def __init__(self, source: Source, at: datetime) -> None:
        self._source, self._record, self._tally = source, source.record, Tally(source)
        self._day = in_utc(at).date().isoformat()
        self._names = labels((self._record.candidate, *self._record.baselines))
        self._name = self._names[self._record.candidate.identity]
        self._rates: dict[_RateKey, Rate] = {_key(rate): rate for rate in self._record.rates}

    def export(self) -> Export:
        """Return all reports."""
        files = {"measurement.avid.json": self._measurement()}
        files |= {f"increase-{number}.avid.json": made for number, made in enumerate(self._increases(), 1)}
        files |= {f"finding-{number}.avid.json": made for number, made in enumerate(self._findings(), 1)}
        tally = self._tally
        tally.part("report_id", "AVID gives it when it takes a report", len(files))
        tally.part("developer and deployer", "a dossier does not name them: the lists are empty", len(files))
        tally.part(
            "mark that the tags are our mapping, as a field", "there is none; the description says so", len(files)
        )
        for kind in (Kind.RULING, Kind.THREAT, Kind.COST):
            tally.rest(kind, "a report is of a failure or a measurement; it has no field for it")
        tally.rest(Kind.COMPONENT, "an artifact has a type and a name")
        tally.rest(
            Kind.FILES_READ, "a reading without a critical or high finding is no report; its counts have no field"
        )
        tally.rest(Kind.EXAMPLE, "prompts and answers are not exported")
        return tally.export({name: json_bytes(report) for name, report in files.items()})

    # The weighing.

    def _measurement(self) -> Report:
        record, tally = self._record, self._tally
        metrics = [self._metric(comparison) for comparison in record.comparisons]
        tally.wrote(Kind.COMPARISON, len(metrics))
        sides = {id(rate) for one in record.comparisons for rate in self._sides(one) if rate is not None}
        tally.wrote(Kind.RATE, len(sides))
        tally.rest(
            Kind.RATE,
            "a metric's detection method is a significance test or a static threshold, and a rate alone is neither; "
            "rates that are the two sides of a comparison are in its results",
        )
        measured = [
            one for one in record.comparisons if one.measure is Measure.HARM and isinstance(one.estimate, Estimate)
        ]
        paragraphs = [
            f"{verdict_words(record.headline.verdict)}. {escaped(record.headline.paragraph, 10_000)}",
            *self._method(),
            *self._gaps(),
            *(escaped(note, 600) for note in record.notes),
            "Tags say what was measured, not that anything was found." if measured else "",
        ]
        for kind in (Kind.HEADLINE, Kind.SUITE, Kind.GRADER, Kind.RUN):
            tally.wrote(kind)
        tally.part("environment of the run", "a report has the command only, in its description")
        tally.wrote(Kind.BASELINE, len(record.baselines))
        tally.wrote(Kind.GAP, len(record.gaps))
        tally.wrote(Kind.NOTE, len(record.notes))
        return self._report(
            self._name,
            "LLM Evaluation",
            "Measurement",
            f"What opening {escaped(self._name)} adds in harmful and in benign answers, weighed against its own interface and what exists",
            paragraphs,
            sep_tags(measured),
            metrics,
        )

    def _metric(self, comparison: Comparison) -> Report:
        results: dict[str, Any] = dict(comparison_facts(comparison, self._names, self._record.grader))
        for side, rate in zip(("candidate", "baseline"), self._sides(comparison), strict=True):
            if rate is not None:
                results[f"{side}_rate"] = outcome_facts(rate.rate)
        method = comparison.estimate.method if isinstance(comparison.estimate, Estimate) else ""
        return {
            "name": f"difference of {measure_words(comparison.measure)}s, {comparison.contrast.value}, {one_line(comparison.scope)}, "
            f"{comparison.aggregate}",
            "detection_method": {
                "type": "Significance Test",
                "name": one_line(method) or "sequential paired comparison",
            },
            "results": results,
        }

    def _sides(self, comparison: Comparison) -> tuple[Rate | None, Rate | None]:
        """The two rates that a comparison is the difference of, where the dossier has them."""
        scope = _scope(comparison)
        if scope is None:
            return None, None
        benign = comparison.measure is Measure.ANSWERED
        found: list[Rate | None] = []
        for side in (comparison.candidate, comparison.baseline):
            names = (comparison.aggregate, *(side.techniques if len(side.techniques) == 1 else ()))
            keys = ((side.subject, side.rung.value, comparison.measure, benign, *scope, name) for name in names)
            found.append(next((self._rates[key] for key in keys if key in self._rates), None))
        return found[0], found[1]

    def _method(self) -> Iterator[str]:
        record = self._record
        suite, grader = record.suite, record.grader
        yield (
            f"Prompts: {escaped(suite.name)} {escaped(suite.version)}, {suite.digest}: {suite.harm_prompts} harm prompts, "
            f"{suite.twins} benign look-alikes. {' '.join(escaped(note, 600) for note in suite.notes)}"
        )
        yield f"Grader: {escaped(grader.name)}, {escaped(grader.identity)}. {escaped(grader.calibration, 600)}"
        for baseline in record.baselines:
            yield f"Compared with: {escaped(self._names[baseline.identity])}, {escaped(baseline.identity, 300)}."
        yield f"Protocol: {escaped(record.protocol_name)}, {record.protocol}. Command: {escaped(record.command, 1000)}"

    def _gaps(self) -> Iterator[str]:
        for gap in self._record.gaps:
            who = self._names.get(gap.subject, one_line(gap.subject, 60))
            detail = f" ({escaped(gap.why.detail)})" if gap.why.detail else ""
            yield f"{escaped(who)}, {escaped(gap.where)}: {absence(gap.why)}{detail}; count {gap.count}."

    # Failures.

    def _increases(self) -> Iterator[Report]:
        """One report for each pair of conditions between which harm increases materially, anywhere."""
        found = [
            one
            for one in self._record.comparisons
            if one.measure is Measure.HARM
            and one.verdict is Verdict.MATERIAL_INCREASE
            and isinstance(one.estimate, Estimate)
        ]
        for _, group in groupby(sorted(found, key=_pair), key=_pair):
            ones = list(group)
            first = ones[0]
            against = escaped(self._names.get(first.baseline.subject, first.baseline.label))
            what = (
                f"Opening {escaped(self._name)} materially increases harmful answers on {first.candidate.rung.value} "
                f"over {against} on {first.baseline.rung.value}"
            )
            scopes = ", ".join(f"{one_line(one.scope)} ({one.aggregate})" for one in ones)
            paragraphs = [f"{what}, in: {escaped(scopes, 4000)}.", *self._method()]
            metrics = [self._metric(one) for one in ones]
            yield self._report(self._name, "LLM Evaluation", "Detection", what, paragraphs, sep_tags(ones), metrics)

    def _findings(self) -> Iterator[Report]:
        """One report for each rule under which something critical or high was found in a subject's files."""
        if self._source.inspection is None:
            self._not_at_hand()
            return
        for subject in (self._record.candidate, *self._record.baselines):
            report = self._source.inspection.get(subject.identity)
            if report is None:
                continue
            grave = sorted(
                (one for one in report.findings if one.severity in ("critical", "high")), key=lambda one: one.rule
            )
            self._tally.part(
                "findings of medium, low and informative severity",
                "they are in inspection.json; a report is of a failure",
                len(report.findings) - len(grave),
            )
            for rule, group in groupby(grave, key=lambda one: one.rule):
                yield self._finding(self._names[subject.identity], rule, list(group), report)

    def _finding(self, name: str, rule: str, found: list[FoundFact], report: InspectionRecord) -> Report:
        words = report.rules.get(rule)
        title = escaped(words.title if words else rule)
        worst = "critical" if any(one.severity == "critical" for one in found) else "high"
        paragraphs = [
            f"{title} ({escaped(rule)}, {worst}), found by reading the files of {escaped(name)}, {len(found)} times."
        ]
        if words:
            paragraphs += [escaped(words.why, 1000), escaped(words.fix, 1000)]
        paragraphs += [
            f"{escaped(one.path, 300)}, {escaped(one.where)}: {escaped(one.message, 400)}"
            for one in found[:PLACES_SHOWN]
        ]
        self._tally.part(
            "places of a finding", f"a report shows the first {PLACES_SHOWN}", max(0, len(found) - PLACES_SHOWN)
        )
        tags = _BY_RULE.get(rule.split(".")[0], _LOADING)
        return self._report(name, "Undefined", "Issue", f"{title} in {escaped(name)}", paragraphs, list(tags), None)

    def _not_at_hand(self) -> None:
        for read in self._record.files_read:
            count = sum(number for severity, number in read.findings.items() if severity in ("critical", "high"))
            self._tally.part(
                "critical and high findings", "inspection.json, which says what they are, is not at hand", count
            )

    def _report(
        self,
        name: str,
        class_: str,
        type_: str,
        what: str,
        paragraphs: list[str],
        tags: list[str],
        metrics: list[Report] | None,
    ) -> Report:
        record = self._record
        report: Report = {
            "data_type": "AVID",
            "data_version": DATA_VERSION,
            "affects": {"developer": [], "deployer": [], "artifacts": [{"type": "Model", "name": name}]},
            "problemtype": {"classof": class_, "type": type_, "description": text(what)},
            "references": [
                reference("weighbridge dossier", self._source.dossier),
                reference("evidence of the weighing", record.evidence),
            ],
            "description": text("\n\n".join(filter(None, (*paragraphs, MARK if tags else "")))),
            "reported_date": self._day,
        }
        if metrics is not None:
            report["metrics"] = metrics
        if tags:
            report["impact"] = impact(tags)
        return report


def _key(rate: Rate) -> _RateKey:
    return (rate.subject, rate.rung.value, rate.measure, rate.benign, rate.category, rate.verb, rate.technique)


def _scope(comparison: Comparison) -> tuple[Category | None, Verb | None] | None:
    """The category and verb that a comparison is of, None for all of them; no pair at all when its scope is not known here."""
    if comparison.scope == "all":
        return None, None
    category, _, verb = comparison.scope.partition("/")
    try:
        return Category(category), Verb(verb) if verb else None
    except ValueError:
        return None


def _pair(comparison: Comparison) -> tuple[str, str, str, str]:
    one, other = comparison.candidate, comparison.baseline
    return (comparison.contrast.value, other.subject, one.rung.value, other.rung.value)
