"""Publishing over HTTP: by a program and in a form, whole or not at all, by whom may, and bounded."""

from __future__ import annotations

from starlette.testclient import TestClient

from tests.web.doors import CSRF, signed_in
from tests.web.registry.conftest import archive, root
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.upload import Upload

ZIP = {"content-type": "application/zip"}
TESTER = signed_in(Role.TESTER, token=True) | ZIP
PAGE = {"accept": "text/html"}


def test_a_dossier_that_a_program_hands_in_is_found_by_its_digest(
    client: TestClient, trusted: None, upload: Upload
) -> None:
    """Published once (201), here already the second time (200), and then on its notice's page and in its JSON."""
    first = client.post("/api/v1/publications", content=archive(upload), headers=TESTER)
    assert first.status_code == 201, first.text
    said = first.json()
    assert (said["schema"], said["new"], said["signer_known"]) == ("weighbridge.published/1", True, True)
    again = client.post("/api/v1/publications", content=archive(upload), headers=TESTER)
    assert (again.status_code, again.json()) == (200, said | {"new": False})
    assert client.get(first.headers["location"], headers=PAGE).status_code == 200
    found = client.get(f"/weights/{root(upload)}", headers=PAGE)
    assert found.status_code == 200 and "for these exact weights" in found.text and "The Evaluators" in found.text
    notice = client.get(f"/api/v1/notices/{root(upload)}").json()
    assert [each["publication"] for each in notice["entries"]] == [said["publication"]]


def test_a_person_publishes_with_a_form(client: TestClient, upload: Upload) -> None:
    """And is led to the publication's page."""
    headers = signed_in(Role.TESTER) | PAGE
    del headers["x-csrf-token"]
    assert "archive" in client.get("/publish", headers=headers).text
    sent = client.post("/publish", data={"csrf": CSRF}, files={"archive": ("d.zip", archive(upload))}, headers=headers)
    assert sent.status_code == 303
    assert "Published. It is here, whole." in client.get(sent.headers["location"], headers=headers).text
