"""`datasheet.html`: what is in the files, for people. Findings first, each with what to do; then the weights as a picture.

Like the dossier's page: one file, no script, no network; everything that came out of a file is made visible and escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Template
from markupsafe import Markup, escape

from weighbridge.dossier.figures.shares import patterns
from weighbridge.dossier.figures.weights import Grid, grid_of, weights_figure
from weighbridge.dossier.inspection import SEVERITIES, FoundFact, InspectionRecord, RuleWords, Severity
from weighbridge.dossier.printing import count, size
from weighbridge.dossier.record import FilesRead
from weighbridge.dossier.svg import Plots
from weighbridge.dossier.templating import page_template
from weighbridge.dossier.untrusted import one_line

PAGE_FILE, REPORT_FILE = "datasheet.html", "inspection.json"
MEANINGS = {
    "critical": "runs code when loaded",
    "high": "runs code when the loader opts in, or breaks a format's safety rule",
    "medium": "damaged, or changes what the model is told",
    "low": "worth knowing",
    "info": "for information",
}
SHOWN_A_RULE = 12  # places listed under one rule; the rest are counted


@dataclass(frozen=True)
class Group:
    """The findings under one rule, at one severity."""

    rule: str
    severity: str
    words: RuleWords
    places: Sequence[FoundFact]

    @property
    def shown(self) -> Sequence[FoundFact]:
        """The places that the page lists."""
        return self.places[:SHOWN_A_RULE]


@dataclass(frozen=True)
class Sheet:
    """One subject on the page. `record` is None where the subject has no files (an endpoint)."""

    label: str
    identity: str
    record: InspectionRecord | None
    groups: Sequence[Group] = ()
    grid: Grid | None = None
    figure: Markup | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """How many findings there are of each severity, worst first; only those that there are."""
        findings = self.record.findings if self.record else ()
        every = {severity: sum(each.severity == severity for each in findings) for severity in SEVERITIES}
        return {severity: number for severity, number in every.items() if number}

    @property
    def not_measured(self) -> int:
        """How many tensors have no statistics."""
        return self.record.tensors.not_measured if self.record else 0


Reports = Sequence[tuple[str, str, Mapping[str, Any] | None]]
"""Of each subject a label, its identity, and what `inspect` said (None: it has no files here)."""


def render_datasheet(reports: Reports) -> str:
    """Return the page.

    The same reports give the same text, byte for byte. Raises `pydantic.ValidationError` for a report of another format.
    """
    plots = Plots()
    sheets = [_sheet(label, identity, report, plots) for label, identity, report in reports]
    return _template().render(sheets=sheets, meanings=MEANINGS, patterns=patterns())


def files_read(reports: Reports) -> tuple[FilesRead, ...]:
    """Return the counts that the dossier's record holds."""
    found = []
    for _, identity, report in reports:
        if report is not None:
            record = InspectionRecord.model_validate_json(json.dumps(report))
            counts = {severity: sum(each.severity == severity for each in record.findings) for severity in SEVERITIES}
            found.append(
                FilesRead(
                    subject=identity,
                    findings={severity: number for severity, number in counts.items() if number},
                    not_examined=len(record.not_examined),
                    tensors=record.tensors.count,
                )
            )
    return tuple(found)


def report_bytes(reports: Reports) -> bytes:
    """Return `inspection.json`: a list of subjects with what `inspect` said of each."""
    subjects = [{"label": label, "identity": identity, "report": report} for label, identity, report in reports]
    return json.dumps(
        {"schema": "weighbridge.inspection/1", "subjects": subjects}, ensure_ascii=False, indent=1
    ).encode()


def _sheet(label: str, identity: str, report: Mapping[str, Any] | None, plots: Plots) -> Sheet:
    if report is None:
        return Sheet(label, identity, None)
    record = InspectionRecord.model_validate_json(json.dumps(report))
    grid = grid_of(record.tensors.each)
    return Sheet(label, identity, record, _groups(record), grid, weights_figure(grid, plots))


def _groups(record: InspectionRecord) -> list[Group]:
    found: dict[tuple[Severity, str], list[FoundFact]] = {}
    for each in record.findings:
        found.setdefault((each.severity, each.rule), []).append(each)
    unknown = RuleWords(title="", why="", fix="`weighbridge rules` explains it.")
    return [
        Group(rule, severity, record.rules.get(rule, unknown), places)
        for (severity, rule), places in sorted(
            found.items(), key=lambda item: (SEVERITIES.index(item[0][0]), item[0][1])
        )
    ]


def _options(text: str) -> Markup:
    """Return `text` with options such as `--against` kept on one line."""
    return Markup(re.sub(r"--[a-z-]+", r'<span class="whole">\g<0></span>', str(escape(text))))  # noqa: S704 - escaped before


@cache
def _template() -> Template:
    filters = {"one_line": one_line, "count": count, "size": size, "options": _options}
    return page_template("datasheet.html", filters)
