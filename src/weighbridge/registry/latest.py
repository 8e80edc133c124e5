"""What a first page lists: the newest publications, how many there are, and what is found by a name. Through indexes only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from weighbridge.protocol.vocabulary import Contrast
from weighbridge.registry.notices import Answer, Facts, Standing, standing
from weighbridge.registry.tables import (
    blobs,
    label_key,
    name_key,
    publication_files,
    publications,
    revocations,
    supersessions,
)

MAX_LISTED = 100


@dataclass(frozen=True)
class Listed:
    """One publication in a list. `root` None: a closed model, which `provider` and `name` name."""

    publication: str
    statement: str
    dossier: str
    root: str | None
    provider: str | None
    name: str | None
    label: str
    signer: str
    signer_known: bool
    weighed_at: datetime
    made_at: datetime
    valid_until: datetime
    published_at: datetime
    stands: Standing
    facts: Facts

    @property
    def answer(self) -> Answer:
        """What the dossier says, by the comparison that decides."""
        return self.facts.answer

    @property
    def contrast(self) -> Contrast:
        """The contrast that decides."""
        return self.facts.contrast


def newest(connection: Connection, at: datetime, limit: int = 20) -> list[Listed]:
    """Return the publications that were published last, at most 100, newest first."""
    asked = select(publications).order_by(publications.c.published_at.desc()).limit(min(limit, MAX_LISTED))
    return _listed(connection, connection.execute(asked).all(), at)


def how_many(connection: Connection) -> int:
    """Return how many publications there are."""
    return connection.execute(select(func.count()).select_from(publications)).scalar() or 0


def named(connection: Connection, text: str, at: datetime, limit: int = MAX_LISTED) -> list[Listed]:
    """Return publications whose label, or whose closed model's `provider/name`, begins with `text`, whatever the case.

    At most 100, by known signers first, then by label. Nothing for an empty text.
    """
    table = publications.c
    found: dict[str, Row[Any]] = {}
    text = text.replace("\0", "")  # PostgreSQL's texts have none
    provider, slash, name = text.partition("/")
    keys = [(table.label_key, label_key(text))]
    keys.append((table.name_key, name_key(provider, name) if slash else label_key(text)))
    for column, key in keys:
        if not key.strip("/"):
            continue
        between = (column >= key, column < key + "\U0010ffff")
        asked = select(publications).where(*between).order_by(column).limit(min(limit, MAX_LISTED))
        found |= {row.envelope: row for row in connection.execute(asked)}
    rows = sorted(found.values(), key=lambda row: (not row.signer_known, row.label_key or "", row.envelope))
    return _listed(connection, rows[:limit], at)


def one(connection: Connection, publication: str, at: datetime) -> Listed | None:
    """Return a publication by its digest."""
    rows = connection.execute(select(publications).where(publications.c.envelope == publication)).all()
    found = _listed(connection, rows, at)
    return found[0] if found else None


def sizes_of(connection: Connection, publication: str) -> dict[str, tuple[str, int]]:
    """Return the digest and the size in bytes of each of a publication's files, by name."""
    table = publication_files.c
    joined = select(table.name, table.blob, blobs.c.size_bytes).join(blobs, blobs.c.digest == table.blob)
    rows = connection.execute(joined.where(table.envelope == publication).order_by(table.name))
    return {row.name: (row.blob, row.size_bytes) for row in rows}


def _listed(connection: Connection, rows: Sequence[Row[Any]], at: datetime) -> list[Listed]:
    names, statements = [row.envelope for row in rows], [row.statement for row in rows if row.signer_known]
    revoked = set(connection.execute(select(revocations.c.envelope).where(revocations.c.envelope.in_(names))).scalars())
    newer = supersessions.c
    superseded = {
        (row.older, row.signer)
        for row in connection.execute(select(newer.older, newer.signer).where(newer.older.in_(statements)))
    }
    return [
        Listed(
            publication=row.envelope,
            statement=row.statement,
            dossier=row.dossier,
            root=row.root,
            provider=row.provider,
            name=row.name,
            label=row.label,
            signer=row.signer,
            signer_known=row.signer_known,
            weighed_at=row.weighed_at,
            made_at=row.made_at,
            valid_until=row.valid_until,
            published_at=row.published_at,
            stands=standing(row.envelope in revoked, (row.statement, row.signer) in superseded, at >= row.valid_until),
            facts=Facts.model_validate_json(row.facts),
        )
        for row in rows
    ]
