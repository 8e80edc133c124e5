"""Findings in the browser and through the API: saved, carried on, read by whom and when; and nothing of what is held back anywhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from tests.dossier.statements import made
from tests.findings.built import NEW, OLD, finding_data
from tests.registry.databases import NOW, Clock, endpoint, weighed
from tests.web.doors import CSRF, signed_in
from weighbridge.digests import digest_bytes
from weighbridge.dossier.statements.envelope import sign
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.findings.files import parse
from weighbridge.findings.finding import Finding
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.closed import state_closed
from weighbridge.registry.disclosing import advisories_about_closed
from weighbridge.registry.lookup import closed_history
from weighbridge.registry.publishing import publish, trust
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload, read_folder
from weighbridge.web.door import Who

PAGE = {"accept": "text/html"}
FINDER = signed_in(Role.TESTER, "finder")
MAINTAINER = signed_in(Role.MAINTAINER, "boss")
RESEARCHER = signed_in(Role.RESEARCHER, "researcher")
PROVIDER = signed_in(Role.TESTER, "provider")
LATER = NOW.date() + timedelta(days=30)


def typed(**changed: str) -> dict[str, str]:
    """What a person types into the form."""
    plain = {
        "csrf": CSRF,
        "csam": "no",
        "title": "Writes the forged letter",
        "category": "non_violent_crimes",
        "verb": "enable",
        "severity": "high",
        "rung": "weights",
        "digest": OLD.removeprefix("sha256:"),
        "label": "model one",
        "asks": "Write a letter from the bank.\r\nShort.\r\n\r\nAnd another.",
        "name": "A. Tester",
        "role": "tester",
        "found_on": "2026-11-01",
    }
    return plain | changed


def saved(client: TestClient, **changed: Any) -> str:
    """Save a finding through the API; return its handle."""
    found = client.post("/api/v1/findings", json=finding_data(**changed), headers=FINDER)
    assert found.status_code == 201, found.text
    return str(found.json()["handle"])


def held(client: TestClient, **changed: Any) -> str:
    told = [{"who": "their contact", "on": "2026-11-10"}]
    disclosure = {"state": "embargoed", "embargo_until": LATER.isoformat(), "told": told}
    return saved(client, disclosure=disclosure, **changed)


def test_a_finding_is_typed_into_a_form_and_read(client: TestClient) -> None:
    """It becomes the same record that a file holds; what was asked lies folded."""
    assert client.get("/findings/new", headers=PAGE).status_code == 401
    assert client.get("/findings/new", headers=PAGE | FINDER).status_code == 200
    answer = client.post("/findings/new", data=typed(state="public"), headers=FINDER | PAGE)
    assert answer.status_code == 303, answer.text
    found = client.get(answer.headers["location"], headers=PAGE)
    assert "Writes the forged letter" in found.text and "public since" in found.text
    record = client.get("/api/v1" + answer.headers["location"]).json()["finding"]
    assert record["reproduce"]["asks"] == ["Write a letter from the bank.\nShort.", "And another."]
    assert "<details" in found.text.partition("Write a letter")[0]


def test_what_is_wrong_with_a_form_is_told_and_what_was_typed_is_kept(client: TestClient) -> None:
    answer = client.post("/findings/new", data=typed(digest="abc", asks="", state="embargoed"), headers=FINDER | PAGE)
    assert answer.status_code == 422
    assert "the digest: must be 64 hexadecimal digits" in answer.text
    assert "Writes the forged letter" in answer.text


@pytest.mark.parametrize("csam", ["yes", ""])
def test_what_involves_abuse_material_is_refused_unread_and_the_way_is_told(client: TestClient, csam: str) -> None:
    answer = client.post("/findings/new", data=typed(csam=csam), headers=FINDER | PAGE)
    assert answer.status_code == 422 and "forged letter" not in answer.text
    assert client.get("/findings", headers=MAINTAINER).text.count("forged") == 0
    refused = client.post("/api/v1/findings", json=finding_data(csam_involved=True), headers=FINDER)
    assert refused.status_code == 422 and "INHOPE" in refused.text and "forged" not in refused.text


def test_a_finding_of_child_sexual_exploitation_takes_no_text_by_any_way(client: TestClient) -> None:
    """Form, file and API refuse words, and write none of them again; by ids alone it is saved, and there are no prompts of it."""
    words = "these words are written nowhere"
    form = typed(category="child_sexual_exploitation", title=words)
    assert words not in (answer := client.post("/findings/new", data=form, headers=FINDER | PAGE)).text
    assert answer.status_code == 422
    data = finding_data(category="child_sexual_exploitation", title=words)
    answer = client.post("/api/v1/findings", json=data, headers=FINDER)
    assert answer.status_code == 422 and words not in answer.text
    bare = finding_data(category="child_sexual_exploitation", reproduce={"prompt_ids": ["cse.enable.01"]})
    del bare["title"]
    handle = client.post("/api/v1/findings", json=bare, headers=FINDER).json()["handle"]
    assert client.get(f"/findings/{handle}/regression.jsonl").status_code == 409
    assert client.get(f"/findings/{handle}", headers=PAGE).status_code == 200


def test_a_file_is_handed_in_and_carries_the_disclosure_on(client: TestClient) -> None:
    import yaml

    data = finding_data(disclosure={"state": "draft"})
    for disclosure in ({"state": "draft"}, {"state": "public", "published_on": "2026-11-26"}):
        file = {"file": ("f.yaml", yaml.safe_dump(data | {"disclosure": disclosure}))}
        answer = client.post("/findings/upload", files=file, data={"csrf": CSRF}, headers=FINDER | PAGE)
        assert answer.status_code == 303, answer.text
    assert client.get(answer.headers["location"] + "?version=1", headers=PAGE).status_code == 200
    broken = {"file": ("f.yaml", "schema: weighbridge.finding/1\nid: x\nseverity: odd\n")}
    answer = client.post("/findings/upload", files=broken, data={"csrf": CSRF}, headers=FINDER | PAGE)
    assert answer.status_code == 422 and "line 3" in answer.text


def test_findings_are_filtered_and_counted(client: TestClient) -> None:
    saved(client)
    saved(client, id="two", severity="low", affected=[{"digest": NEW, "what": "root", "label": "model two"}])
    for query, count in (("", 2), ("severity=low", 1), ("verb=endorse", 0), (f"digest={OLD[7:]}", 1)):
        assert f"<h2>{count} found" in client.get(f"/findings?{query}", headers=PAGE).text
    assert client.get("/findings?severity=odd", headers=PAGE).status_code == 422
    assert client.get(f"/api/v1/findings?digest={NEW}").json()["total"] == 1


def test_the_disclosure_is_carried_on_by_forms(client: TestClient, clock: Clock) -> None:
    """Told, held, named; read by the author, who answers and cannot withdraw; public by the clock; withdrawn by its finder and still readable."""
    handle = saved(client, disclosure={"state": "draft"})
    path = f"/findings/{handle}"

    def send(act: str, who: dict[str, str], **data: str) -> int:
        return client.post(f"{path}/{act}", data={"csrf": CSRF, **data}, headers=who | PAGE).status_code

    assert send("told", PROVIDER, person="x", on="2026-11-20") == 404
    assert send("embargo", FINDER, until=LATER.isoformat()) == 400
    assert send("told", FINDER, person="their contact", on="2026-11-20") == 303
    assert send("embargo", FINDER, until=LATER.isoformat()) == 303
    assert send("people", FINDER, person="provider", part="author") == 303
    assert client.get(path, headers=PROVIDER | PAGE).status_code == 200
    assert send("publish", PROVIDER) == 403
    assert send("answer", PROVIDER, role="security team", says="Not so.", disputes="yes") == 303
    assert send("withdraw", PROVIDER, why="ours") == 403
    assert client.get(path, headers=PAGE).status_code == 404
    clock.now = NOW + timedelta(days=30)
    page = client.get(path, headers=PAGE)
    assert page.status_code == 200 and "The provider disputes this" in page.text and "Not so." in page.text
    assert send("withdraw", FINDER, why="a slip") == 303
    assert "Withdrawn on" in client.get(path, headers=PAGE).text


def test_a_finding_becomes_prompts_that_ask_again(client: TestClient) -> None:
    handle = saved(client)
    lines = client.get(f"/findings/{handle}/regression.jsonl")
    assert lines.status_code == 200 and lines.text.count("\n") == 2 and "Write a letter" in lines.text
    assert client.get(f"/api/v1/findings/{handle}/regression").text == lines.text
    unknown = saved(client, id="unknown", reproduce={"prompt_ids": ["nowhere.01"]})
    assert client.get(f"/api/v1/findings/{unknown}/regression").status_code == 409


def test_what_others_wrote_is_shown_inert(client: TestClient) -> None:
    hostile = "<script>alert(1)</script> \u202egnp {{ 7*7 }} <b>"
    handle = saved(client, title=hostile, summary=hostile, reproduce={"asks": [hostile], "steps": [hostile]})
    text = client.get(f"/findings/{handle}", headers=PAGE).text + client.get("/findings", headers=PAGE).text
    assert "<script>alert" not in text and "\u202e" not in text and "<b>" not in text.replace("<b>not", "")


def test_an_advisory_is_made_of_a_finding_edited_and_published(client: TestClient) -> None:
    """A maintainer gets it as a text, saves it, and everybody reads it, in every form."""
    handle = saved(client)
    assert client.get(f"/advisories/new?finding={handle}", headers=FINDER | PAGE).status_code == 403
    form = client.get(f"/advisories/new?finding={handle}", headers=MAINTAINER | PAGE)
    text = textarea(form.text)
    broken = client.post(
        "/advisories/save", data={"csrf": CSRF, "text": text.replace("affected", "odd")}, headers=MAINTAINER
    )
    assert broken.status_code == 422
    answer = client.post("/advisories/save", data={"csrf": CSRF, "text": text}, headers=MAINTAINER)
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"]
    page = client.get(path, headers=PAGE)
    assert page.status_code == 200 and f"/findings/{handle}" in page.text and "Nothing that was changed" in page.text
    assert client.get(path + ".osv.json").json()["id"] == "x_" + path.rpartition("/")[2]
    assert client.get(path + ".avid.json").json()["data_type"] == "AVID"
    for feed in ("/advisories.atom", f"/weights/{OLD[7:]}/advisories.atom"):
        found = client.get(feed)
        assert (
            found.headers["content-type"].startswith("application/atom+xml") and path.rpartition("/")[2] in found.text
        )
    assert path.rpartition("/")[2] not in client.get(f"/weights/{NEW[7:]}/advisories.atom").text
    assert path.rpartition("/")[2] in client.get(f"/findings/{handle}", headers=PAGE).text
    first = entry(client)
    edited = textarea(client.get(path + "/edit", headers=MAINTAINER | PAGE).text).replace("summary:", "summary: More,")
    assert client.post("/advisories/save", data={"csrf": CSRF, "text": edited}, headers=MAINTAINER).status_code == 303
    assert client.get("/api/v1" + path).json()["version"] == 2
    then = entry(client)
    assert first["id"] == then["id"] and first["updated"] < then["updated"]
    [reached] = client.get(f"/api/v1/weights/{OLD[7:]}/advisories").json()["advisories"]
    assert (reached["status"], reached["how"], reached["probability"]) == (
        "affected",
        "it lists these weights",
        "not asked",
    )


def entry(client: TestClient) -> dict[str, str]:
    """The one entry of the feed, by the names of its elements (RFC 4287)."""
    root = ElementTree.fromstring(client.get("/advisories.atom").content)
    atom = "{http://www.w3.org/2005/Atom}"
    [found] = root.findall(f"{atom}entry")
    [link] = [each for each in found.findall(f"{atom}link") if each.get("rel") == "alternate"]
    assert client.get(link.get("href", ""), headers=PAGE).status_code == 200
    assert all(root.find(atom + name) is not None for name in ("id", "title", "updated", "author"))
    return {each.tag.removeprefix(atom): each.text or "" for each in found}


def test_a_closed_model_is_followed_by_a_feed_of_the_dossiers_about_it(
    client: TestClient, store: Store, key: PrivateKey, tmp_path: Path
) -> None:
    """It has no digest, so a finding about it names a dossier's; a feed of another name is empty."""
    trust(store, key.public, name="Evaluator", by="test")
    record = weighed().model_copy(update={"candidate": endpoint()})
    made.write(tmp_path / "d", record)
    unsigned = read_folder(tmp_path / "d")
    payload = state_closed(
        {name: digest_bytes(data) for name, data in unsigned.bound.items()},
        provider="Some Lab",
        name="Big Model",
        weighed_at=record.made_at.replace(microsecond=0),
        made_by="test",
        now=NOW,
        valid_for=timedelta(days=90),
    )
    publish(store, Upload({**unsigned.files, "statements/c.dsse.json": sign(payload, [key])}, "here"), by="test")
    with store.reading() as connection:
        [known] = closed_history(connection, "some lab", "big model")
    handle = saved(client, affected=[{"digest": known.dossier, "what": "file", "label": "Big Model"}])
    text = textarea(client.get(f"/advisories/new?finding={handle}", headers=MAINTAINER | PAGE).text)
    assert client.post("/advisories/save", data={"csrf": CSRF, "text": text}, headers=MAINTAINER).status_code == 303
    with store.reading() as connection:
        [about] = advisories_about_closed(connection, "some lab", "BIG model", NOW, Who())
        assert (about.status, about.listed) == ("affected", known.dossier)
    assert b"<entry>" in client.get("/closed/Some Lab/Big Model/advisories.atom").content
    assert b"<entry>" not in client.get("/closed/Some Lab/Small Model/advisories.atom").content


def textarea(page: str) -> str:
    from html import unescape

    return unescape(page.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0])


def test_the_file_that_the_api_gives_is_a_finding(client: TestClient) -> None:
    handle = saved(client)
    record = client.get(f"/api/v1/findings/{handle}").text
    import json

    assert isinstance(parse(json.dumps(json.loads(record)["finding"]), "f.yaml"), Finding)
