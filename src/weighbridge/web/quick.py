"""The one answer that is asked for at every download: a digest's notice for programs. The same for all, so nobody is asked who they are."""

from __future__ import annotations

from typing import Any, cast

from fastapi import APIRouter, Request, Response

from weighbridge.registry.desk import Desk
from weighbridge.registry.notices import Notice
from weighbridge.web.problems import documented
from weighbridge.web.registry.fresh import OPEN, SHORT, is_held
from weighbridge.web.registry.things import Hex64, whole_digest
from weighbridge.web.site import Site

router = APIRouter(prefix="/api/v1", tags=["registry"])

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": Notice, "description": "The notice"},
    304: {"description": "Nothing has changed"},
    **documented(404, 422, 503),
}


@router.get("/notices/{hex64}", responses=_RESPONSES, response_class=Response)
async def notice(request: Request, hex64: Hex64) -> Response:
    """Return the notice of exactly these weights. `hex64`: the digest of a model's root, or of one weight file."""
    found = await desk_of(request.app.state.site).notice(whole_digest(hex64))
    tag = f'W/"{found.notice.tag}"'
    headers = {"ETag": tag, "Cache-Control": SHORT, **OPEN}
    if is_held(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(found.notice.at(found.at), media_type="application/json", headers=headers)


def desk_of(site: Site) -> Desk:
    """Return the desk of a service. To be called on its event loop."""
    if "desk" not in site.parts:
        site.parts["desk"] = Desk(site.store, site.clock)
    return cast(Desk, site.parts["desk"])
