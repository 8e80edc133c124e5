"""Kin are found among what is published, by whoever asks, and nothing that was not measured is told as unrelated."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, select

from tests.dossier.statements import made
from tests.probes.checkpoint.weights.planted import as_gguf, fine_tuned, transformer
from tests.registry.databases import Clock, model, opened
from tests.registry.descents import of_mark, plant, put_model, report
from tests.registry_lineage.test_relation import made_up, moved
from weighbridge.digests import digest_bytes
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint
from weighbridge.registry.asked import Published
from weighbridge.registry.kin import Because, Direction, Kin, kin_of, lineage_of
from weighbridge.registry.lineage import index as index_module
from weighbridge.registry.lineage import kept as keeping
from weighbridge.registry.lineage.declared import Standing
from weighbridge.registry.lineage.index import Index
from weighbridge.registry.lineage.kept import Kept, kept
from weighbridge.registry.lineage.marks import NotMeasured
from weighbridge.registry.lineage.naming import Name
from weighbridge.registry.publishing import revoke, trust
from weighbridge.registry.store import Store
from weighbridge.registry.tables.lineage import declared, marks, traits
from weighbridge.subject.model import Component, FoundFile, Subject

PARENT, STRANGER = made_up(1), made_up(2)
CHILD = moved(PARENT, 0.05, 3)


class House:
    """A registry that knows one signer, and what was published in it, a day after one another."""

    def __init__(self, store: Store, key: PrivateKey, clock: Clock, folder: Path) -> None:
        self.store, self.key, self.clock, self.folder = store, key, clock, folder
        trust(store, key.public, name="Evaluator", by="test")

    def put(self, words: str, said: Mapping[str, Any] | Fingerprint | None, **more: Any) -> Published:
        said = of_mark(said) if isinstance(said, Fingerprint) else said
        key = more.pop("key", self.key if more.pop("signed", False) else None)
        if key is None:
            found = plant(self.store, words, said, **more)
        else:
            found = put_model(self.store, self.folder, key, words, said, **more)
        self.clock.now += timedelta(days=1)
        return found

    def kin(self, published: Published) -> dict[str, Kin]:
        return {each.label: each for each in kin_of(self.store, published.subject, self.clock.now)}


@pytest.fixture
def house(store: Store, key: PrivateKey, clock: Clock, tmp_path: Path) -> House:
    return House(store, key, clock, tmp_path)


def test_derivatives_are_found_from_either_side_and_strangers_are_not(house: House) -> None:
    """A fine-tune and a quantisation are kin of their parent, which came first; a stranger of the same shapes is kin of nobody."""
    base = transformer(1)
    parent, stranger = house.put("parent", report(base), signed=True), house.put("stranger", report(transformer(2)))
    house.put("tuned", report(fine_tuned(base, 3, 0.1)))
    quantised = house.put("q8", report(as_gguf(base), "q8_0"), signed=True)
    found = house.kin(parent)
    assert found.keys() == {"tuned", "q8"}
    assert (found["q8"].relation, found["q8"].direction) == (Name.QUANTISED, Direction.DERIVATIVE)
    assert (found["q8"].because, found["tuned"].because) == (Because.STORED, Because.DATES)
    assert found["tuned"].direction is Direction.DERIVATIVE
    assert all(isinstance(each.probability, float) and each.probability >= 0.99 for each in found.values())
    assert house.kin(quantised)["parent"].direction is Direction.PARENT
    assert house.kin(stranger) == {}
    assert lineage_of(house.store, stranger.subject, house.clock.now).measured == 3


def test_a_model_without_a_fingerprint_is_not_measured_and_what_it_declares_is_not_either(house: House) -> None:
    """Nothing read, no fingerprint, too few places, or nothing published at all: each says why, and none says unrelated."""
    house.put("Parent", PARENT)
    few = Fingerprint({f"{layer}.ffn_up": 5 for layer in range(20, 30)})
    for words, said in (
        ("unread", None),
        ("small", {"fingerprint": None}),
        ("few", of_mark(few)),
        ("odd", {"fingerprint": 5}),
    ):
        one = house.put(words, said, made_from="lab/parent")
        found = lineage_of(house.store, one.subject, house.clock.now)
        assert isinstance(found.measured, NotMeasured)
        [parent] = found.kin
        assert not parent.is_kin and parent.direction is Direction.PARENT
        expected = Standing.NOT_MEASURED
        assert parent.declared is expected and found.declared[0].standing is expected
        assert isinstance(parent.probability, NotMeasured)
    nothing = lineage_of(house.store, "sha256:" + "0" * 64, house.clock.now)
    assert isinstance(nothing.measured, NotMeasured) and nothing.kin == ()


def test_what_a_card_says_is_held_against_the_weights(house: House) -> None:
    """Confirmed, contradicted, not shown or not measured, told of the name and of both models."""
    parent = house.put("Lab/Base", PARENT)
    cases = (
        ("tuned", CHILD, "lab/base", Standing.CONFIRMED),
        ("fake", STRANGER, "Base, Other/Thing", Standing.CONTRADICTED),
        ("other shapes", Fingerprint({f"{place}": word for place, word in list(made_up(9).bits.items())[:12]}), "lab/base", Standing.NOT_SHOWN),
        ("by digest", moved(PARENT, 0.1, 5), parent.subject, Standing.CONFIRMED),
    )  # fmt: skip
    for words, mark, name, expected in cases:
        one = house.put(words, mark, made_from=name)
        found = lineage_of(house.store, one.subject, house.clock.now)
        if words == "fake":  # its name lacks the owner, so it may not mean this label
            assert [each.standing for each in found.declared] == [Standing.NOT_MEASURED] * 2
            continue
        assert [each.standing for each in found.declared] == [expected], words
        assert found.declared[0].digest == parent.subject
        beside = house.kin(parent)[words]
        if not words.startswith("by"):
            assert beside.declared is expected and beside.because is Because.DECLARED
            assert beside.direction is Direction.DERIVATIVE and beside.is_kin is (expected is Standing.CONFIRMED)
    house.put("liar", made_up(77), made_from="Lab/Base")
    beside = house.kin(parent)["liar"]
    assert (beside.declared, beside.is_kin, beside.direction) == (Standing.CONTRADICTED, False, Direction.NOT_KNOWN)


def test_a_declaration_orients_whatever_was_published_first(house: House) -> None:
    """The child was published before its parent, and says whose it is."""
    child = house.put("child", CHILD, made_from="parent")
    parent = house.put("parent", PARENT)
    assert house.kin(child)["parent"].direction is Direction.PARENT
    assert house.kin(parent)["child"].direction is Direction.DERIVATIVE


def test_a_sibling_is_kin_of_no_known_direction(house: House) -> None:
    """Of two fine-tunes of one parent neither is said to come from the other, and the parent's derivatives are both."""
    parent = house.put("parent", PARENT)
    one, other = house.put("one", moved(PARENT, 0.1, 4)), house.put("other", moved(PARENT, 0.1, 5))
    assert house.kin(other)["one"].direction is Direction.NOT_KNOWN
    assert house.kin(one)["other"].direction is Direction.NOT_KNOWN
    assert {each.direction for each in house.kin(parent).values()} == {Direction.DERIVATIVE}


def test_an_adapter_beside_a_published_file_is_a_derivative_by_its_bytes(house: House) -> None:
    """No fingerprint is needed: the file is the same, and there is one more."""
    base = house.put("base", None)
    file = model("base").components[0].files[0]
    extra = FoundFile(path="adapter.gguf", size_bytes=5, digest=digest_bytes(b"adapter"))
    both = (Component(name="model parameters", files=(file,)), Component(name="adapter", files=(extra,)))
    from weighbridge.subject.roots import root_of

    root = root_of({each.path: each.digest for each in (file, extra)})
    subject: Subject = model("with adapter").model_copy(update={"components": both, "digest": root})
    adapted = house.put("with adapter", None, subject=subject)
    found = house.kin(base)["with adapter"]
    assert (found.relation, found.direction, found.because) == (Name.ADAPTER, Direction.DERIVATIVE, Because.FILES)
    assert found.is_kin and found.same_file and isinstance(found.probability, NotMeasured)
    assert house.kin(adapted)["base"].direction is Direction.PARENT


def test_a_merge_is_told_with_both_its_parents_whatever_was_published_first(house: House) -> None:
    """The means of its tensors lie on the line between theirs; those of the parent of two fine-tunes do not."""
    base = transformer(1)
    one, other = fine_tuned(base, 6, 0.1), fine_tuned(base, 7, 0.1)
    merged = {name: ((2 * values + other[name]) / 3).astype(np.float32) for name, values in one.items()}
    merge = house.put("merge", report(merged, "bf16"))
    parents = house.put("one", report(one)), house.put("other", report(other))
    base_too = house.put("base", report(base))
    found = house.kin(merge)
    for words in ("one", "other"):
        assert (found[words].relation, found[words].direction) == (Name.MERGED, Direction.PARENT)
        assert found[words].because is Because.BETWEEN
    assert house.kin(parents[0])["merge"].direction is Direction.DERIVATIVE
    assert Because.BETWEEN not in {each.because for each in house.kin(base_too).values() if each.label != "merge"}


def test_only_known_signers_make_kin_and_a_revoked_publication_makes_none(house: House) -> None:
    """A stranger's dossier is found by nobody until its signer is known and it is published again; revoked, it is gone."""
    parent = house.put("parent", PARENT)
    foreign = made.ed25519_key()
    unknown = house.put("child", CHILD, key=foreign)
    assert not unknown.signer_known and house.kin(parent) == {}
    asked = lineage_of(house.store, unknown.subject, house.clock.now)
    assert not asked.signer_known and [each.label for each in asked.kin] == ["parent"]
    trust(house.store, foreign.public, name="Other", by="test")
    house.clock.now -= timedelta(days=1)  # the same dossier
    again = house.put("child", CHILD, key=foreign)
    assert again.signer_known and house.kin(parent).keys() == {"child"}
    revoke(house.store, again.publication, by="maintainer", reason="the key was stolen")
    assert house.kin(parent) == {}


def test_many_weighings_of_one_model_are_one_kin(house: House) -> None:
    """The same weights weighed again, with the same fingerprint, are searched once; another fingerprint of the same weights is kin as well."""
    parent = house.put("parent", PARENT)
    for _ in range(3):
        house.put("child", CHILD)
    house.put("child", moved(PARENT, 0.02, 8))
    with house.store.reading() as connection:
        counted = connection.execute(select(marks.c.entry).where(marks.c.entry.is_not(None))).scalars().all()
    assert len(counted) == 3 and len(set(counted)) == 3
    assert house.kin(parent).keys() == {"child"}


def test_two_servers_on_one_database_see_what_either_publishes(house: House, url: str, clock: Clock) -> None:
    """Each keeps an index of its own, and looks at new rows before it searches."""
    with opened(url, clock) as second:
        parent = house.put("parent", PARENT)
        assert kin_of(second, parent.subject, clock.now) == ()
        house.put("child", CHILD)
        assert [each.label for each in kin_of(second, parent.subject, clock.now)] == ["child"]
        there = House.__new__(House)
        there.store, there.key, there.clock, there.folder = second, house.key, clock, house.folder
        there.put("grandchild", moved(CHILD, 0.05, 9))
        assert house.kin(parent).keys() == {"child", "grandchild"}


def test_what_a_writer_sees_before_it_commits_stays_in_no_index(house: House) -> None:
    """Within a transaction its own rows are found; undone, they are nowhere."""
    parent, child = house.put("parent", PARENT), house.put("child", CHILD)
    with house.store.writing() as connection:
        assert [each.label for each in kin_of(connection, parent.subject, house.clock.now)] == ["child"]
        assert len(kept(connection).index) == 0  # not from a writer
    house.kin(parent)
    with house.store.reading() as connection:
        assert len(kept(connection).index) == 2
    assert [each.label for each in kin_of(house.store, child.subject, house.clock.now)] == ["parent"]


def test_the_index_is_on_disk_for_the_next_start_and_for_no_other_registry(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is taken when the audit log has the entry that it ends with, else the index is made from the database."""
    monkeypatch.setattr(keeping, "LEAST_SAVED", 0)
    file = tmp_path / "cache" / "index.npz"
    parent, _ = house.put("parent", PARENT), house.put("child", CHILD)

    def searched(one: Kept) -> list[str]:
        with house.store.reading() as connection:
            found = one.search(connection, PARENT, 10)
        one.settle()
        return [each.name for each in found.near]

    first = searched(Kept(file))
    assert first[0] == parent.subject[-64:] and len(first) == 2 and file.exists()
    house.put("late", moved(PARENT, 0.1, 10))
    again = Kept(file)
    assert searched(again)[:2] == first and len(again.index) == 3
    still = Kept(file)
    monkeypatch.setattr(index_module, "_TAIL", 0)
    searched(still)
    assert still.index._state.indexed == len(still.index) == 3  # though nothing was published since
    other = Index()
    other.add("f" * 64, PARENT)
    for about in ({"entry": 1, "head": "sha256:" + "0" * 64}, {"entry": "1"}, {"entry": 99, "head": ""}):
        other.save(file, about)
        assert len(searched(Kept(file))) == 3
    file.write_bytes(b"PK not an index")
    assert len(searched(Kept(file))) == 3


def test_models_that_there_is_no_room_for_are_counted_and_told(house: House) -> None:
    """The bound on memory never makes a model look unrelated unsaid."""
    house.put("parent", PARENT)
    house.put("child", CHILD)
    with house.store.reading() as connection:
        found = Kept(most=1).search(connection, PARENT, 10)
    assert (found.compared, found.left_out) == (1, 1)


def test_searches_go_on_while_others_publish(house: House) -> None:
    """Nobody fails, and what was there before is found every time."""
    parent = house.put("parent", PARENT)
    house.put("child", CHILD)
    failed: list[object] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                if "child" not in {each.label for each in kin_of(house.store, parent.subject, house.clock.now)}:
                    failed.append("lost")
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    try:
        for seed in range(5):
            house.put(f"more {seed}", moved(PARENT, 0.05, 20 + seed))
    finally:
        done.set()
        for each in threads:
            each.join()
    assert not failed
    assert len(house.kin(parent)) == 6


def test_the_migration_gives_publications_that_are_there_what_publishing_gives(house: House) -> None:
    """Filled from the stored files, the rows are those that publishing wrote."""
    house.put("parent", report(transformer(1)), signed=True)
    house.put("child", CHILD, made_from="parent, lab/other", signed=True)
    house.put("unread", None, signed=True)
    house.put("foreign", CHILD, key=made.ed25519_key())
    tables = (marks, traits, declared)
    with house.store.writing() as connection:
        before = [sorted(map(repr, connection.execute(select(table)))) for table in tables]
        for table in tables:
            connection.execute(delete(table))
        step = importlib.import_module("weighbridge.registry.migrations.versions.0005_lineage")
        step._fill(connection)
        after = [sorted(map(repr, connection.execute(select(table)))) for table in tables]
    assert after == before and all(before)


def test_a_model_that_nobody_can_be_compared_with_is_not_measured_and_not_without_kin(house: House) -> None:
    alone = house.put("alone", PARENT)
    with house.store.reading() as connection:
        found = lineage_of(connection, alone.subject, house.clock.now)
    assert found.measured == NotMeasured("no other model here has a fingerprint to compare with")
    house.put("stranger", STRANGER)
    with house.store.reading() as connection:
        assert lineage_of(connection, alone.subject, house.clock.now).measured == 1
