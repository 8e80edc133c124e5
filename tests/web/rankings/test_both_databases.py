"""The main path on both databases."""

from __future__ import annotations

from starlette.testclient import TestClient

from tests.registry.ranked import fill
from tests.web.rankings.test_pages import API, OF, PAGE, PLACE, RESULTS
from weighbridge.registry.store import Store


def test_a_ranking_is_listed_shown_compared_and_told_to_programs(store: Store, client: TestClient) -> None:
    with store.writing() as connection:
        fill(connection, OF, RESULTS)
    assert PLACE in client.get("/rankings", headers=PAGE).text
    assert client.get(PLACE, headers=PAGE).status_code == 200
    rows = client.get(API).json()["rows"]
    assert [(each["best"], each["worst"]) for each in rows] == [(1, 2), (1, 3), (2, 3), (4, 4), (5, 5)]
    a, b = (each["model"]["subject"] for each in rows[:3:2])
    [found] = client.get("/api/v1/rankings/compare", params={"a": a, "b": b}).json()["rows"]
    assert found["says"] == "a is lower"
