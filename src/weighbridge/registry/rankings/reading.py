"""Rankings from the database: results as columns, kept until the registry changes, and from them a part of a table.

Ranks are always of the whole table; only the rows of one page become records.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, String, and_, exists, func, literal, or_, select, type_coerce

from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.rankings.bounds import ALPHA
from weighbridge.registry.rankings.records import (
    Aside,
    Asked,
    Listed,
    Named,
    Placed,
    Ranking,
    RankingPage,
    Result,
    Unmeasured,
)
from weighbridge.registry.rankings.table import ResultRow, Table, View, changed, table_of
from weighbridge.registry.store import Store
from weighbridge.registry.tables import audit, publications, revocations, signers, supersessions
from weighbridge.registry.tables.rates import rankings, rates

MOST_KEPT = 2_000_000
"""Results that are kept in memory, over all rankings."""

MOST_LISTED = 500  # rankings in one list
MOST_ASIDE = 200  # results without a rank that one page shows
MOST_UNMEASURED = 200

_COUNTED = 1_000
_FETCHED = 20_000
_BATCH = 500
_MOST_CHANGED = 2_000  # entries of the log
_LOOKED_AT = 5_000  # publications that one answer looks through for what was not measured
_KNOWN_KINDS = ("published", "verified")

IS_REVOKED: ColumnElement[bool] = exists().where(revocations.c.envelope == publications.c.envelope)
IS_SUPERSEDED: ColumnElement[bool] = exists().where(
    supersessions.c.older == publications.c.statement, supersessions.c.signer == publications.c.signer
)
SUBJECT: ColumnElement[str] = func.coalesce(publications.c.root, literal("closed:").concat(publications.c.name_key))
UNTIL: ColumnElement[str] = type_coerce(publications.c.valid_until, String)


_Unmeasured = tuple[tuple[Unmeasured, ...], str | None]


@dataclass
class _Kept:
    """What was read of a ranking when the log ended with `head`. `first`: the first part of what was not measured, once it was asked for."""

    head: int
    table: Table
    first: _Unmeasured | None = None


class Rankings:
    """A registry's rankings. For several threads; two that need the same columns at once may both read them."""

    def __init__(self, store: Store, *, most: int = MOST_KEPT) -> None:
        self._store, self._most = store, most
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._list: tuple[int, tuple[Listed, ...]] | None = None

    def listed(self) -> tuple[Listed, ...]:
        """Return the rankings for which a known signer measured something, at most 500, by benchmark, grader and rung. Raises `RegistryError`."""
        with self._store.reading() as connection:
            head = _head(connection)
            kept = self._list
            if kept is None or kept[0] != head:
                kept = self._list = (head, _listed(connection))
            return kept[1]

    def at_place(self, benchmark: str, grader: str, rung: Rung) -> tuple[Listed, ...]:
        """Return the rankings of a benchmark (the digest of its prompts), a grader (the digest of its identity) and a rung, most results first.

        Raises `RegistryError`.
        """
        table = rankings.c
        with self._store.reading() as connection:
            found = _listed(connection, table.benchmark == benchmark, table.grader == grader, table.rung == rung.value)
        return tuple(sorted(found, key=lambda each: (-each.results, each.digest)))

    def page(self, ranking: Listed, asked: Asked, at: datetime) -> RankingPage:
        """Return a part of a table at a time. Raises `RegistryError`."""
        with self._store.reading() as connection:
            kept = self._read(connection, ranking)
            table = kept.table
            view, order = table.view(asked.by, at), table.chosen(asked, at)
            rows = order[(asked.page - 1) * asked.rows :][: asked.rows]
            aside = list(islice(table.set_aside(at), MOST_ASIDE + 1))
            places = [*view.row[rows].tolist(), *(place for place, _ in aside)]
            found = _results(connection, ranking.digest, [table.envelopes[place] for place in places])
            asides = [_aside(*found[table.envelopes[place]], why) for place, why in aside]
            asides += _strangers(connection, ranking.digest, MOST_ASIDE + 1 - len(asides))
            if asked.after is not None:
                unmeasured, after = _unmeasured(connection, ranking.digest, asked.after)
            else:
                if kept.first is None:
                    kept.first = _unmeasured(connection, ranking.digest, None)
                unmeasured, after = kept.first
            names = names_of(connection)
            return RankingPage(
                ranking=ranking.ranking,
                digest=ranking.digest,
                at=at,
                alpha=ALPHA,
                among=table.among,
                asked=asked,
                ranked=len(view.row),
                matching=len(order),
                pages=max(1, -(-len(order) // asked.rows)),
                rows=tuple(_placed(table, view, row, found) for row in rows.tolist()),
                protocols=table.protocols,
                evaluators={signer: evaluator_of(signer, names) for signer in table.evaluators(view)},
                asides=tuple(asides[:MOST_ASIDE]),
                asides_more=len(asides) > MOST_ASIDE,
                unmeasured=unmeasured,
                unmeasured_after=after,
            )

    def _read(self, connection: Connection, ranking: Listed) -> _Kept:
        head = _head(connection)
        with self._lock:
            kept = self._kept.get(ranking.digest)
        if kept is not None and kept.head == head:
            return kept
        # Whoever reads an older state than what is kept (they began first) makes it for themselves.
        about = None if kept is None or kept.head > head else _changed_since(connection, kept.head)
        if kept is None or about is None:
            found = _Kept(head, read_table(connection, ranking.digest, ranking.ranking))
        else:
            found = _Kept(head, _caught_up(connection, ranking.digest, kept.table, about))
        with self._lock:
            newest = self._kept.get(ranking.digest)
            if newest is None or newest.head < head:
                self._kept[ranking.digest] = found
            self._kept.move_to_end(ranking.digest)
            while len(self._kept) > 1 and sum(len(each.table.envelopes) for each in self._kept.values()) > self._most:
                self._kept.popitem(last=False)
        return found


def read_table(connection: Connection, digest: str, ranking: Ranking) -> Table:
    """Return all results of known signers in one ranking."""
    asked = result_rows().where(rates.c.ranking == digest).execution_options(yield_per=_FETCHED)
    rows = (ResultRow(*row) for row in connection.execute(asked))
    return table_of(rows, ranking.of, lacking(connection))


def _changed_since(connection: Connection, head: int) -> list[str] | None:
    """Return the subjects of which anything may have changed since the log ended with `head`; None: too many to be worth it."""
    asked = select(audit.c.subject).where(audit.c.number > head, audit.c.subject.is_not(None)).limit(_MOST_CHANGED + 1)
    entries = connection.execute(asked).scalars().all()
    if len(entries) > _MOST_CHANGED:
        return None
    about = sorted({each for each in entries if each is not None})
    # A statement may name older ones of another subject.
    newer = select(publications.c.statement).where(is_about(about))
    older = select(SUBJECT).where(
        publications.c.statement.in_(select(supersessions.c.older).where(supersessions.c.newer.in_(newer)))
    )
    return sorted({*about, *connection.execute(older).scalars()})


def _caught_up(connection: Connection, digest: str, table: Table, about: Sequence[str]) -> Table:
    rows: list[ResultRow] = []
    gone: dict[str, int] = {}
    for at in range(0, len(about), _BATCH):
        batch = about[at : at + _BATCH]
        asked = result_rows().where(rates.c.ranking == digest, rates.c.subject.in_(batch))
        rows += (ResultRow(*row) for row in connection.execute(asked))
        gone |= lacking(connection, batch)
    return changed(table, about, rows, gone)


def result_rows() -> Any:
    """Return the question for `ResultRow`s of known signers, still to be narrowed."""
    table = publications.c
    return (
        select(
            rates.c.envelope,
            rates.c.subject,
            table.label,
            table.root.is_(None),
            table.signer,
            UNTIL,
            IS_REVOKED,
            IS_SUPERSEDED,
            rates.c.value,
            rates.c.n_measured,
            rates.c.n_lost,
            rates.c.low,
            rates.c.high,
            rates.c.reason,
            rates.c.protocol,
        )
        .join(publications, table.envelope == rates.c.envelope)
        .where(rates.c.is_known.is_(True))
    )


def lacking(connection: Connection, subjects: Sequence[str] | None = None) -> dict[str, int]:
    """Return of how many results by known signers the audit log knows that are not at hand, by subject. None: of any subject."""
    logged = [audit.c.kind.in_(_KNOWN_KINDS)]
    there: list[ColumnElement[bool]] = [publications.c.signer_known.is_(True)]
    if subjects is not None:
        logged.append(audit.c.subject.in_(subjects))
        there.append(is_about(subjects))
    counted = (
        select(func.count()).select_from(table).where(*which)
        for table, which in ((audit, logged), (publications, there))
    )
    published, found = (connection.execute(each).scalar_one() for each in counted)
    if published == found:  # none is stored without an entry, so none is lacking
        return {}
    at_hand = connection.execute(select(SUBJECT, func.count()).where(*there).group_by(SUBJECT))
    by_subject: dict[str, int] = dict(at_hand.all())  # rows are pairs
    entries = connection.execute(select(audit.c.subject, func.count()).where(*logged).group_by(audit.c.subject))
    return {subject: n - by_subject.get(subject, 0) for subject, n in entries if n > by_subject.get(subject, 0)}


def is_about(subjects: Sequence[str]) -> ColumnElement[bool]:
    """Return whether a publication is about one of `subjects`, by what has an index."""
    closed = [each.removeprefix("closed:") for each in subjects if each.startswith("closed:")]
    return or_(publications.c.root.in_(subjects), publications.c.name_key.in_(closed))


def named(subject: str, label: str) -> Named:
    """Return a model as it is told of."""
    return Named(subject=subject, label=label, is_closed=subject.startswith("closed:"))


def names_of(connection: Connection) -> dict[str, str]:
    """Return the names for people of known signers, by key."""
    return {row.keyid: row.name for row in connection.execute(select(signers.c.keyid, signers.c.name))}


def evaluator_of(signer: str, names: Mapping[str, str]) -> str:
    """Return a signer's name for people; a publication names its signer by kind and key.

    >>> evaluator_of("ed25519 key sha256:ab", {"sha256:ab": "Evaluator"})
    'Evaluator'
    """
    return names.get(signer.rpartition(" ")[2], signer)


def _head(connection: Connection) -> int:
    """Return the number of the audit log's last entry: whatever changes a table adds one."""
    return connection.execute(select(func.max(audit.c.number))).scalar() or 0


def _listed(connection: Connection, *which: ColumnElement[bool]) -> tuple[Listed, ...]:
    table = rankings.c
    some = (
        select(literal(1))
        .where(rates.c.ranking == table.ranking, rates.c.is_known.is_(True), rates.c.value.is_not(None))
        .limit(_COUNTED)
        .correlate(rankings)
        .subquery()
    )
    results = select(func.count()).select_from(some).scalar_subquery()
    asked = (
        select(table.ranking, table.grader, table.said, results)
        .where(table.is_known.is_(True), *which)
        .order_by(table.benchmark, table.grader, table.rung, table.ranking)
        .limit(MOST_LISTED)
    )
    return tuple(
        Listed(ranking=Ranking.model_validate_json(said), digest=digest, grader_digest=grader, results=count)
        for digest, grader, said, count in connection.execute(asked)
        if count
    )


def _result_columns() -> Any:
    table = publications.c
    columns = (rates, table.label, table.signer, table.valid_until)
    return select(*columns).join(publications, table.envelope == rates.c.envelope)


def _results(connection: Connection, ranking: str, envelopes: Sequence[str]) -> dict[str, tuple[Named, Result]]:
    names, found = names_of(connection), {}
    for at in range(0, len(envelopes), _BATCH):
        batch = envelopes[at : at + _BATCH]
        asked = _result_columns().where(rates.c.ranking == ranking, rates.c.envelope.in_(batch))
        for row in connection.execute(asked):
            found[row.envelope] = (named(row.subject, row.label), _result(row, evaluator_of(row.signer, names)))
    return found


def _result(row: Row[Any], evaluator: str) -> Result:
    return Result(
        publication=row.envelope,
        signer=row.signer,
        evaluator=evaluator,
        value=row.value,
        low=row.low,
        high=row.high,
        level=row.level,
        n_planned=row.n_planned,
        n_measured=row.n_measured,
        n_lost=row.n_lost,
        protocol=row.protocol,
        calibrated=tuple(filter(None, row.calibrated.split(","))),
        valid_until=row.valid_until,
    )


def _placed(table: Table, view: View, row: int, found: dict[str, tuple[Named, Result]]) -> Placed:
    model, result = found[table.envelopes[int(view.row[row])]]
    return Placed(
        best=int(view.best[row]),
        worst=int(view.worst[row]),
        model=model,
        value=float(view.value[row]),
        low=float(view.low[row]),
        high=float(view.high[row]),
        results=int(view.results[row]),
        by_expired=bool(view.by_expired[row]),
        result=result,
    )


def _aside(model: Named, result: Result, why: str) -> Aside:
    return Aside(model=model, result=result, why=why)


def _strangers(connection: Connection, ranking: str, most: int) -> list[Aside]:
    """Return results whose signers nobody here knows: anybody can publish them, so they place nobody."""
    strange = rates.c.is_known.is_(False)
    asked = _result_columns().where(rates.c.ranking == ranking, rates.c.value.is_not(None), strange)
    rows = connection.execute(asked.order_by(rates.c.subject).limit(most))
    return [
        _aside(named(row.subject, row.label), _result(row, row.signer), "its signer is not known here") for row in rows
    ]


def _unmeasured(connection: Connection, ranking: str, after: str | None) -> _Unmeasured:
    """Return models of the registry that nobody measured here, by label, and after which publication to go on looking.

    It looks through so many publications and no more, so that a list of what is not there costs little when all is there.
    """
    table = publications.c
    asked = select(table.envelope, SUBJECT.label("subject"), table.label, table.label_key)
    if after is not None:
        from_key = select(table.label_key).where(table.envelope == after).scalar_subquery()
        asked = asked.where(or_(table.label_key > from_key, and_(table.label_key == from_key, table.envelope > after)))
    looked_at = asked.order_by(table.label_key, table.envelope).limit(_LOOKED_AT).subquery()
    measured = exists().where(
        rates.c.subject == looked_at.c.subject, rates.c.ranking == ranking, rates.c.value.is_not(None)
    )
    order = (looked_at.c.label_key, looked_at.c.envelope)
    rows = connection.execute(select(looked_at).where(~measured).order_by(*order).limit(MOST_UNMEASURED + 1)).all()
    if len(rows) > MOST_UNMEASURED:
        last = rows[MOST_UNMEASURED - 1].envelope
    else:
        last = connection.execute(
            select(looked_at.c.envelope).order_by(*order).offset(_LOOKED_AT - 1).limit(1)
        ).scalar()
    shown: dict[str, str] = {}
    for row in rows[:MOST_UNMEASURED]:
        shown.setdefault(row.subject, row.label)  # each model once
    why = _why(connection, ranking, list(shown))
    found = tuple(
        Unmeasured(model=named(subject, label), why=why.get(subject, NOBODY)) for subject, label in shown.items()
    )
    return found, last


NOBODY = "nobody has weighed it with these prompts, this grader and this way of asking"


def _why(connection: Connection, ranking: str, subjects: Sequence[str]) -> dict[str, str]:
    """Return why a model has no value here, as its newest dossier says it."""
    asked = (
        select(rates.c.subject, rates.c.reason, rates.c.detail)
        .join(publications, publications.c.envelope == rates.c.envelope)
        .where(rates.c.ranking == ranking, rates.c.subject.in_(subjects), rates.c.reason.is_not(None))
        .order_by(publications.c.signer_known, publications.c.made_at)
    )
    return {row.subject: row.reason + (f": {row.detail}" if row.detail else "") for row in connection.execute(asked)}
