"""Rate limits: who may ask how often."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.requests import HTTPConnection
from fastapi.testclient import TestClient

from tests.registry.databases import opened
from weighbridge.web.door import NOBODY, Who
from weighbridge.web.limits import Limits, limited, network_of
from weighbridge.web.problems import tell_problems
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site


class NamedBySelf:
    """A door that takes everybody's word."""

    def who(self, request: HTTPConnection) -> Who:
        name = request.headers.get("x-name")
        return NOBODY if name is None else Who(name)


def test_more_than_allowed_is_told_when_to_come_back(tmp_path: Path) -> None:
    """The third request in a minute is refused with the seconds to wait; somebody who is signed in has a window of their own."""
    app = FastAPI()
    tell_problems(app)

    @app.get("/api/x", dependencies=[Depends(limited("x", per_minute=2))])
    def x() -> str:
        return "done"

    with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        app.state.site = Site(store, Settings(origin="http://testserver"), NamedBySelf())
        asks = TestClient(app)
        assert [asks.get("/api/x").status_code for _ in range(3)] == [200, 200, 429]
        refused = asks.get("/api/x")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["content-type"] == "application/problem+json"
        assert [asks.get("/api/x", headers={"x-name": "ada"}).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9%eth0", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
def test_one_subscriber_is_one_address(host: str, network: str) -> None:
    """All addresses of one IPv6 network share a window, and an IPv4 address is itself however it is written."""
    request = Request({"type": "http", "client": (host, 1), "headers": []})
    assert network_of(request) == network


def test_windows_in_which_nothing_is_are_forgotten() -> None:
    """Many addresses do not fill the memory for ever."""
    limits = Limits()
    storage = limits._storage
    for number in range(11_000):
        storage.events[f"LIMITS:LIMITER/x/{number}/1/1/minute"] = []
    assert limits.hit("x", "me", 5) is None
    assert len(storage.events) == 1
