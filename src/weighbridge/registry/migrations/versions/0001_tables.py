"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    key = sa.String(71).with_variant(sa.String(71, collation="C"), "postgresql")
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    instant = sa.String(27)
    op.create_table(
        "blobs",
        sa.Column("digest", key, primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "signers",
        sa.Column("keyid", key, primary_key=True),
        sa.Column("pem", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("trusted_at", instant, nullable=False),
    )
    op.create_table(
        "publications",
        sa.Column("envelope", key, primary_key=True),
        sa.Column("statement", key, nullable=False),
        sa.Column("dossier", key, nullable=False),
        sa.Column("root", key),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("provider", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("weighed_at", instant, nullable=False),
        sa.Column("made_at", instant, nullable=False),
        sa.Column("valid_until", instant, nullable=False),
        sa.Column("published_at", instant, nullable=False),
        sa.Column("signer", sa.Text, nullable=False),
        sa.Column("signer_known", sa.Boolean, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
    for column in ("statement", "dossier", "root"):
        op.create_index(f"publications_by_{column}", "publications", [column])
    op.create_table(
        "publication_files",
        sa.Column("envelope", key, sa.ForeignKey("publications.envelope"), primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("blob", key, sa.ForeignKey("blobs.digest"), nullable=False),
    )
    op.create_table(
        "weights",
        sa.Column("digest", key, primary_key=True),
        sa.Column("envelope", key, sa.ForeignKey("publications.envelope"), primary_key=True),
    )
    op.create_index("weights_by_envelope", "weights", ["envelope"])
    op.create_table(
        "supersessions",
        sa.Column("older", key, primary_key=True),
        sa.Column("newer", key, primary_key=True),
        sa.Column("signer", sa.Text, primary_key=True),
    )
    op.create_table(
        "revocations",
        sa.Column("envelope", key, sa.ForeignKey("publications.envelope"), primary_key=True),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", instant, nullable=False),
    )
    op.create_table(
        "answers",
        sa.Column("digest", key, primary_key=True),
        sa.Column("envelope", key, sa.ForeignKey("publications.envelope"), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", instant, nullable=False),
    )
    op.create_index("answers_by_envelope", "answers", ["envelope"])
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject", words),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_index("audit_by_subject", "audit", ["subject", "kind"])
