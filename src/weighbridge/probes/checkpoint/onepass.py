"""One pass over a file's bytes: SHA-256, the archives' checksums, and the statistics of its tensors.

The caller's thread reads into a few buffers; one thread hashes them, another measures. Both let go of Python's lock while they
work, so a file costs as long as the slower of the two, and memory stays at `BUFFERS * BUFFER_BYTES` whatever the file.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from weighbridge.probes.checkpoint.report import Checksum, Region

if TYPE_CHECKING:
    from weighbridge.probes.checkpoint.weights.statistics import Accumulator, TensorStatistics

BUFFER_BYTES = 4 << 20
BUFFERS = 6
INLINE_BYTES = 2 << 20  # smaller files are not worth two threads
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


def pass_over(
    descriptor: int, path: str, regions: Sequence[Region], checksums: Sequence[Checksum], told: Told
) -> Passed:
    """Read the whole file behind `descriptor` once. Raises `OSError` when reading fails."""
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
    digest = hashlib.sha256()
    measure = _Measure(lanes)
    if size_bytes <= INLINE_BYTES:
        data = memoryview(b"".join(_pieces(descriptor, size_bytes)))
        digest.update(data)
        measure(0, data)
        told(len(data))
    else:
        _in_parallel(descriptor, digest.update, measure if lanes else None, told)
    return Passed(
        "sha256:" + digest.hexdigest(),
        size_bytes,
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
        self.value = zlib.crc32(piece, self.value)


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


def _pieces(descriptor: int, size_bytes: int) -> Iterator[bytes]:
    offset = 0
    while offset < size_bytes and (piece := os.pread(descriptor, min(BUFFER_BYTES, size_bytes - offset), offset)):
        offset += len(piece)
        yield piece


class _Block:
    """A buffer, how much of it is filled and from where, and how many workers still need it."""

    def __init__(self) -> None:
        self.buffer = bytearray(BUFFER_BYTES)
        self.start = 0
        self.view = memoryview(self.buffer)[:0]
        self.users: list[bool] = []  # each worker that is done pops one (atomic, so no lock); who gets True is the last


def _in_parallel(
    descriptor: int,
    hash_block: Callable[[memoryview], None],
    measure: Callable[[int, memoryview], None] | None,
    told: Told,
) -> None:
    free: SimpleQueue[_Block] = SimpleQueue()
    for _ in range(BUFFERS):
        free.put(_Block())
    failures: list[BaseException] = []
    workers: list[tuple[Thread, SimpleQueue[_Block | None]]] = []

    def start(work: Callable[[_Block], None], name: str) -> None:
        queue: SimpleQueue[_Block | None] = SimpleQueue()

        def run() -> None:
            while (block := queue.get()) is not None:
                if not failures:
                    try:
                        work(block)
                    except BaseException as error:
                        failures.append(error)
                if block.users.pop():
                    free.put(block)

        thread = Thread(target=run, name=name, daemon=True)
        thread.start()
        workers.append((thread, queue))

    start(lambda block: hash_block(block.view), "hash")
    if measure is not None:
        start(lambda block: measure(block.start, block.view), "measure")
    offset = 0
    try:
        while not failures:
            block = free.get()
            filled = os.preadv(descriptor, [block.buffer], offset)
            if not filled:
                break
            block.start, block.view = offset, memoryview(block.buffer)[:filled]
            block.users = [True, *[False] * (len(workers) - 1)]
            for _, queue in workers:
                queue.put(block)
            offset += filled
            told(filled)
    finally:
        for _, queue in workers:
            queue.put(None)
        for thread, _ in workers:
            thread.join()
    if failures:
        raise failures[0]
