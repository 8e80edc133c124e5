"""Tables that move forward with rows in them, and a registry that goes to a file and back with nothing lost."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import UniqueConstraint, insert, inspect, select, text

from tests.registry.databases import Clock, empty_place, opened, put, signed
from tests.registry.filled import fill
from tests.registry.test_lookup import facts
from tests.registry.test_publishing import kill, rows
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.backup import back_up, check, restore
from weighbridge.registry.lookup import closed_history
from weighbridge.registry.problems import RegistryError
from weighbridge.registry.publishing import answer, revoke, trust
from weighbridge.registry.store import Store, connect, open_store, tables_in
from weighbridge.registry.tables import REVISION, metadata, supersessions
from weighbridge.registry.upgrading import revision_of, upgrade
from weighbridge.registry.upload import Upload

TIME = "2026-11-26T12:00:00.000000Z"
OLD = (
    "INSERT INTO publications (envelope, statement, dossier, root, label, provider, name, weighed_at, made_at,"
    " valid_until, published_at, signer, signer_known, facts) VALUES (:envelope, 's', 'd', :root, 'l', :provider, :name,"
    f" '{TIME}', '{TIME}', '{TIME}', '{TIME}', 'x', true, :facts)"
)


def of_first_tables(url: str) -> None:
    """Make a registry as the first version made it, with a closed model and an open one in it."""
    store = connect(url, clock=Clock())
    upgrade(store, to="0001")
    said = facts().model_dump_json()
    with store.writing() as connection:
        open_one = {"envelope": "sha256:" + "1" * 64, "root": "sha256:" + "2" * 64, "provider": None, "name": None}
        closed = {"envelope": "sha256:" + "3" * 64, "root": None, "provider": "Some  Lab", "name": "Big Model"}
        for row in (open_one, closed):
            # Digests of the closed one's statement and dossier are placeholders of the right form.
            asked = OLD.replace("'s', 'd'", f"'{row['envelope']}', '{row['envelope']}'")
            connection.execute(text(asked), {**row, "facts": said})
    store.close()


def test_tables_move_forward_with_rows_in_them(url: str) -> None:
    """A registry of the first version is used by this one: its rows are there, and its closed model is found by name."""
    of_first_tables(url)
    with opened(url) as store, store.reading() as connection:
        assert revision_of(connection, store.where) == REVISION
        [entry] = closed_history(connection, "some lab", "BIG model")
        assert entry.provider == "Some  Lab"
        keys = connection.execute(select(metadata.tables["publications"].c.name_key)).scalars()
        assert sorted(key or "" for key in keys) == ["", "some lab/big model"]
        assert verify_audit(connection).entries == 1


def test_kill_9_in_the_middle_of_a_migration_can_be_started_again(url: str, tmp_path: Path) -> None:
    """After the kill the tables are the old ones, whole; the next start goes on from there. Of a new registry too."""
    kill("upgrade", url, tmp_path)
    store = connect(url)
    with store.reading() as connection:
        assert tables_in(connection) == []
    store.close()
    of_first_tables(url)
    kill("upgrade", url, tmp_path)
    store = connect(url)
    with store.reading() as connection:
        assert revision_of(connection, store.where) == "0001"
        assert connection.execute(text("SELECT count(*) FROM publications")).scalar() == 2
    store.close()
    with opened(url) as again:
        assert rows(again)["publications"] == 2


def test_servers_that_start_at_once_on_an_empty_database_make_one_registry(url: str) -> None:
    """Six at a time: nobody fails, and one audit log begins."""
    failed: list[Exception] = []

    def start() -> None:
        try:
            with opened(url):
                pass
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed
    with opened(url) as store, store.reading() as connection:
        assert verify_audit(connection).entries == 1


def test_a_backup_is_of_one_moment_while_others_publish(store: Store, upload: Upload, tmp_path: Path) -> None:
    """What is published while a backup is under way is in it whole or not at all."""
    done = threading.Event()

    def talk() -> None:
        while not done.is_set():
            answer(store, found.publication, by="author", text=f"text {time.monotonic()}")

    found = put(store, upload)
    thread = threading.Thread(target=talk)
    thread.start()
    try:
        for number in range(3):
            counted = back_up(store, tmp_path / f"backup-{number}")
            assert counted.rows["answers"] == counted.head.entries - 2
    finally:
        done.set()
        thread.join()


def test_the_migrations_end_in_the_tables_that_the_code_uses(store: Store) -> None:
    """Column by column, and index by index."""
    with store.reading() as connection:
        seen = inspect(connection)
        assert set(seen.get_table_names()) == {*metadata.tables, "alembic_version"}
        for table in metadata.sorted_tables:
            columns = {each["name"]: each["nullable"] for each in seen.get_columns(table.name)}
            assert columns == {each.name: bool(each.nullable) for each in table.columns}
            indexes = [each for each in seen.get_indexes(table.name) if "duplicates_constraint" not in each]
            assert {each["name"] for each in indexes} == {each.name for each in table.indexes}
            alone = {tuple(each["column_names"]) for each in seen.get_unique_constraints(table.name)}
            meant = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
            assert alone == {tuple(column.name for column in each.columns) for each in meant}


def test_a_newer_versions_registry_and_a_strangers_database_are_left_alone(url: str) -> None:
    """Nothing is changed in either, and the error says what to do."""
    with opened(url) as store, store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RegistryError, match="newer version"):
        open_store(url)


def test_a_database_with_other_tables_is_left_alone(url: str) -> None:
    """A registry does not move in with something else."""
    store = connect(url)
    with store.writing() as connection:
        connection.execute(text("CREATE TABLE theirs (a integer)"))
    store.close()
    with pytest.raises(RegistryError, match="something else"):
        open_store(url)
    with pytest.raises(UsageError, match="no registry"):
        open_store(url, create=False)


def contents(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in metadata.sorted_tables
        }


@pytest.fixture
def full(store: Store, upload: Upload, key: PrivateKey, tmp_path: Path) -> Store:
    """A registry with something in every table."""
    trust(store, key.public, name="Evaluator", by="test")
    found = put(store, upload)
    folder = tmp_path / "again"
    again = signed(folder, key)
    put(store, again)
    answer(store, found.publication, by="author", text="text")
    revoke(store, found.publication, by="maintainer", reason="reason")
    with store.writing() as connection:
        connection.execute(insert(supersessions).values(older="a", newer="b", signer="c"))
        fill(connection, store.clock())
    return store


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_backup_and_restore_lose_nothing(full: Store, tmp_path: Path, to: str) -> None:
    """Every row of every table and every byte of every file, and the audit log, from either database into either."""
    before = contents(full)
    assert all(before.values())
    counted = back_up(full, tmp_path / "backup")
    assert counted.rows == rows(full)
    assert not [each.name for each in tmp_path.iterdir() if each.name.startswith(".backup") or "backup-" in each.name]
    with empty_place(to, tmp_path) as place:
        assert restore(tmp_path / "backup", place) == counted
        with opened(place) as restored:
            assert contents(restored) == before
            with restored.reading() as connection:
                assert check(connection) == counted
        with pytest.raises(UsageError, match="not empty"):
            restore(tmp_path / "backup", place)
    with pytest.raises(UsageError, match="there already"):
        back_up(full, tmp_path / "backup")


def test_a_damaged_or_newer_backup_is_not_restored(tmp_path: Path, upload: Upload) -> None:
    """A file changed in it, an audit entry gone, a newer version, no backup: the empty place stays empty."""
    with opened(f"sqlite:///{tmp_path / 'from.db'}") as store:
        put(store, upload)
        harms = {
            "UPDATE blobs SET data = x'00' WHERE rowid = 1": EvidenceError,
            "DELETE FROM audit WHERE number = 0": EvidenceError,
            "UPDATE alembic_version SET version_num = '9999'": RegistryError,
        }
        for number, (harm, error) in enumerate(harms.items()):
            backup = tmp_path / f"backup-{number}"
            back_up(store, backup)
            with sqlite3.connect(backup) as raw:
                raw.execute(harm)
            raw.close()
            place = f"sqlite:///{tmp_path / f'to-{number}.db'}"
            with pytest.raises(error):
                restore(backup, place)
            there = connect(place)
            with there.reading() as connection:
                assert tables_in(connection) == []
            there.close()
    (tmp_path / "noise").write_bytes(b"noise" * 1000)
    with pytest.raises(RegistryError, match="not a whole SQLite database"):
        restore(tmp_path / "noise", f"sqlite:///{tmp_path / 'to.db'}")
    with pytest.raises(UsageError, match="no backup"):
        restore(tmp_path / "none", f"sqlite:///{tmp_path / 'to.db'}")


def test_an_older_versions_backup_is_restored(tmp_path: Path) -> None:
    """It is brought forward on the way, and stays as it was itself."""
    of_first_tables(f"sqlite:///{tmp_path / 'old.db'}")
    before = (tmp_path / "old.db").read_bytes()
    restore(tmp_path / "old.db", f"sqlite:///{tmp_path / 'to.db'}")
    assert (tmp_path / "old.db").read_bytes() == before
    with opened(f"sqlite:///{tmp_path / 'to.db'}") as store, store.reading() as connection:
        assert len(closed_history(connection, "Some Lab", "Big Model")) == 1
