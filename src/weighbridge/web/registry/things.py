"""What a notice is of: exact weights by their digest, or a closed model by its names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Path, Request
from sqlalchemy import Connection

from weighbridge.registry.disclosing.advisories import advisories_seen
from weighbridge.registry.disclosing.reach import Reach, advisories_about, advisories_about_closed
from weighbridge.registry.disclosing.readers import Reader
from weighbridge.registry.lookup import closed_notice_of, notice_of
from weighbridge.registry.notices import Notice
from weighbridge.web.door import NOBODY
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

    def advisories(self, connection: Connection, at: datetime, who: Reader) -> tuple[Reach, ...]:
        """Return the advisories that concern it and that `who` may read: those that list it, then by its files, then by its parents."""
        if self.digest is not None:
            return advisories_about(connection, self.digest, at, who)
        return advisories_about_closed(connection, self.provider, self.name, at, who)

    def listing_advisories(self, connection: Connection, at: datetime) -> int:
        """Return how many public advisories list it and were not withdrawn: without lineage, which takes longer than a card may."""
        if self.digest is None:
            found = [each.advisory for each in self.advisories(connection, at, NOBODY)]
        else:
            found = [each.advisory for each in advisories_seen(connection, NOBODY, at, digest=self.digest)[0]]
        return sum(each.withdrawn_at is None for each in found)

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
