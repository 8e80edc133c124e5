"""Attestations: who says that a document exists, of which digest, and how far the work is. Format: docs/formats/attestations.md.

An attestation is a person's word, not a measurement. It becomes evidence of a requirement that asks for a document; which one, and whether the
word is good enough, a standard decides. At most one attestation speaks to a requirement: a later one replaces the earlier in the file. If two
could stand side by side, taking the worse one away would improve a ruling, against the second law.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from weighbridge.digests import Digest, digest_file
from weighbridge.errors import TypedFileError
from weighbridge.evidence.records import Record
from weighbridge.protocol.typed_files import TypedFile, lines_of

ATTESTATIONS_SCHEMA = "weighbridge.attestations/1"
ATTESTATIONS_FILE = "attestations.yaml"
MAX_DOCUMENT_BYTES = 256 * 1024 * 1024


class AttestationsError(TypedFileError):
    """A file of attestations is wrong."""

    def __init__(self, problems: Sequence[str], *, where: str | None = None) -> None:
        super().__init__(
            problems, where=where, do="`weighbridge accountability` writes a file with every field explained"
        )


class Status(StrEnum):
    """How far the work is, by the word of whoever attests. The words of the US federal inventory of AI uses, and "not done"."""

    DONE = "done"
    IN_PROGRESS = "in progress"
    NOT_DONE = "not done"
    WAIVED = "waived"
    NOT_APPLICABLE = "not applicable"


class Standing(StrEnum):
    """How an attestation stands to the document that it names, as found."""

    SAME = "same"  # the document is here, byte for byte
    DIFFERS = "differs"  # a file is here, and it is another
    NOT_HERE = "not here"  # no such file, or none that can be read
    NAMES_NONE = "names none"  # the attestation names no document: nothing was written yet


def _slug(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", text):
        raise ValueError("must be lower-case words joined by hyphens, such as impact-assessment")
    return text


def _of_standard(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.-]*", text):
        raise ValueError("must be STANDARD/REQUIREMENT, such as us-m-25-21/independent-review")
    return text


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if "\\" in text or "\0" in text or path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", text):
        raise ValueError("must be a path below the folder of this file, with forward slashes")
    return text


Slug = Annotated[str, StringConstraints(max_length=80), AfterValidator(_slug)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class Attestation(Record):
    """One word of one person.

    `requirement` ("standard/requirement"): it speaks to that one alone; None: to all that ask for `document`. `file` and `digest` name the
    document; a thing that is done has one. `at` is when it was attested, `valid_until` the last day on which it counts. `independent`: `who` took no
    part in the work. `why` is there unless the work is done or in progress.
    """

    document: Slug
    requirement: Annotated[str, StringConstraints(max_length=170), AfterValidator(_of_standard)] | None = None
    status: Status
    file: Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_inside)] | None = None
    digest: Digest | None = None
    why: Text | None = None
    who: Name
    role: Name
    independent: bool = False
    at: date
    valid_until: date | None = None
    waived_by: Name | None = None
    waived_until: date | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _whole(self) -> Attestation:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        if (self.file is None) != (self.digest is None):
            yield "file and digest come together: the one says where the document is, the other which it is"
        if self.status is Status.DONE and self.digest is None:
            yield "what is done has a document: give file and digest"
        if self.status in (Status.WAIVED, Status.NOT_APPLICABLE, Status.NOT_DONE) and self.why is None:
            yield f"{self.status.value} needs a why"
        if self.valid_until is not None and self.valid_until < self.at:
            yield f"valid_until ({self.valid_until}) is before at ({self.at})"
        waiver = (self.waived_by, self.waived_until)
        if self.status is Status.WAIVED and None in waiver:
            yield "waived needs waived_by and waived_until: a waiver is somebody's, and ends"
        if self.status is not Status.WAIVED and waiver != (None, None):
            yield f"waived_by and waived_until belong to waived, not to {self.status.value}"
        if self.waived_until is not None and self.waived_until < self.at:
            yield f"waived_until ({self.waived_until}) is before at ({self.at})"

    @property
    def until(self) -> date | None:
        """The last day on which it counts: the earlier of `valid_until` and `waived_until`; None: it names none."""
        return min((day for day in (self.valid_until, self.waived_until) if day is not None), default=None)

    def expired(self, today: date) -> bool:
        """Return whether it no longer counts on `today`. Expired evidence is absent."""
        return self.until is not None and self.until < today


class Attestations(Record):
    """A file of attestations. `subject` and `use`, where given, bind it to one model (its digest or identity) and one use."""

    schema_: Literal["weighbridge.attestations/1"] = Field(alias="schema")
    subject: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    use: Slug | None = None
    attestations: tuple[Attestation, ...] = Field(max_length=500)

    model_config = Record.model_config | {"populate_by_name": True}

    @model_validator(mode="after")
    def _one_voice(self) -> Attestations:
        problems = list(self._voices())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _voices(self) -> Iterator[str]:
        """Say where more than one attestation would speak to a requirement."""
        counts = Counter((one.document, one.requirement) for one in self.attestations)
        for (document, requirement), count in counts.items():
            what = document + (f" for {requirement}" if requirement else "")
            if count > 1:
                yield f"{what} is attested {count} times: a later attestation replaces the earlier, it never stands beside it"
            if requirement is not None and (document, None) in counts:
                yield f"{what} is attested although {document} is attested for all requirements: keep one of the two"

    def not_of(self, subject: str, use: str | None) -> str | None:
        """Return why the file does not speak of this subject and use, or None when it does.

        A file that is bound to a use does not speak where no use is declared.

        >>> Attestations(schema="weighbridge.attestations/1", use="benefits-eligibility", attestations=()).not_of("sha256:1", None)
        'the attestations are of the use benefits-eligibility, and no use is declared'
        """
        if self.subject is not None and self.subject != subject:
            return "the attestations are of another subject"
        if self.use is not None and use is None:
            return f"the attestations are of the use {self.use}, and no use is declared"
        if self.use is not None and self.use != use:
            return f"the attestations are of the use {self.use}, not {use}"
        return None

    def find(self, document: str) -> Attestation | None:
        """Return the attestation of a document for all requirements, or None: nobody attested it."""
        return next((one for one in self.attestations if (one.document, one.requirement) == (document, None)), None)


_KIND = TypedFile("attestations", Attestations, AttestationsError)


def load_attestations(path: Path) -> Attestations:
    """Return the attestations in a YAML or TOML file.

    Raises `AttestationsError` with all that is wrong in it, `UsageError` when there is no such file.
    """
    return parse_attestations(_KIND.read(path), str(path))


def parse_attestations(text: str, where: str) -> Attestations:
    """Return the attestations in a text; `where` names it in errors. Raises `AttestationsError`."""
    data = _KIND.parse(text, where)
    toml = where.endswith(".toml")
    return _KIND.check(data, where=where, lines=dict if toml else lambda: lines_of(text))


def standing(attestation: Attestation, folder: Path) -> Standing:
    """Return how the attestation stands to its document; `folder` is that of the file of attestations.

    Reads the document once, in bounded memory. What cannot be read, is no plain file, is larger than `MAX_DOCUMENT_BYTES` or leads out of the
    folder is not here.
    """
    if attestation.file is None or attestation.digest is None:
        return Standing.NAMES_NONE
    try:
        root = folder.resolve()
        path = (root / attestation.file).resolve()
        if not path.is_relative_to(root) or not path.is_file() or path.stat().st_size > MAX_DOCUMENT_BYTES:
            return Standing.NOT_HERE
        return Standing.SAME if digest_file(path) == attestation.digest else Standing.DIFFERS
    except (OSError, RuntimeError, ValueError):  # RuntimeError: links that run in a circle
        return Standing.NOT_HERE


def no_evidence(attestation: Attestation, found: Standing) -> str | None:
    """Return why an attestation is no evidence of what it says, given how it stands to its document; None when it is.

    A document that is not here counts as little as one that differs. Otherwise taking a document away that was changed would improve a ruling,
    against the second law. What is not done, waived or not applicable speaks against the subject, and stands whatever became of a document.
    """
    if attestation.status is not Status.DONE:
        return None
    return {
        Standing.DIFFERS: f"its document ({attestation.file}) is not the one that was attested: its digest differs",
        Standing.NOT_HERE: f"its document ({attestation.file}) is not here, so it cannot be checked",
    }.get(found)


_HEAD = """\
# Attestations: who says that a document exists, of which digest, and how far the work is.
# `weighbridge check` reads this file beside the dossier; `weighbridge accountability --attestations` fills the documents from it.
#
# One entry a document. A later attestation REPLACES the earlier one: two of the same document (and requirement) are an error.
#
#   document       kind of document, such as impact-assessment (standards name what they ask for)
#   requirement    only when it speaks to one requirement alone: STANDARD/REQUIREMENT
#   status         done | in progress | not done | waived | not applicable
#   file, digest   the document, below this folder, and its SHA-256 (`sha256sum FILE`); both needed when done
#   why            needed when not done, waived or not applicable
#   who, role      who says so, and as what; independent: true when that person took no part in the work
#   at             date, in quotes; valid_until: the last day on which it counts
#   waived_by, waived_until   when waived
#   note           anything else
#
# Example, to be copied below `attestations:`
#
#   - document: impact-assessment
#     status: in progress
#     who: A. Person
#     role: programme owner
#     at: "{today}"
#
"""


def new_attestations_text(
    *, today: date, subject: str | None = None, use: str | None = None, documents: Sequence[str] = ()
) -> str:
    """Return a file to begin with, as YAML in which every field is explained. It attests nothing and loads as it is.

    `documents` are named in comments as those that are asked for.

    >>> parse_attestations(new_attestations_text(today=date(2026, 11, 26)), "new").attestations
    ()
    """
    lines = [_HEAD.format(today=today.isoformat()), f"schema: {ATTESTATIONS_SCHEMA}\n"]
    if subject is not None:
        lines.append(
            f"subject: {json.dumps(subject)}  # the model that this is about; of another, nothing here counts\n"
        )
    if use is not None:
        lines.append(f"use: {use}\n")
    lines.extend(f"# to be attested: {document}\n" for document in documents)
    lines.append("attestations: []\n")
    return "".join(lines)
