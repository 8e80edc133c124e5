"""The recourse log's files: the log, its head, its lock. Appending, mending, and checking against an anchor.

FILE              the log: one entry a line, appended and never changed
FILE.head.json    how many entries it has, and the digest of the last: renewed with each entry
FILE.keys.json    the wrapped keys of sealed texts (`sealing`)
FILE.torn-NUMBER  what a write that did not finish left behind; entry NUMBER says so
FILE.lock         held while somebody appends

An entry is written and synced before the head names it. So a head that names more than the log has means that entries are gone; a log that has
more than its head names was cut short between the two writes, and is whole.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from weighbridge.digests import Digest, canonical_json, digest_bytes
from weighbridge.errors import EvidenceError, UsageError, WeighbridgeError
from weighbridge.evidence.records import Record
from weighbridge.recourse.chain import Chain, read_chain
from weighbridge.recourse.entries import Begun, Entry, Linked, LogId, Mended

MAX_LOG_BYTES = 256 * 1024 * 1024
WAIT_S = 30.0
BACKWARDS = timedelta(minutes=5)  # how far a clock may be behind the last entry; such an entry takes that one's time

Clock = Callable[[], datetime]
Kind = TypeVar("Kind", bound=Linked)


class Head(Record):
    """The log's own note of where it ends."""

    schema_: Literal["weighbridge.recourse-head/1"] = Field("weighbridge.recourse-head/1", alias="schema")
    log: LogId
    entries: int = Field(ge=1)
    head: Digest

    model_config = Record.model_config | {"populate_by_name": True}


@dataclass(frozen=True)
class Log:
    """A log that was read and checked. `noted`: how many entries its head file names; None: there is no head file.

    `since_anchor`: how many entries were added after the anchor that it was checked against; None: it was checked against none.
    """

    path: Path
    chain: Chain
    noted: int | None
    since_anchor: int | None = None

    @property
    def entries(self) -> list[Entry]:
        """The entries, in order."""
        return self.chain.entries


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def beside(path: Path, suffix: str) -> Path:
    """Return the file beside a log, e.g. `FILE.head.json`."""
    return path.with_name(f"{path.name}.{suffix}")


def read_log(path: Path, *, head: str | None = None) -> Log:
    """Return the log, checked against its head file, and against `head`, the digest of some entry, kept elsewhere.

    Raises `EvidenceError` when an entry was changed, removed, put in or put elsewhere, when the log ends before its head file or the anchor says,
    and when its last entries were replaced; `UsageError` when it cannot be read.
    """
    path = path.resolve()  # whichever link leads there, the files beside it are the same
    noted = _read_head(path)  # before the log: the log only grows
    chain = read_chain(_bytes(path), str(path))
    if noted is not None:
        known = chain.digests[noted.entries - 1] if noted.entries <= len(chain.entries) else None
        if noted.log != chain.entries[0].log or known != noted.head:
            raise EvidenceError(
                f"the log is not the one that its head file names: {len(chain.entries)} entries, and entry "
                f"{noted.entries - 1} should be the last that is certain",
                where=str(path),
                do="entries at its end were removed or replaced: restore the log from a copy",
            )
    since = None
    if head is not None:
        if head not in chain.digests:
            raise EvidenceError(
                "the log does not hold the entry of the anchor: entries were removed or replaced since it was noted",
                where=str(path),
                do="restore the log from a copy, or check that the digest is of this log",
            )
        since = len(chain.entries) - 1 - chain.digests.index(head)
    return Log(path, chain, noted.entries if noted else None, since)


def renew_head(path: Path, head: str) -> Log:
    """Write the head file anew for a log that holds the entry `head`, and return the log. For when the head file was lost.

    Raises what `read_log` raises.
    """
    path = path.resolve()
    with _locked(path):
        log = read_log(path, head=head)
        _write_head(path, log.chain)
    return log


@contextmanager
def writing(path: Path, *, clock: Clock = now, begin: bool = False) -> Iterator[Writer]:
    """Yield what appends to the log, alone: others wait. `begin`: a log that is not there begins.

    What a write that did not finish left at the end is put aside first, and an entry says so. Raises `UsageError` when there is no log, it cannot
    be written or others hold it for too long; `EvidenceError` when it is not whole.
    """
    path = path.resolve()
    with _locked(path):
        if not path.exists():
            _begin(path, clock(), begin=begin)
        log = read_log(path)
        if log.noted is None and len(log.entries) > 1:
            raise EvidenceError(
                f"its head file ({beside(path, 'head.json').name}) is gone, so entries could be missing at the end",
                where=str(path),
                do="restore that file, or write it anew with an anchor: `weighbridge recourse verify --head DIGEST --renew`",
            )
        writer = Writer(log, clock)
        if log.chain.torn:
            writer.mend()
        yield writer


class Writer:
    """Appends entries to a log that is held. Made by `writing`."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._path, self.chain, self._clock = log.path, log.chain, clock

    @property
    def path(self) -> Path:
        """The log's file."""
        return self._path

    def append(self, kind: type[Kind], **fields: object) -> Kind:
        """Write an entry of this kind and return it once it is on the disk. Raises `UsageError` when it is none or does not follow."""
        entry = self._make(kind, fields)
        line = entry.canonical()
        self.chain.add(entry, line)
        try:
            _append(self._path, line + b"\n")
        except OSError as error:
            raise _failed(self._path, error, "written") from error
        _write_head(self._path, self.chain)
        return entry

    def mend(self) -> None:
        """Put what is torn aside, and say so in an entry. The log is replaced whole or not at all."""
        torn = self.chain.torn
        aside = beside(self._path, f"torn-{len(self.chain.entries)}")
        replace_file(aside, torn)
        entry = self._make(Mended, {"size": len(torn), "digest": digest_bytes(torn)})
        line = entry.canonical()
        whole = _bytes(self._path).removesuffix(torn)
        self.chain.add(entry, line)
        replace_file(self._path, whole + line + b"\n")
        self.chain.torn = b""
        _write_head(self._path, self.chain)

    def _make(self, kind: type[Kind], fields: dict[str, object]) -> Kind:
        last = self.chain.entries[-1]
        at = self._clock().astimezone(UTC)
        if at < last.at - BACKWARDS:
            raise UsageError(
                f"the clock says {at:%Y-%m-%d %H:%M}, before the last entry ({last.at:%Y-%m-%d %H:%M})",
                where=str(self._path),
                do="set the clock: time taken is counted from it",
            )
        own = {
            "log": last.log,
            "number": last.number + 1,
            "at": max(at, last.at),
            "previous": self.chain.head,
        }
        try:
            return kind.model_validate({**own, **fields})
        except ValidationError as error:
            told = error.errors(include_url=False, include_input=False, include_context=False)
            said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in told)
            raise UsageError(said, where=str(self._path), do="correct it; nothing was written") from None


def _begin(path: Path, at: datetime, *, begin: bool) -> None:
    head = beside(path, "head.json")
    if head.exists():
        raise EvidenceError(
            f"the log is gone: its head file ({head.name}) is here", where=str(path), do="restore the log from a copy"
        )
    if not begin:
        raise UsageError("no such log", where=str(path), do="`weighbridge recourse open` begins one")
    first = Begun(log=secrets.token_hex(16), number=0, at=at)
    replace_file(path, first.canonical() + b"\n")
    _write_head(path, read_chain(_bytes(path), str(path)))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        lock = FileLock(beside(path, "lock"))
        lock.acquire(timeout=WAIT_S)
    except Timeout as error:
        raise UsageError("another process is writing to the log", where=str(path), do="try again") from error
    except OSError as error:
        raise _failed(path, error, "locked") from error
    try:
        yield
    finally:
        lock.release()


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LOG_BYTES + 1)
    except FileNotFoundError:
        raise UsageError("no such log", where=str(path), do="`weighbridge recourse open` begins one") from None
    except OSError as error:
        raise _failed(path, error, "read") from error
    if len(data) > MAX_LOG_BYTES:
        raise UsageError(f"larger than {MAX_LOG_BYTES:,} bytes", where=str(path), do="begin a new log")
    return data


def _read_head(path: Path) -> Head | None:
    place = beside(path, "head.json")
    try:
        with place.open("rb") as file:
            return Head.model_validate_json(file.read(4096))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed(place, error, "read") from error
    except ValidationError as error:
        raise EvidenceError(
            "not a head file", where=str(place), do="restore it from a copy; nothing is taken on trust without it"
        ) from error


def _write_head(path: Path, chain: Chain) -> None:
    head = Head(log=chain.entries[0].log, entries=len(chain.entries), head=chain.head)
    replace_file(beside(path, "head.json"), canonical_json(head.model_dump(mode="json", by_alias=True)) + b"\n")


def _append(path: Path, data: bytes) -> None:
    """Write all of `data` at the end and sync it, or leave the file as it was."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        size = os.fstat(handle).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        except BaseException:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only. Raises `UsageError` when it cannot be written."""
    part = path.with_name(f".{path.name}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _failed(path, error, "written") from error


def _sync_folder(folder: Path) -> None:
    """Have the rename itself on the disk; where folders cannot be synced (Windows), the system's own care must do."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _failed(path: Path, error: OSError, done: str) -> WeighbridgeError:
    return UsageError(
        f"cannot be {done} ({error.strerror or error})",
        where=str(path),
        do="check the path, permissions and free space",
    )
