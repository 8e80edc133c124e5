"""One-time links: whoever opens one first registers a passkey as the user it is for. The first maintainer's is for nobody yet: they choose a name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from weighbridge.errors import UsageError
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.secret import digest_of, new_secret
from weighbridge.registry.accounts.users import add_user, maintainers, read_user
from weighbridge.registry.audit import note
from weighbridge.registry.store import Store
from weighbridge.registry.tables.accounts import links

LASTS = timedelta(hours=24)


@dataclass(frozen=True)
class Link:
    """A link that may be used. `user` None: the first maintainer's. `role`: what its user is, or will be."""

    digest: str
    user: str | None
    role: Role
    expires_at: datetime


def first_link(store: Store, origin: str) -> str | None:
    """Return a new one-time link to become the first maintainer, None when one can sign in already. An earlier such link is used up by this.

    `origin` is how people reach the service. Raises `RegistryError`.
    """
    with store.reading() as connection:
        if maintainers(connection):
            return None
    with store.writing() as connection:
        if maintainers(connection):
            return None
        return address(origin, make_link(connection, store.clock(), None, by="registry"))


def make_link(connection: Connection, now: datetime, user: str | None, *, by: str) -> str:
    """Return the secret of a new link for `user`, who need not have come in before. Those made for them before are used up by this."""
    if user is not None and read_user(connection, user).disabled_at is not None:
        raise UsageError("this user is disabled", where=user, do="enable them first")
    mine = links.c.user == user if user is not None else links.c.user.is_(None)
    connection.execute(update(links).where(mine, links.c.used_at.is_(None)).values(used_at=now))
    secret = new_secret()
    digest = digest_of(secret)
    connection.execute(
        insert(links).values(digest=digest, user=user, by=by, created_at=now, expires_at=now + LASTS, used_at=None)
    )
    of = {"link": str(digest)} | ({"user": user} if user is not None else {"role": Role.MAINTAINER.value})
    note(connection, now, "link made", by, None, of)
    return secret


def address(origin: str, secret: str) -> str:
    """Return a link. The secret is its fragment, which a browser sends to nobody.

    >>> address("https://weighbridge.example", "abc")
    'https://weighbridge.example/join#abc'
    """
    return f"{origin}/join#{secret}"


def find_link(connection: Connection, secret: str, now: datetime) -> Link:
    """Return what a link is for. Raises `UsageError` when it cannot be used, without saying why: who has it was told until when it holds."""
    return _waiting(connection, digest_of(secret), now)


def use_link(connection: Connection, now: datetime, digest: str, *, name: str = "", handle: str = "") -> str:
    """Use a link up and return the name of its user, who is added now when it is the first maintainer's. Of two who use it, one gets it.

    `digest` is the link's, from whom has shown its secret; `name` is the first maintainer's choice, `handle` what their authenticator was told.
    Raises `UsageError` when the link cannot be used or the name cannot be had.
    """
    found = _waiting(connection, digest, now)
    spent = update(links).where(links.c.digest == digest, links.c.used_at.is_(None)).values(used_at=now)
    if connection.execute(spent).rowcount != 1:
        raise _spent()
    user = found.user
    if user is None:
        user = add_user(connection, now, name, Role.MAINTAINER, by="registry", handle=handle).name
    note(connection, now, "user joined", user, None, {"user": user, "role": found.role.value, "link": digest})
    return user


def _waiting(connection: Connection, digest: str | None, now: datetime) -> Link:
    row = connection.execute(
        select(links).where(links.c.digest == digest, links.c.used_at.is_(None), links.c.expires_at > now)
    ).first()
    # A maintainer who came in another way ends the first one's link.
    if row is None or (row.user is None and maintainers(connection)):
        raise _spent()
    role = Role.MAINTAINER if row.user is None else read_user(connection, row.user).role
    return Link(row.digest, row.user, role, row.expires_at)


def _spent() -> UsageError:
    return UsageError(
        "this link cannot be used (any more)",
        do="ask a maintainer for a new one; the first maintainer's is printed anew when the service starts",
    )
