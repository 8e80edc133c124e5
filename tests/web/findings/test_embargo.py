"""Before its day, what is held back is as if it were not there: for nobody, and for whoever is signed in and may not read it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.fakes.dossier_record import digest
from tests.findings.built import OLD, finding, finding_data, mitigation
from tests.registry.databases import NOW, Clock
from tests.registry.test_disclosing import MAINTAINER, held
from tests.web.doors import signed_in
from weighbridge.findings.advisory import Advisory
from weighbridge.findings.mitigation import Mitigation
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.disclosing import outbox
from weighbridge.registry.disclosing.advisories import advisory_from, save_advisory
from weighbridge.registry.disclosing.findings import AUTHOR, INVITED, name_person, save_finding
from weighbridge.registry.store import Store
from weighbridge.web.app import routes_of

STRANGER = signed_in(Role.TESTER, "other")
READERS: tuple[dict[str, str], ...] = ({}, signed_in(Role.RESEARCHER, "another"))  # who was not invited
HELD = digest("held back")
_WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=24)


def paths(client: TestClient, *, ours: bool = False, **values: str) -> list[str]:
    """Every address that something can be read at, with what it is asked about filled in. `ours`: those of findings and advisories only."""
    found = []
    for route in routes_of(client.app.routes):  # type: ignore[attr-defined]
        if "GET" not in (route.methods or ()) or (ours and not re.search("finding|advisor|follow", route.path)):
            continue
        path = re.sub(r"\{(\w+)[^}]*\}", lambda part: values.get(part[1], "x"), route.path)
        found += [path, *(f"{path}?{query}" for query in QUERIES.get(route.path, ()))]
    return found


QUERIES = {
    "/findings": ("category=privacy", f"digest={HELD[7:]}", "page=2"),
    "/api/v1/findings": (f"digest={HELD}", "severity=critical"),
    "/api/v1/advisories": (f"digest={HELD}",),
    "/lookup": (f"q={HELD[7:19]}", f"q={HELD[7:]}"),
    "/api/v1/candidates": (f"prefix={HELD[7:19]}",),
}


def answers(client: TestClient, reader: dict[str, str], asked: list[str]) -> dict[str, tuple[int, str, str]]:
    """What is answered to a browser, with the headers that a change would show in."""
    found = {}
    for path in asked:
        answer = client.get(path, headers=reader | {"accept": "text/html"})
        kept = {name: value for name, value in answer.headers.items() if name not in ("date", "set-cookie")}
        found[path] = (answer.status_code, str(sorted(kept.items())), answer.text)
    return found


def hold(store: Store, word: str) -> tuple[str, Advisory]:
    """A finding under embargo and an advisory of it with a mitigation, full of one word."""
    about = [{"digest": HELD, "what": "root", "label": word}, {"digest": OLD, "what": "root", "label": word}]
    kept = held(
        until=NOW.date() + timedelta(days=1),
        id=word,
        title=f"Title {word}",
        summary=word,
        severity="critical",
        affected=about,
        reproduce={"asks": [word]},
        found_by={"name": word, "role": word, "party": "third"},
    )
    handle = save_finding(store, kept, by="finder").handle
    name_person(store, handle, name=word, part=INVITED, reader=MAINTAINER)
    name_person(store, handle, name=f"{word} again", part=AUTHOR, reader=MAINTAINER)
    with store.reading() as connection:
        made = advisory_from(connection, [handle], publisher="us", reader=MAINTAINER, at=NOW)
    change = Mitigation.model_validate(mitigation(findings=[word], changed=word))
    made = made.model_copy(update={"mitigations": (change,), "summary": word})
    save_advisory(store, made, reader=MAINTAINER)
    return handle, made


@pytest.fixture
def busy(store: Store) -> Store:
    """A registry in which something is public already."""
    handle = save_finding(store, finding(), by="finder").handle
    with store.reading() as connection:
        made = advisory_from(connection, [handle], publisher="us", reader=MAINTAINER, at=NOW)
    save_advisory(store, made, reader=MAINTAINER)
    return store


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_answer_changes_when_something_is_held_back(busy: Store, client: TestClient) -> None:
    """Every address of the service answers to the byte as before: no entry, no count, no time, no badge, no feed."""
    asked = paths(client, hex64=OLD[7:], advisory="WB-2026-NONE", handle="0" * 32, provider="p", name="n")
    assert sum(path.startswith(("/findings", "/advisories", "/api/v1/findings")) for path in asked) > 10
    before = [answers(client, reader, asked) for reader in READERS]
    again = answers(client, {}, asked)
    # What is drawn anew for each answer (a challenge), or counted (a limit), can only be searched.
    steady = {key for key, answer in again.items() if answer == before[0][key] and answer[0] != 429}
    assert len(steady) > len(asked) * 0.8
    hold(busy, "wordthatishheldback")
    assert outbox.sweep(busy) == 0
    for reader, first in zip(READERS, before, strict=True):
        for key, answer in answers(client, reader, asked).items():
            assert "wordthatishheldback" not in answer[2]
            assert key not in steady or answer == first[key] or answer[0] == 429, key


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=_WORD)
def test_no_answer_holds_a_word_an_id_or_a_digest_of_what_is_held_back(
    busy: Store, client: TestClient, word: str
) -> None:
    """Also where it is asked for by its own id, digest and handle: the answer is that for any id that is not there."""
    handle, made = hold(busy, word)
    named = finding_data()["id"]
    secret = {word, made.id, made.digest, made.findings[0].digest, handle}
    own = paths(client, ours=True, hex64=HELD[7:], advisory=made.id, handle=handle, follower=handle)
    other = paths(
        client, ours=True, hex64=digest("nobody's")[7:], advisory="WB-2026-NONE", handle="0" * 32, follower="0" * 32
    )
    assert named not in secret
    found = answers(client, {}, own)
    unknown = answers(client, {}, other)
    for mine, theirs in zip(own, other, strict=True):
        status, headers, text = found[mine]
        asked = {each for each in secret if each in mine}
        assert not any(each in text + headers for each in secret - asked), mine
        assert status == unknown[theirs][0], mine
        if asked:
            swapped = text.replace(made.id, "WB-2026-NONE").replace(handle, "0" * 32)
            assert swapped == unknown[theirs][2], mine


def test_on_the_day_all_of_it_is_there_by_the_clock_alone(busy: Store, client: TestClient, clock: Clock) -> None:
    """So the tests above can fail."""
    handle, made = hold(busy, "wordthatishheldback")
    clock.now = NOW + timedelta(days=1)
    for path in (
        "/findings",
        f"/findings/{handle}",
        f"/api/v1/findings/{handle}",
        "/advisories",
        f"/advisories/{made.id}",
        f"/advisories/{made.id}.osv.json",
        "/advisories.atom",
        f"/weights/{HELD[7:]}/advisories.atom",
    ):
        answer = client.get(path)
        assert answer.status_code == 200 and "wordthatishheldback" in answer.text, path


def test_writing_tells_nobody_what_is_held_back(busy: Store, client: TestClient) -> None:
    """Every change that a stranger tries on it is answered as for a handle that is not there."""
    handle, made = hold(busy, "wordthatishheldback")
    stranger = STRANGER
    tries: list[tuple[str, dict[str, Any]]] = [
        ("/findings/{}/told", {"person": "x", "on": "2026-11-20"}),
        ("/findings/{}/embargo", {"until": "2027-01-01"}),
        ("/findings/{}/publish", {}),
        ("/findings/{}/people", {"person": "other", "part": "invited"}),
        ("/findings/{}/answer", {"role": "x", "says": "x"}),
        ("/findings/{}/withdraw", {"why": "x"}),
    ]
    for path, data in tries:
        mine, other = (client.post(path.format(each), data=data, headers=stranger) for each in (handle, "0" * 32))
        assert mine.status_code == other.status_code == 404
        assert mine.text.replace(handle, "0" * 32) == other.text
    assert (
        client.post("/api/v1/findings", json=finding_data(id=made.findings[0].id), headers=stranger).status_code == 201
    )
