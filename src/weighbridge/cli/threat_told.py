"""A threat sheet on a terminal: the view that the page shows, as text."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from weighbridge.cli.inspected import COLUMNS
from weighbridge.dossier.printing import THIN
from weighbridge.dossier.threat_sheets import BOOKKEEPING, MARKS, Item, Row, SheetView, StepView
from weighbridge.dossier.untrusted import one_line
from weighbridge.threats.vocabulary import Score

SHAPES = {Score.ADDRESSED: "[#]", Score.PARTLY: "[/]", Score.ABSENT: "[ ]"}


def told(view: SheetView, *, expired: bool) -> Iterator[str]:
    """Yield the lines: facts, the six scores, then each step with its claims, their marks and sources."""
    yield _line(one_line(view.sheet.title))
    if expired:
        yield _line(f"No longer valid: it was made for the time up to {view.sheet.valid_until:%Y-%m-%d}.")
    for name, words in view.facts:
        yield _line(f"{name}: {words}", 2)
    if view.study:
        yield from _item(view.study, 2)
    yield ""
    for step in view.steps:
        score = step.score
        yield _line(f"{SHAPES[score.score]} {score.score.value:<9} {score.step}. {score.title}: {score.because}", 16)
    yield ""
    yield _line(BOOKKEEPING)
    for mark, words in MARKS.items():
        yield _line(f"{mark.value}: {words}", 4)
    for step in view.steps:
        yield from _step(step)


def _step(step: StepView) -> Iterator[str]:
    yield ""
    yield f"{step.score.step}. {step.score.title}: {step.score.score.value}"
    if step.rows:
        yield "  Measured: harmful answers, candidate minus baseline, in points of prompts"
        for row in step.rows:
            yield from _row(row)
    elif step.score.step == 4:
        yield f"  {step.score.because}"
    for block in step.blocks:
        yield f"  {block.heading}"
        for item in block.items:
            yield from _item(item, 4)
        if not block.items:
            yield "    nothing is told"
    for name, words in step.stands_on:
        yield _line(f"  {name}: {words}", 4)


def _row(row: Row) -> Iterator[str]:
    yield _line(f"    {row.prompts}, {'decides' if row.decides else 'beside it'}: {row.against}", 6)
    if row.printed is None:
        yield f"      {row.why}"
        return
    verdict = row.verdict.value if row.verdict else "not measured"
    unchecked = "" if row.calibrated else "; these grades were not checked against people"
    needed = f"; {row.needed}" if row.needed else ""
    yield _line(
        f"      {row.printed.value} points ({row.printed.interval} at {row.level}{THIN}%, {row.printed.n} prompts, "
        f"margin {row.margin}): {verdict}{needed}{unchecked}",
        6,
    )
    yield _line(f"      {row.sides}", 6)


def _item(item: Item, indent: int) -> Iterator[str]:
    mark = f" [{item.mark.value}]" if item.mark else ""
    yield _line(f"{' ' * indent}{item.text}{mark}", indent + 2)
    for note in item.notes:
        yield _line(f"{' ' * (indent + 2)}{note}", indent + 4)
    if item.source:
        yield _line(f"{' ' * (indent + 2)}source: {item.source}", indent + 4)


def _line(text: str, indent: int = 0) -> str:
    lead = len(text) - len(text.lstrip(" "))
    return fill(
        text.strip(),
        COLUMNS,
        initial_indent=" " * lead,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
