"""What strangers hand in over HTTP is refused with what to do, within bounds, and never an error of ours."""

from __future__ import annotations

import errno
import io
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.web.doors import signed_in
from tests.web.registry.archives import API, PAGE, TESTER, ZIP, rows, zipped
from tests.web.registry.conftest import archive
from weighbridge.registry import upload as uploading
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload
from weighbridge.web.registry import publishing


@pytest.fixture
def kind() -> str:
    """What is shown does not depend on the database: what does is tested on both, beside this."""
    return "sqlite"


def test_nobody_a_visitor_and_a_forged_form_publish_nothing(client: TestClient, store: Store, upload: Upload) -> None:
    """401, 403 and 403, before the archive is looked at."""
    before, data = rows(store), archive(upload)
    assert client.post(API, content=data, headers=ZIP).status_code == 401
    assert client.post(API, content=data, headers=signed_in(Role.VISITOR, token=True) | ZIP).status_code == 403
    cookie = signed_in(Role.TESTER) | ZIP
    del cookie["x-csrf-token"]
    assert client.post(API, content=data, headers=cookie).status_code == 403
    files = {"archive": ("d.zip", data)}
    assert client.post("/publish", files=files).status_code == 401
    del cookie["content-type"]
    assert client.post("/publish", files=files, data={"csrf": "another"}, headers=cookie).status_code == 403
    assert "Sign in" in client.get("/publish", headers=PAGE).text
    assert rows(store) == before


BROKEN = (
    b"",
    b"PK",
    b"no archive at all",
    zipped(("dossier.json", b"{}" * 1000))[:-40],
    zipped(("../dossier.json", b"{}")),
    zipped(("dossier.json", b"{}"), ("statements/../../etc/passwd", b"x")),
    zipped(("dossier.json", b"{}"), ("/etc/passwd", b"x")),
    zipped(("dossier.json", b"{}"), ("logs/answers.jsonl", b"x")),
    zipped(("dossier.json", b"{}")),
    zipped(("dossier.json", b'{"a":' * 5000)),
    zipped(("dossier.json", b"\xff\xfe")),
    zipped(("dossier.json", json.dumps([1] * 2_000_000).encode())),
)


def test_hostile_archives_are_refused_and_not_an_error_of_ours(client: TestClient, store: Store) -> None:
    """No archive, half of one, names that lead elsewhere, and what is no dossier: 422 with what is wrong, and nothing is stored."""
    before = rows(store)
    for data in BROKEN:
        found = client.post(API, content=data, headers=TESTER)
        assert found.status_code == 422, (data[:60], found.text)
        assert found.json()["detail"]
    assert rows(store) == before


def test_a_bomb_is_refused_while_it_is_unpacked(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what comes out of it: a thousandth of its size goes in."""
    monkeypatch.setattr(uploading, "MAX_FILE_BYTES", 1 << 20)
    bomb = zipped(("dossier.json", bytes(50 << 20)))
    assert len(bomb) < 100_000
    assert client.post(API, content=bomb, headers=TESTER).status_code == 422
    assert rows(store)[0] == 0


def test_an_archive_that_is_too_long_is_refused_with_and_without_a_length(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """413, however it is sent."""
    monkeypatch.setattr(publishing, "MAX_ARCHIVE_BYTES", 1000)
    assert client.post(API, content=bytes(2000), headers=TESTER).status_code == 413
    assert client.post(API, content=iter([bytes(600)] * 3), headers=TESTER).status_code == 413


def test_only_an_archive_is_taken(client: TestClient) -> None:
    """Another type is 415, as a form to the address of programs is."""
    assert client.post(API, json={}, headers=signed_in(Role.TESTER, token=True)).status_code == 415


def test_too_many_at_once_are_asked_to_wait(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, upload: Upload
) -> None:
    """429 with when to come again; afterwards it works."""
    monkeypatch.setattr(publishing, "_MOST_AT_ONCE", 0)
    found = client.post(API, content=archive(upload), headers=TESTER)
    assert (found.status_code, found.headers["retry-after"]) == (429, "5")
    monkeypatch.setattr(publishing, "_MOST_AT_ONCE", 1)
    for status in (201, 200):
        assert client.post(API, content=archive(upload), headers=TESTER).status_code == status


def test_a_full_disk_is_told_as_that(client: TestClient, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """507 and whom to tell; nothing is stored."""

    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(publishing.tempfile, "TemporaryFile", Full)
    found = client.post(API, content=b"PK" * 100, headers=TESTER)
    assert found.status_code == 507 and "room" in found.json()["detail"]
    assert rows(store)[0] == 0
