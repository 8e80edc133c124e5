"""Findings, advisories, followers and what was sent to them.

A finding is named by random digits that the registry draws: neither its own id nor its digest, so that nobody can ask whether one is there by handing
one in. Days are texts (`2026-11-26`), which sort as days do.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from weighbridge.registry.tables.columns import Instant, key, metadata, words

findings = Table(
    "findings",
    metadata,
    Column("handle", String(32), primary_key=True),
    Column("digest", key(), nullable=False),
    Column("saved_by", words(), nullable=False),
    Column("saved_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("public_from", String(10)),  # null: no such day is known
    Column("category", String(40), nullable=False),
    Column("verb", String(20), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("rung", String(20), nullable=False),
    UniqueConstraint("saved_by", "digest", name="findings_once"),
    Index("findings_by_digest", "digest"),
    Index("findings_by_time", "saved_at"),
)
finding_versions = Table(
    "finding_versions",
    metadata,
    Column("finding", String(32), ForeignKey("findings.handle"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("record", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
finding_digests = Table(
    "finding_digests",
    metadata,
    Column("digest", key(), primary_key=True),
    Column("finding", String(32), ForeignKey("findings.handle"), primary_key=True),
)
finding_people = Table(
    "finding_people",
    metadata,
    Column("finding", String(32), ForeignKey("findings.handle"), primary_key=True),
    Column("name", words(), primary_key=True),
    Column("part", String(20), nullable=False),  # invited, author
    Column("by", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("finding_people_by_name", "name"),
)
advisories = Table(
    "advisories",
    metadata,
    Column("id", words(), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("told", Integer, nullable=False),  # the version that followers were told of; 0: none yet
    Column("reached", Integer, nullable=False),  # the version that followers of derivatives were told of
    Column("public_from", String(10)),  # null: no such day is known
    Column("saved_at", Instant, nullable=False),
    Index("advisories_by_day", "public_from"),
)
advisory_versions = Table(
    "advisory_versions",
    metadata,
    Column("advisory", words(), ForeignKey("advisories.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("record", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
advisory_digests = Table(
    "advisory_digests",
    metadata,
    Column("digest", key(), primary_key=True),
    Column("advisory", words(), ForeignKey("advisories.id"), primary_key=True),
)
advisory_findings = Table(
    "advisory_findings",
    metadata,
    Column("advisory", words(), ForeignKey("advisories.id"), primary_key=True),
    Column("finding", String(32), ForeignKey("findings.handle"), primary_key=True),
    Index("advisory_findings_by_finding", "finding"),
)
followers = Table(
    "followers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", words(), nullable=False),
    Column("follows", String(10), nullable=False),  # all, digest, closed
    Column("subject", words(), nullable=False),  # a digest, a closed model's key; empty for all
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),  # as it is: a signature cannot be made from a hash
    Column("since", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("ended_because", String(40)),
    Index("followers_by_owner", "owner"),
    Index("followers_by_subject", "follows", "subject"),
)
outbox = Table(
    "outbox",
    metadata,
    Column("follower", String(32), ForeignKey("followers.id"), primary_key=True),
    Column("advisory", words(), ForeignKey("advisories.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("message", String(40), nullable=False, unique=True),
    Column("because", String(10), nullable=False),  # all, listed, kin, closed
    Column("made_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("state", String(20), nullable=False),  # waiting, delivered, given up
    Column("attempts", Integer, nullable=False),
    Column("lease", String(32)),
    Column("leased_until", Instant),
    Index("outbox_by_due", "state", "due_at"),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("message", String(40), ForeignKey("outbox.message"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("outcome", String(80), nullable=False),
)
