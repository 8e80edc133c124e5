"""SPDX export: what the owner's bindings decode, links whole, nothing invented, nothing lost in silence."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dossier.exports.built import HOSTILE, hostile, inspection_of, is_inert, requirement, ruling, rulings
from tests.fakes.dossier_record import GUARDED, MADE_AT, dossier_record
from weighbridge.dossier.exports import spdx
from weighbridge.dossier.exports.export import Export, Kind, Source
from weighbridge.dossier.exports.facts import measure_words
from weighbridge.dossier.exports.words import cell_of
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.records import Estimate
from weighbridge.standards.rulings import Ruling, Strength
from weighbridge.subject.model import Component, FoundFile, Subject, SubjectKind

bindings = pytest.importorskip("spdx_python_model")
Document = dict[str, Any]


def exported(source: Source) -> tuple[Export, Document]:
    """The export and its document, read back."""
    made = spdx.export(source, at=MADE_AT)
    assert list(made.files) == [spdx.FILE]
    return made, json.loads(made.files[spdx.FILE])


def assert_valid(document: Document) -> None:
    """Decode by the owner's bindings (they refuse unknown classes, properties, values and counts), link, and write again."""
    model, objects = bindings.load_data(document)
    assert not objects.link(), "an element is referred to and not there"
    again = model.JSONLDSerializer().serialize_data(objects)
    blank = next(each["@id"] for each in again["@graph"] if each["type"] == "CreationInfo")
    assert _bag(again, blank) == _bag(document, "_:creation"), "what was written is not what was read"


def _bag(document: Document, blank: str) -> Counter[str]:
    return Counter(json.dumps(each, sort_keys=True).replace(blank, "_:0") for each in document["@graph"])


def of_type(document: Document, kind: str) -> list[Document]:
    """The elements of a class."""
    return [element for element in document["@graph"] if element["type"] == kind]


def package(document: Document) -> Document:
    """The only AI package."""
    (found,) = of_type(document, "ai_AIPackage")
    return found


def licences(document: Document, kind: str, element: str) -> list[str]:
    """What an element's licence relationship of a kind leads to."""
    texts = {
        each["spdxId"]: each["simplelicensing_licenseExpression"]
        for each in of_type(document, "simplelicensing_LicenseExpression")
    }
    found = [
        each
        for each in of_type(document, "Relationship")
        if each["relationshipType"] == kind and each["from"] == element
    ]
    assert len(found) == 1, "the profile asks for exactly one"
    return [texts.get(licence, licence) for licence in found[0]["to"]]


def test_owners_bindings_decode_it(
    record: DossierRecord, gappy_record: DossierRecord, empty_record: DossierRecord
) -> None:
    """Whatever was measured, the document decodes, links and writes again as the same."""
    for each in (record, gappy_record, empty_record):
        assert_valid(exported(Source(each))[1])


def test_bindings_would_refuse_a_wrong_one(lone_record: DossierRecord) -> None:
    """The check can fail: a field that SPDX does not have is refused."""
    document = exported(Source(lone_record))[1]
    package(document)["ai_harmRate"] = "0"
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        assert_valid(document)


def test_every_rate_and_comparison_is_there_or_counted(record: DossierRecord, gappy_record: DossierRecord) -> None:
    """Each rate of the candidate and each comparison is a metric with its number or its reason; the others are counted."""
    for each in (record, gappy_record):
        made, document = exported(Source(each))
        metrics = {entry["key"]: entry["value"] for entry in package(document)["ai_metric"]}
        assert (
            len(metrics)
            == len(package(document)["ai_metric"])
            == made.written[Kind.RATE] + made.written[Kind.COMPARISON]
        )
        left_out = 0
        for rate in each.rates:
            if rate.subject != each.candidate.identity:
                left_out += 1
                continue
            words = metrics[f"{measure_words(rate.measure)}; {cell_of(rate)}"]
            if isinstance(rate.rate, Estimate):
                assert f"value={rate.rate.value!r}; low={rate.rate.low!r}; high={rate.rate.high!r}" in words
                assert f"n_measured={rate.rate.n_measured}" in words
            else:
                assert words.startswith(f"not_measured={rate.rate.reason.value}")
                assert "value=" not in words
        assert left_out == sum(dropped.count for dropped in made.log if dropped.what == Kind.RATE.value)
        assert made.written[Kind.COMPARISON] == len(each.comparisons)
        verdicts = Counter(one.verdict.value for one in each.comparisons)
        assert verdicts == Counter(
            value.split("verdict=")[1].split(";")[0] for value in metrics.values() if "verdict=" in value
        )


def test_nothing_measured_gives_no_number(empty_record: DossierRecord) -> None:
    """A dossier without measurements has no value in any metric."""
    assert not any("value=" in entry["value"] for entry in package(exported(Source(empty_record))[1])["ai_metric"])


def test_unknown_fields_are_left_out_and_logged(record: DossierRecord) -> None:
    """Supplier, release time, place and version are not in the dossier: they are not in the document, and the log says so."""
    made, document = exported(Source(record))
    for field in (
        "suppliedBy",
        "releaseTime",
        "software_downloadLocation",
        "software_packageVersion",
        "ai_safetyRiskAssessment",
    ):
        assert field not in package(document)
        assert any(field in dropped.what for dropped in made.log), field
    (collection,) = of_type(document, "SpdxDocument")
    assert "ai" not in collection["profileConformance"]


def test_files_carry_their_hashes(record: DossierRecord) -> None:
    """Each file of the candidate is an element with the hash that the dossier has of it, and the package contains it."""
    document = exported(Source(record))[1]
    files = {each["name"]: each["verifiedUsing"][0]["hashValue"] for each in of_type(document, "software_File")}
    assert files == {
        file.path: file.digest.removeprefix("sha256:") for part in GUARDED.components for file in part.files
    }


def test_licences_are_declared_and_never_concluded(record: DossierRecord) -> None:
    """A declared licence is what was found, by its SPDX id where it has one; a concluded one is NOASSERTION."""
    document = exported(Source(record))[1]
    element = package(document)["spdxId"]
    assert licences(document, "hasDeclaredLicense", element) == ["Apache-2.0"]
    assert licences(document, "hasConcludedLicense", element) == [spdx.NO_ASSERTION]


@pytest.mark.parametrize(
    ("found", "declared"),
    [
        ((None, None), spdx.NO_ASSERTION),
        (("gemma", "gemma"), "LicenseRef-gemma"),
        (("apache-2.0", "mit OR Apache-2.0"), "Apache-2.0 AND (MIT OR Apache-2.0)"),
        (("apache-2.0", None), "Apache-2.0"),
        ((" ", "\n"), spdx.NO_ASSERTION),
    ],
)
def test_declared_licence_of_the_package(found: tuple[str | None, str | None], declared: str) -> None:
    """The package declares what its components declare; with none found nothing is asserted, with some missing it says which."""
    parts = tuple(
        Component(
            name=f"part {number}",
            files=(FoundFile(path=f"{number}", size_bytes=1, digest="sha256:" + "0" * 64),),
            licence=licence,
        )
        for number, licence in enumerate(found)
    )
    candidate = GUARDED.model_copy(update={"components": parts})
    document = exported(Source(dossier_record(per_cell=1, baselines=(), candidate=candidate)))[1]
    assert_valid(document)
    element = package(document)["spdxId"]
    assert licences(document, "hasDeclaredLicense", element) == [declared]
    if found == ("apache-2.0", None):
        (relation,) = [
            r
            for r in of_type(document, "Relationship")
            if r["relationshipType"] == "hasDeclaredLicense" and r["from"] == element
        ]
        assert relation["completeness"] == "incomplete" and "part 1" in relation["comment"]


def test_endpoint_has_no_digest_and_says_so() -> None:
    """An endpoint is a package without files whose identifier says that it has no digest."""
    endpoint = Subject(kind=SubjectKind.ENDPOINT, reference="http://e/v1#m", label="m", digest=None)
    document = exported(Source(dossier_record(per_cell=1, baselines=(), candidate=endpoint)))[1]
    assert_valid(document)
    assert not of_type(document, "software_File")
    assert "no digest" in package(document)["externalIdentifier"][0]["comment"]


def test_data_set_only_where_there_is_one(record: DossierRecord) -> None:
    """A data set that was found among the files is a DatasetPackage; without one there is none. An unread file has no hash."""
    assert not of_type(exported(Source(record))[1], "dataset_DatasetPackage")
    made, document = exported(Source(record, inspection=inspection_of(record)))
    assert_valid(document)
    (dataset,) = of_type(document, "dataset_DatasetPackage")
    assert licences(document, "hasDeclaredLicense", dataset["spdxId"]) == ["CC-BY-4.0"]
    (unread,) = [each for each in of_type(document, "software_File") if each["name"] == "unread.bin"]
    assert "verifiedUsing" not in unread
    assert any(dropped.what == "hash of a file" for dropped in made.log)


@pytest.mark.parametrize("other", [Ruling.NOT_MET, Ruling.NOT_SHOWN])
def test_only_a_standard_that_is_met_is_complied_with(record: DossierRecord, other: Ruling) -> None:
    """`ai_standardCompliance` names standards that are met; any other ruling is an annotation in its own words."""
    plain = Source(record)
    met = ruling(
        plain.dossier, [requirement("a", Ruling.MET), requirement("b", Ruling.NOT_APPLICABLE)], standard="good"
    )
    lacks = ruling(plain.dossier, [requirement("a", Ruling.MET), requirement("b", other)], standard="bad")
    made, document = exported(Source(record, (met, lacks)))
    assert_valid(document)
    (compliance,) = package(document)["ai_standardCompliance"]
    assert "met on 2026-11-23" in compliance and "2 of 2 requirements were not checked" in compliance
    assert made.written[Kind.RULING] == 4
    assert any(
        f"b (required, section 1, provenance secondary): {other.value}" in each["statement"]
        for each in of_type(document, "Annotation")
    )
    assert "ai_standardCompliance" not in package(exported(Source(record, (lacks,)))[1])


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_ruling_is_valid_and_only_met_ones_are_compliance(data: st.DataObject) -> None:
    """Whatever rulings say, the document is valid, texts are inert, and compliance stands on requirements that are met."""
    plain = Source(_SMALL)
    given_ = data.draw(st.lists(rulings(plain.dossier), max_size=2))
    document = exported(Source(_SMALL, tuple(given_)))[1]
    assert_valid(document)
    claimed = package(document).get("ai_standardCompliance", [])
    met = [
        one
        for one in given_
        if one.ruling is Ruling.MET
        and not any(
            r.ruling in (Ruling.NOT_MET, Ruling.NOT_SHOWN) for r in one.requirements if r.strength is Strength.REQUIRED
        )
    ]
    assert len(claimed) == len(met)
    assert is_inert(json.dumps(document, ensure_ascii=False))


_SMALL = dossier_record(per_cell=1, baselines=()).model_copy(update={"rates": (), "comparisons": ()})


def test_hostile_names_stay_inert(record: DossierRecord) -> None:
    """Names that others chose cannot hide, reorder or end anything, and their licences become plain LicenseRefs."""
    document = exported(Source(hostile(record)))[1]
    assert_valid(document)
    assert is_inert(json.dumps(document, ensure_ascii=False))
    assert HOSTILE not in json.dumps(document)
    for each in of_type(document, "simplelicensing_LicenseExpression"):
        assert each["simplelicensing_licenseExpression"].replace("-", "").replace(".", "").isalnum()


def test_same_dossier_same_bytes(record: DossierRecord) -> None:
    """The document is a function of its source and time; another ruling gives other ids."""
    source = Source(record)
    assert spdx.export(source, at=MADE_AT).files == spdx.export(source, at=MADE_AT).files
    more = Source(record, (ruling(source.dossier, [requirement("a", Ruling.MET)]),))
    assert package(exported(source)[1])["spdxId"] != package(exported(more)[1])["spdxId"]
