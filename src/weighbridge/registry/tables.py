"""The tables as they are now. What made them, step by step, is in `migrations`.

Every key is a digest or a name, never a number that a database gives out: so a copy of the rows is the registry, on either database. Texts that
are looked up by their beginning compare by code point on both. Times are texts of one width in UTC, so that they sort.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

REVISION = "0002"
REVISIONS = ("0001", "0002")
"""The steps in order. A database at a step that is not here was written by a newer version."""


class Instant(TypeDecorator[datetime]):
    """A time with its zone, kept as `2026-11-26T12:00:00.000000Z`."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the text of a time. Raises `ValueError` for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time in the registry has a zone")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the time of a text."""
        return None if value is None else datetime.fromisoformat(value).astimezone(UTC)


def _key() -> String:
    return String(71).with_variant(String(71, collation="C"), "postgresql")


def _words() -> Text:
    return Text().with_variant(Text(collation="C"), "postgresql")


metadata = MetaData()

blobs = Table(
    "blobs",
    metadata,
    Column("digest", _key(), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
signers = Table(
    "signers",
    metadata,
    Column("keyid", _key(), primary_key=True),
    Column("pem", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("trusted_at", Instant, nullable=False),
)
publications = Table(
    "publications",
    metadata,
    Column("envelope", _key(), primary_key=True),
    Column("statement", _key(), nullable=False),
    Column("dossier", _key(), nullable=False),
    Column("root", _key()),
    Column("label", Text, nullable=False),
    Column("provider", Text),
    Column("name", Text),
    Column("name_key", _words()),
    Column("weighed_at", Instant, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("valid_until", Instant, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("signer", Text, nullable=False),
    Column("signer_known", Boolean, nullable=False),
    Column("facts", Text, nullable=False),
    Index("publications_by_statement", "statement"),
    Index("publications_by_dossier", "dossier"),
    Index("publications_by_root", "root"),
    Index("publications_by_name", "name_key"),
)
publication_files = Table(
    "publication_files",
    metadata,
    Column("envelope", _key(), ForeignKey("publications.envelope"), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("blob", _key(), ForeignKey("blobs.digest"), nullable=False),
)
weights = Table(
    "weights",
    metadata,
    Column("digest", _key(), primary_key=True),
    Column("envelope", _key(), ForeignKey("publications.envelope"), primary_key=True),
    Index("weights_by_envelope", "envelope"),
)
supersessions = Table(
    "supersessions",
    metadata,
    Column("older", _key(), primary_key=True),
    Column("newer", _key(), primary_key=True),
    Column("signer", Text, primary_key=True),
)
revocations = Table(
    "revocations",
    metadata,
    Column("envelope", _key(), ForeignKey("publications.envelope"), primary_key=True),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
answers = Table(
    "answers",
    metadata,
    Column("digest", _key(), primary_key=True),
    Column("envelope", _key(), ForeignKey("publications.envelope"), nullable=False),
    Column("by", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("answers_by_envelope", "envelope"),
)
audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("subject", _words()),
    Column("line", Text, nullable=False),
    Index("audit_by_subject", "subject", "kind"),
)


def name_key(provider: str, name: str) -> str:
    """Return what a closed model is looked up by: whatever the case, and however the spaces are set.

    >>> name_key("Some  Lab", "Big Model 2")
    'some lab/big model 2'
    """
    return "/".join(" ".join(part.casefold().split()) for part in (provider, name))
