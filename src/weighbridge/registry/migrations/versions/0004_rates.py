"""What rankings are made of, filled from the dossiers that are there."""

import zlib

import sqlalchemy as sa
from alembic import op

from weighbridge.registry.rankings.rows import know_rates, rated_in, write_rates

revision = "0004"
down_revision = "0003"

_FILES = ("dossier.json", "protocol.toml")


def upgrade() -> None:
    """Make the tables and fill them. A publication whose dossier is not at hand gives none: it counts as lacking."""
    key = sa.String(71).with_variant(sa.String(71, collation="C"), "postgresql")
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "rankings",
        sa.Column("ranking", key, primary_key=True),
        sa.Column("benchmark", key, nullable=False),
        sa.Column("grader", key, nullable=False),
        sa.Column("rung", sa.String(20), nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("is_known", sa.Boolean, nullable=False),
    )
    op.create_index("rankings_by_place", "rankings", ["is_known", "benchmark", "grader", "rung"])
    op.create_table(
        "rates",
        sa.Column("envelope", key, sa.ForeignKey("publications.envelope"), primary_key=True),
        sa.Column("ranking", key, sa.ForeignKey("rankings.ranking"), primary_key=True),
        sa.Column("subject", words, nullable=False),
        sa.Column("is_known", sa.Boolean, nullable=False),
        sa.Column("protocol", key, nullable=False),
        sa.Column("calibrated", sa.Text, nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("low", sa.Float(53)),
        sa.Column("high", sa.Float(53)),
        sa.Column("level", sa.Float(53)),
        sa.Column("n_planned", sa.Integer),
        sa.Column("n_measured", sa.Integer),
        sa.Column("n_lost", sa.Integer),
        sa.Column("reason", sa.String(40)),
        sa.Column("detail", sa.Text),
        sa.CheckConstraint("(value IS NULL) <> (reason IS NULL)", name="rates_value_or_reason"),
    )
    op.create_index("rates_by_ranking", "rates", ["ranking", "is_known", "subject"])
    op.create_index("rates_by_subject", "rates", ["subject", "ranking"])
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    publications = sa.table("publications", *map(sa.column, ("envelope", "root", "name_key", "signer_known")))
    files = sa.table("publication_files", *map(sa.column, ("envelope", "name", "blob")))
    blobs = sa.table("blobs", sa.column("digest"), sa.column("data"))
    there = sa.select(
        publications.c.envelope, publications.c.root, publications.c.name_key, publications.c.signer_known
    )
    for envelope, root, name_key, is_known in connection.execute(there).all():
        asked = (
            sa.select(files.c.name, blobs.c.data)
            .join(blobs, blobs.c.digest == files.c.blob)
            .where(files.c.envelope == envelope, files.c.name.in_(_FILES))
        )
        found = {name: zlib.decompress(data) for name, data in connection.execute(asked)}
        if "dossier.json" in found:
            write_rates(connection, envelope, root or f"closed:{name_key}", rated_in(found))
            if is_known:
                know_rates(connection, envelope)
