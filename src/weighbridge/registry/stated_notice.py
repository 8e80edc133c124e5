"""A notice as a signed statement: an in-toto Statement in a DSSE envelope, so that it holds away from the service that gave it.

It says what this registry knew at one time. It holds for a day, and never longer than the results that it counts: a notice that could be shown for
ever would outlive its revocation. Format: docs/formats/notices.md. Nothing here needs a database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field, ValidationError

from weighbridge.digests import Digest, canonical_json
from weighbridge.dossier.statements.failures import Failure, Problem, Refused
from weighbridge.dossier.statements.keys import PublicKey
from weighbridge.dossier.statements.predicate import Time
from weighbridge.dossier.statements.strict_json import read_canonical
from weighbridge.dossier.statements.verification import NOTICE, SKEW, STATEMENT_TYPE, hold
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Record
from weighbridge.registry.notices import Notice, Standing

LASTS = timedelta(hours=24)


class NoticePredicate(Record):
    """The notice, word for word, by whom it is given, and until when it may be relied on."""

    publisher: str = Field(max_length=200)
    made_by: str = Field(max_length=200)
    made_at: Time
    valid_until: Time
    notice: Notice


@dataclass(frozen=True)
class StatedNotice:
    """A notice that was signed: who by (None: nobody's signature was checked), and what it says. `problems`: why not to rely on it."""

    digest: str
    signer: str | None
    said: NoticePredicate | None
    problems: tuple[Problem, ...]

    @property
    def is_verified(self) -> bool:
        """Whether it may be relied on."""
        return not self.problems


def state_notice(notice: Notice, *, publisher: str, made_by: str) -> bytes:
    """Return the payload of the statement of `notice`, to be signed.

    Its subject is the digest that was asked for. A closed model has none: the subjects are then the dossiers that the notice lists. Raises
    `UsageError` when there is none of those either.
    """
    made_at = notice.at.astimezone(UTC).replace(microsecond=0)
    ends = [each.valid_until for each in notice.entries if each.stands is Standing.CURRENT]
    until = min([made_at + LASTS, *(each.astimezone(UTC).replace(microsecond=0) for each in ends)])
    if until <= made_at:  # what ends within this second
        until = made_at + timedelta(seconds=1)
    said = NoticePredicate(
        publisher=publisher[:200], made_by=made_by, made_at=made_at, valid_until=until, notice=notice
    )
    statement = {"_type": STATEMENT_TYPE, "subject": _subjects(notice), "predicateType": NOTICE}
    return canonical_json({**statement, "predicate": said.model_dump(mode="json", by_alias=True)})


def read_notice(payload: bytes) -> NoticePredicate:
    """Return what a signed payload says. Raises `Refused`."""
    found = read_canonical(payload, "the statement")
    if not isinstance(found, dict) or found.get("_type") != STATEMENT_TYPE:
        raise Refused(Failure.NOT_A_STATEMENT, "the signed text is not an in-toto Statement v1")
    if found.get("predicateType") != NOTICE:
        raise Refused(Failure.UNKNOWN_PREDICATE, "it is not a notice")
    try:
        said = NoticePredicate.model_validate_json(canonical_json(found.get("predicate")))
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        raise Refused(Failure.BROKEN_PREDICATE, f"its {place or 'predicate'} is not as it should be") from None
    try:
        subjects = _subjects(said.notice)
    except UsageError:
        subjects = []
    if not subjects or found.get("subject") != subjects:
        raise Refused(Failure.BROKEN_PREDICATE, "it is not about what its notice is of")
    if said.valid_until <= said.made_at:
        raise Refused(Failure.BROKEN_PREDICATE, "it ends before it begins")
    return said


def verify_notice(
    data: bytes, keys: Sequence[PublicKey], *, now: datetime, digests: Sequence[Digest] = ()
) -> StatedNotice:
    """Return what the file of a signed notice says, and whether it holds at `now`.

    `keys`: of the services that may have given it. `digests`: those of the model at hand (its root, or its one file), one of which it must be
    about; none: any. Whatever the file is, that is told and not raised.
    """
    held = hold(data, keys)
    if isinstance(held, Problem):
        return StatedNotice("", None, None, (held,))
    problems = [held.problem] if held.problem is not None else []
    try:
        said = read_notice(held.payload)
    except Refused as refused:
        return StatedNotice(held.digest, held.signer, None, (*problems, refused.problem))
    problems += _of_time(said, now)
    if digests and said.notice.asked not in digests:
        told = f"it is about {said.notice.asked[:300]}, and the model at hand is {digests[0]}"
        problems.append(Problem(Failure.OTHER_MODEL, told))
    return StatedNotice(held.digest, held.signer, said, tuple(problems))


def _subjects(notice: Notice) -> list[dict[str, Any]]:
    if notice.asked.startswith("sha256:"):
        return [{"name": "weights", "digest": {"sha256": notice.asked.removeprefix("sha256:")}}]
    dossiers = sorted({each.dossier for each in notice.entries})
    if not dossiers:
        raise UsageError(
            "a statement needs a digest, and of a closed model there is only that of a published dossier",
            where=notice.asked,
            do="ask again when something is published, or read notice.json",
        )
    return [{"name": "dossier.json", "digest": {"sha256": each.removeprefix("sha256:")}} for each in dossiers]


def _of_time(said: NoticePredicate, now: datetime) -> list[Problem]:
    if said.made_at > now + SKEW:
        return [Problem(Failure.NOT_YET_VALID, f"given at {said.made_at:%Y-%m-%d %H:%M:%S} UTC, which is not yet")]
    if now >= said.valid_until:
        return [Problem(Failure.EXPIRED, f"it held until {said.valid_until:%Y-%m-%d %H:%M:%S} UTC")]
    return []
