"""One ranking's results as columns, and who stands where among them. Pure: rows and the time come in.

Only results of known signers come here. The laws, each a property test: what was not measured has no rank; taking away a model's publication, a value or
measured prompts of it never moves it up. So a model is placed by the high end of its interval, by the worst of what known signers found, and not at
all when something is lacking that was promised.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weighbridge.analysis.answers import NO_ACCESS
from weighbridge.registry.rankings.bounds import ALPHA, Floats, Ints, family, mean_bounds, possible_ranks
from weighbridge.registry.rankings.records import Asked, By, Of, Sort

Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]

_NOT_PROMISED = frozenset(reason.value for reason in NO_ACCESS)
_IN_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"  # as the registry keeps times: texts of one width, which sort


class ResultRow(NamedTuple):
    """One publication's result. `value` None: not measured, for `reason` (of `evidence.records.Reason`). `until`: as the registry keeps times."""

    envelope: str
    subject: str
    label: str
    closed: bool
    signer: str
    until: str
    revoked: bool
    superseded: bool
    value: float | None
    measured: int | None
    lost: int | None
    low: float | None
    high: float | None
    reason: str | None
    protocol: str


@dataclass(frozen=True)
class View:
    """The ranked rows of a table, as columns: `row` is the result that places each, `results` on how many it stands."""

    row: Ints
    value: Floats
    low: Floats
    high: Floats
    best: Ints
    worst: Ints
    results: Ints
    by_expired: Bools
    orders: dict[tuple[Sort, bool], Ints] = field(default_factory=dict)
    evaluators: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    """All results of known signers in one ranking, as columns of one length. `subject`, `signer`: places in `subjects`, `signers`.

    `has`: something was measured. `counts`: it does, and it was neither revoked nor superseded. `low`, `high`: intervals that hold together with all
    others, of what counts. `signed_...`: as they were signed. `protocols`: by how many
    different ones was made what counts. `withheld`: why a subject has no rank although there are results, by its place.
    """

    of: Of
    envelopes: list[str]
    subjects: list[str]
    signers: list[str]
    protocol_names: list[str]
    labels: list[str]
    subject: Ints
    signer: Ints
    protocol: Ints
    closed: Bools
    revoked: Bools
    superseded: Bools
    has: Bools
    counts: Bools
    until: npt.NDArray[np.bytes_]
    expiries: npt.NDArray[np.bytes_]
    value: Floats
    measured: Floats
    lost: Floats
    signed_low: Floats
    signed_high: Floats
    low: Floats
    high: Floats
    among: int
    protocols: int
    withheld: dict[int, str]
    _views: dict[tuple[By, int], View] = field(default_factory=dict)
    _folded: list[list[str]] = field(default_factory=list)

    def expired(self, at: datetime) -> Bools:
        """Return which results have expired."""
        return self.until <= _text(at)

    def view(self, by: By, at: datetime) -> View:
        """Return the ranked rows at a time, by model or by result."""
        # What is ranked changes with time only when something expires.
        when = (by, int(np.searchsorted(self.expiries, _text(at), side="right")))
        if when not in self._views:
            if len(self._views) > _MOST_VIEWS:
                self._views.clear()
            self._views[when] = _by_model(self, at) if by == "model" else _by_result(self, at)
        return self._views[when]

    def chosen(self, asked: Asked, at: datetime) -> Ints:
        """Return the places in the view of the rows that are asked for, in the order asked for, of all pages."""
        view = self.view(asked.by, at)
        order = self._order(view, asked.sort, asked.descending)
        rows = view.row[order]
        keep = np.ones(len(rows), dtype=bool)
        if asked.kind != "any":
            keep &= self.closed[rows] == (asked.kind == "closed")
        if asked.evaluator is not None:
            code = self.signers.index(asked.evaluator) if asked.evaluator in self.signers else -1
            of_theirs = np.zeros(len(self.subjects), dtype=bool)
            of_theirs[self.subject[(self.signer == code) & self.counts]] = True
            keep &= of_theirs[self.subject[rows]] if asked.by == "model" else self.signer[rows] == code
        if sought := asked.find.casefold().strip():
            keep &= np.array([sought in label for label in self._labels()], dtype=bool)[rows]
        return order[keep]

    def evaluators(self, view: View) -> list[str]:
        """Return whose results the rows of a view stand on."""
        if not view.evaluators:
            of_ranked = np.zeros(len(self.subjects), dtype=bool)
            of_ranked[self.subject[view.row]] = True
            view.evaluators[:] = [
                self.signers[code] for code in np.unique(self.signer[self.counts & of_ranked[self.subject]])
            ]
        return view.evaluators

    def set_aside(self, at: datetime) -> Iterable[tuple[int, str]]:
        """Yield the results that give their model no rank of their own, and why, in the order of labels."""
        expired = self.expired(at)
        held = np.zeros(len(self.subjects), dtype=bool)
        held[list(self.withheld)] = True
        ranked = np.zeros(len(self.subjects), dtype=bool)
        ranked[self.subject[self.view("model", at).row]] = True
        rows = np.flatnonzero(self.has & (self.revoked | self.superseded | expired | held[self.subject]))
        folded = self._labels()
        for row in sorted(rows.tolist(), key=lambda row: (folded[row], self.envelopes[row])):
            subject = int(self.subject[row])
            if self.revoked[row]:
                yield row, "revoked by a maintainer"
            elif self.superseded[row]:
                yield row, "superseded by a later result of the same evaluator"
            elif expired[row] and ranked[subject]:
                yield row, "expired; it still counts against its model, for its evaluator has not taken its place"
            elif expired[row]:
                yield row, "expired"
            else:
                yield row, self.withheld[subject]

    def _labels(self) -> list[str]:
        if not self._folded:
            self._folded.append([label.casefold() for label in self.labels])
        return self._folded[0]

    def _order(self, view: View, sort: Sort, descending: bool) -> Ints:
        if (sort, descending) not in view.orders:
            view.orders[sort, descending] = self._sorted(view, sort, descending)
        return view.orders[sort, descending]

    def _sorted(self, view: View, sort: Sort, descending: bool) -> Ints:
        sign = -1 if descending else 1
        # The last key is the first to sort by. Within one rank the high end orders: it never falls when evidence is lost.
        rank = (view.value, view.best, view.high, view.worst)
        if sort == "rank":
            keys: tuple[npt.NDArray[np.float64] | Ints, ...] = tuple(sign * key for key in rank)
        elif sort == "rate":
            keys = (*rank, sign * view.value)
        elif sort == "prompts":
            keys = (*rank, sign * self.measured[view.row])
        else:
            names = self._labels() if sort == "label" else [self.signers[code] for code in self.signer]
            _, place = np.unique(np.array([names[row] for row in view.row], dtype=object), return_inverse=True)
            keys = (*rank, sign * place)
        return np.lexsort(keys)


_MOST_VIEWS = 8


def table_of(rows: Iterable[ResultRow], of: Of, lacking: Mapping[str, int]) -> Table:
    """Return the table of one ranking. `rows`: every result of a known signer. `lacking`: how many publications of a subject are not at hand."""
    return _made(_EMPTY, rows, of, lacking)


def changed(table: Table, subjects: Collection[str], rows: Iterable[ResultRow], lacking: Mapping[str, int]) -> Table:
    """Return a table in which `rows` are all results about `subjects`, and those about others are as they were.

    It says the same as one made anew; intervals are only made for what is new, unless there are so many results that all become wider.
    """
    places = {name: place for place, name in enumerate(table.subjects)}
    gone = np.zeros(len(table.subjects), dtype=bool)
    gone[[places[subject] for subject in subjects if subject in places]] = True
    keep = np.flatnonzero(~gone[table.subject]) if len(table.subject) else np.zeros(0, dtype=np.int64)
    kept = replace(
        table,
        **{name: getattr(table, name)[keep] for name in _COLUMNS},
        envelopes=[table.envelopes[row] for row in keep],
        labels=[table.labels[row] for row in keep],
        withheld={place: why for place, why in table.withheld.items() if not gone[place]},
    )
    return _made(kept, rows, table.of, lacking)


_COLUMNS = (
    *("subject", "signer", "protocol", "closed", "revoked", "superseded", "has", "counts", "until"),
    *("value", "measured", "lost", "signed_low", "signed_high", "low", "high"),
)


def _made(table: Table, rows: Iterable[ResultRow], of: Of, lacking: Mapping[str, int]) -> Table:
    """Return a table with rows added to it."""
    columns = list(zip(*rows, strict=True)) or [()] * len(ResultRow._fields)
    given = dict(zip(ResultRow._fields, columns, strict=True))
    subjects, subject = _codes(table.subjects, given["subject"])
    signers, signer = _codes(table.signers, given["signer"])
    protocols, protocol = _codes(table.protocol_names, given["protocol"])
    numbers = {
        name: np.array([0.0 if one is None else one for one in given[source]])
        for name, source in (
            ("value", "value"), ("measured", "measured"), ("lost", "lost"), ("signed_low", "low"), ("signed_high", "high")
        )
    }  # fmt: skip
    has = np.array([value is not None for value in given["value"]], dtype=bool)
    revoked, superseded = (np.array(given[name], dtype=bool) for name in ("revoked", "superseded"))
    found = {
        **numbers,
        "subject": subject,
        "signer": signer,
        "protocol": protocol,
        "closed": np.array(given["closed"], dtype=bool),
        "revoked": revoked,
        "superseded": superseded,
        "has": has,
        "counts": has & ~revoked & ~superseded,
        "until": np.array(given["until"], dtype="S27"),
        "low": np.zeros(len(has)),
        "high": np.zeros(len(has)),
    }
    whole: dict[str, Any] = {name: np.concatenate([getattr(table, name), found[name]]) for name in _COLUMNS}
    among = family(int(whole["counts"].sum()))
    new = whole["counts"].copy()
    if among == table.among:
        new[: len(table.subject)] = False  # these have their intervals
    whole["low"][new], whole["high"][new] = bounds_of(of, *(whole[name][new] for name in numbers), among=among)
    place = {name: code for code, name in enumerate(subjects)} if lacking else {}
    withheld = table.withheld | {place[name]: _lacking(count) for name, count in lacking.items() if name in place}
    for row in np.flatnonzero(~(has | revoked | superseded)).tolist():
        if lacks(reason := given["reason"][row]):
            withheld.setdefault(int(subject[row]), f"a result about it lacks this value: {reason}")
    return Table(
        of=of,
        envelopes=[*table.envelopes, *given["envelope"]],
        subjects=subjects,
        signers=signers,
        protocol_names=protocols,
        labels=[*table.labels, *given["label"]],
        **whole,
        among=among,
        protocols=len(np.unique(whole["protocol"][whole["counts"]])),
        withheld=withheld,
        expiries=np.sort(whole["until"]),
    )


def bounds_of(
    of: Of,
    value: Floats,
    measured: Floats,
    lost: Floats,
    low: Floats,
    high: Floats,
    *,
    among: int,
    alpha: float = ALPHA,
) -> tuple[Floats, Floats]:
    """Return the ends of intervals that hold all at once, of rates in [0, 1] or of contrasts in [-1, 1]. `low`, `high`: as they were signed.

    A contrast's interval also holds what was signed, which knows of answers that were lost within a prompt.
    """
    if of == "rate":
        return mean_bounds(value * measured, measured, lost, among=among, alpha=alpha)
    found = mean_bounds((value + 1) / 2 * measured, measured, lost, among=among, alpha=alpha)
    return np.minimum(2 * found[0] - 1, low), np.maximum(2 * found[1] - 1, high)


def _by_model(table: Table, at: datetime) -> View:
    """One row for a model: the highest low end and the highest high end of all that counts, so the worst that a known signer found.

    A result that has expired gives no rank, and counts against its model on, until its signer takes its place: waiting must not help.
    """
    expired = table.expired(at)
    n = len(table.subjects)
    may = np.zeros(n, dtype=bool)
    may[table.subject[table.counts & ~expired]] = True
    may[list(table.withheld)] = False
    rows = np.flatnonzero(table.counts & may[table.subject])
    subject = table.subject[rows]
    low, high, value = (np.full(n, -np.inf) for _ in range(3))
    for ends, found in ((low, table.low), (high, table.high), (value, table.value)):
        np.maximum.at(ends, subject, found[rows])
    results = np.bincount(subject, minlength=n)
    # Of several with the same high end the one with the higher value places the model, then the one that comes first by its digest.
    order = np.lexsort((rows, -table.value[rows], -table.high[rows], subject))
    _, first = np.unique(subject[order], return_index=True)
    placing = rows[order[first]]
    ranked = table.subject[placing]
    return _view(placing, value[ranked], low[ranked], high[ranked], results[ranked], expired[placing])


def _by_result(table: Table, at: datetime) -> View:
    """One row for each result that stands, of models from which nothing is lacking."""
    may = np.ones(len(table.subjects), dtype=bool)
    may[list(table.withheld)] = False
    rows = np.flatnonzero(table.counts & ~table.expired(at) & may[table.subject])
    ones = np.ones(len(rows), dtype=np.int64)
    return _view(rows, table.value[rows], table.low[rows], table.high[rows], ones, np.zeros(len(rows), dtype=bool))


def _view(row: Ints, value: Floats, low: Floats, high: Floats, results: Ints, by_expired: Bools) -> View:
    best, worst = possible_ranks(low, high)
    return View(row, value, low, high, best, worst, results, by_expired)


def _codes(names: Sequence[str], texts: Sequence[str]) -> tuple[list[str], Ints]:
    """Return the names with those that are new, and of each text its place among them."""
    places = {name: code for code, name in enumerate(names)}
    codes = [places.setdefault(text, len(places)) for text in texts]
    return list(places), np.array(codes, dtype=np.int64)


def _lacking(count: int) -> str:
    return f"{count} of its published results {'is' if count == 1 else 'are'} not at hand"


_NONE, _NO_NUMBER, _NO_TRUTH = np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=bool)
_EMPTY = Table(
    of="rate",
    envelopes=[],
    subjects=[],
    signers=[],
    protocol_names=[],
    labels=[],
    subject=_NONE,
    signer=_NONE,
    protocol=_NONE,
    closed=_NO_TRUTH,
    revoked=_NO_TRUTH,
    superseded=_NO_TRUTH,
    has=_NO_TRUTH,
    counts=_NO_TRUTH,
    until=np.zeros(0, dtype="S27"),
    expiries=np.zeros(0, dtype="S27"),
    value=_NO_NUMBER,
    measured=_NO_NUMBER,
    lost=_NO_NUMBER,
    signed_low=_NO_NUMBER,
    signed_high=_NO_NUMBER,
    low=_NO_NUMBER,
    high=_NO_NUMBER,
    among=0,
    protocols=0,
    withheld={},
)


def _text(at: datetime) -> bytes:
    return at.astimezone(UTC).strftime(_IN_TIME).encode()


def has_expired(row: ResultRow, at: datetime) -> bool:
    """Return whether a result has expired."""
    return row.until.encode() <= _text(at)


def lacks(reason: str) -> bool:
    """Return whether a value that is not there was promised: nobody who looked on other rungs alone has anything to answer for.

    >>> lacks("not in protocol"), lacks("provider error")
    (False, True)
    """
    return reason not in _NOT_PROMISED
