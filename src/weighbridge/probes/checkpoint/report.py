"""What reading a model's files brings: findings, what was not examined, and what was seen of each file.

A finding is a fact about the subject: evidence, never an exception. What we could not read or do not understand is
`NotExamined`: never silent, never clean. Severities: critical runs code when loaded; high runs code when the loader opts in, or
breaks a format's safety rule; medium is damaged, or changes what the model is told; low and info need no action by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    def at_least(self, other: Severity) -> bool:
        """Whether this is as bad as `other` or worse.

        >>> Severity.CRITICAL.at_least(Severity.HIGH), Severity.LOW.at_least(Severity.HIGH)
        (True, False)
        """
        order = list(Severity)
        return order.index(self) <= order.index(other)


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact about a file. Made by `catalogue.found` only.

    `rule` is an id of the catalogue. `path` is relative to the subject; members of archives are written `archive.zip!member`.
    `where` is a byte offset, a tensor, a key, a line: whatever finds the place again. `message` is one line for people; text
    from the file in it is clipped and has no control characters.
    """

    rule: str
    severity: Severity
    path: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class NotExamined:
    """Something that matters and was not read or not understood, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Region:
    """A run of bytes in a file that holds one tensor's values, for the pass over the bytes.

    `offset` and `size_bytes` count in the source that was examined (the dispatcher moves them to the file). `dtype` is a lower-case
    name: "f64" "f32" "f16" "bf16" "f8_e4m3" "f8_e5m2" "i64" "i32" "i16" "i8" "u64" "u32" "u16" "u8" "bool" "c64" "c128", "f4"
    and "f6_*" of safetensors, or a GGUF type in lower case ("q8_0", "q4_k", "iq2_xs"). `shape` is row-major, slowest dimension
    first (GGUF's own order reversed); its product is the number of elements.
    """

    tensor: str
    offset: int
    size_bytes: int
    dtype: str
    shape: tuple[int, ...]
    big_endian: bool = False


@dataclass(frozen=True, slots=True)
class Checksum:
    """A run of bytes whose CRC-32 an archive states; the pass over the bytes compares."""

    member: str
    offset: int
    size_bytes: int
    crc32: int


@dataclass(frozen=True, slots=True)
class Template:
    """A chat template as found. `name` is "default" or its own name; `where` says which key or file holds it."""

    path: str
    where: str
    name: str
    text: str


@dataclass
class Examined:
    """What an examiner says of one file or member: filled in place by the examiner.

    `format` is a short lower-case name ("safetensors", "gguf", "pickle", "torch zip", "zip", "json", "text", "png", ...; "unknown" if
    nothing matched). `metadata` holds what the file says of itself (GGUF keys, safetensors `__metadata__`, parsed small JSON
    files under "json"), bounded. `content` is the whole of a small text file (at most KEPT_BYTES), for stages that look across files.
    `not_measured` counts tensors whose values are packed, so that the pass over the file does not meet them.
    """

    path: str
    size_bytes: int = 0
    format: str = "unknown"
    findings: list[Finding] = field(default_factory=list)
    not_examined: list[NotExamined] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    checksums: list[Checksum] = field(default_factory=list)
    templates: list[Template] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    content: bytes | None = None
    not_measured: int = 0


KEPT_BYTES = 1 << 20


@dataclass
class Report:
    """What `inspect` says of one subject: plain data, as it is written to JSON (docs/formats/inspection.md)."""

    subject: dict[str, Any]
    components: list[dict[str, Any]] = field(default_factory=list)
    licences: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    rules: dict[str, dict[str, str]] = field(default_factory=dict)  # of the findings: title, why, fix
    not_examined: list[dict[str, Any]] = field(default_factory=list)
    tensors: dict[str, Any] = field(default_factory=dict)
    fingerprint: dict[str, Any] | None = None
    against: dict[str, Any] | None = None

    def worst(self) -> Severity | None:
        """Return the severity of the worst finding, None where there is none.

        >>> Report({}, findings=[{"severity": "low"}, {"severity": "high"}]).worst()
        <Severity.HIGH: 'high'>
        """
        present = {finding["severity"] for finding in self.findings}
        return next((severity for severity in Severity if severity.value in present), None)
