"""Which files of a model directory count, and in which order: the one home of that rule.

The rule is OpenSSF Model Signing's (v1.0, sections 6.1 and 6.2): every regular file, except version control's own at the top and the
signature. Links: the hub's own cache is made of links from `snapshots/REVISION` into `blobs`; those, and links to files within the
directory, are followed. Standard library only: `inspect` starts fast.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from weighbridge.errors import SubjectError
from weighbridge.subject.roots import place_in_order
from weighbridge.subject.shown import shown

MAX_FILES = 100_000
SIGNATURE = "model.sig"  # what the tools write beside the model; the specification asks for the suffix only
IGNORED_AT_TOP = frozenset({".git", ".gitattributes", ".github", ".gitignore"})


class Trouble(StrEnum):
    """Why an entry of a directory is not a file of the model."""

    UNREADABLE = "cannot be read"
    NOWHERE = "a link that leads nowhere"
    OUT = "a link out of the model's directory"
    TO_FOLDER = "a link to a folder"
    SPECIAL = "neither a file nor a folder"


_WHAT_TO_DO = {
    Trouble.UNREADABLE: "give yourself the right to read it",
    Trouble.NOWHERE: "download the model again",
    Trouble.OUT: "put the file itself there",
    Trouble.TO_FOLDER: "put the folder itself there",
    Trouble.SPECIAL: "remove it from the model's directory",
}


@dataclass(frozen=True)
class Entry:
    """One file: `name` with slashes, relative to the directory (bytes that are not UTF-8 as surrogates), and where its bytes are."""

    name: str
    place: Path
    is_signature: bool = False
    trouble: Trouble | None = None


def list_entries(root: Path, signatures: Collection[str] = (SIGNATURE,)) -> list[Entry]:
    """Return what lies in the directory `root` and is not ignored, in order; `signatures` are the names that sign it.

    What is in the way of reading a file is told in its entry. Raises `SubjectError` for more than `MAX_FILES`.
    """
    real = root.resolve()
    entries = []
    for name, path, trouble in _walk(root):
        place = path
        if trouble is None and path.is_symlink():
            place, trouble = _followed(path, real)
        if trouble is None:
            trouble = _kind_trouble(place)
        entries.append(Entry(name, place, name in signatures, trouble))
        if len(entries) > MAX_FILES:
            raise SubjectError(f"more than {MAX_FILES:,} files", where=str(root), do="name the model's own directory")
    return sorted(entries, key=lambda entry: place_in_order(entry.name))


def model_files(root: Path, signatures: Collection[str] = (SIGNATURE,)) -> dict[str, Path]:
    """Return every file of the model in the directory `root` that counts, in order: its name, and where its bytes are.

    Raises `SubjectError` when anything there cannot be counted, as the digest would not be of the whole.
    """
    files = {}
    for entry in list_entries(root, signatures):
        if entry.trouble is not None:
            where = shown(str(root / entry.name), 400)
            raise SubjectError(entry.trouble.value, where=where, do=_WHAT_TO_DO[entry.trouble])
        if not is_utf8(entry.name):
            raise SubjectError("a file name that is not UTF-8", where=shown(repr(entry.name), 200), do="rename it")
        if not entry.is_signature:
            files[entry.name] = entry.place
    return files


def is_utf8(name: str) -> bool:
    """Return whether a file name can be written in UTF-8, as a signed manifest must write it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _walk(root: Path) -> Iterator[tuple[str, Path, Trouble | None]]:
    """Yield everything below `root` that is not a folder itself, and folders that cannot be listed. Links are never entered."""
    folders = [("", root)]
    while folders:
        prefix, folder = folders.pop()
        try:
            inside = list(os.scandir(folder))
        except OSError:
            yield prefix.rstrip("/") or ".", folder, Trouble.UNREADABLE
            continue
        for entry in inside:
            if not prefix and entry.name in IGNORED_AT_TOP:
                continue
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append((name + "/", Path(entry.path)))
            else:
                yield name, Path(entry.path), None


def _followed(link: Path, root: Path) -> tuple[Path, Trouble | None]:
    """Return where a link leads, and what is wrong when it leaves the directory and the hub cache that it belongs to."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return link, Trouble.NOWHERE
    allowed = [root]
    if root.parent.name == "snapshots":
        allowed.append(root.parent.parent / "blobs")
    if not any(target.is_relative_to(folder) for folder in allowed):
        return target, Trouble.OUT
    return target, Trouble.TO_FOLDER if target.is_dir() else None


def _kind_trouble(place: Path) -> Trouble | None:
    try:
        mode = place.stat().st_mode
    except OSError:
        return Trouble.UNREADABLE
    return None if stat.S_ISREG(mode) else Trouble.SPECIAL
