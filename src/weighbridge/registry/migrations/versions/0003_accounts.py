"""Who may do what: users, passkeys, tokens, sessions and one-time links."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
