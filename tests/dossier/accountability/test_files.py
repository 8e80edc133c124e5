"""The documents are written whole or not at all, and never over somebody's work."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.fakes.dossier_record import GUARDED, dossier_record
from weighbridge.digests import digest_bytes
from weighbridge.dossier.accountability.asked import Sector, UseFacts
from weighbridge.dossier.accountability.documents import TEMPLATES
from weighbridge.dossier.accountability.files import untouched, write_accountability
from weighbridge.dossier.write import dossier_bytes
from weighbridge.errors import UsageError

USE = UseFacts("benefits-eligibility", "Benefits")
TODAY = date(2026, 11, 26)


@pytest.fixture(scope="module")
def content() -> bytes:
    """A dossier's bytes."""
    return dossier_bytes(dossier_record(per_cell=2))


@pytest.fixture
def dossier(tmp_path: Path, content: bytes) -> Path:
    """A dossier's folder."""
    (tmp_path / "dossier.json").write_bytes(content)
    return tmp_path


def _write(dossier: Path, **more: object) -> tuple[Path, ...]:
    return write_accountability(dossier, USE, Sector.GOVERNMENT, today=TODAY, **more)  # type: ignore[arg-type]


def test_all_are_written_sealed_and_written_again(dossier: Path) -> None:
    """The five files come to one folder; untouched documents are renewed, and the attestations stay."""
    paths = _write(dossier)
    folder = dossier / "accountability" / USE.id
    assert {path.name for path in paths} == {*TEMPLATES, "attestations.yaml"}
    assert {path.parent for path in paths} == {folder}
    assert all(untouched((folder / name).read_text("utf-8")) for name in TEMPLATES)
    before = {path.name: path.read_bytes() for path in paths}
    assert {path.name for path in _write(dossier)} == set(TEMPLATES)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_somebody_edited_stays(dossier: Path) -> None:
    """One edited document refuses the whole run and is named; --force writes over it, and never over attestations."""
    folder = _write(dossier)[0].parent
    edited = folder / "roles.md"
    edited.write_text(edited.read_text("utf-8").replace("Name", "Ada Person", 1), encoding="utf-8")
    (folder / "impact-assessment.md").unlink()
    attestations = folder / "attestations.yaml"
    attestations.write_text(attestations.read_text("utf-8") + "# mine\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"roles\.md was edited, and nothing was written"):
        _write(dossier)
    assert not (folder / "impact-assessment.md").exists()
    _write(dossier, force=True)
    assert untouched(edited.read_text("utf-8"))
    assert attestations.read_text("utf-8").endswith("# mine\n")


def test_a_file_of_the_same_name_that_is_not_ours_stays(dossier: Path) -> None:
    """A document without our seal, or that cannot be read as text, counts as somebody's."""
    folder = dossier / "out"
    folder.mkdir()
    for mine in (b"mine", b"\xff\xfe"):
        (folder / "roles.md").write_bytes(mine)
        with pytest.raises(UsageError, match="edited"):
            _write(dossier, out=folder)
        assert [path.name for path in folder.iterdir()] == ["roles.md"]


def test_attestations_in_the_folder_fill_the_documents(dossier: Path) -> None:
    """A second run reads what was attested in the meantime, with the documents beside it."""
    folder = _write(dossier)[0].parent
    (folder / "appeals.txt").write_bytes(b"how it works")
    (folder / "attestations.yaml").write_text(
        f"""
schema: weighbridge.attestations/1
subject: "{GUARDED.identity}"
use: {USE.id}
attestations:
  - document: appeals-process
    status: done
    file: appeals.txt
    digest: {digest_bytes(b"how it works")}
    who: A. Person
    role: head of appeals
    at: "2026-11-20"
"""
    )
    _write(dossier)
    assert "**attested as done**" in (folder / "roles.md").read_text("utf-8")
    (folder / "appeals.txt").write_bytes(b"how it works now")
    _write(dossier)
    text = (folder / "roles.md").read_text("utf-8")
    assert "**attested as done**" not in text
    assert "its digest differs" in text


def test_attestations_beside_the_dossier_are_found(dossier: Path) -> None:
    """What `check` reads is read here too, and no second file is begun."""
    (dossier / "attestations.yaml").write_text("schema: weighbridge.attestations/1\nuse: hiring\nattestations: []\n")
    assert {path.name for path in _write(dossier)} == set(TEMPLATES)


def test_without_room_nothing_is_written(dossier: Path) -> None:
    """A folder that cannot be written is an error in words, and leaves nothing half-written."""
    blocked = dossier / "blocked"
    blocked.write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        _write(dossier, out=blocked)
    folder = dossier / "out"
    (folder / ".roles.md.part").mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be written"):
        _write(dossier, out=folder)
    assert [path.name for path in folder.iterdir()] == [".roles.md.part"]


def test_a_use_cannot_lead_out_of_the_folder(dossier: Path) -> None:
    """A use is a name and no path."""
    with pytest.raises(UsageError, match="lower-case words"):
        write_accountability(dossier, UseFacts("../../x"), Sector.PRIVATE, today=TODAY)
