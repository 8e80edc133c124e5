"""Conversations of the workbench: turns, and what each side answered. Nothing here is taken back; only a text that is being written grows."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from weighbridge.registry.tables.columns import Instant, key, metadata, words

conversations = Table(
    "conversations",
    metadata,
    Column("id", key(), primary_key=True),  # 32 random hex digits, as of turns and sides
    Column("owner", words(), nullable=False),
    Column("candidate", Text, nullable=False),  # as the operator named it: `demo:guarded`, a path, URL#model
    Column("baseline", Text),
    Column("candidate_name", Text, nullable=False),  # as people read it
    Column("baseline_name", Text),
    Column("blind", Boolean, nullable=False),
    Column("candidate_is", String(1), nullable=False),  # the draw: A or B
    Column("revealed_at", Instant),
    Column("began_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False),
    Index("conversations_by_owner", "owner", "touched_at"),
)
turns = Table(
    "turns",
    metadata,
    Column("id", key(), primary_key=True),
    Column("conversation", key(), ForeignKey("conversations.id"), nullable=False),
    Column("number", Integer, nullable=False),  # from 1
    Column("text", Text, nullable=False),
    Column("rung", String(20), nullable=False),
    Column("setting", Text, nullable=False),  # JSON of `conversations.Setting`
    Column("asked_at", Instant, nullable=False),
    UniqueConstraint("conversation", "number", name="turns_in_order"),
)
sides = Table(
    "sides",
    metadata,
    Column("id", key(), primary_key=True),
    Column("turn", key(), ForeignKey("turns.id"), nullable=False),
    Column("letter", String(1), nullable=False),  # A or B
    Column("trial", Integer, nullable=False),  # from 0: the samples that were asked for
    Column("attempt", Integer, nullable=False),  # from 0: asked again after it ended without an answer
    Column("subject", Text),  # whose answer it is: a root digest, or endpoint:URL#model; null until it was asked
    Column("technique", String(80)),
    Column("prefill", Text, nullable=False),  # the opening that was begun for the model, "" where none was
    Column("state", String(20), nullable=False),
    Column("text", Text, nullable=False),  # without the prefill
    Column("problem", Text),
    Column("advice", Text),
    Column("finish", String(80)),
    Column("server", key(), nullable=False),  # which service asks for it
    Column("beat_at", Instant, nullable=False),  # that service's last sign of life
    Column("ended_at", Instant),
    UniqueConstraint("turn", "letter", "trial", "attempt", name="sides_once"),
)
