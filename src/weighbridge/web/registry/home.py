"""The first page: the search, what was published last, and how much there is."""

from __future__ import annotations

import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from weighbridge.registry.asked import MAX_CANDIDATES, MIN_PREFIX
from weighbridge.registry.latest import how_many, named, newest
from weighbridge.registry.lookup import candidates, closed_history
from weighbridge.registry.publishing import signers_of
from weighbridge.web.pages import page
from weighbridge.web.registry.things import Thing
from weighbridge.web.registry.views import signer_of
from weighbridge.web.site import Here, Site

router = APIRouter(include_in_schema=False)

_MAX_ASKED = 500
_COUNT_LASTS_S = 30.0
_WHOLE = 64
_HEX = re.compile(r"[0-9a-f]+")


@router.get("/")
def home(request: Request, site: Here) -> Response:
    """Return the first page."""
    with site.store.reading() as connection:
        found = newest(connection, site.clock())
        count = max(_count(connection, site), len(found))  # what was counted may be half a minute old
        names = {each.keyid: each.name for each in signers_of(connection)}
    return page(request, "registry/home.html", newest=found, count=count, names=names, signer_of=signer_of)


@router.get("/lookup")
def look_up(request: Request, site: Here, q: Annotated[str, Query()] = "") -> Response:
    """Return the page of what was asked for, or a list of what it may be."""
    asked = "".join(each for each in q if each.isprintable()).strip()[:_MAX_ASKED]
    if not asked:
        return RedirectResponse("/", 303)
    digits = asked.lower().removeprefix("sha256:")
    is_digest = bool(_HEX.fullmatch(digits)) and MIN_PREFIX <= len(digits) <= _WHOLE
    if is_digest and len(digits) == _WHOLE:
        return RedirectResponse(f"/weights/{digits}", 303)
    with site.store.reading() as connection:
        found = candidates(connection, f"sha256:{digits}") if is_digest else []
        by_name = named(connection, asked, site.clock())
        closed = _closed(connection, asked)
        names = {each.keyid: each.name for each in signers_of(connection)}
    if len(found) == 1 and not by_name:
        return RedirectResponse(f"/weights/{found[0].digest.removeprefix('sha256:')}", 303)
    if closed is not None:
        return RedirectResponse(closed.path, 303)
    context: dict[str, Any] = {
        "asked": asked,
        "candidates": found,
        "named": by_name,
        "names": names,
        "signer_of": signer_of,
        "is_digest": is_digest,
        "most": MAX_CANDIDATES,
    }
    looks_short = bool(_HEX.fullmatch(digits)) and len(digits) < MIN_PREFIX
    return page(request, "registry/found.html", **context, looks_short=looks_short, least=MIN_PREFIX)


def _closed(connection: Connection, asked: str) -> Thing | None:
    """Return the closed model of exactly this `provider/name`, None when there is none."""
    provider, slash, name = asked.partition("/")
    if not slash or "/" in name or not asked.isprintable() or not closed_history(connection, provider, name):
        return None
    return Thing(None, provider.strip(), name.strip())


def _count(connection: Connection, site: Site) -> int:
    """Return how many publications there are, counted at most twice a minute: a count reads a whole index."""
    kept: tuple[float, int] | None = site.parts.get("registry count")
    now = time.monotonic()
    if kept is None or now - kept[0] > _COUNT_LASTS_S:
        kept = (now, how_many(connection))
        site.parts["registry count"] = kept
    return kept[1]
