"""`weighbridge import`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.exit_codes import MET
from weighbridge.cli.reading import amount
from weighbridge.cli.saying import say
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.evidence.elsewhere import ElsewhereResult, MadeElsewhere

# The values of `weighbridge.evidence.elsewhere.Tool`, which this module does not load before it is called; a test holds them equal.
TOOLS = ("inspect", "lm-eval", "garak", "promptfoo", "modelscan", "every-eval-ever")
_RESULTS_SHOWN = 40


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--tool", type=click.Choice(TOOLS), help="The tool that wrote FILE (default: what its content shows).")
@click.option(
    "--into", "dossier", type=click.Path(path_type=Path), metavar="DOSSIER", help="Add it to this dossier's imports."
)
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def command(file: Path, tool: str | None, dossier: Path | None, as_json: bool) -> int:
    """Read another tool's result file as evidence that was made elsewhere.

    Known are logs of Inspect AI (.eval, .json), results of lm-evaluation-harness and promptfoo (JSON), reports of garak (.report.jsonl)
    and ModelScan (JSON), and aggregate files of Every Eval Ever. What the file does not say stays "not measured" or "not told".
    With --into the record is kept in DOSSIER/imported; the same file counts once. Exit codes: 0 read, 2 usage, 4 what was imported
    before is damaged.
    """
    from weighbridge.evidence.elsewhere import Tool
    from weighbridge.evidence.importers.importing import import_file
    from weighbridge.evidence.importers.kept import import_into

    chosen, now = Tool(tool) if tool else None, datetime.now(UTC)
    kept = None
    if dossier is None:
        record = import_file(file, chosen, now=now)
    else:
        added = import_into(dossier, file, chosen, now=now)
        record, kept = added.record, f"{added.how}: {shown(str(added.path), 300)}"
    if as_json:
        say(json.dumps(record.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False))
    else:
        say(_as_text(record, kept))
    return MET


def _as_text(record: MadeElsewhere, kept: str | None) -> str:
    made = record.made_at.strftime("%Y-%m-%d %H:%M UTC") if record.made_at else "not told"
    subjects = sorted({result.subject_named or "not told" for result in record.results})
    whole = {True: "yes, as far as the file shows", False: "no", None: "the file does not say"}[record.complete]
    digest = "none: nothing in the file says which weights these were"
    if record.subject_digest:
        digest = f"{record.subject_digest} (the file says so; nobody checked it)"
    lines = [
        f"{record.file}: made elsewhere, by {record.tool} {record.tool_version or '(version not told)'}",
        f"  file      {record.file_digest}, {amount(record.file_bytes)}",
        f"  made      {made}",
        f"  subject   {'; '.join(subjects[:5])}{'; and more' if len(subjects) > 5 else ''} (a name, as the tool wrote it)",
        f"  digest    {digest}",
        f"  complete  {whole}",
    ]
    lines += [f"  doubt     {doubt}" for doubt in record.doubts]
    lines.append(f"  results   {len(record.results):,}")
    lines += [f"    {_line(result)}" for result in record.results[:_RESULTS_SHOWN]]
    if len(record.results) > _RESULTS_SHOWN:
        lines.append(f"    and {len(record.results) - _RESULTS_SHOWN:,} more (--json lists all)")
    if kept:
        lines.append(f"  kept      {kept}")
    return "\n".join(lines)


def _line(result: ElsewhereResult) -> str:
    from weighbridge.evidence.elsewhere import NOT_TOLD
    from weighbridge.evidence.records import NotMeasured

    if isinstance(result.outcome, NotMeasured):
        return f"{result.name}: {result.outcome}"
    unit = "" if result.outcome.unit == NOT_TOLD else f" {result.outcome.unit}"
    parts = [f"{result.outcome.value:.6g}{unit}"]
    if result.interval is not None:
        level = f"{result.interval.level * 100:g} % " if result.interval.level is not None else ""
        parts.append(f"{level}interval {result.interval.low:.3g} to {result.interval.high:.3g}")
    elif result.standard_error is not None:
        parts.append(f"standard error {result.standard_error:.3g}")
    parts.append("n not told" if result.n is None else f"n {result.n:,}")
    return f"{result.name}: {', '.join(parts)}"
