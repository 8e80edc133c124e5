"""What holds where nobody is signed in yet, and where only a person may act, not a token of theirs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import Depends, Request

from weighbridge.registry.accounts.passkeys import Place
from weighbridge.registry.accounts.roles import Role
from weighbridge.web.door import Who
from weighbridge.web.problems import Problem
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site, site
from weighbridge.web.who import needs

FRESH = timedelta(minutes=30)


async def from_here(request: Request) -> None:
    """Refuse what another site made a browser send, where there is no session to forge. Raises `Problem` 403.

    Else somebody could be signed in as somebody else without knowing. A page's own script always names its origin.
    """
    origin = site(request).settings.origin
    if request.headers.get("origin") != origin:
        raise Problem(403, "this was not sent by a page of this site", do=f"open {origin} and do it there")


def in_person(role: Role) -> Callable[..., Awaitable[Who]]:
    """Return a dependency like `needs` that refuses tokens: a token that was stolen must not make others, or keep its thief in."""
    needed = needs(role)

    async def person(found: Who = Depends(needed)) -> Who:  # noqa: B008  as an annotation it would be looked up outside of here
        if found.csrf is None:
            raise Problem(403, "a token may not do this", do="sign in with a browser")
        return found

    person.role = role  # type: ignore[attr-defined]  # as `needs` has it
    return person


def just_now(role: Role) -> Callable[..., Awaitable[Who]]:
    """Return a dependency like `in_person` that asks for a sign-in of the last half hour: a session that was stolen must not make a way in."""
    person = in_person(role)

    async def fresh(request: Request, found: Who = Depends(person)) -> Who:  # noqa: B008  as above
        if not is_fresh(found, site(request)):
            minutes = FRESH // timedelta(minutes=1)
            raise Problem(
                401, f"this needs a sign-in of the last {minutes} minutes", do="sign in again and do it again"
            )
        return found

    fresh.role = role  # type: ignore[attr-defined]  # as `needs` has it
    return fresh


def is_fresh(found: Who, here: Site) -> bool:
    """Return whether somebody signed in within the last half hour."""
    return found.since is not None and here.store.clock() - found.since <= FRESH


def place_of(settings: Settings) -> Place:
    """Return where this service's passkeys are good."""
    return Place(settings.origin, settings.host, "weighbridge")


def local_path(address: str | None) -> str:
    """Return an address within this site, the account's page for any other: nobody is led elsewhere after signing in.

    >>> local_path("/findings?page=2"), local_path("//elsewhere.example"), local_path(None)
    ('/findings?page=2', '/account', '/account')
    """
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return "/account"
    is_local = not parts.scheme and not parts.netloc and parts.path.startswith("/")
    is_plain = (
        address is not None
        and address.isascii()
        and address.isprintable()
        and "\\" not in address
        and address[:2] != "//"
    )
    return address if is_local and is_plain and address is not None else "/account"
