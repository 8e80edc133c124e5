"""Whether the service lives, and whether it can answer: for whoever runs it."""

from __future__ import annotations

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from pydantic import BaseModel

from weighbridge.registry.problems import RegistryError
from weighbridge.registry.store import Store
from weighbridge.registry.tables import REVISION
from weighbridge.registry.upgrading import revision_of
from weighbridge.web.problems import Problem, documented

WITHIN_S = 3.0
THREADS = 2

router = APIRouter(tags=["health"], include_in_schema=False)


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


@router.get("/healthz")
async def live() -> Health:
    """Return that the process answers. Asks nothing of the database."""
    return Health()


@router.get("/readyz", responses=documented(503))
async def ready(request: Request) -> Health:
    """Return that the database answers and has this version's tables. Raises `Problem` 503 within three seconds."""
    store: Store = request.app.state.site.store
    try:
        with anyio.fail_after(WITHIN_S):
            # Threads of its own, which may be left behind: the others may all hang where this one looks.
            found = await run_sync(_revision, store, abandon_on_cancel=True, limiter=_threads(request))
    except TimeoutError:
        raise _not_ready("the database does not answer", "check that it runs") from None
    except RegistryError as error:
        raise _not_ready(error.what, error.do) from None
    if found != REVISION:
        raise _not_ready("its tables are not this version's", "start the service again, which brings them forward")
    return Health()


def _revision(store: Store) -> str | None:
    with store.reading() as connection:
        return revision_of(connection, store.where)


def _threads(request: Request) -> anyio.CapacityLimiter:
    found: anyio.CapacityLimiter = request.app.state.site.parts.setdefault("health", anyio.CapacityLimiter(THREADS))
    return found


def _not_ready(what: str, do: str | None) -> Problem:
    return Problem(503, f"not ready: {what}", do=do, headers={"Retry-After": "5"})
