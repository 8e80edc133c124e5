"""The only part of exporting that touches files: reads what is exported, writes an export whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from datetime import datetime
from errno import EISDIR
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from weighbridge.digests import digest_bytes, digest_file
from weighbridge.dossier.datasheet import REPORT_FILE
from weighbridge.dossier.exports.export import Export, Source, is_inside, log_record
from weighbridge.dossier.inspection import InspectionRecord
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.write import read_dossier
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.standards.rulings import StandardRuling

TERMS_FILE = "terms.json"
CHECK_SCHEMA = "weighbridge.check/1"
MAX_REPORT_BYTES = 256 << 20  # of inspection.json: a model of a hundred thousand tensors needs some 50 MB
MAX_RULINGS_BYTES = 16 << 20
MAX_LOG_BYTES = 1 << 20


def read_source(dossier: Path, rulings: Sequence[Path] = ()) -> Source:
    """Return what is to be exported: the record in `dossier` (a folder or its `dossier.json`), `inspection.json` beside it if the
    record names one, and the rulings in files that `weighbridge check --json` wrote (or one ruling in a file of its own); without any, those
    in `terms.json` beside it.

    Raises `UsageError` when a file cannot be read, `EvidenceError` when it is damaged, too large, or not of this dossier.
    """
    record = read_dossier(dossier)
    folder = dossier if dossier.is_dir() else dossier.parent
    source = Source(record, inspection=_inspection(folder, record))
    terms = folder / TERMS_FILE
    found = tuple(
        ruling for path in rulings or ([terms] if terms.exists() else []) for ruling in _rulings(path, source)
    )
    return Source(record, found, source.inspection)


def write_export(name: str, source: Source, export: Export, out: Path, *, at: datetime) -> list[Path]:
    """Write the export's files to the folder `out` and its log `NAME.log.json` beside them; return all paths, the log last.

    Files appear when all are complete, or not at all; files of an earlier export to the same folder that are no longer written are
    removed if nobody changed them. Raises `UsageError` when they cannot be written.
    """
    log = json.dumps(log_record(name, source, export, at=at), indent=1, ensure_ascii=False) + "\n"
    files = {**export.files, _log_name(name): log.encode()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        earlier = _earlier(name, out)
        with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as scratch:
            for file, data in files.items():
                part = Path(scratch) / file
                part.parent.mkdir(parents=True, exist_ok=True)
                with part.open("wb") as opened:
                    opened.write(data)
                    opened.flush()
                    os.fsync(opened.fileno())  # a rename must never be seen before the content
            for file in files:  # whatever can be in the way is found before the first rename
                (out / file).parent.mkdir(parents=True, exist_ok=True)
                if (out / file).is_dir():
                    raise IsADirectoryError(EISDIR, f"{file} is a folder")
            for file in files:
                (Path(scratch) / file).replace(out / file)
        for path in earlier - {out / file for file in files}:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"the export cannot be written ({error.strerror or error})",
            where=str(out),
            do="check space and permissions, or choose another --out",
        ) from error
    return [out / file for file in files]


def _log_name(name: str) -> str:
    return f"{name}.log.json"


def _earlier(name: str, out: Path) -> set[Path]:
    """The files of an earlier export to the same folder, by its log, that are still as it wrote them.

    They go when the new ones are there: numbers of an earlier weighing beside new ones would be read as of now.
    """
    path = out / _log_name(name)
    if not path.is_file() or path.stat().st_size > MAX_LOG_BYTES:
        return set()
    try:
        files = from_json(path.read_bytes())["files"].items()
        named = [(out / file, digest) for file, digest in files if is_inside(file)]
    except (ValueError, KeyError, TypeError, AttributeError):  # no log of ours: nothing of ours to remove
        return set()
    return {file for file, digest in named if file.is_file() and digest_file(file) == digest}


def _inspection(directory: Path, record: DossierRecord) -> dict[str, InspectionRecord] | None:
    path = directory / REPORT_FILE
    if record.inspection is None or not path.exists():
        return None
    data = _read(path, MAX_REPORT_BYTES)
    if digest_bytes(data) != record.inspection:
        raise EvidenceError(
            "is not the inspection that dossier.json names", where=str(path), do="take both from the same run"
        )
    try:
        subjects = from_json(data, allow_inf_nan=False)["subjects"]
        return {
            each["identity"]: InspectionRecord.model_validate_json(json.dumps(each["report"]))
            for each in subjects
            if each["report"] is not None
        }
    except (ValueError, KeyError, TypeError) as error:
        raise EvidenceError("is not weighbridge.inspection/1", where=str(path), do="write the dossier anew") from error


def _rulings(path: Path, source: Source) -> list[StandardRuling]:
    try:
        found: Any = from_json(_read(path, MAX_RULINGS_BYTES), allow_inf_nan=False)
        printed = isinstance(found, dict) and found.get("schema") == CHECK_SCHEMA
        listed = found.get("rulings") if printed else found if isinstance(found, list) else [found]
        rulings = [StandardRuling.model_validate_json(json.dumps(each)) for each in listed or ()]
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "ruling"
        raise EvidenceError(f"is not weighbridge.rulings/1 ({place}: {first['msg']})", where=str(path)) from error
    except (ValueError, TypeError) as error:
        raise EvidenceError("this is not what `weighbridge check --json` prints", where=str(path)) from error
    for ruling in rulings:
        if ruling.dossier != source.dossier:
            raise EvidenceError(
                f"the ruling of {ruling.standard} is of another dossier",
                where=str(path),
                do="rule on this dossier first: `weighbridge check DOSSIER --json`",
            )
    return rulings


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror or error})", where=str(path)) from error
    if len(data) > limit:
        raise EvidenceError(f"is larger than {limit >> 20} MiB", where=str(path))
    return data
