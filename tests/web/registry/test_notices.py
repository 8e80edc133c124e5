"""What a notice says over HTTP, on both databases: what was meant by a search, history, several evaluators, closed models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.testclient import TestClient

from tests.dossier.statements import made
from tests.registry.databases import NOW, Clock, endpoint, put, signed, weighed
from tests.web.registry.conftest import root
from tests.web.registry.forms import FORMS, PAGE, Read, asked, publish_as
from weighbridge.cli.publish import _state_closed
from weighbridge.dossier.statements.keys import KeyKind, PrivateKey, new_key
from weighbridge.protocol.vocabulary import Verdict
from weighbridge.registry.asked import Published
from weighbridge.registry.publishing import answer, revoke, trust
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload, read_folder


def test_the_search_leads_to_what_was_meant(client: TestClient, published: Published, upload: Upload) -> None:
    """A whole digest, 12 digits, a label's beginning in any case, too few digits, and nothing."""
    digits = root(upload)
    for typed in (digits, f"sha256:{digits.upper()}", digits[:12], f" {digits[:20]} "):
        found = client.get("/lookup", params={"q": typed}, headers=PAGE)
        assert (found.status_code, found.headers["location"]) == (303, f"/weights/{digits}"), typed
    label = weighed().candidate.label
    assert f"/weights/{digits}" in client.get("/lookup", params={"q": label[:4].upper()}, headers=PAGE).text
    assert "at least 12 digits" in client.get("/lookup", params={"q": digits[:8]}, headers=PAGE).text
    assert "not measured" in client.get("/lookup", params={"q": "fedcba987654"}, headers=PAGE).text
    assert client.get("/lookup", params={"q": " "}, headers=PAGE).headers["location"] == "/"
    assert "The one publication there is" in asked(client, "/")


def test_what_was_superseded_has_expired_or_was_revoked_says_so(
    client: TestClient, store: Store, clock: Clock, trusted: None, key: PrivateKey, tmp_path: Path
) -> None:
    """Nothing goes away: the page has a history, with the reason, and the answer follows what still counts."""
    first = publish_as(store, tmp_path / "met", key, Verdict.NO_MATERIAL_INCREASE)
    path = f"/weights/{first.subject.removeprefix('sha256:')}"
    assert "badge" in asked(client, path) and ">met<" in asked(client, f"{path}/badge.svg")
    made.sign(tmp_path / "met", key, NOW + timedelta(minutes=1))
    clock.now = NOW + timedelta(minutes=2)
    second = put(store, read_folder(tmp_path / "met"))
    assert second.publication != first.publication
    assert "was superseded by its signer" in asked(client, path)
    revoke(store, second.publication, by="maintainer", reason="graded with the wrong rubric")
    page = asked(client, path)
    assert "graded with the wrong rubric" in page and "was revoked" in page
    assert ">not shown<" in asked(client, f"{path}/badge.svg")
    bad = publish_as(store, tmp_path / "bad", key, Verdict.MATERIAL_INCREASE)
    clock.now = NOW + timedelta(days=400)
    assert "has expired" in asked(client, path) and bad.is_new
    assert ">not met<" in asked(client, f"{path}/badge.svg")


def test_several_evaluators_stand_side_by_side_and_an_answer_beside_a_result(
    client: TestClient, store: Store, published: Published, upload: Upload, tmp_path: Path
) -> None:
    """Each with its own signer; one that nobody knows is marked; the author's words change nothing."""
    other, stranger = made.p256_key(), made.ed25519_key()
    trust(store, other.public, name="Another Lab", by="test")
    put(store, signed(tmp_path / "other", other))
    put(store, signed(tmp_path / "stranger", stranger))
    before = client.get(f"/api/v1/notices/{root(upload)}").json()
    answer(store, published.publication, by="the author", text="We disagree.\nIt was mended.")
    page = Read(asked(client, f"/weights/{root(upload)}")).text
    assert "side by side" in page and "Another Lab" in page and "The Evaluators" in page
    assert "Signer not known here" in page and "We disagree." in page and "It was mended." in page and "\\n" not in page
    after = client.get(f"/api/v1/notices/{root(upload)}").json()
    assert (after["answer"], len(after["entries"])) == (before["answer"], 3)


def test_a_closed_model_has_no_digest_and_every_form_says_so(
    client: TestClient, store: Store, clock: Clock, tmp_path: Path
) -> None:
    """By provider and name, whatever their case; and found by the search."""
    key = tmp_path / "key"
    trust(store, new_key(key, KeyKind.ED25519), name="The Evaluators", by="test")
    folder = made.write(tmp_path / "closed", weighed().model_copy(update={"candidate": endpoint()}))
    _state_closed(folder, "Some Lab/Big Model", key, 183)
    clock.now = datetime.now(UTC)  # that of the statement
    put(store, read_folder(folder))
    for path in ("/closed/Some%20Lab/Big%20Model", "/closed/some%20lab/BIG%20model"):
        page = asked(client, path)
        assert "no digest" in page and "for a name, and no digest" in page and "for these exact weights" not in page
        for form in FORMS[1:3]:
            assert "for a name, and no digest" in asked(client, path + form)
        assert client.get(f"{path}/notice.json").json()["entries"][0]["root"] == "no digest"
        assert client.get(f"/api/v1{path}").json()["entries"][0]["match"] == "a name, and no digest"
    found = client.get("/lookup", params={"q": "some lab/big model"}, headers=PAGE)
    assert found.headers["location"] == "/closed/some%20lab/big%20model"
    assert "Big Model" in client.get("/lookup", params={"q": "SOME la"}, headers=PAGE).text
    assert "not measured" in asked(client, "/closed/x/y/badge.svg")
