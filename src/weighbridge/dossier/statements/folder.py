"""The statements of a dossier: files in its folder `statements/`. Reading is bounded; writing is all or nothing; nothing is replaced."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from weighbridge.dossier.statements.strict_json import MAX_BYTES
from weighbridge.dossier.statements.verification import BOUND_FILES, Dossier, root_in
from weighbridge.errors import EvidenceError, UsageError

FOLDER = "statements"
MAX_STATEMENTS = 1_000
MAX_FOLDER_BYTES = 512 << 20
MAX_DOSSIER_BYTES = 256 << 20

_BLOCK_BYTES = 1 << 20


def read_statements(dossier: Path) -> dict[str, bytes]:
    """Return the statement files of a dossier by name, none when there is no folder of them.

    Raises `EvidenceError` when there are too many, `UsageError` when one cannot be read.
    """
    folder = dossier / FOLDER
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".json"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(folder), do="check the path") from error
    if len(names) > MAX_STATEMENTS:
        raise EvidenceError(f"more than {MAX_STATEMENTS:,} statements", where=str(folder), do="archive the oldest")
    found, left = {}, MAX_FOLDER_BYTES
    for name in names:
        found[name] = read_statement_file(folder / name)
        left -= len(found[name])
        if left < 0:
            what = f"statements of more than {MAX_FOLDER_BYTES:,} bytes"
            raise EvidenceError(what, where=str(folder), do="archive the oldest")
    return found


def read_statement_file(path: Path) -> bytes:
    """Return a file's bytes, at most one more than a statement may have. Raises `UsageError`."""
    try:
        with _open_regular(path) as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path), do="check the path") from error


def look_at(dossier: Path) -> Dossier:
    """Return the digests of the files of a dossier that statements bind, and its subject's root. Raises `UsageError`."""
    digests, root = {}, None
    for name in BOUND_FILES:
        path = dossier / name
        if not os.path.lexists(path):
            continue
        hasher = hashlib.sha256()
        kept = bytearray()
        try:
            with _open_regular(path) as file:
                while block := file.read(_BLOCK_BYTES):
                    hasher.update(block)
                    if name == "dossier.json" and len(kept) <= MAX_DOSSIER_BYTES:
                        kept += block
        except OSError as error:
            raise UsageError(f"cannot be read ({error.strerror})", where=str(path), do="check the path") from error
        digests[name] = "sha256:" + hasher.hexdigest()
        if name == "dossier.json" and len(kept) <= MAX_DOSSIER_BYTES:
            root = root_in(bytes(kept))
    return Dossier(digests, root)


def dossier_of(statement: Path) -> Path | None:
    """Return the dossier in whose folder of statements the file lies, None when it lies elsewhere."""
    folder = statement.absolute().parent
    return folder.parent if folder.name == FOLDER else None


def write_statements(dossier: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write statement files by name into a dossier, all or none; return where they are. Raises `UsageError`.

    What has the same name stays as it is, and nothing is written.
    """
    folder = dossier / FOLDER
    parts: list[tuple[Path, Path]] = []
    placed: list[Path] = []
    try:
        folder.mkdir(exist_ok=True)
        for name, data in files.items():
            part, place = folder / f".{name}.part", folder / name
            parts.append((part, place))
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for part, place in parts:
            os.link(part, place)  # unlike a rename, it never replaces
            placed.append(place)
    except OSError as error:
        for place in placed:
            with suppress(OSError):
                place.unlink()
        raise UsageError(
            f"the statements cannot be written ({error.strerror or error})",
            where=str(folder),
            do="check space and permissions; nothing was written",
        ) from error
    finally:
        for part, _ in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    return placed


def _open_regular(path: Path) -> BinaryIO:
    """Open a regular file, without waiting for a pipe's other end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "not a file")
    return os.fdopen(descriptor, "rb")
