"""A folder of documents as a subject: existing technology, a search index over it. Its identity is what it holds and how it is searched.

Only plain documents count; everything else is left out, counted by why, and said in the notes. What cannot be read is an error: a
folder of which a part was overlooked would answer less than the world has, and no one would know.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from weighbridge.digests import digest_json
from weighbridge.errors import UsageError
from weighbridge.subject.manifest import Progress, hash_files
from weighbridge.subject.model import Component, Subject, SubjectKind
from weighbridge.subject.search_method import METHOD
from weighbridge.subject.shown import shown

SUFFIXES = (".txt", ".text", ".md", ".markdown", ".rst", ".html", ".htm", ".jsonl", ".csv", ".tsv")
MAX_FILES, MAX_FOLDER_BYTES = 20_000, 512 << 20
MAX_FILE_BYTES = 32 << 20
_HEAD_BYTES = 8192  # a zero byte among the first so many: no text, unless a byte order mark says UTF-16
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_DO = f"name a folder of documents ({' '.join(SUFFIXES)})"

HIDDEN, LINK, NOT_PLAIN = "hidden", "links, which are not followed", "neither files nor folders"
OTHER_KIND, BINARY, TOO_LARGE = "of other kinds", "binary", f"larger than {MAX_FILE_BYTES >> 20} MiB"
ODD_NAME = "with a name that is not UTF-8"


@dataclass(frozen=True)
class Documents:
    """The documents of a folder by their path in it, and how many other entries were left out, by why."""

    files: dict[str, Path]
    left_out: Counter[str] = field(default_factory=Counter)


def find_documents(root: Path) -> Documents:
    """Return the documents in `root` and below.

    Links are never followed, so nothing outside the folder is read and no cycle is walked. Raises `UsageError` when there is no document or
    more than may be (20,000 files, 512 MiB), `OSError` when a folder or a file cannot be read.
    """
    found = Documents({})
    total = 0
    for folder, folders, names in os.walk(root, onerror=_raise):
        here = Path(folder)
        for name in list(folders):
            why = HIDDEN if name.startswith(".") else LINK if (here / name).is_symlink() else None
            if why is not None:
                folders.remove(name)
                found.left_out[why] += 1
        folders.sort()
        for name in sorted(names):
            why, size_bytes = _why_not(here / name)
            if why is not None:
                found.left_out[why] += 1
                continue
            total += size_bytes
            found.files[(here / name).relative_to(root).as_posix()] = here / name
            if len(found.files) > MAX_FILES or total > MAX_FOLDER_BYTES:
                raise UsageError(
                    f"more than {MAX_FILES:,} documents or {MAX_FOLDER_BYTES >> 20} MiB of them",
                    where=str(root),
                    do="name a smaller folder",
                )
    if not found.files:
        raise UsageError(f"no document in this folder{_left_out(found.left_out)}", where=str(root), do=_DO)
    return found


def describe_documents(path: Path, *, reference: str, progress: Progress | None = None) -> Subject:
    """Return the search over the folder at `path` as a subject.

    Its digest covers the path and content of every document and the parameters of the search (`search_method.METHOD`). Raises
    `UsageError` when it is no folder of documents, `OSError` when a part of it cannot be read.
    """
    if not path.is_dir():
        what = "not a folder" if path.exists() else "no such folder"
        raise UsageError(what, where=shown(str(path), limit=200), do=_DO)
    root = path.resolve()
    documents = find_documents(root)
    files = hash_files(documents.files, progress)
    content = {file.path: file.digest for file in files}  # names count: an answer names its documents
    size_bytes = sum(file.size_bytes for file in files)
    return Subject(
        kind=SubjectKind.SEARCH,
        reference=reference,
        label=f"search in {shown(root.name or str(root), limit=40)}",
        digest=digest_json({"documents": content, "search": METHOD.parameters()}),
        components=(Component(name="documents", files=files),),
        notes=(
            f"existing technology, not a model: a full-text index over {len(files):,} documents ({size_bytes:,} bytes) that "
            f"answers with its best passages{_left_out(documents.left_out)}",
        ),
    )


def _why_not(path: Path) -> tuple[str | None, int]:
    """Return why an entry is no document (None: it is one), and its size in bytes."""
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        return LINK, 0
    if not stat.S_ISREG(facts.st_mode):
        return NOT_PLAIN, 0
    if path.name.startswith("."):
        return HIDDEN, 0
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return ODD_NAME, 0
    if path.suffix.lower() not in SUFFIXES:
        return OTHER_KIND, 0
    if facts.st_size > MAX_FILE_BYTES:
        return TOO_LARGE, 0
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if b"\0" in head and not head.startswith(_UTF16_MARKS):
        return BINARY, 0
    return None, facts.st_size


def _left_out(counts: Counter[str]) -> str:
    if not counts:
        return ""
    return "; left out: " + ", ".join(f"{number:,} {why}" for why, number in sorted(counts.items()))


def _raise(error: OSError) -> None:
    raise error
