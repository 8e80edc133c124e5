"""Signing in through an OpenID Connect provider, and joining through it by a one-time link."""

from __future__ import annotations

import hmac
import logging
import secrets
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from weighbridge.registry.accounts.challenges import Challenge, new_challenge, seal_key, sealed, unsealed, use_challenge
from weighbridge.registry.accounts.identities import tie_identity, use_identity
from weighbridge.registry.accounts.links import find_link, use_link
from weighbridge.registry.accounts.sessions import begin_session
from weighbridge.registry.accounts.users import may_be_named, new_handle
from weighbridge.subject.shown import shown
from weighbridge.web.accounts.cookies import session_of, set_session, set_step, step_of
from weighbridge.web.accounts.guards import from_here, local_path
from weighbridge.web.accounts.join import Shown
from weighbridge.web.accounts.oidc import Client, Discovered, authorization_address, client_of, discover, subject_of
from weighbridge.web.limits import limited, network_of
from weighbridge.web.problems import Problem
from weighbridge.web.site import Here, Site

router = APIRouter(include_in_schema=False)
_LOG = logging.getLogger("weighbridge.web.accounts")
_KNOWN_FOR = timedelta(minutes=10)
_OFTEN = Depends(limited("provider", 20))


class Through(Shown):
    """A link's secret, and the first maintainer's choice of a name."""

    name: str = Field("", max_length=40)


@router.get("/sign-in/provider", dependencies=[_OFTEN])
async def to_provider(site: Here, next: Annotated[str | None, Query(max_length=500)] = None) -> Response:
    """Send a browser to the provider."""
    challenge = _new(site, next=local_path(next))
    answer = RedirectResponse(await _address(site, challenge), 303)
    await run_in_threadpool(_keep, site, answer, challenge)
    return answer


@router.post("/join/provider", dependencies=[Depends(from_here), Depends(limited("join", 30))])
async def join_through(site: Here, sent: Through) -> Response:
    """Say where the provider is to whom has a one-time link."""

    def bound() -> Challenge:
        with site.store.reading() as connection:
            link = find_link(connection, sent.secret, site.store.clock())
            if link.user is None:
                may_be_named(connection, sent.name)
        user = sent.name if link.user is None else link.user
        return _new(site, bound=link.digest, user=user, handle=new_handle(), next="/account")

    challenge = await run_in_threadpool(bound)
    answer = JSONResponse({"to": await _address(site, challenge)})
    await run_in_threadpool(_keep, site, answer, challenge)
    return answer


@router.get("/sign-in/provider/back", dependencies=[_OFTEN])
async def from_provider(
    request: Request,
    site: Here,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4_000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
    iss: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Begin a session for whom the provider sent back, when they are a user here or have just used a link."""
    client, now = client_of(site.settings), site.store.clock()
    key = await run_in_threadpool(seal_key, site.store)
    challenge = unsealed(key, step_of(request, site.settings), "provider", now)
    # RFC 9207: an answer that names its issuer names ours, or another provider's answer was mixed in.
    is_ours = hmac.compare_digest(state.encode(), challenge.challenge.encode()) and iss in (None, client.issuer)
    if not is_ours:
        raise Problem(400, "this is not the answer to what was asked", do="begin to sign in again")
    if error or not code:
        raise Problem(403, f"the provider refused ({shown(error or 'no code')})", do="begin again, or use a passkey")
    provider = await _provider(site, client)
    subject = await subject_of(client, provider, challenge, code, now)
    secret = await run_in_threadpool(_come_in, request, site, challenge, client.issuer, subject)
    # To this site's own page: the address with the code must not stay.
    answer = RedirectResponse(local_path(challenge.next), 303)
    set_session(answer, site.settings, secret)
    return answer


def _come_in(request: Request, site: Site, challenge: Challenge, issuer: str, subject: str) -> str:
    now, settings = site.store.clock(), site.settings
    try:
        with site.store.writing() as connection:
            use_challenge(connection, now, challenge)
            if challenge.bound:
                user = use_link(connection, now, challenge.bound, name=challenge.user, handle=challenge.handle)
                tie_identity(connection, now, user, issuer, subject, by=user)
            user = use_identity(connection, now, issuer, subject).name
            return begin_session(
                connection,
                now,
                user,
                how="provider",
                lasts=settings.session_lasts,
                instead_of=session_of(request, settings),
            )
    except Exception as error:
        _LOG.warning("sign-in through the provider refused, from %s: %s", network_of(request), type(error).__name__)
        raise


def _new(site: Site, **more: str) -> Challenge:
    client_of(site.settings)
    nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    return new_challenge("provider", site.store.clock(), nonce=nonce, verifier=verifier, **more)


async def _address(site: Site, challenge: Challenge) -> str:
    client = client_of(site.settings)
    return authorization_address(client, await _provider(site, client), challenge)


async def _provider(site: Site, client: Client) -> Discovered:
    """Return what the provider said of itself, asked anew every ten minutes: strangers must not make us ask it as often as they like."""
    now, kept = site.store.clock(), site.parts.get("provider")
    if kept is not None and now - kept[0] < _KNOWN_FOR:
        found: Discovered = kept[1]
        return found
    found = await discover(client)
    site.parts["provider"] = (now, found)
    return found


def _keep(site: Site, answer: Response, challenge: Challenge) -> None:
    set_step(answer, site.settings, sealed(seal_key(site.store), challenge))
