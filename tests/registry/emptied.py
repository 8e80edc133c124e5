"""One registry of each kind for a module's tests, emptied before each: making tables takes longer than most tests do.

from tests.registry.emptied import clock, kept, store  # noqa: F401  in a test module or a conftest
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import delete

from tests.registry.databases import NOW, Clock, empty_place, opened
from weighbridge.registry.audit import begin_audit
from weighbridge.registry.store import Store
from weighbridge.registry.tables import metadata


@dataclass(frozen=True)
class Kept:
    """A registry and its clock."""

    store: Store
    clock: Clock


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    clock = Clock()
    with empty_place(str(request.param), tmp_path_factory.mktemp("kept")) as url, opened(url, clock) as store:
        yield Kept(store, clock)


@pytest.fixture
def clock(kept: Kept) -> Clock:
    kept.clock.now = NOW
    return kept.clock


@pytest.fixture
def store(kept: Kept, clock: Clock) -> Store:
    with kept.store.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
        begin_audit(connection, clock())
    return kept.store
