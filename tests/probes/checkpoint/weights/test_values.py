"""Numbers of tensors are those of plain numpy on the decoded values, for every type, wherever the pass cuts the bytes."""

from __future__ import annotations

import hashlib
import itertools
import math
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.probes.checkpoint.weights.blocks import REFERENCE, blocks
from tests.probes.checkpoint.weights.planted import bf16
from weighbridge.probes.checkpoint.report import Region
from weighbridge.probes.checkpoint.weights import native, values
from weighbridge.probes.checkpoint.weights.ggml import GGML, LAYOUTS
from weighbridge.probes.checkpoint.weights.statistics import TensorStatistics, accumulator, as_json
from weighbridge.subject.gguf import TENSOR_TYPES

Array = npt.NDArray[Any]
NUMPY = {
    "f64": "<f8",
    "f32": "<f4",
    "f16": "<f2",
    "i64": "<i8",
    "i32": "<i4",
    "i16": "<i2",
    "i8": "i1",
    "u64": "<u8",
    "u32": "<u4",
    "u16": "<u2",
    "u8": "u1",
    "bool": "u1",
}
FLOATS = ("f64", "f32", "f16", "bf16")
# Pieces as the pass gives them (whole buffers), and such as it might: odd ones, single bytes, an empty one.
CUTS: tuple[tuple[int, ...], ...] = ((1 << 30,), (4 << 20,), (1, 2, 3, 5, 7, 4099), (65_537,), (0, 1_000_003))
# SHA-256 (first half) of the float32 values that the package gguf 0.19.0 (quants.dequantize) gives for `blocks`; it does not know q8_1 and q8_k.
GGUF_PACKAGE = {
    "q4_0": "667179254f6f1e54a264618814aa4e46",
    "q4_1": "0c3db4f98a220bf708d49f0e36ae5b6c",
    "q5_0": "d5726ced9232b62a2e26f1afa831825e",
    "q5_1": "ef7ba2d78661182391b59f0bb28e671f",
    "q8_0": "977244b4179b57d24e270018dd16e39b",
    "q2_k": "801f6bc5efa26045d1712c07805d0a43",
    "q3_k": "6ccc7475ce4a8e88d72ceb74746794ca",
    "q4_k": "d20e7f887e750b9d120b8eb137e9df55",
    "q5_k": "ff64b30bc2d196d085845ef81c009926",
    "q6_k": "6aca2fb5666095d046c52327b5833c13",
}


@pytest.fixture(autouse=True, params=["compiled", "numpy"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here runs with the compiled kernels and without them: both must give numpy's numbers."""
    if request.param == "numpy":
        monkeypatch.setattr(native, "_library", lambda: None)
    elif not native.available():
        pytest.skip("the compiled kernels were not built: needs a C compiler when weighbridge is installed")


def small_float(code: int, exponent_bits: int, ieee: bool) -> float:
    """Return an 8-bit float's value by its definition (OCP 8-bit floating point specification: E4M3 and E5M2)."""
    mantissa_bits = 7 - exponent_bits
    bias = (1 << exponent_bits - 1) - 1
    sign = -1.0 if code & 0x80 else 1.0
    exponent, mantissa = (code & 0x7F) >> mantissa_bits, code & ((1 << mantissa_bits) - 1)
    if ieee and exponent == (1 << exponent_bits) - 1:
        return math.nan if mantissa else sign * math.inf
    if not ieee and code & 0x7F == 0x7F:
        return math.nan
    if exponent == 0:
        return sign * math.ldexp(mantissa, 1 - bias - mantissa_bits)
    return sign * (1 + mantissa / (1 << mantissa_bits)) * math.ldexp(1.0, exponent - bias)


SMALL = {
    "f8_e4m3": np.array([small_float(code, 4, False) for code in range(256)]),
    "f8_e5m2": np.array([small_float(code, 5, True) for code in range(256)]),
}


@np.errstate(invalid="ignore")
def decoded(raw: Array, dtype: str, big_endian: bool = False) -> Array:
    """Return the values in float64, by numpy alone."""
    if dtype in SMALL:
        return SMALL[dtype][raw]
    if dtype == "bf16":
        words = raw.view(">u2" if big_endian else "<u2")
        return (words.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    code = NUMPY[dtype]
    return raw.view(code.replace("<", ">") if big_endian else code).astype(np.float64)


def pieces(raw: Array, sizes: Sequence[int]) -> Iterator[Array]:
    at = 0
    for size in itertools.cycle(sizes):
        yield raw[at : at + size]
        at += size
        if at >= raw.size:
            return


def measure(
    raw: Array, dtype: str, shape: tuple[int, ...], sizes: Sequence[int] = (4 << 20,), big_endian: bool = False
) -> TensorStatistics:
    region = Region("model.layers.0.mlp.up_proj.weight", 0, raw.size, dtype, shape, big_endian=big_endian)
    taker = accumulator(region, "model")
    for piece in pieces(raw, sizes):
        taker.feed(piece)
    return taker.result()


def check(statistics: TensorStatistics, exact: Array, tolerance: float = 2e-6) -> None:
    """Compare with numpy: extremes and counts exactly, mean and deviation to `tolerance` of the root mean square."""
    finite = exact[np.isfinite(exact)]
    assert statistics.measured
    assert statistics.nan == np.count_nonzero(np.isnan(exact))
    assert statistics.inf == np.count_nonzero(np.isinf(exact))
    assert statistics.zeros == np.count_nonzero(finite == 0)
    if not finite.size:
        assert (statistics.minimum, statistics.maximum, statistics.mean, statistics.deviation) == (None,) * 4
        return
    assert (statistics.minimum, statistics.maximum) == (finite.min(), finite.max())
    largest = float(np.abs(finite).max()) or 1.0
    scaled = finite / largest  # so that squares neither overflow nor vanish
    size = math.sqrt(float((scaled**2).mean()))
    assert statistics.mean is not None
    assert statistics.deviation is not None
    assert abs(statistics.mean / largest - float(scaled.mean())) <= tolerance * size
    assert abs(statistics.deviation / largest - float(scaled.std())) <= tolerance * size


def some_values(dtype: str, count: int, seed: int) -> Array:
    """Return the bytes of `count` values: weights, with zeros of both signs, subnormal ones and extremes for floats, any bits else."""
    random = np.random.default_rng(seed)
    if dtype in SMALL or not dtype.startswith(("f", "bf")):
        width = 1 if dtype in SMALL else np.dtype(NUMPY[dtype]).itemsize
        raw = random.integers(0, 2 if dtype == "bool" else 256, count * width, dtype=np.uint8)
        if dtype in ("i64", "u64"):  # beyond 2^53 float64 is not exact
            raw.view(np.uint64)[:] >>= np.uint64(12)
        return raw
    weights = random.normal(0.001, 0.02, count).astype(np.float32)
    for value in (0.0, -0.0, 2e-8, -2e-8, 7.25, -9.5):
        weights[random.integers(0, count, 5)] = value
    if dtype == "bf16":
        return bf16(weights).view(np.uint8)
    return weights.astype(NUMPY[dtype]).view(np.uint8)


@pytest.mark.parametrize("cut", CUTS, ids=str)
@pytest.mark.parametrize("dtype", [*NUMPY, "bf16", *SMALL])
def test_numbers_are_those_of_numpy_wherever_the_bytes_are_cut(dtype: str, cut: tuple[int, ...]) -> None:
    """Every plain type, in pieces that split values, gives numpy's extremes, mean, deviation, NaN, Inf and zeros."""
    count = 300_007 if cut != CUTS[2] else 70_001
    raw = some_values(dtype, count, 7)
    check(measure(raw, dtype, (count,), cut), decoded(raw, dtype))


@pytest.mark.parametrize("dtype", [*NUMPY, "bf16"])
def test_big_endian_values_are_turned_round(dtype: str) -> None:
    """The other byte order gives the same numbers; types of one byte have none."""
    raw = some_values(dtype, 50_001, 3)
    width = raw.size // 50_001
    turned = raw.reshape(-1, width)[:, ::-1].ravel() if width > 1 else raw
    check(measure(turned, dtype, (50_001,), (4099,), big_endian=True), decoded(raw, dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_any_bits_are_measured_without_a_warning(dtype: str) -> None:
    """Random bits as floats (NaN, Inf, huge and subnormal values) give numpy's counts and extremes."""
    raw = np.random.default_rng(5).integers(0, 256, 8 * 50_000, dtype=np.uint8)
    exact = decoded(raw, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statistics = measure(raw, dtype, (1, exact.size), (65_537,))
    finite = exact[np.isfinite(exact)]
    assert (statistics.nan, statistics.inf) == (np.isnan(exact).sum(), np.isinf(exact).sum())
    assert (statistics.minimum, statistics.maximum) == (finite.min(), finite.max())
    if dtype != "f64":
        check(statistics, exact)
    else:  # its squares are more than a float64 holds
        assert statistics.deviation is None
        assert as_json(statistics)["deviation"] is None


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "special",
    [
        [math.nan],
        [math.inf, -math.inf],
        [math.nan, math.inf, 1.0],
        [math.nan, -2.0],
        [0.0],
        [-0.0],
        [0.0, -0.0],
        [-1.0, -3.0],
        [5.0],
        [1000.0, 1000.5],
        [-1000.0, -1000.5],
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [1, 2, 3, 64, 9999, 300_000])
def test_edges(dtype: str, special: list[float], count: int) -> None:
    """Nothing but NaN or Inf, zeros of either sign, one sign alone, one element, a mean that swamps the spread."""
    exact = np.resize(np.array(special), count)
    raw = (
        bf16(exact.astype(np.float32)).view(np.uint8) if dtype == "bf16" else exact.astype(NUMPY[dtype]).view(np.uint8)
    )
    if dtype == "bf16" and any(math.isnan(value) for value in special):
        raw = (exact.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    check(measure(raw, dtype, (count,)), decoded(raw, dtype))


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("reach", ["subnormal", "tiny", "huge"])
def test_squares_that_do_not_fit_float32_are_measured(dtype: str, reach: str) -> None:
    """Values so large that their squares overflow float32, or so small that they vanish, keep their spread."""
    largest = {"f32": 3e38, "f16": 6e4, "bf16": 3e38}[dtype]
    least = {"f32": 1e-42, "f16": 5e-7, "bf16": 1e-39}[dtype]
    size = {"subnormal": least, "tiny": 1e-24 if dtype != "f16" else 1e-6, "huge": largest}[reach]
    exact = (np.random.default_rng(1).uniform(-1, 1, 200_000) * size).astype(np.float32)
    raw = bf16(exact).view(np.uint8) if dtype == "bf16" else exact.astype(NUMPY[dtype]).view(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statistics = measure(raw, dtype, (200, 1000), (4 << 20,))
    check(statistics, decoded(raw, dtype))


def test_float64_of_any_size_gives_numbers_or_none() -> None:
    """Values at both ends of float64 have a mean; a spread that overflows is None, never infinite."""
    raw = np.concatenate([np.full(65_536, 1.7e308), np.full(65_536, -1.7e308)]).view(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statistics = measure(raw, "f64", (64, 2048))
    assert (statistics.minimum, statistics.maximum, statistics.deviation) == (-1.7e308, 1.7e308, None)
    assert statistics.mean is not None
    assert abs(statistics.mean) < 1e295


def test_an_empty_tensor_and_one_that_is_not_whole_are_not_measured() -> None:
    """Nothing is a number where nothing was measured."""
    for raw, shape in ((np.zeros(0, np.uint8), (0, 4)), (np.zeros(10, np.uint8), (3,))):
        statistics = measure(raw, "f32", shape)
        assert not statistics.measured
        assert statistics.reason
        assert (statistics.minimum, statistics.mean, statistics.nan, statistics.zeros) == (None,) * 4


def test_a_type_that_is_not_decoded_is_not_measured() -> None:
    """Codebook types, complex numbers and packed small floats have a reason instead of numbers."""
    for dtype in ("iq2_xxs", "mxfp4", "c64", "f4", "f6_e3m2"):
        statistics = measure(np.ones(66 * 34, np.uint8), dtype, (66,))
        assert (statistics.measured, statistics.minimum) == (False, None)
        assert dtype in (statistics.reason or "")


# --- quantised types -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", GGML)
def test_blocks_are_decoded_as_ggml_does(dtype: str) -> None:
    """Every value is that of ggml's loops, computed one by one, and all bytes are those of the gguf package where it knows the type."""
    raw = blocks(dtype)
    got = GGML[dtype].decode(raw.ravel())
    exact = np.array([value for block in raw for value in REFERENCE[dtype](block.tobytes())])
    # Scale times integer is rounded to float32 once, or twice with a minimum.
    assert np.abs(got - exact).max() <= 1e-6 * np.abs(exact).max()
    if dtype in GGUF_PACKAGE:
        assert hashlib.sha256(got.astype("<f4").tobytes()).hexdigest()[:32] == GGUF_PACKAGE[dtype]


@pytest.mark.parametrize("cut", [(4 << 20,), (1, 2, 3, 5, 7, 4099), (65_537,)], ids=str)
@pytest.mark.parametrize("dtype", GGML)
def test_quantised_numbers_are_those_of_the_decoded_values(dtype: str, cut: tuple[int, ...]) -> None:
    """Blocks that are cut anywhere give the decoded values' extremes, mean, deviation and zeros, and their scales'."""
    layout = LAYOUTS[dtype]
    raw = np.concatenate([blocks(dtype, 24)] * (200_000 // layout.unit_elements // 24 + 1)).ravel()
    count = raw.size // layout.unit_bytes
    statistics = measure(raw, dtype, (count, layout.unit_elements), cut)
    exact = np.array([value for block in blocks(dtype, 24) for value in REFERENCE[dtype](block.tobytes())])
    exact = (
        exact.astype(np.float32)
        if dtype not in ("q2_k", "q4_k", "q5_k", "q4_1", "q5_1")
        else GGML[dtype].decode(blocks(dtype, 24).ravel())
    )
    check(statistics, np.tile(exact.astype(np.float64), count // 24))
    if layout.scales:
        scales = blocks(dtype, 24)[:, layout.scales[0] :][:, :2].copy().view(np.float16)
        assert statistics.scales == (float(scales.min()), float(scales.max()), count // 24, 0, 0)


@pytest.mark.parametrize("dtype", [name for name in GGML if LAYOUTS[name].scales])
def test_scales_that_are_no_numbers_spoil_their_blocks(dtype: str) -> None:
    """A NaN or Inf scale is counted once, and every value of its block that it spoils."""
    layout = LAYOUTS[dtype]
    raw = blocks(dtype, 24).copy()
    at = layout.scales[0]
    raw[3, at : at + 2] = np.frombuffer(struct.pack("<e", math.nan), np.uint8)
    raw[4, at : at + 2] = np.frombuffer(struct.pack("<e", math.inf), np.uint8)
    statistics = measure(raw.ravel(), dtype, (24, layout.unit_elements), (4099,))
    exact = GGML[dtype].decode(raw.ravel()).astype(np.float64)
    assert np.isnan(exact).sum() >= layout.unit_elements
    check(statistics, exact)
    assert statistics.scales is not None
    assert statistics.scales[3:] == (1, 1)


def test_block_layouts_are_those_of_the_reader() -> None:
    """The sizes of blocks agree with the table by which files are read."""
    for name, elements, size_bytes in TENSOR_TYPES.values():
        layout = LAYOUTS.get(name.lower())
        if layout is not None:
            assert (elements, size_bytes) == (layout.unit_elements, layout.unit_bytes), name


def test_sums_are_good_to_a_millionth_over_many_blocks() -> None:
    """Of eight million values, with a mean of half the spread, the float32 sums within blocks lose less than 2e-6."""
    exact = np.random.default_rng(9).normal(0.01, 0.02, 1 << 23).astype(np.float32)
    statistics = measure(exact.view(np.uint8), "f32", (exact.size,))
    total = float(sum(Fraction(float(part)) for part in exact.astype(np.float64).reshape(1024, -1).sum(1)))
    assert statistics.mean == pytest.approx(total / exact.size, rel=2e-6)
    assert statistics.deviation == pytest.approx(float(exact.astype(np.float64).std()), rel=2e-6)
    assert exact.nbytes > values.BLOCK_BYTES


def test_crc_is_zlibs_from_any_place_and_over_any_cut() -> None:
    """The library's CRC-32 is zlib's for every length up to some blocks, for long data, at odd addresses, and going on from a value."""
    data = np.random.default_rng(4).integers(0, 256, 1 << 20, dtype=np.uint8).tobytes()
    view = memoryview(data)
    for length in (*range(300), 4096, 65_535, 65_536, 100_003):
        for start in (0, 1, 7, 16):
            for value in (0, 0xFFFFFFFF, 0x12345678):
                piece = view[start : start + length]
                assert native.crc32(piece, value) == zlib.crc32(piece, value)
    value = 0
    for piece in pieces(np.frombuffer(data, np.uint8), (65_537, 131_072, 3)):
        value = native.crc32(memoryview(piece), value)
    assert value == zlib.crc32(data)
