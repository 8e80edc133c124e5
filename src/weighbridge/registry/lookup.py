"""What was published about a digest, the beginning of one, or a closed model's name: through indexes only, newest first."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, union

from weighbridge.digests import digest_bytes
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.registry.asked import MAX_CANDIDATES, Candidate, Candidates
from weighbridge.registry.closed import NO_DIGEST
from weighbridge.registry.notices import Entry, Facts, Match, Notice, Reply, Revoked, notice
from weighbridge.registry.publishing import subject_of
from weighbridge.registry.tables import (
    answers,
    audit,
    blobs,
    name_key,
    publication_files,
    publications,
    revocations,
    supersessions,
    weights,
)
from weighbridge.registry.upload import MAX_FILE_BYTES
from weighbridge.subject.shown import shown

MAX_KNOWN = 500  # publications by known signers that one answer holds
MAX_UNKNOWN = 50  # and by others, so that nobody can push the known ones out

_KNOWN_KINDS = ("published", "verified")


def candidates(connection: Connection, asked: str) -> list[Candidate]:
    """Return the root digests and weight files' digests that begin with `asked` (`sha256:...`), at most 100, in order."""
    ends = asked + "g"  # after the last hexadecimal digit
    roots = select(publications.c.root.label("digest")).where(publications.c.root >= asked, publications.c.root < ends)
    files = select(weights.c.digest.label("digest")).where(weights.c.digest >= asked, weights.c.digest < ends)
    found = union(roots, files).subquery()
    digests = connection.execute(select(found.c.digest).order_by(found.c.digest).limit(MAX_CANDIDATES)).scalars().all()
    return [_candidate(connection, digest) for digest in digests]


def history(connection: Connection, digest: str) -> list[Entry]:
    """Return what was published about a whole digest, of a root or of one weight file, newest first.

    At most 500 publications by known signers and 50 by others.
    """
    by_file = select(weights.c.envelope).where(weights.c.digest == digest)
    by_root = select(publications.c.envelope).where(publications.c.root == digest)
    return _entries(connection, publications.c.envelope.in_(union(by_file, by_root)), digest)


def closed_history(connection: Connection, provider: str, name: str) -> list[Entry]:
    """Return what was published about a closed model, newest first, whatever the case of its names."""
    return _entries(connection, publications.c.name_key == name_key(provider, name), None)


def publication_of(connection: Connection, publication: str) -> Entry | None:
    """Return one publication by its digest, as its own model's notice has it."""
    table = publications.c
    row = connection.execute(select(table.root).where(table.envelope == publication)).first()
    return None if row is None else _entries(connection, table.envelope == publication, row.root)[0]


def notice_of(connection: Connection, digest: str, at: datetime) -> Notice:
    """Return the notice of exactly these weights at a time. `digest` is whole: a root's, or one weight file's."""
    found = history(connection, digest)
    subjects = {each.root for each in found if each.match is Match.EXACT} | {digest}
    return notice(digest, found, _known(connection, sorted(subjects)), at)


def closed_notice_of(connection: Connection, provider: str, name: str, at: datetime) -> Notice:
    """Return the notice of a closed model at a time: of a name, and of no digest."""
    subject = subject_of(None, provider, name)
    return notice(subject, closed_history(connection, provider, name), _known(connection, [subject]), at)


@dataclass(frozen=True)
class Looking:
    """Looking up in one registry as of one time, as `remote.Server` does it at another."""

    connection: Connection
    at: datetime

    def notice(self, digest: str) -> Notice:
        """Return the notice of exactly these weights."""
        return notice_of(self.connection, digest, self.at)

    def closed_notice(self, provider: str, name: str) -> Notice:
        """Return the notice of a closed model."""
        return closed_notice_of(self.connection, provider, name, self.at)

    def candidates(self, asked: str) -> Candidates:
        """Return the digests that begin with `asked`."""
        return Candidates(asked=asked, candidates=tuple(candidates(self.connection, asked)))


def files_of(connection: Connection, publication: str) -> dict[str, str]:
    """Return the digests of a publication's files by name, none when there is no such publication."""
    table = publication_files.c
    rows = connection.execute(select(table.name, table.blob).where(table.envelope == publication).order_by(table.name))
    return {row.name: row.blob for row in rows}


def read_blob(connection: Connection, digest: str) -> bytes:
    """Return a stored file's bytes, held against their digest. Raises `UsageError`, `EvidenceError` when they are damaged."""
    row = connection.execute(select(blobs.c.size_bytes, blobs.c.data).where(blobs.c.digest == digest)).first()
    if row is None:
        raise UsageError("no such file", where=shown(digest), do="`files_of` lists a publication's files")
    return unpacked(digest, row.size_bytes, row.data)


def unpacked(digest: str, size_bytes: int, data: bytes) -> bytes:
    """Return the bytes of a stored file. Raises `EvidenceError` when they are not those of its digest."""
    try:
        unpacker = zlib.decompressobj()
        found = unpacker.decompress(data, MAX_FILE_BYTES + 1)
    except zlib.error:
        found = b""
    if len(found) != size_bytes or digest_bytes(found) != digest:
        raise EvidenceError("a stored file is damaged", where=digest, do="restore the registry from a backup")
    return found


def _candidate(connection: Connection, digest: str) -> Candidate:
    table = publications.c
    label = connection.execute(select(table.label).where(table.root == digest).limit(1)).scalar()
    if label is not None:
        return Candidate(digest=digest, is_root=True, label=label)
    of_file = select(table.label).join(weights, weights.c.envelope == table.envelope).where(weights.c.digest == digest)
    label = connection.execute(of_file.limit(1)).scalar() or ""
    return Candidate(digest=digest, is_root=False, label=label)


def _known(connection: Connection, subjects: Sequence[str]) -> int:
    """Return how many publications by known signers the audit log has about `subjects`."""
    counted = select(func.count()).where(audit.c.subject.in_(subjects), audit.c.kind.in_(_KNOWN_KINDS))
    return connection.execute(counted).scalar() or 0


def _entries(connection: Connection, which: ColumnElement[bool], digest: str | None) -> list[Entry]:
    table = publications.c
    rows: list[Row[Any]] = []
    for is_known, limit in ((True, MAX_KNOWN), (False, MAX_UNKNOWN)):
        newest = (table.made_at.desc(), table.published_at.desc(), table.envelope.desc())
        asked = select(publications).where(which, table.signer_known.is_(is_known)).order_by(*newest).limit(limit)
        rows += connection.execute(asked).all()
    rows.sort(key=lambda row: (row.made_at, row.published_at, row.envelope), reverse=True)
    names = [row.envelope for row in rows]
    replies: dict[str, list[Reply]] = {}
    for row in connection.execute(
        select(answers).where(answers.c.envelope.in_(names)).order_by(answers.c.at, answers.c.digest)
    ):
        replies.setdefault(row.envelope, []).append(Reply(by=row.by, text=row.text, at=row.at))
    revoked = {
        row.envelope: Revoked(by=row.by, reason=row.reason, at=row.at)
        for row in connection.execute(select(revocations).where(revocations.c.envelope.in_(names)))
    }
    newer: dict[tuple[str, str], list[str]] = {}
    statements = [row.statement for row in rows if row.signer_known]
    for row in connection.execute(select(supersessions).where(supersessions.c.older.in_(statements))):
        newer.setdefault((row.older, row.signer), []).append(row.newer)
    entries = []
    for row in rows:
        facts = Facts.model_validate_json(row.facts)
        if digest is None:
            match = Match.NAME
        else:
            match = Match.EXACT if digest == row.root or facts.weight_files == 1 else Match.PART
        entries.append(
            Entry(
                publication=row.envelope,
                statement=row.statement,
                dossier=row.dossier,
                root=row.root or NO_DIGEST,
                provider=row.provider,
                name=row.name,
                match=match,
                signer=row.signer,
                signer_known=row.signer_known,
                made_at=row.made_at,
                valid_until=row.valid_until,
                published_at=row.published_at,
                superseded_by=tuple(sorted(newer.get((row.statement, row.signer), ()))) if row.signer_known else (),
                revoked=revoked.get(row.envelope),
                answers=tuple(replies.get(row.envelope, ())),
                facts=facts,
            )
        )
    return entries
