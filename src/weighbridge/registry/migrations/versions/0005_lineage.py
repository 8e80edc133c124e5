"""Fingerprints of published models, and what their cards declare, filled from the dossiers that are there."""

import json
import zlib

import sqlalchemy as sa
from alembic import op

from weighbridge.registry.lineage.keeping import count_mark, marked_in, write_mark

revision = "0005"
down_revision = "0004"

_FILES = ("dossier.json", "inspection.json")


def upgrade() -> None:
    """Make the tables and fill them. A publication whose files are not at hand has no fingerprint: "not measured"."""
    key = sa.String(71).with_variant(sa.String(71, collation="C"), "postgresql")
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "marks",
        sa.Column("envelope", key, sa.ForeignKey("publications.envelope"), primary_key=True),
        sa.Column("root", key, nullable=False),
        sa.Column("entry", sa.Integer),
        sa.Column("words", sa.LargeBinary),
        sa.Column("mark", sa.LargeBinary),
        sa.Column("reason", sa.Text),
    )
    op.create_index("marks_by_entry", "marks", ["entry"])
    op.create_index("marks_by_root", "marks", ["root"])
    op.create_table(
        "traits",
        sa.Column("envelope", key, sa.ForeignKey("publications.envelope"), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "declared",
        sa.Column("envelope", key, sa.ForeignKey("publications.envelope"), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("name_key", words, nullable=False),
        sa.Column("short_key", words, nullable=False),
    )
    op.create_index("declared_by_name", "declared", ["name_key"])
    op.create_index("declared_by_short", "declared", ["short_key"])
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    publications = sa.table("publications", *map(sa.column, ("envelope", "root", "signer_known")))
    files = sa.table("publication_files", *map(sa.column, ("envelope", "name", "blob")))
    blobs = sa.table("blobs", sa.column("digest"), sa.column("data"))
    table = publications.c
    there = sa.select(table.envelope, table.root, table.signer_known).where(table.root.is_not(None))
    entries = _entries(connection)
    for envelope, root, is_known in sorted(connection.execute(there).all(), key=lambda row: entries.get(row[0], 0)):
        asked = (
            sa.select(files.c.name, blobs.c.data)
            .join(blobs, blobs.c.digest == files.c.blob)
            .where(files.c.envelope == envelope, files.c.name.in_(_FILES))
        )
        found = {name: zlib.decompress(data) for name, data in connection.execute(asked)}
        write_mark(connection, envelope, root, marked_in(found))
        if is_known:
            count_mark(connection, envelope, entries.get(envelope, 0))


def _entries(connection: sa.Connection) -> dict[str, int]:
    """Return the last entry of the audit log that says that a publication is by a known signer."""
    audit = sa.table("audit", *map(sa.column, ("number", "kind", "line")))
    asked = sa.select(audit.c.number, audit.c.line).where(audit.c.kind.in_(("published", "verified")))
    found = {}
    for number, line in connection.execute(asked.order_by(audit.c.number)):
        found[json.loads(line)["of"].get("publication", "")] = number
    return found
