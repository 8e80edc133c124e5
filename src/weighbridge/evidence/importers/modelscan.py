"""ModelScan: its JSON report, read against modelscan 0.8.8. One result a file: how many unsafe operators were found in it.

A report without issues says little by itself: files of kinds that ModelScan does not know are left out of it (with `--show-skipped`
they are listed), and a folder in which it knew none has no issues either. So only files that it lists as scanned have a number;
those that it skipped or could not read, and a report in which nothing was scanned, are "not measured". No file is hashed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from weighbridge.evidence.elsewhere import ElsewhereResult
from weighbridge.evidence.importers.reading import Source
from weighbridge.evidence.importers.said import Said
from weighbridge.evidence.importers.values import absent, count, mapping, moment, sequence, settings, text
from weighbridge.evidence.records import Measured, NotMeasured, Outcome, Reason


def is_it(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object has the outline of a report."""
    summary = mapping(document.get("summary"))
    return isinstance(document.get("issues"), list) and "total_issues_by_severity" in summary and "scanned" in summary


def read(source: Source) -> Said:
    """Return what a report says. Raises `UsageError` for what is none."""
    document = source.document()
    if not is_it(document):
        raise source.wrong("is not a report of ModelScan: it has no summary of issues by severity, or no issues")
    summary = mapping(document["summary"])
    differing = tuple(_differing(document, summary))
    results = tuple(_results(document, summary, fits=not differing))
    doubts = (*differing, *_broken(document))
    complete: bool | None = None
    if doubts or any(isinstance(result.outcome, NotMeasured) for result in results):
        complete = False
    elif "skipped" in summary:
        complete = True
    return Said(
        tool_version=text(summary.get("modelscan_version")),
        made_at=moment(summary.get("timestamp")),
        subject_digest=None,
        complete=complete,
        doubts=doubts,
        results=results,
    )


def _scanned(summary: Mapping[str, Any]) -> list[str]:
    listed = sequence(mapping(summary.get("scanned")).get("scanned_files"))
    return list(dict.fromkeys(name for each in listed if (name := text(each))))


def _differing(document: Mapping[str, Any], summary: Mapping[str, Any]) -> Iterator[str]:
    for kind, found, said in (
        ("issues", len(document["issues"]), summary.get("total_issues")),
        ("files scanned", len(_scanned(summary)), mapping(summary.get("scanned")).get("total_scanned")),
    ):
        counted = count(said)
        if counted != found:
            yield f"{kind}: the summary says {'nothing' if counted is None else counted}, the report lists {found}"


def _broken(document: Mapping[str, Any]) -> Iterator[str]:
    if errors := len(sequence(document.get("errors"))):
        yield f"errors while files were read: {errors}"


def _results(document: Mapping[str, Any], summary: Mapping[str, Any], fits: bool) -> Iterator[ElsewhereResult]:
    subject = text(summary.get("input_path"))
    issues: dict[str, list[Mapping[str, Any]]] = {name: [] for name in _scanned(summary)}
    for issue in map(mapping, document["issues"]):
        issues.setdefault(text(issue.get("source")) or "no file", []).append(issue)
    broken = {text(mapping(each).get("source")): mapping(each) for each in sequence(document.get("errors"))}
    for name, found in issues.items():
        if not found and not fits:  # an issue that was cut out must not make a file clean
            why = absent(Reason.NOTHING_MEASURED, "the report's lists are not what its summary counts")
            yield _result(subject, name, why)
        elif found or name not in broken:
            yield _result(subject, name, Measured(value=len(found), unit="issues"), found)
    for broken_name, error in broken.items():
        if not issues.get(broken_name or "no file"):
            told = f"ModelScan could not read it ({text(error.get('category'), 60) or 'no reason given'})"
            yield _result(subject, broken_name or "no file", absent(Reason.PROVIDER_ERROR, told))
    for each in map(mapping, sequence(mapping(summary.get("skipped")).get("skipped_files"))):
        told = f"ModelScan skipped it ({text(each.get('category'), 60) or 'no reason given'})"
        yield _result(subject, text(each.get("source")) or "no file", absent(Reason.NOT_IMPLEMENTED, told))
    if not issues and not broken:
        yield _result(subject, subject or "no file", absent(Reason.NOTHING_MEASURED, "ModelScan scanned no file"))


def _result(
    subject: str | None, name: str, value: Outcome, issues: list[Mapping[str, Any]] | None = None
) -> ElsewhereResult:
    severities = Counter(text(issue.get("severity"), 20) or "NOT TOLD" for issue in issues or [])
    operators = sorted(
        {".".join(filter(None, (text(i.get("module"), 60), text(i.get("operator"), 60)))) for i in issues or []}
    )
    scanners = sorted({scanner for issue in issues or [] if (scanner := text(issue.get("scanner")))})
    return ElsewhereResult(
        name=f"{name}/unsafe operators",
        metric="unsafe operators",
        what=name,
        subject_named=subject,
        outcome=value,
        n=None,
        standard_error=None,
        interval=None,
        higher_is_better=False,
        grader=text(", ".join(scanners)),
        settings=settings(
            severities=", ".join(f"{severity} {times}" for severity, times in sorted(severities.items())),
            operators=", ".join(operators),
        ),
    )
