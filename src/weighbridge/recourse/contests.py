"""What a person does with a recourse log: open a contest, respond to it, read it, erase what was sealed in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.errors import UsageError
from weighbridge.recourse.cases import Case, cases_of
from weighbridge.recourse.entries import Erased, Opened, Outcome, Plain, Responded, Sealed, texts_of
from weighbridge.recourse.log import Clock, Log, Writer, now, writing
from weighbridge.recourse.screening import refuse_personal_data

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    from weighbridge.recourse.export import Reading

_NEVER = "name contests, kinds and roles without personal data: they are never encrypted"
_SEAL = "leave it out, or encrypt the text: --encrypt-for PUBLIC_KEY"


def open_contest(
    log: Path,
    *,
    case: str,
    decision: str,
    decided_on: date,
    facts: str,
    received_on: date | None = None,
    encrypt_for: X25519PublicKey | None = None,
    clock: Clock = now,
) -> Opened:
    """Write that a decision is contested, beginning the log where there is none; return the entry.

    `received_on` None: today (UTC). Raises `UsageError` for personal data in the clear, dates out of order and a reference that is taken;
    `EvidenceError` when the log is not whole.
    """
    _screen({"case": case, "decision": decision}, {"facts": facts}, encrypt_for)
    with writing(log, clock=clock, begin=True) as writer:
        (told,) = _texts(writer, case, [facts], encrypt_for)
        received = received_on or clock().date()
        return writer.append(
            Opened, case=case, decision=decision, decided_on=decided_on, received_on=received, facts=told
        )


def respond(
    log: Path,
    *,
    case: str,
    outcome: Outcome,
    reviewer: str | None,
    reasons: str,
    remedy: str | None = None,
    encrypt_for: X25519PublicKey | None = None,
    clock: Clock = now,
) -> Responded:
    """Write what became of a contest; return the entry. `reviewer` None: no person reviewed it. `Outcome.PENDING` is a note on the way.

    Raises `UsageError` for personal data in the clear, for a contest that is not there and for one that has its outcome.
    """
    texts = {"reasons": reasons} | ({"remedy": remedy} if remedy is not None else {})
    _screen({"case": case, **({"reviewer": reviewer} if reviewer else {})}, texts, encrypt_for)
    with writing(log, clock=clock) as writer:
        told = _texts(writer, case, list(texts.values()), encrypt_for)
        return writer.append(
            Responded,
            case=case,
            outcome=outcome,
            reviewer=reviewer,
            reasons=told[0],
            remedy=told[1] if len(told) > 1 else None,
        )


def erase(log: Path, *, case: str, clock: Clock = now) -> Erased:
    """Delete the keys of a contest's sealed texts, so that nobody can read them, and write that it was done; return the entry.

    The keys go first: when it is broken off, it can be done again. Raises `UsageError` when nothing of the contest is sealed, or all is erased.
    """
    from weighbridge.recourse.sealing import read_keys, write_keys

    with writing(log, clock=clock) as writer:
        entries = writer.chain.entries
        find_case(cases_of(entries), case, log)
        sealed = [
            text.key
            for entry in entries
            if isinstance(entry, Opened | Responded) and entry.case == case
            for text in texts_of(entry)
            if isinstance(text, Sealed)
        ]
        if not sealed:
            raise UsageError(f"nothing of {case} is encrypted, so nothing can be erased", where=str(log), do=_SEAL)
        keys = read_keys(writer.path, entries[0].log)
        noted = max((entry.keys for entry in entries if isinstance(entry, Erased) and entry.case == case), default=0)
        if noted == len(sealed) and not keys.keys.keys() & set(sealed):
            raise UsageError(f"the texts of {case} are erased already", where=str(log))
        left = {name: wrapped for name, wrapped in keys.keys.items() if name not in sealed}
        write_keys(writer.path, keys.model_copy(update={"keys": left}))
        return writer.append(Erased, case=case, keys=len(sealed))


def find_case(cases: tuple[Case, ...], case: str, log: Path) -> Case:
    """Return the contest of this reference. Raises `UsageError` when there is none."""
    found = next((one for one in cases if one.reference == case), None)
    if found is None:
        raise UsageError(f"no contest {case!r} was opened", where=str(log), do="`weighbridge recourse list` names them")
    return found


def reading_with(log: Log, private: X25519PrivateKey) -> Reading:
    """Return what reads the texts of a log with a private key. What is erased says so."""
    from weighbridge.recourse.export import ERASED
    from weighbridge.recourse.sealing import read_keys, unseal

    keys = read_keys(log.path, log.entries[0].log)

    def read(text: Plain | Sealed, case: Case) -> str:
        found = unseal(text, keys, private, case=case.reference)
        return ERASED if found is None else found

    return read


def _screen(names: Mapping[str, str], texts: Mapping[str, str], encrypt_for: X25519PublicKey | None) -> None:
    refuse_personal_data(names, instead=_NEVER)
    if encrypt_for is None:
        refuse_personal_data(texts, instead=_SEAL)


def _texts(
    writer: Writer, case: str, texts: list[str], encrypt_for: X25519PublicKey | None
) -> list[Plain | Sealed | dict[str, str]]:
    """Return the texts as they go into the log; their keys are on the disk before the entry that needs them is."""
    if encrypt_for is None:
        return [{"kind": "plain", "text": text} for text in texts]
    from weighbridge.recourse.sealing import read_keys, seal, write_keys

    log_id = writer.chain.entries[0].log
    keys = read_keys(writer.path, log_id)
    sealed = [seal(text, encrypt_for, log=log_id, case=case) for text in texts]
    added = {text.key: wrapped for text, wrapped in sealed}
    write_keys(writer.path, keys.model_copy(update={"keys": {**keys.keys, **added}}))
    return [text for text, _ in sealed]
