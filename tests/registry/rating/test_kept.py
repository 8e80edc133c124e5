"""What people said is in a backup, of either database, and comes back whole."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Table, func, select

from tests.registry.databases import opened
from tests.registry.rating.filling import fill
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.backup import back_up, restore
from weighbridge.registry.labelling import claim, label_file
from weighbridge.registry.rating import agreement
from weighbridge.registry.store import Store
from weighbridge.registry.tables import ratings as tables
from weighbridge.registry.tables.columns import metadata

OURS = [table.name for table in vars(tables).values() if isinstance(table, Table) and table.metadata is metadata]


def test_a_backup_has_all_that_people_said(store: Store, tmp_path: Path) -> None:
    """Every table has rows, and the copy answers as the registry does: counts, agreement, who has what in front of them, the file of labels."""
    batch = fill(store)
    back_up(store, tmp_path / "backup")
    place = f"sqlite:///{tmp_path / 'again.db'}"
    restore(tmp_path / "backup", place)
    with opened(place) as again:
        told = []
        for each in (store, again):
            with each.reading() as connection:
                rows = {
                    name: connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar()
                    for name in OURS
                }
                told.append((rows, agreement(connection, store.clock(), rater="eve", role=Role.TESTER)))
                verify_audit(connection)
        assert told[0] == told[1]
        assert all(told[0][0].values()), told[0][0]
        assert label_file(store, batch, by="m") == label_file(again, batch, by="m")
        assert claim(store, batch, rater="ann") == claim(again, batch, rater="ann")
