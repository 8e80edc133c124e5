"""Who asks, as routes take it: `Known` for anybody, `needs(role)` where something is written or is not for all."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.requests import HTTPConnection
from starlette.concurrency import run_in_threadpool

from weighbridge.registry.accounts.roles import Role
from weighbridge.web.door import Who
from weighbridge.web.problems import Problem
from weighbridge.web.site import site

_SAFE = ("GET", "HEAD", "OPTIONS")
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"


async def who(request: HTTPConnection) -> Who:
    """Return who asks, found out once a request."""
    found: Who | None = getattr(request.state, "who", None)
    if found is None:
        found = await run_in_threadpool(site(request).door.who, request)
        request.state.who = found
    return found


Known = Annotated[Who, Depends(who)]


def needs(role: Role) -> Callable[[Request], Awaitable[Who]]:
    """Return a dependency that gives who asks when they have `role` or more, and that refuses forged forms. Raises `Problem` 401 or 403."""

    async def needed(request: Request) -> Who:
        found = await who(request)
        if found.name is None:
            challenge = {"WWW-Authenticate": "Bearer"}
            raise Problem(401, "nobody is signed in", do="sign in, or send a token", headers=challenge)
        if not found.may(role):
            raise Problem(403, f"this is for a {role.value}, and you are a {found.role.value}", do="ask a maintainer")
        if request.method not in _SAFE and found.csrf is not None:
            await _not_forged(request, found.csrf)
        return found

    needed.role = role  # type: ignore[attr-defined]  # a test looks for it on every route that writes
    return needed


async def _not_forged(request: Request, expected: str) -> None:
    """Refuse what another site made this browser send. Raises `Problem` 403."""
    origin, fetched = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    # A form of ours comes with `Origin: null`, since our pages send no referrer (Fetch, "append a request Origin header"). So does one in another
    # site's sandboxed frame; what tells them apart is what the browser says of where it was sent from.
    ours = site(request).settings.origin
    elsewhere = fetched != "same-origin" if origin == "null" else origin not in (None, ours)
    if elsewhere or fetched in ("cross-site", "same-site"):
        raise Problem(403, "this form came from another site", do=f"open {ours} and do it there")
    given = request.headers.get(CSRF_HEADER)
    if given is None and _is_form(request):
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if given is None or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Problem(403, "the form is too old, or not from here", do="go back, reload the page and send it again")


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("application/x-www-form-urlencoded", "multipart/form-data")
