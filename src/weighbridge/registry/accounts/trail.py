"""The audit log as a maintainer reads it: newest first, a page at a time, and whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from sqlalchemy import Connection, func, select

from weighbridge.errors import EvidenceError, UsageError
from weighbridge.registry.audit import AuditEntry, Head, Kind, verify_audit
from weighbridge.registry.tables import audit

PAGE = 50
AT_ONCE = 20_000
"""How many entries are read through without being asked to."""

KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Trail:
    """A page of the log. `entries`: number and entry, None where it cannot be read. `older`: where the next page begins, None for the last page."""

    entries: list[tuple[int, AuditEntry | None]]
    count: int
    older: int | None


def read_trail(connection: Connection, *, before: int | None = None, kind: str | None = None) -> Trail:
    """Return the newest entries whose number is below `before`, of one kind or of all. Raises `UsageError` for a kind that there is not."""
    if kind is not None and kind not in KINDS:
        raise UsageError("there is no such kind of entry", where=kind[:40], do="choose one of the list")
    asked = select(audit.c.number, audit.c.line).order_by(audit.c.number.desc()).limit(PAGE + 1)
    if before is not None:
        asked = asked.where(audit.c.number < before)
    if kind is not None:
        asked = asked.where(audit.c.kind == kind)
    rows = list(connection.execute(asked))
    shown = [(row.number, _entry(row.line)) for row in rows[:PAGE]]
    count = connection.execute(select(func.count()).select_from(audit)).scalar() or 0
    return Trail(shown, count, shown[-1][0] if len(rows) > PAGE else None)


def check_trail(connection: Connection) -> Head | str:
    """Return where the log ends when each entry follows from the one before, else what is wrong in words."""
    try:
        return verify_audit(connection)
    except EvidenceError as error:
        return f"{error.where}: {error.what}"


def _entry(line: str) -> AuditEntry | None:
    try:
        return AuditEntry.model_validate_json(line)
    except ValueError:
        return None
