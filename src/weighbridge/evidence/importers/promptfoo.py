"""promptfoo: the JSON that `promptfoo eval --output FILE.json` writes, read against promptfoo 0.121.20 (results version 3).

The rows are counted here, by provider and prompt: passed, failed, and errors (`failureReason` 2), which are neither. A pass rate is
over what passed or failed; of a provider that only failed to answer there is none. Named metrics are means of the rows' scores.
Prompts are called by number and id: their texts, the variables and the answers are not taken over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from weighbridge.evidence.elsewhere import NOT_TOLD, ElsewhereResult
from weighbridge.evidence.importers.reading import Source
from weighbridge.evidence.importers.said import Said
from weighbridge.evidence.importers.values import (
    absent,
    count,
    mapping,
    moment,
    number,
    sequence,
    settings,
    share,
    text,
)
from weighbridge.evidence.records import Measured, NotMeasured, Outcome, Reason

_ERROR = 2  # promptfoo's ResultFailureReason: 0 none, 1 an assertion failed, 2 an error


def is_it(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object has the outline of promptfoo's results."""
    found = mapping(document.get("results"))
    return isinstance(found.get("results"), list) and isinstance(found.get("stats"), dict)


def read(source: Source) -> Said:
    """Return what a results file says. Raises `UsageError` for what is none."""
    document = source.document()
    if not is_it(document):
        raise source.wrong("is not a results file of promptfoo: it has no rows and stats")
    found, about = mapping(document["results"]), mapping(document.get("metadata"))
    cells = _cells(found)
    differing = tuple(_differing(found, cells))
    doubts = (*differing, *_errors(cells))
    # With rows cut out, what is left could look better than what was measured: then nothing is taken over.
    gone = absent(Reason.NOTHING_MEASURED, "the rows are not those that the summary counts") if differing else None
    results = tuple(result for cell in cells.values() for result in _results(cell, gone))
    if not results:
        results = tuple(_results(_Cell(None, None, None), gone))
    stats = mapping(found["stats"])
    told = None not in (count(stats.get("successes")), count(stats.get("failures")), count(stats.get("errors")))
    absent_somewhere = any(isinstance(result.outcome, NotMeasured) for result in results)
    return Said(
        tool_version=text(about.get("promptfooVersion")),
        made_at=moment(found.get("timestamp") or about.get("evaluationCreatedAt")),
        subject_digest=None,
        complete=False if doubts or absent_somewhere else (True if told else None),
        doubts=doubts,
        results=results,
    )


@dataclass
class _Cell:
    """The rows of one provider and prompt."""

    provider: str | None
    prompt: int | None
    prompt_id: str | None
    passed: int = 0
    failed: int = 0
    errors: int = 0
    named: dict[str, list[float]] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)


def _cells(found: Mapping[str, Any]) -> dict[tuple[str | None, int | None], _Cell]:
    cells: dict[tuple[str | None, int | None], _Cell] = {}
    for index, prompt in enumerate(map(mapping, sequence(found.get("prompts")))):  # also those of which no row tells
        cells[text(prompt.get("provider")), index] = _Cell(
            text(prompt.get("provider")), index, _short(prompt.get("id"))
        )
    for row in map(mapping, found["results"]):
        provider = _provider(row.get("provider"))
        index_or_not = count(row.get("promptIdx"))
        cell = cells.get((provider, index_or_not))
        if cell is None:
            cell = _Cell(provider, index_or_not, _short(row.get("promptId")))
            cells[provider, index_or_not] = cell
        _count(cell, row)
    return cells


def _provider(value: Any) -> str | None:
    """A provider's label, else its id; before version 3 it was a text."""
    named = mapping(value)
    return text(named.get("label")) or text(named.get("id")) or text(value)


def _count(cell: _Cell, row: Mapping[str, Any]) -> None:
    graded = mapping(row.get("gradingResult"))
    if (
        row.get("failureReason") == _ERROR
        or (row.get("error") and not graded)
        or row.get("success") not in (True, False)
    ):
        cell.errors += 1
        return
    if row["success"] is True:
        cell.passed += 1
    else:
        cell.failed += 1
    for name, score in mapping(row.get("namedScores")).items():
        if (plain := number(score)) is not None and (title := text(name)):
            cell.named.setdefault(title, []).append(plain)
    for part in map(mapping, sequence(graded.get("componentResults"))):
        if kind := text(mapping(part.get("assertion")).get("type"), 40):
            cell.kinds.add(kind)


def _errors(cells: Mapping[Any, _Cell]) -> Iterator[str]:
    for cell in cells.values():
        if cell.errors:
            total = cell.passed + cell.failed + cell.errors
            yield f"{cell.provider or 'no provider'}, prompt {_number(cell)}: {cell.errors} of {total} rows are errors"


def _differing(found: Mapping[str, Any], cells: Mapping[Any, _Cell]) -> Iterator[str]:
    stats = mapping(found["stats"])
    for kind, counted in (
        ("successes", sum(cell.passed for cell in cells.values())),
        ("failures", sum(cell.failed for cell in cells.values())),
        ("errors", sum(cell.errors for cell in cells.values())),
    ):
        said = count(stats.get(kind))
        if said is not None and said != counted:
            yield f"{kind}: the summary says {said}, the rows are {counted}"


def _short(value: Any) -> str | None:
    """The beginning of a prompt's id, which is the digest of its text."""
    return (text(value) or "")[:12] or None


def _number(cell: _Cell) -> str:
    return str(cell.prompt + 1) if cell.prompt is not None else "not told"


def _results(cell: _Cell, gone: NotMeasured | None) -> Iterator[ElsewhereResult]:
    n = cell.passed + cell.failed
    if gone:
        rate: Outcome = gone
    elif cell.errors and not n:
        rate = absent(Reason.PROVIDER_ERROR, f"all {cell.errors} rows are errors")
    else:
        rate = share(cell.passed, n, "the file has no row of it")
    yield _result(cell, "pass rate", rate, n)
    for name, scores in cell.named.items():
        mean = number(sum(scores) / len(scores))
        value: Outcome = gone or absent(Reason.NOTHING_MEASURED, "the scores are too large to sum")
        if mean is not None and not gone:
            value = Measured(value=mean, unit=NOT_TOLD)
        yield _result(cell, name, value, len(scores))


def _result(cell: _Cell, metric: str, value: Outcome, n: int) -> ElsewhereResult:
    what = f"prompt {_number(cell)}" + (f" ({cell.prompt_id})" if cell.prompt_id else "")
    return ElsewhereResult(
        name=f"{cell.provider or 'no provider'}/{what}/{metric}",
        metric=metric,
        what=what,
        subject_named=cell.provider,
        outcome=value,
        n=n,
        standard_error=None,
        interval=None,
        higher_is_better=True if metric == "pass rate" else None,
        grader=text(", ".join(sorted(cell.kinds))),
        settings=settings(rows_with_errors=cell.errors),
    )
