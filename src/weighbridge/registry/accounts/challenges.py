"""What is to be signed, once: a challenge goes to a browser in a cookie that only this service can have sealed, and is written down when it was answered.

So nothing is stored for somebody who only begins to sign in, two servers on one database know one another's challenges, and none is answered twice.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, delete, insert, select

from weighbridge.digests import digest_bytes
from weighbridge.errors import UsageError
from weighbridge.registry.store import Store
from weighbridge.registry.tables.accounts import seals, steps

LASTS = timedelta(minutes=5)

Purpose = Literal["sign in", "join", "add passkey", "provider"]

_MOST_LETTERS = 3_800  # of a cookie


class Challenge(BaseModel):
    """`challenge`: 64 hexadecimal digits to be signed. `bound`: digest of the session or link it belongs to, else empty.

    `user` is whose passkey it will be, and `handle` theirs. `nonce`, `verifier` (of PKCE) and `next` (where to go afterwards): for a provider.
    """

    purpose: Purpose
    challenge: str
    expires_at: datetime
    bound: str = ""
    user: str = ""
    handle: str = ""
    nonce: str = ""
    verifier: str = ""
    next: str = ""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def value(self) -> bytes:
        """The bytes to be signed."""
        return bytes.fromhex(self.challenge)


def new_challenge(purpose: Purpose, now: datetime, **more: str) -> Challenge:
    """Return a challenge that nobody has seen. `more`: the fields that this purpose needs."""
    return Challenge(purpose=purpose, challenge=secrets.token_hex(32), expires_at=now + LASTS, **more)


def seal_key(store: Store) -> bytes:
    """Return the registry's key for challenges, made when there is none. Raises `RegistryError`."""
    with store.reading() as connection:
        found = _key(connection)
    if found is None:
        with store.writing() as connection:
            found = _key(connection)
            if found is None:
                found = secrets.token_bytes(32)
                connection.execute(insert(seals).values(name="challenges", key=found))
    return found


def sealed(key: bytes, challenge: Challenge) -> str:
    """Return a challenge as a cookie's value."""
    body = urlsafe_b64encode(challenge.model_dump_json().encode()).decode().rstrip("=")
    return f"{body}.{_mac(key, body)}"


def unsealed(key: bytes, text: str | None, purpose: Purpose, now: datetime) -> Challenge:
    """Return the challenge of a cookie. Raises `UsageError` when it is not ours, is for something else, or too old."""
    body, _, mac = (text or "")[:_MOST_LETTERS].partition(".")
    if hmac.compare_digest(mac.encode(), _mac(key, body).encode()):
        try:
            found = Challenge.model_validate_json(urlsafe_b64decode(body + "==="))
        except (ValidationError, ValueError):
            raise _stale() from None
        if found.purpose == purpose and found.expires_at > now:
            return found
    raise _stale()


def use_challenge(connection: Connection, now: datetime, challenge: Challenge) -> None:
    """Write down that a challenge was answered. Raises `UsageError` when it was before."""
    connection.execute(delete(steps).where(steps.c.expires_at <= now))
    digest = digest_bytes(challenge.value)
    if connection.execute(select(steps.c.digest).where(steps.c.digest == digest)).first():
        raise _stale()
    connection.execute(insert(steps).values(digest=digest, expires_at=challenge.expires_at))


def _key(connection: Connection) -> bytes | None:
    return connection.execute(select(seals.c.key).where(seals.c.name == "challenges")).scalar()


def _mac(key: bytes, body: str) -> str:
    return hmac.new(key, body.encode(), sha256).hexdigest()


def _stale() -> UsageError:
    return UsageError("this took too long, or was begun elsewhere", do="reload the page and begin again")
