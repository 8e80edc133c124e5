"""Findings, advisories, followers and what was sent to them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    key = sa.String(71).with_variant(sa.String(71, collation="C"), "postgresql")
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    instant, handle, day = sa.String(27), sa.String(32), sa.String(10)
    op.create_table(
        "findings",
        sa.Column("handle", handle, primary_key=True),
        sa.Column("digest", key, nullable=False),
        sa.Column("saved_by", words, nullable=False),
        sa.Column("saved_at", instant, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("public_from", day),
        sa.Column("category", sa.String(40), nullable=False),
        sa.Column("verb", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("rung", sa.String(20), nullable=False),
        sa.UniqueConstraint("saved_by", "digest", name="findings_once"),
    )
    op.create_index("findings_by_digest", "findings", ["digest"])
    op.create_index("findings_by_time", "findings", ["saved_at"])
    op.create_table(
        "finding_versions",
        sa.Column("finding", handle, sa.ForeignKey("findings.handle"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", instant, nullable=False),
    )
    op.create_table(
        "finding_digests",
        sa.Column("digest", key, primary_key=True),
        sa.Column("finding", handle, sa.ForeignKey("findings.handle"), primary_key=True),
    )
    op.create_table(
        "finding_people",
        sa.Column("finding", handle, sa.ForeignKey("findings.handle"), primary_key=True),
        sa.Column("name", words, primary_key=True),
        sa.Column("part", sa.String(20), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", instant, nullable=False),
    )
    op.create_index("finding_people_by_name", "finding_people", ["name"])
    op.create_table(
        "advisories",
        sa.Column("id", words, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("told", sa.Integer, nullable=False),
        sa.Column("reached", sa.Integer, nullable=False),
        sa.Column("public_from", day),
        sa.Column("saved_at", instant, nullable=False),
    )
    op.create_index("advisories_by_day", "advisories", ["public_from"])
    op.create_table(
        "advisory_versions",
        sa.Column("advisory", words, sa.ForeignKey("advisories.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", instant, nullable=False),
    )
    op.create_table(
        "advisory_digests",
        sa.Column("digest", key, primary_key=True),
        sa.Column("advisory", words, sa.ForeignKey("advisories.id"), primary_key=True),
    )
    op.create_table(
        "advisory_findings",
        sa.Column("advisory", words, sa.ForeignKey("advisories.id"), primary_key=True),
        sa.Column("finding", handle, sa.ForeignKey("findings.handle"), primary_key=True),
    )
    op.create_index("advisory_findings_by_finding", "advisory_findings", ["finding"])
    op.create_table(
        "followers",
        sa.Column("id", handle, primary_key=True),
        sa.Column("owner", words, nullable=False),
        sa.Column("follows", sa.String(10), nullable=False),
        sa.Column("subject", words, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("since", instant, nullable=False),
        sa.Column("ended_at", instant),
        sa.Column("ended_because", sa.String(40)),
    )
    op.create_index("followers_by_owner", "followers", ["owner"])
    op.create_index("followers_by_subject", "followers", ["follows", "subject"])
    op.create_table(
        "outbox",
        sa.Column("follower", handle, sa.ForeignKey("followers.id"), primary_key=True),
        sa.Column("advisory", words, sa.ForeignKey("advisories.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("message", sa.String(40), nullable=False, unique=True),
        sa.Column("because", sa.String(10), nullable=False),
        sa.Column("made_at", instant, nullable=False),
        sa.Column("due_at", instant, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease", sa.String(32)),
        sa.Column("leased_until", instant),
    )
    op.create_index("outbox_by_due", "outbox", ["state", "due_at"])
    op.create_table(
        "deliveries",
        sa.Column("message", sa.String(40), sa.ForeignKey("outbox.message"), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("outcome", sa.String(80), nullable=False),
    )
