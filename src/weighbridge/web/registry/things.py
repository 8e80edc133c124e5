"""What a notice is of: exact weights by their digest, or a closed model by its names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Path, Request
from sqlalchemy import Connection

from weighbridge.registry.lookup import closed_notice_of, notice_of
from weighbridge.registry.notices import Notice
from weighbridge.web.problems import Problem
from weighbridge.web.site import Site

_HEX = re.compile(r"[0-9a-f]{64}")
_MAX_NAME = 120

Hex64 = Annotated[
    str, Path(description="64 hexadecimal digits of a SHA-256", json_schema_extra={"pattern": "^[0-9a-f]{64}$"})
]


@dataclass(frozen=True)
class Thing:
    """Weights (`digest`), or a closed model (`provider` and `name`)."""

    digest: str | None = None
    provider: str = ""
    name: str = ""

    @property
    def path(self) -> str:
        """Where its page is."""
        if self.digest is not None:
            return f"/weights/{self.digest.removeprefix('sha256:')}"
        return f"/closed/{quote(self.provider, safe='')}/{quote(self.name, safe='')}"

    @property
    def bound(self) -> str:
        """What every form of the notice says of what it is about."""
        return "for these exact weights" if self.digest is not None else "for a name, and no digest"

    def notice(self, connection: Connection, site: Site) -> Notice:
        """Return its notice as of now."""
        if self.digest is not None:
            return notice_of(connection, self.digest, site.clock())
        return closed_notice_of(connection, self.provider, self.name, site.clock())


def whole_digest(hex64: str) -> str:
    """Return the digest that an address gives. Raises `Problem` 404."""
    found = hex64.lower()
    if not _HEX.fullmatch(found):
        raise Problem(404, "not a digest", do="give the 64 hexadecimal digits of a SHA-256")
    return f"sha256:{found}"


def closed_model(provider: str, name: str) -> Thing:
    """Return the closed model that an address gives. Raises `Problem` 404."""
    for each in (provider, name):
        if not each.strip() or len(each) > _MAX_NAME or not each.isprintable():
            raise Problem(
                404, "no closed model has such a name", do=f"give a provider and a name of 1 to {_MAX_NAME} letters"
            )
    return Thing(None, provider, name)


def _asked(request: Request) -> Thing:
    given = request.path_params
    if "hex64" in given:
        return Thing(whole_digest(given["hex64"]))
    return closed_model(given["provider"], given["name"])


Asked = Annotated[Thing, Depends(_asked)]
