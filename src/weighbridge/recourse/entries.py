"""The entries of a recourse log. One entry is one line of canonical JSON (RFC 8785); its digest is that of the line without its line feed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter

from weighbridge.digests import Digest, canonical_json
from weighbridge.evidence.attestations import Slug
from weighbridge.evidence.records import Record

RECOURSE_SCHEMA = "weighbridge.recourse/1"
MAX_TEXT = 10_000  # characters of one free text


class Outcome(StrEnum):
    """What became of a contest. All but `pending` close it."""

    UPHELD = "upheld"  # the decision stands
    CHANGED = "changed"  # the decision was changed
    WITHDRAWN = "withdrawn"  # the person took the contest back
    PENDING = "pending"  # not decided yet


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time needs its zone")
    return at.astimezone(UTC)


Time = Annotated[datetime, AfterValidator(_utc)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT, strip_whitespace=True)]
Role = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=8 * MAX_TEXT)]
KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
LogId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class Plain(Record):
    """A free text that anybody may read. It was screened for personal data."""

    kind: Literal["plain"] = "plain"
    text: Words


class Sealed(Record):
    """A free text under a key of its own, which lies in the keys file: without that key nobody can read it (`sealing`)."""

    kind: Literal["sealed"] = "sealed"
    key: KeyId
    nonce: Base64
    sealed: Base64


Text = Annotated[Plain | Sealed, Field(discriminator="kind")]


class Entry(Record):
    """What every entry has: which log, which place in it, when it was written."""

    schema_: Literal["weighbridge.recourse/1"] = Field("weighbridge.recourse/1", alias="schema")
    log: LogId
    number: int = Field(ge=0)
    at: Time

    model_config = Record.model_config | {"populate_by_name": True}

    def canonical(self) -> bytes:
        """Return the entry's line, without its line feed."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))


class Begun(Entry):
    """The first entry: a log begins. `log` is drawn at random, so that no other log has it."""

    kind: Literal["begun"] = "begun"


class Linked(Entry):
    """An entry that follows another: `previous` is the digest of that one's line."""

    previous: Digest


class Opened(Linked):
    """A decision is contested. `case` names the contest, `decision` the kind of decision; neither may name a person.

    `received_on` is the day on which the contest came in: time is counted from there, however late it was written down.
    """

    kind: Literal["opened"] = "opened"
    case: Slug
    decision: Slug
    decided_on: date
    received_on: date
    facts: Text


class Responded(Linked):
    """What became of a contest. `reviewer`: the role of the person who reviewed it; None: no person did."""

    kind: Literal["responded"] = "responded"
    case: Slug
    outcome: Outcome
    reviewer: Role | None
    reasons: Text
    remedy: Text | None


class Erased(Linked):
    """The keys of a contest's sealed texts were deleted: nobody can read these texts any more. `keys`: how many were deleted in all."""

    kind: Literal["erased"] = "erased"
    case: Slug
    keys: int = Field(ge=1)


class Mended(Linked):
    """A write did not finish (a kill, a full disk). What it left, `size` bytes, was never an entry and lies beside the log, `FILE.torn-NUMBER`."""

    kind: Literal["mended"] = "mended"
    size: int = Field(ge=1)
    digest: Digest


AnyEntry = Annotated[Begun | Opened | Responded | Erased | Mended, Field(discriminator="kind")]
ENTRY: TypeAdapter[Begun | Opened | Responded | Erased | Mended] = TypeAdapter(AnyEntry)


def texts_of(entry: Entry) -> tuple[Plain | Sealed, ...]:
    """Return the free texts of an entry."""
    if isinstance(entry, Opened):
        return (entry.facts,)
    if isinstance(entry, Responded):
        return (entry.reasons,) if entry.remedy is None else (entry.reasons, entry.remedy)
    return ()
