"""Sessions: what a browser shows once somebody has signed in. They end at a set time, when nothing is done, by signing out, and with their user."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import Connection, Table, delete, insert, or_, select, update
from sqlalchemy.exc import DBAPIError

from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.secret import digest_of, new_secret
from weighbridge.registry.audit import note
from weighbridge.registry.store import WAIT_S, Store
from weighbridge.registry.tables.accounts import links, sessions, tokens, users

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is known when somebody was last here: writing that down costs a write."""

_HURRIED_MS = 200


@dataclass(frozen=True)
class Session:
    """A session that holds. `digest` names it."""

    digest: str
    user: str
    role: Role
    how: str
    created_at: datetime
    seen_at: datetime


def begin_session(
    connection: Connection, now: datetime, user: str, *, how: str, lasts: timedelta, instead_of: str | None = None
) -> str:
    """Return the secret of a new session. `how` they signed in: passkey, link, provider. `lasts`: how long any session does; older ones go.

    `instead_of`: the secret that the browser showed until now, whose session ends.
    """
    replaced = sessions.c.digest == digest_of(instead_of or "")
    connection.execute(delete(sessions).where(or_(sessions.c.created_at <= now - lasts, replaced)))
    secret = new_secret()
    row = {"digest": digest_of(secret), "user": user, "how": how, "created_at": now, "seen_at": now}
    connection.execute(insert(sessions).values(row))
    note(connection, now, "signed in", user, None, {"user": user, "how": how})
    return secret


def find_session(
    connection: Connection, secret: str, now: datetime, *, lasts: timedelta, idles: timedelta
) -> Session | None:
    """Return the session of a secret, None when it has ended or its user is disabled."""
    row = connection.execute(
        select(sessions, users.c.role)
        .join(users, users.c.name == sessions.c.user)
        .where(
            sessions.c.digest == digest_of(secret),
            sessions.c.created_at > now - lasts,
            # Seen is written once a minute at most, so idling is counted from the end of that minute.
            sessions.c.seen_at > now - idles - SEEN_EVERY,
            users.c.disabled_at.is_(None),
        )
    ).first()
    if row is None:
        return None
    return Session(row.digest, row.user, Role(row.role), row.how, row.created_at, row.seen_at)


def list_sessions(
    connection: Connection, user: str, now: datetime, *, lasts: timedelta, idles: timedelta
) -> list[Session]:
    """Return a user's sessions that hold, newest first."""
    rows = connection.execute(
        select(sessions, users.c.role)
        .join(users, users.c.name == sessions.c.user)
        .where(
            sessions.c.user == user,
            sessions.c.created_at > now - lasts,
            sessions.c.seen_at > now - idles - SEEN_EVERY,
        )
        .order_by(sessions.c.created_at.desc(), sessions.c.digest)
    )
    return [Session(row.digest, row.user, Role(row.role), row.how, row.created_at, row.seen_at) for row in rows]


def end_session(connection: Connection, now: datetime, secret: str) -> None:
    """End one session. One that has ended already stays so."""
    digest = digest_of(secret)
    user = connection.execute(select(sessions.c.user).where(sessions.c.digest == digest)).scalar()
    if user is not None:
        connection.execute(delete(sessions).where(sessions.c.digest == digest))
        note(connection, now, "signed out", user, None, {"user": user})


def end_sessions(connection: Connection, now: datetime, user: str, *, by: str) -> int:
    """End all sessions of a user; return how many there were. Tokens stay."""
    ended = connection.execute(delete(sessions).where(sessions.c.user == user)).rowcount
    note(connection, now, "signed out everywhere", by, None, {"user": user, "sessions": str(ended)})
    return ended


def end_all(connection: Connection, now: datetime, *, by: str) -> None:
    """End all sessions and tokens of everybody: a backup that was restored holds some that had ended."""
    for table in (sessions, tokens):
        connection.execute(delete(table))
    connection.execute(update(links).where(links.c.used_at.is_(None)).values(used_at=now))
    note(connection, now, "signed out everywhere", by, None, {"user": "everybody"})


def csrf_of(secret: str) -> str:
    """Return what a form of this session must send back. Who knows it does not know the session.

    >>> csrf_of("a")[:8]
    '2a1c08d9'
    """
    return hmac.new(secret.encode(), b"weighbridge csrf", sha256).hexdigest()


def mark_used(store: Store, table: Table, column: str, digest: str, now: datetime) -> None:
    """Write down that a session or a token was used, if that can be done at once: reading must not wait for who publishes, nor fail with them."""
    marked = update(table).where(table.c.digest == digest).values({column: now})
    with suppress(DBAPIError), store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection = connection.execution_options(weighbridge_writes=True)
            with _hurried(connection), connection.begin():
                connection.execute(marked)
            return
        with connection.begin():
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_HURRIED_MS}")
            connection.execute(marked)


@contextmanager
def _hurried(connection: Connection) -> Iterator[None]:
    """Let SQLite wait for another writer hardly at all."""
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_HURRIED_MS}")
    try:
        yield
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {WAIT_S * 1000}")
        cursor.close()
