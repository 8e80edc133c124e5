"""Followers: who is told of advisories about a digest, a closed model or everything, and what was sent to them.

The secret of a follower is shown once and kept as it is, since a signature cannot be made from a hash. Whoever reads the database, or a backup, can forge
messages to followers; they cannot read more than they already have.
"""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from weighbridge.errors import UsageError
from weighbridge.registry.audit import note
from weighbridge.registry.disclosing.addresses import checked_url
from weighbridge.registry.disclosing.outbox import ALL, CLOSED, DIGEST, end_follower
from weighbridge.registry.disclosing.readers import NotAllowed, Reader, not_there
from weighbridge.registry.store import Store
from weighbridge.registry.tables import name_key
from weighbridge.registry.tables.findings import deliveries, followers, outbox

MAX_FOLLOWERS = 50
MAX_LOG = 100
SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True)
class Follower:
    """What an account follows, and where to. `subject`: a digest, or a closed model's key; empty for all. `ended_at` None: it goes on."""

    id: str
    follows: str
    subject: str
    url: str
    since: datetime
    ended_at: datetime | None
    ended_because: str | None


@dataclass(frozen=True)
class Attempt:
    """One attempt to send a message."""

    attempt: int
    at: datetime
    outcome: str


@dataclass(frozen=True)
class Sent:
    """A message: about which version of an advisory, what became of it, and every attempt. `due_at`: of the next attempt, while it waits."""

    message: str
    advisory: str
    version: int
    because: str
    state: str
    made_at: datetime
    due_at: datetime
    attempts: tuple[Attempt, ...]


def follow(
    store: Store, *, follows: str, subject: str, url: str, reader: Reader, allows_loopback: bool = False
) -> tuple[Follower, str]:
    """Send advisories to a webhook from now on; return the follower and its secret, which is never shown again.

    `follows`: all, digest (`subject` is one) or closed (`subject` is PROVIDER/NAME). Raises `UsageError`, `NotAllowed`.
    """
    owner = _owner(reader)
    subject = _subject(follows, subject)
    url = checked_url(url, allows_loopback=allows_loopback)
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    table = followers.c
    with store.writing() as connection:
        now = store.clock()
        mine = (table.owner == owner, table.ended_at.is_(None))
        if (
            connection.execute(select(func.count()).select_from(followers).where(*mine)).scalar() or 0
        ) >= MAX_FOLLOWERS:
            raise UsageError(f"an account follows at most {MAX_FOLLOWERS}", do="end one first")
        same = (*mine, table.follows == follows, table.subject == subject, table.url == url)
        if connection.execute(select(table.id).where(*same)).first():
            raise UsageError("this address is told of that already", where="url", do="look at your list")
        found = Follower(secrets.token_hex(16), follows, subject, url, now, None, None)
        values = {"follows": follows, "subject": subject, "url": url, "since": now}
        connection.execute(insert(followers).values(id=found.id, owner=owner, secret=secret, **values))
        note(connection, now, "follow", owner, None, {"follower": found.id, "does": "began"})
    return found, secret


def end(store: Store, follower: str, *, reader: Reader) -> None:
    """Send nothing more. Raises `NotThere` when there is none of this account's."""
    owner = _owner(reader)
    with store.writing() as connection:
        found, now = _mine(connection, follower, owner), store.clock()
        if found.ended_at is None:
            end_follower(connection, follower, now, "its owner ended it")
            note(connection, now, "follow", owner, None, {"follower": follower, "does": "ended"})


def followed(connection: Connection, reader: Reader) -> tuple[Follower, ...]:
    """Return what an account follows and followed, newest first."""
    asked = select(followers).where(followers.c.owner == _owner(reader))
    newest = (followers.c.since.desc(), followers.c.id)
    return tuple(_follower(row) for row in connection.execute(asked.order_by(*newest).limit(500)))


def delivery_log(connection: Connection, follower: str, reader: Reader) -> tuple[Follower, tuple[Sent, ...]]:
    """Return a follower of this account and the newest messages to it, at most 100, with every attempt. Raises `NotThere`."""
    found = _mine(connection, follower, _owner(reader))
    newest = (outbox.c.made_at.desc(), outbox.c.message)
    rows = connection.execute(
        select(outbox).where(outbox.c.follower == follower).order_by(*newest).limit(MAX_LOG)
    ).all()
    names = [row.message for row in rows]
    tried: dict[str, list[Attempt]] = {}
    asked = select(deliveries).where(deliveries.c.message.in_(names)).order_by(deliveries.c.attempt)
    for row in connection.execute(asked):
        tried.setdefault(row.message, []).append(Attempt(row.attempt, row.at, row.outcome))
    sent = tuple(
        Sent(
            message=row.message,
            advisory=row.advisory,
            version=row.version,
            because=row.because,
            state=row.state,
            made_at=row.made_at,
            due_at=row.due_at,
            attempts=tuple(tried.get(row.message, ())),
        )
        for row in rows
    )
    return _follower(found), sent


def _owner(reader: Reader) -> str:
    if reader.name is None:
        raise NotAllowed("nobody is signed in", do="sign in, or follow a feed, which needs no account")
    return reader.name


def _mine(connection: Connection, follower: str, owner: str) -> Row[Any]:
    asked = select(followers).where(followers.c.id == follower, followers.c.owner == owner)
    row = connection.execute(asked).first()
    return row if row is not None else not_there("follower", follower)


def _follower(row: Row[Any]) -> Follower:
    return Follower(row.id, row.follows, row.subject, row.url, row.since, row.ended_at, row.ended_because)


def _subject(follows: str, subject: str) -> str:
    subject = subject.strip()
    if follows == ALL:
        return ""
    if follows == DIGEST:
        if (found := _DIGEST.fullmatch(subject.lower())) is not None:
            return f"sha256:{found[1]}"
        raise UsageError("not a whole digest", where="subject", do="give 64 hexadecimal digits of SHA-256")
    provider, slash, name = subject.partition("/")
    if (
        follows != CLOSED
        or not (slash and provider.strip() and name.strip())
        or len(subject) > 250
        or "\x00" in subject
    ):
        raise UsageError("not a closed model", where="subject", do="write PROVIDER/NAME")
    return name_key(provider, name)
