"""The door: a request shows a token or a session, and this says whose it is."""

from __future__ import annotations

from datetime import datetime

from fastapi.requests import HTTPConnection

from weighbridge.registry.accounts.challenges import seal_key
from weighbridge.registry.accounts.sessions import SEEN_EVERY, csrf_of, find_session, mark_used
from weighbridge.registry.accounts.tokens import find_token
from weighbridge.registry.store import Store
from weighbridge.registry.tables.accounts import sessions, tokens
from weighbridge.web.accounts.cookies import session_of
from weighbridge.web.door import NOBODY, Who
from weighbridge.web.problems import Problem
from weighbridge.web.settings import Settings


class AccountsDoor:
    """Knows the users of a registry."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Make what the service needs to know its own challenges by, where there is none. Raises `RegistryError`."""
        self._store, self._settings = store, settings
        seal_key(store)

    def who(self, request: HTTPConnection) -> Who:
        """Return who asks. Raises `Problem` 401 for a token that does not hold: a program must not go on as nobody."""
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._of_token(shown.strip())
        secret = session_of(request, self._settings)
        return NOBODY if secret is None else self._of_session(secret)

    def _of_token(self, secret: str) -> Who:
        now = self._store.clock()
        with self._store.reading() as connection:
            found = find_token(connection, secret, now)
        if found is None:
            raise Problem(
                401,
                "this token does not hold (any more)",
                do="make a new one on the page of your account",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        if _is_due(found.used_at, now):
            mark_used(self._store, tokens, "used_at", found.digest, now)
        return Who(found.user, found.role)

    def _of_session(self, secret: str) -> Who:
        now = self._store.clock()
        with self._store.reading() as connection:
            found = find_session(
                connection, secret, now, lasts=self._settings.session_lasts, idles=self._settings.session_idles
            )
        if found is None:
            return NOBODY
        if _is_due(found.seen_at, now):
            mark_used(self._store, sessions, "seen_at", found.digest, now)
        return Who(found.user, found.role, csrf_of(secret), found.created_at)


def _is_due(last: datetime | None, now: datetime) -> bool:
    return last is None or now - last >= SEEN_EVERY
