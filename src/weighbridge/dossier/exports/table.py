"""Tidy CSV tables (RFC 4180, UTF-8, a header line each): one row one thing, one column one fact.

`rates.csv`, `comparisons.csv`, `gaps.csv`, `standards.csv` and `rulings.csv` (one requirement a row), `components.csv`, `costs.csv`,
and `dossier.csv` (name, value) for what there is one of. Whether there is a number is a word in `status`: "measured" or "not measured", and then the cells for numbers are
empty, never 0. Text that others wrote starts no formula when a spreadsheet opens the file: an apostrophe goes before it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from weighbridge.dossier.exports.export import Export, Kind, Source, Tally
from weighbridge.dossier.exports.facts import in_utc
from weighbridge.dossier.exports.words import missing_of, number, reading_of, techniques, unchecked
from weighbridge.dossier.lookup import labels
from weighbridge.dossier.tables import subjects_of
from weighbridge.dossier.untrusted import one_line
from weighbridge.dossier.wording import unchecked_grades, verdict_words
from weighbridge.evidence.records import Estimate, EstimateOrNot, NotMeasured, Reason

MEASURED, NOT_MEASURED = "measured", "not measured"
_JOINED = " | "
_ESTIMATE = (
    "status",
    "reason",
    "detail",
    "value",
    "low",
    "high",
    "level",
    "method",
    "n_planned",
    "n_measured",
    "missing",
)
# Where a spreadsheet may see a formula begin: at the start of a cell, or after what it might take for a separator. The wide forms
# are read as the narrow ones by some.
_FORMULA = re.compile(r"(^|[,;|\t]\s*)([\"']*)(?=[=+\-@\t\r＝＋－＠])")


def export(source: Source, *, at: datetime) -> Export:
    """Return the tables. `at` is not used: the tables give the time of the weighing."""
    record, tally = source.record, Tally(source)
    tables: dict[str, tuple[Sequence[str], Iterable[Sequence[str]]]] = {
        "rates": (
            (
                "subject",
                "label",
                "rung",
                "measure",
                "prompts",
                "category",
                "verb",
                "technique",
                *_ESTIMATE,
                "grades_not_checked",
            ),
            _rates(source),
        ),
        "comparisons": (_COMPARISON, _comparisons(source)),
        "gaps": (("subject", "label", "where", "status", "reason", "detail", "count"), _gaps(source)),
        "standards": (_STANDARD, _standards(source)),
        "rulings": (_RULING, _rulings(source)),
        "components": (_COMPONENT, _components(source)),
        "costs": (_COST, _costs(source)),
        "dossier": (("name", "value"), _facts(source)),
    }
    for kind in Kind:
        if kind not in (Kind.EXAMPLE, Kind.THREAT):
            tally.wrote(kind, source.inventory()[kind])
    tally.part("notes on a subject", "they are in dossier.json", sum(len(each.notes) for each in subjects_of(record)))
    tally.rest(Kind.THREAT, "a sheet is a text, not a table; it is on the dossier's page")
    tally.rest(Kind.EXAMPLE, "prompts and answers are not exported")
    return tally.export({f"{name}.csv": _csv(header, rows) for name, (header, rows) in tables.items()})


def cell(text: str, limit: int = 1000) -> str:
    """Return text of others for one cell: one line, nothing hidden, no formula.

    >>> cell("=1+1"), cell("a;=1+1"), cell("ten - two")
    ("'=1+1", "a;'=1+1", 'ten - two')
    """
    return _FORMULA.sub(r"\1'\2", one_line(text, limit))


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _estimate(outcome: EstimateOrNot) -> tuple[str, ...]:
    if not isinstance(outcome, Estimate):
        return (NOT_MEASURED, outcome.reason.value, cell(outcome.detail), *[""] * (len(_ESTIMATE) - 3))
    numbers = (number(outcome.value), number(outcome.low), number(outcome.high), number(outcome.level))
    counts = (str(outcome.n_planned), str(outcome.n_measured), missing_of(outcome) or "none")
    return (MEASURED, "", "", *numbers, cell(outcome.method), *counts)


def _rates(source: Source) -> Iterator[Sequence[str]]:
    names = _labels(source)
    for rate in source.record.rates:
        yield (
            cell(rate.subject),
            names.get(rate.subject, ""),
            rate.rung.value,
            rate.measure.value,
            "benign look-alikes" if rate.benign else "harm prompts",
            rate.category.value if rate.category else "all",
            rate.verb.value if rate.verb else "all",
            cell(rate.technique),
            *_estimate(rate.rate),
            unchecked(source.record.grader, rate.measure, rate.verb) or "none",
        )


_SIDE = ("subject", "label", "rung", "techniques")
_COMPARISON = (
    *("contrast", "measure", "scope", "aggregate"),
    *(f"candidate_{name}" for name in _SIDE),
    *(f"baseline_{name}" for name in _SIDE),
    *("margin", "verdict", *_ESTIMATE),
    *(f"judged_{name}" for name in _ESTIMATE),
    *("taken", "decided_after", "log_e_no_increase", "log_e_increase", "prompts_needed", "grades_not_checked"),
)


def _comparisons(source: Source) -> Iterator[Sequence[str]]:
    names = _labels(source)
    for one in source.record.comparisons:
        measured = isinstance(one.estimate, Estimate)
        sides = [
            (
                cell(side.subject),
                names.get(side.subject) or cell(side.label),
                side.rung.value,
                cell(techniques(side.techniques)),
            )
            for side in (one.candidate, one.baseline)
        ]
        nothing = NotMeasured(reason=Reason.NOTHING_MEASURED)
        yield (
            one.contrast.value,
            one.measure.value,
            cell(one.scope),
            one.aggregate,
            *sides[0],
            *sides[1],
            number(one.margin),
            one.verdict.value if measured else NOT_MEASURED,
            *_estimate(one.estimate),
            *_estimate(one.judged or nothing),
            str(one.taken),
            _count(one.decided_after),
            "" if one.log_e_no_increase is None else number(one.log_e_no_increase),
            "" if one.log_e_increase is None else number(one.log_e_increase),
            _count(one.prompts_needed),
            unchecked(source.record.grader, one.measure) or "none",
        )


def _gaps(source: Source) -> Iterator[Sequence[str]]:
    names = _labels(source)
    for gap in source.record.gaps:
        why = (NOT_MEASURED, gap.why.reason.value, cell(gap.why.detail))
        yield (cell(gap.subject), names.get(gap.subject, ""), cell(gap.where), *why, str(gap.count))


_STANDARD = (
    *(
        "standard",
        "title",
        "publisher",
        "version",
        "digest",
        "in_force",
        "superseded_by",
        "subject",
        "at",
        "context",
    ),
    *("ruling", "because", "reached", "levels", "notes"),
)


def _standards(source: Source) -> Iterator[Sequence[str]]:
    for one in source.rulings:
        yield (
            cell(one.standard),
            cell(one.title),
            cell(one.publisher),
            cell(one.version),
            one.standard_digest,
            "yes" if one.in_force else "no",
            cell(one.superseded_by or "none"),
            cell(one.subject),
            in_utc(one.at).isoformat(),
            _joined(f"{name}={value}" for name, value in sorted(one.context.items())),
            one.ruling.value,
            cell(one.because),
            cell(one.reached or "none"),
            _joined(f"{level.level}: {level.ruling.value}" for level in one.levels),
            _joined(one.notes),
        )


_RULING = (
    *(
        "standard",
        "version",
        "requirement",
        "title",
        "topic",
        "strength",
        "ruling",
        "partial",
        "because",
        "would_change",
        "used",
    ),
    *("lacking", "cited", "provenance", "remarks", "says"),
)


def _rulings(source: Source) -> Iterator[Sequence[str]]:
    for standard in source.rulings:
        for one in standard.requirements:
            yield (
                cell(standard.standard),
                cell(standard.version),
                cell(one.requirement),
                cell(one.title),
                cell(one.topic),
                one.strength.value,
                one.ruling.value,
                "yes" if one.partial else "no",
                cell(one.because),
                _joined(one.would_change),
                _joined(f"{used.name}: {used.shown} ({used.source})" for used in one.used),
                _joined(f"{lacking.name}: {lacking.why}" for lacking in one.lacking),
                cell(one.cited),
                one.provenance.value,
                _joined(one.remarks),
                cell(one.says),
            )


_COMPONENT = ("subject", "label", "role", "component", "status", "licence", "path", "size_bytes", "digest")


def _components(source: Source) -> Iterator[Sequence[str]]:
    """One row a file; a component without files, and a subject without components, have one row that says so."""
    names = _labels(source)
    for subject in subjects_of(source.record):
        who = (
            cell(subject.identity),
            names[subject.identity],
            "candidate" if subject is source.record.candidate else "baseline",
        )
        if not subject.components:
            yield (*who, "", "no components found", "not found", "", "", "")
        for component in subject.components:
            licence = cell(component.licence) if component.licence else "not found"
            if not component.files:
                yield (*who, cell(component.name), "no files found", licence, "", "", "")
            for file in component.files:
                yield (
                    *who,
                    cell(component.name),
                    "found",
                    licence,
                    cell(file.path),
                    str(file.size_bytes),
                    file.digest,
                )


_COST = (
    "subject",
    "label",
    "calls",
    "reused",
    "failures",
    "not_needed",
    "seconds",
    "tokens",
    "prompt_tokens",
    "completion_tokens",
)


def _costs(source: Source) -> Iterator[Sequence[str]]:
    names = _labels(source)
    for cost in source.record.costs:
        tokens = (cost.prompt_tokens, cost.completion_tokens)
        yield (
            cell(cost.subject),
            names.get(cost.subject, ""),
            str(cost.calls),
            str(cost.reused),
            str(cost.failures),
            str(cost.not_needed),
            number(cost.seconds),
            "not told" if None in tokens else "told",
            *map(_count, tokens),
        )


def _facts(source: Source) -> Iterator[Sequence[str]]:
    record, suite, grader = source.record, source.record.suite, source.record.grader
    yield "dossier", source.dossier
    yield "made_by", cell(record.made_by)
    yield "made_at", in_utc(record.made_at).isoformat()
    yield "verdict", verdict_words(record.headline.verdict)
    yield "verdict_contrast", record.headline.contrast.value
    yield "verdict_aggregate", record.headline.aggregate
    yield "verdict_in_words", cell(record.headline.paragraph, 10_000)
    yield "protocol", record.protocol
    yield "protocol_name", cell(record.protocol_name)
    yield "protocol_description", cell(record.protocol_description)
    yield "evidence", record.evidence
    yield "inspection", record.inspection or "no files were read"
    yield "prompts", cell(f"{suite.name} {suite.version}")
    yield "prompts_licence", cell(suite.licence)
    yield "prompts_digest", suite.digest
    yield "prompts_harm", str(suite.harm_prompts)
    yield "prompts_benign", str(suite.twins)
    yield from (("prompts_left_out", cell(f"{name}: {count}")) for name, count in suite.left_out.items())
    yield from (("prompts_note", cell(note)) for note in suite.notes)
    yield "grader", cell(grader.identity)
    yield "grader_calibration", cell(grader.calibration) or NOT_MEASURED
    yield "grader_blind", ", ".join(grader.blind_verbs) or "none"
    yield "grader_not_checked", ", ".join(unchecked_grades(grader)) or "none"
    for read in record.files_read:
        yield "files_read", cell(f"{read.subject}: {reading_of(read)}")
    yield "command", cell(record.command)
    yield from (("environment", cell(f"{name} {version}")) for name, version in sorted(record.environment.items()))
    yield from (("note", cell(note)) for note in record.notes)


def _labels(source: Source) -> dict[str, str]:
    return {identity: cell(name) for identity, name in labels(subjects_of(source.record)).items()}


def _joined(texts: Iterable[str]) -> str:
    return cell(_JOINED.join(one_line(text, 1000) for text in texts), 10_000) or "none"


def _count(found: int | None) -> str:
    return "" if found is None else str(found)
