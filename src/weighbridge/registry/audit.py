"""The audit log: every change, in the transaction of the change, each entry chained to the one before by its digest.

An entry is canonical JSON; the rule by which one follows from another is the recourse log's. What is found: an entry that was changed, removed, put
in or put elsewhere. What is not: that the last are gone. Whoever keeps a `head` elsewhere finds that too (`verify_audit`).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import Field, ValidationError
from sqlalchemy import Connection, insert, select

from weighbridge.digests import Digest, canonical_json, digest_bytes
from weighbridge.errors import EvidenceError
from weighbridge.evidence.records import Record
from weighbridge.recourse.chain import RESTORE, link_problem
from weighbridge.registry.tables import audit

Kind = Literal[
    "begun",
    "published",
    "published unverified",
    "verified",
    "revoked",
    "answered",
    "trusted",
    "finding",
    "disclosure",
    "advisory",
    "follow",
    "conversation begun",
    "conversation revealed",
    "turn asked",
    "labelling begun",
    "labelled",
    "label undone",
    "labels exported",
    "rated",
    "graded",
    "regression begun",
    "regression asked",
    "regressions exported",
    "user added",
    "user joined",
    "user disabled",
    "user enabled",
    "role changed",
    "link made",
    "passkey added",
    "passkey removed",
    "passkey refused",
    "identity tied",
    "identity removed",
    "token made",
    "token revoked",
    "signed in",
    "signed out",
    "signed out everywhere",
]


class AuditEntry(Record):
    """One change. `subject`: a root digest, or a closed model's key; None: of the registry itself. `of`: digests and names, no free text."""

    schema_: Literal["weighbridge.audit/1"] = Field("weighbridge.audit/1", alias="schema")
    log: str = Field(pattern=r"^[0-9a-f]{32}$")
    number: int = Field(ge=0)
    at: datetime
    previous: Digest | None
    kind: Kind
    by: str
    subject: str | None
    of: dict[str, str]

    model_config = Record.model_config | {"populate_by_name": True}

    def line(self) -> bytes:
        """Return the entry as it is kept."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))


@dataclass(frozen=True)
class Head:
    """Where an audit log ends: how many entries it has, and the digest of the last. Kept elsewhere, it is an anchor."""

    entries: int
    digest: str


def begin_audit(connection: Connection, now: datetime) -> None:
    """Write the first entry of a log when there is none."""
    if _last(connection) is None:
        _write(connection, AuditEntry(
            log=secrets.token_hex(16), number=0, at=now, previous=None, kind="begun", by="registry", subject=None, of={}
        ))  # fmt: skip


def note(
    connection: Connection, now: datetime, kind: Kind, by: str, subject: str | None, of: Mapping[str, str]
) -> None:
    """Add an entry within the caller's transaction. An entry is never older than the last: a clock that went back is not followed."""
    found = _last(connection)
    if found is None:
        raise EvidenceError("the audit log is gone", where="audit", do=RESTORE)
    last, head = found
    _write(
        connection,
        AuditEntry(
            log=last.log,
            number=last.number + 1,
            at=max(now, last.at),
            previous=head,
            kind=kind,
            by=by,
            subject=subject,
            of=dict(of),
        ),
    )


def last_entry(connection: Connection) -> int:
    """Return the number of the log's last entry, -1 for a log without any."""
    found = connection.execute(select(audit.c.number).order_by(audit.c.number.desc()).limit(1)).scalar()
    return -1 if found is None else found


def verify_audit(connection: Connection, anchor: Head | None = None) -> Head:
    """Return where the log ends, each entry following from the one before and the first head kept elsewhere still in it.

    Raises `EvidenceError` at the first entry that does not follow.
    """
    last: AuditEntry | None = None
    head, place = None, 0
    rows = connection.execution_options(yield_per=1_000).execute(
        select(audit.c.number, audit.c.kind, audit.c.subject, audit.c.line).order_by(audit.c.number)
    )
    for number, kind, subject, line in rows:
        where = f"audit entry {number}"
        entry = _read(line, where)
        if (entry.number, entry.kind, entry.subject) != (number, kind, subject):
            raise EvidenceError("its row does not say what the entry says", where=where, do=RESTORE)
        if (problem := link_problem(entry, entry.previous, last, head, place)) is not None:
            raise EvidenceError(problem, where=where, do=RESTORE)
        last, head, place = entry, digest_bytes(line.encode()), place + 1
        if anchor is not None and place == anchor.entries and head != anchor.digest:
            raise EvidenceError("it is not the entry that was kept elsewhere", where=where, do=RESTORE)
    if head is None:
        raise EvidenceError("no log begins here", where="audit", do=RESTORE)
    if anchor is not None and place < anchor.entries:
        told = f"it ends after {place} entries, and {anchor.entries} were there"
        raise EvidenceError(told, where="audit", do=RESTORE)
    return Head(place, head)


def _last(connection: Connection) -> tuple[AuditEntry, str] | None:
    line = connection.execute(select(audit.c.line).order_by(audit.c.number.desc()).limit(1)).scalar()
    return None if line is None else (_read(line, "audit"), digest_bytes(line.encode()))


def _read(line: str, where: str) -> AuditEntry:
    try:
        entry = AuditEntry.model_validate_json(line)
        if entry.line() == line.encode():
            return entry
    except ValidationError:
        pass
    raise EvidenceError("this entry is not as it was written", where=where, do=RESTORE) from None


def _write(connection: Connection, entry: AuditEntry) -> None:
    row = {"number": entry.number, "kind": entry.kind, "subject": entry.subject, "line": entry.line().decode()}
    connection.execute(insert(audit).values(row))
