"""Opens a file that anybody may have written, within bounds: plain files only, so many bytes, so many values, no key twice.

A tool's document is read whole (at most 64 MiB), lines one at a time (at most 16 MiB each), members of a zip archive only by name
and only up to a size that is fixed beforehand, whatever the archive claims. NaN and infinities, which several tools write though
JSON has none, come back as floats that are not finite: `values.py` makes them "not measured".
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from weighbridge.errors import UsageError
from weighbridge.subject.shown import shown

MAX_FILE_BYTES = 8 << 30
MAX_DOCUMENT_BYTES = 64 << 20
MAX_LINE_BYTES = 16 << 20
MAX_LINES = 5_000_000
MAX_VALUES = 4_000_000  # per document: bounds the memory that it takes once it is read
MAX_DEPTH = 200
MAX_DIRECTORY_BYTES = 64 << 20  # of a zip archive's list of members

_ZSTANDARD = 93  # APPNOTE 6.3.10, section 4.4.5
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_WINDOW_LOG_MAX = 27  # 128 MiB: what a zstandard frame may ask a reader to keep at hand
_MAX_FRAMES = 16  # Inspect writes one a member; each costs a copy of what follows it
_BLOCK = 1 << 20


class Source:
    """An open file: `name`, `size_bytes`, `digest`, and its content as a document, as lines or as an archive's members."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self.path, self.name = file, path, shown(path.name, 200)
        self.size_bytes, self.digest = _digest(file, path)
        self._document: dict[str, Any] | None = None

    def wrong(self, what: str, do: str = "give a result file as the tool wrote it") -> UsageError:
        """Return the error that refuses this file."""
        return UsageError(what, where=shown(str(self.path), 300), do=do)

    @property
    def is_zip(self) -> bool:
        """Whether the file begins as a zip archive does."""
        self._file.seek(0)
        return self._file.read(4) == b"PK\x03\x04"

    def document(self) -> dict[str, Any]:
        """Return the whole file as one JSON object. Raises `UsageError` when it is none, or is beyond the bounds."""
        if self._document is None:
            if self.size_bytes > MAX_DOCUMENT_BYTES:
                raise self.wrong(
                    f"is longer than {MAX_DOCUMENT_BYTES >> 20} MiB",
                    "write results without the single samples (Inspect: `inspect log convert --to eval`)",
                )
            self._file.seek(0)
            self._document = self._object(self._file.read(MAX_DOCUMENT_BYTES + 1), "")
        return self._document

    def first_line(self) -> bytes:
        """Return the first line that is not blank, up to 16 MiB of it."""
        self._file.seek(0)
        while line := self._file.readline(MAX_LINE_BYTES):
            if line.strip():
                return line
        return b""

    def lines(self, skip: bytes = b"\0") -> Iterator[dict[str, Any] | None]:
        """Yield each line as a JSON object, leaving out blank ones and those that begin with `skip`.

        A last line that is cut short comes as None; any other line that is no object is an error with its number.
        """
        self._file.seek(0)
        number = 0
        while line := self._file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise self.wrong(f"line {number} is longer than {MAX_LINE_BYTES >> 20} MiB")
            if number > MAX_LINES:
                raise self.wrong(f"has more than {MAX_LINES:,} lines")
            whole = line.endswith(b"\n")
            if not line.strip() or (whole and line.startswith(skip)):
                continue
            try:
                yield self._object(line, f"line {number}")
            except UsageError:
                if whole:
                    raise
                yield None

    def parse_line(self, line: bytes) -> dict[str, Any] | None:
        """Return a line as a JSON object, None when it is none."""
        try:
            return self._object(line, "")
        except UsageError:
            return None

    def members(self) -> dict[str, zipfile.ZipInfo]:
        """Return a zip archive's members by name. Raises `UsageError` for what is no archive, or has a name twice."""
        if _directory_bytes(self._file, self.size_bytes) > MAX_DIRECTORY_BYTES:
            raise self.wrong(f"its list of members is longer than {MAX_DIRECTORY_BYTES >> 20} MiB")
        try:
            with zipfile.ZipFile(self._file) as archive:
                found = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, EOFError) as error:
            raise self.wrong("is not a whole zip archive") from error
        members = {info.filename: info for info in found}
        if len(members) != len(found):
            raise self.wrong("holds two members of one name")
        return members

    def member(self, info: zipfile.ZipInfo) -> dict[str, Any]:
        """Return a member of the archive as a JSON object; at most 64 MiB of it are ever unpacked."""
        name = shown(info.filename, 60)
        if info.flag_bits & 1:
            raise self.wrong(f"{name} is encrypted")
        if max(info.file_size, info.compress_size) > MAX_DOCUMENT_BYTES:
            raise self.wrong(f"{name} is longer than {MAX_DOCUMENT_BYTES >> 20} MiB")
        data = self._unpacked(info, name)
        if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
            raise self.wrong(f"{name} is damaged: not what the archive's list says")
        return self._object(data, name)

    def _unpacked(self, info: zipfile.ZipInfo, name: str) -> bytes:
        self._file.seek(info.header_offset)
        header = self._file.read(_LOCAL_HEADER.size)
        if len(header) != _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
            raise self.wrong(f"{name} is not where the archive's list says")
        *_, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        if self._file.read(name_bytes) != info.filename.encode("utf-8", "replace"):
            raise self.wrong(f"{name} has another name in the archive's list")
        self._file.seek(extra_bytes, os.SEEK_CUR)
        packed = self._file.read(info.compress_size)
        limit = info.file_size + 1  # one more than it may be: enough to tell that it is longer
        try:
            if info.compress_type == zipfile.ZIP_STORED:
                return packed
            if info.compress_type == zipfile.ZIP_DEFLATED:
                return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit)
            if info.compress_type == _ZSTANDARD:
                return _zstandard(packed, limit)
        except (zlib.error, EOFError, ValueError, MemoryError) as error:
            raise self.wrong(f"{name} cannot be unpacked") from error
        except ImportError as error:
            raise self.wrong(
                "is packed with Zstandard, which this Python cannot read",
                "pip install backports.zstd, or convert the log with `inspect log convert --to json`",
            ) from error
        raise self.wrong(f"{name} is packed in a way that Inspect does not use (method {info.compress_type})")

    def _object(self, data: bytes, place: str) -> dict[str, Any]:
        """Return `data` as a JSON object."""
        head = f"{place}: " if place else ""
        if data.count(b"[") + data.count(b"{") + data.count(b",") > MAX_VALUES:
            raise self.wrong(f"{head}holds more than {MAX_VALUES:,} values")
        try:
            found = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
        except UnicodeDecodeError as error:
            raise self.wrong(f"{head}is not UTF-8 text (byte {error.start})") from error
        except _Twice as error:
            raise self.wrong(f"{head}the key {shown(error.key, 40)!r} stands twice in one object") from error
        except json.JSONDecodeError as error:
            raise self.wrong(f"{head}is not JSON ({error.msg}, line {error.lineno}, column {error.colno})") from error
        except RecursionError as error:
            raise self.wrong(f"{head}is nested too deep") from error
        except ValueError as error:  # a whole number of thousands of digits
            raise self.wrong(f"{head}holds a number that is too long") from error
        if not isinstance(found, dict):
            raise self.wrong(f"{head}is not a JSON object")
        if _deeper_than(found, MAX_DEPTH):
            raise self.wrong(f"{head}is nested too deep")
        return found


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Yield the file at `path`. Raises `UsageError` when it is no plain file, cannot be read, or changes meanwhile.

    Links are not followed: what is imported is the file that was named.
    """
    where = shown(str(path), 300)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        what = "is a symbolic link" if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})"
        raise UsageError(what, where=where, do="give the result file itself") from error
    except ValueError as error:  # a NUL in the name
        raise UsageError("is not a path", where=where, do="give a result file") from error
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode):
        os.close(handle)
        raise UsageError("is not a plain file", where=where, do="give the result file itself")
    with os.fdopen(handle, "rb") as file:
        if before.st_size > MAX_FILE_BYTES:
            raise UsageError(f"is longer than {MAX_FILE_BYTES >> 30} GiB", where=where, do="give a smaller file")
        try:
            yield Source(file, path)
        except OSError as error:
            raise UsageError(f"cannot be read ({error.strerror})", where=where, do="try again") from error
        after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise UsageError("changed while it was read", where=where, do="import it once it is written")


class _Twice(ValueError):
    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers would take different values of a key that stands twice: refused."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Twice(key)
            seen.add(key)
    return found


def _deeper_than(value: Any, depth: int) -> bool:
    """Whether a value is nested deeper than so many levels; level by level, so that no depth can exhaust the stack."""
    level = [value]
    for _ in range(depth):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += [item for item in each.values() if isinstance(item, dict | list)]
            elif isinstance(each, list):
                inner += [item for item in each if isinstance(item, dict | list)]
        if not inner:
            return False
        level = inner
    return True


def _digest(file: BinaryIO, path: Path) -> tuple[int, str]:
    hasher, size = hashlib.sha256(), 0
    while block := file.read(_BLOCK):
        size += len(block)
        if size > MAX_FILE_BYTES:
            raise UsageError(f"is longer than {MAX_FILE_BYTES >> 30} GiB", where=shown(str(path), 300))
        hasher.update(block)
    return size, "sha256:" + hasher.hexdigest()


def _directory_bytes(file: BinaryIO, size_bytes: int) -> int:
    """Return how long the archive says its list of members is; zipfile would read all of it at once. 0 when it does not say."""
    tail_bytes = min(size_bytes, _END.size + 0xFFFF + _ZIP64_END.size + 20)
    file.seek(size_bytes - tail_bytes)
    tail = file.read(tail_bytes)
    said = 0
    if (at := tail.rfind(b"PK\x05\x06")) >= 0 and len(tail) - at >= _END.size:
        said = _END.unpack_from(tail, at)[5]
    if (at := tail.rfind(b"PK\x06\x06")) >= 0 and len(tail) - at >= _ZIP64_END.size:
        said = max(said if said != 0xFFFFFFFF else 0, _ZIP64_END.unpack_from(tail, at)[8])
    return min(said, size_bytes)


def _zstandard(packed: bytes, limit: int) -> bytes:
    """Unpack frames of Zstandard up to `limit` bytes. Raises `ImportError` without a library for it, `ValueError` for damage."""
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # Python 3.14
    except ImportError:
        from backports import zstd  # a dependency of py7zr before 3.14
    data = b""
    try:
        for _ in range(_MAX_FRAMES):
            frame = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX})
            data += frame.decompress(packed, limit - len(data))
            packed = frame.unused_data
            if not packed or len(data) >= limit:
                break
    except zstd.ZstdError as error:
        raise ValueError("not Zstandard") from error
    return data
