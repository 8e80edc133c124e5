"""The labelling queue, on both databases: who is given what, what is kept, and what `weighbridge calibrate` takes back."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.registry.databases import Clock, opened
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Estimate, NotMeasured
from weighbridge.graders.labels import read_labels
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.labelling import (
    LEASE,
    MAX_BYTES,
    MAX_LINES,
    agreement,
    batches,
    claim,
    combined,
    counts,
    label,
    label_file,
    look,
    skip,
    take_in,
    take_up_skipped,
    undo,
)
from weighbridge.registry.store import Store
from weighbridge.registry.tables.ratings import labels

YES = {"coherent": 1.0, "refused": 0.0, "enable": 1.0}
NO = {"coherent": 1.0, "refused": 1.0, "enable": 0.0}


def proposed(answers: int, **more: Any) -> bytes:
    """A file as `calibrate --propose` writes it, of harmless prompts."""
    lines = (
        {
            "id": f"sha256:{number:064x}",
            "dataset": "Model on api",
            "category": "hate",
            "verb": "enable",
            "cluster": f"prompt {number}",
            "probability": 0.5,
            "least_probability": 0.25,
            "prompt": f"Prompt {number}",
            "prefill": "",
            "answer": f"Answer {number}",
            "enable": None,
            "refused": None,
            **more,
        }
        for number in range(answers)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def queue(store: Store, answers: int = 3, second_percent: int = 0) -> str:
    return take_in(store, proposed(answers), name="to label.jsonl", second_percent=second_percent, by="maintainer")


def name(store: Store, item: str | None, rater: str) -> str:
    assert item is not None
    with store.reading() as connection:
        return look(connection, item, store.clock(), rater=rater).answer.request.prompt


def test_people_label_one_at_a_time_and_the_file_comes_back(store: Store, tmp_path: Path) -> None:
    """What two people said is in the file that `calibrate` reads, and the line that nobody labelled is there, too."""
    batch = queue(store)
    first = claim(store, batch, rater="ann")
    assert first is not None
    second = label(store, first, YES, rater="ann")
    third = label(store, str(second), NO, rater="ann")
    assert third is not None
    path = tmp_path / "back.jsonl"
    path.write_bytes(label_file(store, batch, by="maintainer")[1])
    answers, facts = read_labels(path)
    assert (facts.answers, facts.labelled) == (3, 2)
    assert [one.labels for one in answers] == [YES, NO, {}]
    assert {one.probability for one in answers} == {0.5}
    assert all(one.asked >= {"enable", "refused"} for one in answers)
    assert [one.request.id for one in answers] == [f"sha256:{number:064x}" for number in range(3)]
    with store.reading() as connection:
        found = counts(connection, batch, store.clock(), rater="ann")
        verify_audit(connection)
    assert (found.done, found.left, found.yours, found.out) == (2, 1, 2, 1)


def test_what_one_has_nobody_else_is_given_until_the_time_is_up(store: Store, clock: Clock) -> None:
    """A lease: it survives a reload, and ends. A label that comes too late is kept all the same, also when another has the answer by then."""
    batch = queue(store, 2)
    mine = claim(store, batch, rater="ann")
    assert mine is not None
    assert claim(store, batch, rater="ann") == mine
    other = claim(store, batch, rater="bob")
    assert other not in (mine, None)
    assert claim(store, batch, rater="eve") is None
    with pytest.raises(UsageError, match="somebody else"):
        name(store, mine, "bob")
    clock.now += LEASE + timedelta(seconds=1)
    assert claim(store, batch, rater="eve") == mine
    label(store, mine, YES, rater="ann")
    label(store, mine, NO, rater="eve")
    with store.reading() as connection:
        assert counts(connection, batch, store.clock()).labels == 2


def test_people_who_come_at_once_are_given_different_answers(store: Store) -> None:
    """Eight people, eight answers."""
    batch = queue(store, 8)
    found: list[str | None] = []

    def come(number: int) -> None:
        found.append(claim(store, batch, rater=f"rater {number}"))

    threads = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(found)) == 8
    assert None not in found


def test_a_second_label_is_never_asked_of_the_same_person(store: Store) -> None:
    """All wanted twice: one person runs out, another finds all of them, and agreement is told with an interval."""
    batch = queue(store, 6, second_percent=100)

    def all_of(rater: str, said: Any) -> int:
        item, done = claim(store, batch, rater=rater), 0
        while item is not None:
            item, done = label(store, item, said(name(store, item, rater)), rater=rater), done + 1
        return done

    def even(prompt: str) -> dict[str, float]:
        return YES if int(prompt[-1]) % 2 else NO

    assert all_of("ann", even) == 6
    assert claim(store, batch, rater="ann") is None
    assert all_of("bob", even) == 6
    assert claim(store, batch, rater="eve") is None
    with store.reading() as connection:
        found, agreed = counts(connection, batch, store.clock()), agreement(connection, batch)
    assert (found.done, found.labels, found.seconds, found.seconds_wanted) == (6, 12, 6, 6)
    assert isinstance(agreed["refused"], Estimate)
    assert agreed["refused"].value == 1
    assert agreed["refused"].low < 0.5
    assert isinstance(agreed["coherent"], NotMeasured)


def test_undoing_gives_the_answer_back_and_the_label_stays_in_the_books(store: Store) -> None:
    """The last thing is undone first, skips too; nothing is deleted."""
    batch = queue(store)
    first = claim(store, batch, rater="ann")
    assert first is not None
    second = label(store, first, YES, rater="ann")
    assert second is not None
    third = skip(store, second, rater="ann")
    assert third not in (first, second, None)
    assert undo(store, batch, rater="ann") == second
    assert undo(store, batch, rater="ann") == first
    assert undo(store, batch, rater="ann") is None
    with store.reading() as connection:
        assert look(connection, first, store.clock(), rater="ann").earlier == YES
        rows = connection.execute(select(labels.c.skipped, labels.c.ended_at)).all()
    assert sorted(row.skipped for row in rows) == [False, True]
    assert all(row.ended_at is not None for row in rows)


def test_what_is_skipped_goes_to_others_and_can_be_taken_up(store: Store) -> None:
    """Until then the one who skipped it is not asked again."""
    batch = queue(store, 1)
    item = claim(store, batch, rater="ann")
    assert item is not None
    assert skip(store, item, rater="ann") is None
    with store.reading() as connection:
        found = counts(connection, batch, store.clock(), rater="ann")
    assert (found.left, found.skipped, found.yours) == (1, 1, 0)
    assert claim(store, batch, rater="ann") is None
    assert take_up_skipped(store, batch, rater="ann") == item
    label(store, item, YES, rater="ann")
    assert claim(store, batch, rater="bob") is None


def test_said_once_more_the_later_word_counts(store: Store) -> None:
    """As after a double click, or a change of mind: one label stands."""
    batch = queue(store, 1)
    item = claim(store, batch, rater="ann")
    assert item is not None
    for said in (YES, NO):
        label(store, item, said, rater="ann")
    line = json.loads(label_file(store, batch, by="m")[1])
    assert (line["refused"], line["enable"], len(line["by_rater"])) == (True, 0.0, 1)


def test_people_who_differ_are_a_mean_or_nothing(store: Store, clock: Clock) -> None:
    """Of a verb the mean; of yes and no nothing, where as many say one as the other: it is not labelled."""
    batch = queue(store, 1, second_percent=100)
    for rater, said in (("ann", YES), ("bob", NO)):
        item = claim(store, batch, rater=rater)
        assert item is not None
        label(store, item, said, rater=rater)
    line = json.loads(label_file(store, batch, by="m")[1])
    assert (line["enable"], line["refused"], line["coherent"]) == (0.5, None, True)
    assert line["by_rater"] == [{"rater": 1, **YES}, {"rater": 2, **NO}]
    assert combined("refused", [1, 1, 0]) is True


def test_all_of_it_survives_a_restart(url: str) -> None:
    """Labels, skips and who has what in front of them are in the database."""
    with opened(url) as store:
        batch = queue(store, 3)
        first = claim(store, batch, rater="ann")
        assert first is not None
        here = label(store, first, YES, rater="ann")
    with opened(url) as store:
        assert claim(store, batch, rater="ann") == here
        with store.reading() as connection:
            assert [one.batch for one in batches(connection)] == [batch]
            assert counts(connection, batch, store.clock(), rater="ann").yours == 1


def test_a_file_that_is_none_is_refused_whole(store: Store) -> None:
    """Nothing of it is stored, and the error tells the line or the bound."""
    bare = b"".join(b'{"prompt":"p","answer":"a","id":"%d"}\n' % number for number in range(MAX_LINES + 1))
    for data, told in (
        (b"", "no answer"),
        (b"\n\n", "no answer"),
        (b"[1]\n", "line 1"),
        (proposed(1, category="child_sexual_exploitation"), "no text is kept"),
        (proposed(1, enable=1, refused=0, coherent=1), "already"),
        (proposed(1, id="same") * 2, "twice"),
        (proposed(1, answer=7), "line 1"),
        (b'{"prompt": "' + b"[" * 100_000, "not JSON"),
        (bare, "more than 20,000"),
        (b" " * (MAX_BYTES + 1), "32 MiB"),
        (proposed(1) + proposed(1, answer="a" * (1 << 20)), "line 2"),
    ):
        with pytest.raises(UsageError, match=told):
            take_in(store, data, name="x.jsonl", second_percent=10, by="m")
    with pytest.raises(UsageError, match="per cent"):
        queue(store, 1, second_percent=101)
    with store.reading() as connection:
        assert batches(connection) == []


def test_what_is_no_label_is_refused(store: Store) -> None:
    """A field that is not asked, a half yes, a number out of range or none, nothing at all, an answer that is not there."""
    item = claim(store, queue(store, 1), rater="ann")
    assert item is not None
    for said in ({}, {"endorse": 1.0}, {"refused": 0.5}, {"enable": 1.5}, {"enable": float("nan")}):
        with pytest.raises(UsageError):
            label(store, item, said, rater="ann")
    with pytest.raises(UsageError, match="no such answer"):
        label(store, "0" * 32, YES, rater="ann")
    with pytest.raises(UsageError, match="no such batch"):
        claim(store, "0" * 32, rater="ann")


def test_only_what_has_no_label_yet_is_asked(store: Store) -> None:
    """A file that comes back half labelled goes on from there, and its labels stay."""
    batch = take_in(store, proposed(1, refused=1), name="x.jsonl", second_percent=0, by="m")
    item = claim(store, batch, rater="ann")
    assert item is not None
    with store.reading() as connection:
        assert look(connection, item, store.clock(), rater="ann").fields == ("coherent", "enable")
    label(store, item, {"enable": 0.5}, rater="ann")
    line = json.loads(label_file(store, batch, by="m")[1])
    assert (line["refused"], line["enable"], line["coherent"]) == (1, 0.5, None)
