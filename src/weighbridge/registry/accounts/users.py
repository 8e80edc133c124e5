"""Users: a name, a role, and whether they may come in. Nobody is deleted, since the audit log names them; the last maintainer stays."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, exists, func, insert, or_, select, update

from weighbridge.errors import UsageError
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import note
from weighbridge.registry.tables.accounts import identities, links, passkeys, sessions, tokens, users

NAME = r"[a-z0-9][a-z0-9._\-]{0,39}"
"""What a user's name looks like: nothing that could be taken for another letter, and no spaces."""

_TAKEN = ("registry", "nobody", "everybody")  # words of the log, and of its readers


@dataclass(frozen=True)
class User:
    """`handle`: 64 hexadecimal digits that an authenticator keeps in place of the name. `disabled_at` None: may come in."""

    name: str
    handle: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True)
class Listed:
    """A user and how they come in. `seen_at` None: nobody of that name is signed in. `is_invited`: a one-time link waits for them."""

    user: User
    passkeys: int
    identities: int
    tokens: int
    seen_at: datetime | None
    is_invited: bool

    @property
    def may_come_in(self) -> bool:
        """Whether they can sign in as it is now."""
        return self.user.disabled_at is None and self.passkeys + self.identities > 0


def add_user(connection: Connection, now: datetime, name: str, role: Role, *, by: str, handle: str = "") -> User:
    """Add a user who cannot come in yet; a one-time link lets them (`links`). Raises `UsageError` for a name that is taken or is none."""
    may_be_named(connection, name)
    found = User(name, handle or new_handle(), role, now, None)
    connection.execute(insert(users).values(name=name, handle=found.handle, role=role.value, created_at=now))
    note(connection, now, "user added", by, None, {"user": name, "role": role.value})
    return found


def new_handle() -> str:
    """Return a handle for a new user: it says nothing about them."""
    return secrets.token_hex(32)


def may_be_named(connection: Connection, name: str) -> None:
    """Raise `UsageError` for a name that is taken or is none."""
    if not re.fullmatch(NAME, name) or name in _TAKEN:
        raise UsageError(
            "not a name for a user",
            where=name[:60],
            do="write 1 to 40 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit",
        )
    if find_user(connection, name) is not None:
        raise UsageError("a user has that name", where=name, do="choose another name")


def find_user(connection: Connection, name: str) -> User | None:
    """Return the user of that name, None when there is none."""
    if not re.fullmatch(NAME, name):
        return None
    row = connection.execute(select(users).where(users.c.name == name)).first()
    return None if row is None else _user(row)


def read_user(connection: Connection, name: str) -> User:
    """Return the user of that name. Raises `UsageError` when there is none."""
    found = find_user(connection, name)
    if found is None:
        raise UsageError("there is no such user", where=name[:60], do="`weighbridge user list` names them")
    return found


def user_of_handle(connection: Connection, handle: str) -> User | None:
    """Return the user whose handle an authenticator told, None when there is none."""
    row = connection.execute(select(users).where(users.c.handle == handle)).first()
    return None if row is None else _user(row)


def list_users(connection: Connection, now: datetime) -> list[Listed]:
    """Return all users by name."""

    def count(table) -> Select[Any]:  # type: ignore[no-untyped-def]  # one of the tables of a user's things
        return select(func.count()).select_from(table).where(table.c.user == users.c.name)

    waits = and_(links.c.user == users.c.name, links.c.used_at.is_(None), links.c.expires_at > now)
    asked = select(
        users,
        count(passkeys).scalar_subquery(),
        count(identities).scalar_subquery(),
        count(tokens).where(tokens.c.expires_at > now).scalar_subquery(),
        select(func.max(sessions.c.seen_at)).where(sessions.c.user == users.c.name).scalar_subquery(),
        exists().where(waits),
    ).order_by(users.c.name)
    width = len(users.columns)
    return [Listed(_user(row), *row[width:]) for row in connection.execute(asked)]


def change_role(connection: Connection, now: datetime, name: str, role: Role, *, by: str) -> None:
    """Give a user another role, from their next request on. Raises `UsageError` for the last maintainer."""
    found = read_user(connection, name)
    if found.role is role:
        return
    if role is not Role.MAINTAINER:
        _keep_a_maintainer(connection, found)
    connection.execute(update(users).where(users.c.name == name).values(role=role.value))
    note(connection, now, "role changed", by, None, {"user": name, "role": role.value, "was": found.role.value})


def disable(connection: Connection, now: datetime, name: str, *, by: str) -> None:
    """Keep a user out from their next request on: sessions, tokens and one-time links end for good. Raises `UsageError` for the last maintainer."""
    found = read_user(connection, name)
    if found.disabled_at is not None:
        return
    _keep_a_maintainer(connection, found)
    connection.execute(update(users).where(users.c.name == name).values(disabled_at=now))
    for table in (sessions, tokens):
        connection.execute(delete(table).where(table.c.user == name))
    connection.execute(update(links).where(links.c.user == name, links.c.used_at.is_(None)).values(used_at=now))
    note(connection, now, "user disabled", by, None, {"user": name})


def enable(connection: Connection, now: datetime, name: str, *, by: str) -> None:
    """Let a user in again, by the passkeys that they have."""
    if read_user(connection, name).disabled_at is None:
        return
    connection.execute(update(users).where(users.c.name == name).values(disabled_at=None))
    note(connection, now, "user enabled", by, None, {"user": name})


def maintainers(connection: Connection) -> list[str]:
    """Return the names of the maintainers who can sign in."""
    has_key = exists().where(passkeys.c.user == users.c.name)
    is_known = exists().where(identities.c.user == users.c.name)
    asked = select(users.c.name).where(
        users.c.role == Role.MAINTAINER.value, users.c.disabled_at.is_(None), or_(has_key, is_known)
    )
    return list(connection.execute(asked.order_by(users.c.name)).scalars())


def _keep_a_maintainer(connection: Connection, losing: User) -> None:
    if maintainers(connection) == [losing.name]:
        raise UsageError(
            "this is the last maintainer who can sign in",
            where=losing.name,
            do="let somebody else become a maintainer and sign in first",
        )


def _user(row) -> User:  # type: ignore[no-untyped-def]  # a row that begins with the columns of `users`
    return User(row.name, row.handle, Role(row.role), row.created_at, row.disabled_at)
