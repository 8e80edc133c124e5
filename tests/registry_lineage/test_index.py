"""The index finds what exact search finds, as models are added, and after it was saved and loaded."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.registry_lineage.test_relation import made_up, moved
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint
from weighbridge.registry.lineage.index import PLACES, Index


def fill(index: Index, count: int) -> Index:
    words = np.random.default_rng(1).integers(0, 2**64, (count, len(PLACES)), np.uint64)
    index.add_rows([f"stranger {row}" for row in range(count)], words, np.ones(words.shape, np.bool_))
    return index


def filled(count: int) -> Index:
    return fill(Index(), count)


def test_kin_are_found_among_strangers_and_strangers_are_not() -> None:
    """Models moved by up to a fifth of their bits are found, added early or late; a stranger finds nothing."""
    index = Index()
    for seed in range(20):
        index.add(f"early {seed}", made_up(seed))
    fill(index, 20_000)
    for seed in range(20, 40):
        index.add(f"late {seed}", made_up(seed))
    assert 0 < index._state.indexed < len(index)  # both ways of searching are at work
    for seed in range(40):
        query = moved(made_up(seed), 0.2, 1000 + seed)
        found = index.search(query)
        assert [near.name for near in found] == [f"{'early' if seed < 20 else 'late'} {seed}"]
        assert found == index.search_exactly(query)
    assert index.search(made_up(99)) == []


def test_a_changed_vocabulary_or_missing_places_do_not_hide_kin() -> None:
    """The embedding may be as a stranger's and half of the places absent."""
    index = filled(10_000)
    index.add("parent", made_up(1))
    index.make_tables()
    half = {place: made_up(1).bits[place] for place in PLACES[1:9]}
    for query in (Fingerprint(made_up(1).bits | {"embedding": 5}), Fingerprint(half)):
        assert [near.name for near in index.search(query)] == ["parent"]


def test_too_few_places_are_refused_and_never_matched() -> None:
    """With fewer than 8 places a model is not added, and a query finds nothing."""
    index = filled(100)
    few = Fingerprint(dict.fromkeys(PLACES[:7], 1))
    with pytest.raises(UsageError):
        index.add("few", few)
    assert index.search(few, farthest=1.0) == []


def test_an_index_is_the_same_after_saving_and_loading(tmp_path: Path) -> None:
    """Names, words and absent places come back; nothing is left beside the file."""
    index = filled(5000)
    index.add("parent", made_up(1))
    path = tmp_path / "index.npz"
    index.save(path)
    again = Index.load(path)
    assert len(again) == 5001 and [each.name for each in tmp_path.iterdir()] == ["index.npz"]
    assert again.search(moved(made_up(1), 0.1, 2)) == index.search(moved(made_up(1), 0.1, 2)) != []


def test_an_empty_index_finds_nothing_and_is_kept(tmp_path: Path) -> None:
    """Nothing in it is no error."""
    Index().save(tmp_path / "index.npz")
    again = Index.load(tmp_path / "index.npz")
    assert len(again) == 0 and again.search(made_up(1)) == []


class Trap:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return open, ("unpickled", "w")


def test_what_is_no_index_is_refused_and_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickles, objects in arrays, cut files and wrong shapes are errors."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "index.npz"
    files = []
    path.write_bytes(pickle.dumps(Trap()))
    files.append(path.read_bytes())
    np.savez(path, format=np.array([Trap()], object), names=np.zeros(1), words=np.zeros(1), has=np.zeros(1))
    files.append(path.read_bytes())
    filled(10).save(path)
    files.append(path.read_bytes()[:-50])
    text = np.frombuffer(b"weighbridge-lineage-index-1", np.uint8)
    names = np.frombuffer(b'["a", "b"]', np.uint8)
    np.savez(path, format=text, names=names, words=np.zeros((1, 16), np.uint64), has=np.ones((1, 16), bool))
    files.append(path.read_bytes())
    files.append(b"")
    for content in files:
        path.write_bytes(content)
        with pytest.raises(EvidenceError):
            Index.load(path)
    assert not (tmp_path / "unpickled").exists()
