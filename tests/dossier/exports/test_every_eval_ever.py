"""Every Eval Ever, checked by the schema of its 0.3.0, which lies beside the repository."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.dossier.exports.examples import AT, thin
from tests.shared_data import SHARED
from weighbridge.dossier.exports.export import Export, Kind, Source, export_as
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.records import Estimate, Measure
from weighbridge.subject.model import SubjectKind

SCHEMA = SHARED / "reference" / "schemas" / "every_eval_ever" / "eval.schema.json"


def _files(export: Export) -> list[dict[str, Any]]:
    return [json.loads(data) for data in export.files.values()]


@pytest.mark.parametrize("name", ["record", "gappy_record", "empty_record", "lone_record"])
def test_every_file_is_valid(name: str, request: pytest.FixtureRequest) -> None:
    """The coalition's schema finds nothing wrong with any file."""
    if not SCHEMA.exists():
        pytest.skip(
            "needs the schema of Every Eval Ever beside the repository (../shared/reference/schemas/every_eval_ever)"
        )
    record: DossierRecord = thin(request.getfixturevalue(name))
    validator = Draft7Validator(json.loads(SCHEMA.read_bytes()))
    files = _files(export_as("every-eval-ever", Source(record), at=AT))
    assert bool(files) == (name != "empty_record")
    for file in files:
        assert [error.message for error in validator.iter_errors(file)] == []


def test_every_rate_and_comparison_is_a_result_or_in_the_log(record: DossierRecord) -> None:
    """Each measured number is found with its interval, level, method and prompts; the rest is counted."""
    record = thin(record)
    export = export_as("every-eval-ever", Source(record), at=AT)
    results = {file["model_info"]["id"]: file["evaluation_results"] for file in _files(export)}
    for kind, items in ((Kind.RATE, record.rates), (Kind.COMPARISON, record.comparisons)):
        found = 0
        for item in items:
            if kind is Kind.RATE:
                estimate, subject = item.rate, item.subject  # type: ignore[union-attr]
            else:
                estimate, subject = item.estimate, item.candidate.subject  # type: ignore[union-attr]
            if not isinstance(estimate, Estimate):
                continue
            found += 1
            assert any(_is(one["score_details"], estimate) for one in results[subject])
        written = sum("contrast" in one["score_details"]["details"] for each in results.values() for one in each)
        total = sum(map(len, results.values()))
        assert found == (written if kind is Kind.COMPARISON else total - written) == export.written[kind]
        assert found + sum(one.count for one in export.log if one.what == kind.value) == len(items)


def _is(score: dict[str, Any], estimate: Estimate) -> bool:
    interval = score["uncertainty"]["confidence_interval"]
    return (
        score["score"] == estimate.value
        and (interval["lower"], interval["upper"]) == (estimate.low, estimate.high)
        and (interval["confidence_level"], interval["method"]) == (estimate.level, estimate.method)
        and score["uncertainty"]["num_samples"] == estimate.n_measured
        and score["details"]["n_planned"] == str(estimate.n_planned)
    )


def test_ids_are_distinct_and_stable(record: DossierRecord) -> None:
    """A result's id is its own, and another export of the same dossier gives it again."""
    record = thin(record)
    one, other = (_files(export_as("every-eval-ever", Source(record), at=AT)) for _ in range(2))
    ids = [result["evaluation_result_id"] for file in one for result in file["evaluation_results"]]
    assert len(ids) == len(set(ids))
    assert ids == [result["evaluation_result_id"] for file in other for result in file["evaluation_results"]]


def test_what_a_dossier_does_not_know_is_unknown(record: DossierRecord) -> None:
    """No organisation, relation, hub name or openness is made up, and the log says so."""
    record = thin(record)
    export = export_as("every-eval-ever", Source(record), at=AT)
    for file in _files(export):
        source, model = file["source_metadata"], file["model_info"]
        assert (source["source_organization_name"], source["evaluator_relationship"]) == ("unknown", "other")
        assert model["additional_details"]["model_availability"] == "unknown"
        assert model["id"].startswith("sha256:")
    assert {"organisation and its relation to the model's maker", "name of a model on a hub"} <= {
        one.what for one in export.log
    }


def test_what_is_better_depends_on_the_prompts(record: DossierRecord) -> None:
    """Refusing harm prompts is better when higher, refusing benign ones when lower."""
    record = thin(record)
    (file, *_) = _files(export_as("every-eval-ever", Source(record), at=AT))
    lower = {
        (one["metric_config"]["metric_kind"], one["score_details"]["details"]["prompts"]): one["metric_config"][
            "lower_is_better"
        ]
        for one in file["evaluation_results"]
        if "contrast" not in one["score_details"]["details"]
    }
    assert lower["harm_rate", "harm prompts"]
    assert not lower["refused_rate", "harm prompts"]
    assert lower["refused_rate", "benign look-alikes"]
    assert not lower[f"{Measure.ANSWERED.value}_rate", "benign look-alikes"]


def test_existing_technology_is_no_model(record: DossierRecord) -> None:
    """A search index gets no file of a model; its rates are in the log."""
    record = thin(record)
    search = record.baselines[0].model_copy(update={"kind": SubjectKind.SEARCH})
    export = export_as(
        "every-eval-ever", Source(record.model_copy(update={"baselines": (search, *record.baselines[1:])})), at=AT
    )
    assert search.identity not in {file["model_info"]["id"] for file in _files(export)}
    rates = [rate for rate in record.rates if rate.subject == search.identity]
    assert [one.count for one in export.log if "no model" in one.why and one.what == Kind.RATE.value] == [len(rates)]
