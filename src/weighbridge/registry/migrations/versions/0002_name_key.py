"""Closed models are found whatever the case of their names: a key made from both, filled in for the rows that are there."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the key, fill it, index it."""
    op.add_column("publications", sa.Column("name_key", sa.Text().with_variant(sa.Text(collation="C"), "postgresql")))
    table = sa.table("publications", *map(sa.column, ("envelope", "provider", "name", "name_key")))
    connection = op.get_bind()
    closed = sa.select(table.c.envelope, table.c.provider, table.c.name).where(table.c.provider.is_not(None))
    for envelope, provider, name in connection.execute(closed).all():
        key = "/".join(" ".join(part.casefold().split()) for part in (provider, name))
        connection.execute(sa.update(table).where(table.c.envelope == envelope).values(name_key=key))
    op.create_index("publications_by_name", "publications", ["name_key"])
