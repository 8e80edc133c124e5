"""What rankings are made of: what each publication measured, by what it may be compared with."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from weighbridge.registry.tables.columns import key, metadata, words

rankings = Table(
    "rankings",
    metadata,
    Column("ranking", key(), primary_key=True),  # the digest of all that follows but the two that only find it
    Column("benchmark", key(), nullable=False),  # the digest of the prompts
    Column("grader", key(), nullable=False),  # the digest of the grader's identity, as it stands in addresses
    Column("rung", String(20), nullable=False),
    Column("said", Text, nullable=False),  # `Ranking` as JSON
    Column("is_known", Boolean, nullable=False),  # a known signer measured something for it
    Index("rankings_by_place", "is_known", "benchmark", "grader", "rung"),
)
rates = Table(
    "rates",
    metadata,
    Column("envelope", key(), ForeignKey("publications.envelope"), primary_key=True),
    Column("ranking", key(), ForeignKey("rankings.ranking"), primary_key=True),
    Column("subject", words(), nullable=False),  # a root digest, or a closed model's key
    Column("is_known", Boolean, nullable=False),  # its publication's signer is
    Column("protocol", key(), nullable=False),
    Column("calibrated", Text, nullable=False),  # the verbs that the grader was checked on, with commas
    Column("value", Float(53)),
    Column("low", Float(53)),  # as it was signed, at `level`
    Column("high", Float(53)),
    Column("level", Float(53)),
    Column("n_planned", Integer),
    Column("n_measured", Integer),
    Column("n_lost", Integer),  # planned, needed and not measured
    Column("reason", String(40)),  # why there is no value, as `evidence.records.Reason` has it
    Column("detail", Text),
    CheckConstraint("(value IS NULL) <> (reason IS NULL)", name="rates_value_or_reason"),
    Index("rates_by_ranking", "ranking", "is_known", "subject"),
    Index("rates_by_subject", "subject", "ranking"),
)
