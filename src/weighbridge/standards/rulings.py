"""What a standard says of a subject: one ruling for each requirement, with the evidence that it stands on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from weighbridge.digests import Digest
from weighbridge.evidence.provenance import Provenance
from weighbridge.evidence.records import Record


class Ruling(StrEnum):
    """The four answers. There is no fifth, and "not shown" is neither good nor bad news about the subject."""

    MET = "met"
    NOT_MET = "not met"
    NOT_SHOWN = "not shown"
    NOT_APPLICABLE = "not applicable"


class Strength(StrEnum):
    """How much a standard asks for a requirement, where this was declared. Only what is required decides for the whole."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    OPTIONAL = "optional"
    UNKNOWN = "unknown"  # nobody has checked how much the source asks for it here


class Used(Record):
    """One piece of evidence that a ruling read. `shown` is its value in words; `source` is where it is in the dossier or which file."""

    name: str
    shown: str
    source: str
    made_at: datetime | None = None
    made_elsewhere: str | None = None  # the tool that made it, when it was not this program


class Lacking(Record):
    """One piece of evidence that a ruling wanted and did not have, and why not."""

    name: str
    why: str


class RequirementRuling(Record):
    """The ruling on one requirement.

    `because` says why in words. `would_change` says what would change it: for "not shown" what is wanted, for the others which evidence
    would have to be otherwise. `partial`: the requirement is not met whole, but its lesser form is. `provenance` and `cited` are
    the requirement's; `remarks` are what every reader must see beside it ("not checked against the source").
    """

    requirement: str
    title: str
    says: str
    topic: str
    strength: Strength
    ruling: Ruling
    partial: bool = False
    because: str
    would_change: tuple[str, ...] = ()
    used: tuple[Used, ...] = ()
    lacking: tuple[Lacking, ...] = ()
    cited: str
    provenance: Provenance
    remarks: tuple[str, ...] = ()


class LevelRuling(Record):
    """The ruling on one level of a standard that has levels (a class, a stage). `lacks`: requirements that stand between."""

    level: str
    title: str
    ruling: Ruling
    lacks: tuple[str, ...] = ()


class StandardRuling(Record):
    """What one standard says of one subject at one time under what was declared.

    `reached` is the highest level that is met, None when none is or the standard has no levels. `superseded_by` is the id of the standard
    that replaced this one.
    """

    schema_: Literal["weighbridge.rulings/1"] = Field("weighbridge.rulings/1", alias="schema")
    standard: str
    title: str
    publisher: str
    version: str
    standard_digest: Digest
    in_force: bool
    superseded_by: str | None = None
    subject: str
    dossier: Digest
    at: datetime
    context: dict[str, str]
    ruling: Ruling
    because: str
    requirements: tuple[RequirementRuling, ...]
    levels: tuple[LevelRuling, ...] = ()
    reached: str | None = None
    notes: tuple[str, ...] = ()

    model_config = Record.model_config | {"populate_by_name": True}


def over_all(rulings: Iterable[Ruling]) -> Ruling:
    """Return the ruling on requirements that must all be met. None at all, or none that applies: not applicable.

    >>> over_all([Ruling.MET, Ruling.NOT_SHOWN]).value, over_all([Ruling.NOT_SHOWN, Ruling.NOT_MET]).value, over_all([]).value
    ('not shown', 'not met', 'not applicable')
    """
    found = set(rulings)
    for worst in (Ruling.NOT_MET, Ruling.NOT_SHOWN, Ruling.MET):
        if worst in found:
            return worst
    return Ruling.NOT_APPLICABLE
