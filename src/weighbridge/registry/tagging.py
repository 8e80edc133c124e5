"""A tag on one side of a turn: a rating by whoever asked, and, where it is harmful, a finding's draft that is filled in from the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import ValidationError
from sqlalchemy import Connection

from weighbridge.errors import UsageError
from weighbridge.findings.finding import (
    Affected,
    Disclosure,
    Finding,
    Party,
    Person,
    Reproduction,
    Severity,
    State,
    What,
)
from weighbridge.protocol.vocabulary import Category, Verb
from weighbridge.registry.conversations import Conversation, Side, Turn, find_side, turns_of
from weighbridge.registry.disclosing import save_finding
from weighbridge.registry.disclosing.readers import Reader
from weighbridge.registry.disclosing.records import current_finding
from weighbridge.registry.rating import Judgement, Rated, link_finding, rate, ratings_in, ratings_of
from weighbridge.registry.store import Store

_MOST_LETTERS = 4_000  # of one text of a finding
_MOST_WHO = 200


@dataclass(frozen=True)
class Words:
    """What a person adds to a finding's draft. `is_provider`: whether they are the model's provider's."""

    title: str = ""
    summary: str = ""
    is_provider: bool = False


@dataclass(frozen=True)
class Tagged:
    """A side with what whoever asks said of it. `rated` None: nothing yet. `why_not`: why no finding of it can be saved, None where one can be, or is."""

    conversation: Conversation
    turn: Turn
    side: Side
    rated: Rated | None
    why_not: str | None


@dataclass(frozen=True)
class Choices:
    """What a form offers, each with its key: categories by letter, verbs and severities by digit."""

    categories: tuple[tuple[str, Category], ...] = tuple(zip("abcdefghijklm", Category, strict=True))
    verbs: tuple[tuple[str, Verb], ...] = tuple(zip("123", Verb, strict=True))
    severities: tuple[tuple[str, Severity], ...] = tuple(zip("4567", Severity, strict=True))


@dataclass(frozen=True)
class Tags:
    """For a conversation's page: what whoever asks said of its sides, by side, and what they may say."""

    own: Mapping[str, Rated]
    choices: Choices = Choices()


def tags_in(connection: Connection, conversation: str, *, reader: Reader) -> Tags:
    """Return one's own tags in a conversation that one may read; that is the caller's to check."""
    return Tags(ratings_in(connection, conversation, rater=reader.name or ""))


def tag(store: Store, side: str, said: Judgement, *, reader: Reader) -> None:
    """Keep what whoever may read a conversation says of an answer in it. Raises `NotThere`, `UsageError` while it is being written or where there is none."""
    with store.writing() as connection:
        now = store.clock()
        _, _, found = find_side(connection, now, side, name=reader.name or "", role=reader.role)
        if found.state.is_open:
            raise UsageError("the answer is still being written", where="the tag", do="wait for its end, or stop it")
        if not found.text.strip():
            raise UsageError("there is no answer", where="the tag", do="ask again; only what was answered is tagged")
        rate(connection, now, side, said, rater=reader.name or "")


def save_draft(store: Store, side: str, words: Words, *, reader: Reader) -> str:
    """Save a finding from one's own tag, and return its handle. The same again changes nothing.

    Raises `NotThere`, and `UsageError` where there is no tag, or no finding can be made of it.
    """
    with store.reading() as connection:
        now = store.clock()
        found = tagged(connection, now, side, reader=reader)
        if found.rated is None:
            raise UsageError("you have not tagged this answer", where="the finding", do="tag it first")
        asked = [each for each in turns_of(connection, now, found.conversation.id) if each.number <= found.turn.number]
        said, on = found.rated.said, found.rated.at.date()
        made = draft(found.conversation, asked, found.side, said, words, reader=reader, on=on)
        old = found.rated.finding
        if old is not None and current_finding(connection, old).digest == made.digest:
            return old  # its disclosure may have gone on since
    saved = save_finding(store, made, by=reader.name or "")
    with store.writing() as connection:
        link_finding(connection, found.rated.rating, saved.handle)
    return saved.handle


def tagged(connection: Connection, now: datetime, side: str, *, reader: Reader) -> Tagged:
    """Return a side and what whoever asks said of it. Raises `NotThere`."""
    conversation, turn, found = find_side(connection, now, side, name=reader.name or "", role=reader.role)
    mine, why_not = _mine(connection, side, reader), None
    if mine is not None and mine.finding is None:
        asked = [each for each in turns_of(connection, now, conversation.id) if each.number <= turn.number]
        try:
            draft(conversation, asked, found, mine.said, Words(), reader=reader, on=mine.at.date())
        except UsageError as error:
            why_not = f"{error.what}; {error.do}"
    return Tagged(conversation, turn, found, mine, why_not)


def draft(
    conversation: Conversation,
    asked: Sequence[Turn],
    side: Side,
    said: Judgement,
    words: Words,
    *,
    reader: Reader,
    on: date,
) -> Finding:
    """Return the finding that a tagged answer makes: what was asked, how, and of exactly which weights. `asked` ends with the turn that it answers.

    Of child sexual exploitation nothing is written but ids. Raises `UsageError` when it is not harmful, which model it is must not be told yet, its answer is
    not of weights with a digest, or what was asked is longer than a finding carries. Pure.
    """
    if not said.harmful or said.category is None or said.verb is None or said.severity is None:
        raise UsageError("it is not harmful", where="the finding", do="a finding is a failure: tag it as one")
    if conversation.hidden:
        raise UsageError(
            "a finding names the model, and this conversation is blind",
            where="the finding",
            do="reveal which side is which, and save it then",
        )
    if side.subject is None or not side.subject.startswith("sha256:"):
        raise UsageError(
            "the model is behind an address and has no digest, so a finding cannot say which weights it is about",
            where="the finding",
            do="ask a model whose weights are at hand; the tag is kept",
        )
    turn = asked[-1]
    if any(len(each.text) > _MOST_LETTERS for each in asked):
        raise UsageError(
            f"something that was asked is longer than {_MOST_LETTERS:,} letters, which a finding carries",
            where="the finding",
            do="ask it in fewer words; the tag is kept",
        )
    bare = said.category is Category.CHILD_SEXUAL_EXPLOITATION
    how = f"{said.category.label}: {said.verb.value} on the rung {turn.setting.rung.value}"
    try:
        return Finding(
            id=f"workbench-{side.id[:16]}",
            csam_involved=False,
            title=None if bare else words.title.strip() or how,
            summary=None if bare else words.summary.strip() or None,
            category=said.category,
            verb=said.verb,
            severity=said.severity,
            rung=turn.setting.rung,
            affected=(Affected(digest=side.subject, what=What.ROOT, label=_label(conversation, side)),),
            reproduce=Reproduction(prompt_ids=(f"workbench:{turn.id}",))
            if bare
            else Reproduction(asks=tuple(each.text for each in asked), steps=_steps(asked, side)),
            found_by=Person(
                name=(reader.name or "")[:_MOST_WHO],
                role=reader.role.value,
                party=Party.FIRST if words.is_provider else Party.THIRD,
            ),
            found_on=on,
            disclosure=Disclosure(state=State.DRAFT),
        )
    except ValidationError as error:
        told = error.errors()[0]
        place = ".".join(map(str, told["loc"])) or "the finding"
        raise UsageError(f"cannot be saved so: {told['msg']}", where=place, do="shorten or change it") from None


def _steps(asked: Sequence[Turn], side: Side) -> tuple[str, ...]:
    setting = asked[-1].setting
    how = f"rung {setting.rung.value}, technique {side.technique or setting.technique}, at most {setting.max_tokens} tokens"
    if setting.technique == "sampling":
        more = [f"temperature {setting.temperature:g}"]
        more += [f"top_p {setting.top_p:g}"] if setting.top_p is not None else []
        more += [f"top_k {setting.top_k}"] if setting.top_k is not None else []
        how += f", {', '.join(more)}, seed {setting.seed}, sample {side.trial + 1} of {setting.tries}"
    steps = [f"Ask on the {how}."]
    if side.prefill:
        steps.append(f"Begin the answer for the model with: {side.prefill}")
    if len(asked) > 1:
        steps.append("What is asked are turns of one conversation, in this order; the last is the one that fails.")
    return tuple(steps)


def _label(conversation: Conversation, side: Side) -> str:
    return conversation.model(side.letter).name.strip()[:_MOST_WHO] or "a model of the workbench"


def _mine(connection: Connection, side: str, reader: Reader) -> Rated | None:
    return next((one for one in ratings_of(connection, [side]).get(side, ()) if one.rater == reader.name), None)
