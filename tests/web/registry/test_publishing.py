"""Publishing over HTTP: by a program and in a form, whole or not at all, by whom may, and bounded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tests.dossier.statements import made
from tests.registry.databases import model, signed
from tests.web.doors import CSRF, signed_in
from tests.web.registry.archives import API, PAGE, TESTER, rows
from tests.web.registry.conftest import archive, root
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload


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


def test_what_a_notice_repeats_is_bounded_and_can_be_kept_by_both_databases(
    client: TestClient, store: Store, tmp_path: Path
) -> None:
    """A label of megabytes would make every notice that size; a null character is no text to PostgreSQL."""
    for number, label in enumerate(("x" * 100_000, "a\x00b")):
        upload = signed(tmp_path / str(number), made.ed25519_key(), made.candidate(label=label))
        found = client.post(API, content=archive(upload), headers=TESTER)
        assert found.status_code == 422, found.text[:500]
    assert rows(store)[0] == 0
