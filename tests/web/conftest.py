"""A service within the process, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.registry.conftest import clock, key, kind, store, upload, url  # noqa: F401  fixtures
from tests.registry.databases import Clock
from tests.web.doors import SaidDoor
from weighbridge.registry.store import Store
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site

ORIGIN = "http://testserver"


@pytest.fixture
def site(store: Store, clock: Clock, tmp_path: Path) -> Site:  # noqa: F811
    return Site(store, Settings(origin=ORIGIN, publisher="Tests"), SaidDoor(), clock)


@pytest.fixture
def client(site: Site) -> Iterator[TestClient]:
    with TestClient(create_app(site), base_url=ORIGIN, raise_server_exceptions=False, follow_redirects=False) as found:
        yield found
