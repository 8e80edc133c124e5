"""Which files of a directory count towards its digest, and in which order."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from weighbridge.errors import SubjectError
from weighbridge.probes.checkpoint.inspection import inspect_path
from weighbridge.subject.model_files import model_files
from weighbridge.subject.roots import root_of


def digest_of(root: Path) -> str:
    return root_of(
        {name: "sha256:" + hashlib.sha256(place.read_bytes()).hexdigest() for name, place in model_files(root).items()}
    )


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


SAMPLE = {
    **{f"d{i}/f{i}{j}": f"This is file f{i}{j} in d{i}." for i in range(2) for j in range(3)},
    **{f"f{i}": f"This is file f{i} in root." for i in range(4)},
}
DEEP = {f"d0/d1/d2/d3/d4/f{i}": f"This is file f{i}." for i in range(4)}
# Digests made with model_signing 1.1.1: the first three are its own test data, the others were computed with it for this test.
VECTORS = [
    (SAMPLE, "143cc682e555951649f18e2761c3d526d2502996f5e32dc187ef7f8a614f8df7"),
    (DEEP, "18b5a45fe7983f7194e8ffd96c80f5f0ec53191bf4a32b6aff293f043e816d7a"),
    ({"empty_file": ""}, "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456"),
    (
        {"a/b": "1", "a.txt": "2", "a-b/c": "3", "a b": "4", "Z": "5", "é": "6", "ﬀ": "7", "😀": "8"},
        "80c250cdd8db340fb840336a973ee8f68b1240c0b673144afffb779d949942b3",
    ),
    (
        {".cache/x": "1", "sub/.git/y": "2", "sub/.gitignore": "3", "config.json": "4", "sub/model.sig": "5"},
        "1c4b05b0fc777e6726f4668e89860881aaaede12ac882afb67b9e72d44b330f5",
    ),
]


@pytest.mark.parametrize(("files", "expected"), VECTORS)
def test_as_model_signing(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    """A directory has the root digest that model_signing gives it, and `inspect` says the same."""
    root = write(tmp_path / "m", files)
    assert digest_of(root) == "sha256:" + expected
    assert inspect_path(root).subject["digest"] == "sha256:" + expected


def test_what_does_not_count(tmp_path: Path) -> None:
    """Version control's own at the top and the signature do not count; the same names further down do."""
    root = write(tmp_path / "m", {"a": "1"})
    before = digest_of(root)
    write(root, dict.fromkeys((".git/x", ".github/x", ".gitattributes", ".gitignore", "model.sig"), "x"))
    assert digest_of(root) == before == inspect_path(root).subject["digest"]
    assert "model.sig" in [file["path"] for file in inspect_path(root).subject["files"]]
    write(root, {"sub/.gitignore": "x"})
    assert digest_of(root) != before


def test_links_within_count_as_files(tmp_path: Path) -> None:
    """A link to a file within the directory counts as that file under the link's name."""
    root = write(tmp_path / "m", {"sub/a": "1"})
    (root / "b").symlink_to("sub/a")
    plain = write(tmp_path / "n", {"sub/a": "1", "b": "1"})
    assert digest_of(root) == digest_of(plain)


def test_hub_cache(tmp_path: Path) -> None:
    """The hub cache's links from a snapshot into its blobs count as files."""
    write(tmp_path / "models--o--m", {"blobs/one": "1"})
    root = tmp_path / "models--o--m" / "snapshots" / "main"
    root.mkdir(parents=True)
    (root / "a").symlink_to("../../blobs/one")
    assert digest_of(root) == digest_of(write(tmp_path / "n", {"a": "1"}))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: (root / "b").symlink_to("/etc/hostname"), "a link out of the model's directory"),
        (lambda root: (root / "b").symlink_to("nowhere"), "a link that leads nowhere"),
        (lambda root: (root / "b").symlink_to("sub"), "a link to a folder"),
        (lambda root: os.mkfifo(root / "b"), "neither a file nor a folder"),
        (lambda root: Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_text("1"), "not UTF-8"),
    ],
    ids=["out", "nowhere", "folder", "pipe", "name"],
)
def test_what_cannot_be_counted(tmp_path: Path, make: object, says: str) -> None:
    """With something that cannot be counted there is no digest: an error here, none in a report."""
    root = write(tmp_path / "m", {"sub/a": "1"})
    make(root)  # type: ignore[operator]
    with pytest.raises(SubjectError, match=says):
        model_files(root)
    assert inspect_path(root).subject["digest"] is None


def test_names_that_are_written_out_alike(tmp_path: Path) -> None:
    """Two files whose names look alike once written out are both read."""
    root = write(tmp_path / "m", {"a\n": "1", "a\\x0a": "2"})
    report = inspect_path(root)
    assert len({file["path"] for file in report.subject["files"]}) == 2
    assert report.subject["digest"] == digest_of(root)
