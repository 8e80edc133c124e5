"""The one answer that is asked for at every download: a digest's notice for programs. The same for all, so nobody is asked who they are."""

from __future__ import annotations

from typing import Any, cast

from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from weighbridge.errors import WeighbridgeError
from weighbridge.registry.desk import Desk
from weighbridge.registry.notices import Notice
from weighbridge.web.problems import Problem, answer, documented, problem_of
from weighbridge.web.registry.fresh import OPEN, SHORT, is_held
from weighbridge.web.registry.things import Hex64, whole_digest
from weighbridge.web.site import Site

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": Notice, "description": "The notice"},
    304: {"description": "Nothing has changed"},
    **documented(404, 422, 503),
}
_PATH = "/api/v1/notices/"
_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in {"Content-Type": "application/json", "Cache-Control": SHORT, **OPEN}.items()
]


class Ready(Response):
    """A response whose headers are bytes already."""

    def __init__(self, body: bytes, tag: str) -> None:
        self.status_code, self.background = 200, None
        self.body = body
        self.raw_headers = [*_HEADERS, (b"etag", tag.encode()), (b"content-length", str(len(body)).encode())]


router = APIRouter(prefix="/api/v1", tags=["registry"])


@router.get("/notices/{hex64}", responses=_RESPONSES, response_class=Response)
async def notice(request: Request, hex64: Hex64) -> Response:
    """Return the notice of exactly these weights. `hex64`: the digest of a model's root, or of one weight file."""
    found = await desk_of(request.app.state.site).notice(whole_digest(hex64))
    tag = f'W/"{found.notice.tag}"'
    if is_held(request, tag):
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": SHORT, **OPEN})
    return Ready(found.notice.at(found.at), tag)


class Lane:
    """Takes look-ups to `notice` past the routing, the dependencies and the stacks of a route, which cost more than the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(_PATH):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            found = await notice(request, scope["path"][len(_PATH) :])
        except Problem as problem:
            found = answer(request, problem)
        except WeighbridgeError as error:
            found = answer(request, problem_of(error))
        await found(scope, receive, send)


def desk_of(site: Site) -> Desk:
    """Return the desk of a service. To be called on its event loop."""
    if "desk" not in site.parts:
        site.parts["desk"] = Desk(site.store, site.clock)
    return cast(Desk, site.parts["desk"])
