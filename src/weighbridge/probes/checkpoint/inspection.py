"""The whole probe: a path in, a report out. Files are read in a child process with limits."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found, shown
from weighbridge.probes.checkpoint.examine import Context, examine
from weighbridge.probes.checkpoint.limits import ChildDied, Limits, Say, run_limited
from weighbridge.probes.checkpoint.listing import Listing, list_files
from weighbridge.probes.checkpoint.onepass import Hashing, pass_over
from weighbridge.probes.checkpoint.report import Examined, NotExamined, Report
from weighbridge.probes.checkpoint.source import FileSource
from weighbridge.probes.checkpoint.stages import Gathered, ReadFile, run_stages

_TRIES = 6  # a file at which the reader dies is left out and the rest is read again, so often
_MIN_BYTES_PER_S = 20 << 20  # a disk slower than this is too slow

Told = Callable[[int, int], None]
"""Told how many bytes are read, and how many there are."""


def inspect_path(
    path: Path, *, against: Path | None = None, told: Told | None = None, limits: Limits | None = None
) -> Report:
    """Read the file or directory at `path` and return what is in it. Nothing in it is run, whatever it holds.

    `against` is another to compare with. A file at which the reader dies (memory, time, a mistake of ours) is "not examined"; the
    others are still read. Raises `UsageError` when there is nothing at a path.
    """
    return inspect_files(list_files(path), other=list_files(against) if against else None, told=told, limits=limits)


def inspect_files(
    listing: Listing, *, other: Listing | None = None, told: Told | None = None, limits: Limits | None = None
) -> Report:
    """Read the files of `listing` and return what is in them, as `inspect_path` does."""
    total = _size(listing) + (_size(other) if other else 0)
    limits = limits or Limits(time_s=60 + total / _MIN_BYTES_PER_S + 0.05 * len(listing.files))
    poisoned: dict[str, str] = {}
    for _ in range(_TRIES):
        reader = _Reader(listing, other, poisoned, total, told)
        try:
            run_limited(reader.work, reader.hear, limits)
        except ChildDied as died:
            begun = reader.open or {"": str(died)}
            poisoned |= {name: str(died) for name in begun}
            continue
        assert reader.report is not None
        return reader.report
    left = [NotExamined(name, poisoned.get(name, "the reader died too often")) for name in listing.files]
    return Report(subject={"digest": None, "files": []}, not_examined=[asdict(each) for each in left])


def inspect_here(path: Path, *, against: Path | None = None) -> Report:
    """Return what `inspect_path` does, read in this process and without limits: for fuzzing, and for files of one's own making."""
    reader = _Reader(list_files(path), list_files(against) if against else None, {}, 0, None)
    reader.work(reader.hear)
    assert reader.report is not None
    return reader.report


@dataclass
class _Reader:
    """Both ends of the pipe: `work` runs in the child, `hear` in the parent, which knows what the child was at when it died."""

    listing: Listing
    other: Listing | None
    poisoned: Mapping[str, str]
    total: int
    told: Told | None
    open: set[str] = field(default_factory=set)
    report: Report | None = None
    _read: int = 0

    def hear(self, message: dict[str, Any]) -> None:
        if "begin" in message:
            self.open.add(message["begin"])
        elif "done" in message:
            self.open.discard(message["done"])
        elif "read" in message:
            self._read += message["read"]
            if self.told:
                self.told(self._read, self.total)
        elif "report" in message:
            self.report = Report(**_unicode(message["report"]))

    def work(self, say: Say) -> None:
        # The hashing thread asks for Python's lock every few milliseconds, and importing holds it for five at a time by default.
        sys.setswitchinterval(2e-4)
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: its threads would only fight ours
        mine = _read_all(self.listing, "", self.poisoned, say)
        theirs = _read_all(self.other, "against ", self.poisoned, say) if self.other else None
        report = run_stages(
            Gathered(self.listing, mine), Gathered(self.other, theirs or []) if self.other else None, self.poisoned, say
        )
        say({"report": asdict(report)})


def _size(listing: Listing) -> int:
    return sum(file.stat().st_size for file in listing.files.values())


def _read_all(listing: Listing, prefix: str, poisoned: Mapping[str, str], say: Say) -> list[ReadFile]:
    """Read all files of `listing` but the `poisoned`, saying what is begun and done. Runs in the child."""

    def one(name: str) -> ReadFile:
        if (poison := poisoned.get(prefix + name)) is not None:
            return _unread(name, listing.files[name], poison)
        say({"begin": prefix + name})
        try:
            return _read_file(name, listing.files[name], lambda size_bytes: say({"read": size_bytes}))
        finally:
            say({"done": prefix + name})

    # One large file keeps two threads busy: one hashes, one measures.
    at_once = max(1, (os.cpu_count() or 2) // 2)
    if at_once == 1 or len(listing.files) == 1:
        return [one(name) for name in listing.files]
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, listing.files))


def _read_file(name: str, file: Path, told: Callable[[int], None]) -> ReadFile:
    context = Context()
    try:
        with FileSource(name, file) as source:
            before = os.fstat(source.descriptor)
            hashing = Hashing(source.descriptor, told)
            try:
                examined = _examine(source, context)
                parts = (examined, *context.members)
                passed = pass_over(
                    source.descriptor,
                    name,
                    [region for part in parts for region in part.regions],
                    [checksum for part in parts for checksum in part.checksums],
                    hashing,
                )
            finally:
                hashing.stop()
            after = os.fstat(source.descriptor)
    except OSError as error:
        return _unread(name, file, f"cannot be read ({error.strerror})")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        examined.not_examined.append(NotExamined(name, "the file was changed while it was read: inspect it again"))
    for checksum in passed.wrong:
        message = "the bytes do not have the CRC-32 that the archive states"
        examined.findings.append(
            found("archive.wrong-crc", f"{name}!{checksum.member}", f"byte {checksum.offset}", message)
        )
    return ReadFile(name, examined, context.members, passed)


def _unread(name: str, file: Path, why: str) -> ReadFile:
    """Return a file that was not read, with the size that the system tells."""
    try:
        size_bytes = file.stat().st_size
    except OSError:
        size_bytes = 0
    return ReadFile(name, Examined(name, size_bytes, not_examined=[NotExamined(name, why)]), [], None)


def _unicode(value: Any) -> Any:
    """Return `value` with half characters written out: JSON headers may hold them, and no output can."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        if isinstance(value, dict):
            return {_unicode(key): _unicode(each) for key, each in value.items()}
        if isinstance(value, list):
            return [_unicode(each) for each in value]
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def _examine(source: FileSource, context: Context) -> Examined:
    """Return what `examine` does. A mistake of ours is "not examined", never a fact about the file."""
    try:
        return examine(source, context)
    except MemoryError:
        why = "it asks for more memory than a reader may have"
    except RecursionError:
        why = "it is nested more deeply than a reader follows"
    except Exception:
        why = "the reader failed: " + shown(traceback.format_exc(limit=-2))
    return Examined(source.path, source.size_bytes, not_examined=[NotExamined(source.path, why)])
