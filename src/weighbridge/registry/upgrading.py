"""Brings a registry's tables to this version, in one transaction: a kill in the middle leaves them as they were."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from weighbridge.errors import UsageError
from weighbridge.registry.audit import begin_audit
from weighbridge.registry.problems import RegistryError
from weighbridge.registry.store import Store, tables_in
from weighbridge.registry.tables import REVISION, REVISIONS

_MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(store: Store, *, to: str = REVISION, create: bool = True) -> None:
    """Bring the tables to revision `to`, whatever they hold, and begin the audit log when there is none.

    Raises `UsageError` when there is no registry and none is to be made, `RegistryError` when it is of a newer version.
    """
    with store.reading() as connection:
        if revision_of(connection, store.where) == to:
            return
    with store.writing() as connection:  # looked at again behind the lock: another server may have been first
        found = revision_of(connection, store.where)
        if found == to:
            return
        if found is None and not create:
            raise UsageError("there is no registry in this database", where=store.where, do="check the URL")
        if found is None and (others := tables_in(connection)):
            raise RegistryError(
                f"the database holds something else ({others[0]})", where=store.where, do="give the registry its own"
            )
        upgrade_within(connection, to)
        begin_audit(connection, store.clock())


def upgrade_within(connection: Connection, to: str = REVISION) -> None:
    """Bring the tables to revision `to` within the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def revision_of(connection: Connection, where: str) -> str | None:
    """Return the revision of the tables, None when there are none. Raises `RegistryError` for one that is not known here."""
    if "alembic_version" not in tables_in(connection):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found not in REVISIONS:
        raise RegistryError(
            f"it was written by a newer version (its tables are at {str(found)[:40]!r}, this version knows {REVISION})",
            where=where,
            do="use the version that wrote it, or a newer one; nothing was changed",
        )
    return found
