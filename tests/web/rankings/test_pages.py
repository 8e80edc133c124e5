"""Rankings as people and programs meet them."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.registry.ranked import estimate, record
from tests.registry.test_rankings import publish
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.publishing import trust
from weighbridge.registry.store import Store

PAGE = {"accept": "text/html"}


@pytest.fixture
def ranked(store: Store, key: PrivateKey, tmp_path: Path) -> Store:
    trust(store, key.public, name="Evaluator", by="test")
    publish(store, tmp_path / "a", key, record("mild", {Rung.API: estimate(0.05)}))
    publish(store, tmp_path / "b", key, record("harsh <b>", {Rung.API: estimate(0.6), Rung.WEIGHTS: estimate(0.8)}))
    publish(store, tmp_path / "c", key, record("elsewhere", {Rung.WEIGHTS: estimate(0.5)}))
    return store


def place(client: TestClient, rung: str = "api") -> str:
    """The address of a ranking, without its prefix."""
    found = client.get("/api/v1/rankings").json()["rankings"]
    each = next(one for one in found if one["ranking"]["rung"] == rung)
    benchmark = each["ranking"]["benchmark"]["digest"].removeprefix("sha256:")
    return f"/rankings/{benchmark}/{each['grader_digest'].removeprefix('sha256:')}/{rung}"


def test_a_ranking_is_chosen_and_read(ranked: Store, client: TestClient) -> None:
    listed = client.get("/rankings", headers=PAGE)
    assert listed.status_code == 200
    assert "Harm rate on api, mean over the techniques" in listed.text
    found = client.get(place(client), headers=PAGE)
    assert found.status_code == 200
    assert "harsh &lt;b&gt;" in found.text and "<b>" not in found.text.split("harsh")[1][:5]
    assert "Not measured" in found.text and "elsewhere" in found.text
