"""Quantised blocks that are the same everywhere, and what ggml makes of them, value by value.

The reference is written from the layouts and loops of ggml-common.h and ggml-quants.c (`dequantize_row_*`), one number at a time and in float64, so
that it shares no code and no trick with what it checks.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from weighbridge.probes.checkpoint.weights.ggml import LAYOUTS


def blocks(dtype: str, count: int = 24) -> npt.NDArray[np.uint8]:
    """Return `count` blocks of SHA-256's bytes, with scales of ordinary size, negative, zero and subnormal ones among them."""
    layout = LAYOUTS[dtype]
    size = count * layout.unit_bytes
    raw = b"".join(hashlib.sha256(f"{dtype}:{i}".encode()).digest() for i in range(size // 32 + 1))[:size]
    made = np.frombuffer(raw, np.uint8).copy().reshape(count, layout.unit_bytes)
    for at in layout.scales:
        for i in range(count):
            scale = 0.0 if i == 5 else 3e-7 if i == 6 else (1 + i * 0.37) * 1e-3 * (-1 if i % 3 == 1 else 1)
            made[i, at : at + 2] = np.frombuffer(struct.pack("<e", scale), np.uint8)
    if dtype == "q8_k":
        for i in range(count):
            made[i, :4] = np.frombuffer(struct.pack("<f", (1 + i) * -1e-3), np.uint8)
    return made


def _half(block: bytes, at: int) -> float:
    return float(struct.unpack_from("<e", block, at)[0])


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _q4_0(b: bytes) -> list[float]:
    d = _half(b, 0)
    return [d * ((b[2 + j] & 15) - 8) for j in range(16)] + [d * ((b[2 + j] >> 4) - 8) for j in range(16)]


def _q4_1(b: bytes) -> list[float]:
    d, m = _half(b, 0), _half(b, 2)
    return [d * (b[4 + j] & 15) + m for j in range(16)] + [d * (b[4 + j] >> 4) + m for j in range(16)]


def _fifth(b: bytes, at: int, j: int) -> int:
    return (int.from_bytes(b[at : at + 4], "little") >> j & 1) << 4


def _q5_0(b: bytes) -> list[float]:
    d = _half(b, 0)
    low = [d * ((b[6 + j] & 15 | _fifth(b, 2, j)) - 16) for j in range(16)]
    return low + [d * ((b[6 + j] >> 4 | _fifth(b, 2, j + 16)) - 16) for j in range(16)]


def _q5_1(b: bytes) -> list[float]:
    d, m = _half(b, 0), _half(b, 2)
    low = [d * (b[8 + j] & 15 | _fifth(b, 4, j)) + m for j in range(16)]
    return low + [d * (b[8 + j] >> 4 | _fifth(b, 4, j + 16)) + m for j in range(16)]


def _q8_0(b: bytes) -> list[float]:
    return [_half(b, 0) * _signed(byte) for byte in b[2:34]]


def _q8_1(b: bytes) -> list[float]:
    return [_half(b, 0) * _signed(byte) for byte in b[4:36]]


def _q8_k(b: bytes) -> list[float]:
    return [struct.unpack_from("<f", b)[0] * _signed(byte) for byte in b[4:260]]


def _q2_k(b: bytes) -> list[float]:
    d, least = _half(b, 80), _half(b, 82)
    out = []
    sub = 0
    for half in range(2):
        for shift in (0, 2, 4, 6):
            for part in range(2):
                scale = b[sub]
                sub += 1
                for column in range(16):
                    code = b[16 + 32 * half + 16 * part + column] >> shift & 3
                    out.append(d * (scale & 15) * code - least * (scale >> 4))
    return out


def _q3_k(b: bytes) -> list[float]:
    d = _half(b, 108)
    packed = b[96:108]
    scales = []
    for i in range(16):
        low = packed[i % 8] & 15 if i < 8 else packed[i % 8] >> 4
        scales.append((low | (packed[8 + i % 4] >> 2 * (i // 4) & 3) << 4) - 32)
    out = []
    sub = 0
    for half in range(2):
        for step in range(4):
            for part in range(2):
                for column in range(16):
                    byte = 16 * part + column
                    code = b[32 + 32 * half + byte] >> 2 * step & 3
                    out.append(d * scales[sub] * (code - (0 if b[byte] >> (4 * half + step) & 1 else 4)))
                sub += 1
    return out


def _scale_and_least(packed: bytes, j: int) -> tuple[int, int]:
    """As get_scale_min_k4 has it."""
    if j < 4:
        return packed[j] & 63, packed[j + 4] & 63
    return packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4


def _q4_k(b: bytes) -> list[float]:
    d, least = _half(b, 0), _half(b, 2)
    out = []
    for j in range(8):
        scale, lowest = _scale_and_least(b[4:16], j)
        for column in range(32):
            code = b[16 + 32 * (j // 2) + column] >> 4 * (j % 2) & 15
            out.append(d * scale * code - least * lowest)
    return out


def _q5_k(b: bytes) -> list[float]:
    d, least = _half(b, 0), _half(b, 2)
    out = []
    for j in range(8):
        scale, lowest = _scale_and_least(b[4:16], j)
        for column in range(32):
            code = b[48 + 32 * (j // 2) + column] >> 4 * (j % 2) & 15 | (b[16 + column] >> j & 1) << 4
            out.append(d * scale * code - least * lowest)
    return out


def _q6_k(b: bytes) -> list[float]:
    d = _half(b, 208)
    out = []
    for half in range(2):
        for step in range(4):
            for column in range(32):
                low = b[64 * half + 32 * (step % 2) + column] >> 4 * (step // 2) & 15
                code = low | (b[128 + 32 * half + column] >> 2 * step & 3) << 4
                out.append(d * _signed(b[192 + 8 * half + 2 * step + column // 16]) * (code - 32))
    return out


REFERENCE: dict[str, Callable[[bytes], list[float]]] = {
    "q4_0": _q4_0,
    "q4_1": _q4_1,
    "q5_0": _q5_0,
    "q5_1": _q5_1,
    "q8_0": _q8_0,
    "q8_1": _q8_1,
    "q2_k": _q2_k,
    "q3_k": _q3_k,
    "q4_k": _q4_k,
    "q5_k": _q5_k,
    "q6_k": _q6_k,
    "q8_k": _q8_k,
}
