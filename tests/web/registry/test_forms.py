"""The forms of a notice: page, card, badge, JSON, statement. What a dossier says is inert in every one of them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.cli.test_registry import run
from tests.dossier.statements import made
from tests.registry.databases import NOW, Clock, model, put, signed, weighed
from tests.web.conftest import ORIGIN
from tests.web.doors import SaidDoor
from tests.web.registry.conftest import root
from tests.web.registry.forms import FORMS, HOSTILE, NOBODY, PAGE, Read, asked, publish_as
from weighbridge.cli import verify
from weighbridge.dossier.statements.failures import Failure
from weighbridge.dossier.statements.keys import KeyKind, PrivateKey, new_key, read_public_key
from weighbridge.dossier.statements.verification import NOTICE
from weighbridge.protocol.vocabulary import Rung, Verdict
from weighbridge.registry.asked import Published
from weighbridge.registry.lookup import notice_of
from weighbridge.registry.notices import Answer
from weighbridge.registry.publishing import answer, revoke
from weighbridge.registry.stated_notice import verify_notice
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site


@pytest.fixture
def kind() -> str:
    """What is shown does not depend on the database: what does is tested on both, beside this."""
    return "sqlite"


def test_what_nobody_published_is_not_measured_in_every_form(client: TestClient) -> None:
    """Never 404 for a digest: the page, the card, the badge and the JSON say so in words."""
    for form in FORMS:
        found = client.get(f"/weights/{NOBODY}{form}", headers=PAGE)
        assert found.status_code == 200 and "not measured" in found.text, form
        assert client.head(f"/weights/{NOBODY}{form}").status_code == 200
    for wrong in ("ab" * 31, "ab" * 33, "gg" * 32, "..%2f" * 3):
        assert client.get(f"/weights/{wrong}/badge.svg").status_code == 404
    assert client.get(f"/weights/{NOBODY.upper()}/badge.svg").status_code == 200


def test_a_notice_says_which_benchmark_grader_date_rung_and_for_which_weights(
    client: TestClient, published: Published, upload: Upload
) -> None:
    """On the page: all four rungs and both contrasts, whoever signed, until when, and the words that bind it to the weights."""
    page = Read(asked(client, f"/weights/{root(upload)}"))
    record = weighed()
    for words in ("for these exact weights", record.suite.name, record.grader.name, "The Evaluators", "holds until"):
        assert words in page.text, words
    for words in (*(rung.value for rung in Rung), "Opening", "Counterfactual", "test-standard", "26 November 2026"):
        assert words in page.text, words
    figures = [each for tag, each in page.tags if tag == "svg" and each.get("role") == "img"]
    assert figures and all(each.get("aria-labelledby") and each.get("aria-describedby") for each in figures)
    card = Read(asked(client, f"/weights/{root(upload)}/card"))
    for words in ("for these exact weights", record.suite.name, record.grader.name, "The Evaluators"):
        assert words in card.text, words


def test_a_file_of_several_leads_to_its_model_and_has_no_result_of_its_own(
    client: TestClient, store: Store, trusted: None, key: PrivateKey, tmp_path: Path
) -> None:
    """Each result is marked as being of more than the file that was asked for."""
    several = model("several", 3)
    upload = signed(tmp_path / "several", key, several)
    put(store, upload)
    path = f"/weights/{several.components[0].files[1].digest.removeprefix('sha256:')}"
    page = Read(asked(client, path))
    assert "what was weighed is more than this file" in page.text.lower()
    assert page.text.count("of more than this file") == 1 and "Not a result of this file" in page.text
    assert f"/weights/{root(upload)}" in [each.get("href") for tag, each in page.tags if tag == "a"]
    assert ">not shown<" in asked(client, f"{path}/badge.svg")
    assert "of more than this file" not in Read(asked(client, f"/weights/{root(upload)}")).text


def test_the_badge_has_a_word_and_a_shape_for_each_answer(
    client: TestClient, store: Store, trusted: None, key: PrivateKey, tmp_path: Path
) -> None:
    """Four answers, four words, four drawings; title and description say it to who does not see it."""
    seen: dict[str, str] = {"not measured": asked(client, f"/weights/{NOBODY}/badge.svg")}
    words = {
        Verdict.NO_MATERIAL_INCREASE: "met",
        Verdict.UNDECIDED: "not shown",
        Verdict.MATERIAL_INCREASE: "not met",
    }
    for verdict, word in words.items():  # the worst last: each is about the same weights
        found = publish_as(store, tmp_path / verdict.name, key, verdict)
        seen[word] = asked(client, f"/weights/{found.subject.removeprefix('sha256:')}/badge.svg")
    drawn = set()
    for word, text in seen.items():
        svg = ElementTree.fromstring(text)
        space = "{http://www.w3.org/2000/svg}"
        assert word in [each.text for each in svg.iter(f"{space}text")]
        assert svg.findtext(f"{space}title") == f"weighbridge: {word}, for these exact weights"
        assert (svg.findtext(f"{space}desc") or "").startswith(word)
        drawn.add(text.rpartition("<g transform")[2])
        assert svg.get("role") == "img"
    assert len(drawn) == len(seen) == 4


def test_a_hostile_label_is_inert_in_every_form(
    client: TestClient, store: Store, trusted: None, key: PrivateKey, tmp_path: Path
) -> None:
    """Scripts, handlers, SVG, letters that turn writing round and terminal escapes: they are letters, and nothing else."""
    for number, label in enumerate(HOSTILE):
        upload = signed(tmp_path / str(number), key, model(label))
        found = put(store, upload)
        answer(store, found.publication, by=label, text=label)
        revoke(store, found.publication, by=label, reason=label)
        publication = f"/publications/{found.publication.removeprefix('sha256:')}"
        paths = [f"/weights/{root(upload)}{form}" for form in FORMS[:3]] + [
            publication,
            "/",
            "/lookup?q=" + root(upload)[:12],
        ]
        for path in [*paths, f"/lookup?q={label[:5]}"]:
            answered = client.get(path, headers=PAGE, follow_redirects=True)
            assert answered.status_code == 200, path
            text = answered.text
            assert not set("\u202e\u2066\u2028\x1b\x07") & set(text), path
            tags = Read(text).tags
            for tag, attributes in tags:
                assert not [name for name in attributes if name.startswith("on")], path
                assert not (attributes.get("href") or "").lower().startswith("javascript:")
                assert tag != "script" and (tag != "img" or (attributes["src"] or "").endswith("/badge.svg")), path
            assert "abbb" not in text


def test_a_search_is_inert_too(client: TestClient) -> None:
    """What is typed comes back as letters in one field."""
    for typed in HOSTILE:
        found = client.get("/lookup", params={"q": typed}, headers=PAGE)
        page = Read(found.text)
        assert found.status_code == 200 and "script" not in [tag for tag, _ in page.tags]
        assert not [tag for tag, each in page.tags if any(name.startswith("on") for name in each)]


def test_a_card_may_be_framed_and_runs_nothing(client: TestClient, published: Published, upload: Upload) -> None:
    """The card alone: no script, no form, links that leave the frame."""
    found = client.get(f"/weights/{root(upload)}/card", headers=PAGE)
    policy = found.headers["content-security-policy"]
    assert "frame-ancestors *" in policy and "script-src" not in policy and "default-src 'none'" in policy
    page = Read(found.text)
    assert not {"script", "form", "iframe", "input"} & {tag for tag, _ in page.tags}
    links = [each for tag, each in page.tags if tag == "a"]
    assert links and all(each["target"] == "_top" for each in links)
    assert "frame-ancestors 'none'" in client.get(f"/weights/{root(upload)}").headers["content-security-policy"]
    assert "&lt;iframe" in client.get(f"/weights/{root(upload)}", headers=PAGE).text


def test_what_has_not_changed_is_not_sent_again(
    client: TestClient, store: Store, clock: Clock, published: Published, upload: Upload
) -> None:
    """A tag names what is said, whenever it is asked for; a revocation changes it."""
    paths = [f"/weights/{root(upload)}{form}" for form in FORMS[1:]]
    tags = []
    for path in paths:
        first = client.get(path)
        tags.append(first.headers["etag"])
        assert "max-age=60" in first.headers["cache-control"]
    clock.now += timedelta(minutes=5)
    for path, tag in zip(paths, tags, strict=True):
        again = client.get(path, headers={"if-none-match": f'"x", {tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), path
    revoke(store, published.publication, by="maintainer", reason="wrong")
    for path, tag in zip(paths, tags, strict=True):
        assert client.get(path, headers={"if-none-match": tag}).status_code == 200, path


def test_a_signed_notice_holds_for_its_day_its_digest_and_its_key(
    store: Store, clock: Clock, published: Published, upload: Upload, tmp_path: Path
) -> None:
    """Away from the service: another key, another model, another day, and any changed byte are found."""
    public = new_key(tmp_path / "key", KeyKind.ED25519)
    site = Site(store, Settings(origin=ORIGIN, publisher="Tests", key=tmp_path / "key"), SaidDoor(), clock)
    client = TestClient(create_app(site), base_url=ORIGIN)
    digest = f"sha256:{root(upload)}"
    data = client.get(f"/weights/{root(upload)}/notice.dsse.json").content
    (tmp_path / "served.pub").write_bytes(client.get("/notice-key.pub").content)
    assert read_public_key(tmp_path / "served.pub").keyid == public.keyid
    found = verify_notice(data, [public], now=NOW, digests=[digest])
    assert found.is_verified and found.said is not None and found.signer is not None
    with store.reading() as connection:
        assert found.said.notice == notice_of(connection, digest, NOW)
    assert found.said.publisher == "Tests" and found.said.valid_until == NOW + timedelta(hours=24)
    wrong = {
        Failure.WRONG_KEY: verify_notice(data, [made.ed25519_key().public], now=NOW),
        Failure.NO_KEY: verify_notice(data, [], now=NOW),
        Failure.EXPIRED: verify_notice(data, [public], now=NOW + timedelta(hours=24)),
        Failure.NOT_YET_VALID: verify_notice(data, [public], now=NOW - timedelta(hours=1)),
        Failure.OTHER_MODEL: verify_notice(data, [public], now=NOW, digests=["sha256:" + NOBODY]),
    }
    for failure, judged in wrong.items():
        assert failure in [each.failure for each in judged.problems]
    for at in range(0, len(data), 97):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert not verify_notice(changed, [public], now=NOW).is_verified
    (tmp_path / "notice.dsse.json").write_bytes(data)
    asked_of = ("--key", tmp_path / "served.pub", "--at", "2026-11-26T13:00Z")
    code, told = run(verify.command, tmp_path / "notice.dsse.json", *asked_of)
    assert code == 0 and told.startswith("VERIFIED") and "a notice by Tests" in told and digest in told
    code, told = run(verify.command, tmp_path / "notice.dsse.json", *asked_of, "--model", tmp_path / "key", "--json")
    assert code == 1 and json.loads(told)["problems"][0]["failure"] == "other-model"
    assert run(verify.command, tmp_path / "notice.dsse.json", *asked_of[2:])[0] == 4
    nothing = client.get(f"/weights/{NOBODY}/notice.dsse.json").content
    said = verify_notice(nothing, [public], now=NOW, digests=["sha256:" + NOBODY])
    assert said.is_verified and said.said is not None and said.said.notice.answer is Answer.NOT_MEASURED
    assert client.get("/closed/x/y/notice.dsse.json").status_code == 404
    assert NOTICE.endswith("/predicate/notice/v1")


def test_a_signed_notice_does_not_outlive_the_result_it_stands_on(
    store: Store, clock: Clock, published: Published, upload: Upload, tmp_path: Path
) -> None:
    """An hour before a result expires the notice that counts it holds for that hour."""
    public = new_key(tmp_path / "key", KeyKind.ED25519)
    site = Site(store, Settings(origin=ORIGIN, key=tmp_path / "key"), SaidDoor(), clock)
    client = TestClient(create_app(site), base_url=ORIGIN)
    clock.now = NOW + timedelta(days=183) - timedelta(hours=1)
    found = verify_notice(client.get(f"/weights/{root(upload)}/notice.dsse.json").content, [public], now=clock.now)
    assert found.said is not None and found.said.valid_until == NOW + timedelta(days=183)


def test_without_a_key_no_notice_is_signed_and_it_says_why(client: TestClient) -> None:
    """404 with what to do."""
    found = client.get(f"/weights/{NOBODY}/notice.dsse.json")
    assert found.status_code == 404
    assert "without a key" in found.json()["detail"] and "--key" in found.json()["do"]
