"""One pass over a file's bytes: SHA-256, the archives' checksums, and the statistics of its tensors.

Hashing begins as soon as the file is open, in a thread of its own, while the file's structure is examined and numpy is loaded; measuring
follows it through the page cache. Both let go of Python's lock while they work, so a file costs as long as the slower of the two, and
memory stays at two buffers whatever the file.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING

from weighbridge.probes.checkpoint.report import Checksum, Region

if TYPE_CHECKING:
    from weighbridge.probes.checkpoint.weights.statistics import Accumulator, TensorStatistics

BUFFER_BYTES = 4 << 20
FAST_CRC_BYTES = 1 << 16  # shorter pieces are not worth a call into the library
INLINE_BYTES = 2 << 20  # smaller files are not worth a thread
# Views of one storage are ordinary, a thousand tensors over the same bytes are a trick to keep a reader busy.
MEASURED_TIMES_FILE = 3

Told = Callable[[int], None]


@dataclass
class Passed:
    """What a pass found. `wrong` are the checksums that the bytes do not have."""

    sha256: str
    size_bytes: int
    statistics: list[TensorStatistics] = field(default_factory=list)
    left_out: list[Region] = field(default_factory=list)
    wrong: list[Checksum] = field(default_factory=list)


@dataclass
class _Lane:
    """What one span of the file feeds. `feed` takes consecutive pieces."""

    start: int
    end: int
    feed: Callable[[memoryview], None]


class Hashing:
    """SHA-256 of the whole file behind a descriptor, begun at once: in a thread of its own for all but small files."""

    def __init__(self, descriptor: int, told: Told) -> None:
        self._descriptor, self._told = descriptor, told
        self._digest = hashlib.sha256()
        self._failure: BaseException | None = None
        self._stop = False
        self._read = 0
        self._thread: Thread | None = None
        if os.fstat(descriptor).st_size > INLINE_BYTES:
            self._thread = Thread(target=self._run, name="hash", daemon=True)
            self._thread.start()
        else:
            self._run()

    def _run(self) -> None:
        try:
            for start, piece in _pieces(self._descriptor, 0, None):
                self._digest.update(piece)
                self._read = start + len(piece)
                self._told(len(piece))
                if self._stop:
                    return
        except BaseException as error:
            self._failure = error

    def result(self) -> tuple[str, int]:
        """Return ("sha256:...", how many bytes were read) when all is read. Raises `OSError` when reading failed."""
        if self._thread:
            self._thread.join()
        if self._failure:
            raise self._failure
        return "sha256:" + self._digest.hexdigest(), self._read

    def stop(self) -> None:
        """Give up, and wait until the thread is gone."""
        self._stop = True
        if self._thread:
            self._thread.join()


def pass_over(
    descriptor: int, path: str, regions: Sequence[Region], checksums: Sequence[Checksum], hashing: Hashing
) -> Passed:
    """Measure what lies in `regions`, compare `checksums`, and wait for `hashing`. Raises `OSError` when reading fails."""
    size_bytes = os.fstat(descriptor).st_size
    kept, left_out = _affordable(regions, size_bytes)
    accumulators = _accumulators(path, kept)
    crcs = [_Crc(checksum) for checksum in checksums if checksum.offset + checksum.size_bytes <= size_bytes]
    lanes = [
        *(
            _Lane(region.offset, region.offset + region.size_bytes, _feeder(accumulator))
            for region, accumulator in zip(kept, accumulators, strict=True)
        ),
        *(_Lane(crc.stated.offset, crc.stated.offset + crc.stated.size_bytes, crc.feed) for crc in crcs),
    ]
    lanes.sort(key=lambda lane: lane.start)
    if lanes:
        measure = _Measure(lanes)
        for start, piece in _pieces(descriptor, lanes[0].start, max(lane.end for lane in lanes)):
            measure(start, piece)
    digest, read_bytes = hashing.result()
    return Passed(
        digest,
        read_bytes,
        [accumulator.result() for accumulator in accumulators],
        left_out,
        [crc.stated for crc in crcs if crc.value != crc.stated.crc32],
    )


def _affordable(regions: Sequence[Region], size_bytes: int) -> tuple[list[Region], list[Region]]:
    """Return the regions that lie in the file, as long as together they stay within a few times its size; and the others."""
    kept: list[Region] = []
    left_out: list[Region] = []
    left = MEASURED_TIMES_FILE * size_bytes
    for region in regions:
        inside = region.offset >= 0 and region.size_bytes >= 0 and region.offset + region.size_bytes <= size_bytes
        if inside and region.size_bytes <= left:
            left -= region.size_bytes
            kept.append(region)
        else:
            left_out.append(region)
    return kept, left_out


def _accumulators(path: str, regions: Sequence[Region]) -> list[Accumulator]:
    if not regions:
        return []
    from weighbridge.probes.checkpoint.weights.statistics import accumulator

    return [accumulator(region, path) for region in regions]


def _feeder(accumulator: Accumulator) -> Callable[[memoryview], None]:
    import numpy as np

    return lambda piece: accumulator.feed(np.frombuffer(piece, dtype=np.uint8))


@dataclass
class _Crc:
    stated: Checksum
    value: int = 0

    def feed(self, piece: memoryview) -> None:
        # Imported here: an archive of small files needs no numpy.
        if len(piece) < FAST_CRC_BYTES:
            self.value = zlib.crc32(piece, self.value)
        else:
            from weighbridge.probes.checkpoint.weights.native import crc32

            self.value = crc32(piece, self.value)


class _Measure:
    """Hands each block to the lanes that it overlaps. Blocks come in order, lanes are sorted by their start."""

    def __init__(self, lanes: Sequence[_Lane]) -> None:
        self._waiting = list(reversed(lanes))
        self._active: list[_Lane] = []

    def __call__(self, start: int, block: memoryview) -> None:
        end = start + len(block)
        while self._waiting and self._waiting[-1].start < end:
            self._active.append(self._waiting.pop())
        for lane in self._active:
            piece = block[max(lane.start, start) - start : lane.end - start]
            if piece:
                lane.feed(piece)
        self._active = [lane for lane in self._active if lane.end > end]


def _pieces(descriptor: int, start: int, end: int | None) -> Iterator[tuple[int, memoryview]]:
    """Yield (where it begins, bytes) from `start` to `end` or the file's end. The bytes are the same buffer every time."""
    buffer = bytearray(BUFFER_BYTES)
    view = memoryview(buffer)
    at = start
    while end is None or at < end:
        filled = os.preadv(descriptor, [view if end is None else view[: end - at]], at)
        if not filled:
            return
        yield at, view[:filled]
        at += filled
