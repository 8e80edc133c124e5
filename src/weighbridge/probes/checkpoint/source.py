"""Bytes to examine: a file on disk, a window of one, or bytes in memory. Random access, bounded, never mapped or run."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol


class Source(Protocol):
    """Bytes with a size and a name. `path` is how a report names it (`archive.zip!member` for members).

    `base` is where byte 0 lies in the subject's file on disk, or None for what was unpacked: only what lies in the file as it is
    can be measured in the pass over its bytes.
    """

    @property
    def path(self) -> str: ...

    @property
    def size_bytes(self) -> int: ...

    @property
    def base(self) -> int | None: ...

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Return at most `size_bytes` bytes from `offset`; fewer only at the end. Callers bound `size_bytes`."""
        ...


@dataclass
class FileSource:
    """A file on disk, read with `pread`. Use as a context manager. Raises `OSError` as `open` does."""

    path: str
    file: Path
    size_bytes: int = field(init=False, default=0)
    base: int | None = field(init=False, default=0)
    descriptor: int = field(init=False, default=-1, repr=False)

    def __enter__(self) -> FileSource:
        self.descriptor = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        self.size_bytes = os.fstat(self.descriptor).st_size
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.descriptor)

    def read(self, offset: int, size_bytes: int) -> bytes:
        parts: list[bytes] = []
        size_bytes = min(size_bytes, self.size_bytes - offset)
        while size_bytes > 0 and (part := os.pread(self.descriptor, size_bytes, offset)):
            parts.append(part)
            offset += len(part)
            size_bytes -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


@dataclass(frozen=True)
class Window:
    """A run of bytes of another source, e.g. a stored member of an archive."""

    path: str
    parent: Source
    start: int
    size_bytes: int

    @property
    def base(self) -> int | None:
        return None if self.parent.base is None else self.parent.base + self.start

    def read(self, offset: int, size_bytes: int) -> bytes:
        return self.parent.read(self.start + offset, max(0, min(size_bytes, self.size_bytes - offset)))


@dataclass(frozen=True)
class MemorySource:
    """Bytes in memory, e.g. an unpacked member of an archive."""

    path: str
    data: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    @property
    def base(self) -> int | None:
        return None

    def read(self, offset: int, size_bytes: int) -> bytes:
        return self.data[offset : offset + max(0, size_bytes)]


class TemporarySource:
    """Bytes in a temporary file that has no name: a large member, unpacked. Closed when it is collected."""

    base: None = None

    def __init__(self, path: str) -> None:
        self.path, self.size_bytes = path, 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the source

    def append(self, data: bytes) -> None:
        """Write more behind what is there. Raises `OSError` when there is no room."""
        self._file.write(data)
        self.size_bytes += len(data)

    def read(self, offset: int, size_bytes: int) -> bytes:
        self._file.flush()
        return os.pread(self._file.fileno(), max(0, min(size_bytes, self.size_bytes - offset)), offset)
