"""Opening a registry's database: transactions that are whole or nothing, and errors that say who must act.

Writers take turns: SQLite by its own lock, PostgreSQL by one advisory lock. So the audit log has one end, and two publishers of the same dossier
find one another's rows and not one another's halves. Readers wait for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, TimeoutError

from weighbridge.errors import MissingExtra, UsageError
from weighbridge.registry.problems import RegistryError

LOCK = 7_214_906_113  # any number, the same for all writers of a registry
WAIT_S = 30
POOL_WAIT_S = 10

# A server that has vanished from the network is missed within half a minute, not when the system gives up.
_POSTGRES = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}

Clock = Callable[[], datetime]


class Store:
    """A registry's database. `where` names it without its password."""

    def __init__(self, engine: Engine, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self.engine, self.clock = engine, clock
        self.where = engine.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees the registry as it is at one moment. Raises `RegistryError`."""
        with self._told(), self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection whose writes all come to be when the block ends, and none when it fails. Raises `RegistryError`."""
        with self._told(), self.engine.connect() as connection:
            connection = connection.execution_options(weighbridge_writes=True)
            with connection.begin():
                if self.engine.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
                yield connection

    @contextmanager
    def driver(self) -> Iterator[Driver]:
        """Yield the driver's own connection: for reading, where SQLAlchemy would cost more than the question. Raises `RegistryError`."""
        with self._told():
            held = self.engine.raw_connection()
            try:
                with Driver(held.driver_connection, self.engine.dialect.name).alone() as driver:
                    yield driver
            except BaseException:
                held.invalidate()  # whatever state it is in
                raise
            finally:
                held.close()

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _told(error.orig, self.where, error.connection_invalidated) from error
        except self.engine.dialect.loaded_dbapi.Error as error:
            raise _told(error, self.where) from error
        except TimeoutError as error:
            raise RegistryError(
                "too many ask the registry at once", where=self.where, do="do the same again in a moment"
            ) from error


class Driver:
    """A connection of sqlite3 or psycopg as it is. What is read in one statement is of one moment."""

    def __init__(self, connection: Any, dialect: str) -> None:
        self._connection, self.is_postgresql = connection, dialect == "postgresql"

    def fetch(self, question: str, values: Sequence[object]) -> list[Sequence[Any]]:
        """Return the rows that answer a question, written with this driver's own placeholders."""
        found: list[Sequence[Any]] = self._connection.execute(question, values).fetchall()
        return found

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """Let what is asked within see the registry as it is at one moment."""
        self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ" if self.is_postgresql else "BEGIN")
        yield
        self._connection.execute("COMMIT")

    @contextmanager
    def plans_kept(self) -> Iterator[None]:
        """Let PostgreSQL plan what is asked again and again once: to plan a look-up takes it longer than to answer it."""
        if self.is_postgresql:
            self._connection.execute("SET plan_cache_mode = force_generic_plan")
        yield
        if self.is_postgresql:
            self._connection.execute("RESET plan_cache_mode")

    @contextmanager
    def alone(self) -> Iterator[Driver]:
        """Let psycopg begin no transaction by itself, as sqlite3 here never does: it would cost two more trips."""
        if self.is_postgresql:
            self._connection.autocommit = True
        yield self
        if self.is_postgresql:
            self._connection.autocommit = False


def open_store(url: str, *, clock: Clock | None = None, create: bool = True) -> Store:
    """Return the registry at `url`, brought to this version's tables. `create`: make one where there is none.

    `url` is SQLAlchemy's (`sqlite:///registry.db`, `postgresql://user@host/name`) or a path of an SQLite file. Raises `UsageError` for a
    URL that is none, `RegistryError` when the database cannot be reached, or is of a newer version.
    """
    from weighbridge.registry.upgrading import upgrade

    store = connect(url, clock=clock, create=create)
    try:
        upgrade(store, create=create)
    except BaseException:
        store.close()
        raise
    return store


def connect(url: str, *, clock: Clock | None = None, create: bool = True) -> Store:
    """Return the database at `url` as it is: no table is made or changed. Raises `UsageError`."""
    where = _parsed(url)
    if where.get_backend_name() == "sqlite" and where.database not in (None, "", ":memory:"):
        path = Path(str(where.database))
        if not create and not path.exists():
            raise UsageError("there is no registry", where=str(path), do="check the path")
        if not path.parent.is_dir():
            raise UsageError("the folder is not there", where=str(path.parent), do="make it, or choose another place")
    engine = _engine(where)
    return Store(engine, clock) if clock is not None else Store(engine)


def tables_in(connection: Connection) -> list[str]:
    """Return the names of the tables there are."""
    return inspect(connection).get_table_names()


def _parsed(url: str) -> URL:
    try:
        found = make_url(url if "://" in url else f"sqlite:///{url}")
    except ArgumentError:
        raise UsageError(
            "not a database's URL", where="--db", do="write sqlite:///FILE, or postgresql://USER@HOST/NAME"
        ) from None
    if found.drivername in ("postgresql", "postgres"):
        found = found.set(drivername="postgresql+psycopg")
    if found.drivername not in ("sqlite", "postgresql+psycopg"):
        raise UsageError(
            f"a registry is kept in SQLite or PostgreSQL, not in {found.drivername}",
            where="--db",
            do="write sqlite:///FILE, or postgresql://USER@HOST/NAME",
        )
    return found


def _engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() == "postgresql":
            connect = {"connect_timeout": 10}
            return create_engine(url, pool_pre_ping=True, connect_args=connect, hide_parameters=True)
        # What was to be stored (a conversation's words) must not stand in an error's text, which may reach a log.
        engine = create_engine(url, connect_args={"timeout": WAIT_S}, hide_parameters=True)
    except ModuleNotFoundError:
        raise MissingExtra("serve", "PostgreSQL needs psycopg") from None
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return engine


def _connected(connection: Any, record: Any) -> None:
    """Set SQLite up: its driver must not begin transactions behind our back, or DDL would not be part of them."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begun(connection: Connection) -> None:
    writes = connection.get_execution_options().get("weighbridge_writes")
    # A writer that began as a reader could not become one when another has written since.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _told(error: BaseException | None, where: str, is_lost: bool = False) -> RegistryError:
    """Return a driver's error in our words. Its text may hold what was to be stored, so only what kind it is goes on."""
    state, said = getattr(error, "sqlstate", None) or "", str(error).lower()
    if state == "53100" or "disk is full" in said or "no space left" in said:
        return RegistryError(
            "the disk is full, and nothing was stored", where=where, do="make room and do the same again"
        )
    if "database is locked" in said or state in ("55P03", "40001", "40P01"):
        return RegistryError(
            "another writer holds the registry; nothing was stored", where=where, do="do the same again"
        )
    if "readonly" in said or "read-only" in said or state == "42501":
        return RegistryError("the registry may not be written", where=where, do="check who may write there")
    if "malformed" in said or "not a database" in said:
        return RegistryError("this is not a whole SQLite database", where=where, do="restore it from a backup")
    if "no such table" in said or state == "42P01":
        return RegistryError("there is no registry in this database", where=where, do="check the URL")
    is_gone = is_lost or state[:2] == "08" or state in ("57P01", "57P02", "57P03", "3D000", "28P01")
    if is_gone or type(error).__name__ == "InterfaceError" or _is_connecting(said):
        return RegistryError(
            "the database cannot be reached, and nothing was stored",
            where=where,
            do="check that it runs and that the URL is right, and do the same again",
        )
    kind = type(error).__name__
    return RegistryError(f"the database refused ({kind} {state})".rstrip(), where=where, do="see the database's log")


def _is_connecting(said: str) -> bool:
    marks = ("connection", "could not translate host", "unable to open", "server closed", "failed to resolve")
    return any(mark in said for mark in marks)
