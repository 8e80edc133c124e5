"""`weighbridge accountability` as a person types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.fakes.dossier_record import dossier_record
from weighbridge.cli.accountability import command
from weighbridge.dossier.write import dossier_bytes
from weighbridge.errors import UsageError


@pytest.fixture(scope="module")
def dossier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dossier's folder."""
    folder = tmp_path_factory.mktemp("dossier")
    (folder / "dossier.json").write_bytes(dossier_bytes(dossier_record(per_cell=2)))
    return folder


def _run(*arguments: object) -> str:
    return CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False).output


def test_paths_and_blanks_are_told(dossier: Path, tmp_path: Path) -> None:
    """The paths are printed, and how many blanks people have to complete."""
    said = _run(dossier, "--use", "benefits-eligibility", "--sector", "gov", "--out", tmp_path)
    assert f"{tmp_path}/impact-assessment.md" in said
    assert f"{tmp_path}/attestations.yaml" in said
    written = sum(path.read_text("utf-8").count("TO BE COMPLETED BY:") for path in tmp_path.glob("*.md"))
    assert f"{written} blanks are left for people to complete" in said


def test_the_library_says_which_instruments_name_the_use(dossier: Path, tmp_path: Path) -> None:
    """Letters and points come from the library of uses, with its mark."""
    _run(dossier, "--use", "benefits-eligibility", "--sector", "private", "--out", tmp_path)
    text = (tmp_path / "impact-assessment.md").read_text("utf-8").replace("\\", "")
    assert "OMB M-25-21, presumed high-impact (m); EU AI Act, Annex III 5(a); [secondary]" in text


def test_a_use_that_is_not_in_the_library_is_refused(dossier: Path, tmp_path: Path) -> None:
    """The nearest uses are named, and nothing is written."""
    with pytest.raises(UsageError, match="benefits-eligibility"):
        _run(dossier, "--use", "benefits", "--sector", "gov", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
