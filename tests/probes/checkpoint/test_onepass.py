"""The pass over the bytes: every byte once, hashed and measured, whatever the size."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from weighbridge.probes.checkpoint import onepass
from weighbridge.probes.checkpoint.onepass import BUFFER_BYTES, Hashing, pass_over
from weighbridge.probes.checkpoint.report import Checksum, Region

SIZES = (0, 1, 1000, onepass.INLINE_BYTES, onepass.INLINE_BYTES + 1, BUFFER_BYTES * 8 + 12345)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def passed(
    path: Path, regions: Sequence[Region] = (), checksums: Sequence[Checksum] = ()
) -> tuple[onepass.Passed, int]:
    read: list[int] = []
    with opened(path) as descriptor:
        result = pass_over(descriptor, path.name, regions, checksums, Hashing(descriptor, read.append))
        return result, sum(read)


def floats(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.02, count).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_the_digest_is_that_of_the_file_and_every_byte_is_read_once(tmp_path: Path, size: int) -> None:
    """Small files and files of many buffers give SHA-256 as hashlib does, and the bytes told add up to the size."""
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8).tobytes()
    (tmp_path / "file").write_bytes(data)
    result, told = passed(tmp_path / "file")
    assert result.sha256 == "sha256:" + hashlib.sha256(data).hexdigest()
    assert (result.size_bytes, told) == (size, size)


@pytest.mark.parametrize("offset", [0, 7, BUFFER_BYTES - 2, 3 * BUFFER_BYTES + 1])
def test_a_tensor_is_measured_wherever_it_lies(tmp_path: Path, offset: int) -> None:
    """A tensor that begins at an odd byte or crosses buffers has the statistics of its values, and nobody else's."""
    values = floats(2_500_000)
    (tmp_path / "file").write_bytes(b"\xff" * offset + values.tobytes() + b"\xff" * 99)
    region = Region("w", offset, values.nbytes, "f32", (values.size,))
    (statistics,) = passed(tmp_path / "file", [region])[0].statistics
    assert statistics.nan == 0
    assert statistics.minimum == pytest.approx(float(values.min()))
    assert statistics.maximum == pytest.approx(float(values.max()))
    assert statistics.mean == pytest.approx(values.astype(np.float64).mean(), abs=1e-7)
    assert statistics.deviation == pytest.approx(values.astype(np.float64).std(), rel=1e-5)


def test_checksums_are_compared_in_the_same_pass(tmp_path: Path) -> None:
    """Of two members that cross buffers the one whose CRC-32 is another is named."""
    data = floats(3_000_000).tobytes()
    (tmp_path / "file").write_bytes(data)
    half = len(data) // 2
    good = Checksum("good", 0, half, zlib.crc32(data[:half]))
    bad = Checksum("bad", half, half, zlib.crc32(data[half:]) ^ 1)
    assert passed(tmp_path / "file", checksums=[good, bad])[0].wrong == [bad]


def test_regions_that_would_keep_a_reader_busy_are_left_out(tmp_path: Path) -> None:
    """A thousand tensors over the same bytes cost at most a few passes; those left out, and those past the end, are named."""
    values = floats(100_000)
    (tmp_path / "file").write_bytes(values.tobytes())
    same = [Region(f"w{i}", 0, values.nbytes, "f32", (values.size,)) for i in range(1000)]
    past = Region("past", 4, values.nbytes, "f32", (values.size,))
    result, _ = passed(tmp_path / "file", [*same, past])
    assert len(result.statistics) == onepass.MEASURED_TIMES_FILE
    assert len(result.left_out) == 1001 - onepass.MEASURED_TIMES_FILE
    assert past in result.left_out


def test_a_failure_of_the_hashing_thread_reaches_the_caller(tmp_path: Path) -> None:
    """What breaks while hashing is raised by the pass, not swallowed: a digest of half a file is no digest."""
    (tmp_path / "file").write_bytes(b"x" * (BUFFER_BYTES * 10))

    def broken(_: int) -> None:
        raise OSError("broken")

    with opened(tmp_path / "file") as descriptor, pytest.raises(OSError, match="broken"):
        pass_over(descriptor, "file", [], [], Hashing(descriptor, broken))


def test_hashing_can_be_given_up(tmp_path: Path) -> None:
    """A reader that found the structure hopeless does not leave a thread behind that reads on."""
    (tmp_path / "file").write_bytes(b"")
    os.truncate(tmp_path / "file", 4 << 30)  # sparse: it would take seconds
    read: list[int] = []
    with opened(tmp_path / "file") as descriptor:
        Hashing(descriptor, read.append).stop()
    assert sum(read) < 4 << 30
