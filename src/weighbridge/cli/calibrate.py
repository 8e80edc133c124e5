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
from weighbridge.errors import UsageError

if TYPE_CHECKING:
    from weighbridge.assessment.stored import StoredDossier
    from weighbridge.evidence.calibration import Calibration, LabelFile
    from weighbridge.graders.labels import Labelled

_LEVEL = click.FloatRange(0.5, 1, min_open=True, max_open=True)


@click.command(name="calibrate")
@click.option("--grader", default="offline", show_default=True, help="The grader to look at, named as for `grade`.")
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File of answers with human labels, JSON lines; may be given several times.",
)
@click.option("--against-grader", help="Another grader: print the drift between the two on the same answers.")
@click.option(
    "--dossier",
    type=click.Path(path_type=Path),
    help="A dossier's folder: its stored answers are graded for the drift, or its rates corrected by --labels.",
)
@click.option("--propose", type=click.IntRange(min=1), help="Draw about so many answers of --dossier for labelling.")
@click.option("--to", type=click.Path(path_type=Path), help="File that --propose writes; it must not exist.")
@click.option("--seed", default=20240404, show_default=True, help="Decides what --propose draws.")
@click.option("--level", default=0.95, show_default=True, type=_LEVEL, help="Level of the intervals.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the calibration as a record that a protocol can name."
)
@click.option("--json", "as_json", is_flag=True, help="Print records instead of words, one a line.")
def command(
    grader: str,
    labels: tuple[Path, ...],
    against_grader: str | None,
    dossier: Path | None,
    propose: int | None,
    to: Path | None,
    seed: int,
    level: float,
    out: Path | None,
    as_json: bool,
) -> int:
    """Say how far a grader may be trusted: agreement with human labels, drift between two graders.

    With --dossier and --labels the dossier's rates and comparisons are corrected for the grader's errors. With --propose answers are
    drawn for labelling, and texts go to the file alone. The format of labels is in docs/formats/labels.md. Exit codes: 0 done,
    2 usage, 4 nothing could be measured.
    """
    stored = _dossier(dossier)
    if propose is not None:
        return _propose(stored, propose, to, seed)
    if to is not None:
        raise UsageError("--to is where --propose writes", do="give --propose N as well")
    if not labels and not (stored is not None and against_grader):
        raise UsageError("there is nothing to compare with", do="give --labels FILE, or --dossier and --against-grader")
    answers, facts = _read(labels)
    if not any(one.labels for one in answers) and not against_grader:
        click.echo(f"not measured: no answer with a label in {', '.join(map(str, labels))}", err=True)
        return COULD_NOT
    correction = stored.correct(answers, facts, level) if stored is not None and labels else None
    graded = [*answers, *stored.answers()] if stored is not None and against_grader else answers
    graded = list({one.request.id: one for one in reversed(graded)}.values())[::-1]
    if not graded:
        click.echo("not measured: there is no answer to grade", err=True)
        return COULD_NOT
    found = asyncio.run(_calibrate(grader, against_grader, graded, facts, level))
    if out is not None:
        _write(out, found.canonical() + b"\n")
    if as_json:
        for record in (found, *((correction,) if correction is not None else ())):
            say(record.canonical().decode())
        return MET
    from weighbridge.cli.calibrated import calibration_lines, correction_lines

    for line in calibration_lines(found):
        say(line)
    if out is not None:
        say("")
        say(f'to name it in a protocol, under [grading]:  calibration = "{out}"  calibration_digest = "{found.digest}"')
    if correction is not None:
        for line in correction_lines(correction):
            say(line)
    return MET


async def _calibrate(
    name: str, against: str | None, answers: Sequence[Labelled], facts: Sequence[LabelFile], level: float
) -> Calibration:
    from weighbridge.assessment.calibrating import compare_with_people, grade_answers
    from weighbridge.graders.opening import open_grader

    async with AsyncExitStack() as stack:
        grader = await stack.enter_async_context(open_grader(name, environ=os.environ))
        other = None
        if against is not None:
            other = await stack.enter_async_context(open_grader(against, environ=os.environ))
        grades = await grade_answers(answers, grader, _told(grader.name))
        second = (other, await grade_answers(answers, other, _told(other.name))) if other is not None else None
        return compare_with_people(answers, grades, grader, facts, level, second)


def _dossier(path: Path | None) -> StoredDossier | None:
    if path is None:
        return None
    from weighbridge.assessment.stored import StoredDossier

    return StoredDossier.read(path)


def _propose(stored: StoredDossier | None, expected: int, to: Path | None, seed: int) -> int:
    from weighbridge.graders.labels import write_labels

    if stored is None or to is None:
        raise UsageError("--propose draws from a dossier and writes a file", do="give --dossier FOLDER and --to FILE")
    lines = stored.propose(expected, seed)
    _write(to, write_labels(iter(lines)), new=True)
    say(f"{len(lines)} answers drawn for labelling, {expected} expected; their texts are in {to} alone")
    for line in lines:
        say(
            f"{line['id']}  {line['dataset']}  {line['category']}/{line['verb']}  probability {line['probability']:.3f}"
        )
    return MET


def _read(paths: Sequence[Path]) -> tuple[list[Labelled], list[LabelFile]]:
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


def _write(path: Path, data: bytes, *, new: bool = False) -> None:
    try:
        with path.open("xb" if new else "wb") as file:
            file.write(data)
    except FileExistsError:
        raise UsageError(
            "this file is there already", where=str(path), do="choose another: it may hold labels"
        ) from None
    except OSError as error:
        raise UsageError(
            f"cannot be written ({error.strerror})", where=str(path), do="check space and permissions"
        ) from error
