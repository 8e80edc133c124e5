"""One whole dossier with everything that statements bind, written once; a test that changes it takes a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.dossier.statements import made
from weighbridge.dossier.record import DossierRecord


@pytest.fixture(scope="session")
def weighed() -> DossierRecord:
    return made.record()


@pytest.fixture(scope="session")
def written(weighed: DossierRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.write(tmp_path_factory.mktemp("written") / "dossier", weighed, terms=True, inspected=True)


@pytest.fixture
def dossier(written: Path, tmp_path: Path) -> Path:
    """An unsigned dossier of one's own."""
    return Path(shutil.copytree(written, tmp_path / "dossier"))
