"""What is published: dossiers, their files, weights and signers, what became of them, and the audit log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from weighbridge.registry.tables.columns import Instant, key, metadata, words

blobs = Table(
    "blobs",
    metadata,
    Column("digest", key(), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
signers = Table(
    "signers",
    metadata,
    Column("keyid", key(), primary_key=True),
    Column("pem", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("trusted_at", Instant, nullable=False),
)
publications = Table(
    "publications",
    metadata,
    Column("envelope", key(), primary_key=True),
    Column("statement", key(), nullable=False),
    Column("dossier", key(), nullable=False),
    Column("root", key()),
    Column("label", Text, nullable=False),
    Column("provider", Text),
    Column("name", Text),
    Column("name_key", words()),
    Column("label_key", String(200).with_variant(String(200, collation="C"), "postgresql")),
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
    Index("publications_by_label", "label_key"),
    Index("publications_by_time", "published_at"),
)
publication_files = Table(
    "publication_files",
    metadata,
    Column("envelope", key(), ForeignKey("publications.envelope"), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("blob", key(), ForeignKey("blobs.digest"), nullable=False),
)
weights = Table(
    "weights",
    metadata,
    Column("digest", key(), primary_key=True),
    Column("envelope", key(), ForeignKey("publications.envelope"), primary_key=True),
    Index("weights_by_envelope", "envelope"),
)
supersessions = Table(
    "supersessions",
    metadata,
    Column("older", key(), primary_key=True),
    Column("newer", key(), primary_key=True),
    Column("signer", Text, primary_key=True),
)
revocations = Table(
    "revocations",
    metadata,
    Column("envelope", key(), ForeignKey("publications.envelope"), primary_key=True),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
answers = Table(
    "answers",
    metadata,
    Column("digest", key(), primary_key=True),
    Column("envelope", key(), ForeignKey("publications.envelope"), nullable=False),
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
    Column("subject", words()),
    Column("line", Text, nullable=False),
    Index("audit_by_subject", "subject", "kind"),
)


def name_key(provider: str, name: str) -> str:
    """Return what a closed model is looked up by: whatever the case, and however the spaces are set.

    >>> name_key("Some  Lab", "Big Model 2")
    'some lab/big model 2'
    """
    return "/".join(" ".join(part.casefold().split()) for part in (provider, name))


def label_key(label: str) -> str:
    """Return what a model is found by when somebody types its label: whatever the case and the spaces, and no longer than an index takes.

    >>> label_key("SmolLM2  135M")
    'smollm2 135m'
    """
    return " ".join(label.casefold().split())[:200]
