"""Followers for people: what an account follows, where to, and what was sent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.disclosing.following import Follower, delivery_log, end, follow, followed
from weighbridge.web.door import Who
from weighbridge.web.findings.telling import reading, telling
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.site import Here
from weighbridge.web.who import Known, needs

router = APIRouter(include_in_schema=False)

SignedIn = Annotated[Who, Depends(needs(Role.VISITOR))]
_OFTEN = [Depends(limited("following", per_minute=20))]


@router.get("/follow")
def mine(request: Request, site: Here, who: Known, digest: str = "", closed: str = "") -> Response:
    """Return how to follow, and what this account follows."""
    found: tuple[Follower, ...] = ()
    if who.name is not None:
        with reading(site) as connection:
            found = followed(connection, who)
    return page(request, "findings/follow.html", found=found, digest=digest[:71], closed=closed[:250])


@router.post("/follow", dependencies=_OFTEN)
def begin(
    request: Request,
    site: Here,
    who: SignedIn,
    follows: Annotated[str, Form(max_length=20)],
    url: Annotated[str, Form(max_length=1000)],
    subject: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Begin to follow, and show the secret this once."""
    with telling():
        found, secret = follow(
            site.store,
            follows=follows,
            subject=subject,
            url=url,
            reader=who,
            allows_loopback=site.settings.allows_loopback_webhooks,
        )
    return page(request, "findings/followed.html", follower=found, secret=secret, status=201)


@router.get("/follow/{follower}")
def log(request: Request, site: Here, who: SignedIn, follower: str) -> Response:
    """Return what was sent to one follower."""
    with reading(site) as connection:
        found, sent = delivery_log(connection, follower, who)
    return page(request, "findings/deliveries.html", follower=found, sent=sent)


@router.post("/follow/{follower}/end", dependencies=_OFTEN)
def stop(site: Here, who: SignedIn, follower: str) -> Response:
    """End following."""
    with telling():
        end(site.store, follower, reader=who)
    return RedirectResponse("/follow", 303)
