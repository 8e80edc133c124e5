"""What the pass over the bytes tells of each tensor: its values' moments, a digest, samples for the fingerprint and the hints.

An accumulator is given a tensor's bytes in order, in pieces of any size, and keeps what it needs: a few kilobytes, and for embeddings the
first values of every row.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from weighbridge.probes.checkpoint.report import Region
from weighbridge.probes.checkpoint.weights import native, values
from weighbridge.probes.checkpoint.weights.ggml import LAYOUTS
from weighbridge.probes.checkpoint.weights.moments import Moments
from weighbridge.probes.checkpoint.weights.roles import place_of

Bytes = npt.NDArray[np.uint8]

MARK = "wbf1"  # the version of the fingerprint: docs/formats/fingerprint.md
RUNS, RUN = 64, 32  # samples of each tensor: so many runs of so many neighbouring elements
ROW_SAMPLE = 64  # elements looked at of each row of an embedding
MAX_ROW_BYTES = 96 << 20
WINDOW = 256  # so many of the values that are looked at for their lowest bits are judged together
# Of large tensors every so manieth value is looked at: a window spans WINDOW times as many.
LOW_STRIDES = {"f32": 32, "f16": 128, "bf16": 128}
_LOW_VALUES = {"f32": 1 << 16, "f16": 1 << 14, "bf16": 1 << 14}  # of smaller tensors more of them, at most all


@dataclass(frozen=True)
class TensorStatistics:
    """What is known of one tensor. Numbers are None where the values were not measured (`measured` False) or there are none.

    `minimum` to `deviation` are of the finite values. `digest` names the bytes (XXH3, 128 bits: equal bytes are found, forgery is not
    guarded against). `scales` are the block scales of quantised types: (smallest, largest, how many are 0, NaN, Inf; no extremes where none is finite). `low_bits`: how
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
    scales: tuple[float | None, float | None, int, int, int] | None = None
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
        self.low = (
            _LowBits(region.dtype, self.elements) if region.dtype in LOW_STRIDES and not region.big_endian else None
        )
        self.samples = _Samples(self)
        self.rows = (
            _Rows(self) if self.role in ("embedding", "head") and len(region.shape) == 2 and self.kernel else None
        )
        self.chunk = max(self.unit_bytes, values.BLOCK_BYTES // self.unit_bytes // 4 * 4 * self.unit_bytes)

    # Any bits may come: signalling NaN, and values whose squares overflow, are counted and measured, not warned of.
    @np.errstate(all="ignore")
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
            self.scales.take(block, self.unit_bytes)
        if self.kernel is not None:
            self.kernel.measure(block, self.moments)
            if self.low is not None:
                self.low.take(block)

    @np.errstate(all="ignore")
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

    def take(self, block: Bytes, unit_bytes: int) -> None:
        if (seen := native.scales(block, unit_bytes, self.at)) is not None:
            self.low, self.high = min(self.low, seen[0]), max(self.high, seen[1])
            self.zeros, self.nan, self.inf = self.zeros + seen[2], self.nan + seen[3], self.inf + seen[4]
            return
        bits = np.ascontiguousarray(block.reshape(-1, unit_bytes)[:, self.at : self.at + 2]).view(np.uint16)
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

    def result(self) -> tuple[float | None, float | None, int, int, int] | None:
        if self.low <= self.high:
            return self.low, self.high, self.zeros, self.nan, self.inf
        return (None, None, self.zeros, self.nan, self.inf) if self.nan or self.inf else None


class _LowBits:
    """Looks at the lowest byte of values at even distances, in windows of `WINDOW` of them.

    A window reads as text when nearly all its lowest bytes are printable, many different ones, and the values have both signs (norms
    in 16 bits that all lie between a half and one would read as text, too). It is uneven when one byte makes up a fifth of it, and
    filled when few of its values have 16 lowest bits that are 0. Values that are 0 are left out.
    """

    def __init__(self, dtype: str, elements: int) -> None:
        self.words = np.uint32 if dtype == "f32" else np.uint16
        self.sign = 31 if dtype == "f32" else 15
        self.stride = max(1, min(LOW_STRIDES[dtype], elements // _LOW_VALUES[dtype]))
        self.counts = np.zeros(256, np.int64)
        self.short = self.windows = self.text = self.uneven = self.filled = 0

    def take(self, block: Bytes) -> None:
        words = np.ascontiguousarray(block.view(self.words)[:: self.stride])
        if not words.all():
            words = words[words != 0]
        low = words.astype(np.uint8)  # the lowest byte
        whole = low.size // WINDOW
        rows = low[: whole * WINDOW].reshape(whole, WINDOW)
        self.windows += whole
        printable = np.count_nonzero((rows - np.uint8(32)) < 95, axis=1)  # but for line ends and tabs
        for at in np.flatnonzero(printable >= 0.9 * WINDOW):
            seen = np.bincount(rows[at], minlength=256)
            negative = int(np.count_nonzero(words[at * WINDOW : (at + 1) * WINDOW] >> self.sign))
            signs = min(negative, WINDOW - negative) > WINDOW / 10
            text = printable[at] + seen[_BREAKS].sum() >= 0.95 * WINDOW
            self.text += int(signs and text and np.count_nonzero(seen) >= 16)
        if self.sign != 31:
            self.counts += np.bincount(low, minlength=256)
            return
        counts = np.bincount(low + _WINDOW_STARTS[: low.size], minlength=whole * 256 + 256).reshape(-1, 256)
        self.counts += counts.sum(0)
        self.uneven += int(np.count_nonzero(counts[:whole].max(1, initial=0) > WINDOW / 5))
        short = words.astype(np.uint16) == 0
        self.short += int(np.count_nonzero(short))
        filled = np.count_nonzero(short[: whole * WINDOW].reshape(whole, WINDOW), axis=1) < WINDOW / 2
        self.filled += int(np.count_nonzero(filled))

    def result(self) -> dict[str, float] | None:
        """Return how many were looked at, the chi-square of the lowest byte per degree of freedom, the share that is printable, and
        how many windows there are, how many read as text; of float32 the share with 16 low zeros, the filled and the uneven windows."""
        total = int(self.counts.sum())
        if total < 4096:
            return None
        expected = total / 256
        chi = float(((self.counts - expected) ** 2).sum() / expected / 255)
        text = float(self.counts[32:127].sum() + self.counts[_BREAKS].sum()) / total
        known = {"looked_at": float(total), "chi_square": round(chi, 3), "printable": round(text, 4)}
        known |= {"windows": float(self.windows), "text_windows": float(self.text)}
        if self.sign == 31:
            known |= {
                "short": round(self.short / total, 4),
                "filled_windows": float(self.filled),
                "uneven_windows": float(self.uneven),
            }
        return known


_BREAKS = [9, 10, 13]
_WINDOW_STARTS = (
    np.arange(values.BLOCK_BYTES // 4) // WINDOW * 256
)  # where each window counts, of the most values a block has


@cache
def run_offsets() -> list[int]:
    """Return where in each of the `RUNS` equal parts of a tensor its run lies, in 256ths: byte 4 of SHA-256("wbf1:i").

    At even distances all runs would begin in the same column of most matrices, and say nothing of the others.
    """
    return [hashlib.sha256(f"{MARK}:{i}".encode()).digest()[4] for i in range(RUNS)]


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
        self.firsts = [(i * runs + each * runs // 256) // RUNS * RUN for i, each in enumerate(run_offsets())]
        for first in self.firsts:
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
        out = np.empty((RUNS, RUN), np.float32)
        for i, each in enumerate(self.firsts):
            out[i] = decoded[i, each % unit : each % unit + RUN]
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
