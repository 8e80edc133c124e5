"""The one workbench of a service, begun when it is first needed and ended with the service."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, cast

from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.conversations import NotThere, NotYours
from weighbridge.web.door import Who
from weighbridge.web.problems import Problem
from weighbridge.web.site import Here, Site
from weighbridge.web.who import needs
from weighbridge.web.workbench.asking import Workbench
from weighbridge.web.workbench.models import Shelf

_BEGINNING = threading.Lock()
_NAME = "workbench"


def workbench(site: Here) -> Workbench:
    """Return the workbench of a service."""
    with _BEGINNING:
        if _NAME not in site.parts:
            site.parts[_NAME] = Workbench(site.store, Shelf(site.settings.models, guard=site.settings.guard))
        return cast(Workbench, site.parts[_NAME])


@asynccontextmanager
async def ended_with_the_service(app: FastAPI) -> AsyncIterator[None]:
    """End the workbench, if it was begun, when the service ends."""
    yield
    site: Site = app.state.site
    if (found := site.parts.pop(_NAME, None)) is not None:
        await run_in_threadpool(found.close)


@contextmanager
def told() -> Iterator[None]:
    """Tell what is not there as 404, and what is not allowed as 403."""
    try:
        yield
    except NotThere as error:
        raise Problem(404, error.what, do=error.do) from error
    except NotYours as error:
        raise Problem(403, error.what, do=error.do) from error


Bench = Annotated[Workbench, Depends(workbench)]
Tester = Annotated[Who, Depends(needs(Role.TESTER))]
