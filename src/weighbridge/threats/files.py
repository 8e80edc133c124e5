"""Threat sheet files: YAML or TOML in, a checked `ThreatSheet` out; templates; the filled part written back. `docs/formats/threat.md`."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from weighbridge.errors import ThreatSheetError, UsageError
from weighbridge.protocol.typed_files import TypedFile, is_toml, toml_entry
from weighbridge.subject.shown import shown
from weighbridge.threats.sheet import Filled, ThreatSheet
from weighbridge.threats.vocabulary import Vector

SHIPPED = tuple(vector.value for vector in Vector if vector is not Vector.OTHER)
VALID_FOR = timedelta(days=183)  # what a new sheet proposes
_KIND = TypedFile("threat sheet", ThreatSheet, ThreatSheetError, SHIPPED)
_MARKER = "# ---- step 4, written by `weighbridge threat fill`: everything from here on is replaced when it is filled again ----"


def load_sheet(name_or_path: str) -> ThreatSheet:
    """Return a shipped sheet ("spear-phishing", ...) or the one in a YAML or TOML file.

    A shipped sheet's name wins over a file of that name: write `./csam` for the file. Raises `ThreatSheetError` with all that is wrong
    in the file, `UsageError` when there is no such file.

    >>> load_sheet("voice-cloning").vector.label
    'Voice-cloning scams'
    """
    return _load(*_text(name_or_path))


def new_sheet_text(sheet_id: str, vector: str | None = None, *, today: date) -> str:
    """Return a sheet to begin with, as YAML in which every field is explained: a shipped one under another id, or a blank one.

    It loads as it is. Raises `UsageError` for a vector that does not ship, `ThreatSheetError` for an id that cannot be one.
    """
    if vector is not None and vector not in SHIPPED:
        raise UsageError("no sheet ships for this vector", where=shown(vector), do=f"one of {', '.join(SHIPPED)}")
    text = _shipped_text(vector or "blank")
    text = text.replace("{{made_on}}", today.isoformat()).replace("{{valid_until}}", (today + VALID_FOR).isoformat())
    text = re.sub(r"(?m)^id: .*$", lambda _: f"id: {json.dumps(sheet_id)}", text, count=1)
    _load(text, shown(sheet_id))
    return text


def filled_text(name_or_path: str, sheet: ThreatSheet) -> tuple[str, bool]:
    """Return the text of the file with `sheet.filled` in it, and whether it is TOML. Everything else, comments too, stays as it is.

    Raises `ThreatSheetError` when the file cannot take it (JSON, or a filled part that somebody wrote elsewhere in it).
    """
    text, where = _text(name_or_path)
    toml = is_toml(text, where)
    kept = text.split(_MARKER)[0].rstrip()
    whole = f"{kept}\n\n{_MARKER}\n{_block(sheet.filled, toml=toml)}" if sheet.filled else f"{kept}\n"
    try:
        again = _load(whole, where)
    except ThreatSheetError as error:
        raise ThreatSheetError(
            ["cannot take a filled part at its end: write it as YAML or TOML, without `filled`"], where=where
        ) from error
    if again != sheet:
        raise ThreatSheetError(["what was filled in would not be read back as it was written"], where=where)
    return whole, toml


def shipped_sheets() -> tuple[ThreatSheet, ...]:
    """Return the sheets that ship, in the paper's order."""
    return tuple(load_sheet(name) for name in SHIPPED)


def _load(text: str, where: str) -> ThreatSheet:
    return _KIND.check(_KIND.parse(text, where), where=where)


def _text(name_or_path: str) -> tuple[str, str]:
    if name_or_path in SHIPPED:
        return _shipped_text(name_or_path), name_or_path
    return _KIND.read(Path(name_or_path)), name_or_path


def _shipped_text(name: str) -> str:
    return files("weighbridge.threats").joinpath("library", f"{name}.yaml").read_text("utf-8")


def _block(filled: Filled, *, toml: bool) -> str:
    plain = _without_nothing(filled.model_dump(mode="json"))
    if toml:
        return "[filled]\n" + "".join(f"{toml_entry(key, value)}\n" for key, value in plain.items())
    return yaml.safe_dump({"filled": plain}, sort_keys=False, allow_unicode=True, width=110)


def _without_nothing(value: Any) -> Any:
    """Leave out what is None: TOML has no null, and every such field has that default."""
    if isinstance(value, dict):
        return {key: _without_nothing(inner) for key, inner in value.items() if inner is not None}
    return [_without_nothing(inner) for inner in value] if isinstance(value, list) else value
