"""The result files of real runs, and how a test reads one or a changed one. How they were made: scripts/other_tools/README.md."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from weighbridge.evidence.elsewhere import ElsewhereResult, MadeElsewhere, Tool
from weighbridge.evidence.importers.importing import import_file

DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)

TOOL_OF = {
    "inspect.eval": Tool.INSPECT,
    "inspect.json": Tool.INSPECT,
    "inspect-unscored.eval": Tool.INSPECT,
    "inspect-broken.eval": Tool.INSPECT,
    "inspect-killed.eval": Tool.INSPECT,
    "lm_eval.json": Tool.LM_EVAL,
    "lm_eval-limited.json": Tool.LM_EVAL,
    "lm_eval-one.json": Tool.LM_EVAL,
    "garak.report.jsonl": Tool.GARAK,
    "garak-nothing.report.jsonl": Tool.GARAK,
    "garak-old.report.jsonl": Tool.GARAK,
    "garak-aborted.report.jsonl": Tool.GARAK,
    "promptfoo.json": Tool.PROMPTFOO,
    "modelscan.json": Tool.MODELSCAN,
    "modelscan-clean.json": Tool.MODELSCAN,
    "modelscan-nothing.json": Tool.MODELSCAN,
    "every_eval_ever.json": Tool.EVERY_EVAL_EVER,
}


def imported(name: str, tool: Tool | None = None) -> MadeElsewhere:
    """Return what one of the real files says."""
    return import_file(DATA / name, tool, now=NOW)


def document(name: str) -> Any:
    """Return a real file's JSON, to be changed."""
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def lines(name: str) -> list[Any]:
    """Return a real file's JSON lines, to be changed."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def imported_from(folder: Path, content: Any, tool: Tool | None = None) -> MadeElsewhere:
    """Return what a file with this content says: bytes, lines (a list), or a document."""
    path = folder / "changed.json"
    if isinstance(content, list):
        path.write_text("".join(json.dumps(line) + "\n" for line in content), encoding="utf-8")
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(json.dumps(content), encoding="utf-8")
    return import_file(path, tool, now=NOW)


def result(record: MadeElsewhere, name: str) -> ElsewhereResult:
    """Return the one result of that name."""
    (found,) = [each for each in record.results if each.name == name]
    return found


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip archive."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path
