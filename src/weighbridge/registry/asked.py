"""What is asked of a registry and what it answers, whether its database is here or behind an address. Needs no database."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from weighbridge.digests import Digest
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Record
from weighbridge.subject.shown import shown

MIN_PREFIX = 12
MAX_CANDIDATES = 100

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")


class Candidate(Record):
    """A digest that begins as asked: whether it is a root digest or one weight file's, and what it belongs to."""

    digest: Digest
    is_root: bool
    label: str


class Candidates(Record):
    """The digests that begin as asked, in order, at most 100."""

    schema_: Literal["weighbridge.candidates/1"] = Field("weighbridge.candidates/1", alias="schema")
    asked: str
    candidates: tuple[Candidate, ...]

    model_config = Record.model_config | {"populate_by_name": True}


class Published(Record):
    """What became of an upload. `publication` names it; `new` false: it was here already, whole."""

    schema_: Literal["weighbridge.published/1"] = Field("weighbridge.published/1", alias="schema")
    publication: Digest
    subject: str
    signer: str
    signer_known: bool
    is_new: bool = Field(alias="new")

    model_config = Record.model_config | {"populate_by_name": True}


def digest_asked(text: str) -> str:
    """Return `text`, a whole digest or its first 12 hexadecimal digits or more, as `sha256:...`. Raises `UsageError`.

    >>> digest_asked("ABCDEF012345")
    'sha256:abcdef012345'
    """
    found = _HEX.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(
            f"not a digest: {shown(text)}",
            where="DIGEST",
            do=f"give 64 hexadecimal digits of SHA-256, or the first {MIN_PREFIX} or more",
        )
    return "sha256:" + found[1]
