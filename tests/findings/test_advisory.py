"""Advisories: what a status stands on, and that taking evidence away never makes one better."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes.dossier_record import digest
from tests.findings.built import (
    ABSENT,
    AT,
    NEW,
    OLD,
    OTHER,
    RATES,
    TODAY,
    advisories,
    advisory,
    advisory_data,
    estimate,
    finding,
    listed,
    mitigation,
    retest,
)
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.findings.advisory import Advisory, Status, with_findings
from weighbridge.findings.files import FindingError, advisory_of, advisory_text, parse
from weighbridge.findings.mitigation import Effect, Mitigation

GOOD = (Status.FIXED, Status.NOT_AFFECTED)


def effect(**changed: Any) -> Effect:
    """What a mitigation's re-test shows."""
    return Mitigation.model_validate(mitigation(**changed)).effect


def test_a_mitigation_without_a_retest_never_counts_as_working() -> None:
    """It says "not re-tested", and its weights are under investigation, whatever was declared."""
    assert effect(retest=None) is Effect.NOT_RETESTED
    standing = advisory(mitigations=[mitigation(retest=None)]).status_of(NEW)
    assert standing.status is Status.UNDER_INVESTIGATION
    assert standing.because == 'declared "fixed", but letter: not re-tested'


@pytest.mark.parametrize(
    ("test", "shows"),
    [
        (retest(), Effect.WORKS),
        (retest(before=estimate(0.1, 0.3), after=estimate(0.2, 0.4)), Effect.UNDECIDED),
        (retest(before=estimate(0.1, 0.2), after=estimate(0.3, 0.4)), Effect.DOES_NOT_WORK),
        (retest(after=ABSENT), Effect.NOT_MEASURED),
        (retest(before=estimate(0.1, 0.3), after=estimate(0.2, 0.4), difference=estimate(-0.2, -0.1)), Effect.WORKS),
        (retest(after=ABSENT, difference=estimate(-0.1, 0.1)), Effect.UNDECIDED),
    ],
)
def test_a_retest_works_when_harm_fell_beyond_the_intervals(test: dict[str, Any], shows: Effect) -> None:
    """By intervals that do not touch or by the paired difference; a rate that was not measured decides nothing."""
    assert effect(retest=test) is shows


def test_the_fix_is_ruled_on() -> None:
    """Fixed stands on a re-test on the finding's rung against affected weights; anything less is under investigation."""
    assert advisory().status_of(NEW).status is Status.FIXED
    assert advisory().status_of(OLD).status is Status.AFFECTED
    for changed, why in (
        ({"mitigations": [mitigation(retest=retest(rung="api"))]}, "re-tested on api, found on weights"),
        ({"digests": [listed(NEW, "fixed")]}, "not listed as affected"),
        ({"mitigations": []}, "no change of data or weights gave it"),
        ({"mitigations": [mitigation(level="code", new_digest=None)]}, "no change of data or weights gave it"),
        ({"mitigations": [mitigation(retest=retest(after=ABSENT))]}, "the re-test says: not measured"),
    ):
        standing = advisory(**changed).status_of(NEW)
        assert standing.status is Status.UNDER_INVESTIGATION
        assert why in standing.because


def test_not_affected_needs_evidence() -> None:
    """A word alone leaves it under investigation."""
    bare, shown = listed(OTHER, "not affected"), listed(OTHER, "not affected", evidence=[{"dossier": digest("d")}])
    assert advisory(digests=[bare]).status_of(OTHER).status is Status.UNDER_INVESTIGATION
    assert advisory(digests=[shown]).status_of(OTHER).status is Status.NOT_AFFECTED


def test_a_digest_that_is_not_listed_is_not_shown() -> None:
    """Silence is no news: neither affected nor not."""
    assert advisory().status_of(OTHER).shown == "not shown"


@given(advisories(), st.data())
@settings(max_examples=150, deadline=None)
def test_taking_evidence_away_never_makes_a_status_good(one: Advisory, data: st.DataObject) -> None:
    """Without a re-test, a rate, a digest, its evidence or a mitigation, no digest becomes fixed or not affected."""
    fewer = one.model_copy(update=data.draw(_less(one)))
    for of in (OLD, NEW, OTHER):
        if fewer.status_of(of).status in GOOD:
            assert one.status_of(of).status in GOOD


@given(RATES, RATES, st.one_of(st.none(), st.just(ABSENT), st.just(estimate(-0.3, -0.1)), st.just(estimate(-0.1, 0.1))))
@settings(max_examples=100, deadline=None)
def test_taking_a_measurement_away_never_makes_a_retest_work(before: Any, after: Any, difference: Any) -> None:
    """With a rate or the difference not measured, nothing works that did not before."""
    try:
        full = effect(retest=retest(before, after, difference=difference))
    except ValidationError as error:
        assert "says the opposite" in str(error)
        return
    for fewer in (
        retest(ABSENT, after, difference=difference),
        retest(before, ABSENT, difference=difference),
        retest(before, after),
    ):
        if effect(retest=fewer) is Effect.WORKS:
            assert full is Effect.WORKS


@st.composite
def _less(draw: st.DrawFn, one: Advisory) -> dict[str, Any]:
    kinds = ["digest", "evidence", *(["retest", "mitigation"] if one.mitigations else [])]
    kind = draw(st.sampled_from(kinds))
    if kind in ("digest", "evidence"):
        at = draw(st.integers(0, len(one.digests) - 1))
        entries = list(one.digests)
        if kind == "digest":
            del entries[at]
        else:
            entries[at] = entries[at].model_copy(update={"evidence": ()})
        return {"digests": tuple(entries)}
    at = draw(st.integers(0, len(one.mitigations) - 1))
    changes = list(one.mitigations)
    if kind == "mitigation":
        del changes[at]
    else:
        changes[at] = changes[at].model_copy(update={"retest": None})
    return {"mitigations": tuple(changes)}


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"digests": [listed(), listed(declared="fixed")]}, "digests.1.digest"),
        ({"mitigations": [mitigation(), mitigation(retest=None)]}, "mitigations.1.findings.0"),
        ({"mitigations": [mitigation(findings=["other"])]}, "mitigations.0.findings.0"),
        ({"mitigations": [mitigation(level="code")]}, "mitigations.0.new_digest"),
        ({"mitigations": [mitigation(new_digest=OTHER)]}, "mitigations.0.retest.after.subject"),
        ({"mitigations": [mitigation(changed=None)]}, "mitigations.0.changed"),
        ({"modified_at": "2026-01-01T00:00:00Z"}, "modified_at"),
        ({"digests": [listed(derived={"of": OLD, "relation": "copy"})]}, "digests.0.derived.of"),
        ({"references": [{"kind": "web", "url": "javascript:alert(1)"}]}, "references.0.url"),
        ({"mitigations": [mitigation(retest=retest(before=estimate(1, 7)))]}, "mitigations.0.retest.before"),
    ],
)
def test_what_does_not_hold_together_is_refused_at_its_place(changed: dict[str, Any], place: str) -> None:
    """Each rule between fields names the field that breaks it."""
    with pytest.raises(ValidationError) as caught:
        advisory(**changed)
    assert place in {".".join(map(str, one["loc"])) for one in caught.value.errors()}


def test_an_advisory_of_findings_reads_back_as_it_was_written() -> None:
    """Every digest of a finding is affected, and the file gives the same advisory."""
    made = advisory_of([finding(), finding(id="two", severity="critical")], id="WB-1", publisher="us", at=AT)
    assert [one.declared for one in made.digests] == [Status.AFFECTED]
    assert made.severity.value == "critical"
    assert parse(advisory_text(made), "a.yaml") == made
    full = advisory(digests=[listed(derived={"of": OTHER, "relation": "quantised", "probability": 0.93})])
    assert parse(advisory_text(full), "a.yaml") == full
    with pytest.raises(UsageError, match="one id"):
        advisory_of([finding(), finding()], id="WB-1", publisher="us", at=AT)
    with pytest.raises(FindingError, match="id"):
        advisory_of([finding()], id="no spaces", publisher="us", at=AT)


def test_an_advisory_of_child_sexual_exploitation_carries_no_text() -> None:
    """The program's own words alone; any other is refused."""
    found = finding(category="child_sexual_exploitation", title=None, reproduce={"prompt_ids": ["a.1"]})
    made = advisory_of([found], id="WB-1", publisher="us", at=AT)
    plain = made.model_dump(mode="json", by_alias=True)
    for changed in (
        {"summary": "SECRET"},
        {"timeline": [{"on": "2026-11-20", "what": "SECRET"}]},
        {"mitigations": [mitigation(changed="SECRET")]},
        {"findings": [plain["findings"][0] | {"title": "SECRET"}]},
    ):
        with pytest.raises(ValidationError, match="child sexual exploitation"):
            Advisory.model_validate(plain | changed)
    assert Advisory.model_validate(plain | {"mitigations": [mitigation(changed=None)]}).mitigations


def test_what_a_finding_holds_back_is_held_back() -> None:
    """An embargo that was made longer counts over the date that the advisory was written with; another finding is refused."""
    later = {"state": "embargoed", "embargo_until": "2027-06-01", "told": [{"who": "them", "on": "2026-11-02"}]}
    one = with_findings(advisory(), [finding(disclosure=later)])
    assert not one.is_public(TODAY)
    assert one.is_public(date(2027, 6, 1))
    assert not with_findings(advisory(), [finding(disclosure={"state": "draft"})]).is_public(date.max)
    with pytest.raises(EvidenceError, match="not the one"):
        with_findings(advisory(), [finding(severity="low")])


def test_one_hidden_finding_hides_the_advisory() -> None:
    """It is public when all its findings are, and not before it is published."""
    data = advisory_data()
    hidden = data["findings"][0] | {"id": "two", "public_from": None}
    assert not advisory(findings=[*data["findings"], hidden]).is_public(date.max)
    assert not advisory().is_public(date(2026, 11, 19))
    assert advisory().is_public(date(2026, 11, 20))
