"""Conversations of the workbench: a person's words, and what the candidate and the baseline said to them, side by side.

A turn is stored with its sides before anybody is asked; text grows while it comes. A side belongs to the service that asks for it, which gives a sign
of life every few seconds (`flush`). A side whose service has been silent for `LEASE` is interrupted: its text stays, and it can be asked again, as a new
attempt beside the old. In a blind conversation which side is the candidate is drawn once, and nobody is told before `reveal`. Every id is random.

Tags, ratings and findings name a side by its id; nothing here changes a side that has ended.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Connection, Row, Select, func, insert, select, update

from weighbridge.errors import UsageError
from weighbridge.evidence.records import Record
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import note
from weighbridge.registry.tables.workbench import conversations, sides, turns

LEASE = timedelta(seconds=20)
"""How long a service may be silent before what it was asking for counts as interrupted."""
MOST_LETTERS = 8_000
MOST_TURNS = 200
MOST_OPEN_TURNS = 2
"""How many turns of one person may be answered at the same time."""

_ID = re.compile(r"[0-9a-f]{32}")  # whatever else is asked for (PostgreSQL takes no NUL) is not there
_NEW = {
    Role.VISITOR: (),
    Role.TESTER: (Rung.HOSTED, Rung.API),
    Role.RESEARCHER: (Rung.WEIGHTS,),
    Role.MAINTAINER: (),
}


class NotThere(UsageError):
    """There is no such conversation, turn or side, or it is not theirs: the two look alike."""

    def __init__(self, what: str = "conversation") -> None:
        super().__init__(f"there is no such {what} of yours", do="choose one from the workbench")


class NotYours(UsageError):
    """This role may not ask on this rung, or nobody may."""


class SideState(StrEnum):
    """How far an answer is."""

    WAITING = "waiting"  # stored; its model is being loaded, or its turn has not come
    ANSWERING = "answering"
    ANSWERED = "answered"
    CUT = "cut"  # longer than an answer may be
    FAILED = "failed"  # no answer, or it broke off: a fault of ours or of the provider's
    INTERRUPTED = "interrupted"  # the service that asked is gone
    STOPPED = "stopped"  # by a person
    NOT_MEASURED = "not measured"  # cannot be asked on this rung

    @property
    def is_open(self) -> bool:
        """Whether something may still come."""
        return self in (SideState.WAITING, SideState.ANSWERING)


_OPEN = (SideState.WAITING.value, SideState.ANSWERING.value)

Technique = Literal["chat", "prefill", "raw", "sampling"]


class Setting(Record):
    """How a turn is asked. `technique`: `chat` on `hosted` and `api`; on `weights` one of the others.

    `opening` is begun for the model (`prefill`). `temperature`, `top_p`, `top_k` and `tries` (samples) are of `sampling`.
    """

    rung: Rung
    technique: Technique = "chat"
    opening: Annotated[str, StringConstraints(max_length=500)] = ""
    temperature: float = Field(default=1.0, ge=0, le=5)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=1, le=1_000_000)
    tries: int = Field(default=1, ge=1, le=4)
    max_tokens: int = Field(default=256, ge=1, le=2048)
    seed: int = Field(default=0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _fits(self) -> Setting:
        if (self.rung is Rung.WEIGHTS) is (self.technique == "chat"):
            raise ValueError("`chat` is the technique of `hosted` and `api`; `weights` has prefill, raw and sampling")
        if self.opening and self.technique != "prefill":
            raise ValueError("an opening belongs to the technique prefill")
        if self.tries > 1 and self.technique != "sampling":
            raise ValueError("several samples belong to the technique sampling")
        return self


@dataclass(frozen=True)
class Named:
    """A model as the operator named it, and as people read it."""

    reference: str
    name: str


@dataclass(frozen=True)
class Conversation:
    """What is said to whom. `baseline` None: a conversation with the candidate alone. `candidate_is`: A or B, by the draw."""

    id: str
    owner: str
    candidate: Named
    baseline: Named | None
    blind: bool
    candidate_is: str
    revealed_at: datetime | None
    began_at: datetime
    touched_at: datetime

    @property
    def hidden(self) -> bool:
        """Whether which side is which must not be told."""
        return self.blind and self.revealed_at is None

    @property
    def letters(self) -> tuple[str, ...]:
        """The sides, in the order in which they are shown."""
        return ("A",) if self.baseline is None else ("A", "B")

    def model(self, letter: str) -> Named:
        """Return the model on a side. Whoever shows it looks at `hidden` first."""
        return self.candidate if letter == self.candidate_is or self.baseline is None else self.baseline


@dataclass(frozen=True)
class Side:
    """One answer to one turn. `text` is without `prefill`. `problem` and `advice`: why there is none, or not all, and what to do.

    `subject`: whose answer it is (a root digest `sha256:...`, or `endpoint:URL#model`), None before it was asked. In a hidden conversation `subject`,
    `technique`, `problem`, `advice` and times would tell which model it is.
    """

    id: str
    turn: str
    letter: str
    trial: int
    attempt: int
    subject: str | None
    technique: str | None
    prefill: str
    state: SideState
    text: str
    problem: str | None
    advice: str | None
    finish: str | None
    server: str
    beat_at: datetime
    ended_at: datetime | None

    @property
    def said(self) -> str:
        """The answer as a person reads it: with the opening that was begun for the model, which it may go on from in mid-word."""
        return self.prefill + self.text

    @property
    def can_be_asked_again(self) -> bool:
        """Whether it ended without a whole answer."""
        return self.state in (SideState.FAILED, SideState.INTERRUPTED, SideState.STOPPED, SideState.NOT_MEASURED)


@dataclass(frozen=True)
class Turn:
    """A person's words and the sides' answers: by letter, sample and attempt, in this order. `number` counts from 1."""

    id: str
    conversation: str
    number: int
    text: str
    setting: Setting
    asked_at: datetime
    sides: tuple[Side, ...]

    @property
    def latest(self) -> tuple[Side, ...]:
        """The last attempt of each side and sample."""
        last = {(side.letter, side.trial): side for side in self.sides}
        return tuple(last.values())

    @property
    def is_open(self) -> bool:
        """Whether an answer may still come."""
        return any(side.state.is_open for side in self.sides)


@dataclass(frozen=True)
class Listed:
    """A conversation in a list, with its first words."""

    conversation: Conversation
    turns: int
    first: str


@dataclass(frozen=True)
class Update:
    """What has become of a side since the last time: `piece` is added to its text; what is None stays."""

    side: str
    piece: str = ""
    state: SideState = SideState.ANSWERING
    subject: str | None = None
    technique: str | None = None
    prefill: str | None = None
    problem: str | None = None
    advice: str | None = None
    finish: str | None = None


def rungs_of(role: Role) -> tuple[Rung, ...]:
    """Return the rungs on which somebody may ask, from most that stands between to least. `modified` is nobody's: it is not measurable here.

    >>> [str(rung) for rung in rungs_of(Role.TESTER)], [str(rung) for rung in rungs_of(Role.RESEARCHER)]
    (['hosted', 'api'], ['hosted', 'api', 'weights'])
    """
    return tuple(rung for other in Role if role.covers(other) for rung in _NEW[other])


def refuse_rung(role: Role, rung: Rung) -> None:
    """Raise `NotYours` unless somebody may ask on a rung."""
    if rung is Rung.MODIFIED:
        raise NotYours(
            "the rung modified is not measurable here: it needs changed weights, and a conversation changes none",
            do="weigh the changed weights with `weighbridge assess`, or serve them as a model of their own",
        )
    if rung not in rungs_of(role):
        raise NotYours(f"a {role.value} may not ask on the rung {rung.value}", do="ask a maintainer for the role")


def begin(
    connection: Connection, now: datetime, *, owner: str, candidate: Named, baseline: Named | None, blind: bool
) -> str:
    """Begin a conversation and return its id. Raises `UsageError` for a blind one with one model."""
    if blind and (baseline is None or baseline.reference == candidate.reference):
        raise UsageError("a blind conversation needs two models", do="choose a baseline that is another model")
    identity = secrets.token_hex(16)
    connection.execute(
        insert(conversations).values(
            id=identity,
            owner=owner,
            candidate=candidate.reference,
            baseline=baseline.reference if baseline else None,
            candidate_name=candidate.name,
            baseline_name=baseline.name if baseline else None,
            blind=blind,
            candidate_is=secrets.choice("AB") if blind else "A",
            began_at=now,
            touched_at=now,
        )
    )
    note(connection, now, "conversation begun", owner, None, {"conversation": identity})
    return identity


def add_turn(
    connection: Connection,
    now: datetime,
    conversation: Conversation,
    *,
    by: str,
    role: Role,
    text: str,
    setting: Setting,
    server: str,
) -> Turn:
    """Store a person's words and the sides that are to answer them, all of them or nothing.

    `server` names the service that will ask: its sign of life is due within `LEASE`. Raises `NotYours` when the role may not ask on this rung,
    `UsageError` for no words or too many, and while an answer is still coming.
    """
    refuse_rung(role, setting.rung)
    if by != conversation.owner:
        raise NotYours("only whoever began a conversation speaks in it", do="begin one of your own")
    if not text.strip() or len(text) > MOST_LETTERS:
        raise UsageError("no words, or too many", where="text", do=f"write 1 to {MOST_LETTERS:,} letters")
    number = 1 + connection.execute(
        select(func.coalesce(func.max(turns.c.number), 0)).where(turns.c.conversation == conversation.id)
    ).scalar_one()  # fmt: skip
    if number > MOST_TURNS:
        raise UsageError(f"a conversation has at most {MOST_TURNS} turns", do="begin another")
    still = _still_open(connection, now, by)
    if conversation.id in still:
        raise UsageError("the turn before is still being answered", do="wait for it, or stop it")
    if len(still) >= MOST_OPEN_TURNS:
        raise UsageError(f"{len(still)} of your turns are still being answered", do="wait for one, or stop one")
    turn = Turn(secrets.token_hex(16), conversation.id, number, storable(text), setting, now, ())
    connection.execute(
        insert(turns).values(
            id=turn.id,
            conversation=turn.conversation,
            number=number,
            text=turn.text,
            rung=setting.rung.value,
            setting=setting.model_dump_json(),
            asked_at=now,
        )
    )
    added = tuple(
        _add_side(connection, now, turn.id, letter, trial, 0, server)
        for letter in conversation.letters
        for trial in range(setting.tries)
    )
    connection.execute(update(conversations).where(conversations.c.id == conversation.id).values(touched_at=now))
    said = {
        "conversation": conversation.id,
        "turn": turn.id,
        "rung": setting.rung.value,
        "technique": setting.technique,
    }
    note(connection, now, "turn asked", by, None, said)
    return replace(turn, sides=added)


def ask_again(connection: Connection, now: datetime, side: str, *, by: str, role: Role, server: str) -> Side:
    """Add another attempt beside one that ended without a whole answer, and return it. The old one stays as it is.

    Raises `NotThere`, `NotYours`, or `UsageError` when the side is being answered or was answered.
    """
    conversation, turn, old = find_side(connection, now, side, name=by, role=role)
    refuse_rung(role, turn.setting.rung)
    if by != conversation.owner:
        raise NotYours("only whoever began a conversation speaks in it", do="begin one of your own")
    if not old.can_be_asked_again or old not in turn.latest:
        raise UsageError("this side has an answer, or is being asked", do="look at the conversation")
    if old.state is SideState.INTERRUPTED:  # from here on, whoever left it cannot go on with it
        ended = {"state": SideState.INTERRUPTED.value, "ended_at": now}
        connection.execute(update(sides).where(sides.c.id == old.id, sides.c.state.in_(_OPEN)).values(**ended))
    said = {
        "conversation": conversation.id,
        "turn": turn.id,
        "rung": turn.setting.rung.value,
        "technique": turn.setting.technique,
    }
    note(connection, now, "turn asked", by, None, said)
    return _add_side(connection, now, turn.id, old.letter, old.trial, old.attempt + 1, server)


def stop(connection: Connection, now: datetime, side: str) -> bool:
    """End a side that is open, whichever service asks for it: that one learns it from its next `flush`. Return whether it was open."""
    done = connection.execute(
        update(sides)
        .where(sides.c.id == side, sides.c.state.in_(_OPEN))
        .values(state=SideState.STOPPED.value, ended_at=now, problem="stopped by whoever asked", advice="ask again")
    )
    return done.rowcount == 1


def reveal(connection: Connection, now: datetime, conversation: str, *, by: str) -> None:
    """Let everybody who may read a conversation know which side is which, from now on. Twice is once."""
    done = connection.execute(
        update(conversations)
        .where(
            conversations.c.id == conversation, conversations.c.revealed_at.is_(None), conversations.c.blind.is_(True)
        )
        .values(revealed_at=now)
    )
    if done.rowcount:
        note(connection, now, "conversation revealed", by, None, {"conversation": conversation})


def flush(connection: Connection, now: datetime, server: str, updates: Iterable[Update]) -> frozenset[str]:
    """Store what has come since the last time; it is also the sign of life of `server`. Return the sides that are no longer its own.

    Those were stopped, or asked again by another service: whoever asks for them gives up, and nothing of theirs was stored.
    """
    lost = set()
    for each in updates:
        told = {
            name: storable(value) if isinstance(value, str) else value
            for name in ("subject", "technique", "prefill", "problem", "advice", "finish")
            if (value := getattr(each, name)) is not None
        }
        values: dict[str, Any] = {"state": each.state.value, "beat_at": now, **told}
        if each.piece:
            values["text"] = sides.c.text + storable(each.piece)
        if not each.state.is_open:
            values["ended_at"] = now
        mine = (sides.c.id == each.side, sides.c.server == server, sides.c.state.in_(_OPEN))
        if connection.execute(update(sides).where(*mine).values(**values)).rowcount != 1:
            lost.add(each.side)
    return frozenset(lost)


def conversations_of(connection: Connection, owner: str, limit: int = 500) -> list[Listed]:
    """Return somebody's conversations, the last used first."""
    first = (
        select(turns.c.text).where(turns.c.conversation == conversations.c.id, turns.c.number == 1).scalar_subquery()
    )
    count = select(func.count()).where(turns.c.conversation == conversations.c.id).scalar_subquery()
    asked = (
        select(conversations, count.label("turns"), first.label("first"))
        .where(conversations.c.owner == owner)
        .order_by(conversations.c.touched_at.desc(), conversations.c.id)
        .limit(limit)
    )
    return [Listed(_conversation(row), row.turns, row.first or "") for row in connection.execute(asked)]


def find_conversation(connection: Connection, identity: str, *, name: str, role: Role) -> Conversation:
    """Return a conversation that somebody may read: its owner, and maintainers. Raises `NotThere`."""
    found = _readable(connection, identity, name, role)
    if found is None:
        raise NotThere
    return found


def turns_of(connection: Connection, now: datetime, conversation: str) -> tuple[Turn, ...]:
    """Return the turns of a conversation, in order, each with its sides as they stand at `now`."""
    return _turns(connection, now, select(turns).where(turns.c.conversation == conversation).order_by(turns.c.number))


def find_turn(
    connection: Connection, now: datetime, identity: str, *, name: str, role: Role
) -> tuple[Conversation, Turn]:
    """Return a turn and its conversation, for somebody who may read them. Raises `NotThere`."""
    found = _turns(connection, now, select(turns).where(turns.c.id == identity)) if _ID.fullmatch(identity) else ()
    if not found or (conversation := _readable(connection, found[0].conversation, name, role)) is None:
        raise NotThere("turn")
    return conversation, found[0]


def find_side(
    connection: Connection, now: datetime, identity: str, *, name: str, role: Role
) -> tuple[Conversation, Turn, Side]:
    """Return a side, its turn and its conversation, for somebody who may read them. Raises `NotThere`."""
    asked = select(turns).join(sides, sides.c.turn == turns.c.id).where(sides.c.id == identity)
    found = _turns(connection, now, asked) if _ID.fullmatch(identity) else ()
    if not found or (conversation := _readable(connection, found[0].conversation, name, role)) is None:
        raise NotThere("answer")
    return conversation, found[0], next(side for side in found[0].sides if side.id == identity)


def said_before(earlier: Sequence[Turn], number: int, letter: str) -> tuple[tuple[str, str], ...]:
    """Return what was said on one side before turn `number`: pairs of a person's words and the answer. A turn without an answer is left out."""
    pairs = []
    for turn in earlier:
        answers = [side for side in turn.latest if side.letter == letter and side.trial == 0 and side.text]
        if turn.number < number and answers:
            pairs.append((turn.text, answers[0].said))
    return tuple(pairs)


def storable(text: str) -> str:
    r"""Return a text that every database takes, of the same length: NUL as its picture, half of a surrogate pair as the replacement character.

    >>> storable("a\x00b\ud83d")
    'a␀b�'
    """
    if text.isascii() and "\x00" not in text:
        return text
    return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text.replace("\x00", "\u2400"))


def _add_side(
    connection: Connection, now: datetime, turn: str, letter: str, trial: int, attempt: int, server: str
) -> Side:
    identity = secrets.token_hex(16)
    values = {
        "id": identity,
        "turn": turn,
        "letter": letter,
        "trial": trial,
        "attempt": attempt,
        "prefill": "",
        "state": SideState.WAITING.value,
        "text": "",
        "server": server,
        "beat_at": now,
    }
    connection.execute(insert(sides).values(**values))
    nothing = dict.fromkeys(("subject", "technique", "problem", "advice", "finish", "ended_at"))
    return Side(**{**nothing, **values, "state": SideState.WAITING})  # type: ignore[arg-type]


def _readable(connection: Connection, identity: str, name: str, role: Role) -> Conversation | None:
    row = None
    if _ID.fullmatch(identity):
        row = connection.execute(select(conversations).where(conversations.c.id == identity)).first()
    if row is None or not (row.owner == name or role is Role.MAINTAINER):
        return None
    return _conversation(row)


def _still_open(connection: Connection, now: datetime, owner: str) -> set[str]:
    """Return the conversations of somebody in which an answer is still coming."""
    asked = (
        select(turns.c.conversation, turns.c.id)
        .join(conversations, conversations.c.id == turns.c.conversation)
        .join(sides, sides.c.turn == turns.c.id)
        .where(conversations.c.owner == owner, sides.c.state.in_(_OPEN), sides.c.beat_at > now - LEASE)
    )
    return {row.conversation for row in connection.execute(asked)}


def _turns(connection: Connection, now: datetime, asked: Select[Any]) -> tuple[Turn, ...]:
    found = connection.execute(asked).all()
    by_turn: dict[str, list[Side]] = {row.id: [] for row in found}
    rows = connection.execute(
        select(sides).where(sides.c.turn.in_(list(by_turn))).order_by(sides.c.letter, sides.c.trial, sides.c.attempt)
    )
    for row in rows:
        by_turn[row.turn].append(_side(row, now))
    return tuple(
        Turn(
            row.id,
            row.conversation,
            row.number,
            row.text,
            Setting.model_validate_json(row.setting),
            row.asked_at,
            tuple(by_turn[row.id]),
        )
        for row in found
    )


def _side(row: Row[Any], now: datetime) -> Side:
    state = SideState(row.state)
    side = Side(**{**row._mapping, "state": state})
    if state.is_open and row.beat_at < now - LEASE:
        told = "the service that asked ended before the answer did"
        return replace(side, state=SideState.INTERRUPTED, problem=told, advice="ask again")
    return side


def _conversation(row: Row[Any]) -> Conversation:
    return Conversation(
        id=row.id,
        owner=row.owner,
        candidate=Named(row.candidate, row.candidate_name),
        baseline=Named(row.baseline, row.baseline_name) if row.baseline is not None else None,
        blind=row.blind,
        candidate_is=row.candidate_is,
        revealed_at=row.revealed_at,
        began_at=row.began_at,
        touched_at=row.touched_at,
    )
