"""What was seen: the records that everything else stands on. All frozen; all have one canonical JSON form.

The first law is in the types: an `Outcome` is `Measured` with a number or `NotMeasured` with a reason from a closed list, and
nothing else. There is no None, NaN or default that could stand for "not seen". With nothing measured there is no
`Estimate`: functions return `NotMeasured` instead.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from weighbridge.digests import Digest, canonical_json
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verb, Verdict

OBSERVATION_SCHEMA = "weighbridge.observation/1"


class Record(BaseModel):
    """A frozen record: unknown fields are an error, NaN and infinities too."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def canonical(self) -> bytes:
        """Return the record as canonical JSON (RFC 8785), without a line end."""
        return canonical_json(self.model_dump(mode="json"))


class Reason(StrEnum):
    """Why something was not measured. Closed: a new reason is a change of the format."""

    NO_GUARD = "no guard"  # `hosted` needs a system prompt file and none was given
    NO_WEIGHTS_ACCESS = "no weights access"  # the endpoint gives no raw completion, prefill or template
    NO_CHAT_TEMPLATE = "no chat template"
    NOT_IN_PROTOCOL = "not in protocol"  # nobody promised to look
    NOT_IMPLEMENTED = "not implemented"  # this version cannot look
    NOT_NEEDED = "not needed"  # never asked: what it is evidence for was settled, or could not be, without it
    BUDGET_SPENT = "budget spent"
    INTERRUPTED = "interrupted"
    PROVIDER_ERROR = "provider error"
    TIMED_OUT = "timed out"
    EMPTY_ANSWER = "empty answer"
    INCOHERENT = "incoherent"  # an echo, a loop or noise: neither safe nor harmful
    GRADER_BLIND = "grader blind"  # this grader cannot see this verb
    GRADER_FAILED = "grader failed"
    NOTHING_MEASURED = "nothing measured"  # every part of an aggregate is itself not measured


class Measured(Record):
    """A number that was seen. Harm, refusal and coherence values lie in [0, 1] and have unit "share"."""

    kind: Literal["measured"] = "measured"
    value: float
    unit: str = "share"


class NotMeasured(Record):
    """Nothing was seen, and why. `detail` is one line for people, without model output."""

    kind: Literal["not measured"] = "not measured"
    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"not measured: {self.reason.value}" + (f" ({self.detail})" if self.detail else "")


Outcome = Annotated[Measured | NotMeasured, Field(discriminator="kind")]


class Measure(StrEnum):
    """What an observation is of. `harm` is the value for the verb that the prompt tests."""

    HARM = "harm"  # [0, 1]: how far the answer does what the verb names; incoherent answers are not measured
    REFUSED = "refused"  # 0 or 1; incoherent answers are not measured
    COHERENT = "coherent"  # 0 or 1
    ANSWERED = "answered"  # benign twins: 1 = coherent and not refused, 0 = refused or incoherent


class Observation(Record):
    """One thing seen, or not measured because. Each planned (subject, measure, item, rung, technique, trial) occurs once.

    `subject` is a digest, or `endpoint:...` for what has none. `source` is the key of the raw answer in the answer
    store, None when nothing was answered. `grader` names the grader and its digest, as `name@sha256:...`.
    """

    schema_: Literal["weighbridge.observation/1"] = Field("weighbridge.observation/1", alias="schema")
    subject: str
    protocol: Digest
    probe: str
    measure: Measure
    item: str
    rung: Rung
    technique: str
    trial: int = Field(ge=0)
    outcome: Outcome
    source: Digest | None = None
    grader: str | None = None
    seen_at: datetime

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    def canonical(self) -> bytes:
        """Return the observation as canonical JSON, without a line end."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))


class Estimate(Record):
    """A value with its interval. `missing` counts, by reason, the planned items that were not measured.

    `value`, `low`, `high` share one scale ([0, 1] for rates, [-1, 1] for differences). `n_planned` and `n_measured` count
    independent units (prompts), not answers. `n_planned == n_measured + sum(missing.values())`.
    """

    value: float
    low: float
    high: float
    level: float = Field(gt=0, lt=1)
    method: str
    n_planned: int = Field(ge=1)
    n_measured: int = Field(ge=1)
    missing: dict[Reason, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Estimate:
        if not self.low <= self.value <= self.high:
            raise ValueError("an estimate's value lies within its interval")
        if self.n_planned != self.n_measured + sum(self.missing.values()):
            raise ValueError("planned = measured + missing")
        return self


EstimateOrNot = Annotated[Estimate | NotMeasured, Field(union_mode="left_to_right")]


class ItemFacts(Record):
    """What analysis needs to know of a prompt. `verb` None marks a benign twin. `cluster` groups paraphrases."""

    category: Category
    verb: Verb | None
    cluster: str


class Rate(Record):
    """One rate: of which subject, where on the ladder, over which prompts.

    `category` None means all categories together, `verb` None all verbs. `technique` is a technique's name, "mean" (over
    all of the rung's techniques and tries), "worst" (highest of all of them, per prompt) or "best of K" (the expected highest of K of them). With `benign` the rate is over
    benign twins (measures answered, refused, coherent), else over harm prompts (harm, refused, coherent).
    """

    subject: str
    rung: Rung
    measure: Measure
    benign: bool
    category: Category | None
    verb: Verb | None
    technique: str
    rate: EstimateOrNot


class Condition(Record):
    """One side of a comparison: which subject on which rung, under which techniques."""

    subject: str
    label: str
    rung: Rung
    techniques: tuple[str, ...]


class Comparison(Record):
    """A paired contrast of two conditions on the same prompts, and what it says against its margin.

    `scope` is "all", a category, or "category/verb". `measure` is `harm` (risk) or `answered` (benefit). `aggregate` is
    "mean" over the condition's techniques and tries, or "worst" (the highest grade, best of k).
    Prompts count in the order of asking, up to the first that was not needed: `taken` of them. `decided_after` is how many it
    took to reach the verdict, None when undecided. `log_e_no_increase` and `log_e_increase` are the natural logarithms of the most
    evidence (e-value) there was against an increase beyond the margin, and for one; None when nothing was measured.
    `estimate` uses measured pairs only. `judged` is the interval that the verdict stands on: pairs that are missing for our own
    or the provider's failures are counted least at its low end and most at its high end, so that losing evidence only widens
    it; None when nothing was measured. Both intervals hold at any stopping time.
    `prompts_needed` is how many prompts in all would be expected to settle an undecided comparison, when that can be said.
    """

    contrast: Contrast
    measure: Measure
    scope: str
    aggregate: Literal["mean", "worst"]
    candidate: Condition
    baseline: Condition
    margin: float = Field(gt=0, lt=1)
    verdict: Verdict
    estimate: EstimateOrNot
    judged: Estimate | None
    taken: int = Field(default=0, ge=0)
    decided_after: int | None = Field(default=None, ge=1)
    log_e_no_increase: float | None = None
    log_e_increase: float | None = None
    prompts_needed: int | None = None
