"""Following in the browser: a secret that is shown once, a list and a log that are one's own, and addresses that are refused."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from tests.findings.built import OLD
from tests.registry.test_following import published
from tests.web.doors import CSRF, signed_in
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.disclosing import outbox
from weighbridge.registry.store import Store

PAGE = {"accept": "text/html"}
ADA = signed_in(Role.VISITOR, "ada") | PAGE
BOB = signed_in(Role.MAINTAINER, "bob") | PAGE
HOOK = "https://example.org/mine"


def begin(client: TestClient, **changed: str) -> tuple[int, str]:
    data = {"csrf": CSRF, "follows": "digest", "subject": OLD, "url": HOOK, **changed}
    answer = client.post("/follow", data=data, headers=ADA)
    return answer.status_code, answer.text


def test_the_secret_is_shown_once_and_the_log_is_ones_own(client: TestClient, store: Store) -> None:
    assert client.post("/follow", data={"csrf": CSRF, "follows": "all", "url": HOOK}).status_code == 401
    status, text = begin(client)
    found = re.search(r"whsec_[A-Za-z0-9+/=]{40,}", text.replace("&#43;", "+"))
    assert status == 201 and found is not None
    listed = client.get("/follow", headers=ADA).text
    [follower] = re.findall(r"/follow/([0-9a-f]{32})\"", listed)
    assert found[0] not in listed and HOOK in listed
    assert HOOK not in client.get("/follow", headers=BOB).text
    assert client.get(f"/follow/{follower}", headers=BOB).status_code == 404
    made = published(store)
    [message] = outbox.claim(store)
    outbox.note_outcome(store, message, delivered=False, outcome="answered 503")
    log = client.get(f"/follow/{follower}", headers=ADA).text
    assert made.id in log and "answered 503" in log and found[0] not in log
    assert client.post(f"/follow/{follower}/end", data={"csrf": CSRF}, headers=BOB).status_code == 404
    assert client.post(f"/follow/{follower}/end", data={"csrf": CSRF}, headers=ADA).status_code == 303
    assert "its owner ended it" in client.get("/follow", headers=ADA).text


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "http://example.org/"},
        {"url": "https://169.254.169.254/latest"},
        {"url": "http://127.0.0.1:8000/"},
        {"subject": "abc"},
        {"follows": "closed", "subject": "no slash"},
        {"follows": "odd"},
    ],
)
def test_what_cannot_be_followed_or_sent_to_is_refused(client: TestClient, changed: dict[str, str]) -> None:
    assert begin(client, **changed)[0] == 400
    assert "Nothing yet" in client.get("/follow", headers=ADA).text


def test_the_same_twice_is_refused(client: TestClient) -> None:
    assert [begin(client)[0], begin(client)[0]] == [201, 400]
