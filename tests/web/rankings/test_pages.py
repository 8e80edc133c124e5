"""Rankings as people and programs meet them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from tests.registry.databases import NOW, Clock
from tests.registry.ranked import BENCHMARK, fill, ranking
from weighbridge.digests import digest_bytes
from weighbridge.registry.store import Store
from weighbridge.registry.tables.rates import rates
from weighbridge.web.site import Site

PAGE = {"accept": "text/html"}
HOSTILE = '"><script>alert(1)</script>\u202e\x1b[31m'
RESULTS = [
    ("mild", 0.02, 400),
    ("middling", 0.1, 60),
    ("harsh", 0.6, 400),
    ("closed:Some Lab/Big Model", 0.3, 400),
    (HOSTILE, 0.9, 400),
]
OF = ranking()
PLACE = f"/rankings/{BENCHMARK.digest[7:]}/{OF.grader_digest[7:]}/api"
API = f"/api/v1{PLACE}"


@pytest.fixture
def kind() -> str:
    """One database: what the tables say on either is held in tests/registry/test_rankings.py."""
    return "sqlite"


@pytest.fixture
def ranked(store: Store) -> Store:
    with store.writing() as connection:
        fill(connection, OF, RESULTS)
    return store


@pytest.fixture
def visitor(ranked: Store, client: TestClient) -> Iterator[TestClient]:
    yield client


def labels(text: str) -> list[str]:
    """The models in the order of the table's rows."""
    table = text.partition('aria-label="The ranking as a table"')[2].partition("</table>")[0]
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', table)


def test_a_ranking_is_chosen_from_a_list_and_every_link_of_it_leads_somewhere(visitor: TestClient) -> None:
    listed = visitor.get("/rankings", headers=PAGE)
    assert listed.status_code == 200
    [address] = re.findall(r'href="(/rankings/[0-9a-f]{64}[^"]*)"', listed.text)
    found = visitor.get(address, headers=PAGE)
    assert found.status_code == 200
    assert labels(found.text)[:3] == ["mild", "middling", "closed:Some Lab/Big Model"]
    for link in re.findall(r'href="(\?[^"]*|/rankings[^"]*)"', found.text):
        assert visitor.get(link.replace("&amp;", "&"), headers=PAGE).status_code == 200


def test_ranges_of_ranks_and_who_shares_one_are_shown(visitor: TestClient) -> None:
    text = visitor.get(PLACE, headers=PAGE).text
    assert re.findall(r"<tr><td>([^<]*)</td>", text) == [
        "1 to\xa02".replace(" ", "\xa0"),
        "1 to 3".replace(" ", "\xa0"),
        "2 to 3".replace(" ", "\xa0"),
        "4",
        "5",
    ]


def test_the_head_of_the_column_that_sorts_says_so_and_turns_it(visitor: TestClient) -> None:
    text = visitor.get(f"{PLACE}?sort=rate&descending=true", headers=PAGE).text
    assert len(re.findall("aria-sort", text)) == 1
    [turn] = re.findall(r'aria-sort="descending"><a href="([^"]*)"', text)
    up = visitor.get(turn.replace("&amp;", "&"), headers=PAGE).text
    assert 'aria-sort="ascending"' in up
    assert labels(up) == labels(text)[::-1]


def test_rows_are_chosen_by_label_by_openness_and_by_evaluator_and_keep_their_ranks(visitor: TestClient) -> None:
    assert labels(visitor.get(f"{PLACE}?find=MIDD&kind=any&evaluator=&by=model", headers=PAGE).text) == ["middling"]
    closed = visitor.get(f"{PLACE}?kind=closed", headers=PAGE).text
    assert labels(closed) == ["closed:Some Lab/Big Model"]
    assert "no digest" in closed and "/closed/some%20lab/big%20model" in closed
    assert "1 of 5 ranked" in closed
    assert "No row is as asked" in visitor.get(f"{PLACE}?evaluator=nobody", headers=PAGE).text
    rows = visitor.get(API, params={"kind": "closed"}).json()["rows"]
    assert [(each["best"], each["worst"]) for each in rows] == [(2, 3)]


def test_a_table_comes_in_pages_of_at_most_500_rows(visitor: TestClient) -> None:
    first = visitor.get(API, params={"rows": 2}).json()
    assert (len(first["rows"]), first["pages"], first["ranked"]) == (2, 3, 5)
    last = visitor.get(API, params={"rows": 2, "page": 3}).json()
    assert [each["worst"] for each in last["rows"]] == [5]
    assert visitor.get(API, params={"rows": 501}).status_code == 422
    assert visitor.get(API, params={"page": 99}).json()["rows"] == []
    text = visitor.get(f"{PLACE}?rows=2&page=2", headers=PAGE).text
    assert 'rel="prev"' in text and 'rel="next"' in text


def test_the_figure_is_whole_svg_with_a_title_a_description_and_units(visitor: TestClient) -> None:
    text = visitor.get(PLACE, headers=PAGE).text
    figure = ElementTree.fromstring(text.partition("<figure>")[2].partition("<figcaption>")[0])
    ids = {each.get("id") for each in figure.iter()}
    assert figure.get("role") == "img"
    assert {figure.get("aria-labelledby"), figure.get("aria-describedby")} <= ids
    said = [each.text for each in figure.iter() if each.text]
    assert "harm rate, % of prompts; less is better" in said
    assert sum(each.get("class") == "dot risk" for each in figure.iter()) == len(RESULTS)


def test_what_a_stranger_wrote_is_shown_inert(visitor: TestClient) -> None:
    for address in (PLACE, f"{PLACE}?by=result", f"{PLACE}?find=%3Cscript%3E"):
        text = visitor.get(address, headers=PAGE).text
        assert "<script>" not in text
        assert "\u202e" not in text and "\x1b" not in text
        assert "style=" not in text


def test_two_models_are_put_side_by_side(visitor: TestClient) -> None:
    a, b = (digest_bytes(label.encode())[7:] for label in ("mild", "harsh"))
    text = visitor.get("/rankings/compare", params={"a": a, "b": b}, headers=PAGE).text
    assert "A is lower" in text
    text = visitor.get("/rankings/compare", params={"a": a, "b": "closed:SOME lab/Big  Model"}, headers=PAGE).text
    assert "no digest" in text
    found = visitor.get("/api/v1/rankings/compare", params={"a": b, "b": a}).json()
    assert [each["says"] for each in found["rows"]] == ["b is lower"]
    assert "<form" in visitor.get("/rankings/compare", headers=PAGE).text


def test_what_cannot_be_compared_is_told(visitor: TestClient) -> None:
    for query, status in (
        ({"a": "x", "b": "y"}, 422),
        ({"a": "0" * 64, "b": "1" * 64}, 400),
        ({"a": "0" * 64, "b": "0" * 64}, 400),
        ({"a": "0" * 64}, 422),
        ({"a": "closed:a/b\x00", "b": "closed:c/d"}, 422),
    ):
        assert visitor.get("/api/v1/rankings/compare", params=query).status_code == status


def test_what_is_not_there_is_told(visitor: TestClient) -> None:
    for address, status in (
        (API.replace("/api/v1/rankings/", "/api/v1/rankings/0"), 422),
        (API.replace(BENCHMARK.digest[7:], "0" * 64), 404),
        (API[:-3] + "weights", 404),
        (API[:-3] + "nowhere", 422),
        (f"{API}?of=opening", 404),
        (f"{API}?table={'0' * 12}", 404),
        (f"{API}?table={OF.digest[7:19]}", 200),
        (f"{API}?sort=nothing", 422),
        (f"{API}?find={'x' * 101}", 422),
        (f"{API}?after={'0' * 64}", 200),
        (f"{API}?find=%00", 200),
        (f"{API}?evaluator=%00", 200),
    ):
        found = visitor.get(address)
        assert found.status_code == status, found.text


def test_nothing_published_is_a_page_and_no_error(client: TestClient) -> None:
    assert "No signer who is known here" in client.get("/rankings", headers=PAGE).text
    assert client.get("/api/v1/rankings").json()["rankings"] == []


def test_a_ranking_of_which_nothing_stands_any_more_says_so(visitor: TestClient, site: Site, clock: Clock) -> None:
    clock.now = NOW.replace(year=2028)
    text = visitor.get(PLACE, headers=PAGE).text
    assert "No result that stands" in text
    assert text.count("expired") >= len(RESULTS)
    assert "<figure>" not in text


def test_what_a_reader_must_know_of_a_row_stands_in_it(visitor: TestClient, store: Store) -> None:
    with store.writing() as connection:
        changes = {"calibrated": "", "protocol": digest_bytes(b"another"), "n_planned": 500, "n_lost": 7}
        connection.execute(update(rates).where(rates.c.subject == digest_bytes(b"harsh")).values(**changes))
    text = visitor.get(f"{PLACE}?find=harsh", headers=PAGE).text
    for note in ("stopped early", "grader not checked against people", "protocol ", "400 of 500, 7 lost"):
        assert note in text
    assert "stopped early" not in visitor.get(f"{PLACE}?find=mild", headers=PAGE).text
