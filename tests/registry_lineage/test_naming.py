"""What was done to a model is named only where its tensors tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.probes.checkpoint.weights.planted import Model, as_gguf, fine_tuned, merged_lora, transformer
from tests.registry.descents import report
from weighbridge.registry.lineage.marks import read_mark
from weighbridge.registry.lineage.naming import Name, name_relation
from weighbridge.registry.lineage.relation import Related, relate
from weighbridge.registry.lineage.traits import Traits, read_traits, unpack_traits


def rounded(model: Model, levels: int) -> Model:
    def one(values: np.ndarray) -> np.ndarray:
        blocks = values.reshape(-1, 32)
        scale = np.abs(blocks).max(1, keepdims=True) / levels
        return (np.rint(blocks / scale) * scale).reshape(values.shape).astype(np.float32)

    return {name: one(values) if values.ndim == 2 else values for name, values in model.items()}


def pruned(model: Model, share: float) -> Model:
    return {
        name: np.where(np.abs(values) < np.quantile(np.abs(values), share), 0, values).astype(np.float32)
        if values.ndim == 2
        else values
        for name, values in model.items()
    }


def named(one: dict[str, Any], other: dict[str, Any], *, with_traits: bool = True) -> Name:
    found = relate(read_mark(one["fingerprint"]), read_mark(other["fingerprint"]))
    assert isinstance(found, Related)
    mine, theirs = (read_traits(each["tensors"]) if with_traits else None for each in (one, other))
    return name_relation(found, mine, theirs)


@pytest.fixture(scope="module")
def base() -> Model:
    return transformer(1)


def test_each_change_has_its_name_and_what_tells_nothing_has_none(base: Model) -> None:
    """Types tell quantisation, zeros with less power tell pruning, norms tell training; a round trip kept as floats is told from neither."""
    cases = (
        (report(base, "bf16"), Name.SAME_VALUES),
        (report(base), Name.COPY),
        (report(as_gguf(base), "q4_0"), Name.QUANTISED),
        (report(as_gguf(fine_tuned(base, 3, 0.1)), "q8_0"), Name.QUANTISED),
        (report(pruned(base, 0.5)), Name.PRUNED),
        (report(pruned(base, 0.2), "bf16"), Name.PRUNED),
        (report(rounded(base, 7)), Name.ROUNDED),
        (report(fine_tuned(base, 3, 0.1)), Name.FINE_TUNED),
        (report(fine_tuned(base, 3, 0.1), "bf16"), Name.FINE_TUNED),
        (report(merged_lora(base, 3)), Name.PART),
        (report(transformer(2)), Name.NONE),
    )
    parent = report(base)
    for said, expected in cases:
        assert named(said, parent) is expected and named(parent, said) is expected


def test_without_tensors_only_what_bits_tell_is_named(base: Model) -> None:
    """Taking the tensors away names nothing that was not named with them, but "not known"."""
    parent = report(base)
    for said in (report(as_gguf(base), "q4_0"), report(pruned(base, 0.5)), report(fine_tuned(base, 3, 0.1))):
        assert named(said, parent, with_traits=False) is Name.NOT_KNOWN


def test_traits_come_back_as_they_were_packed_and_what_is_damaged_is_none(base: Model) -> None:
    """Through the database and back; broken bytes and reports give no traits, and no error."""
    found = read_traits(report(base)["tensors"])
    assert isinstance(found, Traits) and unpack_traits(found.pack()) == found
    for bad in (b"", b"{}", found.pack()[:100]):
        assert unpack_traits(bad) is None
    for odd in (None, {}, {"each": 5}, {"each": [{"tensor": 1}]}, {"each": []}):
        assert read_traits(odd) is None
