"""A small dossier to sign: real files, a simulated record, findings and rulings; and keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.fakes.dossier_record import GUARDED, dossier_record
from weighbridge.digests import digest_bytes
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.statements import envelope
from weighbridge.dossier.statements.keys import PrivateKey, private_key
from weighbridge.dossier.statements.signing import sign_dossier
from weighbridge.dossier.write import dossier_bytes, write_dossier
from weighbridge.evidence.provenance import Provenance
from weighbridge.standards.rulings import LevelRuling, RequirementRuling, Ruling, StandardRuling, Strength
from weighbridge.subject.model import Component, FoundFile, Subject

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
TERM = timedelta(days=183)
MODEL = b"the bytes of a model"


def candidate(**changes: Any) -> Subject:
    """A model of one file; its identity is that of the fakes' subject, so that simulated answers are known for it."""
    file = FoundFile(path="model.gguf", size_bytes=len(MODEL), digest=GUARDED.digest or "")
    part = Component(name="model parameters", files=(file,), licence="apache-2.0")
    return GUARDED.model_copy(update={"components": (part,), **changes})


def inspection(identity: str, *, not_examined: tuple[dict[str, str], ...] = ()) -> bytes:
    """What reading the candidate's files said."""
    places = {"path": "model.gguf", "where": "header", "message": "told"}
    findings = [
        {"rule": "pickle.call", "severity": "critical", **places},
        {"rule": "template.default-system", "severity": "info", **places},
    ]
    report = {"subject": {"digest": identity, "files": []}, "findings": findings, "not_examined": list(not_examined)}
    subjects = [{"label": "Guarded", "identity": identity, "report": report}]
    return json.dumps({"schema": "weighbridge.inspection/1", "subjects": subjects}).encode()


def ruling(dossier: str, said: Ruling = Ruling.MET, **changes: Any) -> StandardRuling:
    """A ruling of an invented standard with one requirement and one level."""
    requirement = RequirementRuling(
        requirement="r1",
        title="A title",
        says="The licence is open.",
        topic="openness",
        strength=Strength.REQUIRED,
        ruling=said,
        because="because",
        cited="section 1",
        provenance=next(iter(Provenance)),
    )
    fields: dict[str, Any] = {
        "standard": "test-standard",
        "title": "A standard",
        "publisher": "Tests",
        "version": "1.0",
        "standard_digest": digest_bytes(b"standard"),
        "in_force": True,
        "subject": GUARDED.identity,
        "dossier": dossier,
        "at": NOW,
        "context": {"release": "open"},
        "ruling": said,
        "because": "because",
        "requirements": (requirement,),
        "levels": (LevelRuling(level="class-iii", title="Class III", ruling=said),),
    }
    return StandardRuling(**{**fields, **changes})


def record(**changes: Any) -> DossierRecord:
    """The record of a small weighing."""
    made = dossier_record(candidate=candidate(), per_cell=1)
    small = {
        "examples": (),
        "rates": tuple(each for each in made.rates if each.category is None),
        "comparisons": tuple(each for each in made.comparisons if "/" not in each.scope),
    }
    return made.model_copy(update={"evidence": digest_bytes(b"evidence\n"), **small, **changes})


def write(folder: Path, of: DossierRecord, *, terms: bool = False, inspected: bool = False) -> Path:
    """Write a dossier into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if inspected:
        data = inspection(of.candidate.identity)
        (folder / "inspection.json").write_bytes(data)
        of = of.model_copy(update={"inspection": digest_bytes(data)})
    write_dossier(folder, of, "# a protocol\n")
    (folder / "evidence.jsonl").write_bytes(b"evidence\n")
    if terms:
        said = [ruling(digest_bytes(dossier_bytes(of))).model_dump(mode="json", by_alias=True)]
        (folder / "terms.json").write_text(json.dumps(said))
    return folder


def ed25519_key() -> PrivateKey:
    return private_key(ed25519.Ed25519PrivateKey.generate())


def p256_key() -> PrivateKey:
    return private_key(ec.generate_private_key(ec.SECP256R1()))


def sign(dossier: Path, key: PrivateKey, now: datetime = NOW, **more: Any) -> list[Path]:
    """Sign a dossier; return the statements' files, the weighing last."""
    return sign_dossier(
        dossier,
        lambda payload: envelope.sign(payload, [key]),
        suffix=".dsse.json",
        made_by="weighbridge 0.1.0",
        now=now,
        **{"valid_for": TERM, **more},
    )
