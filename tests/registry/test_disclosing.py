"""Findings and advisories in the registry: who may read what, from when, and that nothing said is taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from tests.findings.built import OLD, finding, finding_data
from tests.registry.databases import NOW, Clock
from weighbridge.errors import UsageError
from weighbridge.findings.finding import Finding, State
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.disclosing.advisories import (
    advisories_seen,
    advisory_from,
    advisory_seen,
    public_advisories,
    save_advisory,
)
from weighbridge.registry.disclosing.findings import (
    AUTHOR,
    INVITED,
    Sought,
    answer_finding,
    embargo,
    findings_seen,
    make_public,
    name_person,
    save_finding,
    seen,
    tell,
    version_seen,
    withdraw,
)
from weighbridge.registry.disclosing.readers import NotAllowed, NotThere
from weighbridge.registry.store import Store

TODAY = NOW.date()


@dataclass(frozen=True)
class Somebody:
    name: str | None = None
    role: Role = Role.VISITOR


NOBODY = Somebody()
FINDER = Somebody("finder", Role.TESTER)
OTHER_TESTER = Somebody("other", Role.TESTER)
RESEARCHER = Somebody("researcher", Role.RESEARCHER)
PROVIDER = Somebody("provider", Role.TESTER)
MAINTAINER = Somebody("maintainer", Role.MAINTAINER)


def draft(**changed: Any) -> Finding:
    return finding(**{"disclosure": {"state": "draft"}, **changed})


def held(until: date = TODAY + timedelta(days=30), **changed: Any) -> Finding:
    """A finding under embargo."""
    told = [{"who": "their security contact", "on": "2026-11-10"}]
    return draft(disclosure={"state": "embargoed", "embargo_until": until.isoformat(), "told": told}, **changed)


def may_read(store: Store, handle: str, reader: Somebody) -> bool:
    with store.reading() as connection:
        listed = {one.handle for one in findings_seen(connection, Sought(), reader, store.clock())[0]}
        try:
            seen(connection, handle, reader, store.clock())
        except NotThere:
            assert handle not in listed
            return False
        assert handle in listed
        return True


def test_a_finding_is_kept_in_versions_and_what_was_found_does_not_change(store: Store) -> None:
    """The same again changes nothing; disclosure goes on in a new version; the digest of what was found stays; every change is in the audit log."""
    first = save_finding(store, draft(), by="finder")
    assert (first.version, first.is_new) == (1, True)
    again = save_finding(store, draft(), by="finder")
    assert (again.handle, again.version, again.is_new) == (first.handle, 1, False)
    tell(store, first.handle, who="their security contact", on=TODAY, reader=FINDER)
    embargo(store, first.handle, until=TODAY + timedelta(days=30), reader=FINDER)
    make_public(store, first.handle, reader=FINDER)
    with store.reading() as connection:
        now = seen(connection, first.handle, NOBODY, store.clock())
        assert (now.version, now.finding.disclosure.state) == (4, State.PUBLIC)
        assert [
            version_seen(connection, first.handle, n, NOBODY, store.clock()).disclosure.state for n in (1, 2, 3)
        ] == [
            State.DRAFT,
            State.REPORTED,
            State.EMBARGOED,
        ]
        assert now.finding.digest == draft().digest
        assert verify_audit(connection).entries == 5


def test_before_its_day_only_finder_maintainers_and_the_invited_read_it_and_then_anybody_by_the_clock(
    store: Store, clock: Clock
) -> None:
    """Nobody does anything on the day: what is read is what the clock says."""
    handle = save_finding(store, held(), by="finder").handle
    name_person(store, handle, name="researcher", part=INVITED, reader=FINDER)
    name_person(store, handle, name="other", part=INVITED, reader=FINDER)  # a tester: no researcher
    name_person(store, handle, name="provider", part=AUTHOR, reader=FINDER)
    everybody = (NOBODY, FINDER, OTHER_TESTER, RESEARCHER, PROVIDER, MAINTAINER, Somebody("another", Role.RESEARCHER))
    early = [each.name for each in everybody if may_read(store, handle, each)]
    assert early == ["finder", "researcher", "provider", "maintainer"]
    clock.now = NOW + timedelta(days=29)
    assert not may_read(store, handle, NOBODY)
    clock.now = NOW + timedelta(days=30)
    assert all(may_read(store, handle, each) for each in everybody)


def test_what_is_not_there_and_what_may_not_be_read_are_told_alike(store: Store) -> None:
    """The words and the kind of the error hold nothing but what was asked."""
    handle = save_finding(store, held(), by="finder").handle
    told = set()
    with store.reading() as connection:
        for asked in (handle, "0" * 32):
            with pytest.raises(NotThere) as caught:
                seen(connection, asked, OTHER_TESTER, store.clock())
            told.add(str(caught.value).replace(asked, "HANDLE"))
        assert findings_seen(connection, Sought(digest=OLD), NOBODY, store.clock()) == ((), 0)
    assert len(told) == 1
    with pytest.raises(NotThere):
        withdraw(store, handle, why="x", reader=OTHER_TESTER)
    # Somebody who hands in the same learns nothing of the first.
    assert save_finding(store, held(), by="other").is_new


def test_the_author_answers_and_disputes_and_cannot_close(store: Store) -> None:
    """An answer stands beside it and closes nothing; the author cannot withdraw, also when the author found it; somebody else can."""
    handle = save_finding(store, finding(), by="finder").handle
    with pytest.raises(NotAllowed):
        answer_finding(store, handle, says="not so", disputes=True, role="provider", reader=PROVIDER)
    name_person(store, handle, name="provider", part=AUTHOR, reader=MAINTAINER)
    answer_finding(store, handle, says="not so", disputes=True, role="provider", reader=PROVIDER)
    with pytest.raises(NotAllowed):
        withdraw(store, handle, why="ours", reader=PROVIDER)
    own = finding(id="own", found_by={"name": "P", "role": "provider", "party": "first"})
    by_author = save_finding(store, own, by="provider").handle
    with pytest.raises(NotAllowed):
        withdraw(store, by_author, why="ours", reader=PROVIDER)
    withdraw(store, by_author, why="could not be seen again", reader=MAINTAINER)
    withdraw(store, handle, why="a slip", reader=FINDER)
    with store.reading() as connection:
        now = seen(connection, handle, NOBODY, store.clock()).finding.disclosure
        assert now.state is State.WITHDRAWN and now.published_on == date(2026, 11, 20)
        assert [one.disputes for one in now.answers] == [True]
        assert may_read(store, by_author, NOBODY)


@pytest.mark.parametrize(
    "disclosure",
    [
        {"state": "draft"},
        {"state": "embargoed", "embargo_until": "2027-05-01", "told": [{"who": "them", "on": "2026-11-10"}]},
        {"state": "public", "published_on": "2026-11-21"},
        {
            "state": "public",
            "published_on": "2026-11-20",
            "answers": [{"by": {"name": "P", "role": "r", "party": "first"}, "on": "2026-11-21", "disputes": True}],
        },
        {
            "state": "withdrawn",
            "published_on": "2026-11-20",
            "withdrawn": {"by": {"name": "M", "role": "r", "party": "third"}, "on": "2026-11-21"},
        },
    ],
)
def test_what_is_public_cannot_be_held_back_and_nobody_speaks_for_another(store: Store, disclosure: Any) -> None:
    """Handing the finding in again with an earlier or another disclosure is refused, and so are answers and withdrawals that others must give."""
    handle = save_finding(store, finding(), by="finder").handle
    with pytest.raises(UsageError):
        save_finding(store, finding(disclosure=disclosure), by="finder")
    assert may_read(store, handle, NOBODY)


def test_an_advisory_may_be_read_from_the_day_of_its_last_finding(store: Store, clock: Clock) -> None:
    """Its day follows its findings' days, also when one is made public earlier; before it, neither list nor feed nor page knows of it."""
    one = save_finding(store, finding(), by="finder").handle
    two = save_finding(store, held(id="second"), by="finder").handle
    with store.reading() as connection:
        made = advisory_from(connection, [one, two], publisher="us", reader=MAINTAINER, at=NOW)
    assert save_advisory(store, made, reader=MAINTAINER) == 1
    with pytest.raises(NotAllowed):
        save_advisory(store, made, reader=FINDER)
    with store.reading() as connection:
        assert advisories_seen(connection, NOBODY, NOW) == ((), 0)
        assert public_advisories(connection, NOW) == []
        assert advisories_seen(connection, FINDER, NOW)[1] == 1
        assert advisories_seen(connection, OTHER_TESTER, NOW)[1] == 0
        with pytest.raises(NotThere):
            advisory_seen(connection, made.id, NOBODY, NOW)
        later = NOW + timedelta(days=30)
        [found] = public_advisories(connection, later)
        assert found.published_at.date() == later.date()
    make_public(store, two, reader=FINDER)
    with store.reading() as connection:
        assert advisory_seen(connection, made.id, NOBODY, NOW).handles == {"letter": one, "second": two}


def test_a_version_of_an_advisory_takes_nothing_back(store: Store) -> None:
    """Findings and digests stay in; a finding that is not public yet cannot join a public advisory, which would hide it."""
    one = save_finding(store, finding(), by="finder").handle
    two = save_finding(store, held(id="second"), by="finder").handle
    with store.reading() as connection:
        made = advisory_from(connection, [one], publisher="us", reader=MAINTAINER, at=NOW)
        both = advisory_from(connection, [one, two], publisher="us", reader=MAINTAINER, at=NOW)
    save_advisory(store, made, reader=MAINTAINER)
    newer = made.modified_at + timedelta(seconds=1)
    for changes in (
        {"modified_at": newer, "findings": both.findings},
        {"modified_at": newer, "digests": made.digests[:0] + both.digests[:0]},
        {"modified_at": newer, "findings": both.findings[1:]},
        {"summary": "another"},
    ):
        with pytest.raises(UsageError):
            save_advisory(store, made.model_copy(update=changes), reader=MAINTAINER)
    assert save_advisory(store, made.model_copy(update={"modified_at": newer, "summary": "x"}), reader=MAINTAINER) == 2
    with store.reading() as connection:
        assert advisory_seen(connection, made.id, NOBODY, NOW, version=1).advisory.summary == made.summary


def test_a_finding_of_child_sexual_exploitation_is_kept_without_words(store: Store) -> None:
    """It is saved by ids; an answer with words to it is refused and changes nothing."""
    data = finding_data(category="child_sexual_exploitation", reproduce={"prompt_ids": ["cse.enable.01"]})
    del data["title"]
    handle = save_finding(store, Finding.model_validate(data), by="finder").handle
    name_person(store, handle, name="provider", part=AUTHOR, reader=MAINTAINER)
    with pytest.raises(UsageError):
        answer_finding(store, handle, says="words", disputes=False, role="r", reader=PROVIDER)
    with pytest.raises(UsageError):
        withdraw(store, handle, why="words", reader=FINDER)
    answer_finding(store, handle, says=None, disputes=False, role="r", reader=PROVIDER)
