"""Results that another tool measured: records of what its file says, marked "made elsewhere". Format: docs/formats/imports.md.

They are evidence of a weaker kind than observations: somebody else chose prompts and graders, and a file can say anything. So
the record holds what the tool wrote, under the digest of the file that it was read from, and nothing that was worked out from it
but sums of its own counts. What the file leaves out stays left out: None where a *fact about the file* is not told, and
`NotMeasured` where a *value* is not there (absent, null, NaN, text, or of a run that failed).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from weighbridge.digests import Digest, canonical_json
from weighbridge.evidence.records import Outcome, Record

ELSEWHERE_SCHEMA = "weighbridge.elsewhere/1"
NOT_TOLD = "not told"  # the unit of a value whose file names none


class Tool(StrEnum):
    """The tools whose result files can be read."""

    INSPECT = "inspect"
    LM_EVAL = "lm-eval"
    GARAK = "garak"
    PROMPTFOO = "promptfoo"
    MODELSCAN = "modelscan"
    EVERY_EVAL_EVER = "every-eval-ever"


class Interval(Record):
    """An interval as the tool wrote it. `level` in (0, 1) and `method` are None when it names none.

    It need not hold the value: some tools correct the interval for the detector's errors and not the value.
    """

    low: float
    high: float
    level: float | None = Field(gt=0, lt=1)
    method: str | None

    @model_validator(mode="after")
    def _ordered(self) -> Interval:
        if self.low > self.high:
            raise ValueError("an interval's low end is not above its high end")
        return self


class ElsewhereResult(Record):
    """One number of another tool, or why there is none.

    `name` is what the tool calls it, `metric` the kind of number, `what` what it is of (a task, probe, detector or file).
    `subject_named` is the model as that tool wrote it. The value's unit is the tool's, "not told" when it names none. `n` counts
    what the value was taken over. `standard_error` and `interval` are the tool's own; none is worked out from the other. `grader`
    names the detector, scorer, scanner or judge. `settings` are a few facts of the run, as text.
    """

    name: str
    metric: str
    what: str
    subject_named: str | None
    outcome: Outcome
    n: int | None = Field(ge=0)
    standard_error: float | None = Field(ge=0)
    interval: Interval | None
    higher_is_better: bool | None
    grader: str | None
    settings: dict[str, str]


class MadeElsewhere(Record):
    """All that one file of another tool says.

    `file`, `file_digest` and `file_bytes` are the file's; `imported_at` is ours, `made_at` the tool's own word. `subject_named`
    is the model that every result names, None when they name several or none. `subject_digest` is there only when the file itself
    binds its results to the digest of a model; it is never guessed from a name. `complete` is False when the file shows that
    something planned was not measured, None when it does not say. `doubts` are reasons to rely on it less, for people.
    """

    schema_: Literal["weighbridge.elsewhere/1"] = Field("weighbridge.elsewhere/1", alias="schema")
    tool: Tool
    tool_version: str | None
    file: str
    file_digest: Digest
    file_bytes: int = Field(ge=0)
    imported_at: datetime
    made_at: datetime | None
    subject_named: str | None
    subject_digest: Digest | None
    complete: bool | None
    doubts: tuple[str, ...]
    results: tuple[ElsewhereResult, ...]

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    def canonical(self) -> bytes:
        """Return the record as canonical JSON, without a line end."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))
