"""`dossier.json`: everything a weighing says of one subject, as one record. What the page, card and exports render."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from weighbridge.digests import Digest
from weighbridge.evidence.records import Comparison, NotMeasured, Rate, Record
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verb, Verdict
from weighbridge.subject.model import Subject
from weighbridge.threats.scores import ScoredSheet

DOSSIER_SCHEMA = "weighbridge.dossier/1"


class Gap(Record):
    """Something not measured that a reader would expect: where, and why."""

    subject: str
    where: str
    why: NotMeasured
    count: int = Field(ge=1)


class Cost(Record):
    """What one subject cost. `calls` reached the provider; `reused` came from the answer store. Tokens None: not told.

    `not_needed` counts planned questions that were never asked, since what they were for was settled without them.
    """

    subject: str
    calls: int
    reused: int
    failures: int
    not_needed: int = 0
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float


class Example(Record):
    """One answer to show, folded. `answer` is model output: escaped and hidden behind a click by every renderer."""

    subject: str
    item: str
    category: Category
    verb: Verb | None
    rung: Rung
    technique: str
    prompt: str
    prefill: str
    answer: str
    grade: str
    source: Digest


class FilesRead(Record):
    """What reading a subject's files said: findings by severity (those that there are), how many things were not examined."""

    subject: str
    findings: dict[Literal["critical", "high", "medium", "low", "info"], int]
    not_examined: int = Field(ge=0)
    tensors: int = Field(ge=0)


class SuiteFacts(Record):
    """Which prompts were asked."""

    name: str
    version: str
    licence: str
    digest: Digest
    harm_prompts: int
    twins: int
    left_out: dict[str, int]
    notes: tuple[str, ...]


class GraderFacts(Record):
    """Which grader decided, and how far it may be trusted. `blind_verbs`: what it could not see.

    `calibrated_verbs`: verbs whose grades were checked against human labels. None are unless named here, and every rate of
    another verb is flagged wherever it is shown. `calibrated_refusals`: whether refusals (and so whether benign prompts were
    answered) were checked; None: this grader does not see them.
    """

    name: str
    identity: str
    calibration: str
    blind_verbs: tuple[Verb, ...] = ()
    calibrated_verbs: tuple[Verb, ...] = ()
    calibrated_refusals: bool | None = False


class Headline(Record):
    """The answer in words. `contrast` and `aggregate` are those that decided; `paragraph` is plain language with figures.

    `verdict` is None, and `exit_code` 4, when the deciding comparison could not be made.
    """

    verdict: Verdict | None
    contrast: Contrast
    aggregate: Literal["mean", "worst"] = "mean"
    paragraph: str
    exit_code: int


class DossierRecord(Record):
    """All of it for one subject. The first of `baselines` is the reference of the counterfactual verdict."""

    schema_: Literal["weighbridge.dossier/1"] = Field("weighbridge.dossier/1", alias="schema")
    made_by: str
    made_at: datetime
    candidate: Subject
    baselines: tuple[Subject, ...]
    protocol: Digest
    protocol_name: str
    protocol_description: str
    suite: SuiteFacts
    grader: GraderFacts
    headline: Headline
    rates: tuple[Rate, ...]
    comparisons: tuple[Comparison, ...]
    gaps: tuple[Gap, ...]
    costs: tuple[Cost, ...]
    examples: tuple[Example, ...]
    files_read: tuple[FilesRead, ...] = ()  # of the subjects whose files were read; the whole is in inspection.json
    inspection: Digest | None = None  # of inspection.json; None: no files were read
    components: Digest | None = (
        None  # of components.json: what of the candidate's release its files hold; None: not looked for
    )
    threats: tuple[ScoredSheet, ...] = ()  # threat sheets, step 4 filled from this dossier
    command: str
    environment: dict[str, str]
    evidence: Digest
    notes: tuple[str, ...] = ()

    model_config = Record.model_config | {"populate_by_name": True}
