"""A whole registry to one file and back. The file is itself a registry in SQLite, so a backup can be looked into, and moves between databases.

A backup is what was there at one moment, while others read and publish. Restoring is one transaction, into an empty place only, and is checked
before it counts: every file against its digest, the audit log from its first entry to its last.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from weighbridge.errors import EvidenceError, UsageError
from weighbridge.registry.audit import Head, verify_audit
from weighbridge.registry.lookup import unpacked
from weighbridge.registry.store import Store, connect, tables_in
from weighbridge.registry.tables import blobs, metadata
from weighbridge.registry.upgrading import upgrade, upgrade_within

_BATCH = 200
_BYTES = 32 << 20


@dataclass(frozen=True)
class Counted:
    """How many rows each table has, and where the audit log ends."""

    rows: dict[str, int]
    head: Head


def back_up(store: Store, path: Path) -> Counted:
    """Write all of a registry to the file `path`, whole or not at all; return what is in it.

    Raises `UsageError` when the file is there already or cannot be written, `EvidenceError` when the registry is damaged.
    """
    if os.path.lexists(path):
        raise UsageError("is there already and is never overwritten", where=str(path), do="choose another name")
    part = path.with_name(f".{path.name}.part")
    try:
        _remove(part)
        target = connect(f"sqlite:///{part}")
        try:
            with store.reading() as source, target.writing() as connection:
                upgrade_within(connection)
                counted = _copy(source, connection)
            with target.reading() as connection:
                # One file, without a journal beside it.
                connection.rollback()
                connection.connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            target.close()
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.link(part, path)  # unlike a rename, it never replaces
    except OSError as error:
        raise UsageError(
            f"the backup cannot be written ({error.strerror})", where=str(path), do="choose another place"
        ) from error
    finally:
        _remove(part)
    return counted


def restore(path: Path, url: str) -> Counted:
    """Fill the empty place `url` with the backup in `path`, whole or not at all; return what is in it.

    Raises `UsageError` when there is no backup or the place is not empty, `RegistryError` when the backup is of a newer version,
    `EvidenceError` when it is damaged.
    """
    if not path.is_file():
        raise UsageError("there is no backup", where=str(path), do="check the path")
    with tempfile.TemporaryDirectory(prefix="weighbridge-restore-") as folder:
        copy = Path(folder) / "backup.db"  # brought to this version's tables; the backup stays as it is
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            raise UsageError(f"cannot be read ({error.strerror})", where=str(path), do="check it") from error
        source = connect(f"sqlite:///{copy}")
        source.where = str(path)
        try:
            upgrade(source, create=False)
            target = connect(url)
            try:
                with source.reading() as reading, target.writing() as connection:
                    if found := tables_in(connection):
                        raise UsageError(
                            f"the place is not empty ({found[0]} is there)",
                            where=target.where,
                            do="restore into a new database",
                        )
                    upgrade_within(connection)
                    return _copy(reading, connection)
            finally:
                target.close()
        finally:
            source.close()


def check(connection: Connection) -> Counted:
    """Return what a registry holds, each file held against its digest and the audit log read through. Raises `EvidenceError`."""
    for digest, size, data in _rows(connection, blobs):
        unpacked(digest, size, data)
    return Counted(_counts(connection), verify_audit(connection))


def _copy(source: Connection, target: Connection) -> Counted:
    """Copy all rows into empty tables, and check what has come over."""
    for table in metadata.sorted_tables:
        names = [column.name for column in table.columns]
        batch, size = [], 0
        for row in _rows(source, table):
            batch.append(dict(zip(names, row, strict=True)))
            size += sum(len(each) for each in row if isinstance(each, bytes))
            if len(batch) == _BATCH or size > _BYTES:
                target.execute(insert(table), batch)
                batch, size = [], 0
        if batch:
            target.execute(insert(table), batch)
    counted = check(target)
    if counted.rows != _counts(source):
        raise EvidenceError("rows were lost on the way", where="copy", do="do the same again")
    return counted


def _rows(connection: Connection, table):  # type: ignore[no-untyped-def]  # rows of any table
    streaming = connection.execution_options(stream_results=True, yield_per=_BATCH)
    return streaming.execute(select(table).order_by(*table.primary_key.columns))


def _counts(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar() or 0
        for table in metadata.sorted_tables
    }


def _remove(part: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            part.with_name(part.name + suffix).unlink()
