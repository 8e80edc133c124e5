"""What followers are to be sent: a row for each follower and version of an advisory, written in the transaction in which the advisory becomes readable.

The row's key makes it one, whatever runs twice. Sending is at least once: a row is claimed with a lease, sent outside of any transaction, and noted; a server
that dies in between lets the lease run out, and another sends the same message, by the same id, again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from weighbridge.findings.advisory import Advisory
from weighbridge.registry.disclosing.descendants import derived_from
from weighbridge.registry.disclosing.records import advisory_version, day_of
from weighbridge.registry.store import Store
from weighbridge.registry.tables import publications
from weighbridge.registry.tables.findings import advisories, deliveries, followers, outbox

LEASE = timedelta(seconds=60)
GIVES_UP_AFTER = timedelta(days=3)
MAX_OUTCOME = 80
_FIRST_WAIT_S, _MOST_WAIT_S = 5, 6 * 3600
_BATCH = 500

WAITING, DELIVERED, GIVEN_UP = "waiting", "delivered", "given up"
ALL, DIGEST, CLOSED = "all", "digest", "closed"


@dataclass(frozen=True)
class Claimed:
    """A message to send now. `because`: all, listed, kin or closed: how it concerns what is followed; `subject`: what that is (empty: all)."""

    message: str
    lease: str
    attempt: int
    made_at: datetime
    because: str
    subject: str
    url: str
    secret: str
    version: int
    advisory: Advisory


def announce(connection: Connection, advisory: str, now: datetime) -> int:
    """Write a row for each follower of an advisory that may be read and that they were not told of in this version; return how many.

    For use within the transaction of a change, and by `sweep` when a day has come. Whoever follows from later on is not told of what was there.
    """
    head = connection.execute(select(advisories).where(advisories.c.id == advisory)).one()
    if head.public_from is None or head.public_from > day_of(now).isoformat() or head.told >= head.version:
        return 0
    concerned: dict[str, str] = {}
    for because, which in _concerned(connection, advisory_version(connection, advisory)):
        asked = select(followers.c.id).where(followers.c.ended_at.is_(None), which)
        for follower in connection.execute(asked).scalars():
            concerned.setdefault(follower, because)
    _insert(connection, advisory, head.version, concerned, now)
    connection.execute(update(advisories).where(advisories.c.id == advisory).values(told=head.version))
    return len(concerned)


def sweep(store: Store) -> int:
    """Announce every advisory whose day has come, and then to followers of what descends from what it lists; return how many rows were written.

    Lineage is searched outside of the writers' lock, which is taken only when there is something to write.
    """
    table, today = advisories.c, day_of(store.clock()).isoformat()
    with store.reading() as connection:
        readable = table.public_from <= today
        due = connection.execute(select(table.id).where(readable, table.told < table.version)).scalars().all()
    written = 0
    for advisory in due:
        with store.writing() as connection:  # looked at again behind the lock: another server may have been first
            written += announce(connection, advisory, store.clock())
    with store.reading() as connection:
        reaching = connection.execute(select(table.id).where(readable, table.reached < table.told)).scalars().all()
    return written + sum(_reach(store, advisory) for advisory in reaching)


def claim(store: Store, *, limit: int = 20) -> list[Claimed]:
    """Return messages to send now, which nobody else is given until the lease ends (60 s)."""
    now = store.clock()
    table = outbox.c
    which = (
        table.state == WAITING,
        table.due_at <= now,
        or_(table.leased_until.is_(None), table.leased_until <= now),
    )
    with store.reading() as connection:
        if connection.execute(select(table.message).where(*which).limit(1)).first() is None:
            return []
    lease = secrets.token_hex(16)
    with store.writing() as connection:
        asked = select(outbox, followers).join(followers, followers.c.id == table.follower).where(*which)
        rows = connection.execute(asked.order_by(table.due_at, table.message).limit(limit)).all()
        names = [row.message for row in rows]
        changes = {"lease": lease, "leased_until": now + LEASE}
        connection.execute(update(outbox).where(table.message.in_(names)).values(**changes))
        return [
            Claimed(
                message=row.message,
                lease=lease,
                attempt=row.attempts + 1,
                made_at=row.made_at,
                because=row.because,
                subject=row.subject,
                url=row.url,
                secret=row.secret,
                version=row.version,
                advisory=advisory_version(connection, row.advisory, row.version),
            )
            for row in rows
        ]


def note_outcome(store: Store, claimed: Claimed, *, delivered: bool, outcome: str, ends: bool = False) -> None:
    """Note what became of an attempt. Not delivered: tried again, later each time, for three days. `ends`: the receiver wants no more.

    Does nothing when the lease has run out and somebody else took the message: they note it.
    """
    now, table = store.clock(), outbox.c
    with store.writing() as connection:
        row = connection.execute(select(outbox).where(table.message == claimed.message)).one()
        if row.lease != claimed.lease or row.state != WAITING:
            return
        due = now + timedelta(seconds=wait_s(claimed.attempt))
        state = WAITING
        if delivered:
            state = DELIVERED
        elif ends or due > row.made_at + GIVES_UP_AFTER:
            state = GIVEN_UP
        changes = {"state": state, "due_at": due, "attempts": claimed.attempt, "lease": None, "leased_until": None}
        connection.execute(update(outbox).where(table.message == claimed.message).values(**changes))
        values = {"message": claimed.message, "attempt": claimed.attempt, "at": now, "outcome": outcome[:MAX_OUTCOME]}
        connection.execute(insert(deliveries).values(**values))
        if ends:
            end_follower(connection, row.follower, now, "the receiver wants no more")


def end_follower(connection: Connection, follower: str, now: datetime, because: str) -> None:
    """Send a follower nothing more: what waits is given up."""
    table = followers.c
    changes = {"ended_at": now, "ended_because": because}
    connection.execute(update(followers).where(table.id == follower, table.ended_at.is_(None)).values(**changes))
    waiting = (outbox.c.follower == follower, outbox.c.state == WAITING)
    connection.execute(update(outbox).where(*waiting).values(state=GIVEN_UP, lease=None, leased_until=None))


def wait_s(attempt: int) -> int:
    """Return how long to wait after an attempt that failed, in seconds: four times as long each time, at most six hours.

    >>> [wait_s(each) for each in (1, 2, 5, 9)]
    [5, 20, 1280, 21600]
    """
    return min(_FIRST_WAIT_S << 2 * min(attempt - 1, 10), _MOST_WAIT_S)


def _reach(store: Store, advisory: str) -> int:
    """Write rows for followers of what descends from what an advisory lists, and that it does not list; return how many."""
    with store.reading() as connection:
        told = connection.execute(select(advisories.c.told).where(advisories.c.id == advisory)).scalar_one()
        derived = sorted(derived_from(connection, advisory_version(connection, advisory, told), store.clock()))
    with store.writing() as connection:
        head = connection.execute(select(advisories).where(advisories.c.id == advisory)).one()
        if head.told != told or head.reached >= told:
            return 0
        already = select(outbox.c.follower).where(outbox.c.advisory == advisory, outbox.c.version == told)
        concerned: dict[str, str] = {}
        for at in range(0, len(derived), _BATCH):
            which = (followers.c.follows == DIGEST) & followers.c.subject.in_(derived[at : at + _BATCH])
            asked = select(followers.c.id).where(followers.c.ended_at.is_(None), which, followers.c.id.not_in(already))
            concerned |= dict.fromkeys(connection.execute(asked).scalars(), "kin")
        _insert(connection, advisory, told, concerned, store.clock())
        connection.execute(update(advisories).where(advisories.c.id == advisory).values(reached=told))
    return len(concerned)


def _insert(connection: Connection, advisory: str, version: int, concerned: dict[str, str], now: datetime) -> None:
    rows = [
        {
            "follower": follower,
            "advisory": advisory,
            "version": version,
            "message": _message(follower, advisory, version),
            "because": because,
            "made_at": now,
            "due_at": now,
            "state": WAITING,
            "attempts": 0,
        }
        for follower, because in concerned.items()
    ]
    if rows:
        connection.execute(insert(outbox), rows)


def _concerned(connection: Connection, advisory: Advisory) -> Iterable[tuple[str, ColumnElement[bool]]]:
    """Yield which followers an advisory concerns, and how: the nearest first."""
    listed = [one.digest for one in advisory.digests]
    for at in range(0, len(listed), _BATCH):
        yield "listed", (followers.c.follows == DIGEST) & followers.c.subject.in_(listed[at : at + _BATCH])
    # A closed model has no digest of its own: an advisory lists the dossier that was published about it.
    for at in range(0, len(listed), _BATCH):
        keys = select(publications.c.name_key).where(
            publications.c.dossier.in_(listed[at : at + _BATCH]), publications.c.name_key.is_not(None)
        )
        yield "closed", (followers.c.follows == CLOSED) & followers.c.subject.in_(keys)
    yield "all", followers.c.follows == ALL


def _message(follower: str, advisory: str, version: int) -> str:
    return "msg_" + hashlib.sha256(f"{follower}\0{advisory}\0{version}".encode()).hexdigest()[:32]
