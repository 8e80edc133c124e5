"""Conversations of the workbench: turns, their two sides, tags."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables."""
