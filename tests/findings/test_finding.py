"""Findings: what holds together, who may close one, what carries no text, and when anybody may read it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.findings.built import OLD, TODAY, finding, finding_data

PERSON = {"name": "P", "role": "somebody", "party": "third"}
PROVIDER = PERSON | {"party": "first"}


def problems(data: dict[str, Any]) -> dict[str, str]:
    """What is wrong, by place."""
    with pytest.raises(ValidationError) as caught:
        finding(**data)
    return {".".join(map(str, one["loc"])): one["msg"] for one in caught.value.errors()}


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"reproduce": {}}, "reproduce"),
        ({"title": None}, "title"),
        ({"affected": []}, "affected"),
        ({"affected": finding_data()["affected"] * 2}, "affected.1.digest"),
        ({"disclosure": {"state": "public"}}, "disclosure.published_on"),
        ({"disclosure": {"state": "draft", "embargo_until": "2027-01-01"}}, "disclosure.embargo_until"),
        (
            {"disclosure": {"state": "embargoed", "told": [{"who": "x", "on": "2026-11-02"}]}},
            "disclosure.embargo_until",
        ),
        ({"disclosure": {"state": "reported"}}, "disclosure.told"),
        ({"disclosure": {"state": "public", "published_on": "2026-10-01"}}, "disclosure.published_on"),
        ({"disclosure": {"state": "withdrawn"}}, "disclosure.withdrawn"),
        ({"disclosure": {"state": "closed"}}, "disclosure.state"),
    ],
)
def test_what_does_not_hold_together_is_refused_at_its_place(changed: dict[str, Any], place: str) -> None:
    """Each rule between fields names the field that breaks it."""
    assert place in problems(changed)


def test_the_author_of_the_model_can_answer_and_cannot_close() -> None:
    """The provider's answer stands beside the finding; a withdrawal by the provider is refused; another's is taken."""
    withdrawn = {"state": "withdrawn", "withdrawn": {"by": PROVIDER, "on": "2026-11-20", "why": "we disagree"}}
    assert "cannot close" in problems({"disclosure": withdrawn})["disclosure.withdrawn.by.party"]
    withdrawn["withdrawn"] = {"by": PERSON, "on": "2026-11-20"}
    assert finding(disclosure=withdrawn).disclosure.state.value == "withdrawn"
    answer = {"by": PROVIDER, "on": "2026-11-20", "disputes": True, "says": "it was a fluke"}
    answered = finding(disclosure={"state": "public", "published_on": "2026-11-20", "answers": [answer]})
    assert answered.digest == finding().digest
    assert answered.is_public(TODAY)
    answer["by"] = PERSON
    assert "disclosure.answers.0.by.party" in problems({"disclosure": {"state": "draft", "answers": [answer]}})


def test_nothing_about_child_sexual_exploitation_carries_text() -> None:
    """Every free text is refused at its place, without being quoted; prompt ids are taken."""
    answer = {"by": PROVIDER, "on": "2026-11-20", "disputes": False, "says": "SECRET"}
    given_texts = {
        "category": "child_sexual_exploitation",
        "title": "SECRET",
        "summary": "SECRET",
        "reproduce": {"asks": ["SECRET"], "steps": ["SECRET"], "prompt_ids": ["a.1"]},
        "disclosure": {
            "state": "withdrawn",
            "answers": [answer],
            "withdrawn": {"by": PERSON, "on": "2026-11-20", "why": "SECRET"},
        },
    }
    found = problems(given_texts)
    assert set(found) == {
        "title",
        "summary",
        "reproduce.asks",
        "reproduce.steps",
        "disclosure.answers.0.says",
        "disclosure.withdrawn.why",
    }
    assert "SECRET" not in str(found)
    bare = finding(category="child_sexual_exploitation", title=None, reproduce={"prompt_ids": ["a.1"]})
    assert bare.name == "Child sexual exploitation, enable: no text is carried"


def test_a_prompt_id_cannot_smuggle_text() -> None:
    """Ids have no spaces and no signs but a few."""
    assert "reproduce.prompt_ids.0" in problems({"reproduce": {"prompt_ids": ["how do I"]}})


def test_material_of_abuse_is_routed_away() -> None:
    """With the flag set there is no finding, only where to report."""
    assert "hotline" in problems({"csam_involved": True})["csam_involved"]


def test_the_digest_is_of_what_was_found() -> None:
    """It stays while the disclosure goes on, and changes with anything else."""
    told = {"state": "reported", "told": [{"who": "them", "on": "2026-11-02"}]}
    assert finding(disclosure=told).digest == finding().digest
    assert finding(severity="low").digest != finding().digest


@given(days=st.integers(1, 400), before=st.integers(1, 400))
def test_an_embargo_holds_until_its_day(days: int, before: int) -> None:
    """Not a day before, and from its day on."""
    until = date(2026, 11, 2) + timedelta(days=days)
    disclosure = {
        "state": "embargoed",
        "embargo_until": until.isoformat(),
        "told": [{"who": "them", "on": "2026-11-02"}],
    }
    found = finding(disclosure=disclosure)
    assert not found.is_public(until - timedelta(days=before))
    assert found.is_public(until)


@pytest.mark.parametrize("state", ["draft", "reported"])
def test_without_a_day_it_is_never_public(state: str) -> None:
    """A draft and a report without an embargo are public on no day."""
    found = finding(disclosure={"state": state, "told": [{"who": "them", "on": "2026-11-02"}]})
    assert not found.is_public(date.max)


def test_a_withdrawn_draft_was_never_public() -> None:
    """Withdrawing makes nothing public; what was public stays so."""
    withdrawn = {"by": PERSON, "on": "2026-11-20"}
    assert not finding(disclosure={"state": "withdrawn", "withdrawn": withdrawn}).is_public(date.max)
    was = {"state": "withdrawn", "withdrawn": withdrawn, "published_on": "2026-11-10"}
    assert finding(disclosure=was).is_public(TODAY)
    assert finding().affected[0].digest == OLD
