"""What opens a door: 32 random bytes, told once and kept as their SHA-256. They are too many to be guessed, so they need no slow hash."""

from __future__ import annotations

import re
import secrets

from weighbridge.digests import digest_bytes

_FORM = re.compile(r"[a-z_]{0,8}[A-Za-z0-9_-]{43}")


def new_secret(prefix: str = "") -> str:
    """Return a new secret as text, after `prefix` (small letters and underscores, at most 8).

    >>> len(new_secret("wbt_"))
    47
    """
    return prefix + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str | None:
    """Return what is kept of a secret, None for what has not a secret's form.

    >>> digest_of("a" * 43)[:14], digest_of("too short")
    ('sha256:66d34fb', None)
    """
    return digest_bytes(secret.encode()) if _FORM.fullmatch(secret) else None
