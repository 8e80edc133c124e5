"""AVID export: reports that AVID's own data model takes and gives back, one for the weighing and one for each failure."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dossier.exports.built import HOSTILE, hostile, inspection_of, is_inert, requirement, ruling
from tests.fakes.dossier_record import MADE_AT, dossier_record
from weighbridge.dossier.exports import avid
from weighbridge.dossier.exports.export import Export, Kind, Source
from weighbridge.dossier.record import DossierRecord, FilesRead
from weighbridge.evidence.records import Estimate, Measure
from weighbridge.protocol.vocabulary import Category, Contrast, Verdict
from weighbridge.standards.rulings import Ruling

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # avidtools is written for pydantic 1 and says so
    avid_report = pytest.importorskip("avidtools.datamodels.report")
    avid_enums = pytest.importorskip("avidtools.datamodels.enums")

Report = dict[str, Any]


def exported(source: Source) -> tuple[Export, dict[str, Report]]:
    """The export and its reports by file name, each checked by AVID's model: nothing is refused, dropped or changed by it."""
    made = avid.export(source, at=MADE_AT)
    reports = {name: json.loads(data) for name, data in made.files.items()}
    for report in reports.values():
        read = avid_report.Report.model_validate_json(json.dumps(report))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert json.loads(read.model_dump_json(exclude_unset=True)) == report
    return made, reports


def results(report: Report) -> list[Report]:
    """The results of a report's metrics."""
    return [metric["results"] for metric in report["metrics"]]


def test_avids_model_takes_it(record: DossierRecord, gappy_record: DossierRecord, empty_record: DossierRecord) -> None:
    """Whatever was measured, every report passes AVID's model and comes back as it was."""
    for each in (record, gappy_record, empty_record):
        _, reports = exported(Source(each, inspection=inspection_of(each, findings=[("pickle.runs-code", "critical")])))
        assert reports["measurement.avid.json"]["problemtype"]["type"] == "Measurement"


def test_every_comparison_is_a_metric_and_every_rate_is_a_side_or_counted(
    record: DossierRecord, gappy_record: DossierRecord
) -> None:
    """Each comparison is there with its verdict and interval; each rate is a side of one, or counted in the log."""
    for each in (record, gappy_record):
        made, reports = exported(Source(each))
        found = results(reports["measurement.avid.json"])
        assert len(found) == len(each.comparisons) == made.written[Kind.COMPARISON]
        for comparison, result in zip(each.comparisons, found, strict=True):
            assert result["verdict"] == comparison.verdict.value
            if isinstance(comparison.estimate, Estimate):
                assert (result["value"], result["low"], result["high"]) == (
                    comparison.estimate.value,
                    comparison.estimate.low,
                    comparison.estimate.high,
                )
            else:
                assert result["not_measured"] == comparison.estimate.reason.value and "value" not in result
        dropped = sum(one.count for one in made.log if one.what == Kind.RATE.value)
        assert made.written.get(Kind.RATE, 0) + dropped == len(each.rates)
        assert made.written.get(Kind.RATE, 0) > 0


def test_sides_are_the_rates_that_were_compared(record: DossierRecord) -> None:
    """Over all prompts, the two rates beside a difference are of the two conditions that it compares."""
    _, reports = exported(Source(record))
    rates = {
        (rate.subject, rate.rung.value, rate.technique): rate.rate
        for rate in record.rates
        if rate.measure is Measure.HARM and rate.category is None and rate.verb is None and not rate.benign
    }
    checked = 0
    for result in results(reports["measurement.avid.json"]):
        if (result["scope"], result["measure"], result["aggregate"]) == ("all", "harm", "mean"):
            for side in ("candidate", "baseline"):
                technique = "mean" if result[f"{side}_rung"] == "weights" else "chat"
                expected = rates[result[f"{side}_subject"], result[f"{side}_rung"], technique]
                assert isinstance(expected, Estimate)
                assert result[f"{side}_rate"]["value"] == expected.value
                checked += 1
    assert checked >= 4


def test_nothing_measured_gives_no_number_and_no_tags(empty_record: DossierRecord) -> None:
    """Without measurements no result has a value, nothing is tagged, and there is no report of a failure."""
    _, reports = exported(Source(empty_record))
    assert list(reports) == ["measurement.avid.json"]
    assert all(
        "value" not in result and "not_measured" in result for result in results(reports["measurement.avid.json"])
    )
    assert "impact" not in reports["measurement.avid.json"]


def test_material_increase_is_a_detection(record: DossierRecord) -> None:
    """Each pair of conditions with a material increase of harm is one Detection; others, and increases of benefits, are none."""
    increased = [
        one for one in record.comparisons if one.measure is Measure.HARM and one.verdict is Verdict.MATERIAL_INCREASE
    ]
    assert increased, "the fake record has a guardrail that opening removes"
    _, reports = exported(Source(record))
    detections = [report for report in reports.values() if report["problemtype"]["type"] == "Detection"]
    pairs = {(one.contrast, one.baseline.subject, one.candidate.rung, one.baseline.rung) for one in increased}
    assert len(detections) == len(pairs)
    told = [result for report in detections for result in results(report)]
    assert len(told) == len(increased)
    assert all(result["verdict"] == "material increase" and result["measure"] == "harm" for result in told)


def test_no_increase_no_detection(record: DossierRecord) -> None:
    """A weighing in which nothing increases materially reports no failure."""
    calm = tuple(one.model_copy(update={"verdict": Verdict.UNDECIDED}) for one in record.comparisons)
    _, reports = exported(Source(record.model_copy(update={"comparisons": calm})))
    assert list(reports) == ["measurement.avid.json"]


def test_grave_findings_are_issues_by_rule(record: DossierRecord) -> None:
    """Critical and high findings are one report a rule, with our tags; lesser ones are counted in the log."""
    findings = [
        ("pickle.runs-code", "critical"),
        ("pickle.runs-code", "critical"),
        ("secret.found", "high"),
        ("weights.payload", "high"),
        ("text.json", "medium"),
        ("code.file", "info"),
    ]
    made, reports = exported(Source(record, inspection=inspection_of(record, findings=findings)))
    issues = {
        tuple(report["impact"]["avid"]["sep_view"]): report
        for report in reports.values()
        if report["problemtype"]["type"] == "Issue"
    }
    assert set(issues) == {
        ("S0100: Software Vulnerability", "S0202: Software Compromise"),
        ("S0301: Information Leak",),
        ("S0201: Model Compromise",),
    }
    assert all(
        report["problemtype"]["classof"] == "Undefined" and "metrics" not in report for report in issues.values()
    )
    assert any(dropped.what.startswith("findings of medium") and dropped.count == 2 for dropped in made.log)


def test_many_places_are_counted(record: DossierRecord) -> None:
    """Of a rule with many places the first are shown, the rest counted."""
    made, _ = exported(Source(record, inspection=inspection_of(record, findings=[("gguf.overlap", "high")] * 33)))
    assert any(
        dropped.what == "places of a finding" and dropped.count == 33 - avid.PLACES_SHOWN for dropped in made.log
    )


def test_findings_without_inspection_are_counted(record: DossierRecord) -> None:
    """When only the count of grave findings is known, the log says that what they are is not at hand."""
    read = FilesRead(subject=record.candidate.identity, findings={"critical": 2, "info": 1}, not_examined=0, tensors=3)
    made, reports = exported(Source(record.model_copy(update={"files_read": (read,)})))
    assert not any(report["problemtype"]["type"] == "Issue" for report in reports.values())
    assert any(dropped.what == "critical and high findings" and dropped.count == 2 for dropped in made.log)


def test_tags_are_avids_words_and_marked_as_ours(record: DossierRecord) -> None:
    """Every tag that we can give is one of AVID's, and every report with tags says whose mapping it is."""
    words = {tag.value for tag in avid_enums.SepEnum}
    harm = next(one for one in record.comparisons if one.measure is Measure.HARM)
    for contrast in Contrast:
        for scope in ("all", "unheard of", *(category.value for category in Category)):
            tags = avid.sep_tags([harm.model_copy(update={"scope": scope, "contrast": contrast})])
            assert tags and set(tags) <= words
    _, reports = exported(Source(record, inspection=inspection_of(record, findings=[("secret.found", "high")])))
    for report in reports.values():
        assert "not by AVID" in report["description"]["value"]


def test_developer_is_not_invented_and_rulings_are_counted(record: DossierRecord) -> None:
    """Nobody is named as developer or deployer, no report number is made up, and rulings are in the log."""
    found = ruling(Source(record).dossier, [requirement("a", Ruling.NOT_SHOWN)])
    made, reports = exported(Source(record, (found,)))
    for report in reports.values():
        assert report["affects"]["developer"] == report["affects"]["deployer"] == []
        assert "metadata" not in report
    assert any(dropped.what == Kind.RULING.value and dropped.count == 1 for dropped in made.log)


def test_hostile_names_stay_inert(record: DossierRecord) -> None:
    """Names that others chose open no link or tag in AVID's Markdown and hide nothing; unknown scopes match no rate."""
    _, reports = exported(
        Source(hostile(record), inspection=inspection_of(hostile(record), findings=[("secret.found", "high")]))
    )
    text = json.dumps(list(reports.values()), ensure_ascii=False)
    assert is_inert(text) and HOSTILE not in text
    for report in reports.values():
        for prose in (report["description"]["value"], report["problemtype"]["description"]["value"]):
            assert "<script>" not in prose.replace("\\<", "") and "](" not in prose
    odd = [result for result in results(reports["measurement.avid.json"]) if "script" in result["scope"]]
    assert len(odd) == 2 and not any("candidate_rate" in result for result in odd)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(Verdict), min_size=6, max_size=6))
def test_detections_follow_verdicts_and_nothing_else(verdicts: list[Verdict]) -> None:
    """A failure is reported exactly where a harm comparison says "material increase"."""
    ones = tuple(
        one.model_copy(update={"verdict": verdict}) for one, verdict in zip(_SMALL.comparisons, verdicts, strict=False)
    )
    _, reports = exported(Source(_SMALL.model_copy(update={"comparisons": ones, "rates": ()})))
    told = sum(len(report["metrics"]) for report in reports.values() if report["problemtype"]["type"] == "Detection")
    assert told == sum(
        one.verdict is Verdict.MATERIAL_INCREASE and one.measure is Measure.HARM and isinstance(one.estimate, Estimate)
        for one in ones
    )


_SMALL = dossier_record(per_cell=1)


def test_same_dossier_same_bytes(record: DossierRecord) -> None:
    """The reports are a function of source and time."""
    assert avid.export(Source(record), at=MADE_AT) == avid.export(Source(record), at=MADE_AT)
