"""`weighbridge user`."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from weighbridge.cli.exit_codes import MET
from weighbridge.cli.own_registry import own_registry
from weighbridge.cli.saying import say
from weighbridge.errors import UsageError
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.registry.accounts.users import Listed
    from weighbridge.registry.store import Store

ROLES = ("visitor", "tester", "researcher", "maintainer")
"""As `weighbridge.registry.accounts.roles` has them; written out so that `--help` need not load it."""

_DB = click.option(
    "--db",
    metavar="URL",
    help="The registry's database: sqlite:///FILE (default: the one that `weighbridge serve` takes), postgresql://...",
)
_ORIGIN = click.option(
    "--origin",
    default="http://localhost:8000",
    show_default=True,
    metavar="URL",
    help="How people reach the service; the one-time link begins with it.",
)
_ROLE = click.Choice(ROLES)


@click.group(name="user")
def command() -> None:
    """Users of a registry's service: add one and give them a one-time link, change a role, keep somebody out.

    Whoever may write the database may do this, so it is also the way back in when no maintainer can sign in.
    """


@command.command(name="add")
@click.argument("name")
@click.option("--role", type=_ROLE, required=True, help="What they may do.")
@_DB
@_ORIGIN
def add(name: str, role: str, db: str | None, origin: str) -> int:
    """Add a user, and print the one-time link with which they register a passkey within a day."""
    from weighbridge.registry.accounts.links import make_link
    from weighbridge.registry.accounts.roles import Role
    from weighbridge.registry.accounts.users import add_user

    begins = _checked(origin)
    with _opened(db, create=True) as store, store.writing() as connection:
        now = store.clock()
        add_user(connection, now, name, Role(role), by=_by())
        secret = make_link(connection, now, name, by=_by())
    return _tell_link(f"{name} is a {role}", begins, secret)


@command.command(name="link")
@click.argument("name")
@_DB
@_ORIGIN
def link(name: str, db: str | None, origin: str) -> int:
    """Print a new one-time link for a user: the one before ran out, or all their passkeys are lost."""
    from weighbridge.registry.accounts.links import make_link

    begins = _checked(origin)
    with _opened(db) as store, store.writing() as connection:
        secret = make_link(connection, store.clock(), name, by=_by())
    return _tell_link(f"a new way in for {name}", begins, secret)


@command.command(name="list")
@_DB
def list_(db: str | None) -> int:
    """List the users: role, how they come in, when they were last here."""
    from weighbridge.registry.accounts.users import list_users

    with _opened(db) as store, store.reading() as connection:
        found = list_users(connection, store.clock())
    if not found:
        say("nobody yet: `weighbridge serve` prints a link for the first maintainer")
        return MET
    width = max(len(each.user.name) for each in found)
    for each in found:
        say(f"{each.user.name:<{width}}  {each.user.role.value:<10}  {_how(each)}")
    return MET


@command.command(name="role")
@click.argument("name")
@click.argument("role", type=_ROLE)
@_DB
def role_(name: str, role: str, db: str | None) -> int:
    """Give a user another role, from their next request on. The last maintainer who can sign in stays one."""
    from weighbridge.registry.accounts.roles import Role
    from weighbridge.registry.accounts.users import change_role

    with _opened(db) as store, store.writing() as connection:
        change_role(connection, store.clock(), name, Role(role), by=_by())
    say(f"{name} is a {role}")
    return MET


@command.command(name="disable")
@click.argument("name")
@_DB
def disable_(name: str, db: str | None) -> int:
    """Keep a user out from now on: sessions, tokens and one-time links end for good."""
    from weighbridge.registry.accounts.users import disable

    with _opened(db) as store, store.writing() as connection:
        disable(connection, store.clock(), name, by=_by())
    say(f"{name} is kept out")
    return MET


@command.command(name="enable")
@click.argument("name")
@_DB
def enable_(name: str, db: str | None) -> int:
    """Let a user in again, by the passkeys that they have."""
    from weighbridge.registry.accounts.users import enable

    with _opened(db) as store, store.writing() as connection:
        enable(connection, store.clock(), name, by=_by())
    say(f"{name} may come in again")
    return MET


@command.command(name="sign-out")
@click.argument("name", required=False)
@click.option("--all", "all_", is_flag=True, help="All users; their tokens end too. After restoring a backup, say.")
@_DB
def sign_out(name: str | None, all_: bool, db: str | None) -> int:
    """End all sessions of a user, or all sessions and tokens of everybody."""
    from weighbridge.registry.accounts.sessions import end_all, end_sessions
    from weighbridge.registry.accounts.users import read_user

    if (name is None) is not all_:
        raise UsageError("whose?", where="weighbridge user sign-out", do="give a NAME, or --all")
    with _opened(db) as store, store.writing() as connection:
        if name is None:
            end_all(connection, store.clock(), by=_by())
        else:
            read_user(connection, name)
            end_sessions(connection, store.clock(), name, by=_by())
    say("everybody is signed out, and no token holds any more" if name is None else f"{name} is signed out everywhere")
    return MET


@contextmanager
def _opened(db: str | None, *, create: bool = False) -> Iterator[Store]:
    from weighbridge.registry.problems import need_extra

    need_extra()
    from weighbridge.registry.store import open_store

    store = open_store(db or own_registry(), create=create)
    try:
        yield store
    finally:
        store.close()


def _by() -> str:
    return f"{getpass.getuser()} by the command line"


def _checked(origin: str) -> str:
    """Return the beginning of a link, before anything is written."""
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise UsageError("not an origin", where=f"--origin {origin}", do="write https://NAME or http://localhost:8000")
    return origin


def _tell_link(what: str, origin: str, secret: str) -> int:
    from weighbridge.registry.accounts.links import address

    say(f"{shown(what)}; this link registers a passkey for them, once, within a day:\n  {address(origin, secret)}")
    return MET


def _how(each: Listed) -> str:
    if each.user.disabled_at is not None:
        return f"disabled since {each.user.disabled_at:%Y-%m-%d}"
    if not each.may_come_in:
        return "has a link that waits" if each.is_invited else "has never come in, and the link ran out"
    ways = f"{each.passkeys} passkey{'' if each.passkeys == 1 else 's'}"
    ways += f", {each.identities} by a provider" if each.identities else ""
    seen = f"last here {each.seen_at:%Y-%m-%d %H:%M} UTC" if each.seen_at is not None else "not signed in"
    return f"{ways}, {each.tokens or 'no'} token{'' if each.tokens == 1 else 's'}, {seen}"
