"""Renderings for the public: OSV, AVID and Atom hold what they must, hostile words are inert, and nothing comes before its day."""

from __future__ import annotations

import json
import re
import warnings
from datetime import date, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.findings.built import HOSTILE, NEW, OLD, OTHER, TODAY, advisory, advisory_data, hub, listed, mitigation
from weighbridge.errors import UsageError
from weighbridge.findings.advisory import Advisory
from weighbridge.findings.avid import avid
from weighbridge.findings.feed import ATOM, feed
from weighbridge.findings.osv import osv

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # avidtools is written for pydantic 1 and says so
    avid_report = pytest.importorskip("avidtools.datamodels.report")

NAME = f"{{{ATOM}}}"
ZULU = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
COMMIT = re.compile(r"[a-f0-9]{40}")


def atom(*ones: Advisory, on: date = TODAY) -> bytes:
    """A feed of them."""
    return feed(ones, title="Advisories", publisher="A hub", on=on, url="https://hub.example/feed?a=1&b=2")


def check_osv(record: dict[str, Any]) -> None:
    """Check a record against what OSV 1.7.5 asks (written by hand after its schema; docs/formats/findings.md says how it was checked)."""
    known = {
        "schema_version",
        "id",
        "modified",
        "published",
        "withdrawn",
        "summary",
        "details",
        "affected",
        "references",
        "credits",
        "database_specific",
    }
    assert set(record) <= known
    assert record["schema_version"] == "1.7.5"
    assert record["id"].startswith("x_")
    assert all(ZULU.fullmatch(record[name]) for name in ("modified", "published", "withdrawn") if name in record)
    for entry in record["affected"]:
        assert set(entry) <= {
            "ranges",
            "versions",
            "database_specific",
        }  # a package needs an ecosystem, and there is none
        for part in entry["ranges"]:
            assert part["type"] == "GIT"
            assert part["repo"].startswith("https://")
            kinds = [kind for event in part["events"] for kind in event]
            assert all(len(event) == 1 and COMMIT.fullmatch(*event.values()) for event in part["events"])
            assert "introduced" in kinds
            assert not {"fixed", "last_affected"} <= set(kinds)
    assert all(set(one) == {"type", "url"} and one["type"].isupper() for one in record["references"])
    assert all(one["type"] == "FINDER" for one in record["credits"])


def test_osv_names_commits_on_hubs_and_every_digest() -> None:
    """A fix is an event only where a re-test shows it; digests and statuses are in database_specific."""
    record = osv(advisory(), on=TODAY)
    check_osv(record)
    assert record["id"] == "x_WB-2026-0001"
    (entry,) = record["affected"]
    assert entry["ranges"][0]["events"] == [{"introduced": "a" * 40}, {"fixed": "b" * 40}]
    assert entry["database_specific"]["purls"] == [f"pkg:huggingface/org/model@{'a' * 40}"]
    statuses = {one["digest"]: one["status"] for one in record["database_specific"]["digests"]}
    assert statuses == {OLD: "affected", NEW: "fixed"}
    record = osv(advisory(mitigations=[mitigation(retest=None)]), on=TODAY)
    check_osv(record)
    assert record["affected"][0]["ranges"][0]["events"] == [{"introduced": "a" * 40}, {"last_affected": "a" * 40}]
    assert record["database_specific"]["mitigations"][0]["retest"] == "not re-tested"


def test_weights_without_a_hub_are_in_osv_by_digest() -> None:
    """No range is made up for them, and a probability that nobody measured is said to be so."""
    derived = listed(OTHER, "under investigation", derived={"of": OLD, "relation": "quantised"})
    record = osv(advisory(digests=[listed(), derived]), on=TODAY)
    check_osv(record)
    assert record["affected"] == []
    facts = record["database_specific"]["digests"][1]
    assert facts["derived"] == {"from": OLD, "relation": "quantised", "probability": "not measured"}
    assert "null" not in json.dumps(record)


def test_a_withdrawn_advisory_says_so_everywhere() -> None:
    """In OSV's field, in the feed's title, in the words."""
    one = advisory(withdrawn_at="2026-11-25T00:00:00Z")
    record = osv(one, on=TODAY)
    check_osv(record)
    assert record["withdrawn"] == record["modified"] == "2026-11-25T00:00:00Z"
    assert b"(withdrawn)" in atom(one)
    assert "Withdrawn on" in avid(one, on=TODAY)["description"]["value"]


def test_avids_model_takes_the_report() -> None:
    """It is of type Advisory, its tags are the shared mapping's, and the report says whose they are."""
    report = avid(advisory(), on=TODAY)
    read = avid_report.Report.model_validate_json(json.dumps(report))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert json.loads(read.model_dump_json(exclude_unset=True)) == report
    assert report["problemtype"]["type"] == "Advisory"
    assert report["impact"]["avid"]["sep_view"] == ["P0403: Socioeconomic safety"]
    assert "not by AVID" in report["description"]["value"]


def check_atom(data: bytes) -> ET.Element:
    """Check a feed against what RFC 4287 requires (sections 4.1.1, 4.1.2, 4.2.6, 3.3)."""
    root = ET.fromstring(data)
    assert root.tag == f"{NAME}feed"
    ids = []
    for part in (root, *root.findall(f"{NAME}entry")):
        for name in ("id", "title", "updated", "author"):
            assert len(part.findall(f"{NAME}{name}")) == 1
        ids.append(part.findtext(f"{NAME}id"))
        assert str(ids[-1]).startswith("urn:uuid:")
        assert part.findtext(f"{NAME}author/{NAME}name")
        updated = part.findtext(f"{NAME}updated") or ""
        assert datetime.fromisoformat(updated).tzinfo is not None
        assert all(link.get("href") for link in part.findall(f"{NAME}link"))
    for entry in root.findall(f"{NAME}entry"):
        content = entry.find(f"{NAME}content")
        assert content is not None
        assert content.get("type") == "text"
        assert len(content) == 0
        assert all(one.get("term") for one in entry.findall(f"{NAME}category"))
    assert len(set(ids)) == len(ids)
    return root


def test_the_feed_has_what_atom_requires() -> None:
    """Newest first, its time that of its newest entry, the same ids every time; an empty feed is one too."""
    newer = advisory(id="WB-2", modified_at="2026-11-24T00:00:00Z")
    root = check_atom(atom(advisory(), newer))
    assert root.findtext(f"{NAME}updated") == "2026-11-24T00:00:00Z"
    titles = [one.findtext(f"{NAME}title") or "" for one in root.findall(f"{NAME}entry")]
    assert [title.split(":")[0] for title in titles] == ["WB-2", "WB-2026-0001"]
    assert atom(advisory(), newer) == atom(newer, advisory())
    assert check_atom(atom()).findtext(f"{NAME}updated") == "2026-11-26T00:00:00Z"


def test_an_advisory_that_is_given_twice_is_refused() -> None:
    """Two entries of one id would be no feed."""
    with pytest.raises(UsageError, match="WB-2026-0001: given twice"):
        atom(advisory(), advisory(summary="a newer one"))


_WORDS = st.one_of(st.just(HOSTILE), st.text(min_size=1, max_size=60)).filter(lambda text: bool(text.strip()))


@given(_WORDS)
@settings(max_examples=60, deadline=None)
def test_hostile_words_are_inert_everywhere(words: str) -> None:
    """The feed is well-formed, opens no element, and no rendering holds a character that cannot be seen."""
    one = advisory(
        title=words,
        summary=words,
        publisher=words,
        credits=[words],
        digests=[listed(label=words)],
        mitigations=[mitigation(changed=words)],
        timeline=[{"on": "2026-11-20", "what": words}],
    )
    root = check_atom(feed([one], title=words, publisher=words, on=TODAY))
    assert {part.tag.removeprefix(NAME) for part in root.iter()} <= {
        "feed", "id", "title", "updated", "author", "name", "generator", "entry", "published", "category", "content", "link",
    }  # fmt: skip
    record = osv(one, on=TODAY)
    check_osv(record)
    report = avid(one, on=TODAY)
    for text in ("".join(root.itertext()), *_strings(record), *_strings(report)):
        assert all(letter.isprintable() or letter == "\n" for letter in text)
    for markdown in (record["details"], report["description"]["value"]):
        assert not re.search(r"(?<!\\)<|(?<!\\)\]\(", markdown)


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _strings(inner)]
    return [value] if isinstance(value, str) else []


SECRETS = ("QXEMBARGOED", "qx-embargoed", "QX-1", "c" * 40, OTHER)


def hidden(until: str | None) -> Advisory:
    """An advisory each text of which would give it away."""
    data = advisory_data()
    word = SECRETS[0]
    return advisory(
        id="QX-1",
        title=word,
        summary=word,
        publisher=word,
        credits=[word],
        modified_at="2029-12-31T23:59:59Z",
        findings=[data["findings"][0] | {"id": "qx-embargoed", "title": word, "digest": OTHER, "public_from": until}],
        digests=[listed(OTHER, label=word, hub=hub("c", f"{word}/{word}"))],
        mitigations=[mitigation(findings=["qx-embargoed"], changed=word)],
        timeline=[{"on": "2026-11-20", "what": word}],
        references=[{"kind": "web", "url": f"https://example.org/{word}"}],
    )


@given(until=st.one_of(st.none(), st.dates(date(2026, 11, 27), date(2029, 1, 1))), others=st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_no_byte_of_an_embargoed_text_is_public_before_its_day(until: date | None, others: int) -> None:
    """The feed is what it would be without it, to the byte; OSV and AVID are refused, and the refusal quotes no text."""
    secret = hidden(until.isoformat() if until else None)
    public = [advisory(id=f"WB-{number}") for number in range(others)]
    day_before = date.fromordinal(until.toordinal() - 1) if until else date.max
    for on in (TODAY, day_before):
        told = atom(secret, *public, on=on)
        assert told == atom(*public, on=on)
        assert not any(word.encode() in told for word in SECRETS)
        for render in (osv, avid):
            with pytest.raises(UsageError) as caught:
                render(secret, on=on)
            assert str(caught.value).count(SECRETS[0]) == 0
    if until is not None:
        assert SECRETS[0].encode() in atom(secret, on=until)
        check_osv(osv(secret, on=until))
