"""Two models side by side, under everything that either was weighed by.

Intervals are made for the two alone, so they are narrower than a table's. They hold for two models that were chosen before looking.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, select

from weighbridge.errors import UsageError
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.rankings.bounds import ALPHA, family
from weighbridge.registry.rankings.reading import NOBODY, evaluator_of, is_about, lacking, named, names_of, result_rows
from weighbridge.registry.rankings.records import (
    Named,
    NoSide,
    Ranking,
    Says,
    Side,
    SideBySide,
    SideOrNot,
    Two,
)
from weighbridge.registry.rankings.table import ResultRow, bounds_of, has_expired, lacks
from weighbridge.registry.tables import publications
from weighbridge.registry.tables.rates import rankings, rates
from weighbridge.subject.shown import shown

MOST_RESULTS = 5_000


def compare_two(connection: Connection, a: str, b: str, at: datetime) -> Two:
    """Return two models, each a root digest or `closed:PROVIDER/NAME`, under every ranking that a known signer has a result of one for.

    Raises `UsageError` when they are one, or the registry does not know one of them.
    """
    if a == b:
        raise UsageError("this is one model", where=shown(a), do="choose two")
    models = {subject: _model(connection, subject) for subject in (a, b)}
    rows: defaultdict[str, defaultdict[str, list[ResultRow]]] = defaultdict(lambda: defaultdict(list))
    asked = result_rows().add_columns(rates.c.ranking).where(rates.c.subject.in_((a, b))).limit(MOST_RESULTS)
    for *row, ranking in connection.execute(asked.order_by(publications.c.made_at.desc(), rates.c.ranking)):
        rows[ranking][row[1]].append(ResultRow(*row))
    said = {
        digest: Ranking.model_validate_json(text)
        for digest, text in connection.execute(
            select(rankings.c.ranking, rankings.c.said).where(rankings.c.ranking.in_(list(rows)))
        )
    }
    among = family(sum(_counts(row) for by_model in rows.values() for of in by_model.values() for row in of))
    gone, names = lacking(connection, [a, b]), names_of(connection)
    sides = [
        SideBySide(
            ranking=said[digest],
            digest=digest,
            grader_digest=said[digest].grader_digest,
            a=one,
            b=other,
            says=_says(one, other),
        )
        for digest, by_model in rows.items()
        for one, other in (
            tuple(_side(said[digest], by_model[each], gone.get(each, 0), among, at, names) for each in (a, b)),
        )
        if not one.kind == other.kind == "not measured"
    ]
    return Two(a=models[a], b=models[b], at=at, alpha=ALPHA, among=among, rows=tuple(sorted(sides, key=_place)))


def _model(connection: Connection, subject: str) -> Named:
    label = connection.execute(select(publications.c.label).where(is_about([subject])).limit(1)).scalar()
    if label is None:
        raise UsageError("the registry knows of no such model", where=shown(subject), do="give a root digest")
    return named(subject, label)


def _side(
    ranking: Ranking, rows: Sequence[ResultRow], gone: int, among: int, at: datetime, names: Mapping[str, str]
) -> SideOrNot:
    """Return what was found of one model, over all that counts: the highest of the ends and of the values, as a table has it."""
    standing = [row for row in rows if not (row.revoked or row.superseded)]
    counted = [row for row in standing if _counts(row)]
    if not counted and not any(row.value is not None for row in rows):
        told = [row.reason for row in rows if row.reason]
        return NoSide(kind="not measured", why=told[0] if told else NOBODY)
    if gone:
        return NoSide(kind="not shown", why=f"{gone} of its published results are not at hand")
    if lost := [row.reason for row in standing if row.reason and lacks(row.reason)]:
        return NoSide(kind="not shown", why=f"a result about it lacks this value: {lost[0]}")
    if not any(not has_expired(row, at) for row in counted):
        return NoSide(kind="not shown", why="every result has expired, was superseded or revoked")
    columns = [
        np.array([getattr(row, name) for row in counted]) for name in ("value", "measured", "lost", "low", "high")
    ]
    low, high = bounds_of(ranking.of, *columns, among=among)
    placing = counted[int(np.argmax(high))]
    return Side(
        value=max(row.value for row in counted if row.value is not None),
        low=float(low.max()),
        high=float(high.max()),
        n_measured=placing.measured or 0,
        n_lost=placing.lost or 0,
        results=len(counted),
        evaluators=tuple(sorted({evaluator_of(row.signer, names) for row in counted})),
    )


def _counts(row: ResultRow) -> bool:
    return row.value is not None and not (row.revoked or row.superseded)


def _says(a: SideOrNot, b: SideOrNot) -> Says:
    if isinstance(a, Side) and isinstance(b, Side):
        return "a is lower" if a.high < b.low else "b is lower" if b.high < a.low else "cannot be told apart"
    return (
        "not shown" if any(isinstance(each, NoSide) and each.kind == "not shown" for each in (a, b)) else "not measured"
    )


def _place(row: SideBySide) -> tuple[str, str, str, str, int, int, str, str]:
    ranking = row.ranking
    return (
        ranking.benchmark.name,
        ranking.benchmark.version,
        ranking.benchmark.digest,
        ranking.grader.identity,
        ("rate", "opening", "counterfactual").index(ranking.of),
        list(Rung).index(ranking.rung),
        ranking.aggregate,
        row.digest,
    )
