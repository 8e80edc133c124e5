"""Fingerprints of published models, and what their cards declare."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from weighbridge.registry.tables.columns import key, metadata, words

marks = Table(
    "marks",
    metadata,
    Column("envelope", key(), ForeignKey("publications.envelope"), primary_key=True),
    Column("root", key(), nullable=False),
    # Of the audit log, by which it came to count in searches. None: its signer is not known here, or the same mark of the same weights counts already.
    Column("entry", Integer),
    Column("words", LargeBinary),  # what the index searches; None: too few of its places
    Column("mark", LargeBinary),  # the fingerprint, whole
    Column("reason", Text),  # why there is none
    Index("marks_by_entry", "entry"),
    Index("marks_by_root", "root"),
)
traits = Table(
    "traits",
    metadata,
    Column("envelope", key(), ForeignKey("publications.envelope"), primary_key=True),
    Column("data", LargeBinary, nullable=False),  # `lineage.traits` as deflated JSON
)
declared = Table(
    "declared",
    metadata,
    Column("envelope", key(), ForeignKey("publications.envelope"), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("name_key", words(), nullable=False),
    Column("short_key", words(), nullable=False),  # without its owner
    Index("declared_by_name", "name_key"),
    Index("declared_by_short", "short_key"),
)
