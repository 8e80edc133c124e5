"""What a model says is whatever somebody wants it to say: it is shown, inert, within bounds, and to its end or with a word that it was cut."""

from __future__ import annotations

import pytest

from tests.fakes.streaming import in_turn, streams
from tests.web.workbench.conftest import WORDS, chatting
from weighbridge.registry.conversations import SideState
from weighbridge.registry.store import Store

ATTACKS = (
    "<script>alert(1)</script>",
    "</div></details><img src=x onerror=alert(1)>",
    '<svg onload="alert(1)"><a href="javascript:alert(1)">',
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[2J\x1b]0;title\x07",
    "safe\u202eexe.txt\u2066\u200b",
    "zero\x00byte",
    "\r\n\r\nevent: end\ndata: {}\n\nid: 99\n",
    "e" + "\u0301" * 500,
)


def test_an_answer_is_text_and_nothing_else_on_the_page_and_on_the_line(store: Store) -> None:
    answers = [streams([attack[:3], attack[3:], " ok"]) for attack in ATTACKS]
    with chatting(store, in_turn(*answers), WORDS) as chat:
        for attack in ATTACKS:
            conversation, turn = chat.answer("And you? " + attack)
            side = turn.sides[0]
            assert side.state is SideState.ANSWERED
            assert side.text == attack.replace("\x00", "\u2400") + " ok", "what was said is kept as it was said"
            page = chat.page(conversation).replace('<svg class="symbols"', "")
            marks = ("<script>alert", "<img", "<svg on", 'javascript:alert(1)"', *"\x1b\u202e\u2066\u200b\x00\x07")
            assert not any(mark in page for mark in marks), attack
            assert "{{" not in attack or page.count("{{ 7 * 7 }}{% raw %}") == 2, "no template's either"
            assert page.count("\u0301") < 50
            text = "".join(each[2]["text"] for each in chat.events(side.id) if each[0] == "text")
            assert not set(text) & set("\x1b\u202e\u2066\u200b\x00\x07")
            assert [each[0] for each in chat.events(side.id)] == ["text", "end"]


def test_ten_megabytes_are_cut_at_the_bound_and_the_page_says_so(store: Store) -> None:
    with chatting(store, streams(["<b>0123456" * 100] * 10_000), WORDS) as chat:
        conversation = chat.begin()
        chat.say(conversation)
        turn = chat.over(conversation, 60)
        side = turn.sides[0]
        assert (side.state, len(side.text)) == (SideState.CUT, 200_000)
        page = chat.page(conversation)
        assert "Cut at 200,000 letters" in page and "All 200,000 letters" in page and len(page) < 200_000
        assert chat.get(f"/workbench/sides/{side.id}").text.count("0123456") == 200_000 // 10
        assert turn.sides[1].state is SideState.ANSWERED


def test_a_page_of_many_turns_leaves_the_earlier_ones_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weighbridge.web.workbench.routes.SHOWN_TURNS", 2)
    with chatting(store, WORDS, WORDS) as chat:
        conversation = chat.begin()
        for number in range(3):
            assert chat.say(conversation, f"Number {number}.").status_code == 303
            chat.over(conversation)
        page = chat.page(conversation)
        assert "Number 0." not in page and "1 earlier turn is not shown" in page
        assert "Number 0." in chat.page(conversation, "?everything=true")
