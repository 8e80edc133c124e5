"""On SQLite, where a test does not say otherwise: what the databases do is tested in tests/registry."""

from __future__ import annotations

import pytest


@pytest.fixture
def kind() -> str:
    return "sqlite"
