"""Kin are found among what is published, by whoever asks, and nothing that was not measured is told as unrelated."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.probes.checkpoint.weights.planted import as_gguf, fine_tuned, transformer
from tests.registry.databases import Clock
from tests.registry.descents import put_model, report
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry.kin import Direction, Kin, kin_of, lineage_of
from weighbridge.registry.lineage.naming import Name
from weighbridge.registry.publishing import trust
from weighbridge.registry.store import Store


@pytest.fixture
def known(store: Store, key: PrivateKey) -> Store:
    """A registry that knows the key's signer."""
    trust(store, key.public, name="Evaluator", by="test")
    return store


def kin(store: Store, digest: str) -> dict[str, Kin]:
    return {each.label: each for each in kin_of(store, digest, store.clock())}


def test_derivatives_are_found_from_either_side_and_strangers_are_not(
    known: Store, key: PrivateKey, clock: Clock, tmp_path: Path
) -> None:
    """A fine-tune and a quantisation are kin of their parent, which came first; a stranger of the same shapes is kin of nobody."""
    parent, other = transformer(1), transformer(2)
    children = {
        "parent": report(parent),
        "stranger": report(other),
        "tuned": report(fine_tuned(parent, 3, 0.1)),
        "q8": report(as_gguf(parent), "q8_0"),
    }
    roots = {}
    for words, said in children.items():
        roots[words] = put_model(known, tmp_path, key, words, said).subject
        clock.now += timedelta(days=1)
    found = kin(known, roots["parent"])
    assert found.keys() == {"tuned", "q8"}
    assert found["q8"].relation is Name.QUANTISED and found["q8"].direction is Direction.DERIVATIVE
    assert found["tuned"].direction is Direction.DERIVATIVE
    assert all(isinstance(each.probability, float) and each.probability > 0.99 for each in found.values())
    assert kin(known, roots["q8"])["parent"].direction is Direction.PARENT
    assert kin(known, roots["stranger"]) == {}
    assert lineage_of(known, roots["stranger"], clock.now).measured == 3
