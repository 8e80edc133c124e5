"""Whatever nobody in particular sends, nothing changes; and nothing that opens a door is written anywhere."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.web.accounts.browser import Browser
from tests.web.accounts.conftest import Opened
from tests.web.accounts.test_joining import invited
from tests.web.accounts.test_tokens_and_users import new_token
from tests.web.conftest import ORIGIN
from weighbridge.registry.store import Store
from weighbridge.registry.tables import metadata
from weighbridge.web.app import routes_of
from weighbridge.web.site import Site

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def contents(store: Store) -> dict[str, list[Any]]:
    """Every row of every table."""
    with store.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in metadata.sorted_tables
        }


def unsafe(app: FastAPI) -> list[tuple[str, str]]:
    found = [
        (method, route.path) for route in routes_of(app.routes) for method in sorted((route.methods or set()) & UNSAFE)
    ]
    assert len(found) > 20
    return found


TEXTS = st.sampled_from(["ada", "grace", "0" * 64, "", "maintainer", "../x", "\u202e", "1", "x" * 300])
BODIES = st.one_of(
    st.dictionaries(
        st.sampled_from(["csrf", "name", "role", "days", "title", "secret", "text", "reason", "credential", "next"]),
        TEXTS,
    ),
    st.recursive(TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=5),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "origin": st.sampled_from([ORIGIN, "null", "https://elsewhere.example"]),
        "sec-fetch-site": st.sampled_from(["same-origin", "cross-site", "none"]),
        "x-csrf-token": TEXTS.filter(str.isascii),
        "authorization": st.sampled_from(["Bearer", "Basic YWRhOg==", "bearer  "]),
        "cookie": st.sampled_from(["weighbridge-session=x", "weighbridge-session=" + "a" * 43, "weighbridge-step=a.b"]),
        "accept": st.sampled_from(["text/html", "*/*"]),
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_changes_for_somebody_who_is_not_signed_in(
    maintainer: Browser, site: Site, app: FastAPI, data: st.DataObject
) -> None:
    """For every route that writes, whatever is in the address, the headers and the body: every row of every table stays as it was."""
    nobody = Browser(app, ORIGIN)
    site.parts.pop("limits", None)
    method, path = data.draw(st.sampled_from(unsafe(app)))
    path = re.sub(r"\{[^}]*\}", lambda _: data.draw(st.sampled_from(["ada", "0" * 64, "x", "1"])), path)
    body, headers = data.draw(BODIES), data.draw(HEADERS)
    sent: dict[str, Any] = {"json": body}
    if isinstance(body, dict) and data.draw(st.booleans()):
        sent = {"data": body}
    before = site.parts.get("before") or site.parts.setdefault("before", contents(site.store))
    answer = nobody.client.request(method, path, headers=headers, **sent)
    assert contents(site.store) == before, (method, path, answer.status_code)
    assert 400 <= answer.status_code < 500 or path == "/sign-in/options"
    assert "weighbridge-session" not in answer.headers.get("set-cookie", "")


def test_reading_writes_nothing(maintainer: Browser, site: Site, app: FastAPI) -> None:
    """Whoever only looks, at whatever page, leaves every row as it was."""
    nobody, before = Browser(app, ORIGIN), contents(site.store)
    for route in routes_of(app.routes):
        if "GET" in (route.methods or set()):
            site.parts.pop("limits", None)
            path = re.sub(r"\{[^}]*\}", "0" * 64, route.path)
            assert nobody.client.get(path, headers={"accept": "text/html"}).status_code < 500, path
    assert contents(site.store) == before


def test_every_route_that_writes_refuses_a_session_without_its_forms_token(
    maintainer: Browser, site: Site, app: FastAPI
) -> None:
    """What another site makes a maintainer's browser send changes nothing, on any route that is for somebody."""
    before, csrf = contents(site.store), maintainer.csrf()
    for method, path in unsafe(app):
        site.parts.pop("limits", None)
        path = re.sub(r"\{[^}]*\}", "ada", path)
        for headers in ({"origin": ORIGIN}, {"origin": "https://elsewhere.example", "x-csrf-token": csrf}):
            answer = maintainer.client.request(method, path, data={"name": "eve", "role": "tester"}, headers=headers)
            assert 400 <= answer.status_code < 500 or path == "/sign-in/options", (method, path, answer.status_code)
    assert contents(site.store) == before


def test_nothing_that_opens_a_door_is_kept_or_logged(
    maintainer: Browser, browser: Opened, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """No session, token, link or form's token stands in the database, in the audit log, in the log, or in an address."""
    with caplog.at_level(logging.DEBUG):
        link = invited(site, "grace")
        grace = browser()
        grace.join(link)
        grace.join(link)
        grace.keys.flags = 0
        grace.sign_in()
        secrets = [
            link.partition("#")[2],
            new_token(grace, "tester"),
            grace.cookie("session"),
            maintainer.cookie("session"),
            grace.csrf(),
        ]
        grace.client.get("/api/v1/me", headers={"authorization": f"Bearer {secrets[1]}x"})
    kept = repr(contents(site.store))
    for secret in secrets:
        assert len(secret) >= 43
        assert secret not in kept
        assert secret not in caplog.text
    assert "#" in link  # the secret of a link is sent to no server with its address
    for path in ("/sign-in", "/join", "/account", "/users"):
        answer = maintainer.get(path)
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "no-" in answer.headers["cache-control"]


def test_bytes_that_are_no_text_are_refused(maintainer: Browser) -> None:
    """What no keyboard types, in the address and in a form, is the sender's mistake and not the service's."""
    csrf = maintainer.csrf()
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": ORIGIN, "x-csrf-token": csrf}
    for raw in (b"%ff%fe", b"%ed%a0%80", b"%00", b"\xff\xfe", "\u202e".encode(), b"%F0%9F%98%80"):
        bodies = (
            ("/account/tokens", b"role=visitor&days=1&name=a%0A" + raw),
            ("/users", b"role=visitor&name=" + raw),
            ("/users/ada/role", b"role=" + raw),
        )
        for path, body in bodies:
            answer = maintainer.client.post(path, content=body, headers=headers)
            assert 400 <= answer.status_code < 500, (path, raw, answer.status_code)
        answer = maintainer.client.post(
            "/users", content=b"csrf=" + raw + b"&name=eve&role=tester", headers={**headers, "x-csrf-token": ""}
        )
        assert answer.status_code == 403
    for part in ("%00", "%ff", "ada%00", "..%2f", "%F0%9F%98%80", "x" * 5_000):
        for path in (f"/users/{part}/disable", f"/users/{part}/link", f"/account/passkeys/{part}/remove"):
            assert 400 <= maintainer.client.post(path, headers=headers).status_code < 500, path
    assert maintainer.client.get("/audit?before=99999999999999999999").status_code == 422
    assert maintainer.client.get("/audit?kind=%00").status_code == 400
    for secret in ("\ud800", "\x00" * 43, "a" * 43 + "\n"):
        answer = maintainer.client.post(
            "/join/look",
            content=f'{{"secret": {ascii_of(secret)}}}',
            headers={"origin": ORIGIN, "content-type": "application/json"},
        )
        assert 400 <= answer.status_code < 500


def ascii_of(text: str) -> str:
    return json.dumps(text)
