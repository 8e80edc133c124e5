"""The same tests on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dossier.statements import made
from tests.registry.databases import Clock, empty_place, opened, signed
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> Iterator[str]:
    with empty_place(kind, tmp_path) as place:
        yield place


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[Store]:
    with opened(url, clock) as found:
        yield found


@pytest.fixture(scope="session")
def key() -> PrivateKey:
    return made.ed25519_key()


@pytest.fixture(scope="session")
def upload(tmp_path_factory: pytest.TempPathFactory, key: PrivateKey) -> Upload:
    """One signed dossier, read once."""
    return signed(tmp_path_factory.mktemp("signed") / "dossier", key)
