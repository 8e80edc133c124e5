"""The compiled kernels (native.c), where they were built: the same numbers as the numpy kernels', several times as fast.

They are built when the package is installed on a machine with a C compiler (hatch_build.py). Without them nothing is missing but
speed. WEIGHBRIDGE_NATIVE=0 leaves them out, which the tests use to compare the two.
"""

from __future__ import annotations

import ctypes
import math
import os
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from weighbridge.probes.checkpoint.weights.moments import Moments

Bytes = npt.NDArray[np.uint8]

# Not named as a module would be: Python's own search for modules would take it for one.
LIBRARY = Path(__file__).with_name("native.compiled")
DTYPES = frozenset(
    {"bf16", "f16", "f32", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k"}
)


class _Moments(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_double) for name in ("mean", "spread", "low", "high")),
        *((name, ctypes.c_uint64) for name in ("count", "nan", "inf", "zeros")),
    )


class _Scales(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_double) for name in ("low", "high")),
        *((name, ctypes.c_uint64) for name in ("zeros", "nan", "inf")),
    )


@cache
def _library() -> ctypes.CDLL | None:
    if os.environ.get("WEIGHBRIDGE_NATIVE") == "0" or not LIBRARY.is_file():
        return None
    try:
        library = ctypes.CDLL(str(LIBRARY))
        for dtype in DTYPES:
            function = getattr(library, f"measure_{dtype}")
            function.argtypes, function.restype = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p), None
        library.measure_scales.argtypes = (ctypes.c_void_p, *[ctypes.c_size_t] * 3, ctypes.c_void_p)
        library.measure_scales.restype = None
        library.update_crc32.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        library.update_crc32.restype = ctypes.c_int
    except (OSError, AttributeError):  # built for another machine, or by another version
        return None
    return library


def available() -> bool:
    """Return whether the compiled kernels are there."""
    return _library() is not None


@dataclass(frozen=True)
class NativeKernel:
    """Measures with the compiled kernel; values in order are the numpy kernel's affair."""

    dtype: str
    inner: Any
    unit_elements: int
    unit_bytes: int

    def measure(self, block: Bytes, into: Moments) -> None:
        """Add the values of `block`, whole units, to `into`."""
        library = _library()
        assert library is not None
        odd = block.size % (32 if self.unit_elements == 1 else self.unit_bytes)  # plain floats are taken in runs of 8
        seen = _Moments(0, 0, math.inf, -math.inf, 0, 0, 0, 0)
        whole = block.size - odd
        if whole:
            getattr(library, f"measure_{self.dtype}")(block.ctypes.data, whole, ctypes.byref(seen))
            into.nan += seen.nan
            into.inf += seen.inf
            into.zeros += seen.zeros
            if seen.count:
                into.add(seen.count, seen.mean, seen.spread)
                into.add_extremes(seen.low, seen.high)
        if odd:
            self.inner.measure(block[whole:], into)

    def decode(self, block: Bytes) -> npt.NDArray[np.floating]:
        """Return the values in order."""
        decoded: npt.NDArray[np.floating] = self.inner.decode(block)
        return decoded


def native(dtype: str, inner: Any) -> Any:
    """Return the compiled kernel in front of `inner`, or `inner` itself where there is none."""
    if dtype not in DTYPES or not available():
        return inner
    return NativeKernel(dtype, inner, inner.unit_elements, inner.unit_bytes)


def scales(blocks: Bytes, unit_bytes: int, at: int) -> tuple[float, float, int, int, int] | None:
    """Return (smallest, largest, how many are 0, NaN, Inf) of the float16 at byte `at` of every block, None without the library.

    With no finite one the extremes are (inf, -inf).
    """
    library = _library()
    if library is None:
        return None
    seen = _Scales(math.inf, -math.inf, 0, 0, 0)
    library.measure_scales(blocks.ctypes.data, blocks.size, unit_bytes, at, ctypes.byref(seen))
    return seen.low, seen.high, seen.zeros, seen.nan, seen.inf


def crc32(data: memoryview, value: int) -> int:
    """Return the CRC-32 that goes on from `value` over `data`: zlib's, several times as fast where the processor and the library allow.

    >>> crc32(memoryview(b"123456789"), 0) == 0xCBF43926  # the check value of the standard
    True
    """
    library, whole = _library(), len(data) & ~15
    if library is None or whole < 64:
        return zlib.crc32(data, value)
    state = ctypes.c_uint32(value)
    block = np.frombuffer(data, np.uint8)
    if not library.update_crc32(block.ctypes.data, whole, ctypes.byref(state)):
        return zlib.crc32(data, value)
    return zlib.crc32(data[whole:], state.value)
