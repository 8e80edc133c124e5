"""What every request needs: the store, the settings, the clock, and the door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection

from weighbridge.registry.store import Store
from weighbridge.web.door import Door
from weighbridge.web.settings import Settings


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Site:
    """One service. `parts`: what a slice keeps for as long as the service runs (models loaded, an index), by the slice's name."""

    store: Store
    settings: Settings
    door: Door
    clock: Callable[[], datetime] = _now
    parts: dict[str, Any] = field(default_factory=dict)


def site(request: HTTPConnection) -> Site:
    """Return the service that a request came to."""
    return cast(Site, request.app.state.site)


Here = Annotated[Site, Depends(site)]
