"""Conversations on both databases: what is stored, who may read and ask, what a kill leaves, and what blind hides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.registry.databases import Clock
from weighbridge.errors import UsageError
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.conversations import (
    LEASE,
    MOST_LETTERS,
    Named,
    NotThere,
    NotYours,
    Setting,
    Side,
    SideState,
    Turn,
    Update,
    add_turn,
    ask_again,
    begin,
    conversations_of,
    find_conversation,
    find_side,
    flush,
    reveal,
    rungs_of,
    said_before,
    stop,
    storable,
    turns_of,
)
from weighbridge.registry.store import Store

GUARDED, PLAIN = Named("demo:guarded", "Guarded"), Named("demo:smollm2", "Plain")
API = Setting(rung=Rung.API)
ONE, OTHER = "1" * 32, "2" * 32


def begun(store: Store, *, owner: str = "ada", blind: bool = False, baseline: Named | None = PLAIN) -> str:
    with store.writing() as connection:
        return begin(connection, store.clock(), owner=owner, candidate=GUARDED, baseline=baseline, blind=blind)


def ask(
    store: Store,
    conversation: str,
    text: str = "Hello",
    *,
    owner: str = "ada",
    role: Role = Role.TESTER,
    setting: Setting = API,
) -> Turn:
    with store.writing() as connection:
        found = find_conversation(connection, conversation, name=owner, role=role)
        return add_turn(connection, store.clock(), found, by=owner, role=role, text=text, setting=setting, server=ONE)


def answered(store: Store, *updates: Update, server: str = ONE) -> frozenset[str]:
    with store.writing() as connection:
        return flush(connection, store.clock(), server, updates)


def finish(store: Store, turn: Turn, text: str = "Yes.") -> None:
    answered(store, *(Update(side.id, text, SideState.ANSWERED) for side in turn.sides))


def read(store: Store, conversation: str) -> tuple[Turn, ...]:
    with store.reading() as connection:
        return turns_of(connection, store.clock(), conversation)


def side_of(store: Store, identity: str, *, name: str = "ada", role: Role = Role.TESTER) -> Side:
    with store.reading() as connection:
        return find_side(connection, store.clock(), identity, name=name, role=role)[2]


def test_a_turn_is_stored_with_both_sides_waiting_before_anybody_is_asked(store: Store) -> None:
    identity = begun(store)
    turn = ask(store, identity, "Why is the sky blue?")
    [found] = read(store, identity)
    assert found == turn
    assert [(side.letter, side.state, side.text) for side in found.sides] == [
        ("A", SideState.WAITING, ""),
        ("B", SideState.WAITING, ""),
    ]


def test_text_grows_piece_by_piece_and_ends_once(store: Store) -> None:
    turn = ask(store, begun(store))
    side = turn.sides[0].id
    pieces = ["To", " be\n", "\u202e or \x00 not", " 🐋"]
    for piece in pieces:
        assert answered(store, Update(side, piece)) == frozenset()
    assert (
        answered(store, Update(side, "!", SideState.ANSWERED, subject="sha256:" + "0" * 64, finish="stop"))
        == frozenset()
    )
    found = side_of(store, side)
    assert (found.state, found.text, found.finish) == (SideState.ANSWERED, storable("".join(pieces) + "!"), "stop")
    assert answered(store, Update(side, "more")) == {side}, "what has ended does not grow"
    assert side_of(store, side) == found


def test_the_candidate_is_on_either_side_by_a_draw_and_is_told_by_revealing(store: Store) -> None:
    drawn = set()
    for _ in range(40):
        with store.writing() as connection:
            now = store.clock()
            identity = begin(connection, now, owner="ada", candidate=GUARDED, baseline=PLAIN, blind=True)
            found = find_conversation(connection, identity, name="ada", role=Role.TESTER)
            assert found.hidden
            drawn.add(found.model("A").reference)
            assert {found.model("A"), found.model("B")} == {GUARDED, PLAIN}
        if len(drawn) == 2:
            break
    assert drawn == {"demo:guarded", "demo:smollm2"}  # wrong once in 5e11 runs
    with store.writing() as connection:
        reveal(connection, store.clock(), identity, by="ada")
        reveal(connection, store.clock(), identity, by="ada")
    with store.reading() as connection:
        assert not find_conversation(connection, identity, name="ada", role=Role.TESTER).hidden
        verify_audit(connection)


def test_a_blind_conversation_needs_two_models(store: Store) -> None:
    for baseline in (None, GUARDED):
        with pytest.raises(UsageError, match="two models"):
            begun(store, blind=True, baseline=baseline)


def test_one_model_alone_has_one_side(store: Store) -> None:
    turn = ask(store, begun(store, baseline=None))
    assert [side.letter for side in turn.sides] == ["A"]


def test_only_the_owner_and_maintainers_read_and_only_the_owner_speaks(store: Store) -> None:
    identity = begun(store)
    turn = ask(store, identity)
    for role in (Role.VISITOR, Role.TESTER, Role.RESEARCHER):
        with pytest.raises(NotThere):
            side_of(store, turn.sides[0].id, name="eve", role=role)
    assert side_of(store, turn.sides[0].id, name="eve", role=Role.MAINTAINER).id == turn.sides[0].id
    with pytest.raises(NotYours, match="only whoever began"):
        ask(store, identity, owner="eve", role=Role.MAINTAINER)
    with store.reading() as connection:
        assert conversations_of(connection, "eve") == []
        [listed] = conversations_of(connection, "ada")
    assert (listed.conversation.id, listed.turns, listed.first) == (identity, 1, "Hello")


def test_a_role_asks_on_its_rungs_and_nobody_on_modified(store: Store) -> None:
    for role in Role:
        for rung in Rung:
            setting = Setting(rung=rung, technique="raw" if rung is Rung.WEIGHTS else "chat")
            identity = begun(store)
            if rung in rungs_of(role):
                turn = ask(store, identity, role=role, setting=setting)
                assert turn.setting.rung is rung
                finish(store, turn)
            else:
                with pytest.raises(NotYours, match="not measurable here" if rung is Rung.MODIFIED else "may not ask"):
                    ask(store, identity, role=role, setting=setting)
                assert read(store, identity) == ()


def test_what_a_setting_may_say() -> None:
    for wrong in (
        {"rung": "api", "technique": "raw"},
        {"rung": "weights"},
        {"rung": "weights", "technique": "raw", "opening": "Sure"},
        {"rung": "weights", "technique": "raw", "tries": 2},
        {"rung": "weights", "technique": "sampling", "tries": 5},
        {"rung": "weights", "technique": "sampling", "temperature": float("nan")},
        {"rung": "api", "max_tokens": 1_000_000},
    ):
        with pytest.raises(ValidationError):
            Setting.model_validate(wrong)


def test_samples_are_sides_of_their_own(store: Store) -> None:
    setting = Setting(rung=Rung.WEIGHTS, technique="sampling", tries=3)
    turn = ask(store, begun(store), role=Role.RESEARCHER, setting=setting)
    assert [(side.letter, side.trial) for side in turn.sides] == [
        (letter, trial) for letter in "AB" for trial in range(3)
    ]


def test_words_that_are_none_or_too_many_and_a_turn_that_is_still_open_are_refused(store: Store) -> None:
    identity = begun(store)
    for text in ("", " \n", "a" * (MOST_LETTERS + 1)):
        with pytest.raises(UsageError, match="no words"):
            ask(store, identity, text)
    first = ask(store, identity)
    with pytest.raises(UsageError, match="still being answered"):
        ask(store, identity)
    ask(store, begun(store))
    with pytest.raises(UsageError, match="2 of your turns"):
        ask(store, begun(store))
    ask(store, begun(store, owner="bob"), owner="bob")
    finish(store, first)
    assert ask(store, identity, "And then?").number == 2


def test_a_service_that_fell_silent_leaves_its_text_interrupted_and_it_can_be_asked_again(
    store: Store, clock: Clock
) -> None:
    identity = begun(store)
    turn = ask(store, identity)
    side = turn.sides[0].id
    answered(store, Update(side, "Partly "), Update(turn.sides[1].id))
    clock.now += LEASE
    assert side_of(store, side).state is SideState.ANSWERING, "a live service is never called gone"
    clock.now += timedelta(seconds=1)
    found = side_of(store, side)
    assert (found.state, found.text) == (SideState.INTERRUPTED, "Partly ")
    assert found.advice == "ask again"
    with store.writing() as connection:
        again = ask_again(connection, clock.now, side, by="ada", role=Role.TESTER, server=OTHER)
    assert answered(store, Update(side, "whole.", SideState.ANSWERED)) == {side}, "whoever was gone has lost it"
    assert answered(store, Update(again.id, "All of it.", SideState.ANSWERED), server=OTHER) == frozenset()
    [found_turn] = read(store, identity)
    assert [(each.attempt, each.text) for each in found_turn.sides if each.letter == "A"] == [
        (0, "Partly "),
        (1, "All of it."),
    ]
    assert [each.id for each in found_turn.latest] == [again.id, turn.sides[1].id]


def test_a_service_that_was_only_slow_goes_on(store: Store, clock: Clock) -> None:
    turn = ask(store, begun(store))
    clock.now += LEASE * 2
    assert side_of(store, turn.sides[0].id).state is SideState.INTERRUPTED
    assert answered(store, Update(turn.sides[0].id, "Here I am.", SideState.ANSWERED)) == frozenset()
    assert side_of(store, turn.sides[0].id).state is SideState.ANSWERED


def test_what_is_no_id_is_not_there(store: Store) -> None:
    for identity in ("\x00", "x" * 10_000, "\ud83d", ""):
        with pytest.raises(NotThere):
            side_of(store, identity)
        with store.reading() as connection, pytest.raises(NotThere):
            find_conversation(connection, identity, name="ada", role=Role.MAINTAINER)


def test_another_service_cannot_write_into_a_side(store: Store) -> None:
    side = ask(store, begun(store)).sides[0].id
    assert answered(store, Update(side, "mine"), server=OTHER) == {side}
    assert side_of(store, side).text == ""


def test_stopping_keeps_what_came_and_the_service_learns_of_it(store: Store) -> None:
    side = ask(store, begun(store)).sides[0].id
    answered(store, Update(side, "Some "))
    with store.writing() as connection:
        assert stop(connection, store.clock(), side)
        assert not stop(connection, store.clock(), side)
    assert answered(store, Update(side, "more")) == {side}
    assert (side_of(store, side).state, side_of(store, side).text) == (SideState.STOPPED, "Some ")


def test_what_was_answered_is_not_asked_again_and_nobody_else_asks_again(store: Store) -> None:
    turn = ask(store, begun(store))
    first, second = turn.sides
    answered(
        store, Update(first.id, "Yes.", SideState.ANSWERED), Update(second.id, "", SideState.FAILED, problem="it broke")
    )
    with store.writing() as connection:
        for side, by, role, what in (
            (first.id, "ada", Role.TESTER, UsageError),
            (second.id, "eve", Role.RESEARCHER, NotThere),
            (second.id, "eve", Role.MAINTAINER, NotYours),
        ):
            with pytest.raises(what):
                ask_again(connection, store.clock(), side, by=by, role=role, server=ONE)


def test_a_role_that_was_lowered_does_not_ask_again_on_weights(store: Store) -> None:
    turn = ask(store, begun(store), role=Role.RESEARCHER, setting=Setting(rung=Rung.WEIGHTS, technique="raw"))
    answered(store, Update(turn.sides[0].id, "", SideState.FAILED))
    with store.writing() as connection, pytest.raises(NotYours):
        ask_again(connection, store.clock(), turn.sides[0].id, by="ada", role=Role.TESTER, server=ONE)


def test_each_side_hears_its_own_answers_and_a_turn_without_one_is_left_out(store: Store) -> None:
    identity = begun(store)
    first = ask(store, identity, "One?")
    answered(
        store, Update(first.sides[0].id, "a1", SideState.ANSWERED), Update(first.sides[1].id, "", SideState.FAILED)
    )
    second = ask(store, identity, "Two?")
    answered(
        store,
        Update(second.sides[0].id, " so", SideState.ANSWERED, prefill="Sure,"),
        Update(second.sides[1].id, "b2", SideState.ANSWERED),
    )
    third = ask(store, identity, "Three?")
    earlier = read(store, identity)
    assert said_before(earlier, third.number, "A") == (("One?", "a1"), ("Two?", "Sure, so"))
    assert said_before(earlier, third.number, "B") == (("Two?", "b2"),)


@given(st.text(st.characters(), max_size=40) | st.text(st.sampled_from("\x00\ud83d\ude00a"), max_size=20))
def test_what_is_stored_has_the_same_length_and_every_database_takes_it(text: str) -> None:
    kept = storable(text)
    assert len(kept) == len(text)
    assert "\x00" not in kept
    kept.encode("utf-8")
