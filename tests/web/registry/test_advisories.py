"""What was found wrong with weights stands on their notice: whoever reads that they were measured reads that as well."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from starlette.testclient import TestClient

from tests.findings.built import NEW, OLD, finding_data
from tests.registry.databases import NOW
from tests.web.doors import CSRF, signed_in
from tests.web.registry.forms import HOSTILE, PAGE, Read, asked
from weighbridge.registry.accounts.roles import Role

MAINTAINER = signed_in(Role.MAINTAINER, "boss")
FINDER = signed_in(Role.TESTER, "finder")
THESE, OTHERS = f"/weights/{OLD[7:]}", f"/weights/{NEW[7:]}"


@pytest.fixture
def kind() -> str:
    return "sqlite"


def advise(client: TestClient, **changed: object) -> str:
    """Save a finding and an advisory about it; return the advisory's name."""
    found = client.post("/api/v1/findings", json=finding_data(**changed), headers=FINDER)
    assert found.status_code == 201, found.text
    form = client.get(f"/advisories/new?finding={found.json()['handle']}", headers=MAINTAINER | PAGE).text
    text = unescape(form.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0]).lstrip("\n")
    sent = client.post("/advisories/save", data={"csrf": CSRF, "text": text}, headers=MAINTAINER)
    assert sent.status_code == 303, sent.text
    return sent.headers["location"].rpartition("/")[2]


def test_an_advisory_stands_on_the_page_and_the_card_of_the_weights_that_it_names(client: TestClient) -> None:
    """Of these weights, and not of others; and it changes no answer, which is what was measured."""
    assert 'id="advisories"' not in asked(client, THESE)
    name = advise(client)
    page = asked(client, THESE)
    assert (
        'id="advisories"' in page
        and f"/advisories/{name}" in page
        and "it lists these weights" in page
        and "affected" in page
    )
    assert "An advisory names these weights." in Read(asked(client, f"{THESE}/card")).text
    assert "not measured" in page
    assert name not in asked(client, OTHERS) and "advisory" not in Read(asked(client, f"{OTHERS}/card")).text.lower()


def test_what_is_held_back_is_on_no_notice_before_its_day(client: TestClient) -> None:
    """Who may know of it sees it marked; nobody else sees that there is anything; the card, which is everybody's, never."""
    told = [{"who": "their contact", "on": "2026-11-10"}]
    until = (NOW.date() + timedelta(days=30)).isoformat()
    before = Read(asked(client, THESE)).text
    name = advise(client, disclosure={"state": "embargoed", "embargo_until": until, "told": told})
    assert Read(asked(client, THESE)).text == before
    for form in ("/card", "/badge.svg", "/notice.json"):
        assert "advisor" not in client.get(THESE + form).text.lower()
        assert "advisor" not in client.get(THESE + form, headers=MAINTAINER).text.lower()
    seen = client.get(THESE, headers=MAINTAINER | PAGE)
    assert name in seen.text and "not public yet" in seen.text and seen.headers["cache-control"] == "no-store"


def test_a_hostile_title_is_letters(client: TestClient) -> None:
    """On the notice's page as everywhere."""
    advise(client, title=HOSTILE[1][:60])
    tags = Read(asked(client, THESE)).tags
    assert not [each for _, each in tags if any(name.startswith("on") for name in each)]
