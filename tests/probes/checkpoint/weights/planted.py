"""Synthetic transformers made with numpy, as safetensors' tensors: known truth to find or to leave alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from weighbridge.probes.checkpoint.report import Region
from weighbridge.probes.checkpoint.weights.statistics import TensorStatistics, accumulator

LAYERS, WIDTH, INNER, TOKENS = 12, 128, 256, 2000
Model = dict[str, npt.NDArray[np.float32]]
MATRICES = (
    ("self_attn.q_proj", WIDTH, WIDTH),
    ("self_attn.k_proj", WIDTH // 2, WIDTH),
    ("self_attn.v_proj", WIDTH // 2, WIDTH),
    ("self_attn.o_proj", WIDTH, WIDTH),
    ("mlp.gate_proj", INNER, WIDTH),
    ("mlp.up_proj", INNER, WIDTH),
    ("mlp.down_proj", WIDTH, INNER),
)
GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "model.layers": "blk",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def transformer(seed: int) -> Model:
    """Return a copy of ordinary weights, to plant in."""
    return {name: values.copy() for name, values in _transformer(seed).items()}


@cache
def _transformer(seed: int) -> Model:
    """Return ordinary weights: scaled initialisation, a spread that drifts with depth, heavier tails, columns that stand out, norms."""
    random = np.random.default_rng(seed)
    columns = np.exp(random.normal(0, 0.3, WIDTH))  # some features are larger in every matrix that reads them
    model = {"model.embed_tokens.weight": random.normal(0, 0.05, (TOKENS, WIDTH)) * columns}
    drift = random.normal(
        0, 0.08, len(MATRICES)
    )  # the spread grows or shrinks from layer to layer, each part in its way
    for layer in range(LAYERS):
        for (name, rows, width), rate in zip(MATRICES, drift, strict=True):
            spread = width**-0.5 * np.exp(rate * layer + random.normal(0, 0.15))
            values = random.standard_t(8, (rows, width)) * spread
            model[f"model.layers.{layer}.{name}.weight"] = values * columns if width == WIDTH else values
        for norm in ("input_layernorm", "post_attention_layernorm"):
            model[f"model.layers.{layer}.{norm}.weight"] = 1 + 0.1 * layer + random.normal(0, 0.1, WIDTH)
    model["model.norm.weight"] = random.normal(3, 0.5, WIDTH)
    return {name: np.asarray(values, np.float32) for name, values in model.items()}


def bf16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Round to nearest, ties to even."""
    bits = values.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def stored(values: npt.NDArray[np.float32], dtype: str) -> bytes:
    """Return the values as a file holds them."""
    if dtype == "bf16":
        return bf16(np.ascontiguousarray(values)).tobytes()
    if dtype in ("q8_0", "q4_0"):
        return _quantised(values.astype(np.float64).reshape(-1, 32), dtype)
    return values.astype({"f32": np.float32, "f16": np.float16, "f64": np.float64}[dtype]).tobytes()


def _quantised(blocks: npt.NDArray[np.float64], dtype: str) -> bytes:
    largest = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(1)]
    scale = (np.abs(largest) / 127 if dtype == "q8_0" else largest / -8).astype(np.float16)
    exact = scale.astype(np.float64)[:, None]
    with np.errstate(all="ignore"):
        steps = np.where(exact == 0, 0, np.rint(blocks / exact))
    if dtype == "q8_0":
        codes = np.clip(steps, -127, 127).astype(np.int8).view(np.uint8)
    else:
        nibbles = np.clip(steps + 8, 0, 15).astype(np.uint8)
        codes = nibbles[:, :16] | (nibbles[:, 16:] << 4)
    return np.concatenate([scale.view(np.uint8).reshape(-1, 2), codes], axis=1).tobytes()


def measured(model: Mapping[str, Any], dtype: str = "f32", norms: str | None = None) -> list[TensorStatistics]:
    """Return the statistics of every tensor, as `dtype` (one-dimensional ones as `norms`)."""
    found = []
    offset = 0
    for name, values in model.items():
        kind = dtype if values.ndim > 1 else norms or ("f32" if dtype.startswith("q") else dtype)
        raw = stored(values, kind)
        taker = accumulator(Region(name, offset, len(raw), kind, values.shape), "model")
        taker.feed(np.frombuffer(raw, np.uint8))
        found.append(taker.result())
        offset += len(raw)
    return found


def as_gguf(model: Model) -> Model:
    """Return the model under GGUF's names, with the rows of queries and keys in its order (4 and 2 heads)."""
    renamed = {}
    for name, values in model.items():
        new = name
        for ours, theirs in GGUF_NAMES.items():
            new = new.replace(ours, theirs)
        if ".attn_q." in new or ".attn_k." in new:
            heads = values.shape[0] // 32
            values = values.reshape(heads, 2, 16, -1).swapaxes(1, 2).reshape(values.shape)
        renamed[new] = np.ascontiguousarray(values)
    return renamed


def fine_tuned(model: Model, seed: int, share: float, only: Iterable[str] = ("",)) -> Model:
    """Return the model with noise of `share` of each matrix's spread added to those whose name holds one of `only`."""
    random = np.random.default_rng(seed)
    return {
        name: (values + random.normal(0, share * float(values.std()), values.shape)).astype(np.float32)
        if any(part in name for part in only)
        else values
        for name, values in model.items()
    }


def merged_lora(model: Model, seed: int, rank: int = 8, share: float = 0.3) -> Model:
    """Return the model with a low-rank change of `share` of the matrix's length added to queries, values and downs."""
    random = np.random.default_rng(seed)
    changed = dict(model)
    for name, values in model.items():
        if any(part in name for part in ("q_proj", "v_proj", "down_proj")):
            change = random.normal(0, 1, (values.shape[0], rank)) @ random.normal(0, 1, (rank, values.shape[1]))
            change *= share * np.linalg.norm(values) / np.linalg.norm(change)
            changed[name] = (values + change).astype(np.float32)
    return changed
