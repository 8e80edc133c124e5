"""Rulings on a terminal: plain words first, then each requirement with what would change it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill

from weighbridge.cli.exit_codes import MET, NOT_MET, UNDECIDED
from weighbridge.cli.inspected import COLUMNS
from weighbridge.dossier.untrusted import one_line
from weighbridge.evidence.provenance import Provenance
from weighbridge.standards.comparison import Higher, Row
from weighbridge.standards.rulings import RequirementRuling, Ruling, StandardRuling, Strength

SHAPES = {Ruling.MET: "[#]", Ruling.NOT_MET: "[x]", Ruling.NOT_SHOWN: "[?]", Ruling.NOT_APPLICABLE: "[-]"}
_ORDER = (Ruling.NOT_MET, Ruling.NOT_SHOWN, Ruling.MET, Ruling.NOT_APPLICABLE)


def code_of(rulings: Iterable[Ruling]) -> int:
    """Return the exit code: 1 when anything is not met, else 3 when anything is not shown, else 0.

    >>> code_of([Ruling.MET, Ruling.NOT_SHOWN]), code_of([Ruling.NOT_APPLICABLE])
    (3, 0)
    """
    found = set(rulings)
    return NOT_MET if Ruling.NOT_MET in found else UNDECIDED if Ruling.NOT_SHOWN in found else MET


def worst_first(rulings: Iterable[RequirementRuling]) -> list[RequirementRuling]:
    """Return rulings in the order in which a reader wants them: what is not met, what is not shown, the rest."""
    return sorted(rulings, key=lambda one: _ORDER.index(one.ruling))


def summary(rulings: Sequence[StandardRuling]) -> Iterator[str]:
    """Yield a line for each standard: its ruling, and who it was asked for where sectors stand side by side."""
    sectors = {one.context.get("sector") for one in rulings}
    for one in rulings:
        side = f", {one.context.get('sector', 'no sector')}" if len(sectors) > 1 else ""
        title = one_line(f"{one.title} ({one.standard}{side})")
        level = next((f", reached {each.title}" for each in one.levels if each.level == one.reached), "")
        yield wrapped(f"{SHAPES[one.ruling]} {one.ruling.value}: {title}{level}", 0, 4)


def told(found: StandardRuling, *, whole: bool) -> Iterator[str]:
    """Yield the lines of one standard. Without `whole`, requirements that are met or do not apply are only counted."""
    declared = ", ".join(f"{name} {value}" for name, value in found.context.items())
    yield wrapped(f"{one_line(found.title)} ({one_line(found.publisher)}, {one_line(found.version)})")
    if declared:
        yield wrapped(f"declared: {declared}", 2, 4)
    reached = ""
    if found.levels:
        title = next((one_line(one.title) for one in found.levels if one.level == found.reached), None)
        reached = f"; reached: {title or 'no level'}"
    yield wrapped(f"{SHAPES[found.ruling]} {found.ruling.value}: {found.because}{reached}", 0, 4)
    for note in found.notes:
        yield wrapped(f"note: {one_line(note, 400)}", 4, 6)
    for level in found.levels:
        lacks = f", lacks {', '.join(level.lacks)}" if level.lacks else ""
        yield wrapped(f"{SHAPES[level.ruling]} {one_line(level.title)}: {level.ruling.value}{lacks}", 4, 8)
    for one in worst_first(found.requirements):
        if whole or one.ruling in (Ruling.NOT_MET, Ruling.NOT_SHOWN):
            yield from requirement(one)
    hidden = [one for one in found.requirements if one.ruling in (Ruling.MET, Ruling.NOT_APPLICABLE)]
    if not whole and hidden:
        met = sum(one.ruling is Ruling.MET for one in hidden)
        yield wrapped(f"and {met} met, {len(hidden) - met} not applicable (--all shows them)", 4, 6)


def requirement(one: RequirementRuling) -> Iterator[str]:
    """Yield the lines of one requirement."""
    counts = "" if one.strength is Strength.REQUIRED else f" ({one.strength.value})"
    partly = ", met in part" if one.partial else ""
    yield wrapped(f"{SHAPES[one.ruling]} {one.ruling.value}{partly}: {one_line(one.title)}{counts}", 4, 8)
    there = {used.name for used in one.used}  # what is there and does not decide is shown as such
    whys: dict[str, list[str]] = {}
    for lacking in one.lacking:
        if lacking.name not in there and not lacking.name.startswith(("context.", "attested ")):
            whys.setdefault(lacking.why, []).append(lacking.name)
    if (
        one.because != f"no evidence of {'; '.join(lacking.name for lacking in one.lacking)}"
    ):  # told with the reasons below
        yield wrapped(one_line(one.because, 600), 8, 8)
    for why, names in whys.items():
        yield wrapped(f"lacks {', '.join(names)}: {one_line(why, 400)}", 8, 10)
    for used in one.used:
        elsewhere = f" [made elsewhere: {used.made_elsewhere}]" if used.made_elsewhere else ""
        yield wrapped(f"{used.name}: {one_line(used.shown)} (from {one_line(used.source)}){elsewhere}", 8, 10)
    for change in one.would_change:
        if change not in whys:
            yield wrapped(f"would change it: {one_line(change, 400)}", 8, 10)
    mark = "" if one.provenance is Provenance.CHECKED else f" [{one.provenance.value}]"
    yield wrapped(f"{one.requirement}: {one_line(one.cited)}{mark}", 8, 10)
    for remark in one.remarks:
        yield wrapped(one_line(remark, 400), 8, 10)


def side_by_side(title: str, rows: Sequence[tuple[str, str, str]], left: str, right: str) -> Iterator[str]:
    """Yield a table of two columns of text, a row for each topic."""
    width = (COLUMNS - 24) // 2
    yield title
    for topic, first, second in (("", left, right), *rows):
        columns = [_column(topic, 20), _column(first, width), _column(second, width)]
        for number in range(max(map(len, columns))):
            cells = [column[number] if number < len(column) else "" for column in columns]
            yield f"{cells[0]:<20}  {cells[1]:<{width}}  {cells[2]}".rstrip()


def topics(rows: Sequence[Row], left_label: str, right_label: str) -> list[tuple[str, str, str]]:
    """Return a row of texts for each topic: the topic and who is asked more, and each side's requirements with their rulings."""
    words = {
        Higher.LEFT: f"{left_label}: more",
        Higher.RIGHT: f"{right_label}: more",
        Higher.ONLY_LEFT: f"{left_label} only",
        Higher.ONLY_RIGHT: f"{right_label} only",
        Higher.SAME: "as much",
    }
    told = []
    for row in rows:
        sides = [[one for one in side if one.asked] for side in (row.left, row.right)]
        if any(sides):
            left, right = (
                "\n".join(f"{SHAPES[one.ruling.ruling]} {one_line(one.ruling.title)} ({one.standard})" for one in side)
                or "nothing is asked"
                for side in sides
            )
            told.append((f"{row.topic.value}\n{words[row.higher]}", left, right))
    return told


def _column(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines += fill(paragraph, width, subsequent_indent="  " if paragraph[:1] == "[" else "").split("\n")
    return lines


def wrapped(text: str, indent: int = 0, further: int = 0) -> str:
    """Return text in lines of the terminal's width. Others wrote much of it: what would steer a terminal is made visible."""
    return fill(
        one_line(text, 8000),
        COLUMNS,
        initial_indent=" " * indent,
        subsequent_indent=" " * further,
        break_long_words=False,
        break_on_hyphens=False,
    )
