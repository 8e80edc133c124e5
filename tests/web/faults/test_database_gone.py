"""The database goes away and comes back: the service says so within bounds, lives on, and goes on by itself."""

from __future__ import annotations

import time
from pathlib import Path

from tests.web.faults.asking import Answer, Dossier, ask, dossiers, hand_in, look_up, somebody
from tests.web.faults.conftest import Postgres
from tests.web.serving import Served, serving
from weighbridge.dossier.statements.keys import PrivateKey

MORE_THAN_THE_POOL = 20


def test_a_database_that_goes_away_and_comes_back(postgres: Postgres, tmp_path: Path, key: PrivateKey) -> None:
    """One service sees it stopped, started again unnoticed, and hanging; it never needs to be started again itself."""
    token = somebody(postgres.url, key)
    first, second = dossiers(tmp_path, key, 2)
    with serving(postgres.url, tmp_path) as served:
        assert hand_in(served.origin, token, first).status == 201
        assert len(look_up(served.origin, first.hex64)["entries"]) == 1
        postgres.stop()
        is_told_everywhere(served, token, first, second)
        postgres.start()
        all_is_well(served, first)
        assert hand_in(served.origin, token, second).status == 201
        assert hand_in(served.origin, token, first).status == 200
        postgres.stop()
        postgres.start()
        all_is_well(served, second)
        postgres.freeze()
        is_told_in_time(served, first)
        postgres.thaw()
        assert until_200(served, f"/api/v1/notices/{first.hex64}").json["entries"]
        assert until_200(served, "/readyz").status == 200


def is_told_everywhere(served: Served, token: str, first: Dossier, second: Dossier) -> None:
    """Page, API and publishing say what is wrong and what to do, as often as they are asked."""
    for _ in range(MORE_THAN_THE_POOL):
        said = ask(served.origin, f"/api/v1/notices/{first.hex64}")
        assert (said.status, said.json["detail"]) == (503, "the database cannot be reached, and nothing was stored")
        assert "check that it runs" in said.json["do"] and "retry-after" in said.headers
    page = ask(served.origin, f"/weights/{first.hex64}", Accept="text/html")
    assert page.status == 503
    assert b"The database cannot be reached" in page.body and b"Check that it runs" in page.body
    assert hand_in(served.origin, token, second).status == 503
    lives_and_is_not_ready(served)


def all_is_well(served: Served, dossier: Dossier) -> None:
    """The first question is answered, and more of them than the pool has connections."""
    assert len(look_up(served.origin, dossier.hex64)["entries"]) == 1
    for _ in range(MORE_THAN_THE_POOL):
        assert ask(served.origin, f"/weights/{dossier.hex64}", Accept="text/html").status == 200
    assert ask(served.origin, "/readyz").status == 200


def is_told_in_time(served: Served, dossier: Dossier) -> None:
    """Connections stand and nothing comes: whoever asks is told within seconds, and what needs no database answers."""
    began = time.monotonic()
    said = ask(served.origin, f"/api/v1/notices/{dossier.hex64}")
    assert (said.status, said.json["detail"]) == (503, "the database does not answer")
    lives_and_is_not_ready(served)
    assert time.monotonic() - began < 20


def lives_and_is_not_ready(served: Served) -> None:
    assert ask(served.origin, "/healthz").status == 200
    began = time.monotonic()
    assert ask(served.origin, "/readyz").status == 503
    assert time.monotonic() - began < 8


def until_200(served: Served, path: str) -> Answer:
    for _ in range(50):
        found = ask(served.origin, path)
        if found.status == 200:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{path}: still {found.status} {found.body!r}")
