"""Every error that weighbridge raises on purpose, and who must act on it.

    WeighbridgeError
    ├── UsageError          the caller: an option, a path, a protocol file
    │   └── TypedFileError  the author of a file: all problems at once, each with its place
    │       ├── ProtocolError     a protocol
    │       ├── ThreatSheetError  a threat sheet
    │       ├── StandardError     a standard
    │       ├── AttestationsError a file of attestations (weighbridge.evidence.attestations)
    │       └── OpennessError     a provider's decisions (weighbridge.evidence.openness)
    ├── SubjectError        the model's files: path, what rule is broken
    ├── EngineError         asking failed on our side or the provider's
    │   ├── MissingExtra    an optional part is not installed
    │   └── ProviderError   an endpoint refused, failed or answered nonsense
    ├── EvidenceError       stored evidence is damaged, incomplete or of another subject
    └── GraderError         a grader could not be loaded or used

The line between them is the third law: what we learn about the subject is evidence (an observation), never an
exception; what fails on our side is one of these, or "not measured", and never a fact about the subject.

Exit codes live in `weighbridge.cli.exit_codes`, not here.
"""

from __future__ import annotations

from collections.abc import Sequence


class WeighbridgeError(Exception):
    """Base of all. `what` happened, `where` (path, address, field), and what to `do` about it.

    >>> print(WeighbridgeError("no such file", where="model.gguf", do="check the path"))
    model.gguf: no such file; check the path
    """

    def __init__(self, what: str, *, where: str | None = None, do: str | None = None) -> None:
        self.what, self.where, self.do = what, where, do
        head = f"{where}: " if where else ""
        tail = f"; {do}" if do else ""
        super().__init__(f"{head}{what}{tail}")


class UsageError(WeighbridgeError):
    """The caller asked for something that cannot be done as asked."""


class TypedFileError(UsageError):
    """A file is wrong. `problems` lists every one, as `place: what`."""

    def __init__(self, problems: Sequence[str], *, where: str | None = None, do: str) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems), where=where, do=do)


class ProtocolError(TypedFileError):
    """A protocol file is wrong."""

    def __init__(self, problems: Sequence[str], *, where: str | None = None) -> None:
        super().__init__(
            problems, where=where, do="`weighbridge protocol` prints a protocol with every field explained"
        )


class ThreatSheetError(TypedFileError):
    """A threat sheet is wrong."""

    def __init__(self, problems: Sequence[str], *, where: str | None = None) -> None:
        super().__init__(
            problems, where=where, do="`weighbridge threat new ID` prints a sheet with every field explained"
        )


class StandardError(TypedFileError):
    """A standard is wrong."""

    def __init__(self, problems: Sequence[str], *, where: str | None = None) -> None:
        super().__init__(
            problems, where=where, do="`weighbridge standard new ID` prints a standard with every field explained"
        )


class SubjectError(WeighbridgeError):
    """The model's files are not what they claim to be, or are not there."""


class EngineError(WeighbridgeError):
    """Asking could not be done."""


class MissingExtra(EngineError):
    """An optional dependency is needed. `extra` is the name to install."""

    def __init__(self, extra: str, why: str) -> None:
        self.extra = extra
        super().__init__(why, do=f"install it with: pip install 'weighbridge[{extra}]'")


class ProviderError(EngineError):
    """A provider failed for good: refused, unknown model, nonsense instead of an answer."""


class EvidenceError(WeighbridgeError):
    """Stored evidence cannot be relied on."""


class GraderError(WeighbridgeError):
    """A grader cannot be loaded or used."""
