"""What of an upload holds: its signatures, its files, its subject. Pure: keys and the time come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from weighbridge.digests import canonical_json, digest_bytes
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.statements.building import stated_subject
from weighbridge.dossier.statements.envelope import Signed, read_envelope
from weighbridge.dossier.statements.failures import Failure, Problem, Refused
from weighbridge.dossier.statements.keyless import hold_bundle, is_bundle
from weighbridge.dossier.statements.keys import PublicKey
from weighbridge.dossier.statements.predicate import Binding, StatedSubject, weighing
from weighbridge.dossier.statements.strict_json import read_canonical
from weighbridge.dossier.statements.verification import (
    SKEW,
    WEIGHING,
    Dossier,
    Held,
    State,
    hold,
    root_in,
    verify_dossier,
)
from weighbridge.errors import WeighbridgeError
from weighbridge.registry.closed import ClosedStated, read_closed
from weighbridge.registry.notices import Facts, facts_from
from weighbridge.registry.problems import NotAdmitted
from weighbridge.registry.upload import Upload
from weighbridge.standards.rulings import StandardRuling
from weighbridge.subject.shown import shown

# The components whose bytes are the weights; the others (tokenizer, configuration) are shared by models that have nothing else in common.
WEIGHTS = ("model parameters", "adapter")
# What a notice repeats of every dossier. Real ones have a few thousand letters; one of megabytes would make every notice that size.
MAX_FACTS = 64 << 10


@dataclass(frozen=True)
class Admitted:
    """What is known of an upload that holds. `envelope` is the digest of the file of the statement that it is published by.

    `root` None: a closed model, which `provider` and `name` name. `signer` is only what the envelope says when not `signer_known`.
    `weights`: digests of the weight files.
    """

    envelope: str
    statement: str
    dossier: str
    root: str | None
    provider: str | None
    name: str | None
    made_at: datetime
    valid_until: datetime
    supersedes: tuple[str, ...]
    signer: str
    signer_known: bool
    weights: tuple[str, ...]
    facts: Facts


def admit(upload: Upload, keys: Sequence[PublicKey], now: datetime) -> Admitted:
    """Return what an upload says, when it holds whole at `now`. `keys`: those that the registry trusts. Raises `NotAdmitted`."""
    record = _record(upload)
    files = {name: digest_bytes(data) for name, data in upload.bound.items()}
    if record.candidate.digest is None:
        return _admit_closed(upload, record, files, keys, now)
    try:
        subject = stated_subject(record.candidate)
    except WeighbridgeError as error:
        raise NotAdmitted([str(error)], where=upload.where) from error
    root = root_in(upload.files["dossier.json"])
    held = {name: _hold(data, keys) for name, data in upload.statements.items()}
    report = verify_dossier(held, now=now, dossier=Dossier(files, root))
    if report.state is State.FAILED:
        judged_in_turn = sorted(report.statements, key=lambda one: one.history)  # what is of the past comes last
        told = [str(each) for each in report.problems]
        told += [
            f"{shown(one.name)}: {each}"
            for one in judged_in_turn
            for each in one.problems
            if not each.failure.is_lack  # an unknown signer is no reason
        ]
        raise NotAdmitted(told, where=upload.where)
    current = [each for each in report.statements if not each.history]
    whole = [each for each in current if each.stated is not None and each.stated.predicate_type == WEIGHING]
    if len(whole) != 1 or whole[0].stated is None or whole[0].digest is None:
        raise NotAdmitted([f"{len(whole)} statements of the weighing hold at once: publish them one by one"])
    judged, stated = whole[0], whole[0].stated
    if root != subject.root or stated.root != root:
        raise NotAdmitted(["the files of the dossier's subject do not make the root that was signed"])
    is_known = all(each.state is State.VERIFIED for each in current)
    weights = {file.digest for part in record.candidate.components if part.name in WEIGHTS for file in part.files}
    data = upload.statements[judged.name]
    payload = held[judged.name]
    assert isinstance(payload, Signed)  # it was read as a statement
    return Admitted(
        envelope=digest_bytes(data),
        statement=judged.digest or "",
        dossier=files["dossier.json"],
        root=root,
        provider=None,
        name=None,
        made_at=stated.made_at,
        valid_until=stated.valid_until,
        supersedes=stated.supersedes,
        signer=judged.signer if is_known and judged.signer else _claimed(data),
        signer_known=is_known,
        weights=tuple(sorted(weights)),
        facts=_bounded(
            facts_from(
                record, _rulings(payload.payload, record, subject, files["dossier.json"]), weight_files=len(weights)
            )
        ),
    )


def _admit_closed(
    upload: Upload, record: DossierRecord, files: dict[str, str], keys: Sequence[PublicKey], now: datetime
) -> Admitted:
    found: list[tuple[bytes, Signed, ClosedStated]] = []
    reasons = []
    for name, data in upload.statements.items():
        held = _hold(data, keys)
        try:
            if isinstance(held, Problem):
                raise Refused(held.failure, held.told)
            if held.problem is not None and not held.problem.failure.is_lack:
                raise Refused(held.problem.failure, held.problem.told)
            found.append((data, held, read_closed(held.payload)))
        except Refused as refused:
            reasons.append(f"{shown(name)}: {refused.problem}")
    if not found and not reasons:
        reasons.append(str(Problem(Failure.UNSIGNED, "there is no statement of the weighing")))
    if reasons:
        raise NotAdmitted(reasons, where=upload.where)
    data, held, stated = max(found, key=lambda each: each[2].said.made_at)
    said = stated.said
    if said.files != files:
        raise NotAdmitted([str(Problem(Failure.CHANGED_FILE, "the files are not those that were signed"))])
    if said.weighed_at != record.made_at.replace(microsecond=0):
        raise NotAdmitted(["the statement's date is not the dossier's"], where=upload.where)
    if not said.made_at <= now + SKEW:
        raise NotAdmitted([str(Problem(Failure.NOT_YET_VALID, "made at a time that is not yet"))])
    if now >= said.valid_until:
        raise NotAdmitted([str(Problem(Failure.EXPIRED, f"it held until {said.valid_until:%Y-%m-%d %H:%M} UTC"))])
    return Admitted(
        envelope=digest_bytes(data),
        statement=held.digest,
        dossier=stated.dossier,
        root=None,
        provider=said.provider,
        name=said.name,
        made_at=said.made_at,
        valid_until=said.valid_until,
        supersedes=said.supersedes,
        signer=held.signer or _claimed(data),
        signer_known=held.problem is None,
        weights=(),
        facts=_bounded(facts_from(record, None, weight_files=0)),
    )


def _bounded(facts: Facts) -> Facts:
    """Return the facts. Raises `NotAdmitted` when they are more than a notice can repeat, or cannot be kept by every database."""
    if (size := len(facts.model_dump_json())) > MAX_FACTS:
        raise NotAdmitted([f"what a notice repeats of this dossier has {size:,} letters, and {MAX_FACTS:,} are taken"])
    if "\0" in facts.label:
        raise NotAdmitted(["the model's label holds a null character"])
    return facts


def _record(upload: Upload) -> DossierRecord:
    data = upload.files["dossier.json"]
    try:
        read_canonical(data, "dossier.json")  # within bounds, before a record is made of it
        return DossierRecord.model_validate_json(data)
    except Refused as refused:
        raise NotAdmitted([str(refused.problem)], where=upload.where) from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = shown(".".join(map(str, first["loc"])))
        raise NotAdmitted([f"dossier.json is no dossier of this version ({place}: {first['msg']})"]) from None


def _hold(data: bytes, keys: Sequence[PublicKey]) -> Held:
    """Return what a statement's file holds. A signer whom nobody here knows is no failure; a known one's bad signature is."""
    if is_bundle(data):
        return hold_bundle(data, None, None)
    held = hold(data, keys)
    if isinstance(held, Signed) and held.problem is not None and held.problem.failure is Failure.WRONG_KEY:
        return hold(data, ())
    return held


def _claimed(data: bytes) -> str:
    if is_bundle(data):
        return "not checked: a keyless signature"
    try:
        return "not checked: " + shown(read_envelope(data).signatures[0].keyid, 100)
    except Refused:  # pragma: no cover - it was read before
        return "not checked"


def _rulings(
    payload: bytes, record: DossierRecord, subject: StatedSubject, dossier: str
) -> tuple[StandardRuling, ...] | None:
    """Return the rulings that were signed, None when no standard was asked.

    Raises `NotAdmitted` when the statement says anything else than what its own dossier makes it say: a rosy statement beside an adverse
    dossier would be signed and bound, and false.
    """
    said = read_canonical(payload, "the statement")["predicate"]
    try:
        binding = Binding.model_validate_json(canonical_json({name: said.get(name) for name in Binding.model_fields}))
        rulings = TypeAdapter(tuple[StandardRuling, ...]).validate_json(canonical_json(said.get("rulings")))
    except ValidationError:
        raise NotAdmitted([str(Problem(Failure.BROKEN_PREDICATE, "it is not a weighing as signed here"))]) from None
    if any(each.dossier != dossier for each in rulings):
        raise NotAdmitted(["the statement's rulings are of another dossier"])
    for are_ruled in (True, False):
        made = weighing(record, dossier=dossier, subject=subject, binding=binding, rulings=rulings, are_ruled=are_ruled)
        if canonical_json(made.model_dump(mode="json", by_alias=True)) == canonical_json(said):
            return rulings if are_ruled else None
    raise NotAdmitted(["the statement of the weighing does not say what its dossier says: sign the dossier again"])
