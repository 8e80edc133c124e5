"""`weighbridge verify`. Light: it reads digests, and imports no engine and no records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weighbridge.cli.exit_codes import COULD_NOT, MET, NOT_MET
from weighbridge.cli.reading import reading
from weighbridge.cli.saying import say
from weighbridge.errors import UsageError
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.dossier.statements.failures import Problem
    from weighbridge.dossier.statements.keys import PublicKey
    from weighbridge.dossier.statements.verification import Held, Judged, Report

_PATH = click.Path(path_type=Path)
_SIGNATURE = "model.sig"


@click.command(name="verify")
@click.argument("path", type=_PATH, metavar="PATH")
@click.option(
    "--key",
    "keys",
    type=_PATH,
    multiple=True,
    metavar="FILE",
    help="The signer's public key (PEM), from a source that you trust.",
)
@click.option("--model", type=_PATH, metavar="PATH", help="A model that the statements must be about.")
@click.option("--at", metavar="TIME", help="As of this time (2026-11-26T12:00Z), not now.")
@click.option("--against", type=_PATH, multiple=True, metavar="FILE", help="A newer statement that may supersede.")
@click.option("--identity", metavar="NAME", help="Who must have signed without a key, by sigstore.")
@click.option("--issuer", metavar="URL", help="Who knows that name.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    path: Path,
    keys: tuple[Path, ...],
    model: Path | None,
    at: str | None,
    against: tuple[Path, ...],
    identity: str | None,
    issuer: str | None,
    as_json: bool,
) -> int:
    """Verify a dossier's statements, one statement, or a model's signature: by whom, until when, about which bytes.

    PATH is a dossier's folder, a statement's file, a registry's signed notice, or a model with model.sig. Nothing is fetched. Exit codes: 0 verified, 1 not verified
    (each reason has a name), 2 usage, 4 all else holds but nobody's signature was checked (no key was given).
    """
    now = _time(at) if at else datetime.now(UTC)
    if not path.exists():
        raise UsageError("is not there", where=str(path), do="check the path")
    path = path.parent if path.name == "dossier.json" else path
    if _is_model(path):
        if model is not None or against:
            raise UsageError("is a model, not a statement", where=str(path), do="leave out --model and --against")
        return _verify_model(path, keys, now, as_json)
    from weighbridge.dossier.statements.keys import read_public_key
    from weighbridge.dossier.statements.verification import State

    if path.is_file() and _is_notice(path):
        from weighbridge.cli.verified_notice import verify_notice_file

        return verify_notice_file(path, [read_public_key(key) for key in keys], model, now, as_json=as_json)
    report = _report(path, [read_public_key(key) for key in keys], model, now, against, identity, issuer)
    say(json.dumps(_as_json(path, now, report), indent=1) if as_json else _as_text(path, report))
    return {State.VERIFIED: MET, State.FAILED: NOT_MET, State.NOT_CHECKED: COULD_NOT}[report.state]


def _report(
    path: Path,
    keys: Sequence[PublicKey],
    model: Path | None,
    now: datetime,
    against: Sequence[Path],
    identity: str | None,
    issuer: str | None,
) -> Report:
    from weighbridge.dossier.statements.folder import dossier_of, look_at, read_statement_file, read_statements
    from weighbridge.dossier.statements.keyless import hold_bundle, is_bundle
    from weighbridge.dossier.statements.verification import hold, verify_dossier, verify_statement

    def held(data: bytes) -> Held:
        return hold_bundle(data, identity, issuer) if is_bundle(data) else hold(data, keys)

    root = _root_of_model(model, now) if model is not None else None
    newer = {str(file): held(read_statement_file(file)) for file in against}
    if path.is_dir():
        found = {name: held(data) for name, data in read_statements(path).items()}
        return verify_dossier(found, now=now, dossier=look_at(path), model_root=root, against=newer)
    folder = dossier_of(path)
    beside = {name: held(data) for name, data in read_statements(folder).items()} if folder else {}
    beside.pop(path.name, None)
    return verify_statement(
        path.name,
        held(read_statement_file(path)),
        now=now,
        dossier=look_at(folder) if folder else None,
        model_root=root,
        others={**beside, **newer},
    )


def _root_of_model(model: Path, now: datetime) -> str:
    from weighbridge.subject.model_digest import digest_model

    with reading(model) as told:
        return digest_model(model, now=now, progress=lambda what, done, total: told(done, total)).root_digest


def _is_notice(path: Path) -> bool:
    """Return whether a file holds a registry's signed notice. What it is otherwise is told when it is verified."""
    from weighbridge.dossier.statements.envelope import read_envelope
    from weighbridge.dossier.statements.failures import Refused
    from weighbridge.dossier.statements.folder import read_statement_file
    from weighbridge.dossier.statements.strict_json import read_canonical
    from weighbridge.dossier.statements.verification import NOTICE

    try:
        said = read_canonical(read_envelope(read_statement_file(path)).payload, "the statement")
    except Refused:
        return False
    return isinstance(said, dict) and said.get("predicateType") == NOTICE


def _is_model(path: Path) -> bool:
    if path.is_dir():
        return not any((path / name).exists() for name in ("dossier.json", "statements"))
    return path.with_name(path.name + ".sig").exists()


def _verify_model(path: Path, keys: Sequence[Path], now: datetime, as_json: bool) -> int:
    from weighbridge.dossier.statements.failures import Failure
    from weighbridge.subject.model_digest import digest_model
    from weighbridge.subject.signing.trust import State

    if len(keys) > 1:
        raise UsageError("a model's signature is by one key", where="--key", do="give one")
    beside = None if path.is_dir() else path.with_name(path.name + ".sig")
    with reading(path) as told:
        found = digest_model(
            path,
            now=now,
            signature=beside,
            public_key=keys[0] if keys else None,
            progress=lambda what, done, total: told(done, total),
        )
    seen = found.verification
    state = seen.state.value if seen else State.FAILED.value
    reasons = list(seen.reasons) if seen else [f"{Failure.UNSIGNED.value}: there is no {_SIGNATURE}"]
    if as_json:
        record: dict[str, Any] = {"path": str(path), "state": state, "digest": found.root_digest, "reasons": reasons}
        say(json.dumps({**record, "signer": seen.signer if seen else None}, indent=1))
    else:
        say(f"{shown(str(path), 4096)}\n  {state.upper()}: {'; '.join(reasons)}\n  root digest  {found.root_digest}")
        if seen and seen.signer:
            say(f"  signer       {'' if seen.signer_checked else 'NOT CHECKED: '}{seen.signer}")
    codes = {State.VERIFIED.value: MET, State.FAILED.value: NOT_MET, State.NOT_VERIFIED.value: COULD_NOT}
    return codes[state]


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError("not a time", where="--at", do="write it as 2026-11-26T12:00Z") from None


def _as_json(path: Path, now: datetime, report: Report) -> dict[str, Any]:
    return {
        "schema": "weighbridge.verification/1",
        "path": str(path),
        "at": now.isoformat(),
        "state": report.state.value,
        "problems": [_problem(each) for each in report.problems],
        "statements": [_statement(each) for each in report.statements],
        "notes": list(report.notes),
    }


def _statement(judged: Judged) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": judged.name,
        "state": judged.state.value,
        "history": judged.history,
        "statement": judged.digest,
        "signer": judged.signer,
        "problems": [_problem(each) for each in judged.problems],
    }
    if (stated := judged.stated) is not None:
        said |= {
            "predicate_type": stated.predicate_type,
            "subject": stated.root,
            "made_at": stated.made_at.isoformat(),
            "valid_until": stated.valid_until.isoformat(),
            "supersedes": list(stated.supersedes),
            "files": dict(stated.files),
        }
    return said


def _problem(problem: Problem) -> dict[str, str]:
    return {"failure": problem.failure.value, "told": problem.told, "do": problem.failure.do}


def _as_text(path: Path, report: Report) -> str:
    """Return the report for people: what statements share, and each problem with the statements that have it, are said once."""
    current = [each for each in report.statements if not each.history]
    lines = [f"{report.state.value.upper()}: {shown(str(path), 4096)}"]
    lines += [f"  signed by {each}" for each in dict.fromkeys(one.signer for one in current if one.signer)]
    said = [one.stated for one in current if one.stated is not None]
    lines += [f"  about {each}" for each in dict.fromkeys(one.root for one in said)]
    lines += [f"  until {each}" for each in dict.fromkeys(f"{one.valid_until:%Y-%m-%d %H:%M} UTC" for one in said)]
    lines += [f"  {each.state.value}: {shown(each.name, 200)}" for each in current]
    if history := len(report.statements) - len(current):
        lines.append(f"  history: {history:,} older statements, which newer ones have replaced (--json lists them)")
    shared: dict[str, list[str]] = {}
    for judged in current:
        for problem in judged.problems:
            shared.setdefault(str(problem), []).append(shown(judged.name, 200))
    lines += [f"  {each}" for each in report.problems]
    for told, names in shared.items():
        whose = "" if len(names) == len(current) else f" [{', '.join(names)}]"
        lines.append(f"  {told}{whose}")
    return "\n".join([*lines, *(f"  note: {each}" for each in report.notes)])
