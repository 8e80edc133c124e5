"""What holds for every page and every route."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, Depends, Form
from starlette.testclient import TestClient

from tests.web.conftest import ORIGIN
from tests.web.doors import CSRF, SaidDoor, signed_in
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.problems import RegistryError
from weighbridge.registry.store import Store
from weighbridge.web.app import create_app, routes_of
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site
from weighbridge.web.who import needs

PAGE = {"accept": "text/html"}


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture
def client(store: Store) -> TestClient:
    app = create_app(Site(store, Settings(origin=ORIGIN, body_most_bytes=1000), SaidDoor()))
    router = APIRouter()

    @router.post("/try/write", dependencies=[Depends(needs(Role.RESEARCHER))])
    def write(text: str = Form("")) -> dict[str, str]:
        return {"text": text}

    @router.get("/try/database")
    def database() -> None:
        raise RegistryError("the disk is full, and nothing was stored", where="postgresql://secret", do="make room")

    @router.get("/try/bug")
    def bug() -> None:
        raise ValueError("<b>a row</b>")

    app.include_router(router)
    return TestClient(app, base_url=ORIGIN, raise_server_exceptions=False, follow_redirects=False)


def test_every_answer_forbids_foreign_scripts_and_frames(client: TestClient) -> None:
    for path in ("/nowhere", "/static/weighbridge.css", "/try/bug", "/try/database"):
        policy = client.get(path, headers=PAGE).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy


def test_nothing_is_written_for_nobody_for_a_tester_or_without_the_forms_token(client: TestClient) -> None:
    assert client.post("/try/write", data={"text": "a"}).status_code == 401
    assert client.post("/try/write", data={"text": "a"}, headers=signed_in(Role.TESTER)).status_code == 403
    headers = signed_in(Role.RESEARCHER)
    assert client.post("/try/write", data={"text": "a"}, headers=headers).json() == {"text": "a"}
    del headers["x-csrf-token"]
    assert client.post("/try/write", data={"text": "a"}, headers=headers).status_code == 403
    assert client.post("/try/write", data={"text": "a", "csrf": "x"}, headers=headers).status_code == 403
    assert client.post("/try/write", data={"text": "a", "csrf": CSRF}, headers=headers).json() == {"text": "a"}


def test_a_form_of_another_site_is_refused_even_with_the_token(client: TestClient) -> None:
    headers = signed_in(Role.MAINTAINER)
    foreign = (
        {"origin": "https://elsewhere.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    )
    sandboxed = ({"origin": "null"}, {"origin": "null", "sec-fetch-site": "cross-site"})
    for more in (*foreign, *sandboxed):
        assert client.post("/try/write", data={}, headers=headers | more).status_code == 403
    # What a browser sends from our own pages, which tell nobody their address.
    ours = {"origin": "null", "sec-fetch-site": "same-origin"}
    assert client.post("/try/write", data={}, headers=headers | ours).status_code == 200
    assert client.post("/try/write", data={}, headers=headers | {"origin": ORIGIN}).status_code == 200


def test_a_token_needs_no_form_token(client: TestClient) -> None:
    assert client.post("/try/write", data={}, headers=signed_in(Role.RESEARCHER, token=True)).status_code == 200


def test_a_body_that_is_too_long_is_refused_with_and_without_a_length(client: TestClient) -> None:
    headers = signed_in(Role.RESEARCHER) | {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/try/write", content=b"text=" + b"a" * 2000, headers=headers).status_code == 413
    assert client.post("/try/write", content=iter([b"text=", b"a" * 2000]), headers=headers).status_code == 413


def test_a_foreign_host_is_refused(client: TestClient) -> None:
    assert client.get("/static/weighbridge.css", headers={"host": "rebound.example"}).status_code == 400


def test_a_database_that_fails_is_told_with_what_to_do_and_without_where_it_is(client: TestClient) -> None:
    found = client.get("/try/database", headers=PAGE)
    assert found.status_code == 503
    assert "The disk is full" in found.text and "Make room" in found.text and "secret" not in found.text
    found = client.get("/try/database")
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json()["do"] == "make room"


def test_a_fault_of_ours_shows_nothing_of_its_text(client: TestClient) -> None:
    found = client.get("/try/bug", headers=PAGE)
    assert found.status_code == 500
    assert "a row" not in found.text


def test_every_route_that_writes_needs_somebody(store: Store) -> None:
    app = create_app(Site(store, Settings(origin=ORIGIN), SaidDoor()))
    seen = 0
    for route in routes_of(app.routes):
        seen += 1
        if route.methods - {"GET", "HEAD", "OPTIONS"} and route.path not in OPEN:
            calls = [each.call for each in route.dependant.dependencies]
            assert any(hasattr(call, "role") for call in calls), f"{route.methods} {route.path} is for anybody"
    assert seen > 20


OPEN = frozenset({"/sign-in", "/sign-in/options", "/join", "/join/look", "/join/options", "/join/provider"})
"""What somebody must be able to send before they are signed in."""
