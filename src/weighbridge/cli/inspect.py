"""`weighbridge inspect`. Light to import: a small file is read in a blink."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weighbridge.cli.exit_codes import COULD_NOT, MET, NOT_MET
from weighbridge.cli.reading import amount, reading

if TYPE_CHECKING:
    from weighbridge.probes.checkpoint.report import Report

SEVERITIES = ("critical", "high", "medium", "low", "info")


@click.command(name="inspect")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option(
    "--against", type=click.Path(path_type=Path), help="Compare with the model at this path, tensor by tensor."
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="high",
    show_default=True,
    help="Exit with 1 from this severity on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, one line a PATH.")
def command(paths: tuple[Path, ...], against: Path | None, fail_on: str, as_json: bool) -> int:
    """Read every byte of a model's files once: what is in them, is it safe to load, is it whole.

    PATH is a file or a directory. Nothing in it is run or loaded. Exit codes: 0 examined and nothing found at or above --fail-on,
    1 found, 2 usage, 4 something that matters could not be examined.
    """
    from weighbridge.probes.checkpoint.inspection import inspect_path
    from weighbridge.probes.checkpoint.report import Severity

    code = MET
    for path in paths:
        with reading(path) as told:
            report = inspect_path(path, against=against, told=told)
        if as_json:
            click.echo(json.dumps(asdict(report), ensure_ascii=False))
        else:
            click.echo(summary(path, report))
        worst = report.worst()
        if worst is not None and worst.at_least(Severity(fail_on)):
            code = NOT_MET
        elif report.not_examined and code == MET:
            code = COULD_NOT
    return code


def summary(path: Path, report: Report) -> str:
    """Return the report for people: what was found first, worst first, each with what to do."""
    lines = [str(path), f"  digest      {report.subject['digest'] or 'none: not every file could be read'}"]
    files = report.subject["files"]
    if len(files) == 1:
        lines.append(f"  file        {files[0]['format']}, {amount(files[0]['size'])}")
    else:
        lines.append(f"  files       {len(files)}, {amount(sum(file['size'] for file in files))}")
    if report.tensors.get("count"):
        tensors = report.tensors
        dtypes = ", ".join(f"{count} {dtype}" for dtype, count in tensors["dtypes"].items())
        lines.append(f"  tensors     {tensors['count']:,} ({dtypes}), {tensors['elements']:,} values")
    if report.licences:
        lines.append("  licence     " + "; ".join(_licence(licence) for licence in report.licences[:4]))
    if report.against:
        lines.append(f"  against     {report.against['verdict']}")
    lines.append("")
    if report.findings:
        lines.append(_counts(report.findings))
    else:
        lines.append("Nothing found.")
    last_rule = None
    for finding in report.findings:
        place = " ".join(part for part in (finding["path"], f"[{finding['where']}]") if part)
        lines.append(f"  {finding['severity'].upper():<8}  {finding['rule']}  {place}")
        lines.append(f"            {finding['message']}")
        if finding["rule"] != last_rule:
            lines.append(f"            What to do: {report.rules[finding['rule']]['fix']}")
        last_rule = finding["rule"]
    if report.not_examined:
        lines += ["", f"Not examined ({len(report.not_examined)}): this is not a clean bill."]
        lines += [f"  {left['path'] or 'the whole'}: {left['reason']}" for left in report.not_examined[:50]]
        if len(report.not_examined) > 50:
            lines.append(f"  and {len(report.not_examined) - 50} more (--json lists all)")
    return "\n".join(lines) + "\n"


def _counts(findings: list[dict[str, Any]]) -> str:
    by_severity = {name: sum(finding["severity"] == name for finding in findings) for name in SEVERITIES}
    return "Found: " + ", ".join(f"{count} {name}" for name, count in by_severity.items() if count)


def _licence(licence: dict[str, Any]) -> str:
    return f"{licence.get('expression') or licence.get('name') or 'unknown'} ({licence.get('path', '')})"
