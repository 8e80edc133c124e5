"""One application from its parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

from weighbridge import __version__
from weighbridge.web import accounts, findings, health, lineage, quick, rankings, rating, registry, workbench
from weighbridge.web.bounds import Bounds
from weighbridge.web.deadline import Deadline
from weighbridge.web.findings.delivering import deliver_forever
from weighbridge.web.headers import Headers
from weighbridge.web.problems import Caught, tell_problems
from weighbridge.web.site import Site
from weighbridge.web.who import who

# Each slice's routes; every one knows who asks. What must be quick and is the same for all goes in by itself.
_ROUTERS: tuple[APIRouter, ...] = (
    registry.router,
    accounts.router,
    rating.router,
    findings.router,
    workbench.router,
    rankings.router,
    lineage.router,
)
_STATIC = Path(__file__).with_name("static")


def create_app(site: Site) -> FastAPI:
    """Return the application of a service."""
    settings = site.settings
    app = FastAPI(
        title="weighbridge",
        version=__version__,
        description="Dossiers, notices, rankings, lineage, findings and advisories by the digest of exact weights.",
        docs_url=None,  # the pages of FastAPI load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=_delivering,
    )
    app.state.site = site
    tell_problems(app)
    for public in (quick.router, health.router):
        app.include_router(public)
    for router in _ROUTERS:
        for route in routes_of(router.routes):
            route.include_in_schema = route.path.startswith("/api/")  # pages are for people: the schema is the API's
        app.include_router(router, dependencies=[Depends(who)])
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.add_middleware(quick.Lane)
    app.add_middleware(Caught)
    app.add_middleware(Deadline)
    app.add_middleware(
        Bounds,
        hosts=settings.known_hosts,
        most_bytes=settings.body_most_bytes,
        upload_most_bytes=settings.upload_most_bytes,
    )
    app.add_middleware(Headers, secure=settings.secure)
    return app


@asynccontextmanager
async def _delivering(app: FastAPI) -> AsyncIterator[None]:
    """Tell followers what becomes public for as long as the service runs."""
    task = asyncio.create_task(deliver_forever(app.state.site))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def routes_of(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    """Return all routes, those of included routers too, which FastAPI keeps behind one entry each."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif isinstance(router := getattr(route, "original_router", None), APIRouter):
            yield from routes_of(router.routes)
