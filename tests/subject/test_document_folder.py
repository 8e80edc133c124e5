"""A folder of documents as a subject: its identity is what it holds, and what was left out is counted and said."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from weighbridge.errors import UsageError
from weighbridge.subject import document_folder
from weighbridge.subject.document_folder import find_documents
from weighbridge.subject.locations import SearchLocation
from weighbridge.subject.model import Subject, SubjectKind
from weighbridge.subject.references import resolve
from weighbridge.subject.search_method import SearchMethod


def described(folder: Path) -> Subject:
    """Return `search:folder` as a subject."""
    return resolve(f"search:{folder}", environ={}).subject


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "library"
    (root / "sub").mkdir(parents=True)
    (root / "tea.txt").write_text("Boil the water.\n")
    (root / "sub" / "soup.md").write_text("# Soup\n\nChop the leeks.\n")
    return root


def test_a_folder_is_found_with_its_documents(folder: Path) -> None:
    """Kind, label, documents with their digests, and a note that this is no model."""
    found = resolve(f"search:{folder}/", environ={})
    assert found.subject.kind is SubjectKind.SEARCH and not found.subject.is_model
    assert found.subject.label == "search in library"
    assert [file.path for file in found.subject.components[0].files] == ["sub/soup.md", "tea.txt"]
    assert isinstance(found.location, SearchLocation) and set(found.location.digests) == {"sub/soup.md", "tea.txt"}
    assert "existing technology, not a model" in found.subject.notes[0]


def test_identity_is_content(folder: Path, tmp_path: Path) -> None:
    """A copy elsewhere is the same subject; another byte, another name or another document is another one."""
    first = described(folder).digest
    copy = folder.rename(tmp_path / "moved")
    assert described(copy).digest == first
    changes: list[Callable[[], object]] = [
        lambda: (copy / "tea.txt").write_text("Boil the water!\n"),
        lambda: (copy / "tea.txt").rename(copy / "tee.txt"),
        lambda: (copy / "new.txt").write_text("More.\n"),
    ]
    seen = {first}
    for change in changes:
        change()
        seen.add(described(copy).digest)
    assert len(seen) == 4


def test_the_way_of_searching_is_part_of_the_identity(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other parameters give other answers, so they are another subject."""
    first = described(folder).digest
    monkeypatch.setattr("weighbridge.subject.document_folder.METHOD", SearchMethod(least_share=0.7))
    assert described(folder).digest != first


def test_what_is_no_document_is_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    """Links, hidden, binary, unknown and special files do not change the identity, and the note counts them."""
    first = described(folder)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("Not in the folder.\n")
    (folder / "link.txt").symlink_to(outside / "secret.txt")
    (folder / "loop").symlink_to(folder)
    (folder / ".hidden.txt").write_text("x")
    (folder / ".git").mkdir()
    (folder / "photo.png").write_bytes(b"\x89PNG")
    (folder / "binary.txt").write_bytes(b"abc\0def")
    os.mkfifo(folder / "pipe.txt")
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    now = described(folder)
    assert now.digest == first.digest
    for words in (
        "2 links",
        "2 hidden",
        "1 binary",
        "1 of other kinds",
        "1 neither",
        "1 with a name that is not UTF-8",
    ):
        assert words in now.notes[0]
    assert not [file for file in now.components[0].files if "secret" in file.path or "link" in file.path]


def test_utf16_text_is_text(folder: Path) -> None:
    """A zero byte does not make a binary of a text that says it is UTF-16."""
    (folder / "wide.txt").write_bytes("Wide letters.".encode("utf-16"))
    assert "wide.txt" in find_documents(folder).files


def test_a_large_file_is_left_out_and_a_large_folder_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file beyond the bound is counted; more than the folder may hold is an error, not a silent part."""
    with (folder / "huge.txt").open("wb") as file:
        file.write(b"text ")
        file.truncate(document_folder.MAX_FILE_BYTES + 1)
    assert "1 larger than 32 MiB" in described(folder).notes[0]
    monkeypatch.setattr(document_folder, "MAX_FILES", 1)
    with pytest.raises(UsageError, match="more than 1 documents"):
        find_documents(folder)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.write_text("a file"), "not a folder"),
        (lambda path: path.mkdir(), "no document in this folder"),
        (lambda path: (path.mkdir(), (path / "a.bin").write_bytes(b"x")), "left out: 1 of other kinds"),
    ],
    ids=["absent", "file", "empty", "no documents"],
)
def test_what_cannot_be_searched_is_one_clear_error(
    make: Callable[[Path], object], expected: str, tmp_path: Path
) -> None:
    """A folder without documents is a mistake of the caller, never a baseline that knows nothing."""
    make(tmp_path / "x")
    with pytest.raises(UsageError, match=expected):
        described(tmp_path / "x")


def test_nothing_after_the_colon() -> None:
    """`search:` alone names nothing."""
    with pytest.raises(UsageError, match="search:FOLDER"):
        resolve("search:", environ={})


def test_a_part_that_cannot_be_read_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreadable folder below is not skipped: its documents would be missing from what the world has."""
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        described(folder)
