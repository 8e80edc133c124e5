"""Signs a dossier: reads it, builds its statements, has them signed, and writes them into its folder. The clock is the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from weighbridge.digests import digest_bytes
from weighbridge.dossier.exports.files import CHECK_SCHEMA, TERMS_FILE, read_source
from weighbridge.dossier.statements.building import Grounds, Statement, build, stated_subject
from weighbridge.dossier.statements.envelope import read_envelope
from weighbridge.dossier.statements.failures import Refused
from weighbridge.dossier.statements.folder import look_at, read_statement_file, read_statements, write_statements
from weighbridge.dossier.statements.keyless import is_bundle, payload_in
from weighbridge.dossier.statements.verification import read_statement
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.standards.rulings import StandardRuling

MAX_TERMS_BYTES = 16 << 20

Seal = Callable[[bytes], bytes]
"""Makes the signed file of a payload."""


def sign_dossier(
    dossier: Path,
    seal: Seal,
    *,
    suffix: str,
    made_by: str,
    now: datetime,
    valid_for: timedelta,
    supersedes: Iterable[Path] = (),
) -> list[Path]:
    """Write the statements of a dossier, signed with `seal`; return where they are, the weighing last.

    They take the place of every earlier statement about the same subject in the folder, and of `supersedes`; those stay there. Raises
    `UsageError` and `EvidenceError` for a dossier that cannot be read or stated; nothing is written then.
    """
    source = read_source(dossier)
    grounds = Grounds(
        record=source.record,
        files=look_at(dossier).files,
        rulings=read_terms(dossier / TERMS_FILE),
        inspection=(source.inspection or {}).get(source.record.candidate.identity),
    )
    if grounds.files.get("dossier.json") != source.dossier:
        raise EvidenceError(
            "is not in its canonical form", where=str(dossier / "dossier.json"), do="write the dossier anew"
        )
    if source.record.inspection is not None and "inspection.json" not in grounds.files:
        raise EvidenceError(
            "is not there, and dossier.json names it",
            where=str(dossier / "inspection.json"),
            do="take the whole dossier",
        )
    _check_evidence(dossier, grounds)
    root = stated_subject(source.record.candidate).root
    older = {*_earlier(dossier, root), *(_named(path) for path in supersedes)}
    statements = build(grounds, made_by=made_by, now=now, valid_for=valid_for, supersedes=older)
    return write_statements(dossier, {_file_name(each, now, suffix): seal(each.payload) for each in statements})


def read_terms(path: Path) -> tuple[StandardRuling, ...] | None:
    """Return the rulings in a `terms.json`: a list of them, or what `weighbridge check --json` prints. None when there is none.

    Raises `EvidenceError` when it is neither.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TERMS_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path), do="check the path") from error
    if len(data) > MAX_TERMS_BYTES:
        raise EvidenceError(f"more than {MAX_TERMS_BYTES:,} bytes", where=str(path), do="rule on the dossier again")
    try:
        found = from_json(data, allow_inf_nan=False)
        if isinstance(found, dict) and found.get("schema") == CHECK_SCHEMA:
            found = found.get("rulings")
        return tuple(TypeAdapter(list[StandardRuling]).validate_json(to_json(found)))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "list"
        raise EvidenceError(
            f"not a list of rulings ({place}: {first['msg']})", where=str(path), do="rule on the dossier again"
        ) from error
    except ValueError as error:
        raise EvidenceError("this is not JSON", where=str(path), do="rule on the dossier again") from error


def _check_evidence(dossier: Path, grounds: Grounds) -> None:
    """Raise `EvidenceError` when the evidence that lies there is not the evidence that the dossier was made from."""
    for name, expected in (("evidence.jsonl", grounds.record.evidence), ("protocol.toml", None)):
        if name not in grounds.files:
            raise EvidenceError("is not there", where=str(dossier / name), do="take the whole dossier")
        if expected is not None and grounds.files[name] != expected:
            raise EvidenceError(
                "is not the evidence that dossier.json names",
                where=str(dossier / name),
                do="take both from the same run",
            )


def _earlier(dossier: Path, root: str) -> set[str]:
    """Return the statements about the subject `root` that lie in the dossier's folder, whoever signed them."""
    found = set()
    for data in read_statements(dossier).values():
        try:
            payload = payload_of(data)
            if read_statement(payload).root == root:
                found.add(digest_bytes(payload))
        except Refused:
            continue  # whatever it is, it is no earlier statement; `verify` says what is wrong with it
    return found


def _named(path: Path) -> str:
    try:
        payload = payload_of(read_statement_file(path))
        read_statement(payload)
    except Refused as refused:
        raise UsageError(refused.problem.told, where=str(path), do="name a statement to supersede") from None
    return digest_bytes(payload)


def payload_of(data: bytes) -> bytes:
    """Return the payload in an envelope or in a sigstore bundle, unverified. Raises `Refused`."""
    return payload_in(data) if is_bundle(data) else read_envelope(data).payload


def _file_name(statement: Statement, now: datetime, suffix: str) -> str:
    return f"{now:%Y%m%dT%H%M%SZ}-{statement.kind}-{statement.digest.removeprefix('sha256:')[:12]}{suffix}"
