"""The database goes away and comes back: the service says so within bounds, lives on, and goes on by itself."""

from __future__ import annotations

import time
from pathlib import Path

from tests.web.faults.asking import Answer, ask, begin, dossiers, hand_in, look_up
from tests.web.faults.conftest import Postgres
from tests.web.serving import Served, serving
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.web.deadline import READING_S

MORE_THAN_THE_POOL = 30


def test_a_database_that_was_stopped_and_started_again(postgres: Postgres, tmp_path: Path, key: PrivateKey) -> None:
    """Page, API and publishing answer 503, with what is wrong and what to do; then all answer again, more often than the pool is large."""
    token = begin(postgres.url, key)
    [dossier, other] = dossiers(tmp_path, key, 2)
    with serving(postgres.url, tmp_path) as served:
        assert hand_in(served.origin, token, dossier).status == 201
        assert len(look_up(served.origin, dossier.hex64)["entries"]) == 1
        postgres.stop()
        for _ in range(MORE_THAN_THE_POOL):
            said = ask(served.origin, f"/api/v1/notices/{dossier.hex64}")
            assert (said.status, said.json["detail"]) == (503, "the database cannot be reached, and nothing was stored")
            assert "check that it runs" in said.json["do"] and "retry-after" in said.headers
        page = ask(served.origin, f"/weights/{dossier.hex64}", Accept="text/html")
        assert page.status == 503
        assert b"The database cannot be reached" in page.body and b"Check that it runs" in page.body
        assert hand_in(served.origin, token, other).status == 503
        lives_and_is_not_ready(served)
        postgres.start()
        assert len(look_up(served.origin, dossier.hex64)["entries"]) == 1
        for _ in range(MORE_THAN_THE_POOL):
            assert ask(served.origin, f"/weights/{dossier.hex64}", Accept="text/html").status == 200
        assert ask(served.origin, "/readyz").status == 200
        assert hand_in(served.origin, token, other).status == 201
        assert hand_in(served.origin, token, dossier).status == 200
        assert len(look_up(served.origin, other.hex64)["entries"]) == 1


def test_a_database_that_was_started_again_unnoticed(postgres: Postgres, tmp_path: Path, key: PrivateKey) -> None:
    """When it was away between two questions, nobody is told of it: each connection that died is given up, and the question asked once more."""
    begin(postgres.url, key)
    [dossier] = dossiers(tmp_path, key, 1)
    with serving(postgres.url, tmp_path) as served:
        assert look_up(served.origin, dossier.hex64)["entries"] == []
        assert ask(served.origin, "/", Accept="text/html").status == 200
        postgres.stop()
        postgres.start()
        assert look_up(served.origin, dossier.hex64)["entries"] == []
        assert ask(served.origin, "/", Accept="text/html").status == 200


def test_a_database_that_hangs(postgres: Postgres, tmp_path: Path, key: PrivateKey) -> None:
    """Connections stand and nothing comes: whoever asks is told within seconds, and the service answers all that needs no database."""
    begin(postgres.url, key)
    [dossier] = dossiers(tmp_path, key, 1)
    with serving(postgres.url, tmp_path) as served:
        look_up(served.origin, dossier.hex64)
        postgres.freeze()
        began = time.monotonic()
        for _ in range(3):
            said = ask(served.origin, f"/api/v1/notices/{dossier.hex64}")
            assert (said.status, said.json["detail"]) == (503, "the database does not answer")
        lives_and_is_not_ready(served)
        assert time.monotonic() - began < 25
        page = ask(served.origin, f"/weights/{dossier.hex64}", wait_s=READING_S + 10, Accept="text/html")
        assert page.status == 503 and b"What to do" in page.body
        postgres.thaw()
        assert until_200(served, f"/api/v1/notices/{dossier.hex64}").json["entries"] == []
        assert until_200(served, "/readyz").status == 200


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
