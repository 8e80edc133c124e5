from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.dossier_record import dossier_record
from weighbridge.digests import digest_bytes, digest_file
from weighbridge.dossier.gathering import RECOURSE_FILE, check_beside, gather
from weighbridge.dossier.record import DossierRecord, FilesRead
from weighbridge.dossier.write import write_components, write_dossier
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence.attestations import AttestationsError
from weighbridge.evidence.importers.kept import import_into
from weighbridge.evidence.openness import OpennessError
from weighbridge.standards.cel.values import Between
from weighbridge.standards.facts import Facts, Said
from weighbridge.standards.names import named
from weighbridge.subject.components import find_components

NOW = datetime(2026, 11, 26, tzinfo=UTC)
IMPORTABLE = Path(__file__).parents[1] / "evidence" / "importers" / "data"
CARD = "# A card\n" + "It answers short questions in English and was trained on texts that anybody may read. " * 12


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text(f"---\nlicense: apache-2.0\n---\n{CARD}", "utf-8")
    return folder


@pytest.fixture
def dossier(tmp_path: Path, record: DossierRecord, model: Path) -> Path:
    folder = tmp_path / "dossier"
    files = {path.name: path for path in model.iterdir()}
    components = write_components(folder, find_components(files, subject=record.candidate.identity))
    write_dossier(folder, record.model_copy(update={"components": components}), "")
    return folder


def attest(folder: Path, text: str = "", **fields: str) -> Path:
    document = folder / "review.md"
    document.write_text("we looked", "utf-8")
    entry = {
        "document": "independent-review", "status": "done", "file": "review.md", "digest": digest_file(document), "who": "Ada",
        "role": "auditor", "at": '"2026-11-01"',
    } | fields  # fmt: skip
    lines = "\n    ".join(f"{name}: {value}" for name, value in entry.items())
    path = folder / "attestations.yaml"
    path.write_text(f"schema: weighbridge.attestations/1\n{text}attestations:\n  - {lines}\n", "utf-8")
    return document


def facts(dossier: Path, use: str | None = None) -> Facts:
    return gather(dossier, NOW, use=use).facts


def test_a_dossier_offers_what_was_weighed_and_what_was_found_of_its_components(dossier: Path) -> None:
    found = facts(dossier)
    assert found.known["rung", "api", "measured"].value is True
    assert found.known["component", "model_card", "released"].value is True
    assert found.known["component", "model_card", "licence"].value == "Apache-2.0"
    assert "not found" in found.absent["component", "training_code", "released"]


def test_every_name_that_is_gathered_is_one_that_conditions_know(dossier: Path) -> None:
    import_into(dossier, IMPORTABLE / "modelscan.json", now=NOW)
    found = facts(dossier)
    assert [path for path in (*found.known, *found.absent) if named(path) is None] == []


def test_a_dossier_json_alone_is_a_dossier(dossier: Path) -> None:
    assert gather(dossier / "dossier.json", NOW).digest == gather(dossier, NOW).digest


def test_components_that_are_not_those_that_the_dossier_names_are_an_error(dossier: Path) -> None:
    path = dossier / "components.json"
    path.write_text(path.read_text("utf-8").replace("Apache-2.0", "MIT"), "utf-8")
    with pytest.raises(EvidenceError, match="not the one that the dossier names"):
        gather(dossier, NOW)


def test_components_that_are_gone_leave_less_known_never_more(dossier: Path) -> None:
    before = facts(dossier)
    (dossier / "components.json").unlink()
    after = facts(dossier)
    assert set(after.known) < set(before.known)
    assert not [path for path in after.known if path[0] == "component"]


def test_what_the_provider_decided_is_evidence_where_the_files_say_nothing(
    dossier: Path, record: DossierRecord
) -> None:
    (dossier / "openness.yaml").write_text(
        f"""schema: weighbridge.openness/1
subject: "{record.candidate.identity}"
decided_by: {{organisation: Example Labs, role: release lead}}
date: "2026-11-20"
components:
  training_code:
    decision: withheld
    why: it holds another's code
    risk_weighed: {{text: none was found}}
""",
        "utf-8",
    )
    found = facts(dossier)
    assert found.known["component", "training_code", "released"].value is False
    assert found.known["component", "training_code", "reason_given"].value is True
    assert "Example Labs" in found.known["component", "training_code", "released"].source


def test_an_attestation_speaks_while_its_document_is_as_it_was_attested(dossier: Path) -> None:
    document = attest(dossier)
    (one,) = facts(dossier).attested
    assert (one.document, one.said, one.refused) == ("independent-review", Said.DONE, None)
    document.write_text("we looked away", "utf-8")
    assert "digest differs" in str(facts(dossier).attested[0].refused)
    document.unlink()
    assert "not here" in str(facts(dossier).attested[0].refused)


def test_attestations_of_another_subject_or_use_do_not_speak(dossier: Path) -> None:
    attest(dossier, 'subject: "sha256:of-another"\n')
    assert "another subject" in str(facts(dossier).attested[0].refused)
    attest(dossier, "use: benefits-eligibility\n")
    assert "no use is declared" in str(facts(dossier).attested[0].refused)
    assert facts(dossier, "benefits-eligibility").attested[0].refused is None


def test_attestations_of_a_use_are_found_where_accountability_began_them_and_never_in_two_places(dossier: Path) -> None:
    folder = dossier / "accountability" / "benefits-eligibility"
    folder.mkdir(parents=True)
    attest(folder)
    assert facts(dossier).attested == ()
    assert len(facts(dossier, "benefits-eligibility").attested) == 1
    attest(dossier)
    with pytest.raises(UsageError, match="keep one of them"):
        facts(dossier, "benefits-eligibility")


def test_a_broken_file_of_attestations_is_an_error_and_not_no_evidence(dossier: Path) -> None:
    attest(dossier, status="perhaps")
    with pytest.raises(AttestationsError):
        gather(dossier, NOW)


def test_imports_are_evidence_made_elsewhere_and_one_that_is_lost_takes_its_tool_away(dossier: Path) -> None:
    before = facts(dossier)
    import_into(dossier, IMPORTABLE / "modelscan.json", now=NOW)
    import_into(dossier, IMPORTABLE / "lm_eval.json", now=NOW)
    found = facts(dossier)
    present = found.known["elsewhere", "modelscan", "present"]
    assert present.made_elsewhere == "modelscan"
    results = [fact for path, fact in found.known.items() if path[:3] == ("elsewhere", "lm-eval", "result")]
    assert results
    assert all(fact.made_elsewhere == "lm-eval" for fact in results)
    for record in (dossier / "imported").iterdir():
        if record.name != "index.json" and "modelscan" in record.read_text("utf-8")[:200_000]:
            record.unlink()
    after = facts(dossier)
    assert not [path for path in after.known if path[:2] == ("elsewhere", "modelscan")]
    assert set(before.known) <= set(after.known)


def test_without_a_recourse_log_there_is_no_fact_of_one(dossier: Path) -> None:
    found = facts(dossier)
    assert not [path for path in found.known if path[0] == "recourse"]
    assert RECOURSE_FILE in found.absent["recourse", "log_kept"]


def test_a_folder_without_a_dossier_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"give a dossier's folder"):
        gather(tmp_path, NOW)


def test_a_dossier_that_never_looked_for_components_still_offers_its_own_record(tmp_path: Path) -> None:
    record = dossier_record(per_cell=1)
    write_dossier(tmp_path / "old", record, "")
    assert record.components is None
    assert gather(tmp_path / "old", NOW).inventory.subject == record.candidate.identity
    shutil.rmtree(tmp_path / "old")


# ---- what is taken out of, or away from, a dossier

INSPECTION = {
    "schema": "weighbridge.inspection/1",
    "subjects": [
        {"label": "m", "identity": "", "report": {"findings": [{"severity": "critical"}], "not_examined": []}}
    ],
}


@pytest.fixture
def inspected(tmp_path: Path, record: DossierRecord) -> Path:
    """A dossier whose files were read, with one critical finding."""
    folder = tmp_path / "inspected"
    folder.mkdir()
    identity = record.candidate.identity
    report = {**INSPECTION, "subjects": [{**INSPECTION["subjects"][0], "identity": identity}]}  # type: ignore[dict-item]
    data = json.dumps(report).encode()
    (folder / "inspection.json").write_bytes(data)
    read = FilesRead(subject=identity, findings={"critical": 1}, not_examined=0, tensors=3)
    write_dossier(folder, record.model_copy(update={"files_read": (read,), "inspection": digest_bytes(data)}), "")
    return folder


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "dossier.json"
    data = json.loads(path.read_bytes())
    change(data)
    path.write_text(json.dumps(data), "utf-8")


def test_findings_count_exactly_where_the_inspection_bears_them_out(inspected: Path) -> None:
    assert facts(inspected).known["files", "critical"].value == Between(1, 1)
    assert facts(inspected).known["files", "high"].value == Between(0, 0)


def test_a_finding_taken_out_of_the_dossier_is_no_zero(inspected: Path) -> None:
    rewrite(inspected, lambda data: data["files_read"][0]["findings"].clear())
    with pytest.raises(EvidenceError, match="files_read is not what"):
        facts(inspected)
    rewrite(inspected, lambda data: data.pop("inspection"))
    assert facts(inspected).known["files", "critical"].value == Between.at_least(0)


def test_without_the_inspection_no_severity_is_zero(inspected: Path) -> None:
    (inspected / "inspection.json").unlink()
    assert facts(inspected).known["files", "high"].value == Between.at_least(0)
    (inspected / "inspection.json").write_text("{}", "utf-8")
    with pytest.raises(EvidenceError, match="not the one that the dossier names"):
        facts(inspected)


def test_a_dossier_that_no_longer_names_its_components_finds_none(dossier: Path) -> None:
    rewrite(dossier, lambda data: data.pop("components"))
    found = facts(dossier)
    assert [path for path in found.known if path[0] == "component"] == []


def test_what_a_provider_does_not_write_is_no_evidence_that_it_is_not_so(dossier: Path) -> None:
    subject = json.dumps(facts(dossier).subject)
    head = f"schema: weighbridge.openness/1\nsubject: {subject}\ndecided_by: {{organisation: O, role: R}}\n"
    decided = "components: {training_code: {decision: withheld}}\n"
    (dossier / "openness.yaml").write_text(head + 'date: "2026-11-25"\n' + decided, "utf-8")
    found = facts(dossier)
    assert found.known["component", "training_code", "released"].value is False
    assert "no reason (why) is written" in found.absent["component", "training_code", "reason_given"]
    assert "no risk" in found.absent["component", "training_code", "risk_weighed"]
    (dossier / "openness.yaml").write_text(head + 'date: "2026-11-29"\n' + decided, "utf-8")
    assert ("component", "training_code", "released") not in facts(dossier).known


def test_what_lies_beside_a_dossier_is_checked_before_anybody_is_asked(dossier: Path) -> None:
    check_beside(dossier)
    attest(dossier)
    check_beside(dossier)
    attest(dossier, status="perhaps")
    with pytest.raises(AttestationsError):
        check_beside(dossier)
    (dossier / "attestations.yaml").unlink()
    (dossier / "openness.yaml").write_text("schema: nonsense\n", "utf-8")
    with pytest.raises(OpennessError):
        check_beside(dossier)
