"""People of an OpenID Connect provider: an issuer and its name for somebody, tied to a user once, by a one-time link."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from weighbridge.digests import digest_json
from weighbridge.errors import UsageError
from weighbridge.registry.accounts.users import User, read_user
from weighbridge.registry.audit import note
from weighbridge.registry.tables.accounts import identities, passkeys


@dataclass(frozen=True)
class Identity:
    """One tie. `digest` names it."""

    digest: str
    user: str
    issuer: str
    subject: str
    created_at: datetime
    used_at: datetime | None


def list_identities(connection: Connection, user: str) -> list[Identity]:
    """Return a user's ties, oldest first."""
    asked = select(identities).where(identities.c.user == user).order_by(identities.c.created_at, identities.c.digest)
    return [
        Identity(row.digest, row.user, row.issuer, row.subject, row.created_at, row.used_at)
        for row in connection.execute(asked)
    ]


def tie_identity(connection: Connection, now: datetime, user: str, issuer: str, subject: str, *, by: str) -> None:
    """Tie somebody of a provider to a user. Raises `UsageError` when they are tied to another."""
    digest = digest_json([issuer, subject])
    there = connection.execute(select(identities.c.user).where(identities.c.digest == digest)).scalar()
    if there is not None and there != user:
        raise UsageError("the provider's account belongs to another user here", do="sign in as them, or use another")
    if there is None:
        row = {"digest": digest, "user": user, "issuer": issuer, "subject": subject, "created_at": now, "used_at": None}
        connection.execute(insert(identities).values(row))
        note(connection, now, "identity tied", by, None, {"user": user, "issuer": issuer, "identity": digest})


def use_identity(connection: Connection, now: datetime, issuer: str, subject: str) -> User:
    """Return whom a provider told of. Raises `UsageError` for somebody who is not a user here, and for one who is disabled."""
    digest = digest_json([issuer, subject])
    name = connection.execute(select(identities.c.user).where(identities.c.digest == digest)).scalar()
    if name is None:
        raise UsageError(
            "the provider knows you, and this service does not",
            do="ask a maintainer for a one-time link, open it, and choose to sign in with the provider there",
        )
    user = read_user(connection, name)
    if user.disabled_at is not None:
        raise UsageError("this user is disabled", do="ask a maintainer")
    connection.execute(update(identities).where(identities.c.digest == digest).values(used_at=now))
    return user


def remove_identity(connection: Connection, now: datetime, user: str, digest: str, *, by: str) -> None:
    """Take a tie away. Raises `UsageError` for the last way in that its user has."""
    mine = select(identities.c.digest).where(identities.c.digest == digest, identities.c.user == user)
    if not connection.execute(mine).first():
        raise UsageError("there is no such account of a provider", do="reload the page")
    ways = sum(
        connection.execute(select(func.count()).select_from(table).where(table.c.user == user)).scalar() or 0
        for table in (passkeys, identities)
    )
    if ways < 2:
        raise UsageError("this is the last way to sign in", do="add a passkey first")
    connection.execute(delete(identities).where(identities.c.digest == digest))
    note(connection, now, "identity removed", by, None, {"user": user, "identity": digest})
