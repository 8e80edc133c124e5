"""Tags in the workbench, a blind second rater, agreement, and findings asked again: in the browser, by forms alone."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from tests.registry.rating.test_rating import ADA as READER
from tests.registry.rating.test_rating import answer, end, saved
from tests.registry.test_conversations import ask, begun
from tests.web.doors import signed_in
from tests.web.rating.benches import FakeBench
from weighbridge.probes.harms.public_sets import load_prompts
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.conversations import Setting, find_conversation
from weighbridge.registry.regressions import begin_regression
from weighbridge.registry.store import Store
from weighbridge.web.rating.regress import ON_A_PAGE
from weighbridge.web.site import Site

PAGE = {"accept": "text/html"}
ADA, BOB, EVE = (signed_in(Role.TESTER, name) | PAGE for name in ("ada", "bob", "eve"))
HATE = {"harm": "hate", "verb": "enable", "severity": "low"}
HOSTILE = '"><script>alert(1)</script>\u202e\x1b[31m'


@pytest.fixture
def bench(site: Site, store: Store) -> FakeBench:
    found = FakeBench(store)
    site.parts["workbench"] = found
    return found


def test_three_choices_tag_an_answer_and_save_a_finding(client: TestClient, store: Store, bench: FakeBench) -> None:
    """The page that comes says what was kept, and leads to the finding and back."""
    side = answer(store, "What was asked")
    at = client.post(f"/workbench/sides/{side}/tags", data={**HATE, "finding": "true"}, headers=ADA).headers["location"]
    shown = client.get(at, headers=ADA).text
    assert "Hate, enable, low" in shown
    handle = re.search(r"/findings/([0-9a-f]{32})", shown)
    assert handle is not None
    finding = client.get(handle[0], headers=ADA).text
    assert "What was asked" in finding
    assert "#side-" in shown


def test_a_script_gets_the_part_of_the_page_alone(client: TestClient, store: Store) -> None:
    """It is the same form, with the focus on what was said."""
    side = answer(store)
    found = client.post(f"/workbench/sides/{side}/tags", data=HATE, headers=ADA | {"x-in-place": "1"})
    assert found.status_code == 200
    assert found.text.strip().startswith('<div class="tagging" data-tag')
    assert 'role="status"' in found.text
    assert "<html" not in found.text


def test_a_tag_is_kept_where_no_finding_can_be_made_and_the_page_says_why(client: TestClient, store: Store) -> None:
    """An endpoint has no digest; what is harmless is no failure."""
    side = answer(store, subject="endpoint:https://models.example#big")
    at = client.post(f"/workbench/sides/{side}/tags", data={**HATE, "finding": "true"}, headers=ADA).headers["location"]
    shown = client.get(at, headers=ADA).text
    assert "Hate, enable, low" in shown
    assert "has no digest" in shown
    data = {"harm": "not harmful", "verb": "enable", "finding": "true"}
    at = client.post(f"/workbench/sides/{side}/tags", data=data, headers=ADA).headers["location"]
    assert "not harmful" in client.get(at, headers=ADA).text


def test_a_finding_of_a_blind_conversation_reveals_it_after_the_tag_was_kept(client: TestClient, store: Store) -> None:
    """A tag alone does not."""
    turn = ask(store, begun(store, blind=True))
    end(store, turn)
    for finding in ("false", "true"):
        client.post(f"/workbench/sides/{turn.sides[0].id}/tags", data={**HATE, "finding": finding}, headers=ADA)
        with store.reading() as connection:
            found = find_conversation(connection, turn.conversation, name="ada", role=Role.TESTER)
        assert found.hidden is (finding == "false")
    assert "A finding is saved" in client.get(f"/workbench/sides/{turn.sides[0].id}/tags", headers=ADA).text


def test_half_a_tag_and_a_strangers_answer_are_refused(client: TestClient, store: Store) -> None:
    """422 and 404, on a page."""
    side = answer(store)
    for wrong in (
        {},
        {"harm": "hate"},
        {"harm": "gossip", "verb": "enable", "severity": "low"},
        {**HATE, "title": "t" * 201},
    ):
        assert client.post(f"/workbench/sides/{side}/tags", data=wrong, headers=ADA).status_code == 422
    for path in (side, "0" * 32):
        assert client.post(f"/workbench/sides/{path}/tags", data=HATE, headers=BOB).status_code == 404
        assert client.get(f"/workbench/sides/{path}/tags", headers=BOB).status_code == 404
    assert client.post(f"/workbench/sides/{side}/tags", data=HATE, headers=PAGE).status_code == 401


def test_the_conversation_shows_ones_own_tags_and_the_form(client: TestClient, store: Store, bench: FakeBench) -> None:
    """Beside each answer; what somebody else said is not shown."""
    talk = begun(store, baseline=None)
    turn = ask(store, talk)
    end(store, turn)
    side = turn.sides[0].id
    before = client.get(f"/workbench/conversations/{talk}", headers=ADA).text
    assert f'action="/workbench/sides/{side}/tags"' in before
    assert "Hate, enable, low" not in before
    client.post(f"/workbench/sides/{side}/tags", data=HATE, headers=ADA)
    assert "Hate, enable, low" in client.get(f"/workbench/conversations/{talk}", headers=ADA).text
    other = signed_in(Role.MAINTAINER, "mia") | PAGE
    assert "Hate, enable, low" not in client.get(f"/workbench/conversations/{talk}", headers=other).text


def test_a_second_rater_rates_blind_and_differences_are_listed_for_a_third(client: TestClient, store: Store) -> None:
    """Queue, blind page, agreement, and the third."""
    side = answer(store, HOSTILE)
    client.post(f"/workbench/sides/{side}/tags", data=HATE, headers=ADA)
    assert client.post("/rating/next", headers=ADA).headers["location"] == "/rating"
    at = client.post("/rating/next", headers=BOB).headers["location"]
    shown = client.get(at, headers=BOB).text
    folded = shown[shown.index("<details") : shown.index("</details>")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩⟨U+001B⟩" in folded
    assert "<script>alert" not in shown
    main = shown[shown.index("<main") :]
    assert not any(word in main for word in ("ada", "Guarded", "demo:guarded", "checked"))
    assert client.post(at, data={"harm": "not harmful"}, headers=BOB).headers["location"] == "/rating"
    for reader, listed in ((BOB, "ada: Hate, enable, low"), (EVE, "Rate it as a third")):
        page = client.get("/rating", headers=reader).text
        assert listed in page
        assert ("Hate, enable, low" in page) is (reader is BOB)
    assert client.post(at, data=HATE, headers=EVE).status_code == 303
    assert "Where raters differ" not in client.get("/rating", headers=EVE).text
    assert client.post(at, data=HATE, headers=EVE).status_code == 404
    assert client.get(at, headers=PAGE).status_code == 401


def test_a_finding_is_asked_of_the_next_version_with_a_click(
    client: TestClient, store: Store, bench: FakeBench, tmp_path: Path
) -> None:
    """Tag, make it a regression, ask, see that nobody graded it, grade it, take the prompts out for `assess`."""
    side = answer(store, "What was asked")
    at = client.post(f"/workbench/sides/{side}/tags", data={**HATE, "finding": "true"}, headers=ADA).headers["location"]
    found = re.search(r'name="finding" value="([0-9a-f]{32})"', client.get(at, headers=ADA).text)
    assert found is not None
    there = client.post("/regressions", data={"finding": found[1]}, headers=ADA).headers["location"]
    name = there.rpartition("/")[2]
    assert "not asked of any version yet" in client.get("/regressions", headers=ADA).text
    asked = client.post(f"/regressions/{name}/ask", data={"model": bench.shelf.offers[1].key}, headers=ADA)
    assert asked.headers["location"] == there
    assert bench.jobs[-1].turn.text == "What was asked"
    again = bench.answer(HOSTILE)
    page = client.get("/regressions", headers=ADA).text
    assert "not graded" in page
    assert "<script>alert" not in page
    assert "bbbbbbbbbbbb" in page
    assert (
        client.post(f"/regressions/{name}/ask", data={"model": bench.shelf.offers[1].key}, headers=ADA).status_code
        == 409
    )
    assert client.post(f"/regressions/{name}/answers/{again}/grade", headers=ADA).headers["location"] == there
    assert "offline grader: " in client.get("/regressions", headers=ADA).text
    client.post(f"/regressions/{name}/answers/{again}", data={"fails": "true"}, headers=ADA)
    assert "still fails" in client.get("/regressions", headers=ADA).text
    path = tmp_path / "regressions.jsonl"
    path.write_bytes(client.post("/regressions/file", headers=ADA).content)
    assert [one.text for one in load_prompts(path).prompts] == ["What was asked"]
    assert orjson.loads(path.read_bytes())["category"] == "hate"


def test_what_others_may_not_read_is_not_asked_again_by_them(
    client: TestClient, store: Store, bench: FakeBench
) -> None:
    """404 for a draft of somebody else's; nothing of it is listed."""
    side = answer(store)
    client.post(f"/workbench/sides/{side}/tags", data={**HATE, "finding": "true"}, headers=ADA)
    shown = client.get(f"/workbench/sides/{side}/tags", headers=ADA).text
    handle = re.search(r"/findings/([0-9a-f]{32})", shown)
    assert handle is not None
    there = client.post("/regressions", data={"finding": handle[1]}, headers=ADA).headers["location"]
    name = there.rpartition("/")[2]
    key = bench.shelf.offers[0].key
    assert client.post("/regressions", data={"finding": handle[1]}, headers=BOB).status_code == 404
    assert client.post(f"/regressions/{name}/ask", data={"model": key}, headers=BOB).status_code == 404
    assert client.post(f"/regressions/{name}/answers/{side}", data={"fails": "true"}, headers=BOB).status_code == 404
    assert client.post(f"/regressions/{name}/answers/{side}/grade", headers=BOB).status_code == 404
    assert client.post(f"/regressions/{name}/answers/{side}", data={"fails": "true"}, headers=ADA).status_code == 404
    assert client.post(f"/regressions/{name}/ask", data={"model": "x"}, headers=ADA).status_code == 422
    assert client.post("/regressions/file", headers=BOB).status_code == 400
    assert client.get(there, headers=BOB).status_code == 404
    assert "still" in client.get(there, headers=ADA).text
    assert name not in client.get("/regressions", headers=BOB).text
    assert client.get("/regressions", headers=PAGE).status_code == 401


def test_a_tester_does_not_ask_on_the_weights_through_a_regression(
    client: TestClient, store: Store, bench: FakeBench
) -> None:
    """403, and nothing is asked."""
    rob = signed_in(Role.RESEARCHER, "rob") | PAGE
    setting = Setting(rung=Rung.WEIGHTS, technique="raw")
    turn = ask(store, begun(store, owner="rob", baseline=None), owner="rob", role=Role.RESEARCHER, setting=setting)
    end(store, turn)
    side = turn.sides[0].id
    client.post(f"/workbench/sides/{side}/tags", data={**HATE, "finding": "true"}, headers=rob)
    shown = client.get(f"/workbench/sides/{side}/tags", headers=rob).text
    handle = re.search(r"/findings/([0-9a-f]{32})", shown)
    assert handle is not None
    name = client.post("/regressions", data={"finding": handle[1]}, headers=rob).headers["location"].rpartition("/")[2]
    now_tester = signed_in(Role.TESTER, "rob") | PAGE
    data = {"model": bench.shelf.offers[0].key}
    assert client.post(f"/regressions/{name}/ask", data=data, headers=now_tester).status_code == 403
    assert bench.jobs == []
    assert client.post(f"/regressions/{name}/ask", data=data, headers=rob).status_code == 303


def test_a_long_list_of_findings_asked_again_comes_in_pages(client: TestClient, store: Store, bench: FakeBench) -> None:
    """Twenty at a time, and a link to the older ones."""
    for number in range(ON_A_PAGE + 1):
        begin_regression(store, saved(store, f"Question {number}"), reader=READER)
    first, rest = (client.get(f"/regressions{more}", headers=ADA).text for more in ("", f"?skip={ON_A_PAGE}"))
    assert (first.count("<section"), rest.count("<section")) == (ON_A_PAGE, 1)
    assert f"?skip={ON_A_PAGE}" in first
    assert "All findings asked again" in rest
    assert client.get("/regressions?skip=-1", headers=ADA).status_code == 422
