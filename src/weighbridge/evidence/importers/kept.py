"""What was imported beside a dossier: `imported/`, one record a file, and `imported/index.json`, which lists them all in a chain.

An import can speak against a model, so leaving one out must not help: whoever could delete the worse of two reports would improve
what is left. Therefore the list, not the folder, says what there is, and what is lost makes *everything of that tool* absent:

- a listed record that is missing or changed: all results of its tool are absent (`of_tool` gives "not measured");
- a list whose chain is broken (an entry cut out, moved or changed), or beside which lies a record that it does not list: it is not
  known what is lost, so all results of all tools are absent.

Cutting off the list's end together with its records leaves a shorter list that is whole. Only something outside can tell: a
statement over the dossier should bind `index_digest`.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from weighbridge.digests import Digest, digest_bytes
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence.elsewhere import MadeElsewhere, Tool
from weighbridge.evidence.importers.importing import import_file
from weighbridge.evidence.importers.values import absent
from weighbridge.evidence.records import NotMeasured, Reason, Record
from weighbridge.subject.shown import shown

FOLDER, INDEX_FILE = "imported", "index.json"
MAX_RECORD_BYTES = 64 << 20
MAX_INDEX_BYTES = 16 << 20
_LOCK_S = 10.0
_NAME_DIGITS = 16


class Entry(Record):
    """One import: the original file's digest, name and tool, when, the record's digest, and the digest of the entry before."""

    file_digest: Digest
    name: str
    tool: Tool
    imported_at: datetime
    record: Digest
    previous: Digest | None

    @property
    def record_name(self) -> str:
        """The name of the record's file in `imported/`."""
        return f"{self.file_digest.removeprefix('sha256:')[:_NAME_DIGITS]}.json"


class Index(Record):
    """`imported/index.json`: every import, oldest first."""

    format: Literal["weighbridge.imported/1"] = "weighbridge.imported/1"
    entries: tuple[Entry, ...] = Field(default=(), max_length=10_000)


@dataclass(frozen=True, slots=True)
class Imported:
    """A listed import, and its record when it is there and intact; otherwise `problem` says why it is not."""

    entry: Entry
    record: MadeElsewhere | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Added:
    """What an import came to: the record, and whether it was `new`, `restored` (listed, and had been lost) or there already."""

    record: MadeElsewhere
    path: Path
    how: Literal["new", "restored", "there already"]


def read_imported(dossier: Path) -> tuple[Imported, ...]:
    """Return every listed import of the dossier in `dossier`, oldest first; nothing when none was ever imported.

    A record that is missing, changed or unreadable comes with its problem, and so does every entry of a list whose chain is broken
    or that does not list all records that lie beside it. Raises `EvidenceError` when the list itself cannot be read.
    """
    folder = dossier / FOLDER
    data = _read(folder / INDEX_FILE, MAX_INDEX_BYTES)
    if data is None:
        if _records(folder):
            raise EvidenceError(
                "is missing, and records lie beside it", where=str(folder / INDEX_FILE), do="take it from a copy"
            )
        return ()
    entries = _index(data, folder).entries
    whole_problem = _chain_problem(entries) or _stray_problem(folder, entries)
    return tuple(_imported(folder, entry, whole_problem) for entry in entries)


def of_tool(imported: tuple[Imported, ...], tool: Tool) -> tuple[MadeElsewhere, ...] | NotMeasured:
    """Return the records of one tool, or "not measured" when there is none, or when any that is listed is not intact.

    Losing one takes all of its tool away, as it is not known what it said: what is left must never look better.
    """
    listed = [each for each in imported if each.entry.tool is tool]
    if not listed:
        return absent(Reason.NOTHING_MEASURED, f"nothing of {tool} was imported")
    for each in listed:
        if each.record is None:
            return absent(Reason.NOTHING_MEASURED, f"{each.entry.name}: {each.problem}; nothing of {tool} counts")
    return tuple(each.record for each in listed if each.record is not None)


def index_digest(dossier: Path) -> str | None:
    """Return the digest of the list, which fixes all imports and their order; None when nothing was imported."""
    data = _read(dossier / FOLDER / INDEX_FILE, MAX_INDEX_BYTES)
    return None if data is None else digest_bytes(data)


def import_into(dossier: Path, file: Path, tool: Tool | None = None, *, now: datetime) -> Added:
    """Import `file` and add it to the dossier in `dossier`: the record first, then the list, each renamed into place.

    The same file again changes nothing; when its record was lost, it is written again if it comes out as it was. Raises
    `UsageError` for a file that cannot be imported (`import_file`), a folder that holds no dossier, or one that cannot be written;
    `EvidenceError` when what was imported before is damaged.
    """
    if not (dossier / "dossier.json").is_file():
        raise UsageError("holds no dossier", where=str(dossier), do="give a dossier's folder")
    record = import_file(file, tool, now=now)
    if len(record.canonical()) > MAX_RECORD_BYTES:
        raise UsageError(f"its record would be longer than {MAX_RECORD_BYTES >> 20} MiB", where=record.file)
    folder = dossier / FOLDER
    if folder.is_symlink():
        raise UsageError("is a symbolic link", where=str(folder), do="make it a folder")
    try:
        folder.mkdir(exist_ok=True)
        with FileLock(folder / ".lock", timeout=_LOCK_S):
            return _add(folder, record)
    except Timeout as error:
        raise UsageError(
            "is being written by another run", where=str(folder), do="try again when it is done"
        ) from error
    except OSError as error:
        raise UsageError(
            f"cannot be written ({error.strerror or error})", where=str(folder), do="check space and permissions"
        ) from error


def _add(folder: Path, record: MadeElsewhere) -> Added:
    data = _read(folder / INDEX_FILE, MAX_INDEX_BYTES)
    index = Index() if data is None else _index(data, folder)
    if problem := _chain_problem(index.entries):
        raise EvidenceError(problem, where=str(folder / INDEX_FILE), do="take it from a copy")
    for entry in index.entries:
        if entry.file_digest == record.file_digest:
            return _again(folder, entry, record)
    entry = Entry(
        file_digest=record.file_digest,
        name=record.file,
        tool=record.tool,
        imported_at=record.imported_at,
        record=digest_bytes(record.canonical()),
        previous=digest_bytes(index.entries[-1].canonical()) if index.entries else None,
    )
    if any(entry.record_name == other.record_name for other in index.entries):
        raise EvidenceError(
            f"another import has the name {entry.record_name}",
            where=str(folder),
            do="two files of one digest's beginning",
        )
    path = folder / entry.record_name
    stray = path.exists()  # of an import that was killed before it reached the list
    _write(path, record.canonical())
    try:
        _write(folder / INDEX_FILE, Index(entries=(*index.entries, entry)).canonical())
    except OSError:
        if not stray:
            path.unlink(missing_ok=True)
        raise
    return Added(record, path, "new")


def _again(folder: Path, entry: Entry, record: MadeElsewhere) -> Added:
    """The same file once more: nothing to do, unless its record was lost."""
    path = folder / entry.record_name
    if entry.tool is not record.tool:
        raise UsageError(
            f"was imported already, as {entry.tool}", where=record.file, do="a file counts once, for one tool"
        )
    found = _imported(folder, entry, None)
    if found.record is not None:
        return Added(found.record, path, "there already")
    then = record.model_copy(update={"imported_at": entry.imported_at, "file": entry.name})
    if digest_bytes(then.canonical()) != entry.record:
        raise EvidenceError(
            f"{found.problem}, and this version reads the file otherwise than the one that imported it",
            where=str(path),
            do="take the record from a copy",
        )
    _write(path, then.canonical())
    return Added(then, path, "restored")


def _imported(folder: Path, entry: Entry, whole_problem: str | None) -> Imported:
    if whole_problem:
        return Imported(entry, None, whole_problem)
    try:
        data = _read(folder / entry.record_name, MAX_RECORD_BYTES)
    except EvidenceError as error:
        return Imported(entry, None, error.what)
    if data is None:
        return Imported(entry, None, "its record is missing")
    if digest_bytes(data) != entry.record:
        return Imported(entry, None, "its record was changed")
    try:
        record = MadeElsewhere.model_validate_json(data)
    except ValidationError:
        return Imported(entry, None, "its record is not of this version")
    if (record.tool, record.file_digest) != (entry.tool, entry.file_digest):
        return Imported(entry, None, "its record is of another file")
    return Imported(entry, record, None)


def _chain_problem(entries: tuple[Entry, ...]) -> str | None:
    previous: str | None = None
    for number, entry in enumerate(entries, start=1):
        if entry.previous != previous:
            return f"the list was changed before entry {number}"
        previous = digest_bytes(entry.canonical())
    return None


def _stray_problem(folder: Path, entries: tuple[Entry, ...]) -> str | None:
    stray = _records(folder) - {entry.record_name for entry in entries}
    return f"the list does not name {shown(min(stray), 40)}, which lies beside it" if stray else None


def _records(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir() if path.suffix == ".json" and path.name != INDEX_FILE}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise EvidenceError(f"cannot be read ({error.strerror})", where=str(folder), do="check permissions") from error


def _index(data: bytes, folder: Path) -> Index:
    try:
        return Index.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise EvidenceError(
            f"is not a list of imports ({place + ': ' if place else ''}{first['msg']})",
            where=str(folder / INDEX_FILE),
            do="take it from a copy",
        ) from error


def _read(path: Path, limit: int) -> bytes | None:
    """Return a file's bytes, None when there is none. Links are not followed; raises `EvidenceError` when it cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(handle, "rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        what = "is a symbolic link" if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})"
        raise EvidenceError(what, where=str(path), do="take it from a copy") from error
    if data is None or len(data) > limit:
        raise EvidenceError("is no file that weighbridge wrote", where=str(path), do="take it from a copy")
    return data


def _write(path: Path, data: bytes) -> None:
    """Write beside the place, push to the disk, rename."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with part.open("xb") as file:  # never through a link that somebody put there
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
