"""Our own predicate, `.../predicate/weighing/v1`: what one weighing says of its subject, and which files it stands on.

The published predicates have no word for "not measured". This one has nothing else in the place of a number that is not there.
Its schema `weighing.schema.json` is made from here: `python -m weighbridge.dossier.statements.predicate`. Fields: docs/formats/statements.md.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer

from weighbridge.digests import Digest
from weighbridge.dossier.record import DossierRecord, Gap, GraderFacts
from weighbridge.dossier.statements.verification import WEIGHING
from weighbridge.evidence.records import (
    Comparison,
    Condition,
    Estimate,
    EstimateOrNot,
    Measure,
    NotMeasured,
    Rate,
    Reason,
    Record,
)
from weighbridge.protocol.vocabulary import Contrast, Rung, Verdict
from weighbridge.standards.rulings import StandardRuling
from weighbridge.subject.model import FoundFile, SubjectKind

SCHEMA_FILE = Path(__file__).with_name("weighing.schema.json")

Time = Annotated[
    datetime, PlainSerializer(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"), return_type=str, when_used="json")
]
"""A time in UTC, to the second, written with Z."""


class Binding(Record):
    """What every statement of this program carries: by whom and when it was made, how long it holds, and what it stands on.

    `supersedes` and `beside` are digests of statements (of their payloads): those that this one takes the place of, and those that were
    signed together with it. `files`: digests of the dossier's files by name, each that was there.
    """

    made_by: str
    made_at: Time
    valid_until: Time
    supersedes: tuple[Digest, ...]
    beside: tuple[Digest, ...]
    files: dict[str, Digest]


class StatedSubject(Record):
    """What was weighed. `root` is OpenSSF Model Signing's digest over `files`; a file is looked up by its own digest there.

    `identity` is what the dossier's records name it by: a single file's own digest, else `root`.
    """

    label: str
    kind: SubjectKind
    root: Digest
    identity: str
    files: tuple[FoundFile, ...] = Field(min_length=1)


class StatedSuite(Record):
    """Which prompts were asked."""

    name: str
    version: str
    digest: Digest


class StatedGrader(Record):
    """Which grader decided, by name and digest, and how far it was checked."""

    name: str
    identity: str
    calibration: str
    blind_verbs: tuple[str, ...]
    calibrated_verbs: tuple[str, ...]


class StatedHeadline(Record):
    """The answer. `verdict` is not measured when the deciding comparison could not be made."""

    verdict: Verdict | NotMeasured
    contrast: Contrast
    aggregate: Literal["mean", "worst"]
    paragraph: str


class StatedComparison(Record):
    """One contrast over all categories. `judged` is the interval that the verdict stands on."""

    contrast: Contrast
    measure: Measure
    scope: str
    aggregate: Literal["mean", "worst"]
    candidate: Condition
    baseline: Condition
    margin: float
    verdict: Verdict
    estimate: EstimateOrNot
    judged: EstimateOrNot


class StatedRate(Record):
    """One rate over all categories and verbs."""

    subject: str
    rung: Rung
    technique: str
    measure: Measure
    benign: bool
    rate: EstimateOrNot


class Weighing(Binding):
    """The whole predicate."""

    subject: StatedSubject
    dossier: Digest
    weighed_at: Time
    protocol: Digest
    protocol_name: str
    suite: StatedSuite
    grader: StatedGrader
    evidence: Digest
    inspection: Digest | NotMeasured
    headline: StatedHeadline
    comparisons: tuple[StatedComparison, ...]
    rates: tuple[StatedRate, ...]
    not_measured: tuple[Gap, ...]
    rulings: tuple[StandardRuling, ...]


def weighing(
    record: DossierRecord,
    *,
    dossier: Digest,
    subject: StatedSubject,
    binding: Binding,
    rulings: tuple[StandardRuling, ...],
    are_ruled: bool,
) -> Weighing:
    """Return what the weighing in `record` says. `are_ruled`: whether standards were asked at all."""
    gaps = list(record.gaps)
    identity = record.candidate.identity
    unread = NotMeasured(reason=Reason.NOT_IN_PROTOCOL, detail="the model's files were not read")
    if record.inspection is None:
        gaps.append(Gap(subject=identity, where="inspection", why=unread, count=1))
    if not are_ruled:
        unasked = NotMeasured(reason=Reason.NOT_IN_PROTOCOL, detail="no standard was asked: terms.json is not there")
        gaps.append(Gap(subject=identity, where="rulings", why=unasked, count=1))
    verdict = record.headline.verdict
    undone = NotMeasured(reason=Reason.NOTHING_MEASURED, detail="the deciding comparison could not be made")
    return Weighing(
        **binding.model_dump(),
        subject=subject,
        dossier=dossier,
        weighed_at=record.made_at,
        protocol=record.protocol,
        protocol_name=record.protocol_name,
        suite=StatedSuite(name=record.suite.name, version=record.suite.version, digest=record.suite.digest),
        grader=_grader(record.grader),
        evidence=record.evidence,
        inspection=unread if record.inspection is None else record.inspection,
        headline=StatedHeadline(
            verdict=undone if verdict is None else verdict,
            contrast=record.headline.contrast,
            aggregate=record.headline.aggregate,
            paragraph=record.headline.paragraph,
        ),
        comparisons=tuple(_comparison(each) for each in record.comparisons if each.scope == "all"),
        rates=tuple(_rate(each) for each in record.rates if each.category is None and each.verb is None),
        not_measured=tuple(gaps),
        rulings=rulings,
    )


def schema_text() -> str:
    """Return the JSON schema (draft 2020-12) of the predicate, as it is published."""
    schema = Weighing.model_json_schema(by_alias=True, mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": WEIGHING}
    return json.dumps({**head, **{key: value for key, value in schema.items() if key != "title"}}, indent=2) + "\n"


def _grader(found: GraderFacts) -> StatedGrader:
    return StatedGrader(
        name=found.name,
        identity=found.identity,
        calibration=found.calibration,
        blind_verbs=tuple(verb.value for verb in found.blind_verbs),
        calibrated_verbs=tuple(verb.value for verb in found.calibrated_verbs),
    )


def _comparison(found: Comparison) -> StatedComparison:
    judged: Estimate | NotMeasured = NotMeasured(reason=Reason.NOTHING_MEASURED)
    return StatedComparison(
        contrast=found.contrast,
        measure=found.measure,
        scope=found.scope,
        aggregate=found.aggregate,
        candidate=found.candidate,
        baseline=found.baseline,
        margin=found.margin,
        verdict=found.verdict,
        estimate=found.estimate,
        judged=judged if found.judged is None else found.judged,
    )


def _rate(found: Rate) -> StatedRate:
    return StatedRate(
        subject=found.subject,
        rung=found.rung,
        technique=found.technique,
        measure=found.measure,
        benign=found.benign,
        rate=found.rate,
    )


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
