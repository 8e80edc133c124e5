"""The page of a model's kin and its JSON say what the library says, of a published model and of one that is not."""

from __future__ import annotations

import base64
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from tests.registry.databases import Clock
from tests.registry.descents import of_mark, plant
from tests.registry_lineage.test_relation import made_up, moved
from weighbridge.registry.lineage.marks import pack_mark
from weighbridge.registry.lineage.told import LineageTold
from weighbridge.registry.store import Store

PAGE = {"accept": "text/html"}
PARENT = made_up(1)
HOSTILE = "<script>alert(1)</script>\u202e" + "x" * 60


def put(store: Store, clock: Clock, words: str, said: object, **more: str) -> str:
    found = plant(store, words, said, **more).subject  # type: ignore[arg-type]
    clock.now += timedelta(days=1)
    return found.removeprefix("sha256:")


@pytest.fixture
def family(store: Store, clock: Clock) -> dict[str, str]:
    """A parent, a child that says so, a liar, one that was not measured, and one with a hostile label."""
    return {
        "parent": put(store, clock, "parent", of_mark(PARENT)),
        "child": put(store, clock, "child", of_mark(moved(PARENT, 0.05, 2)), made_from="parent"),
        "liar": put(store, clock, "liar", of_mark(made_up(5)), made_from="parent"),
        "unread": put(store, clock, "unread", None, made_from="parent, nobody/knows"),
        "hostile": put(store, clock, HOSTILE, of_mark(moved(PARENT, 0.1, 3))),
    }


def test_the_page_names_kin_says_why_and_never_calls_the_unmeasured_unrelated(
    client: TestClient, family: dict[str, str]
) -> None:
    """What was declared and what was measured stand apart, and a model without a fingerprint is not measured."""
    text = client.get(f"/weights/{family['parent']}/lineage", headers=PAGE).text
    for words in ("Kin of parent", "2 of the 3 models", "99 % or more", "contradicted", "confirmed", "said to be a"):
        assert words in text
    unread = client.get(f"/weights/{family['unread']}/lineage", headers=PAGE).text
    assert "were not compared with any other model" in unread and "its dossier holds no inspection" in unread
    assert "no model of this name is published here" in unread and "unrelated" not in unread
    nobody = client.get(f"/weights/{'ab' * 32}/lineage", headers=PAGE).text
    assert "Nothing about these weights is published here" in nobody


def test_the_figure_has_words_for_those_who_do_not_see_it_and_holds_hostile_labels_inert(
    client: TestClient, family: dict[str, str]
) -> None:
    """Title and description say all of it; a label is text, cut to a line."""
    text = client.get(f"/weights/{family['parent']}/lineage", headers=PAGE).text
    start = text.index('<svg class="plot"')
    svg = ElementTree.fromstring(text[start : text.index("</svg>", start) + 6])
    told = svg.findtext("desc") or ""
    assert svg.findtext("title") and "child: " in told and "under parent, it says so" in told
    assert "<script>alert" not in text and "\u202e" not in text


def test_json_says_the_same_and_keeps_lacks_apart_from_numbers(client: TestClient, family: dict[str, str]) -> None:
    """A probability is a number or "not measured" with a reason, and the schema's own record reads it back."""
    answer = client.get(f"/api/v1/lineage/{family['child']}")
    found = LineageTold.model_validate_json(answer.content)
    by_label = {each.label: each for each in found.kin}
    assert by_label["parent"].direction.value == "parent" and by_label["parent"].declared.value == "confirmed"
    assert found.compared == 3 and found.declared[0].digest == f"sha256:{family['parent']}"
    unread = client.get(f"/api/v1/lineage/{family['unread']}").json()
    assert unread["compared"]["kind"] == "not measured" and unread["kin"][0]["probability"]["kind"] == "not measured"
    assert client.get(f"/api/v1/lineage/{'ab' * 32}").json()["digest"] is None
    assert client.get("/api/v1/lineage/abc").status_code == 404


def test_a_model_that_is_not_published_is_asked_about_by_its_fingerprint(
    client: TestClient, family: dict[str, str]
) -> None:
    """It is found, nothing is kept of it, and what is no fingerprint is refused."""
    packed = base64.urlsafe_b64encode(pack_mark(moved(PARENT, 0.02, 9))).decode().rstrip("=")
    found = client.get("/api/v1/lineage", params={"fingerprint": packed, "file": ["ab" * 32]})
    assert {each["label"] for each in found.json()["kin"]} >= {"parent", "child"} and found.json()["digest"] is None
    for bad in ("!" * 20, base64.urlsafe_b64encode(b"no fingerprint at all").decode()):
        assert client.get("/api/v1/lineage", params={"fingerprint": bad}).status_code == 400
    assert client.get("/api/v1/lineage", params={"fingerprint": "A" * 16_001}).status_code == 422
    assert client.get("/api/v1/lineage", params={"fingerprint": packed, "file": "x"}).status_code in (404, 422)
