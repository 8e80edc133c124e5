"""What the operator of a service chose."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from weighbridge.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """`origin`: how people reach the service (`https://weighbridge.example`), without a path; passkeys belong to it.

    `publisher`: whose service it is, in feeds and statements. `models`: what the workbench offers, first the candidate, then the baseline. `guard`: the
    system prompt of the first one's provider, for the rung `hosted`. `key`: the private key (PEM) that signs notices. `hosts`: other names under which
    it may be asked. `allows_loopback_webhooks`: for tests and development.
    """

    origin: str
    publisher: str = "localhost"
    models: tuple[str, ...] = ()
    guard: str | None = None
    key: Path | None = None
    hosts: tuple[str, ...] = ()
    session_lasts: timedelta = timedelta(hours=12)
    session_idles: timedelta = timedelta(hours=1)
    body_most_bytes: int = 1 << 20
    upload_most_bytes: int = (128 << 20) + (1 << 20)
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = field(default=None, repr=False)
    allows_loopback_webhooks: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.origin)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.fragment:
            raise UsageError(
                "not an origin", where=f"--origin {self.origin}", do="write https://NAME or http://127.0.0.1:8000"
            )

    @property
    def secure(self) -> bool:
        """Whether people reach it over TLS."""
        return self.origin.startswith("https://")

    @property
    def host(self) -> str:
        """The name of the origin, without the port: what passkeys are bound to."""
        return urlsplit(self.origin).hostname or ""

    @property
    def known_hosts(self) -> frozenset[str]:
        """The names under which it may be asked, without ports."""
        loopback = {"127.0.0.1", "localhost", "::1"} if self.host in ("127.0.0.1", "localhost", "::1") else set()
        return frozenset({self.host, *self.hosts, *loopback})
