"""A service that knows its users, on both databases, and browsers that come to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI

from tests.registry.databases import Clock
from tests.registry.emptied import clock, kept, store  # noqa: F401  fixtures
from tests.web.accounts.browser import Browser
from tests.web.conftest import ORIGIN
from weighbridge.registry.accounts.links import first_link
from weighbridge.registry.store import Store
from weighbridge.web.accounts.door import AccountsDoor
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site

Opened = Callable[[], Browser]


@pytest.fixture
def site(store: Store, clock: Clock) -> Site:  # noqa: F811  the fixtures of that name
    settings = Settings(origin=ORIGIN, publisher="Tests")
    return Site(store, settings, AccountsDoor(store, settings), clock)


@pytest.fixture
def app(site: Site) -> FastAPI:
    return create_app(site)


@pytest.fixture
def browser(app: FastAPI) -> Opened:
    """Opens browsers, each with its own cookies and passkeys."""
    return lambda: Browser(app, ORIGIN)


@pytest.fixture
def maintainer(site: Site, browser: Opened) -> Browser:
    """The first maintainer, Ada, signed in."""
    found = browser()
    link = first_link(site.store, ORIGIN)
    assert link is not None
    found.join(link, "ada")
    return found
