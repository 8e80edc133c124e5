"""What the pass over the bytes tells of each tensor: its values' moments, a digest, samples for the fingerprint and the hints.

An accumulator is given a tensor's bytes in order, in pieces of any size, and keeps what it needs: a few kilobytes, and for embeddings the
first values of every row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from weighbridge.probes.checkpoint.report import Region
from weighbridge.probes.checkpoint.weights import values
from weighbridge.probes.checkpoint.weights.ggml import LAYOUTS
from weighbridge.probes.checkpoint.weights.moments import Moments
from weighbridge.probes.checkpoint.weights.roles import place_of

Bytes = npt.NDArray[np.uint8]

RUNS, RUN = 64, 32  # samples of each tensor: so many runs of so many neighbouring elements
ROW_SAMPLE = 64  # elements looked at of each row of an embedding
MAX_ROW_BYTES = 96 << 20
_LOW_EVERY = 64  # of so many blocks one is looked at for its lowest bits


@dataclass(frozen=True)
class TensorStatistics:
    """What is known of one tensor. Numbers are None where the values were not measured (`measured` False) or there are none.

    `minimum` to `deviation` are of the finite values. `digest` names the bytes (XXH3, 128 bits: equal bytes are found, forgery is not
    guarded against). `scales` are the block scales of quantised types: (smallest, largest, how many are 0, NaN or Inf). `low_bits`: how
    far the lowest byte is from uniform (see low_bits). `samples` are values at fixed places, for the fingerprint.
    """

    path: str
    tensor: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    layer: int | None
    role: str
    digest: str
    measured: bool
    reason: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    deviation: float | None = None
    nan: int | None = None
    inf: int | None = None
    zeros: int | None = None
    scales: tuple[float, float, int, int, int] | None = None
    low_bits: dict[str, float] | None = None
    samples: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    row_norms: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    head: bytes = field(default=b"", repr=False, compare=False)
    region: Region | None = field(default=None, repr=False, compare=False)


def as_json(statistics: TensorStatistics) -> dict[str, Any]:
    """Return the statistics as plain JSON values, without samples."""
    kept = {name: getattr(statistics, name) for name in statistics.__dataclass_fields__ if name not in _INNER}
    kept["shape"] = list(statistics.shape)
    kept["scales"] = list(statistics.scales) if statistics.scales else None
    return {name: _finite(value) for name, value in kept.items()}


_INNER = frozenset({"samples", "row_norms", "head", "region"})


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def accumulator(region: Region, path: str) -> Accumulator:
    """Return what measures the tensor in `region` of the file `path`."""
    return Accumulator(region, path)


class Accumulator:
    """Takes a tensor's bytes in order and gives its statistics."""

    def __init__(self, region: Region, path: str) -> None:
        self.region, self.path = region, path
        self.kernel = values.kernel(region.dtype, region.big_endian)
        self.elements = math.prod(region.shape)
        self.layer, self.role = place_of(region.tensor)
        layout = LAYOUTS.get(region.dtype)
        self.unit_bytes = self.kernel.unit_bytes if self.kernel else layout.unit_bytes if layout else 1
        self.unit_elements = self.kernel.unit_elements if self.kernel else layout.unit_elements if layout else 1
        self.moments = Moments()
        self.digest = xxhash.xxh3_128()
        self.carry = b""
        self.at = 0  # bytes taken so far
        self.head = b""
        self.layout = layout
        self.scales: _Scales | None = _Scales(layout.scales[0]) if layout and layout.scales else None
        self.low = _LowBits(region.dtype) if region.dtype in ("f32", "f16", "bf16") and not region.big_endian else None
        self.samples = _Samples(self)
        self.rows = (
            _Rows(self) if self.role in ("embedding", "head") and len(region.shape) == 2 and self.kernel else None
        )
        self.chunk = max(self.unit_bytes, values.BLOCK_BYTES // self.unit_bytes // 4 * 4 * self.unit_bytes)

    def feed(self, block: Bytes) -> None:
        """Take the next bytes."""
        self.digest.update(block.data)
        if not self.at:
            self.head = block[:16].tobytes()
        self.samples.take(block, self.at)
        if self.rows is not None:
            self.rows.take(block, self.at)
        self.at += block.size
        if self.kernel is None and self.scales is None:
            return
        if self.carry:
            missing = self.unit_bytes - len(self.carry)
            joined = self.carry + block[:missing].tobytes()
            block = block[missing:]
            if len(joined) < self.unit_bytes:
                self.carry = joined
                return
            self._measure(np.frombuffer(joined, np.uint8).copy())
            self.carry = b""
        whole = block.size // self.unit_bytes * self.unit_bytes
        for start in range(0, whole, self.chunk):
            self._measure(block[start : min(start + self.chunk, whole)])
        self.carry = block[whole:].tobytes()

    def _measure(self, block: Bytes) -> None:
        if block.ctypes.data % 8:
            aligned = values.space.get("aligned", block.size, np.uint8)
            np.copyto(aligned, block)
            block = aligned
        if self.scales is not None:
            self.scales.take(block.reshape(-1, self.unit_bytes))
        if self.kernel is not None:
            self.kernel.measure(block, self.moments)
            if self.low is not None:
                self.low.take(block)

    def result(self) -> TensorStatistics:
        """Return the statistics of all that was given."""
        region = self.region
        known: dict[str, Any] = {}
        reason = None
        if self.kernel is None:
            reason = f"values of the type {region.dtype} are not decoded"
        elif self.at != region.size_bytes or self.carry:
            reason = "the tensor's bytes are not whole"
        elif not self.elements:
            reason = "it has no values"
        else:
            moments = self.moments
            finite = moments.count > 0
            known = {
                "minimum": moments.minimum if finite else None,
                "maximum": moments.maximum if finite else None,
                "mean": moments.mean if finite else None,
                "deviation": moments.deviation,
                "nan": moments.nan,
                "inf": moments.inf,
                "zeros": moments.zeros,
                "low_bits": self.low.result() if self.low else None,
                "samples": self.samples.result(),
                "row_norms": self.rows.result() if self.rows else None,
            }
        return TensorStatistics(
            path=self.path,
            tensor=region.tensor,
            dtype=region.dtype,
            shape=region.shape,
            elements=self.elements,
            layer=self.layer,
            role=self.role,
            digest=self.digest.hexdigest(),
            measured=reason is None,
            reason=reason,
            scales=self.scales.result() if self.scales else None,
            head=self.head,
            region=region,
            **known,
        )


class _Scales:
    """The scales of quantised blocks: a NaN or Inf here spoils a whole block."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.low, self.high = math.inf, -math.inf
        self.zeros = self.nan = self.inf = 0

    def take(self, blocks: Bytes) -> None:
        bits = np.ascontiguousarray(blocks[:, self.at : self.at + 2]).view(np.uint16)
        magnitude = bits & np.uint16(0x7FFF)
        self.zeros += int(np.count_nonzero(magnitude == 0))
        top = int(magnitude.max())
        found = bits.view(np.float16)
        if top >= 0x7C00:
            self.nan += int(np.count_nonzero(magnitude > 0x7C00))
            self.inf += int(np.count_nonzero(magnitude == 0x7C00))
            found = found[magnitude < 0x7C00]
            if not found.size:
                return
        signed, plain = found.view(np.int16), found.view(np.uint16)
        self.high = max(self.high, float(found.ravel()[int(signed.argmax())]))
        negative = int(plain.max()) >= 0x8000
        self.low = min(self.low, float(found.ravel()[int(plain.argmax() if negative else plain.argmin())]))

    def result(self) -> tuple[float, float, int, int, int] | None:
        return (self.low, self.high, self.zeros, self.nan, self.inf) if self.low <= self.high else None


class _LowBits:
    """Counts the lowest byte of a sample of the values."""

    def __init__(self, dtype: str) -> None:
        self.width = 4 if dtype == "f32" else 2
        self.counts = np.zeros(256, np.int64)
        self.seen = self.looked = self.short = 0

    def take(self, block: Bytes) -> None:
        if self.seen % _LOW_EVERY == 0:
            part = block[: 1 << 15]
            self.counts += np.bincount(part[:: self.width], minlength=256)
            if self.width == 4:
                self.looked += part.size // 4
                self.short += int(np.count_nonzero(part[: part.size // 4 * 4].view(np.uint16)[::2] == 0))
        self.seen += 1

    def result(self) -> dict[str, float] | None:
        """Return how many were looked at, the chi-square of the lowest byte per degree of freedom, and the share with 16 low zeros."""
        total = int(self.counts.sum())
        if total < 4096:
            return None
        expected = total / 256
        chi = float(((self.counts - expected) ** 2).sum() / expected / 255)
        text = float(self.counts[32:127].sum() + self.counts[[9, 10, 13]].sum()) / total
        known = {"looked_at": float(total), "chi_square": round(chi, 3), "printable": round(text, 4)}
        if self.looked:
            known["short"] = round(self.short / self.looked, 4)
        return known


class _Samples:
    """Keeps the units at fixed places of a matrix, as bytes; they are decoded once, at the end."""

    def __init__(self, owner: Accumulator) -> None:
        self.owner = owner
        region = owner.region
        self.wanted: list[tuple[int, int]] = []
        runs = owner.elements // RUN
        if owner.kernel is None or len(region.shape) < 2 or runs < RUNS or not values.is_float(region.dtype):
            return
        unit, width = owner.unit_elements, owner.unit_bytes
        for i in range(RUNS):
            first = i * runs // RUNS * RUN
            units = first // unit, (first + RUN - 1) // unit + 1
            self.wanted.append((units[0] * width, units[1] * width))
        self.size = self.wanted[0][1] - self.wanted[0][0]
        self.kept = np.zeros((RUNS, self.size), np.uint8)
        self.next = 0

    def take(self, block: Bytes, at: int) -> None:
        if not self.wanted:
            return
        end = at + block.size
        for index in range(max(self.next - 1, 0), RUNS):
            start, stop = self.wanted[index]
            if start >= end:
                break
            low, high = max(start, at), min(stop, end)
            if low < high:
                self.kept[index, low - start : high - start] = block[low - at : high - at]
                self.next = index + 1

    def result(self) -> npt.NDArray[np.float32] | None:
        """Return the values, RUNS by RUN, or None for a tensor that has no samples."""
        if not self.wanted or self.owner.kernel is None:
            return None
        decoded = self.owner.kernel.decode(self.kept.ravel()).reshape(RUNS, -1)
        unit = self.owner.unit_elements
        runs = self.owner.elements // RUN
        out = np.empty((RUNS, RUN), np.float32)
        for i in range(RUNS):
            first = i * runs // RUNS * RUN % unit
            out[i] = decoded[i, first : first + RUN]
        return out


class _Rows:
    """Keeps the first values of every row of an embedding, for how long the rows are."""

    def __init__(self, owner: Accumulator) -> None:
        self.owner = owner
        rows, columns = owner.region.shape
        unit, width = owner.unit_elements, owner.unit_bytes
        units = max(1, ROW_SAMPLE // unit)
        self.row_bytes = columns // unit * width if columns % unit == 0 else 0
        self.part = min(units * width, self.row_bytes)
        self.usable = self.row_bytes > 0 and rows >= 1000 and rows * self.part <= MAX_ROW_BYTES
        self.kept = np.zeros((rows, self.part), np.uint8) if self.usable else None

    def take(self, block: Bytes, at: int) -> None:
        if self.kept is None:
            return
        width = self.row_bytes
        first, last = -(-at // width), (at + block.size) // width  # rows that begin and end in the block
        last = min(last, self.kept.shape[0])
        if last > first:
            whole = block[first * width - at : last * width - at].reshape(-1, width)
            self.kept[first:last] = whole[:, : self.part]
        for row in {at // width, (at + block.size) // width}:
            if row < self.kept.shape[0] and not first <= row < last:
                start = row * width
                low, high = max(start, at), min(start + self.part, at + block.size)
                if low < high:
                    self.kept[row, low - start : high - start] = block[low - at : high - at]

    def result(self) -> npt.NDArray[np.float32] | None:
        """Return the length of each row's first values."""
        if self.kept is None or self.owner.kernel is None:
            return None
        norms = np.empty(self.kept.shape[0], np.float32)
        step = 4096
        for start in range(0, self.kept.shape[0], step):
            part = self.owner.kernel.decode(np.ascontiguousarray(self.kept[start : start + step]).ravel())
            part = part.reshape(-1, part.size // min(step, self.kept.shape[0] - start)).astype(np.float64)
            norms[start : start + step] = np.sqrt((part * part).sum(1))
        return norms
