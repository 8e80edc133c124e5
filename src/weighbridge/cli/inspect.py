"""`weighbridge inspect`. Light to import: a small file is read in a blink."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.exit_codes import COULD_NOT, MET, NOT_MET
from weighbridge.cli.reading import reading
from weighbridge.cli.saying import say

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
    1 found (whatever else could not be examined), 2 usage, 4 something that matters could not be examined.
    """
    from weighbridge.probes.checkpoint.inspection import inspect_files
    from weighbridge.probes.checkpoint.listing import list_files

    listings = [list_files(path) for path in paths]  # a path that is not there is told before an hour of reading
    other = list_files(against) if against else None
    code = MET
    for number, (path, listing) in enumerate(zip(paths, listings, strict=True)):
        with reading(path) as told:
            report = inspect_files(listing, other=other, told=told)
        code = _worse(code, _code(report, fail_on))
        if as_json:
            heard = say(json.dumps(asdict(report)))  # ASCII: what a file's text would do to a terminal, it does not do
        else:
            from weighbridge.cli.inspected import summary

            heard = say(("\n" if number else "") + summary(str(path), report, fail_on=fail_on))
        if not heard:
            return code if number + 1 == len(paths) else _worse(code, COULD_NOT)  # the rest is not examined
    return code


def _code(report: Report, fail_on: str) -> int:
    from weighbridge.probes.checkpoint.report import Severity

    worst = report.worst()
    if worst is not None and worst.at_least(Severity(fail_on)):
        return NOT_MET
    return COULD_NOT if report.not_examined else MET


def _worse(one: int, other: int) -> int:
    """Of several: found before not examined before clean."""
    return next((code for code in (NOT_MET, COULD_NOT) if code in (one, other)), MET)
