"""Conversations of the workbench: turns, and what each side answered."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables."""
    key = sa.String(71).with_variant(sa.String(71, collation="C"), "postgresql")
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    instant = sa.String(27)
    op.create_table(
        "conversations",
        sa.Column("id", key, primary_key=True),
        sa.Column("owner", words, nullable=False),
        sa.Column("candidate", sa.Text, nullable=False),
        sa.Column("baseline", sa.Text),
        sa.Column("candidate_name", sa.Text, nullable=False),
        sa.Column("baseline_name", sa.Text),
        sa.Column("blind", sa.Boolean, nullable=False),
        sa.Column("candidate_is", sa.String(1), nullable=False),
        sa.Column("revealed_at", instant),
        sa.Column("began_at", instant, nullable=False),
        sa.Column("touched_at", instant, nullable=False),
    )
    op.create_index("conversations_by_owner", "conversations", ["owner", "touched_at"])
    op.create_table(
        "turns",
        sa.Column("id", key, primary_key=True),
        sa.Column("conversation", key, sa.ForeignKey("conversations.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("rung", sa.String(20), nullable=False),
        sa.Column("setting", sa.Text, nullable=False),
        sa.Column("asked_at", instant, nullable=False),
        sa.UniqueConstraint("conversation", "number", name="turns_in_order"),
    )
    op.create_table(
        "sides",
        sa.Column("id", key, primary_key=True),
        sa.Column("turn", key, sa.ForeignKey("turns.id"), nullable=False),
        sa.Column("letter", sa.String(1), nullable=False),
        sa.Column("trial", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("technique", sa.String(80)),
        sa.Column("prefill", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("advice", sa.Text),
        sa.Column("finish", sa.String(80)),
        sa.Column("server", key, nullable=False),
        sa.Column("beat_at", instant, nullable=False),
        sa.Column("ended_at", instant),
        sa.UniqueConstraint("turn", "letter", "trial", "attempt", name="sides_once"),
    )
