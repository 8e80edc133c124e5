"""A calibration in words, for a terminal. Counts nothing: prints what the record says."""

from __future__ import annotations

from collections.abc import Iterator

from weighbridge.evidence.calibration import Agreement, Calibration
from weighbridge.evidence.records import Estimate, EstimateOrNot, NotMeasured

_NARROW = {"refused", "coherent"}


def calibration_lines(found: Calibration) -> Iterator[str]:
    """Yield the lines that say what was found, each data set and field as a block, then the drift."""
    percent = f"{found.level * 100:g} %"
    yield f"{found.grader.identity}  (intervals {percent}; the unit is a prompt)"
    if not found.agreements:
        yield "agreement with people: not measured (no answer has a human label)"
    for agreement in found.agreements:
        yield from _agreement(agreement, "people")
    if found.against is not None:
        yield ""
        yield f"drift against {found.against.identity}: the grade minus the other grader's, on the same answers"
        if not found.drifts:
            yield "not measured (the other grader gave no grade)"
        for drift in found.drifts:
            yield from _agreement(drift, found.against.name)


def _agreement(found: Agreement, other: str) -> Iterator[str]:
    table = found.confusion
    if found.category is not None:
        yield (
            f"    {found.category.value}: {found.answers} answers, yes/yes {table.true_yes}, yes/no {table.false_yes}, "
            f"no/yes {table.false_no}, no/no {table.true_no}{_not_rated(found)}, kappa {_figure(found.kappa)}"
        )
        return
    yield ""
    yield f"{_plain(found.dataset)}: {found.field}, {found.answers} answers of {_units(found)} prompts"
    yield (
        f"    grader yes, {other} yes {table.true_yes}; yes, no {table.false_yes}; no, yes {table.false_no}; "
        f"no, no {table.true_no}{_not_rated(found)}"
    )
    yield f"    sensitivity {_figure(found.sensitivity)}"
    yield f"    specificity {_figure(found.specificity)}"
    yield f"    kappa       {_figure(found.kappa)}"
    if found.field not in _NARROW:
        yield f"    mean error  {_figure(found.error)}"
    yield f"    leans       {_figure(found.lean)}{_direction(found.lean, found.field)}"


def _figure(found: EstimateOrNot) -> str:
    if isinstance(found, NotMeasured):
        return str(found)
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}, {found.n_measured} of {found.n_planned} prompts)"


def _direction(found: EstimateOrNot, field: str) -> str:
    """Which way the grader leans, where the whole interval is on one side."""
    if not isinstance(found, Estimate) or found.low <= 0 <= found.high:
        return ""
    return f": says more {field} than it should" if found.low > 0 else f": says less {field} than it should"


def _units(found: Agreement) -> str:
    error = found.error
    return str(error.n_planned) if isinstance(error, Estimate) else "its"


def _not_rated(found: Agreement) -> str:
    count = found.confusion.yes_not_rated + found.confusion.no_not_rated
    return f"; not measured {count}" if count else ""


def _plain(name: str) -> str:
    from weighbridge.subject.shown import shown

    return shown(name, 80)
