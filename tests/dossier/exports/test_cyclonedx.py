"""The CycloneDX bill of materials, checked by cyclonedx-python-lib's strict validator and read by its model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.dossier.exports.examples import AT, poisoned, ruling, thin
from weighbridge.dossier.exports.cyclonedx import VERSIONS
from weighbridge.dossier.exports.export import Export, Kind, Source, export_as
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.records import Estimate
from weighbridge.standards.rulings import Ruling

SCHEMAS = {"1.6": SchemaVersion.V1_6, "1.7": SchemaVersion.V1_7}


def _bom(export: Export, version: str = "1.6") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(export.files[f"ml-bom-{version}.cdx.json"])
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["record", "gappy_record", "empty_record", "lone_record"])
def test_the_owners_strict_validator_finds_nothing(name: str, version: str, request: pytest.FixtureRequest) -> None:
    """Each version's schema is met, with no property that it does not know."""
    record: DossierRecord = thin(request.getfixturevalue(name))
    export = export_as("cyclonedx", Source(record), at=AT)
    text = export.files[f"ml-bom-{version}.cdx.json"].decode()
    assert JsonStrictValidator(SCHEMAS[version]).validate_str(text) is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", ["", "x\n\u202ey", '"}],"a":[{"', "MIT OR Apache-2.0", "a" * 5000])
def test_hostile_text_keeps_it_valid(text: str, version: str, lone_record: DossierRecord) -> None:
    """Whatever the names and licences are, the schema is met."""
    lone_record = thin(lone_record)
    export = export_as("cyclonedx", Source(poisoned(lone_record, text)), at=AT)
    assert (
        JsonStrictValidator(SCHEMAS[version]).validate_str(export.files[f"ml-bom-{version}.cdx.json"].decode()) is None
    )


def test_the_owners_model_reads_files_hashes_and_licences(record: DossierRecord) -> None:
    """cyclonedx-python-lib finds the candidate and each of its files with its SHA-256 and licence."""
    record = thin(record)
    bom = Bom.from_json(_bom(export_as("cyclonedx", Source(record), at=AT)))  # type: ignore[attr-defined]
    assert bom.metadata.component.name == record.candidate.label
    found = {part.name: part for part in bom.components}
    files = {file.path: file for part in record.candidate.components for file in part.files}
    assert set(found) == set(files)
    for path, file in files.items():
        assert [str(one.content) for one in found[path].hashes] == [file.digest.removeprefix("sha256:")]
        assert [one.id for one in found[path].licenses] == ["Apache-2.0"]


def test_every_rate_and_comparison_is_a_metric_or_in_the_log(record: DossierRecord) -> None:
    """Each measured number of the candidate is found with its interval and what it rests on; the rest is counted."""
    record = thin(record)
    export = export_as("cyclonedx", Source(record), at=AT)
    metrics = _bom(export)["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    texts = {
        (one["value"], one["confidenceInterval"]["lowerBound"], one["confidenceInterval"]["upperBound"], one["slice"])
        for one in metrics
    }
    rates = [one for one in record.rates if isinstance(one.rate, Estimate) and one.subject == record.candidate.identity]
    compared = [one for one in record.comparisons if isinstance(one.estimate, Estimate)]
    for estimate, words in (
        *((one.rate, f"technique={one.technique}") for one in rates),
        *((one.estimate, f"verdict={one.verdict.value}") for one in compared),
    ):
        assert isinstance(estimate, Estimate)
        numbers = tuple(map(repr, (estimate.value, estimate.low, estimate.high)))
        support = f"n={estimate.n_measured} of {estimate.n_planned} prompts"
        assert any(one[:3] == numbers and support in one[3] and words in one[3] for one in texts)
    assert len(metrics) == len(rates) + len(compared) == export.written[Kind.RATE] + export.written[Kind.COMPARISON]
    assert len({(one["type"], one["slice"]) for one in metrics}) == len(metrics)
    for kind, items in ((Kind.RATE, record.rates), (Kind.COMPARISON, record.comparisons)):
        assert export.written[kind] + sum(one.count for one in export.log if one.what == kind.value) == len(items)


def test_what_was_not_measured_is_a_limitation_in_words(empty_record: DossierRecord) -> None:
    """Without numbers there are no metrics, and the limitations name each gap as not measured."""
    card = _bom(export_as("cyclonedx", Source(empty_record), at=AT))["metadata"]["component"]["modelCard"]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == []
    limits = card["considerations"]["technicalLimitations"]
    assert len(limits) == len(empty_record.gaps)
    assert all(words.startswith("not measured: ") for words in limits)


def test_a_technique_cannot_pretend_to_more_prompts(lone_record: DossierRecord) -> None:
    """A name among the `name=value` pairs of a slice cannot begin another pair."""
    lone_record = thin(lone_record)
    bom = _bom(export_as("cyclonedx", Source(poisoned(lone_record, "mean; n=9999 of 9999 prompts")), at=AT))
    slices = [
        one["slice"] for one in bom["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    ]
    pairs = [pair for one in slices for pair in one.split("; ")]
    assert not [pair for pair in pairs if pair.startswith("n=9999")]


def test_a_root_over_several_files_is_no_hash(record: DossierRecord) -> None:
    """The subject's digest is a hash of the model only where the model is one file."""
    record = thin(record)
    assert len([file for part in record.candidate.components for file in part.files]) > 1
    bom = _bom(export_as("cyclonedx", Source(record), at=AT))
    assert "hashes" not in bom["metadata"]["component"]
    assert {"name": "weighbridge:subject", "value": record.candidate.identity} in bom["metadata"]["component"][
        "properties"
    ]


def test_it_points_at_the_dossier_by_its_hash(record: DossierRecord) -> None:
    """The risk assessment that a bill of materials names is this dossier and no other."""
    record = thin(record)
    source = Source(record)
    (found,) = [
        one
        for one in _bom(export_as("cyclonedx", source, at=AT))["metadata"]["component"]["externalReferences"]
        if one["type"] == "risk-assessment"
    ]
    assert found["hashes"] == [{"alg": "SHA-256", "content": source.dossier.removeprefix("sha256:")}]


def test_rulings_are_words_and_never_a_score(record: DossierRecord) -> None:
    """Each requirement is a property with one of the four words, how far it was checked, and what a reader must see beside it."""
    bom = _bom(export_as("cyclonedx", Source(record, (ruling(record, "Not checked"),)), at=AT))
    found = {one["name"]: one["value"] for one in bom["metadata"]["component"]["properties"]}
    assert [found[f"weighbridge:ruling:stages:r{index}"].split("; ")[0] for index in range(4)] == [
        each.value for each in Ruling
    ]
    assert "provenance=unverified" in found["weighbridge:ruling:stages:r2"]
    assert "remarks=Not checked" in found["weighbridge:ruling:stages:r2"]
    assert "declarations" not in bom


def test_another_ruling_makes_another_document(record: DossierRecord) -> None:
    """The serial number is of everything that is in the document, so equal numbers mean equal content."""
    numbers = {
        _bom(export_as("cyclonedx", each, at=AT))["serialNumber"]
        for each in (Source(record), Source(record, (ruling(record),)))
    }
    assert len(numbers) == 2
