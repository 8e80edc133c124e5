"""API tokens: what a program shows in place of a person. Each has a name, an end, and a role that is never above its owner's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from weighbridge.errors import UsageError
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.secret import digest_of, new_secret
from weighbridge.registry.accounts.users import read_user
from weighbridge.registry.audit import note
from weighbridge.registry.tables.accounts import tokens, users

MOST = 50
LONGEST = timedelta(days=366)
NAME_LETTERS = 60
PREFIX = "wbt_"
"""So that a scanner of source code knows one that was left lying about."""


@dataclass(frozen=True)
class Token:
    """A token that holds. `role` is what it may do now: what it was made for, or what its owner is when that is less."""

    digest: str
    user: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


def make_token(
    connection: Connection, now: datetime, user: str, *, name: str, role: Role, lasts: timedelta, by: str
) -> str:
    """Return the secret of a new token, which is told this once. Raises `UsageError` for a role above the user's, a bad name or time, or too many."""
    owner, name = read_user(connection, user), name.strip()
    if not owner.role.covers(role):
        raise UsageError(f"you are a {owner.role.value}, and a token's role is not above", do="choose a lower role")
    if not 1 <= len(name) <= NAME_LETTERS or not name.isprintable():
        raise UsageError(f"a token's name has 1 to {NAME_LETTERS} letters, in one line", do="write it again")
    if not timedelta(0) < lasts <= LONGEST:
        raise UsageError(f"a token holds for 1 to {LONGEST.days} days", do="choose another end")
    connection.execute(delete(tokens).where(tokens.c.user == user, tokens.c.expires_at <= now))
    count = connection.execute(select(func.count()).select_from(tokens).where(tokens.c.user == user)).scalar() or 0
    if count >= MOST:
        raise UsageError(f"a user has at most {MOST} tokens", do="revoke one first")
    secret = new_secret(PREFIX)
    digest = digest_of(secret)
    connection.execute(
        insert(tokens).values(
            digest=digest, user=user, name=name, role=role.value, created_at=now, expires_at=now + lasts, used_at=None
        )
    )
    note(connection, now, "token made", by, None, {"user": user, "token": str(digest), "role": role.value})
    return secret


def find_token(connection: Connection, secret: str, now: datetime) -> Token | None:
    """Return the token of a secret, None when there is none, it has expired, or its user is disabled."""
    row = connection.execute(
        select(tokens, users.c.role.label("owners"))
        .join(users, users.c.name == tokens.c.user)
        .where(tokens.c.digest == digest_of(secret), tokens.c.expires_at > now, users.c.disabled_at.is_(None))
    ).first()
    if row is None:
        return None
    role, owners = Role(row.role), Role(row.owners)
    may = role if owners.covers(role) else owners
    return Token(row.digest, row.user, row.name, may, row.created_at, row.expires_at, row.used_at)


def list_tokens(connection: Connection, user: str, now: datetime) -> list[Token]:
    """Return a user's tokens that hold, newest first."""
    owners = read_user(connection, user).role
    rows = connection.execute(
        select(tokens)
        .where(tokens.c.user == user, tokens.c.expires_at > now)
        .order_by(tokens.c.created_at.desc(), tokens.c.digest)
    )
    return [
        Token(
            row.digest,
            row.user,
            row.name,
            Role(row.role) if owners.covers(Role(row.role)) else owners,
            row.created_at,
            row.expires_at,
            row.used_at,
        )
        for row in rows
    ]


def revoke_token(connection: Connection, now: datetime, user: str, digest: str, *, by: str) -> None:
    """End a token. Raises `UsageError` when the user has none of that digest."""
    ended = connection.execute(delete(tokens).where(tokens.c.user == user, tokens.c.digest == digest)).rowcount
    if not ended:
        raise UsageError("there is no such token", do="reload the page")
    note(connection, now, "token revoked", by, None, {"user": user, "token": digest})
