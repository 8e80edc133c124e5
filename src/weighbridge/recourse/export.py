"""A recourse log for others: one contest a line (JSON), one a row (CSV), and the summary. Sealed texts are given in the clear only by their key."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from weighbridge.recourse.cases import Case, summary_of
from weighbridge.recourse.entries import Plain, Sealed

ENCRYPTED, ERASED, NOT_MEASURED = "(encrypted)", "(erased)", "not measured"
Reading = Callable[[Plain | Sealed, Case], str]
_COLUMNS = (
    "case", "decision", "decided_on", "received_on", "outcome", "closed_at", "days", "reviewer", "facts", "reasons", "remedy",
)  # fmt: skip
# Where a spreadsheet may see a formula begin: at a cell's start or after what it might take for a separator.
_FORMULA = re.compile(r"(^|[,;|\t\r\n]\s*)([\"']*)(?=[=+\-@\t\r＝＋－＠])")


def closed(text: Plain | Sealed, case: Case) -> str:
    """Return a text as whoever has no key may read it."""
    return text.text if isinstance(text, Plain) else ERASED if case.erased else ENCRYPTED


def row_of(case: Case, reading: Reading = closed) -> dict[str, Any]:
    """Return a contest by name. What it has not (a pending one has no days) has no key: absence is no number and no empty text."""
    row: dict[str, Any] = {
        "case": case.reference,
        "decision": case.opened.decision,
        "decided_on": case.opened.decided_on.isoformat(),
        "received_on": case.opened.received_on.isoformat(),
        "outcome": case.outcome.value,
        "facts": reading(case.opened.facts, case),
    }
    if case.closing is not None:
        row["closed_at"] = case.closing.at.isoformat()
        row["days"] = case.days
        row["reviewer"] = case.closing.reviewer or "no person reviewed it"
        row["reasons"] = reading(case.closing.reasons, case)
        if case.closing.remedy is not None:
            row["remedy"] = reading(case.closing.remedy, case)
    interim = [
        {
            "at": one.at.isoformat(),
            "reviewer": one.reviewer or "no person reviewed it",
            "reasons": reading(one.reasons, case),
        }
        for one in case.responses
        if one is not case.closing
    ]
    return row | ({"interim": interim} if interim else {})


def json_lines(cases: Sequence[Case], reading: Reading = closed) -> str:
    """Return one contest a line."""
    return "".join(json.dumps(row_of(one, reading), ensure_ascii=False) + "\n" for one in cases)


def csv_table(cases: Sequence[Case], reading: Reading = closed) -> str:
    """Return a table (RFC 4180) with a header line. A cell is empty where a contest has no such thing; no text starts a formula."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for one in cases:
        row = row_of(one, reading)
        writer.writerow([_cell(row.get(name, "")) for name in _COLUMNS])
    return file.getvalue()


def summary_json(cases: Sequence[Case], today: date) -> dict[str, Any]:
    """Return the summary by name, with how many contests each number is of. What is not measured says so instead of a number."""
    found = summary_of(cases, today)
    return {
        "schema": "weighbridge.recourse-summary/1",
        "as_of": today.isoformat(),
        "contested": found.contested,
        "outcomes": {outcome.value: number for outcome, number in found.outcomes.items()},
        "decided": found.decided,
        "median_days": _number(found.median_days, found.decided),
        "longest_days": _number(found.longest_days, found.decided),
        "human_reviewed_share": _number(found.human_reviewed_share, found.decided),
        "pending": list(found.pending),
        "oldest_pending_days": _number(found.oldest_pending_days, len(found.pending)),
    }


def _number(value: float | None, n: int) -> dict[str, Any] | str:
    return NOT_MEASURED if value is None else {"value": value, "n": n}


def _cell(value: object) -> str:
    return _FORMULA.sub(r"\1'\2", str(value)) if isinstance(value, str) else str(value)
