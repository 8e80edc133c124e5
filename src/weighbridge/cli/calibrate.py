"""`weighbridge calibrate`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.exit_codes import COULD_NOT, MET
from weighbridge.cli.saying import say

if TYPE_CHECKING:
    from weighbridge.evidence.calibration import Calibration, LabelFile
    from weighbridge.graders.labels import Labelled


@click.command(name="calibrate")
@click.option(
    "--grader", "grader_name", default="offline", show_default=True, help="The grader to look at, as for `grade`."
)
@click.option(
    "--labels",
    "label_files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File of answers with human labels, JSON lines; may be given several times.",
)
@click.option("--against-grader", help="Another grader: print the drift between the two on the same answers.")
@click.option(
    "--level", default=0.95, show_default=True, type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    help="Level of the intervals.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the calibration as a record that a protocol can name."
)
@click.option("--json", "as_json", is_flag=True, help="Print the record instead of words.")
def command(
    grader_name: str,
    label_files: tuple[Path, ...],
    against_grader: str | None,
    level: float,
    out: Path | None,
    as_json: bool,
) -> int:
    """Say how far a grader may be trusted: agreement with human labels, drift between two graders.

    The format of labels is in docs/formats/labels.md. Exit codes: 0 done, 2 usage, 4 nothing could be measured.
    """
    from weighbridge.errors import UsageError

    if not label_files:
        raise UsageError("there is nothing to compare with", do="give --labels FILE")
    found = asyncio.run(_calibrate(grader_name, label_files, against_grader, level))
    if found is None:
        names = ", ".join(str(path) for path in label_files)
        click.echo(f"not measured: no answer with a label in {names}", err=True)
        return COULD_NOT
    if out is not None:
        _write(out, found.canonical() + b"\n")
    if as_json:
        say(found.canonical().decode())
    else:
        from weighbridge.cli.calibrated import calibration_lines

        for line in calibration_lines(found):
            say(line)
    return MET


async def _calibrate(
    grader_name: str, label_files: Sequence[Path], against_name: str | None, level: float
) -> Calibration | None:
    from weighbridge.graders.calibrating import compare_with_people, grade_answers
    from weighbridge.graders.opening import open_grader

    answers, facts = _read(label_files)
    if not any(one.labels for one in answers) and not (against_name and answers):
        return None
    async with AsyncExitStack() as stack:
        grader = await stack.enter_async_context(open_grader(grader_name, environ=os.environ))
        other = None
        if against_name is not None:
            other = await stack.enter_async_context(open_grader(against_name, environ=os.environ))
        grades = await grade_answers(answers, grader, _told(grader.name))
        against = (other, await grade_answers(answers, other, _told(other.name))) if other is not None else None
        return compare_with_people(answers, grades, grader, facts, level, against)


def _read(paths: Sequence[Path]) -> tuple[list[Labelled], list[LabelFile]]:
    from weighbridge.errors import UsageError
    from weighbridge.graders.labels import read_labels

    answers: dict[str, Labelled] = {}
    facts = []
    for path in paths:
        found, about = read_labels(path)
        facts.append(about)
        for one in found:
            if answers.setdefault(one.request.id, one) is not one:
                raise UsageError(
                    "an answer of this file is in another one too", where=str(path), do="give each answer once"
                )
    return list(answers.values()), facts


def _told(name: str) -> Callable[[int, int], None]:
    def told(done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{name}: {done} of {total} answers graded" + ("\n" if done == total else ""))
            sys.stderr.flush()

    return told


def _write(path: Path, data: bytes) -> None:
    from weighbridge.errors import UsageError

    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(
            f"cannot be written ({error.strerror})", where=str(path), do="check space and permissions"
        ) from error
