"""One fault at a time is planted in a synthetic transformer: each is found under its rule, and nothing is said of models without one."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.probes.checkpoint.weights.planted import LAYERS, Model, bf16, measured, stored, transformer
from weighbridge.probes.checkpoint.report import Finding, Severity
from weighbridge.probes.checkpoint.weights.damage import findings

QUERY, DOWN = "model.layers.5.self_attn.q_proj.weight", "model.layers.7.mlp.down_proj.weight"
NORM, EMBEDDING = "model.layers.3.input_layernorm.weight", "model.embed_tokens.weight"
TEXT = (b"The quick brown fox jumps over the lazy dog; 0123456789 times. " * 2000)[: 1 << 16]


def said(model: Model, dtype: str = "f32") -> list[Finding]:
    return [each for each in findings(measured(model, dtype)) if each.severity.at_least(Severity.LOW)]


def upcast(model: Model) -> Model:
    return {name: (bf16(values).astype(np.uint32) << 16).view(np.float32) for name, values in model.items()}


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_said_of_ordinary_weights(seed: int) -> None:
    """Ten models with drifting spread, heavy tails and large columns, in five types and as float32 that was bfloat16 once, stay clean."""
    model = transformer(seed)
    for dtype in ("f32", "f16", "bf16", "q8_0", "q4_0"):
        assert said(model, dtype) == []
    assert said(upcast(model)) == []


def _set(tensor: str, value: float, places: slice = slice(5, 6)) -> Callable[[Model], None]:
    def plant(model: Model) -> None:
        model[tensor].ravel()[places] = value

    return plant


def _scaled(factor: float, part: str) -> Callable[[Model], None]:
    def plant(model: Model) -> None:
        for name in [name for name in model if part in name and "norm" not in name]:
            model[name] *= np.float32(factor)

    return plant


def _layer_zero(model: Model) -> None:
    for name in model:
        if ".6." in name:
            model[name][:] = 0


def _half_lost(model: Model) -> None:
    model[DOWN].ravel()[model[DOWN].size // 2 :] = 0


def _layer_twice(model: Model) -> None:
    for name in list(model):
        if ".8." in name:
            model[name] = model[name.replace(".8.", ".2.")].copy()


PLANTED = [
    ("nan", DOWN, _set(DOWN, np.nan)),
    ("inf", DOWN, _set(DOWN, np.inf)),
    ("inf", QUERY, _set(QUERY, -np.inf)),
    ("constant", QUERY, _set(QUERY, 0, slice(None))),
    ("constant", QUERY, _set(QUERY, 0.25, slice(None))),
    ("constant", "model.layers.6.self_attn.o_proj.weight", _layer_zero),
    ("outlier", QUERY, _scaled(8, "layers.5.")),
    ("outlier", QUERY, _scaled(1 / 8, "layers.5.")),
    ("outlier", DOWN, _scaled(8, "layers.7.mlp.down")),
    ("outlier", "model.layers.0.self_attn.v_proj.weight", _scaled(8, "layers.0.")),
    ("outlier", f"model.layers.{LAYERS - 1}.mlp.up_proj.weight", _scaled(8, f"layers.{LAYERS - 1}.")),
    ("duplicate", "model.layers.8.self_attn.q_proj.weight", _layer_twice),
    ("absurd", DOWN, _set(DOWN, 3e4)),
]
# A writer of quantised blocks has no code for NaN and infinities: see the scales below.
FAULTS = [
    (dtype, *fault)
    for dtype in ("f32", "bf16", "q4_0")
    for fault in PLANTED
    if not (dtype.startswith("q") and fault[0] in ("nan", "inf"))
]


@pytest.mark.parametrize(("dtype", "rule", "where", "plant"), FAULTS)
def test_a_planted_fault_is_found(dtype: str, rule: str, where: str, plant: Callable[[Model], None]) -> None:
    """Values that are no numbers, lost, scaled and repeated layers are found in every type, at the tensor."""
    model = transformer(1)
    plant(model)
    found = said(model, dtype)
    assert (f"weights.{rule}", where) in {(each.rule, each.where) for each in found}
    unlike = {"outlier", "absurd"} if rule == "absurd" else {"constant", "outlier"} if rule == "constant" else {rule}
    assert {each.rule for each in found} <= {f"weights.{name}" for name in unlike}


@pytest.mark.parametrize("seed", range(10))
def test_a_layer_of_eight_times_the_spread_is_found_in_every_model(seed: int) -> None:
    """Most of the seven matrices of a scaled layer are named (a part may differ from its neighbours by itself), and no other tensor."""
    model = transformer(seed)
    _scaled(8, f"layers.{seed + 1}.")(model)
    found = {each.where for each in said(model)}
    assert len(found) >= 5
    assert all(f".{seed + 1}." in where for where in found)


def test_a_norm_with_an_infinity_is_found() -> None:
    """Only masks may be infinite."""
    model = transformer(1)
    _set(NORM, np.inf)(model)
    assert [(each.rule, each.where) for each in said(model)] == [("weights.inf", NORM)]
    model = transformer(1) | {"model.layers.0.self_attn.mask": np.full((32, 32), -np.inf, np.float32)}
    assert said(model) == []


def test_a_matrix_that_is_half_lost_is_found() -> None:
    """A tail of zeros, where other layers have none, is an outlier."""
    model = transformer(1)
    _half_lost(model)
    assert [(each.rule, each.where) for each in said(model)] == [("weights.outlier", DOWN)]


@pytest.mark.parametrize("scale", [np.nan, np.inf])
def test_a_broken_scale_of_a_quantised_block_is_found(scale: float) -> None:
    """One NaN or infinite block scale spoils a block and is found, whether the type is decoded or not."""
    from weighbridge.probes.checkpoint.report import Region
    from weighbridge.probes.checkpoint.weights.ggml import LAYOUTS
    from weighbridge.probes.checkpoint.weights.statistics import accumulator

    for dtype in ("q4_0", "q8_0", "q6_k", "iq2_xxs"):
        layout = LAYOUTS[dtype]
        for broken in (slice(3, 4), slice(None)):
            blocks = np.full((8, layout.unit_bytes), 1, np.uint8)
            at = layout.scales[0]
            blocks[:, at : at + 2] = np.frombuffer(np.float16(0.01).tobytes(), np.uint8)
            blocks[broken, at : at + 2] = np.frombuffer(np.float16(scale).tobytes(), np.uint8)
            region = Region("blk.0.ffn_up.weight", 0, blocks.size, dtype, (8, layout.unit_elements))
            taker = accumulator(region, "m.gguf")
            taker.feed(blocks.ravel())
            assert {each.rule for each in findings([taker.result()])} & {"weights.nan", "weights.inf"}


@pytest.mark.parametrize(
    ("dtype", "low_bytes", "payload_bytes", "start"),
    [
        ("f32", 1, 16384, 0),
        ("f32", 1, 16384, 50_000),
        ("f32", 3, 49152, 20_001),
        ("f16", 1, 65536, 30_000),
        ("bf16", 1, 65536, 30_000),
    ],
)
def test_text_in_the_lowest_bytes_is_found(dtype: str, low_bytes: int, payload_bytes: int, start: int) -> None:
    """Text of the stated size in the lowest bytes of the weights is found wherever it stands."""
    assert "weights.low-bits" in {each.rule for each in _with_payload(dtype, low_bytes, TEXT[:payload_bytes], start)}


def _with_payload(dtype: str, low_bytes: int, payload: bytes, start: int) -> list[Finding]:
    """Return what is said of a model with `payload` in the lowest bytes of a large matrix, from element `start` on."""
    from weighbridge.probes.checkpoint.report import Region
    from weighbridge.probes.checkpoint.weights.statistics import accumulator

    elements = 1 << 21
    values = np.random.default_rng(3).normal(0, 0.02, elements).astype(np.float32)
    raw = np.frombuffer(stored(values, dtype), np.uint8).copy()
    width = raw.size // elements
    data = np.frombuffer(payload, np.uint8)
    data = data[: data.size // low_bytes * low_bytes].reshape(-1, low_bytes)
    raw.reshape(-1, width)[start : start + len(data), :low_bytes] = data
    taker = accumulator(Region("model.layers.0.mlp.up_proj.weight", 0, raw.size, dtype, (1024, elements // 1024)), "m")
    for at in range(0, raw.size, 4 << 20):
        taker.feed(raw[at : at + (4 << 20)])
    return findings([taker.result(), *measured(transformer(1), dtype)])


def test_a_program_in_the_lowest_bytes_is_found() -> None:
    """Bytes far from random, such as machine code with its many zeros, stand out among the lowest bytes of float32."""
    code = np.random.default_rng(1).choice([0, 0x48, 0x8B, 0xFF, 0x89, 0xE8], 32768, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1])
    assert "weights.low-bits" in {
        each.rule for each in _with_payload("f32", 1, code.astype(np.uint8).tobytes(), 99_999)
    }


def test_random_bytes_are_found_where_the_lowest_bits_are_empty_and_nowhere_else() -> None:
    """In float32 weights that were bfloat16 once, any payload is seen; in others random bytes look as training leaves them."""
    noise = np.random.default_rng(2).integers(0, 1 << 16, 30_000, dtype=np.uint32)
    model = upcast(transformer(1))
    words = model[DOWN].view(np.uint32).ravel()
    words[: noise.size] |= noise[: words.size]
    assert [(each.rule, each.where) for each in said(model)] == [("weights.low-bits", DOWN)]
    words = (plain := transformer(1))[DOWN].view(np.uint32).ravel()
    words[: noise.size] = (words[: noise.size] & 0xFFFF0000) | noise[: words.size]
    assert said(plain) == []


def test_norms_that_read_as_text_by_their_nature_are_not_accused() -> None:
    """Values in bfloat16 that all lie between a half and one have printable lowest bytes, and no sign that changes."""
    random = np.random.default_rng(1)
    model = transformer(1) | {
        "model.layers.0.table.weight": random.uniform(0.65, 0.95, (256, 256)).astype(np.float32),
        "model.layers.0.extra_norm.weight": random.uniform(0.65, 0.95, 40_000).astype(np.float32),
    }
    assert said(model, "bf16") == []


def test_tokens_that_were_hardly_trained_are_listed() -> None:
    """Rows of the embedding less than half as long as most are named as information; a norm of the same length is not."""
    model = transformer(1)
    model[EMBEDDING][[17, 1200, 1999]] *= np.float32(0.1)
    found = [each for each in findings(measured(model, "bf16")) if each.rule == "weights.undertrained-tokens"]
    assert [each.severity for each in found] == [Severity.INFO]
    assert found[0].message.endswith("17, 1200, 1999")
    assert "3 of 2,000" in found[0].message


@pytest.mark.parametrize(
    "model",
    [
        {"weight1": np.zeros((64, 64), np.float32), "weight2": np.zeros((64, 64), np.float32)},
        {"array": np.zeros((100, 100), np.float32)},
        {"array": np.full((10, 10), np.nan, np.float32), "array at 300": np.full((100, 100), 1e9, np.float32)},
        {"fc.weight": np.arange(4096, dtype=np.float32).reshape(64, 64), "fc.bias": np.zeros(64, np.float32)},
        {f"h.{i}.attn.bias": np.tril(np.ones((1, 1, 64, 64), np.float32)) for i in range(6)},
        {f"h.{i}.mlp.c_fc.weight": np.eye(64, dtype=np.float32) * (i + 1) for i in range(6)},
        {"base.layers.0.q_proj.lora_A.weight": np.ones((8, 64), np.float32) * np.arange(64, dtype=np.float32)}
        | {f"base.layers.{i}.q_proj.lora_B.weight": np.zeros((64, 8), np.float32) for i in range(6)},
    ],
    ids=[
        "placeholders",
        "an array of zeros",
        "data with NaN",
        "counting",
        "causal masks",
        "identities",
        "a fresh adapter",
    ],
)
def test_ordinary_files_that_are_no_trained_model_are_left_alone(model: Model) -> None:
    """Placeholders, arrays of data, buffers and fresh adapters get nothing of severity low or worse."""
    assert said(model) == []


def test_one_empty_matrix_of_a_transformer_is_found_though_it_stands_alone() -> None:
    """A file of nothing but zeros under a transformer's names is damaged."""
    assert [each.rule for each in said({QUERY: np.zeros((128, 128), np.float32)})] == ["weights.constant"]


def test_layers_that_share_their_bytes_are_no_copies() -> None:
    """Two names for the same bytes of a file are tied weights."""
    statistics = measured(transformer(1))
    from dataclasses import replace

    tied = replace(
        next(each for each in statistics if each.tensor == QUERY), tensor=QUERY.replace(".5.", ".6."), layer=6
    )
    assert not [each for each in findings([*statistics, tied]) if each.rule == "weights.duplicate"]


def test_a_tensor_that_begins_as_an_archive_is_found() -> None:
    """The first bytes of a tensor tell what it is, whatever its type."""
    model = transformer(1)
    model[QUERY].view(np.uint8).ravel()[:4] = np.frombuffer(b"\x7fELF", np.uint8)
    assert "weights.payload" in {each.rule for each in said(model)}


def test_a_file_of_very_many_layers_is_judged_in_linear_time() -> None:
    """Tens of thousands of layers, as only a hostile file has them, take seconds and are compared with their neighbours alone."""
    from dataclasses import replace

    one = next(each for each in measured({QUERY: transformer(1)[QUERY]}))
    many = [replace(one, tensor=f"blk.{i}.attn_q.weight", layer=i, digest=str(i)) for i in range(30_000)]
    start = time.perf_counter()
    assert findings(many) == []
    assert time.perf_counter() - start < 20
