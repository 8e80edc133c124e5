"""Publishing over HTTP: by a program and in a form, whole or not at all, by whom may, and bounded."""

from __future__ import annotations

import errno
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from tests.dossier.statements import made
from tests.registry.databases import model, signed
from tests.web.doors import CSRF, signed_in
from tests.web.registry.conftest import archive, root
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry import upload as uploading
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.store import Store
from weighbridge.registry.tables import audit, blobs, publications
from weighbridge.registry.upload import Upload
from weighbridge.web.registry import publishing

ZIP = {"content-type": "application/zip"}
TESTER = signed_in(Role.TESTER, token=True) | ZIP
PAGE = {"accept": "text/html"}
API = "/api/v1/publications"


def rows(store: Store) -> tuple[int, ...]:
    with store.reading() as connection:
        counted = (select(func.count()).select_from(table) for table in (publications, blobs, audit))
        return tuple(connection.execute(each).scalar() or 0 for each in counted)


def zipped(*files: tuple[str, bytes]) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as written:
        for name, data in files:
            written.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return found.getvalue()


def test_a_dossier_that_a_program_hands_in_is_found_by_its_digest(
    client: TestClient, trusted: None, upload: Upload
) -> None:
    """Published once (201), here already the second time (200), and then on its notice's page and in its JSON."""
    first = client.post(API, content=archive(upload), headers=TESTER)
    assert first.status_code == 201, first.text
    said = first.json()
    assert (said["schema"], said["new"], said["signer_known"]) == ("weighbridge.published/1", True, True)
    again = client.post(API, content=archive(upload), headers=TESTER)
    assert (again.status_code, again.json()) == (200, said | {"new": False})
    assert client.get(first.headers["location"], headers=PAGE).status_code == 200
    found = client.get(f"/weights/{root(upload)}", headers=PAGE)
    assert found.status_code == 200 and "for these exact weights" in found.text and "The Evaluators" in found.text
    notice = client.get(f"/api/v1/notices/{root(upload)}").json()
    assert [each["publication"] for each in notice["entries"]] == [said["publication"]]


def test_a_person_publishes_with_a_form(client: TestClient, upload: Upload) -> None:
    """And is led to the publication's page; a second time it says that it was there."""
    headers = signed_in(Role.TESTER) | PAGE
    del headers["x-csrf-token"]
    assert "archive" in client.get("/publish", headers=headers).text
    for told in ("Published. It is here, whole.", "It was here already, whole"):
        form: dict[str, Any] = {"data": {"csrf": CSRF}, "files": {"archive": ("d.zip", archive(upload))}}
        sent = client.post("/publish", headers=headers, **form)
        assert sent.status_code == 303
        assert told in client.get(sent.headers["location"], headers=headers).text


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


def test_what_does_not_verify_is_refused_with_every_reason_and_nothing_is_stored(
    client: TestClient, store: Store, trusted: None, upload: Upload, tmp_path: Path, key: PrivateKey
) -> None:
    """A changed file, one that was not signed, no statement, and statements for another subject; to programs and to people."""
    before = rows(store)
    other = signed(tmp_path / "other", key, model("other"))
    mixed = {name: data for name, data in upload.files.items() if "/" not in name}
    mixed |= {name: data for name, data in other.files.items() if "/" in name}
    broken = {
        "changed-file": {**upload.files, "card.md": b"better"},
        "unsigned-file": {**upload.files, "terms.html": b"<script>"},
        "unsigned": {name: data for name, data in upload.files.items() if "/" not in name},
        "other-subject": mixed,
    }
    for reason, files in broken.items():
        data = archive(replace(upload, files=files))
        found = client.post(API, content=data, headers=TESTER)
        assert (found.status_code, found.headers["content-type"]) == (422, "application/problem+json")
        assert any(f"{reason}:" in each for each in found.json()["reasons"]), reason
    headers = signed_in(Role.TESTER) | PAGE
    shown = client.post("/publish", files={"archive": ("d.zip", data)}, headers=headers)
    assert shown.status_code == 422 and "other-subject" in shown.text and "Nothing was stored" in shown.text
    empty = client.post("/publish", data={"csrf": CSRF}, headers=headers)
    assert empty.status_code == 422 and "No archive was chosen" in empty.text.replace("no archive", "No archive")
    assert rows(store) == before


@pytest.mark.parametrize(
    "data",
    [
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
    ],
    ids=[
        "empty",
        "two-letters",
        "noise",
        "half",
        "traversal",
        "deep-traversal",
        "absolute",
        "logs",
        "nothing-in-it",
        "deep",
        "no-text",
        "many-values",
    ],
)
def test_hostile_archives_are_refused_and_not_an_error_of_ours(client: TestClient, store: Store, data: bytes) -> None:
    """Each ends in 422 with what to do, and nothing is stored."""
    before = rows(store)
    found = client.post(API, content=data, headers=TESTER)
    assert found.status_code == 422, found.text
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


def test_what_a_notice_repeats_is_bounded_and_can_be_kept_by_both_databases(
    client: TestClient, store: Store, tmp_path: Path
) -> None:
    """A label of megabytes would make every notice that size; a null character is no text to PostgreSQL."""
    for number, label in enumerate(("x" * 1_000_000, "a\x00b")):
        upload = signed(tmp_path / str(number), made.ed25519_key(), made.candidate(label=label))
        found = client.post(API, content=archive(upload), headers=TESTER)
        assert found.status_code == 422, found.text[:500]
    assert rows(store)[0] == 0
