"""Joining by a one-time link. Its secret is the address's fragment, which reaches this service only in the body of what the page's script sends."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from weighbridge.errors import UsageError
from weighbridge.registry.accounts.challenges import new_challenge, seal_key, sealed, unsealed
from weighbridge.registry.accounts.links import find_link, use_link
from weighbridge.registry.accounts.passkeys import Credential, add_passkey, check_new, creation_options, credentials_of
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.secret import digest_of
from weighbridge.registry.accounts.sessions import begin_session
from weighbridge.registry.accounts.users import may_be_named, new_handle, read_user
from weighbridge.web.accounts.cookies import session_of, set_session, set_step, step_of
from weighbridge.web.accounts.guards import from_here, place_of
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.site import Here

router = APIRouter(include_in_schema=False)
_GUARDS = [Depends(from_here), Depends(limited("join", 30))]

Secret = Annotated[str, Field(max_length=100)]


class Shown(BaseModel):
    """A link's secret."""

    secret: Secret

    model_config = ConfigDict(extra="forbid")


class LinkIs(BaseModel):
    """What a link is for. `user` null: the first maintainer, who chooses a name."""

    user: str | None
    role: Role
    until: datetime


class Chosen(Shown):
    """A link's secret, and the first maintainer's choice of a name."""

    name: str = Field("", max_length=40)


class Join(Shown):
    """A link's secret and the passkey that was made for it. `title`: the passkey's name."""

    title: str = Field(max_length=200)
    credential: Credential


@router.get("/join")
def join_page(request: Request, site: Here) -> Response:
    """Show the page that a one-time link opens; it reads the secret itself."""
    return page(request, "accounts/join.html", has_provider=site.settings.oidc_issuer is not None)


@router.post("/join/look", dependencies=_GUARDS)
def look(site: Here, sent: Shown) -> LinkIs:
    """Say what a link is for."""
    with site.store.reading() as connection:
        found = find_link(connection, sent.secret, site.store.clock())
    return LinkIs(user=found.user, role=found.role, until=found.expires_at)


@router.post("/join/options", dependencies=_GUARDS)
def join_options(site: Here, sent: Chosen) -> JSONResponse:
    """Give a browser what it needs to make a passkey for a link's user."""
    now = site.store.clock()
    with site.store.reading() as connection:
        link = find_link(connection, sent.secret, now)
        if link.user is None:
            may_be_named(connection, sent.name)
            user, handle, there = sent.name, new_handle(), []
        else:
            user, handle = link.user, read_user(connection, link.user).handle
            there = credentials_of(connection, user)
    challenge = new_challenge("join", now, bound=link.digest, user=user, handle=handle)
    answer = JSONResponse(creation_options(place_of(site.settings), challenge, there))
    set_step(answer, site.settings, sealed(seal_key(site.store), challenge))
    return answer


@router.post("/join", dependencies=_GUARDS)
def join(request: Request, site: Here, sent: Join) -> JSONResponse:
    """Use the link up, keep the passkey, and begin a session: all of it or nothing."""
    settings, now = site.settings, site.store.clock()
    challenge = unsealed(seal_key(site.store), step_of(request, settings), "join", now)
    if challenge.bound != digest_of(sent.secret):
        raise UsageError("this passkey was made for another link", do="open the link again")
    new = check_new(place_of(settings), challenge, sent.credential)
    with site.store.writing() as connection:
        user = use_link(connection, now, challenge.bound, name=challenge.user, handle=challenge.handle)
        add_passkey(connection, now, user, new, challenge, name=sent.title, by=user)
        secret = begin_session(
            connection,
            now,
            user,
            how="link",
            lasts=settings.session_lasts,
            instead_of=session_of(request, settings),
        )
    answer = JSONResponse({"to": "/account"})
    set_session(answer, settings, secret)
    return answer
