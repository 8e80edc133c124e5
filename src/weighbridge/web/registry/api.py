"""Look-ups for programs. That of exact weights, which is asked for most, is `web.quick`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from weighbridge.registry.asked import MIN_PREFIX, Candidates, digest_asked
from weighbridge.registry.lookup import candidates
from weighbridge.registry.notices import Notice
from weighbridge.web.problems import documented
from weighbridge.web.registry.notices import as_json
from weighbridge.web.registry.things import closed_model
from weighbridge.web.site import Here

router = APIRouter(prefix="/api/v1", tags=["registry"])

_NOTICE: dict[int | str, dict[str, Any]] = {
    200: {"model": Notice, "description": "The notice"},
    304: {"description": "Nothing has changed"},
}


@router.get("/closed/{provider}/{name}", responses={**_NOTICE, **documented(404, 422, 503)})
def closed_notice(request: Request, site: Here, provider: str, name: str) -> Response:
    """Return the notice of a closed model: of a name, and of no digest."""
    thing = closed_model(provider, name)
    with site.store.reading() as connection:
        found = thing.notice(connection, site)
    return as_json(request, found)


@router.get("/candidates", responses=documented(400, 422, 503))
def digests(
    site: Here,
    prefix: Annotated[str, Query(description=f"{MIN_PREFIX} to 64 hexadecimal digits, with or without `sha256:`")],
) -> Candidates:
    """Return the digests that begin so."""
    asked = digest_asked(prefix)
    with site.store.reading() as connection:
        found = candidates(connection, asked)
    return Candidates(asked=asked, candidates=tuple(found))
