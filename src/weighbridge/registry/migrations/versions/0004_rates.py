"""What rankings are made of: harm rates by benchmark, grader and rung."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
