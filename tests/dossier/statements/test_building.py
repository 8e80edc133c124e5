"""What statements say, held against the owners' libraries and our own schema."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement as InTotoStatement
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.signer import SSlibKey

from tests.dossier.statements import made
from weighbridge.digests import digest_bytes
from weighbridge.dossier.inspection import InspectionRecord
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.statements import envelope
from weighbridge.dossier.statements.building import Grounds, build, stated_subject
from weighbridge.dossier.statements.folder import write_statements
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.dossier.statements.predicate import SCHEMA_FILE, schema_text
from weighbridge.dossier.statements.signing import read_terms, sign_dossier
from weighbridge.dossier.statements.verification import WEIGHING
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence.records import NotMeasured
from weighbridge.protocol.vocabulary import Contrast, Verdict
from weighbridge.standards.rulings import Ruling
from weighbridge.subject.model import Component, FoundFile, Subject, SubjectKind
from weighbridge.subject.roots import root_of

DOSSIER = digest_bytes(b"dossier")


def said(record: DossierRecord, **more: Any) -> dict[str, Any]:
    """The statements of a record by kind, as read from their bytes."""
    grounds = Grounds(record, {"dossier.json": DOSSIER}, **more)
    statements = build(grounds, made_by="weighbridge 0.1.0", now=made.NOW, valid_for=made.TERM)
    return {each.kind: json.loads(each.payload) for each in statements}


def decided(record: DossierRecord, verdict: Verdict | None, *, categories: Verdict | None = None) -> DossierRecord:
    """The record with another headline, and every comparison with the verdict `categories` if given."""
    headline = record.headline.model_copy(update={"verdict": verdict})
    comparisons = record.comparisons
    if categories is not None:
        comparisons = tuple(each.model_copy(update={"verdict": categories}) for each in comparisons)
    return record.model_copy(update={"headline": headline, "comparisons": comparisons})


def test_statements_are_in_toto_statements(dossier: Path) -> None:
    """Each statement passes the validation of in-toto's own library, and is about the root digest alone."""
    paths = made.sign(dossier, made.ed25519_key())
    assert [path.name.split("-", 1)[1].rsplit("-", 1)[0] for path in paths][-1] == "weighing"
    root = root_of({"model.gguf": made.candidate().digest or ""})
    for path in paths:
        payload = envelope.read_envelope(path.read_bytes()).payload
        parsed = json_format.Parse(payload, statement_pb2.Statement())
        InTotoStatement.copy_from_pb(parsed).validate()
        assert [dict(each.digest) for each in parsed.subject] == [{"sha256": root.removeprefix("sha256:")}]


@pytest.mark.parametrize("key", [made.ed25519_key(), made.p256_key()], ids=["ed25519", "p256"])
def test_envelopes_verify_with_another_implementation(dossier: Path, key: PrivateKey) -> None:
    """securesystemslib verifies our envelopes with the same key."""
    other = SSlibKey.from_crypto(key.public.key)
    for path in made.sign(dossier, key):
        held = json.loads(path.read_bytes())
        held["signatures"][0]["keyid"] = other.keyid  # it looks keys up by its own names
        assert other.keyid in OtherEnvelope.from_dict(held).verify([other], 1)


def test_the_schema_is_that_of_the_code() -> None:
    """The published schema is the one that the code writes; `python -m weighbridge.dossier.statements.predicate` writes it anew."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()


def test_the_predicate_fits_its_schema(written: Path, tmp_path: Path, weighed: DossierRecord) -> None:
    """What is signed validates against the published schema, with rulings and with nothing measured."""
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    full = said(weighed, rulings=(made.ruling(DOSSIER),))["weighing"]
    jsonschema.validate(full["predicate"], schema)
    assert set(full["predicate"]) == set(schema["required"])


def test_what_was_not_measured_is_said(weighed: DossierRecord) -> None:
    """Without inspection and rulings the predicate says so, entry by entry, and holds no null for a number."""
    predicate = said(decided(weighed, None))["weighing"]["predicate"]
    assert predicate["inspection"]["kind"] == "not measured"
    assert predicate["headline"]["verdict"]["kind"] == "not measured"
    wheres = {gap["where"] for gap in predicate["not_measured"]}
    assert {"inspection", "rulings"} <= wheres and len(predicate["not_measured"]) == len(weighed.gaps) + 2
    for part in ("comparisons", "rates"):
        assert predicate[part] and "null" not in json.dumps(predicate[part])


def test_rates_that_were_not_measured_stay_so(weighed: DossierRecord) -> None:
    """A rate that was not measured is stated as that, with its reason."""
    lost = NotMeasured(reason="budget spent")  # type: ignore[arg-type]
    rates = tuple(each.model_copy(update={"rate": lost}) for each in weighed.rates)
    predicate = said(weighed.model_copy(update={"rates": rates}))["weighing"]["predicate"]
    assert {each["rate"]["reason"] for each in predicate["rates"]} == {"budget spent"}


@pytest.mark.parametrize(
    ("verdict", "categories", "result"),
    [
        (Verdict.NO_MATERIAL_INCREASE, Verdict.NO_MATERIAL_INCREASE, "PASSED"),
        (Verdict.NO_MATERIAL_INCREASE, Verdict.UNDECIDED, "PASSED"),
        (Verdict.NO_MATERIAL_INCREASE, Verdict.MATERIAL_INCREASE, "FAILED"),
        (Verdict.UNDECIDED, Verdict.NO_MATERIAL_INCREASE, "WARNED"),
        (Verdict.UNDECIDED, Verdict.MATERIAL_INCREASE, "FAILED"),
        (Verdict.MATERIAL_INCREASE, Verdict.NO_MATERIAL_INCREASE, "FAILED"),
    ],
)
def test_the_test_result_follows_the_verdict(
    weighed: DossierRecord, verdict: Verdict, categories: Verdict, result: str
) -> None:
    """A material increase anywhere fails, undecided never passes, and undecided categories are warned of by name."""
    predicate = said(decided(weighed, verdict, categories=categories))["test-result"]["predicate"]
    assert predicate["result"] == result
    lists = {
        Verdict.NO_MATERIAL_INCREASE: "passedTests",
        Verdict.UNDECIDED: "warnedTests",
        Verdict.MATERIAL_INCREASE: "failedTests",
    }
    assert predicate[lists[categories]] and not any(predicate[lists[each]] for each in Verdict if each != categories)
    own = {key: value for key, value in predicate.items() if key != WEIGHING}
    json_format.ParseDict(own, test_result_pb2.TestResult())


def test_no_test_result_of_a_test_that_was_not_run(weighed: DossierRecord) -> None:
    """Where the deciding comparison could not be made there is no test result at all."""
    assert "test-result" not in said(decided(weighed, None))


def test_only_what_is_met_is_a_property(weighed: DossierRecord) -> None:
    """A verification result lists met standards and levels, and a verdict of no material increase; nothing else is a property."""
    record = decided(weighed, Verdict.NO_MATERIAL_INCREASE)
    contrast = record.headline.contrast.value.upper()
    increase = f"WEIGHBRIDGE_NO_MATERIAL_INCREASE_{contrast}"
    met = said(record, rulings=(made.ruling(DOSSIER),))["svr"]["predicate"]
    assert met["properties"] == [
        "WEIGHBRIDGE_TEST_STANDARD",
        "WEIGHBRIDGE_TEST_STANDARD_LEVEL_CLASS_III",
        increase,
    ]
    assert met["verifier"]["id"] and met["verifier"]["policies"][0]["annotations"] == {"context": {"release": "open"}}
    for other in (Ruling.NOT_MET, Ruling.NOT_SHOWN, Ruling.NOT_APPLICABLE):
        assert said(record, rulings=(made.ruling(DOSSIER, other),))["svr"]["predicate"]["properties"] == [increase]


@pytest.mark.parametrize("verdict", [None, Verdict.UNDECIDED, Verdict.MATERIAL_INCREASE])
def test_no_verification_result_of_nothing(weighed: DossierRecord, verdict: Verdict | None) -> None:
    """Where nothing is met there is no verification result: absence must deny."""
    assert "svr" not in said(decided(weighed, verdict), rulings=(made.ruling(DOSSIER, Ruling.NOT_SHOWN),))


def test_a_standard_met_for_one_deployer_only_is_no_property(weighed: DossierRecord) -> None:
    """A property cannot say for whom: a standard that is met in one context and not in another is none."""
    rulings = (made.ruling(DOSSIER), made.ruling(DOSSIER, Ruling.NOT_MET, context={"sector": "gov"}))
    assert "svr" not in said(decided(weighed, None), rulings=rulings)


@pytest.mark.parametrize("changes", [{"in_force": False}, {"superseded_by": "newer"}])
def test_a_standard_that_is_no_longer_in_force_is_no_property(weighed: DossierRecord, changes: dict[str, Any]) -> None:
    """A standard of the past, met, is stated in our predicate and is no property."""
    found = said(decided(weighed, None), rulings=(made.ruling(DOSSIER, **changes),))
    assert "svr" not in found and found["weighing"]["predicate"]["rulings"]


def test_findings_become_vulnerabilities_and_what_was_not_examined_is_one_too(weighed: DossierRecord) -> None:
    """Findings from low up are listed, information is not, and a file that was not examined never reads as "nothing found"."""
    identity = weighed.candidate.identity
    unread = ({"path": "model.bin", "reason": "encrypted"},)
    for not_examined, expected in (((), ["pickle.call"]), (unread, ["pickle.call", "weighbridge.not-examined"])):
        report = json.loads(made.inspection(identity, not_examined=not_examined))["subjects"][0]["report"]
        found = said(weighed, inspection=InspectionRecord.model_validate_json(json.dumps(report)))["vulns"]["predicate"]
        assert [each["id"] for each in found["scanner"]["result"]] == expected
        assert all(each["severity"] for each in found["scanner"]["result"])
        assert "db" not in found["scanner"]  # the rules are part of the program; no date of theirs is made up
    assert "vulns" not in said(weighed)


def test_an_endpoint_has_no_statement(weighed: DossierRecord) -> None:
    """A model behind an address has no digest; the error says what to weigh instead."""
    endpoint = Subject(kind=SubjectKind.ENDPOINT, reference="http://127.0.0.1/v1#m", label="m", digest=None)
    with pytest.raises(UsageError, match="weigh the model's files"):
        said(weighed.model_copy(update={"candidate": endpoint}))


def test_a_subject_whose_files_are_not_those_of_its_digest(weighed: DossierRecord) -> None:
    """Components that do not add up to the subject's digest are an error, not a statement about something else."""
    with pytest.raises(EvidenceError, match="weigh it again"):
        stated_subject(made.candidate(digest="sha256:" + "0" * 64))


def test_a_subject_of_several_files_is_stated_by_its_root() -> None:
    """Several files, over several components, give the root digest in order of path."""
    digests = {"model/a.gguf": digest_bytes(b"a"), "adapter/b.gguf": digest_bytes(b"b")}
    parts = tuple(
        Component(name=path, files=(FoundFile(path=path, size_bytes=1, digest=digest),))
        for path, digest in digests.items()
    )
    subject = stated_subject(made.candidate(digest=root_of(digests), components=parts))
    assert subject.root == subject.identity == root_of(digests)
    assert [file.path for file in subject.files] == sorted(digests)


def test_rulings_of_another_dossier_are_refused(weighed: DossierRecord) -> None:
    """Terms that were ruled on another dossier are never signed with this one."""
    with pytest.raises(EvidenceError, match="rule on this dossier again"):
        said(weighed, rulings=(made.ruling("sha256:" + "0" * 64),))


def test_terms_as_a_list_and_as_check_prints_them(written: Path, tmp_path: Path) -> None:
    """terms.json is a list of rulings, or what `check --json` prints; anything else is an error that says where."""
    data = (written / "terms.json").read_bytes()
    printed = tmp_path / "terms.json"
    printed.write_text(json.dumps({"schema": "weighbridge.check/1", "rulings": json.loads(data)}))
    assert read_terms(printed) == read_terms(written / "terms.json") != ()
    assert read_terms(tmp_path / "none.json") is None
    for other in (b"{}", b"[1]", b"not", b"null", b'[{"standard": 1}]', b"[" * 100_000):
        printed.write_bytes(other)
        with pytest.raises(EvidenceError, match=r"terms\.json"):
            read_terms(printed)


@pytest.mark.parametrize("days", [0, -1, 3661])
def test_a_term_that_is_none(weighed: DossierRecord, days: int) -> None:
    """A statement holds for one day to ten years."""
    with pytest.raises(UsageError, match="valid-for"):
        build(Grounds(weighed, {"dossier.json": DOSSIER}), made_by="x 1", now=made.NOW, valid_for=timedelta(days=days))


def test_statements_are_the_same_every_time(weighed: DossierRecord) -> None:
    """The same dossier at the same time gives the same bytes."""
    grounds = Grounds(weighed, {"dossier.json": DOSSIER})
    first, second = (build(grounds, made_by="x 1", now=made.NOW, valid_for=made.TERM) for _ in range(2))
    assert first == second and weighed.headline.contrast in Contrast


def test_evidence_that_is_not_the_dossiers_is_not_signed(dossier: Path) -> None:
    """Evidence changed before signing is refused, and nothing is written."""
    (dossier / "evidence.jsonl").write_bytes(b"other")
    with pytest.raises(EvidenceError, match="evidence"):
        made.sign(dossier, made.ed25519_key())
    assert not (dossier / "statements").exists()


def test_all_statements_are_signed_or_none(dossier: Path) -> None:
    """When the second cannot be signed, the first is not written either, and earlier ones stay."""
    key = made.ed25519_key()
    made.sign(dossier, key)
    before = sorted((dossier / "statements").iterdir())
    signed: list[bytes] = []

    def seal(payload: bytes) -> bytes:
        if signed:
            raise UsageError("the second cannot be signed")
        signed.append(payload)
        return envelope.sign(payload, [key])

    with pytest.raises(UsageError):
        sign_dossier(dossier, seal, suffix=".dsse.json", made_by="x 1", now=made.NOW, valid_for=made.TERM)
    assert sorted((dossier / "statements").iterdir()) == before


def test_all_statements_are_written_or_none(tmp_path: Path) -> None:
    """When one file's place is taken, none is written, nothing is replaced and nothing is left over."""
    folder = tmp_path / "statements"
    folder.mkdir()
    (folder / "b.json").write_bytes(b"there before")
    with pytest.raises(UsageError, match="nothing was written"):
        write_statements(tmp_path, {"a.json": b"a", "b.json": b"b"})
    assert [(each.name, each.read_bytes()) for each in folder.iterdir()] == [("b.json", b"there before")]
