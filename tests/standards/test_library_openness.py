"""The standards about openness, release and notice: what they ask is what their sources ask, and evidence rules on them as it should."""

from __future__ import annotations

from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.standards.known import AT, VERDICTS, attestation, by_id, contexts, drawn_facts, facts, read_by, ruled
from weighbridge.errors import StandardError
from weighbridge.evidence.provenance import Provenance
from weighbridge.standards.cel.values import Between
from weighbridge.standards.facts import Facts, Path, Said
from weighbridge.standards.facts import Testimony as Vouching
from weighbridge.standards.files import load_standard, parse_standard, shipped_text
from weighbridge.standards.names import MODEL_TYPES, named
from weighbridge.standards.ruling import Declared, rule
from weighbridge.standards.rulings import Ruling, StandardRuling, Strength
from weighbridge.standards.standard import Standard
from weighbridge.subject.components import ComponentId, Framework

MET, NOT_MET, NOT_SHOWN = Ruling.MET, Ruling.NOT_MET, Ruling.NOT_SHOWN
OPENNESS = ("mof-1.0", "osaid-1.0", "eosai")
MINE = (*OPENNESS, "pai-2023", "release-stages", "hosting-notice")
NO_INCREASE, INCREASE = VERDICTS

# The table of the Model Openness Framework, written down a second time, from the reference and not from the file under test.
MOF = {
    "III": (
        {"architecture", "parameters_final", "evaluation_results", "model_card", "data_card", "technical_report"},
        {"sample_outputs"},
    ),
    "II": ({"training_code", "inference_code", "evaluation_code", "evaluation_data"}, {"supporting_libraries"}),
    "I": ({"datasets", "preprocessing_code", "parameters_intermediate", "research_paper"}, {"model_metadata"}),
}
OSAID_REQUIRED = {
    "data_information", "preprocessing_code", "training_code", "inference_code", "supporting_libraries", "architecture", "parameters_final",
}  # fmt: skip
FREEDOMS = {"freedom_use", "freedom_study", "freedom_modify", "freedom_share"}
OSAID_OPTIONAL = {
    "evaluation_data", "evaluation_results", "evaluation_code", "benchmark_code", "model_card", "sample_outputs", "model_metadata",
}  # fmt: skip
COMPONENTS = sorted(
    {path[1] for name in OPENNESS for path in read_by(load_standard(name)) if path[0] == "component"}
    | {"parameters_final"}
)


def released(*components: str, licence_open: bool = True, fits: bool = True) -> dict[str, bool | str]:
    """Return the evidence of components that are released under a licence."""
    found: dict[str, bool | str] = {}
    for one in components:
        found |= {
            f"component.{one}.released": True,
            f"component.{one}.partly": False,
            f"component.{one}.licence": "Apache-2.0",
            f"component.{one}.licence_open": licence_open,
            f"component.{one}.licence_fits": fits,
            f"component.{one}.conditional": licence_open and not fits,
        }
    return found


def withheld(*components: str) -> dict[str, bool | str]:
    return {f"component.{one}.{field}": False for one in components for field in ("released", "partly")}


def check(name: str, known: dict[str, bool | str], **context: str) -> StandardRuling:
    return ruled(load_standard(name), context, facts(known))


# ---- the files


@pytest.mark.parametrize("name", MINE)
def test_every_file_loads_and_can_be_read_by_a_release_lead(name: str) -> None:
    """Titles are of at most eight words, nothing is left out, and what is said is no condition."""
    found = load_standard(name)
    assert found.id == name
    ids = [one.id for one in found.requirements]
    assert len(set(ids)) == len(ids)
    for one in found.requirements:
        assert len(one.title.split()) <= 8, one.title
        assert "component." not in one.says + one.title
        assert "&&" not in one.says
        assert one.says.endswith("."), one.says
    assert len(shipped_text(name).encode()) < 256 * 1024


@pytest.mark.parametrize("name", MINE)
def test_every_name_in_a_condition_is_evidence_that_a_subject_can_have(name: str) -> None:
    for path in read_by(load_standard(name)):
        assert named(path) is not None, path


@pytest.mark.parametrize("name", MINE)
def test_the_page_that_explains_a_standard_names_it(name: str) -> None:
    """Each standard is explained on a page of the methods, and each of a page's own requirements is on it."""
    from pathlib import Path

    page = {"release-stages": "stages", "hosting-notice": "stages", "pai-2023": "pai-guidance"}
    text = (
        Path(__file__).resolve().parents[2] / "docs/methods" / f"{page.get(name, 'openness-standards')}.md"
    ).read_text(encoding="utf-8")
    assert f"library/{name}.yaml" in text
    if name in ("release-stages", "hosting-notice"):
        assert [one.id for one in load_standard(name).requirements if one.id not in text] == []
    if name not in OPENNESS:
        kinds = {one.attested.document for one in load_standard(name).requirements if one.attested}
        assert [kind for kind in sorted(kinds) if f"`{kind}`" not in text] == []


@pytest.mark.parametrize("name", MINE)
def test_every_component_that_is_asked_for_is_one_that_an_inventory_can_hold(name: str) -> None:
    asked = {path[1] for path in read_by(load_standard(name)) if path[0] == "component"}
    assert asked <= {one.value for one in ComponentId}


def test_the_inventory_and_the_standards_agree_on_who_asks_for_what() -> None:
    """And on which kind of content a component is, by which its licence is judged."""
    asked = {
        framework: {one.value for one in ComponentId if framework in one.about.asked_by} for framework in Framework
    }
    mof = load_standard("mof-1.0")
    assert {one.id for one in mof.requirements} == asked[Framework.MOF]
    for one in mof.requirements:
        assert one.cites.section.endswith(f"kind: {ComponentId(one.id).about.kind}"), one.id
    assert asked[Framework.OSAID] >= OSAID_REQUIRED | OSAID_OPTIONAL
    graded = {path[1] for path in read_by(load_standard("eosai")) if path[2] == "released"}
    assert graded == asked[Framework.EOSAI]


# ---- what they ask is what their sources ask


def test_the_frameworks_classes_ask_for_what_the_framework_lists() -> None:
    found = load_standard("mof-1.0")
    assert len(found.requirements) == 17
    optional = {one.id for one in found.requirements if one.strength is Strength.OPTIONAL}
    assert [level.id for level in found.levels] == ["III", "II", "I"]
    for level in found.levels:
        required, may = MOF[level.id]
        assert set(level.requires) == required
        cited = {one.id for one in found.requirements if one.cites.section.startswith(f"class {level.id},")}
        assert cited == required | may
    assert optional == set().union(*(may for _, may in MOF.values()))


def test_the_definition_asks_for_what_its_checklist_lists() -> None:
    found = load_standard("osaid-1.0")
    required = {one.id for one in found.requirements if one.strength is Strength.REQUIRED}
    assert required == OSAID_REQUIRED | FREEDOMS
    assert {one.id for one in found.requirements if one.strength is Strength.OPTIONAL} == OSAID_OPTIONAL


def test_the_index_has_its_fourteen_parameters_and_each_can_be_partial() -> None:
    found = load_standard("eosai")
    assert len(found.requirements) == 14
    assert all(one.partly for one in found.requirements)
    assert sum(one.topic.value == "licence" for one in found.requirements) == 1


def test_the_guidance_has_a_cell_for_each_guideline_model_type_and_release_type_and_none_was_checked() -> None:
    found = load_standard("pai-2023")
    assert len(found.requirements) == 22
    pairs = {
        f'context.model_type == "{model}" && context.release == "{release}"'
        for model in MODEL_TYPES
        for release in ("open", "api", "closed", "research")
    }
    cells = [cell for one in found.requirements for cell in one.cells]
    assert all({cell.when for cell in one.cells} == pairs and len(one.cells) == 12 for one in found.requirements)
    assert {cell.strength for cell in cells} == {Strength.UNKNOWN}
    assert sum(cell.provenance is Provenance.UNVERIFIED for cell in cells) == 4
    assert sum(cell.provenance is Provenance.NOBODY_LOOKED for cell in cells) == 260
    assert {one.provenance for one in found.requirements} == {Provenance.UNVERIFIED}


@pytest.mark.parametrize("model_type", MODEL_TYPES)
@pytest.mark.parametrize("release", ["open", "api", "closed", "research", "gated"])
def test_a_cell_that_nobody_checked_says_so_and_counts_against_nobody(model_type: str, release: str) -> None:
    attested = [attestation("decommissioning-policy", Said.NOT_DONE), attestation("incident-reporting")]
    found = ruled(
        load_standard("pai-2023"), {"model_type": model_type, "release": release}, facts({}, attested)
    )  # fmt: skip
    assert found.ruling is NOT_SHOWN
    for one in found.requirements:
        assert one.strength is Strength.UNKNOWN
        assert "not checked against the source" in one.remarks
        assert "how much the source asks for this here was not checked" in one.remarks
    assert by_id(found)["decommissioning"].ruling is NOT_MET
    assert by_id(found)["incident-reporting"].ruling is MET


# ---- openness, ruled on


def test_a_full_release_is_class_i_meets_the_definition_and_is_open_in_all_fourteen() -> None:
    known = released(*COMPONENTS)
    mof = check("mof-1.0", known)
    assert (mof.reached, mof.ruling) == ("I", MET)
    assert check("osaid-1.0", known).ruling is MET
    assert check("eosai", known).ruling is MET


def test_weights_alone_are_neither_an_open_model_nor_open_source_ai() -> None:
    found = check("mof-1.0", released("parameters_final"))
    assert (found.reached, found.ruling) == (None, NOT_SHOWN)
    assert by_id(found)["parameters_final"].ruling is MET
    assert check("osaid-1.0", released("parameters_final")).ruling is NOT_SHOWN
    others = withheld(*(one for one in COMPONENTS if one != "parameters_final"))
    assert check("mof-1.0", released("parameters_final") | others).ruling is NOT_MET
    assert check("osaid-1.0", released("parameters_final") | others).ruling is NOT_MET


@pytest.mark.parametrize("name", OPENNESS)
def test_weights_that_are_withheld_are_not_met(name: str) -> None:
    found = check(name, withheld("parameters_final"))
    assert (found.ruling, found.reached) == (NOT_MET, None)


@pytest.mark.parametrize("name", OPENNESS)
def test_of_what_was_neither_found_nor_decided_on_nothing_is_said(name: str) -> None:
    assert {one.ruling for one in check(name, {}).requirements} == {NOT_SHOWN}


@pytest.mark.parametrize(
    "missing", sorted(set().union(*(required for required, _ in MOF.values())) - {"technical_report"})
)
def test_a_class_stands_on_every_component_that_it_and_those_below_require(missing: str) -> None:
    """But on the technical report only while no research paper is released."""
    below = next(name for name, (required, _) in MOF.items() if missing in required)
    found = check("mof-1.0", released(*(one for one in COMPONENTS if one != missing)) | withheld(missing))
    reached = {"III": None, "II": "III", "I": "II"}[below]
    assert found.reached == reached


def test_a_research_paper_stands_for_the_technical_report_if_its_licence_is_open() -> None:
    without = [one for one in COMPONENTS if one not in ("technical_report", "research_paper")]
    known = released(*without) | withheld("technical_report")
    assert check("mof-1.0", known | released("research_paper")).reached == "I"
    assert check("mof-1.0", known | withheld("research_paper")).reached is None
    assert check("mof-1.0", known | released("research_paper", licence_open=False)).reached is None
    assert by_id(check("mof-1.0", known))["technical_report"].ruling is NOT_SHOWN


def test_an_open_licence_of_the_wrong_kind_passes_and_says_so() -> None:
    found = check("mof-1.0", released(*COMPONENTS) | released("parameters_final", fits=False))
    assert found.reached == "I"
    (remark,) = by_id(found)["parameters_final"].remarks
    assert remark.startswith("conditional")
    assert by_id(found)["datasets"].remarks == ()


def test_a_licence_with_an_acceptable_use_policy_fails_the_definition_and_counts_in_part() -> None:
    found = check("osaid-1.0", released(*COMPONENTS) | released("parameters_final", licence_open=False))
    assert found.ruling is NOT_MET
    rulings = by_id(found)
    assert rulings["parameters_final"].partial
    assert {rulings[one].ruling for one in FREEDOMS} == {NOT_MET}


def test_a_release_without_a_licence_is_not_shown_to_be_open_and_the_index_asks_for_it_once() -> None:
    known = {f"component.{one}.released": True for one in COMPONENTS}
    assert check("mof-1.0", known).ruling is NOT_SHOWN
    rulings = check("eosai", known).requirements
    assert [one.requirement for one in rulings if one.ruling is not MET] == ["licenses"]


def test_a_part_that_is_released_is_partial_in_the_index_and_never_met() -> None:
    known = withheld("datasets") | {"component.datasets.partly": True}
    found = by_id(check("eosai", known))["base_model_data"]
    assert (found.ruling, found.partial) == (NOT_MET, True)


def test_a_description_of_the_data_is_asked_and_not_the_data() -> None:
    known = released(*(one for one in COMPONENTS if one != "datasets")) | withheld("datasets")
    assert check("osaid-1.0", known).ruling is MET
    assert check("mof-1.0", known).reached == "II"


# ---- stages


def evidence_for(stage: str) -> dict[str, bool | int | float | str | Between]:
    """Return the evidence that a stage asks for, attestations aside."""
    research = {
        "subject.has_digest": True,
        "files.read": True,
        "files.not_examined": 0,
        "files.critical": Between(0, 0),
        "files.high": Between(0, 0),
        "rung.api.measured": True,
        "rate.api.coherent": Between(0.9, 1),
        "rate.api.benign_answered": Between(0.5, 0.9),
        "grader.calibrated.enable": True,
    }
    gated = {
        "rung.weights.measured": True,
        "rate.weights.coherent": Between(0.6, 0.9),
        "rung.modified.measured": True,
        "rate.modified.coherent": Between(0.6, 0.9),
        "risk.opening.verdict": INCREASE,
        "risk.counterfactual.margin": Between(0.1, 0.1),
        "risk.counterfactual.mean.verdict": NO_INCREASE,
        "risk.counterfactual.category.indiscriminate_weapons.verdict": NO_INCREASE,
        "risk.counterfactual.category.child_sexual_exploitation.verdict": NO_INCREASE,
        "component.parameters_final.licence": "Apache-2.0",
        "component.parameters_final.reason_given": True,
        "component.parameters_final.risk_weighed": True,
        "component.model_card.released": True,
        "threats.any.partly": True,
    }
    opened = {
        "risk.counterfactual.worst.verdict": NO_INCREASE,
        "risk.counterfactual.every_category.verdict": NO_INCREASE,
    }
    return research | (gated if stage != "research" else {}) | (opened if stage == "open" else {})


ATTESTED = [
    attestation("incident-reporting"),
    attestation("vectors-in-reach"),
    attestation("capability-amplification-study"),
    attestation("worst-case-study"),
    attestation("research-access-report", independent=True),
]


def stage(known: Facts, model_type: str = "general", release: str = "open") -> StandardRuling:
    return ruled(load_standard("release-stages"), {"model_type": model_type, "release": release}, known)


@pytest.mark.parametrize("name", ["research", "gated", "open"])
def test_the_evidence_that_a_stage_asks_for_supports_it_and_no_more(name: str) -> None:
    assert stage(facts(evidence_for(name), ATTESTED)).reached == name
    assert stage(facts({}, ATTESTED)).reached == "closed"


@pytest.mark.parametrize("missing", sorted(evidence_for("open")))
def test_no_stage_opens_without_every_piece_of_its_evidence(missing: str) -> None:
    known = facts(evidence_for("open"), ATTESTED)
    assert stage(known.without(tuple(missing.split(".")))).reached != "open"


def test_an_increase_over_what_the_world_has_fails_and_one_over_its_own_api_alone_does_not() -> None:
    known = evidence_for("open")
    found = stage(facts(known, ATTESTED))
    opening = by_id(found)["opening-adds-little"]
    assert (found.ruling, opening.ruling, opening.strength) == (MET, NOT_MET, Strength.RECOMMENDED)
    assert any("do not travel with them" in remark for remark in opening.remarks)
    for name, reached in (("mean", "research"), ("worst", "gated"), ("every_category", "gated")):
        worse = stage(facts(known | {f"risk.counterfactual.{name}.verdict": INCREASE}, ATTESTED))
        assert (worse.ruling, worse.reached) == (NOT_MET, reached)


def test_a_comparison_with_a_wide_margin_is_no_evidence() -> None:
    found = stage(facts(evidence_for("open") | {"risk.counterfactual.margin": Between(0.3, 0.3)}, ATTESTED))
    assert by_id(found)["margin"].ruling is NOT_MET
    assert found.reached == "research"


def test_a_model_that_talks_nonsense_or_refuses_everything_is_no_evidence_of_safety() -> None:
    for name, reached in (
        ("rate.api.coherent", "closed"),
        ("rate.api.benign_answered", "closed"),
        ("rate.weights.coherent", "research"),
        ("rate.modified.coherent", "research"),
    ):
        found = stage(facts(evidence_for("open") | {name: Between(0, 0.1)}, ATTESTED))
        assert (found.ruling, found.reached) == (NOT_MET, reached)


def test_frontier_models_go_to_researchers_first_and_somebody_who_was_not_involved_says_so() -> None:
    known = evidence_for("open")
    first = "research-first"
    assert stage(facts(known, ATTESTED), "frontier").reached == "open"
    insider = [*ATTESTED[:-1], attestation("research-access-report")]
    assert by_id(stage(facts(known, insider), "frontier"))[first].ruling is NOT_SHOWN
    assert stage(facts(known, ATTESTED[:-1]), "frontier").reached == "research"
    assert by_id(stage(facts(known, ATTESTED[:-1]), "general"))[first].ruling is Ruling.NOT_APPLICABLE
    undeclared = ruled(load_standard("release-stages"), {"release": "open"}, facts(known, ATTESTED))
    assert by_id(undeclared)[first].ruling is NOT_SHOWN


@pytest.mark.parametrize(
    ("document", "reached"), [("capability-amplification-study", "research"), ("worst-case-study", "gated")]
)
def test_mild_prompts_do_not_stand_for_what_a_frontier_model_is_capable_of(document: str, reached: str) -> None:
    without = [said for said in ATTESTED if said.document != document]
    assert stage(facts(evidence_for("open"), without), "frontier").reached == reached
    assert stage(facts(evidence_for("open"), without), "general").reached == "open"


def test_a_weighing_older_than_a_year_supports_no_stage_at_which_weights_change_hands() -> None:
    found = rule(
        load_standard("release-stages"),
        facts(evidence_for("open"), ATTESTED),
        {"release": "open", "model_type": "general"},
        at=AT + timedelta(days=367),
    )
    assert (found.ruling, found.reached) == (NOT_SHOWN, "closed")


def test_stages_are_judged_by_the_one_that_is_declared() -> None:
    """Else "met" would mean closed, which always is, and a check in CI would wave an open release through."""
    known = facts(evidence_for("research"), ATTESTED)
    rulings = {release: stage(known, release=release).ruling for release in ("closed", "api", "research", "open")}
    assert rulings == {"closed": MET, "api": MET, "research": MET, "open": NOT_SHOWN}
    undeclared = ruled(load_standard("release-stages"), {}, known)
    assert (undeclared.ruling, undeclared.reached) == (NOT_SHOWN, "research")
    assert "release" in undeclared.because


def test_a_standard_cannot_be_judged_by_a_declaration_that_there_is_not() -> None:
    text = shipped_text("release-stages").replace("level_asked: release", "level_asked: releas")
    with pytest.raises(StandardError, match="there is no declaration called releas"):
        parse_standard(text, "stages.yaml")


# ---- notice


NOTICE = evidence_for("gated") | {
    "suite.name": "weighbridge harms suite",
    "suite.version": "1",
    "protocol.name": "standard",
    "grader.name": "offline",
    "grader.identity": "offline@sha256:1",
    "grader.calibrated.refusals": True,
    "rung.api.prompts": Between.at_least(104),
    "rate.api.harm": Between(0.01, 0.2),
    "weighing.age_days": Between(3, 3),
}
SIGNED = [attestation("lineage-statement")]


def test_a_notice_needs_what_a_dossier_says_and_what_its_host_signs_for() -> None:
    found = ruled(load_standard("hosting-notice"), {"release": "open"}, facts(NOTICE, SIGNED))
    assert [one.requirement for one in found.requirements if one.ruling is NOT_SHOWN] == [
        "not-assessed-shown",
        "adverse-results-kept",
    ]
    assert found.ruling is NOT_SHOWN


@pytest.mark.parametrize(
    ("without", "lacks"),
    [
        ("subject.has_digest", "exact-weights"),
        ("suite.version", "benchmark-named"),
        ("grader.identity", "grader-named"),
        ("grader.calibrated.refusals", "grader-checked"),
        ("rung.api.prompts", "number-of-prompts"),
        ("rate.api.harm", "interval"),
        ("rung.api.measured", "access-named"),
        ("rung.weights.measured", "bare-weights"),
        ("weighing.age_days", "recent"),
    ],
)
def test_what_a_notice_cannot_say_is_not_shown(without: str, lacks: str) -> None:
    known = {name: value for name, value in NOTICE.items() if name != without}
    found = ruled(load_standard("hosting-notice"), {"release": "open"}, facts(known, SIGNED))
    assert by_id(found)[lacks].ruling is NOT_SHOWN


def test_a_notice_for_a_model_that_nobody_downloads_does_not_ask_for_bare_weights() -> None:
    found = ruled(load_standard("hosting-notice"), {"release": "api"}, facts(NOTICE, SIGNED))
    assert by_id(found)["bare-weights"].ruling is Ruling.NOT_APPLICABLE


def test_a_notice_older_than_a_year_may_not_be_shown() -> None:
    found = ruled(
        load_standard("hosting-notice"), {"release": "open"}, facts(NOTICE | {"weighing.age_days": Between(400, 400)})
    )
    assert by_id(found)["recent"].ruling is NOT_MET


# ---- the second law


def _everything(found: StandardRuling) -> dict[str, Ruling]:
    return {"the whole": found.ruling} | {one.requirement: one.ruling for one in found.requirements} | {
        f"level {one.level}": one.ruling for one in found.levels
    }  # fmt: skip


def _no_better(one: Standard, whole: Facts, less: Facts, context: Declared) -> None:
    before, after = rule(one, whole, context, at=AT), rule(one, less, context, at=AT)
    earlier = _everything(before)
    for what, ruling in _everything(after).items():
        assert ruling in (NOT_SHOWN, earlier[what]), what
    order = [None, *(level.id for level in one.levels)]
    assert order.index(after.reached) <= order.index(before.reached)


def _less(whole: Facts, lost: set[Path], attested: tuple[Vouching, ...]) -> Facts:
    known = {path: fact for path, fact in whole.known.items() if path not in lost}
    return Facts(whole.subject, whole.dossier, known, {}, attested)


@pytest.mark.parametrize("name", MINE)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_evidence_or_attestation_taken_away_only_ever_makes_a_ruling_not_shown(
    name: str, data: st.DataObject
) -> None:
    """So nothing becomes met, and no higher level is reached."""
    one = load_standard(name)
    whole: Facts = data.draw(drawn_facts(one))
    lost = data.draw(st.sets(st.sampled_from(sorted(whole.known)))) if whole.known else set()
    attested = tuple(said for said in whole.attested if data.draw(st.booleans()))
    _no_better(one, whole, _less(whole, lost, attested), data.draw(contexts))


FULL: dict[str, dict[str, Any]] = {
    **dict.fromkeys(OPENNESS, released(*COMPONENTS)),
    "pai-2023": {"rung.api.measured": True, **released("model_card", "data_information")},
    "release-stages": evidence_for("open"),
    "hosting-notice": NOTICE,
}


def _against(value: Any) -> Any:
    """Return what speaks against a requirement that `value` speaks for."""
    if isinstance(value, bool):
        return not value
    return INCREASE if value == NO_INCREASE else value


@pytest.mark.parametrize("name", MINE)
def test_any_single_fact_taken_away_from_a_good_release_never_improves_a_ruling(name: str) -> None:
    one = load_standard(name)
    known = facts(FULL[name], [*ATTESTED, *SIGNED])
    for path in known.known:
        _no_better(
            one, known, _less(known, {path}, known.attested), {"release": "open", "model_type": "frontier"}
        )  # fmt: skip


@pytest.mark.parametrize("name", MINE)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_hiding_what_speaks_against_a_release_never_improves_a_ruling(name: str, data: st.DataObject) -> None:
    one = load_standard(name)
    names = sorted(FULL[name])
    bad = data.draw(st.sets(st.sampled_from(names), max_size=4))
    lost = {tuple(name.split(".")) for name in data.draw(st.sets(st.sampled_from(names), max_size=6)) | bad}
    known = facts(
        {name: _against(value) if name in bad else value for name, value in FULL[name].items()}, [*ATTESTED, *SIGNED]
    )
    _no_better(one, known, _less(known, lost, known.attested), {"release": "open", "model_type": "frontier"})


def test_the_library_ships_with_the_program() -> None:
    folder = files("weighbridge.standards").joinpath("library")
    assert {f"{name}.yaml" for name in MINE} <= {one.name for one in folder.iterdir()}
