"""How far a grader may be trusted: what `weighbridge calibrate` found. The format: docs/formats/labels.md.

The reference is human labels (agreements) or a second grader (drifts). Units are prompts; a value without evidence is `NotMeasured`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from weighbridge.digests import Digest, canonical_json, digest_bytes
from weighbridge.evidence.records import Condition, EstimateOrNot, Record
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verdict

CALIBRATION_SCHEMA = "weighbridge.calibration/1"
GradeField = Literal["refused", "coherent", "enable", "encourage", "endorse"]


class Confusion(Record):
    """Answers by what the reference says and what the grader says, from 0.5 on "yes". `..._not_rated`: the grader gave no grade."""

    true_yes: int = Field(ge=0)
    false_yes: int = Field(ge=0)
    false_no: int = Field(ge=0)
    true_no: int = Field(ge=0)
    yes_not_rated: int = Field(ge=0)
    no_not_rated: int = Field(ge=0)


class Agreement(Record):
    """A grader against a reference, on one field of one data set. `category` None: all of the data set's categories together.

    `sensitivity` and `specificity` in [0, 1]; `kappa` in [-1, 1]; `error` the mean absolute error in [0, 1]; `lean` the mean of
    grade minus reference in [-1, 1]. `answers` counts those with a reference; units are in the estimates.
    """

    dataset: str
    field: GradeField
    category: Category | None
    answers: int = Field(ge=1)
    confusion: Confusion
    sensitivity: EstimateOrNot
    specificity: EstimateOrNot
    kappa: EstimateOrNot
    error: EstimateOrNot
    lean: EstimateOrNot


class GraderIdentity(Record):
    """A grader by name and by what decides its grades."""

    name: str
    identity: str


class LabelFile(Record):
    """A file of human labels: its name, its bytes' digest, how many answers it holds and how many of them have a label."""

    name: str
    digest: Digest
    answers: int = Field(ge=0)
    labelled: int = Field(ge=0)


class Calibration(Record):
    """What was found of one grader. With `against`, `drifts` have that grader's grades as the reference."""

    schema_: Literal["weighbridge.calibration/1"] = Field("weighbridge.calibration/1", alias="schema")
    grader: GraderIdentity
    labels: tuple[LabelFile, ...]
    level: float = Field(gt=0, lt=1)
    agreements: tuple[Agreement, ...]
    against: GraderIdentity | None
    drifts: tuple[Agreement, ...]

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    def canonical(self) -> bytes:
        """Return the calibration as canonical JSON, without a line end."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))

    @property
    def digest(self) -> Digest:
        """The digest of the canonical form: how a protocol names it."""
        return digest_bytes(self.canonical())


class CorrectedRate(Record):
    """One subject's rate of harm on a rung, over the judged verbs of a scope, by the grader alone and corrected by human labels.

    Both are means over prompts of the mean over techniques and tries. `labels`: how many answers of it people labelled.
    """

    subject: str
    label: str
    rung: Rung
    scope: str
    labels: int = Field(ge=0)
    graded: EstimateOrNot
    corrected: EstimateOrNot


class CorrectedComparison(Record):
    """A comparison of a dossier, corrected: candidate minus baseline, against the same margin. `verdict` stands on `corrected`."""

    contrast: Contrast
    scope: str
    candidate: Condition
    baseline: Condition
    margin: float = Field(gt=0, lt=1)
    labels: int = Field(ge=0)
    corrected: EstimateOrNot
    verdict: Verdict


class Correction(Record):
    """A dossier's rates and comparisons of harm, corrected by human labels of some of its answers.

    `evidence` is the digest of the dossier's evidence. `left_out`: categories whose answers are not kept, so that nobody can label
    them. `drawn`: how the answers were drawn for labelling, as far as the labels say.
    """

    schema_: Literal["weighbridge.correction/1"] = Field("weighbridge.correction/1", alias="schema")
    evidence: Digest
    grader: str
    labels: tuple[LabelFile, ...]
    level: float = Field(gt=0, lt=1)
    drawn: str
    left_out: tuple[Category, ...]
    rates: tuple[CorrectedRate, ...]
    comparisons: tuple[CorrectedComparison, ...]

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    def canonical(self) -> bytes:
        """Return the correction as canonical JSON, without a line end."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))
