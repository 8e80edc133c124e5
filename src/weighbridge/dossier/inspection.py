"""What `weighbridge inspect` says of a subject's files, as a record that a dossier can show: read back from its JSON.

The format is docs/formats/inspection.md. The probe that makes it is not needed to read it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")


class _Read(BaseModel):
    """Frozen; fields that a later version adds are read over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class InspectedFile(_Read):
    """A file: path in the subject, bytes, SHA-256 (None: it could not be read), what it is by its content."""

    path: str
    size: int = Field(ge=0)
    sha256: str | None
    format: str


class InspectedSubject(_Read):
    """The subject's digest (None: not every file could be read) and its files."""

    digest: str | None
    files: tuple[InspectedFile, ...]


class FoundFact(_Read):
    """One finding: a fact about a file."""

    rule: str
    severity: Severity
    path: str
    where: str
    message: str


class RuleWords(_Read):
    """What a rule's findings mean and what to do about them."""

    title: str
    why: str
    fix: str


class Unexamined(_Read):
    """Something that was not examined, and why."""

    path: str
    reason: str


class TensorFacts(_Read):
    """Statistics of one tensor. None: not measured (`measured` False) or not defined for it."""

    path: str
    tensor: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    layer: int | None = None
    role: str | None = None
    measured: bool = True
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    deviation: float | None = None
    nan: int | None = None
    inf: int | None = None
    zeros: int | None = None


class Tensors(_Read):
    """All tensors of a subject."""

    count: int = 0
    elements: int = 0
    dtypes: dict[str, int] = Field(default_factory=dict)
    not_measured: int = 0
    each: tuple[TensorFacts, ...] = ()


class LicenceFacts(_Read):
    """A licence as found: SPDX expression, or the name that it gives itself, and where."""

    expression: str | None = None
    name: str | None = None
    path: str = ""


class ComponentFacts(_Read):
    """A component of the Model Openness Framework: the files that are it (none: not found here) and its licence."""

    name: str
    files: tuple[str, ...] = ()
    licence: str | None = None


class InspectionRecord(_Read):
    """Everything that reading the files said."""

    subject: InspectedSubject
    components: tuple[ComponentFacts, ...] = ()
    licences: tuple[LicenceFacts, ...] = ()
    findings: tuple[FoundFact, ...] = ()
    rules: dict[str, RuleWords] = Field(default_factory=dict)
    not_examined: tuple[Unexamined, ...] = ()
    tensors: Tensors = Tensors()

    def worst(self) -> Severity | None:
        """Return the severity of the worst finding, None where there is none."""
        present = {finding.severity for finding in self.findings}
        return next((severity for severity in SEVERITIES if severity in present), None)
