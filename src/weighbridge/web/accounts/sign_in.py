"""Signing in with a passkey, and out."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from weighbridge.errors import UsageError
from weighbridge.registry.accounts.challenges import new_challenge, seal_key, sealed, unsealed
from weighbridge.registry.accounts.passkeys import Credential, check_sign_in, request_options, use_passkey
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.sessions import begin_session, end_session
from weighbridge.web.accounts.cookies import drop_session, session_of, set_session, set_step, step_of
from weighbridge.web.accounts.guards import from_here, in_person, local_path, place_of
from weighbridge.web.door import Who
from weighbridge.web.limits import limited, network_of
from weighbridge.web.pages import page
from weighbridge.web.problems import Problem
from weighbridge.web.site import Here

router = APIRouter(include_in_schema=False)
_LOG = logging.getLogger("weighbridge.web.accounts")


class SignIn(BaseModel):
    """A passkey's answer. `next`: where to go afterwards."""

    credential: Credential
    next: str | None = Field(None, max_length=500)

    model_config = ConfigDict(extra="forbid")


@router.get("/sign-in")
def sign_in_page(request: Request, next: str | None = None) -> Response:
    """Show how to sign in."""
    return page(request, "accounts/sign_in.html", next=local_path(next))


@router.post("/sign-in/options", dependencies=[Depends(from_here), Depends(limited("sign-in", 40))])
def sign_in_options(site: Here) -> JSONResponse:
    """Give a browser what its passkey is to sign."""
    challenge = new_challenge("sign in", site.store.clock())
    answer = JSONResponse(request_options(place_of(site.settings), challenge))
    set_step(answer, site.settings, sealed(seal_key(site.store), challenge))
    return answer


@router.post("/sign-in", dependencies=[Depends(from_here), Depends(limited("sign-in", 40))])
def sign_in(request: Request, site: Here, sent: SignIn) -> JSONResponse:
    """Begin a session for whose passkey signed."""
    settings, now = site.settings, site.store.clock()
    try:
        challenge = unsealed(seal_key(site.store), step_of(request, settings), "sign in", now)
        with site.store.reading() as connection:
            asserted = check_sign_in(connection, place_of(settings), challenge, sent.credential)
        with site.store.writing() as connection:
            # A counter that went back is written down, so it is told only once that is done.
            counts_on = use_passkey(connection, now, asserted, challenge)
            if counts_on:
                secret = begin_session(
                    connection,
                    now,
                    asserted.user.name,
                    how="passkey",
                    lasts=settings.session_lasts,
                    instead_of=session_of(request, settings),
                )
    except UsageError as error:
        _LOG.warning("sign-in refused, from %s: %s", network_of(request), error.what)
        raise
    if not counts_on:
        _LOG.warning("sign-in refused, from %s: a passkey's counter went back", network_of(request))
        raise Problem(403, "this passkey seems to have been copied", do="use another one, and tell a maintainer")
    answer = JSONResponse({"to": local_path(sent.next)})
    set_session(answer, settings, secret)
    return answer


@router.post("/sign-out")
def sign_out(request: Request, site: Here, who: Annotated[Who, Depends(in_person(Role.VISITOR))]) -> Response:
    """End this session."""
    secret = session_of(request, site.settings)
    with site.store.writing() as connection:
        end_session(connection, site.store.clock(), secret or "")
    answer = RedirectResponse("/", 303, {"Clear-Site-Data": '"cache"'})
    drop_session(answer, site.settings)
    return answer
