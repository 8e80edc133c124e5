"""Planted descent: what the one model is to the other is told, how far they are apart, and what cannot be seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from tests.probes.checkpoint.weights.planted import Model, as_gguf, fine_tuned, measured, merged_lora, transformer
from tests.probes.checkpoint.weights.test_values import small_float
from weighbridge.probes.checkpoint.report import Region
from weighbridge.probes.checkpoint.weights.comparison import compare
from weighbridge.probes.checkpoint.weights.fingerprint import (
    RELATED,
    UNRELATED,
    Fingerprint,
    aligned_layers,
    fingerprint,
    likeness,
)
from weighbridge.probes.checkpoint.weights.statistics import TensorStatistics, accumulator

UP = "model.layers.4.mlp.up_proj.weight"


def renumbered(model: Model, order: list[int]) -> Model:
    """Return the model with the layers of `order`, in that order."""
    made = {name: values for name, values in model.items() if ".layers." not in name}
    for new, old in enumerate(order):
        for name, values in model.items():
            if f".layers.{old}." in name:
                made[name.replace(f".{old}.", f".{new}.")] = values
    return made


def mark(statistics: list[TensorStatistics]) -> Fingerprint:
    made = fingerprint(statistics)
    assert made is not None
    return made


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("verdict", "make"),
    [
        ("identical", lambda model: measured(model, "bf16")),
        ("a fine-tune", lambda model: measured(fine_tuned(model, 9, 0.01), "bf16")),
        ("a fine-tune", lambda model: measured(fine_tuned(model, 9, 0.5), "bf16")),
        ("a fine-tune", lambda model: measured(fine_tuned(model, 9, 0.1, ["q_proj"]), "bf16")),
        ("a fine-tune", lambda model: measured(merged_lora(model, 9), "bf16")),
        ("a fine-tune", lambda model: measured(merged_lora(model, 9, share=0.1), "f16")),
        ("a fine-tune", lambda model: measured(as_gguf(fine_tuned(model, 9, 0.2)), "q8_0")),
        ("a quantisation", lambda model: measured(model, "f16")),
        ("a quantisation", lambda model: measured(model, "f32")),
        ("a quantisation", lambda model: measured(model, "q8_0")),
        ("a quantisation", lambda model: measured(as_gguf(model), "q8_0")),
        ("a quantisation", lambda model: measured(as_gguf(model), "q4_0")),
        ("related", lambda model: measured(renumbered(model, [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]), "bf16")),
        ("related", lambda model: measured(as_gguf(renumbered(model, [0, 1, 2, 3, 4, 3, 4, 5, 6, 7])), "q4_0")),
        ("related", lambda model: measured(renumbered(model, list(range(8))), "bf16")),
        ("unrelated", lambda model: measured(transformer(77), "bf16")),
        ("unrelated", lambda model: measured(as_gguf(transformer(77)), "q4_0")),
    ],
)
def test_descent_is_told(seed: int, verdict: str, make: Callable[[Model], list[TensorStatistics]]) -> None:
    """Copies, fine-tunes, merged adapters, quantisations, other depths and strangers are told apart, under either way of naming."""
    model = transformer(seed)
    base = measured(model, "bf16")
    assert compare(make(model), base).verdict == verdict
    assert compare(base, make(model)).verdict == verdict


def test_layers_that_were_dropped_are_named() -> None:
    """Layers are paired with those they descend from, so the untouched ones are identical and the dropped one is only there."""
    model = transformer(1)
    result = compare(measured(renumbered(model, [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11])), measured(model))
    assert result.layers == {0: 0, 1: 1, 2: 2} | {layer: layer + 1 for layer in range(3, 11)}
    assert (result.identical, result.moved, result.only_here) == (len(model) - 9, (), ())
    assert {name.split(".")[2] for name in result.only_there} == {"3"}
    assert json.loads(json.dumps(result.as_json()))["layers"]["3"] == 4


def test_how_far_a_tensor_moved_is_estimated() -> None:
    """The distance is the planted one, within four of its standard errors, and what did not move is identical."""
    model = transformer(2)
    for share in (0.01, 0.1, 0.5):
        changed = fine_tuned(model, 3, share, [UP])
        result = compare(measured(changed), measured(model))
        exact = float(np.linalg.norm(changed[UP] - model[UP]) / np.linalg.norm(model[UP]))
        assert [each.tensor for each in result.moved] == [UP]
        assert result.identical == len(model) - 1
        assert result.moved[0].distance == pytest.approx(exact, rel=0.4)


def test_queries_and_keys_have_no_distance_to_a_gguf_file() -> None:
    """Their rows are reordered on the way to GGUF: a distance would be made up."""
    model = transformer(1)
    result = compare(measured(as_gguf(model), "q8_0"), measured(model, "bf16"))
    without = {each.tensor.split(".")[-2] for each in result.moved if each.distance is None}
    assert without == {"attn_q", "attn_k", "attn_norm", "ffn_norm", "output_norm"}
    assert max(each.distance for each in result.moved if each.distance is not None) < 0.03


def test_two_parts_of_the_same_role_are_both_compared() -> None:
    """A change in the second of two towers with equal names of roles is not overlooked."""
    towers = {
        f"{tower}.{name}": values for tower in ("vision", "text") for name, values in transformer(len(tower)).items()
    }
    changed = dict(towers)
    changed[f"vision.{UP}"] = changed[f"vision.{UP}"] * np.float32(1.5)
    result = compare(measured(changed), measured(towers))
    assert (result.verdict, [each.tensor for each in result.moved]) == ("a fine-tune", [f"vision.{UP}"])
    assert result.identical == len(towers) - 1


def test_strangers_differ_in_half_of_the_bits_and_kin_in_few() -> None:
    """Between 10 models of one architecture every pair is far beyond the threshold, and every descendant far within."""
    models = {seed: transformer(seed) for seed in range(10)}
    marks = {seed: mark(measured(model)) for seed, model in models.items()}
    between = [found.differing for a, b in combinations(marks.values(), 2) if (found := likeness(a, b))]
    assert len(between) == 45
    assert min(between) > UNRELATED + 0.05
    for seed, model in models.items():
        for changed in (
            measured(as_gguf(model), "q4_0"),
            measured(merged_lora(model, 3)),
            measured(fine_tuned(model, 3, 0.3)),
        ):
            found = likeness(marks[seed], mark(changed))
            assert found is not None
            assert found.differing < RELATED - 0.1


def test_a_shift_that_strangers_share_does_not_make_them_kin() -> None:
    """Matrices of unrelated models that all have the same mean are still unrelated."""
    shifted = [{name: values + np.float32(1) for name, values in transformer(seed).items()} for seed in (1, 2)]
    assert compare(measured(shifted[0]), measured(shifted[1])).verdict == "unrelated"


def test_no_layers_are_paired_between_strangers() -> None:
    """Chance pairs no layer of one model with one of another."""
    marks = [mark(measured(transformer(seed))) for seed in range(6)]
    assert [aligned_layers(a, b) for a, b in combinations(marks, 2)] == [{}] * 15


def test_scales_of_quantised_layers_are_not_taken_for_the_matrices() -> None:
    """GPTQ's scales have the shape of matrices and are none: nothing is measured, so nothing is claimed."""
    model = transformer(1)
    packed = {name.replace(".weight", ".scales"): np.abs(values) for name, values in model.items()}
    assert fingerprint(measured(packed, "f16")) is None
    assert compare(measured(packed, "f16"), measured(model)).verdict == "not measured"


def test_eight_bit_floats_with_a_scale_of_their_own_are_a_quantisation() -> None:
    """The values lack their scale, which is a tensor beside them; their signs still tell the descent."""
    model = transformer(1)
    codes = np.array([small_float(code, 4, False) for code in range(127)])
    raw = []
    for name, values in model.items():
        if values.ndim > 1:
            steps = np.abs(values) / np.abs(values).max() * 448
            nearest = (
                np.abs(steps.ravel()[:, None] - codes).argmin(1).astype(np.uint8)
                | (values.ravel() < 0).astype(np.uint8) << 7
            )
            taker = accumulator(Region(name, 0, nearest.size, "f8_e4m3", values.shape), "model")
            taker.feed(nearest)
            raw.append(taker.result())
    assert compare(raw, [each for each in measured(model, "bf16") if len(each.shape) > 1]).verdict == "a quantisation"


def test_permuted_rows_cannot_be_seen_through() -> None:
    """A model whose rows were reordered looks like a stranger: docs/formats/fingerprint.md says so."""
    model, random = transformer(1), np.random.default_rng(1)
    turned = {name: values[random.permutation(len(values))] for name, values in model.items()}
    assert compare(measured(turned), measured(model)).verdict == "unrelated"


def test_a_fingerprint_is_read_back_as_it_was_written() -> None:
    """The format round-trips, and another version is refused."""
    one = mark(measured(transformer(1)))
    data = json.loads(json.dumps(one.as_json()))
    assert Fingerprint.from_json(data) == one
    assert all(len(value) == 16 for value in data["bits"].values())
    with pytest.raises(ValueError, match="wbf1"):
        Fingerprint.from_json(data | {"version": "wbf0"})


def test_the_bits_are_those_of_the_documented_recipe() -> None:
    """A second reading of docs/formats/fingerprint.md, in plain Python, gives the same bits."""
    values = transformer(1)[UP]
    flat = values.ravel().tolist()
    bits = 0
    for i in range(64):
        digest = hashlib.sha256(f"wbf1:{i}".encode()).digest()
        runs = len(flat) // 32
        first = (i * runs + digest[4] * runs // 256) // 64 * 32
        run = flat[first : first + 32]
        mean = sum(run) / 32
        total = sum((value - mean) * (1 if digest[j // 8] >> j % 8 & 1 else -1) for j, value in enumerate(run))
        bits |= (total > 0) << i
    assert mark(measured(transformer(1))).bits["4.ffn_up"] == bits


def test_the_format_is_fixed() -> None:
    """The same weights give these bits for ever: a registry has searched for them."""
    values = (np.arange(8 * 64 * 64, dtype=np.float64) * 0.6180339887498949 % 1 - 0.5).astype(np.float32)
    model = {f"blk.{i}.ffn_up.weight": part for i, part in enumerate(values.reshape(8, 64, 64))}
    assert mark(measured(model)).as_json() == {"version": "wbf1", "bits": GOLDEN}


GOLDEN = {
    "0.ffn_up": "d92ef1c798e5de27",
    "1.ffn_up": "262d0608c51cd1b8",
    "2.ffn_up": "ddc461f599eaae2a",
    "3.ffn_up": "22270e8576a4ab01",
    "4.ffn_up": "19d061619fc32672",
    "5.ffn_up": "610c2007f027ad6d",
    "6.ffn_up": "fef0ef3b19db6e22",
    "7.ffn_up": "8301196767a5a4d1",
}
