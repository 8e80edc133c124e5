"""What people say of the workbench's answers: harmful or not, and if so of which category, verb and severity; a second rater's queue; how far they agree.

A rating is never deleted: one that its rater changes ends, and stays. The audit log knows who rated what, so a rating that is taken out of the database
counts as one that is missing, and never makes what is disputed look settled (`settle`).

The queue gives a second person an answer without saying which model's it is, who rated it first, or how. Where two differ, a third is asked. Nobody is
given an answer of a conversation that they began, or one on a rung that their role may not ask on. An answer that somebody put under child sexual
exploitation is given to nobody: its text is shown to no second person.
"""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

import orjson
from pydantic import model_validator
from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, insert, or_, select, true, update

from weighbridge.analysis.krippendorff import Metric, Rating, Value, alpha
from weighbridge.digests import digest_bytes
from weighbridge.errors import UsageError
from weighbridge.evidence.records import EstimateOrNot, Record
from weighbridge.findings.finding import Severity
from weighbridge.protocol.vocabulary import Category, Verb
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import note
from weighbridge.registry.conversations import Turn, rungs_of, said_before, turns_of
from weighbridge.registry.store import Store
from weighbridge.registry.tables import audit
from weighbridge.registry.tables.ratings import rating_leases, ratings
from weighbridge.registry.tables.workbench import conversations, sides, turns

LEASE = timedelta(minutes=15)
TAG, BLIND = "tag", "blind"
_SUBJECT = "side:"  # before its id: an answer in the audit log


class NotInQueue(UsageError):
    """This person is not given this answer: it is not there, not rated yet, rated by them, settled, or not for them. The words are the same for all."""

    def __init__(self) -> None:
        super().__init__("this answer is not in your queue", do="take the next one")


class Judgement(Record):
    """What one person says of one answer. Category, verb and severity are of a harm: none of them without it."""

    harmful: bool
    category: Category | None = None
    verb: Verb | None = None
    severity: Severity | None = None

    @model_validator(mode="after")
    def _whole(self) -> Judgement:
        parts = [self.category, self.verb, self.severity]
        if self.harmful and None in parts:
            raise ValueError("a harm has a category, a verb and a severity")
        if not self.harmful and any(part is not None for part in parts):
            raise ValueError("what is not harmful has no category, verb or severity")
        return self


@dataclass(frozen=True)
class Rated:
    """A rating that stands. `finding`: the handle of the finding that was saved from it, None where none was."""

    rating: str
    side: str
    rater: str
    at: datetime
    how: str
    said: Judgement
    finding: str | None


class State(StrEnum):
    """How far people's ratings of an answer go."""

    UNRATED = "not rated"
    ONE = "rated by one"
    SETTLED = "settled"
    DISPUTED = "disputed"
    LACKING = "a rating is missing"


@dataclass(frozen=True)
class Settled:
    """What ratings come to. `said` None: nothing is settled. `fields`: those in which the raters differ."""

    state: State
    said: Judgement | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Blind:
    """An answer as a second rater sees it: whose it is is not in it. `asked`: the person's words, up to and with those that it answers."""

    side: str
    asked: tuple[str, ...]
    before: tuple[tuple[str, str], ...]
    prefill: str
    text: str


@dataclass(frozen=True)
class Disputed:
    """An answer of which ratings differ, or are missing. `said`: by rater, for those who rated it themselves; to others None. `may_rate`: whether whoever asks may."""

    side: str
    settled: Settled
    raters: int
    said: Mapping[str, Judgement] | None
    may_rate: bool


@dataclass(frozen=True)
class Agreement:
    """How far raters agree. `states`: how many rated answers there are in each state; `alphas` by field. `waiting`: answers in the queue of whoever asks."""

    states: Mapping[State, int]
    alphas: Mapping[str, EstimateOrNot]
    disputed: tuple[Disputed, ...]
    waiting: int


FIELDS = ("harmful", "category", "verb", "severity")
_METRICS = {"severity": Metric.ORDINAL}


@lru_cache(maxsize=64)
def alpha_of(ratings: tuple[Rating, ...], metric: Metric) -> EstimateOrNot:
    """Return alpha, remembered: thousands of ratings take a second, and a page is looked at more often than somebody rates."""
    return alpha(ratings, metric)


def settle(said: Sequence[Judgement], known: int) -> Settled:
    """Return what ratings come to. `known`: how many people are known to have rated it, whether or not their ratings are at hand.

    A field is settled when two people or more say the same of it, and they are more than half of all that are known. So taking a rating away never settles
    anything (a property test holds it). Where "not harmful" is settled, nothing else is needed. Pure.
    """
    known = max(known, len(said))
    if not said:
        return Settled(State.LACKING if known else State.UNRATED)
    common = {field: _common([getattr(one, field) for one in said], known) for field in FIELDS}
    apart = tuple(field for field in FIELDS if len({getattr(one, field) for one in said}) > 1)
    if common["harmful"] == (False,):
        return Settled(State.SETTLED, Judgement(harmful=False), apart)
    if None not in common.values():
        values = {field: found[0] for field, found in common.items() if found is not None}
        return Settled(State.SETTLED, Judgement.model_validate(values), apart)
    if known > len(said):
        return Settled(State.LACKING, fields=apart)
    return Settled(State.ONE if len(said) == 1 else State.DISPUTED, fields=apart)


def rate(connection: Connection, now: datetime, side: str, said: Judgement, *, rater: str, how: str = TAG) -> str:
    """Keep what a person says of an answer, and return the rating's name. What they said before ends; the same again changes nothing.

    Who may rate what is the caller's to check, or `rate_blind`'s.
    """
    mine = (ratings.c.side == side, ratings.c.rater == rater, ratings.c.ended_at.is_(None))
    before = connection.execute(select(ratings.c.rating, ratings.c.said).where(*mine)).first()
    text = said.canonical().decode()
    if before is not None and before.said == text:
        return str(before.rating)
    connection.execute(update(ratings).where(*mine).values(ended_at=now))
    name = secrets.token_hex(16)
    category = said.category.value if said.category else None
    values = {"rating": name, "side": side, "rater": rater, "at": now, "how": how, "said": text, "category": category}
    connection.execute(insert(ratings).values(**values))
    connection.execute(delete(rating_leases).where(rating_leases.c.side == side, rating_leases.c.rater == rater))
    note(connection, now, "rated", rater, subject_of(side), {"rating": name, "said": digest_bytes(text.encode())})
    return name


def subject_of(side: str) -> str:
    """Return what the audit log calls an answer."""
    return f"{_SUBJECT}{side}"


def link_finding(connection: Connection, rating: str, finding: str) -> None:
    """Note which finding was saved from a rating."""
    connection.execute(update(ratings).where(ratings.c.rating == rating).values(finding=finding))


def ratings_of(connection: Connection, which: Collection[str]) -> dict[str, list[Rated]]:
    """Return the ratings that stand, by side, the first first. Who may see them is the caller's to check."""
    return _ratings(connection, ratings.c.side.in_(which))


def ratings_in(connection: Connection, conversation: str, *, rater: str) -> dict[str, Rated]:
    """Return one person's own ratings in a conversation, by side."""
    own = select(sides.c.id).join(turns, turns.c.id == sides.c.turn).where(turns.c.conversation == conversation)
    found = _ratings(connection, and_(ratings.c.side.in_(own), ratings.c.rater == rater))
    return {side: each[-1] for side, each in found.items()}


def known_raters(connection: Connection, which: Collection[str] | None = None) -> dict[str, frozenset[str]]:
    """Return who rated which answer by the audit log, whether or not the rating is at hand. `which` None: all."""
    asked = select(audit.c.subject, audit.c.line).where(audit.c.kind == "rated")
    if which is not None:
        asked = asked.where(audit.c.subject.in_([subject_of(side) for side in which]))
    found: defaultdict[str, set[str]] = defaultdict(set)
    for subject, line in connection.execute(asked):
        found[subject.removeprefix(_SUBJECT)].add(orjson.loads(line)["by"])
    return {side: frozenset(names) for side, names in found.items()}


def settled_sides(connection: Connection, which: Collection[str]) -> dict[str, Settled]:
    """Return what the ratings of answers come to."""
    said, known = ratings_of(connection, which), known_raters(connection, which)
    return {side: settle([one.said for one in said.get(side, ())], len(known.get(side, ()))) for side in which}


@dataclass(frozen=True)
class Backing:
    """What people's ratings of the answer that a finding was saved from come to. `people`: how many are known to have rated it."""

    settled: Settled
    people: int

    def __str__(self) -> str:
        """Say it in words."""
        said, state = self.settled.said, self.settled.state
        if said is not None and said.harmful and said.category and said.verb and said.severity:
            return (
                f"settled among {self.people} people: {said.category.label}, {said.verb.value}, {said.severity.value}"
            )
        if said is not None:
            return f"settled among {self.people} people: not harmful"
        if state is State.ONE:
            return "by one person so far"
        return f"{state.value}; known to be rated by {self.people}"


def backing_of(connection: Connection, finding: str) -> Backing | None:
    """Return what backs a finding; None: it was not saved from an answer of the workbench."""
    side = connection.execute(select(ratings.c.side).where(ratings.c.finding == finding).limit(1)).scalar()
    if side is None:
        return None
    people = {one.rater for one in ratings_of(connection, [side]).get(side, ())} | known_raters(connection, [side]).get(
        side, frozenset()
    )
    return Backing(settled_sides(connection, [side])[side], len(people))


def claim_next(store: Store, *, rater: str, role: Role) -> str | None:
    """Give a second (or third) rater the next answer, for `LEASE`, and return its id; None: nothing is left for them now. Reloaded, it is the same."""
    with store.writing() as connection:
        now = store.clock()
        return _claim(connection, now, rater, role)


def look_blind(connection: Connection, now: datetime, side: str, *, rater: str, role: Role) -> Blind:
    """Return an answer as a second rater sees it. Raises `NotInQueue`."""
    _may_rate(connection, now, side, rater, role)
    return _blind(connection, now, side)


def rate_blind(store: Store, side: str, said: Judgement, *, rater: str, role: Role) -> str | None:
    """Keep a second rater's word and return the next answer for them (None: nothing is left). Their lease may have run out meanwhile. Raises `NotInQueue`."""
    with store.writing() as connection:
        now = store.clock()
        _may_rate(connection, now, side, rater, role, even_leased=True)
        rate(connection, now, side, said, rater=rater, how=BLIND)
        return _claim(connection, now, rater, role)


def agreement(connection: Connection, now: datetime, *, rater: str, role: Role) -> Agreement:
    """Return how far raters agree over all rated answers, and where they differ. Answers of one conversation are drawn together."""
    said, known = _ratings(connection, ratings.c.rating.is_not(None)), known_raters(connection)
    which = sorted({*said, *known})
    settled = {side: settle([one.said for one in said.get(side, ())], len(known.get(side, ()))) for side in which}
    talks = dict(
        connection.execute(
            select(sides.c.id, turns.c.conversation)
            .join(turns, turns.c.id == sides.c.turn)
            .where(sides.c.id.in_(select(ratings.c.side)))
        ).all()
    )
    alphas = {}
    for field in FIELDS:
        values = tuple(
            Rating(side, one.rater, value, talks.get(side, side))
            for side, each in said.items()
            for one in each
            if (value := _value(one.said, field)) is not None
        )
        alphas[field] = alpha_of(values, _METRICS.get(field, Metric.NOMINAL))
    queue = set(connection.execute(_queue(now, rater, role)).scalars())
    apart = [side for side in which if settled[side].state in (State.DISPUTED, State.LACKING)]
    return Agreement(
        states=Counter(one.state for one in settled.values()),
        alphas=alphas,
        disputed=tuple(
            Disputed(
                side=side,
                settled=settled[side] if _is_mine(said.get(side, ()), rater) else Settled(settled[side].state),
                raters=len(known.get(side, ())),
                said={one.rater: one.said for one in sorted(said.get(side, ()), key=lambda one: one.rater)}
                if _is_mine(said.get(side, ()), rater)
                else None,
                may_rate=side in queue,
            )
            for side in apart
        ),
        waiting=len(queue),
    )


def _common(values: Sequence[object], known: int) -> tuple[object] | None:
    """Return, in a tuple of its own, what two or more say and more than half of all known."""
    [(value, often)] = Counter(values).most_common(1)
    return (value,) if often > 1 and 2 * often > known else None


def _value(said: Judgement, field: str) -> Value | None:
    value = getattr(said, field)
    return list(Severity).index(value) if isinstance(value, Severity) else value


def _is_mine(said: Iterable[Rated], rater: str) -> bool:
    return any(one.rater == rater for one in said)


def _ratings(connection: Connection, which: ColumnElement[bool]) -> dict[str, list[Rated]]:
    rows = connection.execute(
        select(ratings).where(which, ratings.c.ended_at.is_(None)).order_by(ratings.c.at, ratings.c.rating)
    )
    found: defaultdict[str, list[Rated]] = defaultdict(list)
    for row in rows:
        said = Judgement.model_validate_json(row.said)
        found[row.side].append(Rated(row.rating, row.side, row.rater, row.at, row.how, said, row.finding))
    return dict(found)


def _queue(now: datetime, rater: str, role: Role, *, even_leased: bool = False) -> Select[Any]:
    """Select the answers that somebody may be given, the first rated first."""
    standing = and_(ratings.c.side == sides.c.id, ratings.c.ended_at.is_(None))
    grouped = (
        select(ratings.c.side, func.count().label("people"), func.count(func.distinct(ratings.c.said)).label("words"))
        .where(ratings.c.ended_at.is_(None))
        .group_by(ratings.c.side)
        .subquery()
    )
    is_free = ~exists().where(
        rating_leases.c.side == sides.c.id, rating_leases.c.rater != rater, rating_leases.c.until > now
    )
    first = select(func.min(ratings.c.at)).where(standing).scalar_subquery()
    return (
        select(sides.c.id)
        .join(grouped, grouped.c.side == sides.c.id)
        .join(turns, turns.c.id == sides.c.turn)
        .join(conversations, conversations.c.id == turns.c.conversation)
        .where(
            or_(grouped.c.people == 1, and_(grouped.c.people == 2, grouped.c.words == 2)),
            conversations.c.owner != rater,
            turns.c.rung.in_([rung.value for rung in rungs_of(role)]),
            ~exists().where(standing, ratings.c.rater == rater),
            ~exists().where(standing, ratings.c.category == Category.CHILD_SEXUAL_EXPLOITATION.value),
            true() if even_leased else is_free,
        )
        .order_by(first, sides.c.id)
    )


def _claim(connection: Connection, now: datetime, rater: str, role: Role) -> str | None:
    queue = _queue(now, rater, role)
    own = select(rating_leases.c.side).where(rating_leases.c.rater == rater, rating_leases.c.until > now)
    side = connection.execute(queue.where(sides.c.id.in_(own)).limit(1)).scalar()
    if side is None:
        side = connection.execute(queue.limit(1)).scalar()
    if side is None:
        return None
    connection.execute(delete(rating_leases).where(rating_leases.c.side == side))
    connection.execute(insert(rating_leases).values(side=side, rater=rater, until=now + LEASE))
    return str(side)


def _may_rate(
    connection: Connection, now: datetime, side: str, rater: str, role: Role, *, even_leased: bool = False
) -> None:
    if connection.execute(_queue(now, rater, role, even_leased=even_leased).where(sides.c.id == side)).first() is None:
        raise NotInQueue


def _blind(connection: Connection, now: datetime, side: str) -> Blind:
    conversation = connection.execute(
        select(turns.c.conversation).join(sides, sides.c.turn == turns.c.id).where(sides.c.id == side)
    ).scalar_one()
    found: list[Turn] = []
    for turn in turns_of(connection, now, conversation):
        found.append(turn)
        if (this := next((one for one in turn.sides if one.id == side), None)) is not None:
            return Blind(
                side=side,
                asked=tuple(one.text for one in found),
                before=said_before(found, turn.number, this.letter),
                prefill=this.prefill,
                text=this.text,
            )
    raise NotInQueue
