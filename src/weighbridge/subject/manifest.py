"""The files of a subject, hashed in order of path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from weighbridge.digests import digest_file
from weighbridge.subject.model import FoundFile
from weighbridge.subject.roots import place_in_order

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how many bytes of it are done, and how many there are in all (None: not known)."""


def hash_files(files: Mapping[str, Path], progress: Progress | None = None) -> tuple[FoundFile, ...]:
    """Return each file with its size and digest, in order of path (`roots.place_in_order`).

    `files` maps each path as it is to be recorded to where the bytes are. Raises `OSError` as `open` does.
    """
    total = sum(path.stat().st_size for path in files.values())
    done = 0
    found = []
    for name in sorted(files, key=place_in_order):
        before = done

        def count(size_bytes: int) -> None:
            nonlocal done
            done += size_bytes
            if progress is not None:
                progress("hashing the model's files", done, max(total, done))

        digest = digest_file(files[name], count)
        found.append(FoundFile(path=name, size_bytes=done - before, digest=digest))
    return tuple(found)
