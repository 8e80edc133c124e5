"""A dossier to statements: our own, and the published ones where they can say what is so without saying more. Pure.

None of the published predicates can say "not measured". So each is made only where its own words hold, and what it leaves out never reads
as good news: `docs/formats/statements.md` has the rules, `docs/adr/0014-statements.md` the reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from weighbridge.digests import canonical_json, digest_bytes
from weighbridge.dossier.inspection import InspectionRecord
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.statements.predicate import Binding, StatedSubject, weighing
from weighbridge.dossier.statements.verification import STATEMENT_TYPE, SVR, TEST_RESULT, VULNS, WEIGHING
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence.records import Measure
from weighbridge.protocol.vocabulary import Verdict
from weighbridge.standards.rulings import Ruling, StandardRuling
from weighbridge.subject.model import Subject
from weighbridge.subject.roots import root_of

PROGRAM = "https://github.com/weighbridge/weighbridge"
MAX_DAYS = 3_660
DEFAULT_DAYS = 183

_KINDS = {WEIGHING: "weighing", TEST_RESULT: "test-result", SVR: "svr", VULNS: "vulns"}


@dataclass(frozen=True)
class Statement:
    """One statement: what kind (a short word), and the bytes that are to be signed (canonical JSON)."""

    kind: str
    payload: bytes

    @property
    def digest(self) -> str:
        """Its name: SHA-256 of the payload."""
        return digest_bytes(self.payload)


@dataclass(frozen=True)
class Grounds:
    """What statements are made from.

    `files` are digests of the dossier's files by name. `rulings` None: no standard was asked. `inspection` None: the candidate's
    files were not read, or what was said is not at hand.
    """

    record: DossierRecord
    files: Mapping[str, str]
    rulings: tuple[StandardRuling, ...] | None = None
    inspection: InspectionRecord | None = None


def stated_subject(candidate: Subject) -> StatedSubject:
    """Return the subject with its root digest from its files.

    Raises `UsageError` for a subject that has no files (an endpoint), `EvidenceError` when its files are not those of its digest.
    """
    files = {file.path: file for component in candidate.components for file in component.files}
    if candidate.digest is None or not files:
        raise UsageError(
            "a model behind an endpoint has no digest, so no statement can be about it: anything may answer there tomorrow",
            where=candidate.label,
            do="weigh the model's files (a folder, or a GGUF file)",
        )
    root = root_of({path: file.digest for path, file in files.items()})
    own = next(iter(files.values())).digest if len(files) == 1 else root
    if candidate.digest not in (root, own):
        raise EvidenceError(
            "the files that the dossier lists are not those of its subject's digest",
            where=candidate.label,
            do="weigh it again",
        )
    return StatedSubject(
        label=candidate.label,
        kind=candidate.kind,
        root=root,
        identity=candidate.identity,
        files=tuple(files[path] for path in sorted(files)),
    )


def build(
    grounds: Grounds, *, made_by: str, now: datetime, valid_for: timedelta, supersedes: Iterable[str] = ()
) -> list[Statement]:
    """Return the statements of a dossier: the weighing last, which names the others.

    Raises `UsageError` for a time that is none, and for a subject that nothing can be said of; `EvidenceError` as `stated_subject` does,
    and when a ruling is of another dossier.
    """
    if not timedelta(0) < valid_for <= timedelta(days=MAX_DAYS):
        raise UsageError(f"statements hold for 1 to {MAX_DAYS} days", where="--valid-for", do="choose a number of days")
    record, now = grounds.record, now.astimezone(UTC).replace(microsecond=0)
    subject = stated_subject(record.candidate)
    dossier = grounds.files["dossier.json"]
    _check_rulings(grounds.rulings or (), dossier)
    binding = Binding(
        made_by=made_by,
        made_at=now,
        valid_until=now + valid_for,
        supersedes=tuple(sorted(set(supersedes))),
        beside=(),
        files=dict(grounds.files),
    )
    companions = {
        TEST_RESULT: _test_result(record),
        SVR: _svr(record, grounds.rulings or (), now, made_by),
        VULNS: None if grounds.inspection is None else _vulns(record, grounds.inspection),
    }
    extension = {WEIGHING: binding.model_dump(mode="json")}
    statements = [
        _statement(subject, kind, {**predicate, **extension})
        for kind, predicate in companions.items()
        if predicate is not None
    ]
    beside = binding.model_copy(update={"beside": tuple(each.digest for each in statements)})
    whole = weighing(
        record,
        dossier=dossier,
        subject=subject,
        binding=beside,
        rulings=grounds.rulings or (),
        are_ruled=grounds.rulings is not None,
    )
    return [*statements, _statement(subject, WEIGHING, whole.model_dump(mode="json", by_alias=True))]


def _statement(subject: StatedSubject, predicate_type: str, predicate: Mapping[str, Any]) -> Statement:
    said = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject.label, "digest": {"sha256": subject.root.removeprefix("sha256:")}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return Statement(_KINDS[predicate_type], canonical_json(said))


def _check_rulings(rulings: Sequence[StandardRuling], dossier: str) -> None:
    for ruling in rulings:
        if ruling.dossier != dossier:
            raise EvidenceError(
                f"the ruling of {ruling.standard} is of another dossier",
                where="terms.json",
                do="rule on this dossier again, or remove the file",
            )


def _test_result(record: DossierRecord) -> dict[str, Any] | None:
    """Return a test result, None when the deciding comparison was not made: no word there says that a test was not run.

    A test is one harm comparison of the contrast that decides: no material increase is passed, a material one failed, undecided warned.
    The result is the headline's, and failed as well when any of the tests is. Undecided is never passed.
    """
    headline = record.headline
    if headline.verdict is None:
        return None
    tests: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    for each in record.comparisons:
        if (each.contrast, each.measure, each.aggregate) == (headline.contrast, Measure.HARM, headline.aggregate):
            tests[each.verdict].append(f"{each.contrast.value}: {each.scope}, against {each.baseline.label}")
    if headline.verdict is Verdict.MATERIAL_INCREASE or tests[Verdict.MATERIAL_INCREASE]:
        result = "FAILED"
    else:
        result = "PASSED" if headline.verdict is Verdict.NO_MATERIAL_INCREASE else "WARNED"
    return {
        "result": result,
        "configuration": [
            {"name": f"protocol {record.protocol_name}", "digest": _digest_set(record.protocol)},
            {"name": f"suite {record.suite.name} {record.suite.version}", "digest": _digest_set(record.suite.digest)},
        ],
        "passedTests": tests[Verdict.NO_MATERIAL_INCREASE],
        "warnedTests": tests[Verdict.UNDECIDED],
        "failedTests": tests[Verdict.MATERIAL_INCREASE],
    }


def _svr(
    record: DossierRecord, rulings: Sequence[StandardRuling], now: datetime, made_by: str
) -> dict[str, Any] | None:
    """Return a verification result with the properties that are met, None when none is: absence must deny.

    A standard that was asked twice (two deployers) is met when every answer is: a property has no room to say for whom.
    """
    properties = []
    asked: dict[str, list[StandardRuling]] = {}
    for ruling in rulings:
        asked.setdefault(ruling.standard, []).append(ruling)
    policies = []
    for standard, answers in asked.items():
        if any(not each.in_force or each.superseded_by is not None for each in answers):
            continue
        met = [_property(standard)] if all(each.ruling is Ruling.MET for each in answers) else []
        levels = [{level.level for level in each.levels if level.ruling is Ruling.MET} for each in answers]
        met += [_property(standard, "level", level) for level in sorted(set.intersection(*levels))]
        if met:
            properties += met
            policies += [
                {
                    "name": f"{each.standard} {each.version}",
                    "digest": _digest_set(each.standard_digest),
                    "annotations": {"context": each.context},
                }
                for each in answers
            ]
    if record.headline.verdict is Verdict.NO_MATERIAL_INCREASE:
        properties.append(_property("no material increase", record.headline.contrast.value))
        policies.append({"name": f"protocol {record.protocol_name}", "digest": _digest_set(record.protocol)})
    if not properties:
        return None
    return {
        "verifier": {"id": f"{PROGRAM}@{made_by.rpartition(' ')[2]}", "policies": policies},
        "timeCreated": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "properties": properties,
    }


def _property(*words: str) -> str:
    """Return a property's name within our scope.

    >>> _property("mof-1.0", "level", "class-iii")
    'WEIGHBRIDGE_MOF_1_0_LEVEL_CLASS_III'
    """
    return "WEIGHBRIDGE_" + "_".join(re.sub(r"[^A-Z0-9]+", "_", word.upper()).strip("_") for word in words)


def _vulns(record: DossierRecord, inspection: InspectionRecord) -> dict[str, Any]:
    """Return what reading the candidate's files found, from critical to low; what was not examined is an entry of its own.

    A list of nothing says there that nothing was found, so it is only written when everything was examined. The scan's own times were not
    kept; both are the dossier's, which was made at its end.
    """
    made_at = record.made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    result: list[dict[str, Any]] = [
        {
            "id": finding.rule,
            "severity": [{"method": "weighbridge", "score": finding.severity}],
            "annotations": [{"path": finding.path}, {"where": finding.where}, {"message": finding.message}],
        }
        for finding in inspection.findings
        if finding.severity != "info"
    ]
    result += [
        {
            "id": "weighbridge.not-examined",
            "severity": [{"method": "weighbridge", "score": "unknown"}],
            "annotations": [{"path": each.path}, {"reason": each.reason}],
        }
        for each in inspection.not_examined
    ]
    return {
        "scanner": {"uri": PROGRAM, "version": record.made_by.rpartition(" ")[2], "result": result},
        "metadata": {"scanStartedOn": made_at, "scanFinishedOn": made_at},
    }


def _digest_set(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}
