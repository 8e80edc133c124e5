"""A blind conversation: nothing that leaves the server says which side is which, before it is revealed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.endpoint import Behaviour, status
from tests.fakes.streaming import breaks_off, streams
from tests.registry.databases import NOW
from tests.web.workbench.conftest import WORDS, Chat, chatting
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.conversations import Conversation, Named, Setting, Side, SideState, Turn, find_conversation
from weighbridge.registry.store import Store
from weighbridge.web.workbench.asking import ONE_CANNOT, ONE_FAILED, Job
from weighbridge.web.workbench.views import turn_view

HEX = re.compile(r"\b[0-9a-f]{32}\b")


def drawn(chat: Chat, conversation: str) -> Conversation:
    with chat.store.reading() as connection:
        return find_conversation(connection, conversation, name=chat.name, role=chat.role)


def without_ids(text: str) -> str:
    """Return a page with each random id replaced by its place, so that two conversations can be held side by side."""
    places: dict[str, str] = {}
    text = HEX.sub(lambda found: places.setdefault(found[0], f"id{len(places)}"), text)
    return re.sub(r"\d+ \w+ \d{4}, \d\d:\d\d UTC", "some time", text)


def paths(turn: str, side: str) -> tuple[str, ...]:
    return f"sides/{side}/events", f"sides/{side}", f"turns/{turn}", f"sides/{side}/tags"


def both_draws(chat: Chat, how: str = "api") -> dict[str, tuple[str, list[object], str]]:
    """Return what is sent of conversations that differ in nothing but the draw: the page, the events of each side, the headers."""
    found: dict[str, tuple[str, list[object], str]] = {}
    for number in range(40):
        chat.name = f"person{number // 10}"  # nobody's limit is reached
        conversation, turn = chat.answer("Who are you?", how, blind=True)
        draw = drawn(chat, conversation).candidate_is
        if draw in found:
            continue
        page = chat.get(f"/workbench/conversations/{conversation}")
        lines = [chat.get(f"/workbench/{path}") for side in turn.sides for path in paths(turn.id, side.id)]
        headers = [sorted(each.headers.items()) for each in (page, *lines)]
        text = page.text.replace(chat.name, "somebody")
        found[draw] = (
            without_ids(text),
            [without_ids(each.text.replace(chat.name, "somebody")) for each in lines],
            without_ids(repr(headers)),
        )
        if len(found) == 2:
            return found
    raise AssertionError("one draw in forty")


@pytest.mark.parametrize(
    ("first", "second", "how"),
    [
        (WORDS, WORDS, "api"),
        (status(400, "only the first says this"), status(400, "the second's own words"), "api"),
        (breaks_off(["Hello, you there."]), breaks_off(["Hello, you there."]), "api"),
        (WORDS, WORDS, "hosted"),  # one has a system prompt and the other has none
        (WORDS, status(401, "no"), "weights:raw"),  # one gives raw completion and the other does not
    ],
    ids=["answered", "failed", "broke off", "hosted", "weights"],
)
def test_of_two_conversations_that_differ_in_the_draw_the_same_is_sent(
    store: Store, first: Behaviour, second: Behaviour, how: str
) -> None:
    with chatting(store, first, second, guard="Be kind.", role=Role.RESEARCHER) as chat:
        found = both_draws(chat, how)
        assert found["A"] == found["B"]


def test_what_is_not_told_is_told_after_revealing(store: Store) -> None:
    with chatting(store, status(400, "only the candidate says this"), WORDS) as chat:
        conversation, _ = chat.answer(blind=True)
        page = chat.page(conversation)
        assert "says this" not in page and "which model it is" in page
        assert chat.post(f"/workbench/conversations/{conversation}/reveal").status_code == 303
        page = chat.page(conversation)
        assert "says this" in page and re.search(r"A is \S+ at 127", page)


def test_on_a_rung_that_one_has_not_neither_is_asked(store: Store) -> None:
    with chatting(store, WORDS, WORDS, guard="Be kind.") as chat:
        _, turn = chat.answer(how="hosted", blind=True)
        assert [(side.state, side.problem) for side in turn.sides] == [(SideState.NOT_MEASURED, ONE_CANNOT)] * 2
        assert all(server.asked == [] for server in chat.servers)  # type: ignore[attr-defined]


def test_when_one_model_cannot_be_loaded_neither_is_asked(store: Store) -> None:
    with chatting(store, WORDS, WORDS, models=status(401, "no")) as chat:
        chat.servers[0]._models = None  # type: ignore[attr-defined]
        _, turn = chat.answer(blind=True)
        assert [(side.state, side.problem) for side in turn.sides] == [(SideState.FAILED, ONE_FAILED)] * 2


@pytest.mark.parametrize("candidate_is", ["A", "B"])
def test_the_candidate_is_loaded_first_whichever_side_it_is_on(candidate_is: str) -> None:
    """A person sees which model is being loaded."""
    models = Named("m1", "One"), Named("m2", "Two")
    conversation = Conversation("c", "ada", *models, True, candidate_is, None, NOW, NOW)
    turn = Turn("t", "c", 1, "Hello", Setting(rung=Rung.API), NOW, ())
    assert Job(conversation, turn, (), ()).references == ("m1", "m2")


def test_answers_of_a_blind_conversation_come_in_steps_of_time_not_in_the_servers_pieces(store: Store) -> None:
    pieces = [f"{number} " for number in range(100)]
    with chatting(store, streams(pieces, gap_s=0.01), streams(pieces, gap_s=0.01)) as chat:
        conversation = chat.begin(blind=True)
        chat.say(conversation)
        side = chat.turns(conversation)[0].sides[0].id
        assert len([each for each in chat.events(side) if each[0] == "text"]) <= 20


texts = st.none() | st.text(max_size=12)
sides = st.builds(
    dict,
    subject=texts | st.just("sha256:" + "0" * 64),
    technique=texts,
    problem=st.just("x") | st.text(min_size=1, max_size=9),
    advice=texts,
)


@given(sides, sides, st.sampled_from([SideState.FAILED, SideState.NOT_MEASURED]), st.integers(0, 9), st.booleans())
def test_what_is_shown_of_a_hidden_side_depends_on_nothing_that_differs_between_models(
    one: dict[str, str], other: dict[str, str], state: SideState, late: int, is_a: bool
) -> None:
    def shown(candidate_is: str, facts: dict[str, str], seconds: int) -> object:
        conversation = Conversation(
            "c", "ada", Named("m1", "One"), Named("m2", "Two"), True, candidate_is, None, NOW, NOW
        )
        side = Side(
            "s", "t", "A", 0, 0, None, None, "", state, "Text", None, None, "stop", "server", NOW, NOW
        )  # fmt: skip
        side = replace(
            side, **facts, ended_at=NOW + timedelta(seconds=seconds), beat_at=NOW + timedelta(seconds=seconds)
        )
        turn = Turn("t", "c", 1, "Hello", Setting(rung=Rung.API), NOW, (side,))
        return turn_view(conversation, turn)

    assert shown("A", one, 0) == shown("B" if is_a else "A", other, late)
