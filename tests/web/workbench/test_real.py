"""The workbench with the real SmolLM2, once plain and once with its guardrail, as it is without a word from the operator."""

from __future__ import annotations

import pytest

from tests.web.workbench.conftest import chatting
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.conversations import SideState
from weighbridge.registry.store import Store


@pytest.mark.real
def test_two_real_models_answer_side_by_side_on_every_rung_that_there_is(store: Store) -> None:
    with chatting(store, role=Role.RESEARCHER) as chat:
        conversation = chat.begin()
        ways = ({"how": "api"}, {"how": "weights:prefill", "opening": "The sky is"}, {"how": "weights:raw"})
        for form in (*ways, {"how": "weights:sampling", "tries": "2", "temperature": "0.9"}, {"how": "hosted"}):
            found = chat.say(conversation, "What colour is the sky?", max_tokens="12", **form)
            assert found.status_code == 303, found.text
            turn = chat.over(conversation, 120)
            if form["how"] == "hosted":
                assert {side.state for side in turn.sides} == {SideState.NOT_MEASURED}
                continue
            assert {side.state for side in turn.sides} == {SideState.ANSWERED}
            assert all(side.text.strip() for side in turn.sides)
            subjects = {side.letter: side.subject or "" for side in turn.sides}
            assert subjects["A"].startswith("sha256:") and subjects["A"] != subjects["B"]
        assert f'href="/weights/{subjects["A"].removeprefix("sha256:")}"' in chat.page(conversation)
        text = chat.events(turn.sides[0].id)
        assert text[-1][2]["state"] == "not measured"
        assert chat.get("/workbench").text.count("ready") == 2
