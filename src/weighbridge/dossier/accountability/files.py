"""Writes the documents: all or none, and never over what somebody edited.

The last line of each Markdown document is a seal: the digest of everything before it. It shows whether a hand has touched the text; it is no
signature. A file of attestations is somebody's record from the first day: once it is there it is never written over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path

from weighbridge.digests import digest_bytes, digest_file
from weighbridge.dossier.accountability.asked import Sector, UseFacts
from weighbridge.dossier.accountability.documents import Attested, new_attestations, render_documents
from weighbridge.dossier.write import DOSSIER_FILE, read_dossier
from weighbridge.errors import UsageError
from weighbridge.evidence.attestations import ATTESTATIONS_FILE, load_attestations, standing
from weighbridge.subject.shown import shown

_SEAL = "\n<!-- weighbridge accountability, sealed: {} -->\n"
_SEALED = re.compile(r"\A(.*)\n<!-- weighbridge accountability, sealed: (sha256:[0-9a-f]{64}) -->\n\Z", re.DOTALL)
_MAX_BYTES = 4 * 1024 * 1024


def write_accountability(
    dossier: Path,
    use: UseFacts,
    sector: Sector,
    *,
    today: date,
    out: Path | None = None,
    attestations: Path | None = None,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write the documents for a dossier and a use, and return their paths.

    `out` None: the folder `accountability/USE` in the dossier's. `attestations` None: the file attestations.yaml in `out`, else beside the dossier,
    if there is one. A file attestations.yaml to begin with is written to `out` when neither place has one and none was given.
    Raises `UsageError` when a document was edited (unless `force`), or cannot be written; `AttestationsError`, `EvidenceError` for a damaged input.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", use.id):
        raise UsageError(
            "a use is named by lower-case words joined by hyphens",
            where=shown(use.id),
            do="`weighbridge standard uses` names them",
        )
    record = read_dossier(dossier)
    folder = dossier if dossier.is_dir() else dossier.parent
    place = out or folder / "accountability" / use.id
    found = attestations or _present(place / ATTESTATIONS_FILE) or _present(folder / ATTESTATIONS_FILE)
    attested = _attested(found, record.candidate.identity, use.id) if found is not None else {}
    digest = digest_file(folder / DOSSIER_FILE if dossier.is_dir() else dossier)
    texts = {
        name: sealed(text)
        for name, text in render_documents(record, digest, use, sector, today=today, attested=attested).items()
    }
    if not force:
        refuse_edited(place, texts)
    if found is None:
        texts[ATTESTATIONS_FILE] = new_attestations(record, use, today)
    return _write(place, texts)


def sealed(text: str) -> str:
    """Return a text with its seal."""
    return text.rstrip("\n") + "\n" + _SEAL.format(digest_bytes((text.rstrip("\n") + "\n").encode()))


def untouched(text: str) -> bool:
    """Return whether a text is as it was written.

    >>> untouched(sealed("a")), untouched(sealed("a").replace("a", "b", 1)), untouched("a")
    (True, False, False)
    """
    match = _SEALED.match(text)
    return match is not None and digest_bytes(match[1].encode()) == match[2]


def refuse_edited(folder: Path, texts: Mapping[str, str]) -> None:
    """Raise `UsageError` that names the files among `texts` which are in `folder` and not as they were written."""
    edited = [name for name in texts if (folder / name).exists() and not _untouched(folder / name)]
    if edited:
        raise UsageError(
            f"{', '.join(edited)} {'was' if len(edited) == 1 else 'were'} edited, and nothing was written",
            where=str(folder),
            do="choose another --out, or --force (what was written by hand is then lost)",
        )


def _attested(path: Path, subject: str, use: str) -> dict[str, Attested]:
    file = load_attestations(path)
    against = file.not_of(subject, use)
    return {
        one.document: Attested(one, standing(one, path.parent), against)
        for one in file.attestations
        if one.requirement is None
    }


def _present(path: Path) -> Path | None:
    return path if path.exists() else None


def _untouched(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return untouched(file.read(_MAX_BYTES).decode())
    except (OSError, UnicodeDecodeError):
        return False


def _write(folder: Path, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Write all files or none: each beside its place first, and renamed when all are complete."""
    parts = {name: folder / f".{name}.part" for name in texts}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with parts[name].open("wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        for name, part in parts.items():
            part.replace(folder / name)
    except OSError as error:
        raise UsageError(
            f"cannot be written ({error.strerror or error})", where=str(folder), do="choose another --out"
        ) from error
    finally:
        for part in parts.values():
            with suppress(OSError):  # the folder itself may be out of reach; the error that counts is on its way
                part.unlink(missing_ok=True)
    return tuple(folder / name for name in texts)
