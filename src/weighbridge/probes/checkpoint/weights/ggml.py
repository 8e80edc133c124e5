"""Quantised types of GGUF files: integers in small blocks with scales. Exact values, as ggml's reference code computes them.

Layouts: ggml-common.h and ggml-quants.c (dequantize_row_*) of ggml-org/ggml; checked against the `gguf` package in the tests. Types
that are made of codebooks (iq*), ternary or microscaling types are not decoded: of those that have one, the blocks' scale is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from weighbridge.probes.checkpoint.weights.moments import Moments

Bytes = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]

DECODED_ELEMENTS = 1 << 16  # decoded at a time: 256 KB of float32, within the cache


@dataclass(frozen=True)
class Layout:
    """How many elements and bytes a block has, and where its float16 scales lie in it."""

    unit_elements: int
    unit_bytes: int
    scales: tuple[int, ...] = ()


# The K types and most codebook types hold 256 elements, the others 32.
LAYOUTS: dict[str, Layout] = {
    "q4_0": Layout(32, 18, (0,)),
    "q4_1": Layout(32, 20, (0, 2)),
    "q5_0": Layout(32, 22, (0,)),
    "q5_1": Layout(32, 24, (0, 2)),
    "q8_0": Layout(32, 34, (0,)),
    "q8_1": Layout(32, 36, (0,)),
    "q2_k": Layout(256, 84, (80, 82)),
    "q3_k": Layout(256, 110, (108,)),
    "q4_k": Layout(256, 144, (0, 2)),
    "q5_k": Layout(256, 176, (0, 2)),
    "q6_k": Layout(256, 210, (208,)),
    "q8_k": Layout(256, 292),
    "iq4_nl": Layout(32, 18, (0,)),
    "iq4_xs": Layout(256, 136, (0,)),
    "iq1_s": Layout(256, 50, (0,)),
    "iq1_m": Layout(256, 56),
    "iq2_xxs": Layout(256, 66, (0,)),
    "iq2_xs": Layout(256, 74, (0,)),
    "iq2_s": Layout(256, 82, (0,)),
    "iq3_xxs": Layout(256, 98, (0,)),
    "iq3_s": Layout(256, 110, (0,)),
    "tq1_0": Layout(256, 54, (52,)),
    "tq2_0": Layout(256, 66, (64,)),
    "mxfp4": Layout(32, 17),
}


def _f16(blocks: Bytes, at: int) -> F32:
    """Return the float16 at byte `at` of every block, shape (n, 1)."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view(np.float16).astype(np.float32)


def _nibbles(packed: Bytes) -> Bytes:
    """Return (n, 2, w): the low halves of (n, w) bytes, then the high ones."""
    out = np.empty((packed.shape[0], 2, packed.shape[1]), np.uint8)
    np.bitwise_and(packed, 15, out=out[:, 0])
    np.right_shift(packed, 4, out=out[:, 1])
    return out


def _spread_bits(packed: Bytes) -> Bytes:
    """Return (n, 32): the bits of (n, 4) bytes, lowest first."""
    return np.unpackbits(packed, axis=1, bitorder="little")


def _q4_0(blocks: Bytes) -> F32:
    return _f16(blocks, 0) * (_nibbles(blocks[:, 2:]).reshape(-1, 32).astype(np.float32) - 8)


def _q4_1(blocks: Bytes) -> F32:
    return _f16(blocks, 0) * _nibbles(blocks[:, 4:]).reshape(-1, 32).astype(np.float32) + _f16(blocks, 2)


def _q5_0(blocks: Bytes) -> F32:
    codes = _nibbles(blocks[:, 6:]).reshape(-1, 32) | (_spread_bits(blocks[:, 2:6]) << 4)
    return _f16(blocks, 0) * (codes.astype(np.float32) - 16)


def _q5_1(blocks: Bytes) -> F32:
    codes = _nibbles(blocks[:, 8:]).reshape(-1, 32) | (_spread_bits(blocks[:, 4:8]) << 4)
    return _f16(blocks, 0) * codes.astype(np.float32) + _f16(blocks, 2)


def _q8_0(blocks: Bytes) -> F32:
    return _f16(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def _q8_1(blocks: Bytes) -> F32:
    return _f16(blocks, 0) * blocks[:, 4:].view(np.int8).astype(np.float32)


def _pairs(packed: Bytes) -> Bytes:
    """Return the 2-bit codes of (n, 64) bytes in the K types' order, (n, 256): 32 bytes give four runs of 32."""
    shifts = np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1)
    return np.asarray((packed.reshape(-1, 2, 1, 32) >> shifts) & 3, np.uint8).reshape(-1, 256)


def _q2_k(blocks: Bytes) -> F32:
    packed = blocks[:, :16]
    scale = _f16(blocks, 80) * (packed & 15).astype(np.float32)
    least = _f16(blocks, 82) * (packed >> 4).astype(np.float32)
    codes = _pairs(blocks[:, 16:80]).reshape(-1, 16, 16).astype(np.float32)
    return scale[:, :, None] * codes - least[:, :, None]


def _q3_k(blocks: Bytes) -> F32:
    low, high = _nibbles(blocks[:, 96:104]).reshape(-1, 16), blocks[:, 104:108]
    tops = ((high[:, None, :] >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 4, 1)) & 3).reshape(-1, 16)
    scale = _f16(blocks, 108) * ((low | (tops << 4)).astype(np.float32) - 32)
    masks = blocks[:, :32]
    missing = ((masks[:, None, :] >> np.arange(8, dtype=np.uint8).reshape(1, 8, 1)) & 1) ^ 1
    codes = _pairs(blocks[:, 32:96]).astype(np.float32) - 4 * missing.reshape(-1, 256).astype(np.float32)
    return scale[:, :, None] * codes.reshape(-1, 16, 16)


def _six_bits(packed: Bytes) -> tuple[F32, F32]:
    """Return the eight 6-bit scales and minima that q4_k and q5_k pack in 12 bytes, each (n, 8)."""
    first, second, third = packed[:, :4], packed[:, 4:8], packed[:, 8:12]
    scale = np.concatenate([first & 63, (third & 15) | ((first >> 6) << 4)], axis=1)
    least = np.concatenate([second & 63, (third >> 4) | ((second >> 6) << 4)], axis=1)
    return scale.astype(np.float32), least.astype(np.float32)


def _q4_k(blocks: Bytes) -> F32:
    scale, least = _six_bits(blocks[:, 4:16])
    codes = _nibbles(blocks[:, 16:].reshape(-1, 32)).reshape(-1, 8, 32).astype(np.float32)
    codes *= (_f16(blocks, 0) * scale)[:, :, None]
    codes -= (_f16(blocks, 2) * least)[:, :, None]
    return codes


def _q5_k(blocks: Bytes) -> F32:
    scale, least = _six_bits(blocks[:, 4:16])
    tops = (blocks[:, None, 16:48] >> np.arange(8, dtype=np.uint8).reshape(1, 8, 1)) & 1
    low = _nibbles(np.ascontiguousarray(blocks[:, 48:]).reshape(-1, 32)).reshape(-1, 8, 32)
    codes = (low | (tops << 4)).astype(np.float32)
    codes *= (_f16(blocks, 0) * scale)[:, :, None]
    codes -= (_f16(blocks, 2) * least)[:, :, None]
    return codes


def _q6_k(blocks: Bytes) -> F32:
    low = _nibbles(np.ascontiguousarray(blocks[:, :128]).reshape(-1, 64)).reshape(-1, 256)
    codes = (low | (_pairs(np.ascontiguousarray(blocks[:, 128:192])) << 4)).astype(np.float32) - 32
    scale = _f16(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    return scale[:, :, None] * codes.reshape(-1, 16, 16)


def _q8_k(blocks: Bytes) -> F32:
    scale = np.ascontiguousarray(blocks[:, :4]).view(np.float32)
    return scale * blocks[:, 4:260].view(np.int8).astype(np.float32)


@dataclass(frozen=True)
class _Decoded:
    """A type whose blocks are decoded to float32, a few at a time, and measured as such."""

    layout: Layout
    decode_blocks: Callable[[Bytes], F32]

    @property
    def unit_elements(self) -> int:
        return self.layout.unit_elements

    @property
    def unit_bytes(self) -> int:
        return self.layout.unit_bytes

    def measure(self, block: Bytes, into: Moments) -> None:
        from weighbridge.probes.checkpoint.weights.values import kernel

        floats = kernel("f32")
        assert floats is not None
        step = DECODED_ELEMENTS // self.unit_elements * self.unit_bytes
        for start in range(0, block.size, step):
            decoded: Any = self.decode(block[start : start + step]).view(np.uint8)
            floats.measure(decoded, into)

    def decode(self, block: Bytes) -> F32:
        with np.errstate(all="ignore"):  # scales may be anything
            values = self.decode_blocks(block.reshape(-1, self.unit_bytes))
        return np.ascontiguousarray(values, np.float32).ravel()


class _Q8Block(_Decoded):
    """The commonest of the large ones, measured without decoding: sums of integers times scales."""

    def measure(self, block: Bytes, into: Moments) -> None:
        from weighbridge.probes.checkpoint.weights.values import space

        count = block.size // 34
        record = block.view(_Q8_0_RECORD)
        packed = space.get("q8", count, "V32")
        np.copyto(packed, record["codes"])
        codes = packed.view(np.int8)
        scale = record["scale"].astype(np.float32)
        if not np.isfinite(scale).all():
            super().measure(block, into)
            return
        values = space.get("q8 values", codes.size, np.float32)
        np.copyto(values, codes)
        rows = values.reshape(count, 32)
        sums = space.get("q8 sums", 32, np.float32)
        np.dot(scale, rows, out=sums)
        total = float(sums.sum(dtype=np.float64))
        np.multiply(values, values, out=values)
        np.dot(scale * scale, rows, out=sums)
        if not into.add_sums(codes.size, total, float(sums.sum(dtype=np.float64))):
            super().measure(block, into)
            return
        into.zeros += _zeros_of(codes, scale, count)
        # Most blocks cannot reach beyond the extremes that were seen: only the others are decoded.
        reach = np.abs(scale) * 128
        beyond = np.flatnonzero(reach > min(into.maximum, -into.minimum))
        for start in range(0, beyond.size, 4096):
            some = beyond[start : start + 4096]
            some = some[reach[some] > min(into.maximum, -into.minimum)]
            if some.size:
                decoded = scale[some, None] * codes.reshape(count, 32)[some]
                into.add_extremes(float(decoded.min()), float(decoded.max()))


def _zeros_of(codes: npt.NDArray[np.int8], scale: F32, count: int) -> int:
    """Count the zero values: every code of a block whose scale is zero, and the zero codes of the others."""
    zeros = codes.size - int(np.count_nonzero(codes))
    empty = np.flatnonzero(scale == 0)
    return zeros + int(np.count_nonzero(codes.reshape(count, 32)[empty])) if empty.size else zeros


_Q8_0_RECORD: Any = np.dtype([("scale", "<f2"), ("codes", "V32")])

GGML: dict[str, _Decoded] = {
    name: (_Q8Block if name == "q8_0" else _Decoded)(LAYOUTS[name], decode)
    for name, decode in {
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
    }.items()
}
