"""`weighbridge verify` of a registry's signed notice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.cli.exit_codes import COULD_NOT, MET, NOT_MET
from weighbridge.cli.reading import reading
from weighbridge.cli.saying import say
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.dossier.statements.keys import PublicKey
    from weighbridge.dossier.statements.verification import State
    from weighbridge.registry.stated_notice import StatedNotice


def verify_notice_file(
    path: Path, keys: Sequence[PublicKey], model: Path | None, now: datetime, *, as_json: bool
) -> int:
    """Say whether a signed notice holds, and what it says; return the exit code. `model`: one that it must be about."""
    from weighbridge.dossier.statements.folder import read_statement_file
    from weighbridge.dossier.statements.verification import State
    from weighbridge.registry.stated_notice import verify_notice

    digests = _digests(model, now) if model is not None else ()
    found = verify_notice(read_statement_file(path), keys, now=now, digests=digests)
    if not found.problems:
        state = State.VERIFIED
    else:
        state = State.NOT_CHECKED if all(each.failure.is_lack for each in found.problems) else State.FAILED
    say(json.dumps(_as_json(path, now, state, found), indent=1) if as_json else _as_text(path, state, found))
    return {State.VERIFIED: MET, State.FAILED: NOT_MET, State.NOT_CHECKED: COULD_NOT}[state]


def _digests(model: Path, now: datetime) -> tuple[str, ...]:
    """Return what a notice of this model may be of: its root, and its file when it is one."""
    from weighbridge.subject.model_digest import digest_model

    with reading(model) as told:
        found = digest_model(model, now=now, progress=lambda what, done, total: told(done, total))
    return (found.root_digest,) if found.file_digest is None else (found.file_digest, found.root_digest)


def _as_json(path: Path, now: datetime, state: State, found: StatedNotice) -> dict[str, object]:
    problems = [{"failure": each.failure.value, "told": each.told, "do": each.failure.do} for each in found.problems]
    said = found.said
    return {
        "schema": "weighbridge.notice-verification/1",
        "path": str(path),
        "at": now.isoformat(),
        "state": state.value,
        "statement": found.digest,
        "signer": found.signer,
        "problems": problems,
        "publisher": None if said is None else said.publisher,
        "made_at": None if said is None else said.made_at.isoformat(),
        "valid_until": None if said is None else said.valid_until.isoformat(),
        "notice": None if said is None else said.notice.model_dump(mode="json", by_alias=True),
    }


def _as_text(path: Path, state: State, found: StatedNotice) -> str:
    lines = [f"{state.value.upper()}: {shown(str(path), 4096)}"]
    if found.signer is not None:
        lines.append(f"  signed by {found.signer}")
    if (said := found.said) is not None:
        notice = said.notice
        results = f"{len(notice.entries)} results" if len(notice.entries) != 1 else "1 result"
        lines += [
            f"  a notice by {shown(said.publisher, 200)}, until {said.valid_until:%Y-%m-%d %H:%M} UTC",
            f"  about {shown(notice.asked, 300)}",
            f"  {notice.answer.value}: {shown(notice.because, 500)} ({results})",
        ]
    return "\n".join([*lines, *(f"  {each}" for each in found.problems)])
