"""The standards about uses and processes: each loads, says how far it was checked, and never gains from evidence that is taken away."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.standards.known import AT, attestation, by_id, contexts, drawn_facts, facts, of_use, ruled
from weighbridge.evidence.provenance import Provenance
from weighbridge.standards.cel.checking import compiled
from weighbridge.standards.facts import Facts, Said
from weighbridge.standards.files import load_standard, shipped
from weighbridge.standards.names import declared as declarable
from weighbridge.standards.names import readable
from weighbridge.standards.ruling import rule
from weighbridge.standards.rulings import Ruling, StandardRuling, Strength
from weighbridge.standards.supersession import successors
from weighbridge.threats.vocabulary import NIST_AI_800_1

OURS = (
    "eu-ai-act",
    "national-security",
    "nist-ai-800-1",
    "private-baseline",
    "proportional-evaluation",
    "us-m-24-10",
    "us-m-25-21",
)
BENEFITS = of_use("benefits-eligibility", "government")
MODEL = {"eu_market": True, "general_purpose": True, "monetised": False, "systemic_risk": False}


@pytest.mark.parametrize("name", OURS)
def test_each_loads_and_reads_only_names_that_exist(name: str) -> None:
    """A standard that ships is one that could have been written by hand and checked."""
    standard = load_standard(name)
    assert standard.id == name
    for place, text, only_declared in standard.conditions():
        names, elsewhere = (declarable(), readable()) if only_declared else (readable(), None)
        _, problems = compiled(text, names, elsewhere)
        assert not problems, place


@pytest.mark.parametrize("name", OURS)
def test_each_requirement_is_short_and_cites_its_place(name: str) -> None:
    """A title of eight plain words at most, one or two sentences, and where in the source."""
    for one in load_standard(name).requirements:
        assert len(one.title.split()) <= 8, one.id
        assert one.says.count(". ") <= 1, one.id
        assert one.cites.section


@pytest.mark.parametrize("name", OURS)
def test_what_was_not_read_in_the_source_says_so_in_every_ruling(name: str) -> None:
    """A mark of a secondary or unchecked claim is beside its ruling, whatever the ruling is."""
    for context in ({}, BENEFITS, of_use("targeting-aid", "private")):
        for one in ruled(load_standard(name), context).requirements:
            if one.provenance is not Provenance.CHECKED:
                assert any("source" in remark for remark in one.remarks), one.requirement


def improved(before: Ruling, after: Ruling) -> bool:
    """Whether a ruling with less evidence says anything but what it said, or "not shown"."""
    return after not in (before, Ruling.NOT_SHOWN)


def _rulings(found: StandardRuling) -> dict[str, Ruling]:
    return {"": found.ruling, **{one.requirement: one.ruling for one in found.requirements}}


def _less(known: Facts, data: st.DataObject) -> Facts:
    """Return the facts without one piece of evidence or one attestation."""
    pieces = [*sorted(known.known), *(said.document for said in known.attested)]
    gone = data.draw(st.sampled_from(pieces))
    if isinstance(gone, tuple):
        return replace(known, known={path: fact for path, fact in known.known.items() if path != gone})
    return replace(known, attested=tuple(said for said in known.attested if said.document != gone))


@pytest.mark.parametrize("name", OURS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_taking_evidence_away_never_improves_a_ruling(name: str, data: st.DataObject) -> None:
    """Whatever is known and declared: without one fact or attestation, each ruling is what it was, or "not shown"."""
    standard = load_standard(name)
    context, known = data.draw(contexts), data.draw(drawn_facts(standard))
    before = ruled(standard, context, known)
    for _ in range(min(4, len(known.known) + len(known.attested))):
        known = _less(known, data)
        after = ruled(standard, context, known)
        for place, found in _rulings(after).items():
            assert not improved(_rulings(before)[place], found), (place, _rulings(before)[place], found)
        assert {one.requirement for one in after.requirements if one.partial} <= {
            one.requirement for one in before.requirements if one.partial
        }
        before = after


@pytest.mark.parametrize("name", OURS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_leaving_a_declaration_out_meets_nothing(name: str, data: st.DataObject) -> None:
    """What is met without a declaration is met with it, unless it then does not apply."""
    standard = load_standard(name)
    context, known = data.draw(contexts.filter(bool)), data.draw(drawn_facts(standard))
    gone = data.draw(st.sampled_from(sorted(context)))
    before = _rulings(ruled(standard, context, known))
    after = _rulings(ruled(standard, {name: said for name, said in context.items() if name != gone}, known))
    for place, found in after.items():
        if found is Ruling.MET and place:
            assert before[place] in (Ruling.MET, Ruling.NOT_APPLICABLE), (gone, place)


def test_with_no_evidence_nothing_is_met() -> None:
    """An empty dossier meets no requirement of any standard."""
    for name in OURS:
        for context in (
            {},
            BENEFITS,
            of_use("targeting-aid", "government"),
            of_use("internal-search", "private", **MODEL),
        ):
            found = ruled(load_standard(name), context)
            assert {one.ruling for one in found.requirements} <= {Ruling.NOT_SHOWN, Ruling.NOT_APPLICABLE}, name


def test_the_page_says_what_each_document_that_is_asked_for_must_say() -> None:
    """docs/methods/uses.md, "The documents that are asked for": every kind, and no other."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "uses.md").read_text(encoding="utf-8")
    asked = {one.attested.document for name in OURS for one in load_standard(name).requirements if one.attested}
    listed = page.partition("## The documents that are asked for")[2].partition("## Limits")[0]
    assert set(re.findall(r"(?m)^\| `([^`]+)` \|", listed)) == asked


# ---- supersession and dates


def test_the_librarys_supersession_has_no_cycle_and_names_the_rescinded_memorandum() -> None:
    """Following what replaced what ends, and M-24-10 ends at M-25-21."""
    assert successors(map(load_standard, shipped()))["us-m-24-10"] == "us-m-25-21"


def test_m_24_10_says_that_it_is_superseded_and_not_in_force() -> None:
    """Kept for comparison, it says so first."""
    after = successors(map(load_standard, shipped()))
    found = rule(load_standard("us-m-24-10"), facts(), BENEFITS, at=AT, superseded_by=after.get("us-m-24-10"))
    assert not found.in_force
    assert "superseded by us-m-25-21" in found.notes[0]


def test_one_memorandum_ends_on_the_day_before_the_next() -> None:
    """On each day one of the two is in force, never both."""
    old, new = load_standard("us-m-24-10"), load_standard("us-m-25-21")
    for day, which in ((date(2025, 4, 2), (True, False)), (date(2025, 4, 3), (False, True))):
        assert (old.in_force.on(day), new.in_force.on(day)) == which


# ---- M-25-21


def test_m_25_21_is_for_government_and_presumed_uses_only() -> None:
    """A private deployer, an ordinary use and a national-security use are outside; what was not declared leaves it open."""
    memo = load_standard("us-m-25-21")
    for outside in (
        of_use("benefits-eligibility", "private"),
        of_use("internal-search", "government"),
        of_use("targeting-aid", "government"),
    ):
        assert ruled(memo, outside).ruling is Ruling.NOT_APPLICABLE
    assert ruled(memo, {"sector": "government"}).ruling is Ruling.NOT_SHOWN
    assert ruled(memo, BENEFITS).ruling is Ruling.NOT_SHOWN


def test_every_minimum_practice_of_m_25_21_is_there() -> None:
    """(i) to (vii), each with at least one requirement."""
    sections = {one.cites.section for one in load_standard("us-m-25-21").requirements}
    assert {f"4(b)({number})" for number in ("i", "ii", "iii", "iv", "v", "vi", "vii")} <= sections


def test_a_benchmark_does_not_stand_for_testing_in_operation() -> None:
    """The lowest rung of testing is met by a dossier; the test where the model works is not."""
    found = by_id(
        ruled(load_standard("us-m-25-21"), BENEFITS, facts({"rung.api.measured": True, "rung.api.prompts": 104}))
    )
    assert found["testing-model"].ruling is Ruling.MET
    assert found["testing-operational"].ruling is Ruling.NOT_SHOWN


def test_a_review_by_somebody_involved_is_no_independent_review() -> None:
    """The same document counts once its signer is said to be independent."""
    for independent, ruling in ((False, Ruling.NOT_SHOWN), (True, Ruling.MET)):
        known = facts(attested=[attestation("independent-review", independent=independent)])
        assert by_id(ruled(load_standard("us-m-25-21"), BENEFITS, known))["independent-review"].ruling is ruling


def test_a_waived_practice_is_not_met_and_says_why() -> None:
    """A waiver allows the use and shows nothing."""
    known = facts(attested=[attestation("operator-training", Said.WAIVED, why="by the CAIO until 2027")])
    found = by_id(ruled(load_standard("us-m-25-21"), BENEFITS, known))["training"]
    assert found.ruling is Ruling.NOT_MET
    assert "by the CAIO until 2027" in found.because


def test_a_determination_alone_drops_no_practice() -> None:
    """Each practice it is said to take away must be attested as not applicable; the others stay."""
    known = facts(
        attested=[attestation("not-high-impact-determination"), attestation("operator-training", Said.NOT_APPLICABLE)]
    )
    found = ruled(load_standard("us-m-25-21"), BENEFITS, known)
    assert by_id(found)["determination"].ruling is Ruling.MET
    assert by_id(found)["training"].ruling is Ruling.NOT_APPLICABLE
    assert by_id(found)["oversight"].ruling is Ruling.NOT_SHOWN
    assert found.ruling is Ruling.NOT_SHOWN


@pytest.mark.parametrize(
    ("log", "reviewed", "timely"),
    [
        ({"contested": 0}, Ruling.MET, Ruling.MET),
        ({"contested": 4, "decided": 4, "human_reviewed_share": 1.0, "median_days": 12.0}, Ruling.MET, Ruling.MET),
        ({"contested": 4, "decided": 4, "human_reviewed_share": 0.75, "median_days": 45.0}, Ruling.NOT_MET, Ruling.NOT_MET),
        ({"contested": 4, "decided": 3, "human_reviewed_share": 1.0, "median_days": 12.0, "oldest_pending_days": 200.0}, Ruling.MET, Ruling.NOT_MET),
        ({"contested": 4, "decided": 3, "human_reviewed_share": 1.0, "median_days": 12.0}, Ruling.MET, Ruling.NOT_SHOWN),
        ({"contested": 4, "decided": 0}, Ruling.NOT_SHOWN, Ruling.NOT_SHOWN),
    ],
)  # fmt: skip
def test_the_recourse_log_shows_whether_a_person_reviewed_in_time(log: dict[str, float], reviewed: Ruling, timely: Ruling) -> None:  # fmt: skip
    """With no contest both are met; a contest that waits too long, or that no person saw, counts."""
    known = facts({"recourse.log_kept": True, **{f"recourse.{name}": value for name, value in log.items()}})
    found = by_id(ruled(load_standard("us-m-25-21"), BENEFITS, known))
    assert (found["appeals-reviewed"].ruling, found["appeals-timely"].ruling) == (reviewed, timely)


# ---- the EU AI Act


def test_an_open_model_is_freed_from_two_duties_and_never_from_the_other_two() -> None:
    """Article 53(2): (a) and (b) fall away, (c) and (d) stay, and that the exemption is earned is asked instead."""
    context = of_use("general-release", "private", release="open", **MODEL)
    found = by_id(ruled(load_standard("eu-ai-act"), context))
    assert {name for name in found if name.startswith("53") and found[name].ruling is not Ruling.NOT_APPLICABLE} == {"53-2", "53-1-c", "53-1-d"}  # fmt: skip
    public = dict.fromkeys(("parameters_final.released", "parameters_final.licence_open", "architecture.released", "model_card.released"), True)  # fmt: skip
    known = facts({f"component.{name}": value for name, value in public.items()})
    assert by_id(ruled(load_standard("eu-ai-act"), context, known))["53-2"].ruling is Ruling.MET


@pytest.mark.parametrize("more", [{"systemic_risk": True}, {"monetised": True}, {"release": "gated"}])
def test_there_is_no_relief_with_systemic_risk_nor_for_what_is_not_free_and_open(more: dict[str, str | bool | float]) -> None:  # fmt: skip
    """All four duties are due then, and nothing is asked of an exemption."""
    context = {**of_use("general-release", "private", release="open", **MODEL), **more}
    found = by_id(ruled(load_standard("eu-ai-act"), context))
    assert found["53-2"].ruling is Ruling.NOT_APPLICABLE
    assert all(found[f"53-1-{letter}"].ruling is Ruling.NOT_SHOWN for letter in "abcd")
    risky = "systemic_risk" in more
    assert (found["55-evaluation"].ruling is Ruling.NOT_APPLICABLE) is not risky


def test_whether_a_model_has_systemic_risk_is_never_guessed() -> None:
    """Below the presumption, too, it must be declared: without that, the duties are open."""
    context = of_use("general-release", "private", release="open", eu_market=True, general_purpose=True, monetised=False, training_flop=1e22)  # fmt: skip
    found = by_id(ruled(load_standard("eu-ai-act"), context))
    assert all(found[name].ruling is Ruling.NOT_SHOWN for name in ("53-2", "53-1-a", "55-evaluation"))
    assert any("systemic_risk" in change for change in found["55-evaluation"].would_change)


@pytest.mark.parametrize(
    ("declared", "ruling"),
    [
        ({"systemic_risk": False, "training_flop": 2e25}, Ruling.NOT_MET),
        ({"systemic_risk": False, "training_flop": 1e24}, Ruling.MET),
        ({"systemic_risk": False}, Ruling.NOT_SHOWN),
        ({"systemic_risk": True}, Ruling.MET),
    ],
)
def test_a_declaration_against_the_acts_presumption_does_not_pass(declared: dict[str, bool | float], ruling: Ruling) -> None:  # fmt: skip
    """Above 10^25 operations, "no systemic risk" is not met; without the operations it is not shown."""
    context = of_use("general-release", "private", eu_market=True, general_purpose=True, **declared)
    assert by_id(ruled(load_standard("eu-ai-act"), context))["51-2"].ruling is ruling


def test_fundamental_rights_are_assessed_by_public_bodies_and_by_some_private_ones() -> None:
    """Article 27 asks public bodies; which private ones was not checked, and says so."""
    act = load_standard("eu-ai-act")
    public, private = (
        by_id(ruled(act, of_use("benefits-eligibility", sector, eu_market=True)))["27"]
        for sector in ("government", "private")
    )
    assert (public.strength, private.strength) == (Strength.REQUIRED, Strength.UNKNOWN)
    ordinary = by_id(ruled(act, of_use("internal-search", "government", eu_market=True)))["27"]
    assert ordinary.ruling is Ruling.NOT_APPLICABLE


def test_off_the_eus_market_the_act_does_not_apply() -> None:
    """Whatever else was declared."""
    context = of_use("benefits-eligibility", "government", eu_market=False)
    assert ruled(load_standard("eu-ai-act"), context).ruling is Ruling.NOT_APPLICABLE


# ---- processes


def test_every_practice_of_nist_ai_800_1_is_there_and_none_claims_to_be_checked() -> None:
    """Nobody read the draft: each requirement says secondary or unverified."""
    requirements = load_standard("nist-ai-800-1").requirements
    practices = {name for name in NIST_AI_800_1 if "." in name}
    assert {one.cites.section.removeprefix("practice ") for one in requirements} == practices
    assert all(
        one.id == one.cites.section.removeprefix("practice ") or one.id.partition("-")[0] in practices
        for one in requirements
    )
    assert {one.provenance for one in requirements} <= {Provenance.SECONDARY, Provenance.UNVERIFIED}


def test_all_four_proportional_evaluations_are_asked_and_capability_is_never_inferred() -> None:
    """A dossier alone, however good, cannot meet PE3 nor all of PE4: the suite measures willingness."""
    known = facts(
        {f"rung.{rung}.{field}": value for rung in ("api", "weights", "modified") for field, value in (("measured", True), ("prompts", 500))}
        | {"rate.weights.worst.harm": 0.2, "risk.opening.verdict": "material increase"}
    )  # fmt: skip
    found = ruled(load_standard("proportional-evaluation"), {}, known)
    assert {one.cited.rpartition(", ")[2] for one in found.requirements} == {"PE1", "PE2", "PE3", "PE4"}
    lacking = {name for name, one in by_id(found).items() if one.ruling is not Ruling.MET}
    assert lacking == {"pe3", "pe4-capability"}
