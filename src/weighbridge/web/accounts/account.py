"""One's own passkeys, tokens and sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from weighbridge.errors import UsageError
from weighbridge.registry.accounts.challenges import new_challenge, seal_key, sealed, unsealed
from weighbridge.registry.accounts.identities import list_identities, remove_identity
from weighbridge.registry.accounts.passkeys import (
    Credential,
    add_passkey,
    check_new,
    creation_options,
    credentials_of,
    list_passkeys,
    remove_passkey,
)
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.secret import digest_of
from weighbridge.registry.accounts.sessions import end_sessions, list_sessions
from weighbridge.registry.accounts.tokens import list_tokens, make_token, revoke_token
from weighbridge.registry.accounts.users import read_user
from weighbridge.web.accounts.cookies import drop_session, drop_step, session_of, set_step, step_of
from weighbridge.web.accounts.guards import in_person, is_fresh, just_now, place_of
from weighbridge.web.door import Who
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.problems import documented
from weighbridge.web.site import Here, Site
from weighbridge.web.who import needs

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["accounts"])

Person = Annotated[Who, Depends(in_person(Role.VISITOR))]
Fresh = Annotated[Who, Depends(just_now(Role.VISITOR))]
Hex = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
_OFTEN = [Depends(limited("account", 60))]


class Me(BaseModel):
    """Who asks. `is_token`: by a token, not by a browser's session."""

    name: str
    role: Role
    is_token: bool


class Added(BaseModel):
    """A new passkey. `title`: its name."""

    title: str = Field(max_length=200)
    credential: Credential

    model_config = ConfigDict(extra="forbid")


@api.get("/me", responses=documented(401))
def me(who: Annotated[Who, Depends(needs(Role.VISITOR))]) -> Me:
    """Say who the token or the session belongs to, and what it may do."""
    return Me(name=who.by, role=who.role, is_token=who.csrf is None)


@router.get("/account")
def account_page(request: Request, site: Here, who: Person) -> Response:
    """Show somebody their own ways in."""
    return _account(request, site, who)


@router.post("/account/passkeys/options", dependencies=_OFTEN)
def passkey_options(request: Request, site: Here, who: Fresh) -> JSONResponse:
    """Give a browser what it needs to make another passkey."""
    now = site.store.clock()
    with site.store.reading() as connection:
        user = read_user(connection, who.by)
        there = credentials_of(connection, user.name)
    challenge = new_challenge("add passkey", now, bound=_session(request, site), user=user.name, handle=user.handle)
    answer = JSONResponse(creation_options(place_of(site.settings), challenge, there))
    set_step(answer, site.settings, sealed(seal_key(site.store), challenge))
    return answer


@router.post("/account/passkeys", dependencies=_OFTEN)
def passkey_added(request: Request, site: Here, who: Fresh, sent: Added) -> JSONResponse:
    """Keep another passkey."""
    now = site.store.clock()
    challenge = unsealed(seal_key(site.store), step_of(request, site.settings), "add passkey", now)
    if (challenge.bound, challenge.user) != (_session(request, site), who.by):
        raise UsageError("this was begun in another session", do="reload the page and begin again")
    new = check_new(place_of(site.settings), challenge, sent.credential)
    with site.store.writing() as connection:
        add_passkey(connection, now, who.by, new, challenge, name=sent.title, by=who.by)
    answer = JSONResponse({"to": "/account"})
    drop_step(answer, site.settings)
    return answer


@router.post("/account/passkeys/{digest}/remove", dependencies=_OFTEN)
def passkey_removed(site: Here, who: Fresh, digest: Hex) -> Response:
    """Take a passkey away."""
    with site.store.writing() as connection:
        remove_passkey(connection, site.store.clock(), who.by, f"sha256:{digest}", by=who.by)
    return RedirectResponse("/account", 303)


@router.post("/account/identities/{digest}/remove", dependencies=_OFTEN)
def identity_removed(site: Here, who: Fresh, digest: Hex) -> Response:
    """Take the tie to a provider's account away."""
    with site.store.writing() as connection:
        remove_identity(connection, site.store.clock(), who.by, f"sha256:{digest}", by=who.by)
    return RedirectResponse("/account", 303)


@router.post("/account/tokens", dependencies=_OFTEN)
def token_made(
    request: Request,
    site: Here,
    who: Fresh,
    name: Annotated[str, Form(max_length=200)],
    role: Annotated[Role, Form()],
    days: Annotated[int, Form(ge=1, le=366)],
) -> Response:
    """Make a token and show it this once."""
    lasts = timedelta(days=days)
    with site.store.writing() as connection:
        secret = make_token(connection, site.store.clock(), who.by, name=name, role=role, lasts=lasts, by=who.by)
    return _account(request, site, who, made=secret)


@router.post("/account/tokens/{digest}/revoke", dependencies=_OFTEN)
def token_revoked(site: Here, who: Person, digest: Hex) -> Response:
    """End a token."""
    with site.store.writing() as connection:
        revoke_token(connection, site.store.clock(), who.by, f"sha256:{digest}", by=who.by)
    return RedirectResponse("/account", 303)


@router.post("/account/sign-out-everywhere", dependencies=_OFTEN)
def sign_out_everywhere(site: Here, who: Person) -> Response:
    """End all of one's sessions, this one too."""
    with site.store.writing() as connection:
        end_sessions(connection, site.store.clock(), who.by, by=who.by)
    answer = RedirectResponse("/sign-in", 303)
    drop_session(answer, site.settings)
    return answer


def _account(request: Request, site: Site, who: Who, made: str | None = None) -> Response:
    now, settings = site.store.clock(), site.settings
    with site.store.reading() as connection:
        return page(
            request,
            "accounts/account.html",
            passkeys=list_passkeys(connection, who.by),
            identities=list_identities(connection, who.by),
            tokens=list_tokens(connection, who.by, now),
            sessions=list_sessions(connection, who.by, now, lasts=settings.session_lasts, idles=settings.session_idles),
            this=_session(request, site),
            roles=[each for each in Role if who.role.covers(each)],
            made=made,
            fresh=is_fresh(who, site),
            idles=in_words(settings.session_idles),
            lasts=in_words(settings.session_lasts),
        )


def in_words(span: timedelta) -> str:
    """Return how long something holds, for people.

    >>> in_words(timedelta(hours=12)), in_words(timedelta(minutes=90)), in_words(timedelta(hours=1))
    ('12 hours', '90 minutes', '1 hour')
    """
    minutes = round(span.total_seconds() / 60)
    count, unit = (minutes // 60, "hour") if minutes % 60 == 0 else (minutes, "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _session(request: Request, site: Site) -> str:
    """Return the digest of the session that a browser shows, which `in_person` has seen."""
    return digest_of(session_of(request, site.settings) or "") or ""
