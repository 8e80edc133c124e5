"""A dossier's files as they are handed in: from a folder, or from an archive that a stranger made.

The names are a closed list (what statements bind, and the statements), so no name can lead anywhere. An archive is never unpacked to a disk, and
every size is bounded before memory is taken for it.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from weighbridge.dossier.statements.folder import FOLDER, read_statements
from weighbridge.dossier.statements.verification import BOUND_FILES
from weighbridge.errors import UsageError
from weighbridge.registry.problems import UploadRefused
from weighbridge.subject.shown import shown

MAX_FILE_BYTES = 64 << 20
MAX_UPLOAD_BYTES = 256 << 20
MAX_ARCHIVE_BYTES = 128 << 20
MAX_STATEMENTS = 200

_STATEMENT = re.compile(FOLDER + r"/[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.json")
_DIRECTORY_BYTES = 1 << 20  # of an archive: enough for ten times the files there may be
_END = struct.Struct("<4s4H2LH")
_SMALLER = "publish what `weighbridge sign` signed, and nothing else"


@dataclass(frozen=True)
class Upload:
    """A dossier's files by name, within bounds. `where` names what they were read from."""

    files: Mapping[str, bytes]
    where: str

    @property
    def statements(self) -> dict[str, bytes]:
        """The statements' files, by their own names."""
        return {
            name.removeprefix(f"{FOLDER}/"): data for name, data in self.files.items() if name.startswith(f"{FOLDER}/")
        }

    @property
    def bound(self) -> dict[str, bytes]:
        """The files that statements bind."""
        return {name: data for name, data in self.files.items() if name in BOUND_FILES}


def read_folder(folder: Path) -> Upload:
    """Return what of a dossier's folder is published: nothing else in it is opened. Raises `UsageError`, `UploadRefused`."""
    files: dict[str, bytes] = {}
    for name in BOUND_FILES:
        if os.path.lexists(folder / name):
            files[name] = _read(folder / name)
    if "dossier.json" not in files:
        raise UsageError("there is no dossier", where=str(folder), do="give a dossier's folder")
    return _checked({**files, **{f"{FOLDER}/{name}": data for name, data in read_statements(folder).items()}}, folder)


def read_archive(file: BinaryIO, where: str = "archive") -> Upload:
    """Return what is in a ZIP archive of a dossier (`write_archive`). Raises `UploadRefused` for anything that is not one."""
    size = file.seek(0, os.SEEK_END)
    if size > MAX_ARCHIVE_BYTES:
        raise UploadRefused(f"more than {MAX_ARCHIVE_BYTES:,} bytes", where=where, do=_SMALLER)
    _check_directory(file, size, where)
    files: dict[str, bytes] = {}
    left = MAX_UPLOAD_BYTES
    try:
        with zipfile.ZipFile(file) as archive:
            for each in archive.infolist():
                _check_entry(each, files, where)
                with archive.open(each) as opened:
                    data = opened.read(min(MAX_FILE_BYTES, left) + 1)  # whatever size the entry says it has
                left -= len(data)
                if len(data) > MAX_FILE_BYTES or left < 0:
                    raise UploadRefused("unpacks to more than a registry takes", where=where, do=_SMALLER)
                files[each.filename] = data
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError, EOFError) as error:
        raise UploadRefused(f"not a whole ZIP archive ({type(error).__name__})", where=where, do=_SMALLER) from None
    if "dossier.json" not in files:
        raise UploadRefused("there is no dossier.json", where=where, do=_SMALLER)
    return _checked(files, where)


def write_archive(upload: Upload, file: BinaryIO) -> None:
    """Write an upload as the ZIP archive that `read_archive` takes. The same files make the same bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(upload.files):
            archive.writestr(zipfile.ZipInfo(name), upload.files[name], zipfile.ZIP_DEFLATED)


def _checked(files: Mapping[str, bytes], where: Path | str) -> Upload:
    upload = Upload(files, str(where))
    for name, data in files.items():
        if name not in BOUND_FILES and not _STATEMENT.fullmatch(name):
            raise UploadRefused(f"not a name of a dossier's file: {shown(name)}", where=str(where), do=_SMALLER)
        if len(data) > MAX_FILE_BYTES:
            raise UploadRefused(f"{name} has more than {MAX_FILE_BYTES:,} bytes", where=str(where), do=_SMALLER)
    if sum(map(len, files.values())) > MAX_UPLOAD_BYTES:
        raise UploadRefused(f"more than {MAX_UPLOAD_BYTES:,} bytes in all", where=str(where), do=_SMALLER)
    if len(upload.statements) > MAX_STATEMENTS:
        raise UploadRefused(f"more than {MAX_STATEMENTS} statements", where=str(where), do="publish the newest ones")
    return upload


def _check_directory(file: BinaryIO, size: int, where: str) -> None:
    """Raise when the archive's directory is larger than a dossier's can be: it would all be read at once."""
    file.seek(max(0, size - 0xFFFF - _END.size))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise UploadRefused("not a ZIP archive", where=where, do=_SMALLER)
    *_, directory, _, _ = _END.unpack_from(tail, at)
    if directory > _DIRECTORY_BYTES or tail[max(0, at - 20) : at].startswith(b"PK\6\7"):
        raise UploadRefused("an archive of more files than a dossier has", where=where, do=_SMALLER)


def _check_entry(entry: zipfile.ZipInfo, files: Mapping[str, bytes], where: str) -> None:
    name = entry.orig_filename  # `filename` is already cut at a null byte and has its slashes turned
    if name != entry.filename or (name not in BOUND_FILES and not _STATEMENT.fullmatch(name)):
        raise UploadRefused(f"not a name of a dossier's file: {shown(name)}", where=where, do=_SMALLER)
    if name in files:
        raise UploadRefused(f"{shown(name)} is there twice", where=where, do=_SMALLER)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 0x1:
        raise UploadRefused(f"{shown(name)} is encrypted, or packed in another way", where=where, do=_SMALLER)
    if entry.file_size > MAX_FILE_BYTES:
        raise UploadRefused(f"{shown(name)} has more than {MAX_FILE_BYTES:,} bytes", where=where, do=_SMALLER)


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for ever
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError("not a file", where=str(path), do="take the whole dossier")
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path), do="check the path") from error
