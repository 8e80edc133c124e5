"""What people do beside a result, and that none of it lets an author close one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from starlette.testclient import TestClient

from tests.dossier.statements import made
from tests.registry.databases import Clock, put
from tests.web.doors import signed_in
from tests.web.registry.archives import API, TESTER
from tests.web.registry.conftest import archive, root
from tests.web.registry.forms import PAGE, asked, publish_as, weighed_as
from weighbridge.dossier.statements.keys import KeyKind, PrivateKey, new_key
from weighbridge.protocol.vocabulary import Verdict
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.asked import Published
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.publishing import trust
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload, read_folder

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
    statuses = [client.post(f"{path}/answer", data={"text": f"{at}"}, headers=VISITOR).status_code for at in range(10)]
    assert statuses == [303] * 9 + [409]


def test_an_author_who_weighs_again_closes_nothing_of_an_evaluators(
    client: TestClient, store: Store, clock: Clock, trusted: None, key: PrivateKey, tmp_path: Path
) -> None:
    """A rosier dossier in the same folder, whose statement says that it takes the place of the adverse one: it stands beside it."""
    bad = publish_as(store, tmp_path / "same", key, Verdict.MATERIAL_INCREASE)
    author = made.ed25519_key()
    trust(store, author.public, name="The Author", by="test")
    clock.now += timedelta(minutes=1)
    made.write(tmp_path / "same", weighed_as(Verdict.NO_MATERIAL_INCREASE))
    made.sign(tmp_path / "same", author, clock.now)
    sent = client.post(API, content=archive(read_folder(tmp_path / "same")), headers=TESTER)
    assert sent.status_code == 201 and sent.json()["signer_known"], sent.text
    said = client.get(f"/api/v1/notices/{bad.subject.removeprefix('sha256:')}").json()
    assert said["answer"] == "not met"
    by_evaluator = [each for each in said["entries"] if each["publication"] == bad.publication]
    assert [each["stands"] for each in by_evaluator] == ["current"] and len(said["entries"]) == 2


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
