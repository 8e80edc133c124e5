"""Who may do what: users, passkeys, tokens, sessions and one-time links."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    key = sa.String(71).with_variant(sa.String(71, collation="C"), "postgresql")
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    instant = sa.String(27)

    def of_user() -> sa.Column[str]:
        return sa.Column("user", words, sa.ForeignKey("users.name"), nullable=False)

    op.create_table(
        "users",
        sa.Column("name", words, primary_key=True),
        sa.Column("handle", key, nullable=False, unique=True),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("disabled_at", instant),
    )
    op.create_table(
        "passkeys",
        sa.Column("digest", key, primary_key=True),
        of_user(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("credential", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("backed_up", sa.Boolean, nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("used_at", instant),
    )
    op.create_table(
        "identities",
        sa.Column("digest", key, primary_key=True),
        of_user(),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("used_at", instant),
    )
    op.create_table(
        "tokens",
        sa.Column("digest", key, primary_key=True),
        of_user(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("expires_at", instant, nullable=False),
        sa.Column("used_at", instant),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", key, primary_key=True),
        of_user(),
        sa.Column("how", sa.String(20), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("seen_at", instant, nullable=False),
    )
    op.create_table(
        "links",
        sa.Column("digest", key, primary_key=True),
        sa.Column("user", words, sa.ForeignKey("users.name")),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("expires_at", instant, nullable=False),
        sa.Column("used_at", instant),
    )
    for table in ("passkeys", "identities", "tokens", "sessions", "links"):
        op.create_index(f"{table}_by_user", table, ["user"])
    op.create_table(
        "steps",
        sa.Column("digest", key, primary_key=True),
        sa.Column("expires_at", instant, nullable=False),
    )
    op.create_index("steps_by_expiry", "steps", ["expires_at"])
    op.create_table(
        "seals",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )
