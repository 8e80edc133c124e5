"""Models are found by how their label begins, and the newest publications are listed, through indexes: a key made of the label, filled in."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the key, fill it, index it and the time of publishing."""
    key = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")
    op.add_column("publications", sa.Column("label_key", key))
    table = sa.table("publications", *map(sa.column, ("envelope", "label", "label_key")))
    connection = op.get_bind()
    for envelope, label in connection.execute(sa.select(table.c.envelope, table.c.label)).all():
        found = " ".join(label.casefold().split())[:200]
        connection.execute(sa.update(table).where(table.c.envelope == envelope).values(label_key=found))
    op.create_index("publications_by_label", "publications", ["label_key"])
    op.create_index("publications_by_time", "publications", ["published_at"])
