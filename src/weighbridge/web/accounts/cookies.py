"""The two cookies: the session's, and the step's while somebody signs in. No script reads them, and other sites' forms do not bring them."""

from __future__ import annotations

from fastapi import Response
from fastapi.requests import HTTPConnection

from weighbridge.registry.accounts.challenges import LASTS
from weighbridge.web.settings import Settings


def session_of(request: HTTPConnection, settings: Settings) -> str | None:
    """Return the secret of the session that a browser shows."""
    return request.cookies.get(_name("session", settings))


def step_of(request: HTTPConnection, settings: Settings) -> str | None:
    """Return the sealed challenge that a browser shows."""
    return request.cookies.get(_name("step", settings))


def set_session(response: Response, settings: Settings, secret: str) -> None:
    """Give a browser its session, and take the step away."""
    _set(response, settings, "session", secret, int(settings.session_lasts.total_seconds()))
    drop_step(response, settings)


def drop_session(response: Response, settings: Settings) -> None:
    """Take the session away."""
    _set(response, settings, "session", "", 0)


def set_step(response: Response, settings: Settings, sealed: str) -> None:
    """Give a browser its sealed challenge."""
    _set(response, settings, "step", sealed, int(LASTS.total_seconds()))


def drop_step(response: Response, settings: Settings) -> None:
    """Take the sealed challenge away."""
    _set(response, settings, "step", "", 0)


def _set(response: Response, settings: Settings, what: str, value: str, seconds: int) -> None:
    response.set_cookie(
        _name(what, settings), value, max_age=seconds, path="/", secure=settings.secure, httponly=True, samesite="lax"
    )


def _name(what: str, settings: Settings) -> str:
    # `__Host-` lets no other host of the domain set it; browsers take it over TLS only.
    return f"__Host-weighbridge-{what}" if settings.secure else f"weighbridge-{what}"
