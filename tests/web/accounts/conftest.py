"""A service that knows its users, on both databases, and browsers that come to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from fastapi import FastAPI
from sqlalchemy import delete

from tests.registry.databases import Clock, empty_place, opened
from tests.web.accounts.browser import Browser
from tests.web.conftest import ORIGIN
from weighbridge.registry.accounts.links import first_link
from weighbridge.registry.audit import begin_audit
from weighbridge.registry.store import Store
from weighbridge.registry.tables import metadata
from weighbridge.web.accounts.door import AccountsDoor
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site

Opened = Callable[[], Browser]
Places = Callable[[str], Store]


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """One registry of each kind for all tests here: making a database takes longer than what is tested in it."""
    made: dict[str, Store] = {}
    with ExitStack() as stack:

        def place(kind: str) -> Store:
            if kind not in made:
                url = stack.enter_context(empty_place(kind, tmp_path_factory.mktemp("accounts")))
                made[kind] = stack.enter_context(opened(url))
            return made[kind]

        yield place


@pytest.fixture
def store(kind: str, places: Places, clock: Clock) -> Store:
    """A registry with nothing in it."""
    found = Store(places(kind).engine, clock)
    with found.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
        begin_audit(connection, clock.now)
    return found


@pytest.fixture
def site(store: Store, clock: Clock) -> Site:
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
