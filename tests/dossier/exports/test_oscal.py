"""OSCAL export: assessment results that compliance-trestle takes, in which "not shown" can be read as nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dossier.exports.built import HOSTILE, hostile, is_inert, requirement, ruling, rulings
from tests.fakes.dossier_record import MADE_AT, dossier_record
from weighbridge.dossier.exports import oscal
from weighbridge.dossier.exports.export import Export, Kind, Source
from weighbridge.dossier.record import DossierRecord, FilesRead
from weighbridge.evidence.records import Estimate
from weighbridge.standards.rulings import Ruling, StandardRuling
from weighbridge.subject.model import Component, Subject, SubjectKind

trestle_results = pytest.importorskip("trestle.oscal.assessment_results")
factory = pytest.importorskip("trestle.core.validator_factory").validator_factory

Results = dict[str, Any]
_SMALL = dossier_record(per_cell=1, baselines=())
_SMALL = _SMALL.model_copy(update={"rates": _SMALL.rates[:4], "comparisons": _SMALL.comparisons[:2]})


def exported(source: Source, folder: Path) -> tuple[Export, Results]:
    """The export and its results: read from a file by trestle, checked by all of its validators, written again as the same."""
    made = oscal.export(source, at=MADE_AT)
    path = folder / oscal.FILE
    path.write_bytes(made.files[oscal.FILE])
    document = json.loads(path.read_text())
    read = trestle_results.AssessmentResults.oscal_read(path)
    assert read is not None
    for validator in factory.get_all():
        assert validator.model_is_valid(read, True), validator.error_msg()
    written = json.loads(read.oscal_serialize_json())
    assert _comparable(written) == _comparable(document)
    return made, document["assessment-results"]


def _comparable(value: Any) -> Any:
    """Times are written in more than one way; everything else must be the same."""
    if isinstance(value, dict):
        return {key: _comparable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    return re.sub(r"(\d{2}:\d{2}:\d{2}(\.\d+)?)(Z|\+00:00)", r"\1Z", value) if isinstance(value, str) else value


def props(holder: Results) -> dict[str, str]:
    """Properties by name."""
    return {one["name"]: one["value"] for one in holder["props"]}


def of_type(result: Results, kind: str) -> list[Results]:
    """A result's observations of a type."""
    return [one for one in result["observations"] if kind in one["types"]]


def thin(record: DossierRecord) -> DossierRecord:
    """Every twentieth rate and comparison: trestle needs a millisecond for each."""
    return record.model_copy(update={"rates": record.rates[::20], "comparisons": record.comparisons[::20]})


def assert_markup_inert(results: Results) -> None:
    """Nothing hides or reorders, and in what OSCAL calls markup no tag, link or code begins."""
    text = json.dumps(results, ensure_ascii=False)
    assert is_inert(text)
    for prose in re.findall(r'"(?:title|description|remarks|prose)": "((?:[^"\\]|\\.)*)"', text):
        assert not re.search(r"(?<!\\)[<\[`]", json.loads(f'"{prose}"'))


def decided(result: Results) -> set[str]:
    """The objectives that a result says were reviewed."""
    (selection,) = result["reviewed-controls"]["control-objective-selections"]
    return {one["objective-id"] for one in selection.get("include-objectives", ())}


def excluded(result: Results) -> set[str]:
    """The objectives that a result says were not."""
    (selection,) = result["reviewed-controls"]["control-objective-selections"]
    return {one["objective-id"] for one in selection.get("exclude-objectives", ())}


def test_trestle_takes_it(record: DossierRecord, empty_record: DossierRecord, tmp_path: Path) -> None:
    """Whatever was measured, trestle reads it, its validators pass, and it writes the same again."""
    for each in (record, empty_record):
        exported(Source(thin(each)), tmp_path)


def test_every_rate_and_comparison_is_an_observation(gappy_record: DossierRecord, tmp_path: Path) -> None:
    """Each rate and comparison is there in order, with its number and interval, or with the reason why there is none."""
    exported(Source(thin(gappy_record)), tmp_path)
    made = oscal.export(Source(gappy_record), at=MADE_AT)
    results = json.loads(made.files[oscal.FILE])["assessment-results"]
    found = of_type(results["results"][0], "measurement")
    everything = [*(rate.rate for rate in gappy_record.rates), *(one.estimate for one in gappy_record.comparisons)]
    assert len(found) == len(everything) == made.written[Kind.RATE] + made.written[Kind.COMPARISON]
    for outcome, observation in zip(everything, found, strict=True):
        told = props(observation)
        if isinstance(outcome, Estimate):
            assert [float(told[name]) for name in ("value", "low", "high")] == [
                outcome.value,
                outcome.low,
                outcome.high,
            ]
            assert (told["n-measured"], told["n-planned"]) == (str(outcome.n_measured), str(outcome.n_planned))
            assert observation["methods"] == ["TEST"]
        else:
            assert told["not-measured"] == outcome.reason.value and "value" not in told
            assert observation["methods"] == [oscal.NOT_MEASURED]
    verdicts = [props(each)["verdict"] for each in found[len(gappy_record.rates) :]]
    assert verdicts == [one.verdict.value for one in gappy_record.comparisons]
    assert len(of_type(results["results"][0], "gap")) == len(gappy_record.gaps)


def test_nothing_measured_gives_no_number(empty_record: DossierRecord, tmp_path: Path) -> None:
    """A dossier without measurements has no value in any observation."""
    _, results = exported(Source(thin(empty_record)), tmp_path)
    assert not any("value" in props(each) for each in of_type(results["results"][0], "measurement"))


def test_without_rulings_it_says_so(tmp_path: Path) -> None:
    """With no ruling there is one result, which says that no standard was ruled on and selects no real control."""
    _, results = exported(Source(_SMALL), tmp_path)
    (only,) = results["results"]
    assert "No standard was ruled on" in only["reviewed-controls"]["description"]
    assert only["reviewed-controls"]["control-selections"][0]["include-controls"] == [{"control-id": oscal.NO_CONTROL}]
    assert "findings" not in only and "local-definitions" not in results


def test_four_rulings(tmp_path: Path) -> None:
    """Met is satisfied, not met is not satisfied; not shown and not applicable have no finding and are excluded, each with its words."""
    source = Source(_SMALL)
    found = ruling(source.dossier, [requirement(f"r{number}", each) for number, each in enumerate(Ruling)])
    made, results = exported(Source(_SMALL, (found,)), tmp_path)
    result = results["results"][1]
    states = {each["target"]["target-id"].rpartition(".")[2]: each["target"]["status"] for each in result["findings"]}
    assert states == {
        "r0": {"state": "satisfied", "reason": "pass"},
        "r1": {"state": "not-satisfied", "reason": "fail"},
    }
    partial = next(each for each in result["findings"] if each["target"]["status"]["reason"] == "fail")
    assert partial["target"]["implementation-status"]["state"] == "partial"
    assert {name.rpartition(".")[2] for name in excluded(result)} == {"r2", "r3"}
    observed = {props(each)["ruling"]: each for each in of_type(result, "control-objective")}
    assert set(observed) == {each.value for each in Ruling}
    assert observed["not shown"]["title"].startswith("not shown")
    assert "nobody asked" in observed["not shown"]["remarks"] and "relevant-evidence" not in observed["not shown"]
    assert observed["met"]["relevant-evidence"][0]["description"]
    assert "not checked against the source" in observed["met"]["remarks"]
    assert made.written[Kind.RULING] == 4
    assert sum(one.count for one in made.log if one.what == '"not shown" as a status') == 1
    assert sum(one.count for one in made.log if one.what == '"not applicable" as a status') == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_not_shown_is_never_a_status(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever rulings say: what has a status was decided and says so; what was not decided is excluded, and nothing is both."""
    given_ = data.draw(st.lists(rulings(Source(_SMALL).dossier), max_size=2))
    _, results = exported(Source(_SMALL, tuple(given_)), tmp_path)
    defined = {
        part["id"]
        for one in results.get("local-definitions", {}).get("objectives-and-methods", ())
        for part in one["parts"]
    }
    for one, result in zip(given_, results["results"][1:], strict=True):
        _assert_faithful(one, result, defined)
    assert_markup_inert(results)


def _assert_faithful(one: StandardRuling, result: Results, defined: set[str]) -> None:
    assert props(result)["ruling"] == one.ruling.value
    if not one.requirements:
        assert "findings" not in result and "control-objective-selections" not in result["reviewed-controls"]
        return
    states = {each["target"]["target-id"]: each["target"]["status"]["state"] for each in result.get("findings", ())}
    wanted = [each.ruling for each in one.requirements]
    assert list(states.values()) == [
        {"met": "satisfied", "not met": "not-satisfied"}[each.value]
        for each in wanted
        if each in (Ruling.MET, Ruling.NOT_MET)
    ]
    assert set(states) == decided(result)
    assert not decided(result) & excluded(result)
    assert len(decided(result)) + len(excluded(result)) == len(one.requirements)
    assert decided(result) | excluded(result) <= defined
    assert [props(each)["ruling"] for each in result["observations"]] == [each.value for each in wanted]


def test_losing_evidence_only_loses_findings(tmp_path: Path) -> None:
    """When a ruling becomes "not shown", its finding goes and no other status changes: nothing becomes satisfied."""
    source = Source(_SMALL)
    before = ruling(source.dossier, [requirement("a", Ruling.MET), requirement("b", Ruling.NOT_MET)])
    for lost in ("a", "b"):
        less = [
            requirement(one.requirement, Ruling.NOT_SHOWN) if one.requirement == lost else one
            for one in before.requirements
        ]
        _, results = exported(Source(_SMALL, (ruling(source.dossier, less),)), tmp_path)
        states = {
            each["target"]["target-id"].rpartition(".")[2]: each["target"]["status"]["state"]
            for each in results["results"][1]["findings"]
        }
        assert states == {"a": {"b": "not-satisfied"}, "b": {"a": "satisfied"}}[lost]


def test_one_standard_under_two_declarations(tmp_path: Path) -> None:
    """A government and a private deployer are two results of one standard, which is defined once."""
    source = Source(_SMALL)
    one = ruling(source.dossier, [requirement("a", Ruling.MET)])
    other = ruling(source.dossier, [requirement("a", Ruling.NOT_SHOWN)]).model_copy(
        update={"context": {"sector": "government"}}
    )
    _, results = exported(Source(_SMALL, (one, other)), tmp_path)
    assert len(results["local-definitions"]["objectives-and-methods"]) == 1
    assert [len(each.get("findings", ())) for each in results["results"]] == [0, 1, 0]
    assert "sector=government" in [each["value"] for each in results["results"][2]["props"]]


def test_protocol_is_named_as_what_it_is(tmp_path: Path) -> None:
    """The plan that is imported is the protocol, found in the back matter, and said to be no OSCAL plan."""
    _, results = exported(Source(_SMALL), tmp_path)
    resources = {f"#{each['uuid']}": each for each in results["back-matter"]["resources"]}
    assert props(resources[results["import-ap"]["href"]])["digest"] == _SMALL.protocol
    assert "Not an OSCAL assessment plan" in results["import-ap"]["remarks"]
    hashes = [each["rlinks"][0].get("hashes", [{}])[0].get("value") for each in resources.values()]
    assert Source(_SMALL).dossier.removeprefix("sha256:") in hashes


def test_references_lead_somewhere(record: DossierRecord, tmp_path: Path) -> None:
    """Every subject, tool, resource and observation that is referred to is in the document, and no id is used twice."""
    read = FilesRead(subject=record.candidate.identity, findings={"high": 1}, not_examined=2, tensors=3)
    source = Source(thin(record).model_copy(update={"files_read": (read,)}))
    found = ruling(source.dossier, [requirement("a", Ruling.MET)])
    made, results = exported(Source(source.record, (found,)), tmp_path)
    text = json.dumps(results)
    defined = re.findall(r'"uuid": "([^"]+)"', text)
    assert len(defined) == len(set(defined))
    referred = re.findall(r'"(?:subject-uuid|actor-uuid|observation-uuid)": "([^"]+)"', text) + re.findall(
        r'"href": "#([^"]+)"', text
    )
    assert referred and set(referred) <= set(defined)
    assert props(of_type(results["results"][0], "files-read")[0]) == {"findings-high": "1", "not-examined": "2"}
    assert made.written[Kind.FILES_READ] == 1


def test_hostile_names_stay_inert(record: DossierRecord, tmp_path: Path) -> None:
    """Names that others chose open no link or tag in OSCAL's markup, break no line and hide nothing."""
    source = Source(thin(hostile(record)))
    found = ruling(source.dossier, [requirement(HOSTILE, each, text=HOSTILE) for each in Ruling], standard=HOSTILE)
    _, results = exported(Source(source.record, (found,)), tmp_path)
    assert_markup_inert(results)


def test_same_dossier_same_bytes(record: DossierRecord) -> None:
    """The results are a function of source and time."""
    source = Source(thin(record))
    assert oscal.export(source, at=MADE_AT) == oscal.export(source, at=MADE_AT)


def test_nameless_endpoint(tmp_path: Path) -> None:
    """A subject without a name, digest, file or licence is still a component, and says that it has no digest."""
    endpoint = Subject(
        kind=SubjectKind.ENDPOINT, reference="http://e/v1#m", label="", digest=None, components=(Component(name=""),)
    )
    _, results = exported(Source(thin(dossier_record(per_cell=1, baselines=(), candidate=endpoint))), tmp_path)
    whole, part = results["results"][0]["local-definitions"]["components"]
    assert whole["title"] == oscal.UNNAMED and props(whole)["digest"].startswith("none")
    assert props(part) == {"licence": "not found"}


def test_a_time_without_a_zone_is_taken_as_utc(tmp_path: Path) -> None:
    """OSCAL's times have a zone; where a dossier's has none, the machine's own zone never gets in."""
    naive = _SMALL.model_copy(update={"made_at": MADE_AT.replace(tzinfo=None)})
    _, results = exported(Source(naive), tmp_path)
    assert results["results"][0]["start"] == MADE_AT.isoformat()


def test_trestle_would_refuse_a_wrong_one(tmp_path: Path) -> None:
    """The check can fail: a status that OSCAL does not have is refused."""
    source = Source(_SMALL)
    made = oscal.export(Source(_SMALL, (ruling(source.dossier, [requirement("a", Ruling.MET)]),)), at=MADE_AT)
    path = tmp_path / oscal.FILE
    path.write_bytes(made.files[oscal.FILE].replace(b'"satisfied"', b'"not shown"'))
    with pytest.raises(Exception, match=r"not shown|state"):
        trestle_results.AssessmentResults.oscal_read(path)
