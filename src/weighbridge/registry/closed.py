"""The statement about a weighing of a model that has no digest: it is about the dossier, and says whose model it was and when.

Anything may answer at an endpoint tomorrow, so no statement can be about the model's bytes. This one is about `dossier.json`: "on this day, what
answered as NAME by PROVIDER did this". It is an in-toto Statement in the same DSSE envelope as the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from weighbridge.digests import Digest, canonical_json
from weighbridge.dossier.statements.failures import Failure, Refused
from weighbridge.dossier.statements.predicate import Time
from weighbridge.dossier.statements.strict_json import read_canonical
from weighbridge.dossier.statements.verification import STATEMENT_TYPE, WEIGHING
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Record

CLOSED = WEIGHING.replace("/weighing/", "/closed-weighing/")
MAX_DAYS = 3_660
NO_DIGEST = "no digest"

Word = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069/]{1,120}$")]
"""A name to show: one line, no slash, and nothing that turns the writing round."""


class ClosedPredicate(Record):
    """Whose model, under which name, and which files of the dossier. `weighed_at` is the dossier's: the date of the model."""

    provider: Word
    name: Word
    weighed_at: Time
    made_by: str = Field(max_length=200)
    made_at: Time
    valid_until: Time
    supersedes: tuple[Digest, ...] = Field(max_length=1_000)
    files: dict[str, Digest] = Field(max_length=20)


@dataclass(frozen=True)
class ClosedStated:
    """What such a statement says, and the dossier it is about."""

    dossier: str
    said: ClosedPredicate


def state_closed(
    files: Mapping[str, str],
    *,
    provider: str,
    name: str,
    weighed_at: datetime,
    made_by: str,
    now: datetime,
    valid_for: timedelta,
    supersedes: Iterable[str] = (),
) -> bytes:
    """Return the statement's payload, to be signed. `files`: digests of the dossier's files by name. Raises `UsageError`."""
    if not timedelta(0) < valid_for <= timedelta(days=MAX_DAYS):
        raise UsageError(f"statements hold for 1 to {MAX_DAYS} days", where="--valid-for", do="choose a number of days")
    made_at = now.astimezone(UTC).replace(microsecond=0)
    try:
        said = ClosedPredicate(
            provider=provider,
            name=name,
            weighed_at=weighed_at.astimezone(UTC),
            made_by=made_by,
            made_at=made_at,
            valid_until=made_at + valid_for,
            supersedes=tuple(sorted(set(supersedes))),
            files=dict(files),
        )
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UsageError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            where="--closed",
            do="give a provider and a name of up to 120 letters, without a slash",
        ) from None
    subject = {"name": "dossier.json", "digest": {"sha256": files["dossier.json"].removeprefix("sha256:")}}
    statement = {"_type": STATEMENT_TYPE, "subject": [subject], "predicateType": CLOSED}
    return canonical_json({**statement, "predicate": said.model_dump(mode="json")})


def read_closed(payload: bytes) -> ClosedStated:
    """Return what a signed payload says of a closed model. Raises `Refused`."""
    found = read_canonical(payload, "the statement")
    if not isinstance(found, dict) or found.get("_type") != STATEMENT_TYPE:
        raise Refused(Failure.NOT_A_STATEMENT, "the signed text is not an in-toto Statement v1")
    if found.get("predicateType") != CLOSED:
        raise Refused(Failure.UNKNOWN_PREDICATE, "it is not about a model that has no digest")
    try:
        said = ClosedPredicate.model_validate_json(canonical_json(found.get("predicate")))
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise Refused(Failure.BROKEN_PREDICATE, f"its {place or 'predicate'} is not as it should be") from None
    digest = said.files.get("dossier.json", "")
    if found.get("subject") != [{"name": "dossier.json", "digest": {"sha256": digest.removeprefix("sha256:")}}]:
        raise Refused(Failure.BROKEN_PREDICATE, "it is not about the dossier that it binds")
    if said.valid_until <= said.made_at:
        raise Refused(Failure.BROKEN_PREDICATE, "it ends before it begins")
    return ClosedStated(digest, said)
