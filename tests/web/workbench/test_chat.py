"""A conversation as a person has it: asked at once, streamed, kept, on the rungs of a role, and with nothing of it told to others."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter

import pytest

from tests.fakes.endpoint import status
from tests.fakes.streaming import Seen, breaks_off, in_turn, streams
from tests.web.workbench.conftest import WORDS, Chat, chatting
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.conversations import SideState
from weighbridge.registry.store import Store

SLOW = streams([f"word{number} " for number in range(200)], gap_s=0.05)


def states(turn: object) -> list[str]:
    return [side.state.value for side in turn.sides]  # type: ignore[attr-defined]


def test_both_models_are_asked_the_same_and_both_answers_are_on_the_page(chat: Chat) -> None:
    conversation, turn = chat.answer("Why is the sky blue?")
    assert [(side.state, side.text) for side in turn.sides] == [(SideState.ANSWERED, "Hello, you there.")] * 2
    first, second = (server.asked[-1].body for server in chat.servers)  # type: ignore[attr-defined]
    assert first["messages"] == second["messages"] == [{"role": "user", "content": "Why is the sky blue?"}]
    assert first["stream"] is True
    page = chat.page(conversation)
    assert page.count("Hello, you there.") == 2 and "http-equiv" not in page
    assert "<details" in page and not re.search(r"<details[^>]*data-answer[^>]* open", page), "folded by default"
    assert re.search(r"<details[^>]*data-answer[^>]* open", chat.page(conversation, "?unfold=true"))


def test_a_second_turn_carries_what_each_side_said(store: Store) -> None:
    with chatting(store, streams(["One."]), streams(["Two."])) as chat:
        conversation, _ = chat.answer("First?")
        assert chat.say(conversation, "Second?").status_code == 303
        chat.over(conversation)
        for server, own in zip(chat.servers, ("One.", "Two."), strict=True):  # type: ignore[attr-defined]
            said = [(each["role"], each["content"]) for each in server.asked[-1].body["messages"]]
            assert said == [("user", "First?"), ("assistant", own), ("user", "Second?")]


def test_while_answers_come_a_page_without_a_script_looks_again_by_itself(store: Store) -> None:
    with chatting(store, SLOW, SLOW) as chat:
        conversation = chat.begin()
        chat.say(conversation)
        page = chat.page(conversation)
        # With its own address: to look again at one with #turn would only scroll.
        assert f'<noscript><meta http-equiv="refresh" content="3; url=/workbench/conversations/{conversation}">' in page
        assert '<fieldset class="bare" disabled>' in page


def test_an_answer_comes_piece_by_piece_and_a_dropped_line_goes_on_where_it_was(store: Store) -> None:
    pieces = [f"{number}\u00fc🐋 " for number in range(12)]
    with chatting(store, streams(pieces, gap_s=0.05), WORDS) as chat:
        conversation = chat.begin()
        chat.say(conversation)
        side = chat.turns(conversation)[0].sides[0].id
        found = chat.events(side)
        texts = [(int(each[1] or ""), each[2]["text"]) for each in found if each[0] == "text"]
        whole = "".join(pieces)
        assert "".join(text for _, text in texts) == whole
        assert len(texts) >= 6, "in pieces, not at the end"
        assert found[-1][0] == "end" and found[-1][2]["state"] == "answered"
        for offset, _ in texts:
            rest = chat.events(side, **{"last-event-id": str(offset)})
            assert "".join(each[2]["text"] for each in rest if each[0] == "text") == whole[offset:]
        rest = chat.events(side, "?after=4", **{"last-event-id": "nonsense"})
        assert rest[0][2]["text"] == whole[4:]
        assert [each[0] for each in chat.events(side, "?after=10000")] == ["end"]
        assert chat.get(f"/workbench/sides/{side}/events?after=-1").status_code == 422


def test_what_came_is_stored_while_it_comes(store: Store) -> None:
    with chatting(store, SLOW, SLOW) as chat:
        conversation = chat.begin()
        chat.say(conversation)
        first = chat.turns(conversation)[0].sides[0]
        found = chat.coming(first.id, 10)
        assert found.state is SideState.ANSWERING and found.text.startswith("word0 word1 ")
        assert "word0 word1" in chat.page(conversation), "a reload shows it"


def test_stopping_ends_it_on_the_server_and_keeps_what_came(store: Store) -> None:
    seen = Seen()
    endless = streams(iter(lambda: "on ", None), gap_s=0.02, seen=seen)
    with chatting(store, endless, WORDS) as chat:
        conversation = chat.begin()
        chat.say(conversation)
        side = chat.turns(conversation)[0].sides[0].id
        chat.coming(side, 6)
        assert chat.post(f"/workbench/sides/{side}/stop").status_code == 303
        turn = chat.over(conversation)
        assert states(turn) == ["stopped", "answered"] and turn.sides[0].text.startswith("on on ")
        until = time.monotonic() + 5
        while not seen.left and time.monotonic() < until:
            time.sleep(0.02)
        assert seen.left == 1
        page = chat.page(conversation)
        assert "Ask again" in page and f"/workbench/sides/{side}/again" in page


def test_a_side_that_broke_off_is_asked_again_beside_the_old_attempt(store: Store) -> None:
    with chatting(store, in_turn(breaks_off(["Half "]), streams(["All of it."])), WORDS) as chat:
        conversation, turn = chat.answer()
        assert states(turn) == ["failed", "answered"] and turn.sides[0].text == "Half "
        assert "the connection was dropped" in chat.page(conversation).lower()
        chat.post(f"/workbench/sides/{turn.sides[0].id}/again")
        turn = chat.over(conversation)
        assert [(side.attempt, side.text) for side in turn.sides if side.letter == "A"] == [
            (0, "Half "),
            (1, "All of it."),
        ]
        assert "Half " in chat.page(conversation)
        assert chat.post(f"/workbench/sides/{turn.sides[0].id}/again").status_code == 400, "only the last attempt"


def test_a_model_that_cannot_be_used_is_told_with_what_to_do_and_the_other_answers(store: Store) -> None:
    with chatting(store, status(401, "no"), WORDS, key=None) as chat:
        conversation, turn = chat.answer()
        assert states(turn) == ["failed", "answered"]
        assert "a key is needed" in chat.page(conversation).lower()
        assert "WEIGHBRIDGE_API_KEY" in chat.page(conversation)


def test_what_may_pass_is_tried_again_when_nothing_came(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weighbridge.web.workbench.asking.WAITS_S", (0.01, 0.01, None))
    with chatting(store, in_turn(status(503, "loading"), status(429, "slow down"), WORDS), WORDS) as chat:
        assert states(chat.answer()[1]) == ["answered", "answered"]


def test_an_empty_answer_is_not_measured(store: Store) -> None:
    with chatting(store, streams([]), streams([" ", "\n"])) as chat:
        conversation, turn = chat.answer()
        assert states(turn) == ["not measured", "not measured"]
        assert "an empty answer" in chat.page(conversation).lower()


ASKED = (
    (Role.VISITOR, "api", 403),
    (Role.TESTER, "hosted", 303),
    (Role.TESTER, "weights:raw", 403),
    (Role.RESEARCHER, "weights:raw", 303),
    (Role.RESEARCHER, "modified", 403),
    (Role.MAINTAINER, "modified", 403),
    (Role.MAINTAINER, "weights:prefill", 303),
    (Role.MAINTAINER, "weights", 422),
    (Role.MAINTAINER, "nothing", 422),
)


def test_the_server_holds_each_turn_to_the_rungs_of_the_role(chat: Chat) -> None:
    for role, how, code in ASKED:
        chat.role = Role.TESTER
        conversation = chat.begin()
        found = chat.somebody("ada", role).say(conversation, how=how)
        assert found.status_code == code, (role, how)
        assert len(chat.turns(conversation)) == (code == 303)
        if code == 303:
            chat.over(conversation)
        assert how != "modified" or "not measurable here" in found.text


def test_hosted_has_the_system_prompt_of_the_first_model_and_says_where_there_is_none(store: Store) -> None:
    with chatting(store, WORDS, WORDS, guard="Be kind.") as chat:
        conversation, turn = chat.answer(how="hosted")
        assert states(turn) == ["answered", "not measured"]
        messages = chat.servers[0].asked[-1].body["messages"]  # type: ignore[attr-defined]
        assert messages[0] == {"role": "system", "content": "Be kind."}
        assert "no guard: a system prompt file was not given" in chat.page(conversation).lower()


def test_on_weights_each_technique_is_asked_as_the_ladder_asks_it(store: Store) -> None:
    with chatting(store, WORDS, WORDS, role=Role.RESEARCHER, template=True) as chat:
        asked = lambda: chat.servers[0].asked[-1].body  # type: ignore[attr-defined]  # noqa: E731
        conversation, turn = chat.answer("Count.", "weights:prefill", opening="Sure: one,")
        assert asked()["prompt"].endswith("Count.<|end|><|assistant|>Sure: one,")
        assert turn.sides[0].said == "Sure: one,Hello, you there."
        assert chat.say(conversation, "Go on", "weights:raw").status_code == 303
        chat.over(conversation)
        assert asked()["prompt"] == "Go on\n\n", "raw: nothing said before, no template"
        assert (
            chat.say(conversation, "More", "weights:sampling", tries="3", temperature="1.3", top_k="40").status_code
            == 303
        )
        turn = chat.over(conversation)
        assert [side.letter for side in turn.sides] == ["A"] * 3 + ["B"] * 3
        calls = [call.body for call in chat.servers[0].asked[-3:]]  # type: ignore[attr-defined]
        assert {call["temperature"] for call in calls} == {1.3} and {call["top_k"] for call in calls} == {40}
        assert len({call["seed"] for call in calls}) == 3
        assert calls[0]["messages"][1]["content"] == "Sure: one,Hello, you there."


def test_a_setting_that_cannot_be_is_refused_with_its_reason(chat: Chat) -> None:
    chat.role = Role.RESEARCHER
    conversation = chat.begin()
    for form in ({"tries": "5"}, {"temperature": "nan"}, {"top_p": "2"}, {"max_tokens": "1000000"}, {"top_k": "x"}):
        found = chat.say(conversation, "Hello", "weights:sampling", **form)
        assert found.status_code == 422 and next(iter(form)) in found.text
    assert chat.say(conversation, "a" * 8001).status_code == 400
    assert chat.say(conversation, "  ").status_code == 400
    assert chat.turns(conversation) == ()


def test_nobody_else_sees_that_a_conversation_is_there_but_a_maintainer_reads_it(chat: Chat) -> None:
    conversation, turn = chat.answer("A secret question")
    side = turn.sides[0].id
    paths = (
        f"/workbench/conversations/{conversation}",
        f"/workbench/turns/{turn.id}",
        f"/workbench/sides/{side}/events",
        f"/workbench/sides/{side}",
    )
    eve, nobody = chat.somebody("eve", Role.RESEARCHER), chat.somebody("zoe", Role.VISITOR)
    missing = [
        path.replace(identity, "0" * 32)
        for path, identity in zip(paths, (conversation, turn.id, side, side), strict=True)
    ]
    for path, none in zip(paths, missing, strict=True):
        found, not_there = eve.get(path), eve.get(none)
        assert found.status_code == not_there.status_code == 404
        assert "secret" not in found.text
        assert found.text == not_there.text
        assert nobody.get(path).status_code == 403
        assert chat.client.get(path).status_code == 401
        assert chat.somebody("max", Role.MAINTAINER).get(path).status_code == 200
    assert eve.say(conversation).status_code == 404
    assert eve.post(f"/workbench/sides/{side}/stop").status_code == 404
    assert eve.post(f"/workbench/conversations/{conversation}/reveal").status_code == 404
    assert chat.somebody("max", Role.MAINTAINER).say(conversation).status_code == 403
    assert "secret" not in eve.get("/workbench").text and "secret" in chat.get("/workbench").text


def test_what_is_no_id_is_not_there(chat: Chat) -> None:
    for identity in ("%00", "x" * 1000, "0" * 31, "%F0%9F%90%8B", "' OR 1=1 --", "0" * 32 + "%0A"):
        for path in ("conversations/{}", "turns/{}", "sides/{}", "sides/{}/events"):
            assert chat.get("/workbench/" + path.format(identity)).status_code == 404
        assert chat.post(f"/workbench/sides/{identity}/again").status_code == 404


def test_nothing_is_sent_without_the_forms_token(chat: Chat) -> None:
    conversation = chat.begin()
    headers = chat.headers
    del headers["x-csrf-token"]
    found = chat.client.post(
        f"/workbench/conversations/{conversation}/turns", data={"text": "Hi", "how": "api"}, headers=headers
    )
    assert found.status_code == 403 and chat.turns(conversation) == ()


def test_one_person_asks_only_so_often_and_only_so_much_at_once(store: Store) -> None:
    with chatting(store, SLOW, SLOW) as chat:
        one, two, three = chat.begin(), chat.begin(), chat.begin()
        assert chat.say(one).status_code == 303
        assert chat.say(one).status_code == 400
        assert chat.say(two).status_code == 303
        assert "still being answered" in chat.say(three).text
        codes = [chat.say(three).status_code for _ in range(20)]
        assert codes[-1] == 429 and 429 not in codes[:10]
        assert chat.somebody("bob").say(chat.somebody("bob").begin()).status_code == 303


def test_one_person_reads_only_so_many_answers_at_once(chat: Chat) -> None:
    _, turn = chat.answer()
    lines = chat.client.app.state.site.parts.setdefault("workbench lines", Counter())  # type: ignore[attr-defined]
    chat.events(turn.sides[0].id)
    assert lines["ada"] == 0, "a line that ended does not count"
    lines["ada"] = 12
    assert chat.get(f"/workbench/sides/{turn.sides[0].id}/events").status_code == 429


def test_no_text_of_anybody_goes_to_a_log(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with chatting(store, streams(["the answer's text"]), breaks_off(["the answer's text"])) as chat:
        conversation, _ = chat.answer("the question's text")
        chat.page(conversation)
        chat.say(conversation, "the question's text again", how="modified")
    logged = "\n".join(
        record.getMessage() + str(record.exc_text) for record in caplog.records if record.name.startswith("weighbridge")
    )
    assert "answer's text" not in logged and "question's text" not in logged


def test_a_model_that_is_not_offered_is_refused_and_a_conversation_outlives_its_model(store: Store) -> None:
    with chatting(store, WORDS, WORDS) as chat:
        conversation, _ = chat.answer("Are you there?")
        assert chat.post("/workbench/conversations", candidate="0" * 12).status_code == 422
    with chatting(store, WORDS, WORDS) as chat:  # other addresses
        assert "Are you there?" in chat.page(conversation)
        chat.say(conversation, "And now?")
        assert states(chat.over(conversation)) == ["failed", "failed"]
        assert "no longer offered here" in chat.page(conversation)


def test_without_models_the_two_demo_models_are_offered_and_nothing_is_loaded(store: Store) -> None:
    with chatting(store) as chat:
        page = chat.get("/workbench").text
        assert page.index("demo:guarded") < page.index("demo:smollm2") and page.count("not loaded") == 2
