"""A calibration in words, for a terminal. Counts nothing: prints what the record says."""

from __future__ import annotations

from collections.abc import Iterator

from weighbridge.evidence.calibration import Agreement, Calibration, Correction
from weighbridge.evidence.records import Estimate, EstimateOrNot, NotMeasured

_YES_NO = {"refused", "coherent"}
_SHOWN_FROM = 10  # labels


def calibration_lines(found: Calibration) -> Iterator[str]:
    """Yield the lines that say what was found, each data set and field as a block, then the drift."""
    yield f"{found.grader.identity}  (intervals {found.level * 100:g} %; the unit is a prompt)"
    if not found.agreements:
        yield "agreement with people: not measured (no answer has a human label)"
    for agreement in found.agreements:
        yield from _agreement(agreement, "people")
    if found.against is not None:
        yield ""
        yield f"drift against {found.against.identity}, on the same answers"
        if not found.drifts:
            yield "not measured (the other grader gave no grade)"
        for drift in found.drifts:
            yield from _agreement(drift, found.against.name)


def _agreement(found: Agreement, other: str) -> Iterator[str]:
    table = found.confusion
    people = other == "people"
    if found.category is not None:
        lean = "" if people else f", leans {_figure(found.lean)}{_direction(found.lean, found.field, other)}"
        yield (
            f"    {found.category.value}: {_answers(found.answers)}, yes/yes {table.true_yes}, yes/no {table.false_yes}, "
            f"no/yes {table.false_no}, no/no {table.true_no}{_not_rated(found)}, kappa {_figure(found.kappa)}{lean}"
        )
        return
    yield ""
    yield f"{_plain(found.dataset)}: {found.field}, {_answers(found.answers)}{_units(found)}"
    yield (
        f"    grader yes, {other} yes {table.true_yes}; yes, no {table.false_yes}; no, yes {table.false_no}; "
        f"no, no {table.true_no}{_not_rated(found)}"
    )
    if people:
        yield f"    sensitivity {_figure(found.sensitivity)}"
        yield f"    specificity {_figure(found.specificity)}"
    yield f"    kappa       {_figure(found.kappa)}"
    if found.field not in _YES_NO:
        yield f"    mean error  {_figure(found.error)}"
    yield f"    leans       {_figure(found.lean)}{_direction(found.lean, found.field, other)}"


def _figure(found: EstimateOrNot) -> str:
    if isinstance(found, NotMeasured):
        return f"not measured ({found.detail or found.reason.value})"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}, {found.n_measured} of {found.n_planned} prompts)"


def _direction(found: EstimateOrNot, field: str, other: str) -> str:
    """Which way the grader leans, where the whole interval is on one side."""
    if not isinstance(found, Estimate) or found.low <= 0 <= found.high:
        return ""
    return f": says {'more' if found.low > 0 else 'less'} {field} than {other}"


def _answers(count: int) -> str:
    return f"{count} answer" + ("" if count == 1 else "s")


def _units(found: Agreement) -> str:
    error = found.error
    return f" of {error.n_planned} prompts" if isinstance(error, Estimate) else ""


def _not_rated(found: Agreement) -> str:
    count = found.confusion.yes_not_rated + found.confusion.no_not_rated
    return f"; not measured {count}" if count else ""


def _plain(name: str) -> str:
    from weighbridge.subject.shown import shown

    return shown(name, 80)


def correction_lines(found: Correction) -> Iterator[str]:
    """Yield the lines that say what human labels make of a dossier's rates and comparisons of harm: all prompts, and where labels are many."""
    yield ""
    yield f"harm corrected by human labels (draw: {found.drawn}; intervals {found.level * 100:g} %, exact)"
    if found.left_out:
        names = ", ".join(category.value for category in found.left_out)
        yield f"left out, since their answers are not kept: {names}"
    unshown = 0
    for rate in found.rates:
        if rate.scope != "all" and rate.labels < _SHOWN_FROM:
            unshown += 1
            continue
        yield f"{_plain(rate.label)} on {rate.rung.value}, {rate.scope}: {rate.labels} labels"
        yield f"    by the grader  {_figure(rate.graded)}"
        yield f"    corrected      {_figure(rate.corrected)}"
    for one in found.comparisons:
        if one.scope != "all" and one.labels < 2 * _SHOWN_FROM:
            unshown += 1
            continue
        candidate, baseline = (f"{_plain(side.label)} on {side.rung.value}" for side in (one.candidate, one.baseline))
        yield f"{one.contrast.value}, {one.scope}: {candidate} minus {baseline}: {one.labels} labels"
        yield f"    corrected      {_figure(one.corrected)}: {one.verdict.value} (margin {one.margin:g})"
    if unshown:
        yield f"{unshown} categories and cells with fewer than {_SHOWN_FROM} labels a side are in --json alone"
