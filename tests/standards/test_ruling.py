from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.evidence.provenance import Provenance
from weighbridge.standards.cel.values import Between
from weighbridge.standards.facts import Fact, Facts, Said
from weighbridge.standards.facts import Testimony as Vouching
from weighbridge.standards.ruling import rule
from weighbridge.standards.rulings import RequirementRuling, Ruling, StandardRuling, Strength
from weighbridge.standards.standard import (
    Attested,
    Cell,
    Citation,
    InForce,
    Level,
    Requirement,
    Source,
    Standard,
    Subject,
    Topic,
)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SUBJECT, DOSSIER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def requirement(name: str = "one", **fields: Any) -> Requirement:
    fields = {"condition": "subject.has_digest"} | fields if "attested" not in fields else fields
    return Requirement(
        id=name, title=name, says=name, topic=Topic.TESTING, cites=Citation(section="1"), **({"provenance": Provenance.CHECKED} | fields)
    )  # fmt: skip


def standard(*requirements: Requirement, **fields: Any) -> Standard:
    return Standard(
        id="s",
        title="S",
        publisher="P",
        version="1",
        about=Subject.USE,
        source=Source(document="D", provenance=Provenance.CHECKED),
        requirements=requirements,
        **fields,
    )


def facts(known: dict[str, Any] | None = None, attested: tuple[Vouching, ...] = (), **absent: str) -> Facts:
    made = {
        tuple(name.split(".")): value if isinstance(value, Fact) else Fact(value, str(value), "there")
        for name, value in (known or {}).items()
    }
    return Facts(SUBJECT, DOSSIER, made, {tuple(name.split("__")): why for name, why in absent.items()}, attested)


def ruled(one: Requirement, evidence: Facts, **context: Any) -> RequirementRuling:
    return rule(standard(one), evidence, context, at=NOW).requirements[0]


def vouched(said: Said = Said.DONE, **fields: Any) -> Vouching:
    given_fields: dict[str, Any] = {
        "document": "review",
        "requirement": None,
        "said": said,
        "who": "Ada",
        "role": "auditor",
        "independent": True,
        "made_on": date(2026, 11, 1),
        "valid_until": None,
        "source": "attestations.yaml",
    } | fields
    return Vouching(**given_fields)


# ---- one requirement --------------------------------------------------------------------------------------------------------


def test_a_condition_that_holds_is_met_and_names_what_it_stands_on() -> None:
    found = ruled(requirement(), facts({"subject.has_digest": True}))
    assert found.ruling is Ruling.MET
    assert [(one.name, one.source) for one in found.used] == [("subject.has_digest", "there")]


def test_a_condition_that_fails_is_not_met_and_says_what_would_change_it() -> None:
    found = ruled(
        requirement(condition="files.critical == 0 && files.read"), facts({"files.critical": 3, "files.read": True})
    )
    assert found.ruling is Ruling.NOT_MET
    assert found.would_change == ("files.critical == 0 would have to hold",)


def test_a_condition_without_evidence_is_not_shown_and_says_how_to_show_it() -> None:
    found = ruled(requirement(), facts(subject__has_digest="it was weighed behind an endpoint"))
    assert found.ruling is Ruling.NOT_SHOWN
    assert found.because == "no evidence of subject.has_digest"
    assert found.would_change == ("it was weighed behind an endpoint",)


def test_bounds_that_do_not_decide_are_not_shown_with_the_bounds() -> None:
    bounds = Fact(Between(0.02, 0.14), "2 to 14 %", "rates")
    found = ruled(requirement(condition="rate.weights.harm < 0.1"), facts({"rate.weights.harm": bounds}))
    assert found.ruling is Ruling.NOT_SHOWN
    assert "rate.weights.harm is 2 to 14 %" in found.because
    assert "rate.weights.harm < 0.1" in found.because


def test_a_condition_that_cannot_be_computed_is_not_shown() -> None:
    found = ruled(
        requirement(condition="files.critical / files.high > 1.0"), facts({"files.critical": 1.0, "files.high": 0.0})
    )
    assert found.ruling is Ruling.NOT_SHOWN
    assert "cannot be computed" in found.because


def test_a_lesser_form_is_told_and_is_not_met() -> None:
    found = ruled(
        requirement(condition="component.x.released", partly="component.x.partly"),
        facts({"component.x.released": False, "component.x.partly": True}),
    )
    assert (found.ruling, found.partial) == (Ruling.NOT_MET, True)


def test_what_does_not_apply_is_not_applicable_and_what_may_apply_is_not_shown() -> None:
    one = requirement(when='context.sector == "government"')
    evidence = facts({"subject.has_digest": True})
    assert ruled(one, evidence, sector="private").ruling is Ruling.NOT_APPLICABLE
    assert ruled(one, evidence, sector="government").ruling is Ruling.MET
    undeclared = ruled(one, evidence)
    assert undeclared.ruling is Ruling.NOT_SHOWN
    assert undeclared.would_change == ("say --sector",)


def test_evidence_that_is_too_old_is_absent() -> None:
    old = Fact(True, "yes", "there", NOW - timedelta(days=400))
    one = requirement(condition="rung.api.measured", max_age_days=365)
    found = ruled(one, facts({"rung.api.measured": old}))
    assert found.ruling is Ruling.NOT_SHOWN
    assert "older than the 365 days" in found.would_change[0]
    assert (
        ruled(requirement(condition="rung.api.measured", max_age_days=500), facts({"rung.api.measured": old})).ruling
        is Ruling.MET
    )


def test_a_standards_own_age_holds_for_every_requirement_that_names_none() -> None:
    old = Fact(True, "yes", "there", NOW - timedelta(days=400))
    found = rule(
        standard(requirement(condition="rung.api.measured"), max_age_days=365),
        facts({"rung.api.measured": old}),
        {},
        at=NOW,
    )
    assert found.requirements[0].ruling is Ruling.NOT_SHOWN


def test_evidence_counts_until_the_day_that_it_names() -> None:
    for until, ruling in ((NOW.date(), Ruling.MET), (NOW.date() - timedelta(days=1), Ruling.NOT_SHOWN)):
        sheet = Fact(True, "yes", "threats", valid_until=until)
        known = Facts(SUBJECT, DOSSIER, {("threats", "any", "partly"): sheet})
        found = ruled(requirement(condition="threats.any.partly"), known)
        assert found.ruling is ruling
        assert ruling is Ruling.MET or "valid until" in found.would_change[0]


def test_a_day_that_has_begun_somewhere_on_earth_is_not_of_the_future() -> None:
    asked = requirement(attested=Attested(document="review"))
    for ahead, ruling in ((1, Ruling.MET), (2, Ruling.NOT_SHOWN)):
        late = datetime(2026, 11, 26, 20, tzinfo=UTC)
        said = vouched(made_on=late.date() + timedelta(days=ahead))
        assert rule(standard(asked), facts(attested=(said,)), {}, at=late).requirements[0].ruling is ruling


def test_a_standards_own_age_is_for_what_was_measured_and_not_for_what_was_signed() -> None:
    """How long a signature counts is the signer's to say, or the requirement's."""
    old = vouched(made_on=NOW.date() - timedelta(days=11))
    for own, ruling in ((None, Ruling.MET), (10, Ruling.NOT_SHOWN)):
        asked = requirement(attested=Attested(document="review"), max_age_days=own)
        found = rule(standard(asked, max_age_days=10), facts(attested=(old,)), {}, at=NOW)
        assert found.requirements[0].ruling is ruling


def test_a_clock_may_be_five_minutes_ahead_and_no_more() -> None:
    one = requirement(condition="rung.api.measured")
    for minutes, expected in ((4, Ruling.MET), (6, Ruling.NOT_SHOWN)):
        fact = Fact(True, "yes", "there", NOW + timedelta(minutes=minutes))
        assert ruled(one, facts({"rung.api.measured": fact})).ruling is expected


def test_what_was_not_checked_against_its_source_says_so() -> None:
    for provenance, remark in (
        (Provenance.UNVERIFIED, "not checked against the source"),
        (Provenance.SECONDARY, "read in a secondary source, not in the source itself"),
        (Provenance.NOBODY_LOOKED, "nobody has looked this up in the source"),
    ):
        assert remark in ruled(requirement(provenance=provenance), facts()).remarks
    assert ruled(requirement(), facts()).remarks == ()


# ---- attestations ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said.DONE, Ruling.MET),
        (Said.IN_PROGRESS, Ruling.NOT_SHOWN),
        (Said.NOT_DONE, Ruling.NOT_MET),
        (Said.WAIVED, Ruling.NOT_MET),
        (Said.NOT_APPLICABLE, Ruling.NOT_APPLICABLE),
    ],
)
def test_an_attestation_rules_by_what_it_says(said: Said, expected: Ruling) -> None:
    found = ruled(requirement(attested=Attested(document="review")), facts(attested=(vouched(said),)))
    assert found.ruling is expected
    assert "Ada" in found.because


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"valid_until": date(2026, 11, 25)}, "expired on 2026-11-25"),
        ({"made_on": date(2026, 12, 1)}, "after the date of the ruling"),
        ({"made_on": date(2025, 1, 1)}, "older than the 100 days"),
        ({"independent": False}, "not said to be independent"),
        ({"role": "cook"}, "signed as cook; asked is Auditor"),
        ({"refused": "its document was changed since"}, "its document was changed since"),
    ],
)
def test_an_attestation_that_does_not_speak_to_the_requirement_is_no_evidence(fields: dict[str, Any], why: str) -> None:
    asked = Attested(document="review", role="Auditor", independent=True, max_age_days=100)
    found = ruled(requirement(attested=asked), facts(attested=(vouched(**fields),)))
    assert found.ruling is Ruling.NOT_SHOWN
    assert why in found.because
    assert ruled(requirement(attested=asked), facts(attested=(vouched(),))).ruling is Ruling.MET


def test_an_attestation_for_another_requirement_is_none() -> None:
    found = ruled(requirement(attested=Attested(document="review")), facts(attested=(vouched(requirement="s/two"),)))
    assert found.ruling is Ruling.NOT_SHOWN
    assert found.because == "nobody has attested review"


# ---- the whole ---------------------------------------------------------------------------------------------------------------


def test_what_is_recommended_or_optional_does_not_count() -> None:
    one = requirement()
    two = requirement("two", condition="files.read", strength=Strength.RECOMMENDED)
    found = rule(standard(one, two), facts({"subject.has_digest": True}), {}, at=NOW)
    assert found.ruling is Ruling.MET
    assert found.requirements[1].ruling is Ruling.NOT_SHOWN


def test_a_cell_that_nobody_checked_says_so_and_cannot_fail_the_whole() -> None:
    cell = Cell(when='context.release == "open"', strength=Strength.UNKNOWN, provenance=Provenance.NOBODY_LOOKED)
    one = requirement(condition="files.critical == 0", cells=(cell,))
    found = rule(standard(one), facts({"files.critical": 1}), {"release": "open"}, at=NOW)
    assert found.requirements[0].ruling is Ruling.NOT_MET
    assert found.ruling is Ruling.NOT_SHOWN
    assert any("was not checked" in remark for remark in found.requirements[0].remarks)


def test_levels_are_cumulative_and_the_highest_that_is_met_is_reached() -> None:
    found = rule(
        standard(
            requirement("low"),
            requirement("middle", condition="files.read"),
            requirement("high", condition="rung.api.measured"),
            levels=(
                Level(id="nothing", title="N", requires=()),
                Level(id="l", title="L", requires=("low",)),
                Level(id="m", title="M", requires=("middle",)),
                Level(id="h", title="H", requires=("high",)),
            ),
        ),
        facts({"subject.has_digest": True, "rung.api.measured": True}),
        {},
        at=NOW,
    )
    assert [level.ruling.value for level in found.levels] == ["met", "met", "not shown", "not shown"]
    assert found.reached == "l"
    assert found.levels[3].lacks == ("middle",)


def test_a_standard_that_does_not_apply_is_not_applicable_whole() -> None:
    found = rule(
        standard(
            requirement(), when='context.sector == "government"', levels=(Level(id="l", title="L", requires=("one",)),)
        ),
        facts({"subject.has_digest": True}),
        {"sector": "private"},
        at=NOW,
    )
    assert (found.ruling, found.levels) == (Ruling.NOT_APPLICABLE, ())


def test_a_standard_out_of_force_or_superseded_says_so() -> None:
    old = standard(requirement(), in_force=InForce(until=date(2025, 1, 1)))
    found = rule(old, facts(), {}, at=NOW, superseded_by="newer")
    assert not found.in_force
    assert found.notes[:2] == (
        "superseded by newer: kept for comparison, not for decisions",
        "not in force on the date of the ruling",
    )


# ---- the second law ----------------------------------------------------------------------------------------------------------

_CONDITIONS = (
    "subject.has_digest",
    "files.critical == 0 && files.read",
    "rate.weights.harm < 0.1 || rung.api.measured",
    "!(rate.weights.harm < 0.1)",
    'risk.opening.verdict == "no material increase"',
    'risk.opening.verdict != "material increase"',
    "rung.api.prompts >= 100.0",
    "rung.api.prompts < 100.0",
    "files.read ? subject.has_digest : rung.api.measured",
    '!(risk.opening.verdict == "material increase") && component.x.released',
)
_WHENS = (None, 'context.sector == "government"', "context.eu_market", '!(context.sector == "private")')
_strengths = st.sampled_from(list(Strength))
_cells = st.lists(
    st.builds(
        Cell,
        when=st.sampled_from([one for one in _WHENS if one]),
        strength=_strengths,
        provenance=st.sampled_from(list(Provenance)),
    ),
    max_size=2,
).map(tuple)
_requirements = st.one_of(
    st.fixed_dictionaries(
        {
            "condition": st.sampled_from(_CONDITIONS),
            "partly": st.none() | st.sampled_from(_CONDITIONS),
            "when": st.sampled_from(_WHENS),
            "strength": _strengths,
            "cells": _cells,
            "max_age_days": st.none() | st.integers(1, 400),
        }
    ),
    st.fixed_dictionaries(
        {
            "attested": st.builds(
                Attested, document=st.sampled_from(["review", "plan"]), independent=st.booleans(), max_age_days=st.none() | st.just(30)
            ),
            "when": st.sampled_from(_WHENS),
            "strength": _strengths,
        }
    ),
)  # fmt: skip


@st.composite
def standards(draw: st.DrawFn) -> Standard:
    given_requirements = draw(st.lists(_requirements, min_size=1, max_size=5))
    made = [requirement(f"r{number}", **fields) for number, fields in enumerate(given_requirements)]
    names = [one.id for one in made]
    levels = draw(st.lists(st.lists(st.sampled_from(names), max_size=3), max_size=3))
    if levels:
        levels[-1] = [*levels[-1], *(name for name in names if not any(name in of for of in levels))]
    return standard(
        *made,
        when=draw(st.sampled_from(_WHENS)),
        levels=tuple(Level(id=f"l{number}", title="L", requires=tuple(of)) for number, of in enumerate(levels)),
    )


_bounds = st.tuples(st.sampled_from([0.0, 0.05, 0.2]), st.sampled_from([0.05, 0.2, 1.0])).map(
    lambda it: Between(min(it), max(it))
)
_ages = st.none() | st.integers(-1, 500).map(lambda days: NOW - timedelta(days=days))
_known = st.fixed_dictionaries(
    {},
    optional={
        "subject.has_digest": st.just(True),
        "files.read": st.just(True),
        "files.critical": st.sampled_from([Between(0, 0), Between(1, 1), Between.at_least(0)]),
        "rate.weights.harm": _bounds,
        "rung.api.measured": st.just(True),
        "rung.api.prompts": st.sampled_from([Between.at_least(50), Between.at_least(150)]),
        "risk.opening.verdict": st.sampled_from(["no material increase", "material increase"]),
        "component.x.released": st.booleans(),
    },
)
_testimonies = st.lists(
    st.builds(
        vouched,
        st.sampled_from(list(Said)),
        document=st.sampled_from(["review", "plan"]),
        independent=st.booleans(),
        valid_until=st.none() | st.sampled_from([date(2026, 1, 1), date(2027, 1, 1)]),
    ),
    max_size=2,
    unique_by=lambda one: one.document,
).map(tuple)
_contexts = st.fixed_dictionaries(
    {}, optional={"sector": st.sampled_from(["government", "private"]), "eu_market": st.booleans()}
)


def every(found: StandardRuling) -> dict[str, Ruling]:
    return (
        {"": found.ruling}
        | {one.requirement: one.ruling for one in found.requirements}
        | {f"level {one.level}": one.ruling for one in found.levels}
    )


def no_better(before: StandardRuling, after: StandardRuling) -> None:
    earlier, later = every(before), every(after)
    for name, ruling in later.items():
        assert ruling is Ruling.NOT_SHOWN or ruling is earlier.get(name, before.ruling), name
    assert after.reached is None or after.reached == before.reached or before.levels


@given(standards(), _known, _ages, _testimonies, _contexts, st.data())
@settings(max_examples=600, deadline=None)
def test_evidence_an_attestation_or_a_declaration_taken_away_only_ever_makes_a_ruling_not_shown(
    one: Standard,
    known: dict[str, Any],
    made_at: datetime | None,
    attested: tuple[Vouching, ...],
    context: Any,
    data: st.DataObject,
) -> None:
    def over(names: dict[str, Any], said: tuple[Vouching, ...], declared: Any) -> StandardRuling:
        evidence = facts(
            {name: Fact(value, str(value), "there", made_at) for name, value in names.items()}, attested=said
        )
        return rule(one, evidence, declared, at=NOW)

    before = over(known, attested, context)
    gone = data.draw(st.sets(st.sampled_from([*known, *context, *(said.document for said in attested), "nothing"])))
    after = over(
        {name: value for name, value in known.items() if name not in gone},
        tuple(said for said in attested if said.document not in gone),
        {name: value for name, value in context.items() if name not in gone},
    )
    if any(
        name in gone for name in context
    ):  # how much is asked depends on what is declared: only the requirements stand
        for was, now in zip(before.requirements, after.requirements, strict=True):
            assert now.ruling in (Ruling.NOT_SHOWN, was.ruling)
        assert after.ruling is not Ruling.MET or before.ruling in (Ruling.MET, Ruling.NOT_APPLICABLE)
    else:
        no_better(before, after)
