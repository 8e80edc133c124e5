"""Writes a dossier's files whole or not at all, and reads one back.

`index.html`, `card.md`, `protocol.toml` and `dossier.json`. The last is the record's canonical JSON (RFC 8785) and nothing else, so
its SHA-256 is the dossier's digest. `evidence.jsonl` and `logs/` are the run's own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import from_json

from weighbridge.digests import Digest, canonical_json, digest_bytes
from weighbridge.dossier.card import render_card
from weighbridge.dossier.datasheet import PAGE_FILE, REPORT_FILE, Reports, render_datasheet, report_bytes
from weighbridge.dossier.page import render_page
from weighbridge.dossier.record import DOSSIER_SCHEMA, DossierRecord
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence.openness import FOUND_FILE, found_text
from weighbridge.subject.components import FoundComponents

DOSSIER_FILE = "dossier.json"


def write_dossier(directory: Path, record: DossierRecord, protocol_text: str) -> Path:
    """Write the dossier's four files into `directory`, making it if need be; return the path of `index.html`.

    All are written beside their places first and renamed only when all are complete: when there is no room, no permission, or
    the text cannot be rendered, what was there before stays. Raises `UsageError` when it cannot be written.
    """
    texts = {
        "protocol.toml": protocol_text.encode(),
        DOSSIER_FILE: dossier_bytes(record),
        "card.md": render_card(record).encode(),
        "index.html": render_page(record).encode(),
    }
    write_together(directory, texts)
    return directory / "index.html"


def write_inspections(directory: Path, reports: Reports) -> Digest | None:
    """Write `inspection.json` and `datasheet.html` into `directory`; return the digest of the first, None when nothing was read.

    Raises `UsageError` when they cannot be written.
    """
    if all(report is None for _, _, report in reports):
        return None
    data = report_bytes(reports)
    write_together(directory, {REPORT_FILE: data, PAGE_FILE: render_datasheet(reports).encode()})
    return digest_bytes(data)


def write_components(directory: Path, found: FoundComponents | None) -> Digest | None:
    """Write `components.json` into `directory`; return its digest, None when nothing was looked for.

    Raises `UsageError` when it cannot be written.
    """
    if found is None:
        return None
    data = found_text(found).encode()
    write_together(directory, {FOUND_FILE: data})
    return digest_bytes(data)


def write_together(directory: Path, texts: Mapping[str, bytes]) -> None:
    """Write all files or none: each beside its place first, and renamed when all are complete."""
    written: list[tuple[Path, Path]] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in texts.items():
            part, place = directory / f".{name}.part", directory / name
            written.append((part, place))
            _write_through(part, data)
        for part, place in written:
            part.replace(place)
    except OSError as error:
        raise UsageError(
            f"the dossier cannot be written ({error.strerror or error})",
            where=str(directory),
            do="check space and permissions, or choose another --out; answers already obtained are kept",
        ) from error
    finally:
        for part, _ in written:
            _forget(part)


def dossier_bytes(record: DossierRecord) -> bytes:
    """Return `dossier.json`: the record by its published names, as canonical JSON."""
    return canonical_json(record.model_dump(mode="json", by_alias=True))


def read_dossier(path: Path) -> DossierRecord:
    """Return the record in `path`, a `dossier.json` or the directory that holds one.

    Raises `UsageError` when there is none to read, `EvidenceError` when it is not a dossier of this version: all problems at
    once, each with its place.
    """
    file = path / DOSSIER_FILE if path.is_dir() else path
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"there is no dossier to read ({error.strerror or error})",
            where=str(file),
            do="give a dossier's folder or its dossier.json",
        ) from error
    try:
        found = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise EvidenceError(f"this is not JSON ({error})", where=str(file), do="write the dossier anew") from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != DOSSIER_SCHEMA:
        what = f"its schema is {schema[:60]!r}" if isinstance(schema, str) else "it names no schema"
        raise EvidenceError(
            f"this is not a {DOSSIER_SCHEMA}: {what}", where=str(file), do="use the version that wrote it"
        )
    try:
        # As JSON, not as Python values: only then do lists read as tuples and texts as times.
        return DossierRecord.model_validate_json(data)
    except ValidationError as error:
        raise EvidenceError(_problems(error), where=str(file), do="write the dossier anew") from error


def _write_through(path: Path, data: bytes) -> None:
    """Write and push to the disk: a rename must never be seen before the content."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the directory itself may be out of reach; the error that counts is already on its way
        return


def _problems(error: ValidationError) -> str:
    shown = [
        f"{'.'.join(map(str, item['loc'])) or 'dossier'}: {item['msg']}" for item in error.errors(include_input=False)
    ]
    more = f"; and {len(shown) - 5} more" if len(shown) > 5 else ""
    return "; ".join(shown[:5]) + more
