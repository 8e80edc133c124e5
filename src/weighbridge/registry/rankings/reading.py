"""Rankings from the database: results as columns, kept until the registry changes, and from them a part of a table.

Ranks are always of the whole table; only the rows of one page become records.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
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
from weighbridge.registry.rankings.table import ResultRow, Table, View, table_of
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
_KNOWN_KINDS = ("published", "verified")

IS_REVOKED: ColumnElement[bool] = exists().where(revocations.c.envelope == publications.c.envelope)
IS_SUPERSEDED: ColumnElement[bool] = exists().where(
    supersessions.c.older == publications.c.statement, supersessions.c.signer == publications.c.signer
)
SUBJECT: ColumnElement[str] = func.coalesce(publications.c.root, literal("closed:").concat(publications.c.name_key))
UNTIL: ColumnElement[str] = type_coerce(publications.c.valid_until, String)


class Rankings:
    """A registry's rankings. For several threads; two that need the same columns at once may both read them."""

    def __init__(self, store: Store, *, most: int = MOST_KEPT) -> None:
        self._store, self._most = store, most
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[int, Table]] = OrderedDict()
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
            table = self._table(connection, ranking)
            view, order = table.view(asked.by, at), table.chosen(asked, at)
            rows = order[(asked.page - 1) * asked.rows :][: asked.rows]
            aside = list(islice(table.set_aside(at), MOST_ASIDE + 1))
            places = [*view.row[rows].tolist(), *(place for place, _ in aside)]
            found = _results(connection, ranking.digest, [table.envelopes[place] for place in places])
            asides = [_aside(*found[table.envelopes[place]], why) for place, why in aside]
            asides += _strangers(connection, ranking.digest, MOST_ASIDE + 1 - len(asides))
            unmeasured, after = _unmeasured(connection, ranking.digest, asked.after)
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

    def _table(self, connection: Connection, ranking: Listed) -> Table:
        head = _head(connection)
        with self._lock:
            kept = self._kept.get(ranking.digest)
            if kept is not None and kept[0] == head:
                self._kept.move_to_end(ranking.digest)
                return kept[1]
        found = read_table(connection, ranking.digest, ranking.ranking)
        with self._lock:
            self._kept[ranking.digest] = (head, found)
            self._kept.move_to_end(ranking.digest)
            while len(self._kept) > 1 and sum(len(each.envelopes) for _, each in self._kept.values()) > self._most:
                self._kept.popitem(last=False)
        return found


def read_table(connection: Connection, digest: str, ranking: Ranking) -> Table:
    """Return all results of known signers in one ranking."""
    asked = result_rows().where(rates.c.ranking == digest).execution_options(yield_per=_FETCHED)
    rows = (ResultRow(*row) for row in connection.execute(asked))
    return table_of(rows, ranking.of, lacking(connection))


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
        .where(table.signer_known.is_(True))
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
        .select_from(rates.join(publications, publications.c.envelope == rates.c.envelope))
        .where(rates.c.ranking == table.ranking, rates.c.value.is_not(None), publications.c.signer_known.is_(True))
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
    strange = publications.c.signer_known.is_(False)
    asked = _result_columns().where(rates.c.ranking == ranking, rates.c.value.is_not(None), strange)
    rows = connection.execute(asked.order_by(publications.c.envelope).limit(most))
    return [
        _aside(named(row.subject, row.label), _result(row, row.signer), "its signer is not known here") for row in rows
    ]


def _unmeasured(connection: Connection, ranking: str, after: str | None) -> tuple[tuple[Unmeasured, ...], str | None]:
    """Return models of the registry that nobody measured here, by label, and after which publication to go on."""
    table = publications.c
    measured = exists().where(rates.c.ranking == ranking, rates.c.subject == SUBJECT, rates.c.value.is_not(None))
    asked = select(table.envelope, SUBJECT.label("subject"), table.label, table.label_key).where(~measured)
    if after is not None:
        from_key = select(table.label_key).where(table.envelope == after).scalar_subquery()
        asked = asked.where(or_(table.label_key > from_key, and_(table.label_key == from_key, table.envelope > after)))
    asked = asked.order_by(table.label_key, table.envelope).limit(MOST_UNMEASURED + 1)
    rows = connection.execute(asked).all()
    shown = {row.subject: row for row in reversed(rows[:MOST_UNMEASURED])}  # each model once, at its first place
    why = _why(connection, ranking, list(shown))
    found = tuple(
        Unmeasured(model=named(subject, row.label), why=why.get(subject, NOBODY))
        for subject, row in reversed(shown.items())
    )
    return found, rows[MOST_UNMEASURED - 1].envelope if len(rows) > MOST_UNMEASURED else None


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
