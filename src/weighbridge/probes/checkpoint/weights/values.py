"""What the bytes of a tensor mean, one kernel a dtype: moments of a block of them, and their values in order.

A kernel takes blocks of whole units (an element, or one quantisation block) that fit the processor's cache and makes few passes over
them; its work space is shared by all tensors that one thread measures. Speeds are in docs/methods/weights.md.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from weighbridge.probes.checkpoint.weights.moments import Moments

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]

BLOCK_BYTES = 512 << 10
_F16_SCALE = np.float32(2.0**112)  # the exponent biases of float32 and float16 differ by 112


class Kernel(Protocol):
    """How one dtype is read. Blocks given to `measure` and `decode` hold whole units and are aligned to `alignment` bytes."""

    @property
    def unit_elements(self) -> int: ...

    @property
    def unit_bytes(self) -> int: ...

    def measure(self, block: Bytes, into: Moments) -> None:
        """Add the values of `block` to `into`."""
        ...

    def decode(self, block: Bytes) -> Floats:
        """Return the values of `block` in order, as float32 where that is exact, else float64."""
        ...


class _Space(threading.local):
    """Work space of one thread, kept between blocks: fresh memory costs more than the arithmetic."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Any], npt.NDArray[Any]] = {}

    def get(self, name: str, count: int, dtype: Any) -> npt.NDArray[Any]:
        """Return an array of `count` elements with anything in it, the same memory for the same name."""
        array = self._kept.get((name, dtype))
        if array is None or array.size < count:
            array = self._kept[name, dtype] = np.empty(count, dtype)
        return array[:count]

    def ones(self, count: int) -> npt.NDArray[np.float32]:
        array = self._kept.get(("ones", 1))
        if array is None or array.size < count:
            array = self._kept["ones", 1] = np.ones(count, np.float32)
        return array[:count]


space = _Space()


def kernel(dtype: str, big_endian: bool = False) -> Kernel | None:
    """Return the kernel for a dtype's name as regions have it, None where its values are not decoded.

    >>> import numpy as np
    >>> kernel("bf16").decode(np.array([0x80, 0x3f], np.uint8))
    array([1.], dtype=float32)
    """
    from weighbridge.probes.checkpoint.weights.ggml import GGML
    from weighbridge.probes.checkpoint.weights.native import native

    plain = _KERNELS.get(dtype)
    if plain is not None:
        if big_endian and plain.unit_bytes > 1:
            return _Swapped(plain, plain.unit_bytes)
        return cast(Kernel, native(dtype, plain))
    return None if big_endian or dtype not in GGML else cast(Kernel, native(dtype, GGML[dtype]))


def is_float(dtype: str) -> bool:
    """Whether values of this dtype are fractions (weights), not integers, flags or complex numbers.

    >>> is_float("bf16"), is_float("q4_k"), is_float("i64")
    (True, True, False)
    """
    return dtype not in _WHOLE and not dtype.startswith("c")


# --- floats of 2, 4 and 8 bytes: sign and magnitude, so that integers tell the extremes ---------------------------------------


@dataclass(frozen=True)
class _Extremes:
    """What four integer reductions tell of a block of floats. `special`: NaN or Inf is present. Bits are unsigned patterns."""

    minimum: int
    maximum: int
    special: bool
    zero: bool


def _extremes(unsigned: npt.NDArray[Any], signed: npt.NDArray[Any], infinity: int, sign: int) -> _Extremes:
    # As signed integers the positive floats are in order and above the negative ones; as unsigned ones the negative floats are above
    # the positive ones, the farthest from zero last.
    high, top = int(signed.max()), int(unsigned.max())
    low, bottom = int(signed.min()), int(unsigned.min())
    return _Extremes(
        minimum=top if top >= sign else bottom,
        maximum=high if high >= 0 else bottom,
        special=high >= infinity or top >= sign + infinity,
        zero=bottom == 0 or low == -sign,
    )


class _Bf16:
    unit_elements, unit_bytes = 1, 2

    def measure(self, block: Bytes, into: Moments) -> None:
        bits = block.view(np.uint16)
        seen = _extremes(bits, block.view(np.int16), 0x7F80, 0x8000)
        if seen.special or bits.size % 2:
            into.add_values(self.decode(block))
            return
        pairs = block.view(np.uint32)
        half = space.get("half", pairs.size, np.uint32)
        values = half.view(np.float32)
        ones = space.ones(pairs.size)
        np.bitwise_and(pairs, np.uint32(0xFFFF0000), out=half)
        total, squares = float(values.dot(ones)), float(values.dot(values))
        np.left_shift(pairs, np.uint32(16), out=half)
        total, squares = total + float(values.dot(ones)), squares + float(values.dot(values))
        if not into.add_sums(bits.size, total, squares):
            into.add_values(self.decode(block))
            return
        low, high = np.array([seen.minimum, seen.maximum], np.uint32).__lshift__(16).view(np.float32)
        into.add_extremes(float(low), float(high))
        if seen.zero:
            into.zeros += _zeros(bits, 1)

    def decode(self, block: Bytes) -> Floats:
        bits = block.view(np.uint16)
        wide = np.empty(bits.size, np.uint32)
        np.left_shift(bits, np.uint32(16), out=wide, dtype=np.uint32, casting="unsafe")
        return wide.view(np.float32)


class _F16:
    unit_elements, unit_bytes = 1, 2

    def measure(self, block: Bytes, into: Moments) -> None:
        bits = block.view(np.uint16)
        seen = _extremes(bits, block.view(np.int16), 0x7C00, 0x8000)
        if seen.special or bits.size % 2:
            into.add_values(self.decode(block))
            return
        pairs = block.view(np.int32)
        half = space.get("half", pairs.size, np.uint32)
        shifted = half.view(np.int32)
        values = half.view(np.float32)
        ones = space.ones(pairs.size)
        # A float16 at the top of 32 bits, shifted right by 3 with its sign, is a float32 with the exponent's bias off by 112.
        np.right_shift(pairs, np.int32(3), out=shifted)
        np.bitwise_and(half, np.uint32(0x8FFFE000), out=half)
        np.multiply(values, _F16_SCALE, out=values)
        total, squares = float(values.dot(ones)), float(values.dot(values))
        np.left_shift(pairs, np.int32(16), out=shifted)
        np.right_shift(shifted, np.int32(3), out=shifted)
        np.bitwise_and(half, np.uint32(0x8FFFE000), out=half)
        np.multiply(values, _F16_SCALE, out=values)
        total, squares = total + float(values.dot(ones)), squares + float(values.dot(values))
        if not into.add_sums(bits.size, total, squares):
            into.add_values(self.decode(block))
            return
        low, high = np.array([seen.minimum, seen.maximum], np.uint16).view(np.float16)
        into.add_extremes(float(low), float(high))
        if seen.zero:
            into.zeros += _zeros(bits, 1)

    def decode(self, block: Bytes) -> Floats:
        return block.view(np.float16).astype(np.float32)


class _F32:
    unit_elements, unit_bytes = 1, 4

    def measure(self, block: Bytes, into: Moments) -> None:
        values = block.view(np.float32)
        seen = _extremes(block.view(np.uint32), block.view(np.int32), 0x7F800000, 0x80000000)
        if seen.special:
            into.add_values(values)
            return
        total, squares = float(values.dot(space.ones(values.size))), float(values.dot(values))
        if not into.add_sums(values.size, total, squares):
            into.add_values(values)
            return
        low, high = np.array([seen.minimum, seen.maximum], np.uint32).view(np.float32)
        into.add_extremes(float(low), float(high))
        if seen.zero:
            into.zeros += values.size - int(np.count_nonzero(values))

    def decode(self, block: Bytes) -> Floats:
        return block.view(np.float32)


def _zeros(bits: npt.NDArray[np.uint16], shift: int) -> int:
    """Count the patterns that are nothing but a sign."""
    rest = space.get("rest", bits.size, np.uint16)
    np.left_shift(bits, np.uint16(shift), out=rest)
    return int(np.count_nonzero(np.equal(rest, 0)))


# --- everything else that numpy reads by itself, and small floats by a table --------------------------------------------------


@dataclass(frozen=True)
class _Numpy:
    """Any of numpy's own types, in float64: exact for integers below 2^53."""

    dtype: np.dtype[Any]
    unit_bytes: int
    unit_elements: int = 1

    def measure(self, block: Bytes, into: Moments) -> None:
        into.add_values(self.decode(block))

    def decode(self, block: Bytes) -> Floats:
        values = block.view(self.dtype)
        return values if values.dtype.kind == "f" else values.astype(np.float64)


@dataclass(frozen=True)
class _Table:
    """A type of one byte: count the bytes, then look at 256 values."""

    values: npt.NDArray[np.float64]
    unit_bytes: int = 1
    unit_elements: int = 1

    def measure(self, block: Bytes, into: Moments) -> None:
        counts = np.bincount(block, minlength=256)
        present = np.flatnonzero(counts)
        values, counts = self.values[present], counts[present]
        into.nan += int(counts[np.isnan(values)].sum())
        into.inf += int(counts[np.isinf(values)].sum())
        finite = np.isfinite(values)
        values, counts = values[finite], counts[finite]
        if not values.size:
            return
        into.zeros += int(counts[values == 0].sum())
        into.add_extremes(float(values.min()), float(values.max()))
        count = int(counts.sum())
        mean = float(values.dot(counts)) / count
        into.add(count, mean, float(((values - mean) ** 2).dot(counts)))

    def decode(self, block: Bytes) -> Floats:
        return self.values.astype(np.float32)[block]


@dataclass(frozen=True)
class _Swapped:
    """The other byte order: turn a copy round."""

    inner: Kernel
    unit_bytes: int
    unit_elements: int = 1

    def measure(self, block: Bytes, into: Moments) -> None:
        self.inner.measure(self._turned(block), into)

    def decode(self, block: Bytes) -> Floats:
        return self.inner.decode(self._turned(block))

    def _turned(self, block: Bytes) -> Bytes:
        return block.view(f"u{self.unit_bytes}").byteswap().view(np.uint8)


def _small_floats(exponent_bits: int, mantissa_bits: int, bias: int, ieee: bool) -> npt.NDArray[np.float64]:
    """Every value of an 8-bit float. `ieee`: the top exponent is Inf and NaN; else only all ones is NaN (the OCP "fn" types)."""
    codes = np.arange(256)
    exponent, mantissa = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1), codes & ((1 << mantissa_bits) - 1)
    magnitude = np.where(
        exponent == 0,
        mantissa * 2.0 ** (1 - bias - mantissa_bits),
        (1 + mantissa * 2.0**-mantissa_bits) * 2.0 ** (exponent - bias),
    )
    top = (1 << exponent_bits) - 1
    if ieee:
        magnitude = np.where(exponent == top, np.where(mantissa == 0, np.inf, np.nan), magnitude)
    else:
        magnitude = np.where((codes & 0x7F) == 0x7F, np.nan, magnitude)
    return np.where(codes & 0x80, -magnitude, magnitude)


_WHOLE = {
    "i64": "<i8",
    "i32": "<i4",
    "i16": "<i2",
    "u64": "<u8",
    "u32": "<u4",
    "u16": "<u2",
    "i8": "i1",
    "u8": "u1",
    "bool": "u1",
}
_SIGNED = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)
_UNSIGNED = np.arange(256, dtype=np.float64)

_KERNELS: dict[str, Kernel] = {
    "bf16": _Bf16(),
    "f16": _F16(),
    "f32": _F32(),
    "f64": _Numpy(np.dtype("<f8"), 8),
    "f8_e4m3": _Table(_small_floats(4, 3, 7, ieee=False)),
    "f8_e5m2": _Table(_small_floats(5, 2, 15, ieee=True)),
    "i8": _Table(_SIGNED),
    "u8": _Table(_UNSIGNED),
    "bool": _Table(_UNSIGNED),
    **{name: _Numpy(np.dtype(code), int(code[-1])) for name, code in _WHOLE.items() if code[-1] != "1"},
}
