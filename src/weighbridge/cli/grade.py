"""`weighbridge grade`."""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path

import click

BATCH = 64


@click.command(name="grade")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--grader",
    "grader_name",
    default="offline",
    show_default=True,
    help="offline, judge:MODEL, guard:VERSION@MODEL or ensemble:NAME+NAME.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line per pair (the default; kept for symmetry).")
@click.option("--summary", is_flag=True, help="Print shares to standard error when done.")
def command(file: Path, grader_name: str, as_json: bool, summary: bool) -> None:
    """Grade prompt/answer pairs: JSON lines in, JSON lines out.

    FILE has one JSON object a line with `id`, `prompt`, `answer` (and optionally `verb`, `category`, `prefill`); "-" is standard
    input. One JSON line is printed for each: `id`, `refused`, `coherent`, `enable`, `encourage`, `endorse` (null: not
    measured) and `reason`.
    """
    asyncio.run(_grade(file, grader_name, summary))


async def _grade(file: Path, grader_name: str, summary: bool) -> None:
    from weighbridge.graders.files import read_pairs, write_grade
    from weighbridge.graders.opening import open_grader

    counts = {"pairs": 0, "refused": 0, "incoherent": 0, "not measured": 0}
    async with open_grader(grader_name, environ=os.environ) as grader:
        pairs = read_pairs(file)
        while batch := list(itertools.islice(pairs, BATCH)):
            for grade in await grader.grade(batch):
                click.echo(write_grade(grade))
                counts["pairs"] += 1
                counts["refused"] += grade.refused is True
                counts["incoherent"] += grade.coherent is False
                counts["not measured"] += grade.coherent is None
    if summary:
        click.echo(", ".join(f"{count} {what}" for what, count in counts.items()), err=True)
