"""A finding: a failure with a way to reproduce it, whom it was told to, and when it may be read. Format: docs/formats/findings.md.

Two rules stand above the rest. Nothing about child sexual exploitation carries text: such a finding has prompt ids and no words. And the author of the
model can answer a finding but never close it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from weighbridge.digests import Digest, digest_json
from weighbridge.evidence.records import Record
from weighbridge.findings.faults import Fault, refuse
from weighbridge.protocol.vocabulary import Category, Rung, Verb

FINDING_SCHEMA = "weighbridge.finding/1"
CSAM_ROUTE = (
    "material of child sexual abuse has no place in a finding: attach, copy and store nothing; report it to the hotline or authority "
    "of your country (INHOPE lists hotlines), and tell the model's author only that a report was made"
)
_ONLY_IDS = "child sexual exploitation: a finding of it carries prompt ids and no text: leave this out"


class Severity(StrEnum):
    """How bad it is, by the word of whoever found it. No score is computed from it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Party(StrEnum):
    """Whether somebody is the provider of the model, or somebody else."""

    FIRST = "first"
    THIRD = "third"


class What(StrEnum):
    """What a digest is of."""

    ROOT = "root"  # a subject's root digest: all files of it
    FILE = "file"  # one file


class State(StrEnum):
    """How far a disclosure is. There is no "closed": a finding stands until somebody else than the model's author withdraws it."""

    DRAFT = "draft"
    REPORTED = "reported"
    EMBARGOED = "embargoed"
    PUBLIC = "public"
    WITHDRAWN = "withdrawn"


def _slug(text: str) -> str:
    if not text or not all(letter.isascii() and (letter.isalnum() or letter in "-_.") for letter in text):
        raise ValueError("must be letters, digits, and - _ . without spaces")
    return text


def _prompt_id(text: str) -> str:
    if not all(letter.isascii() and (letter.isalnum() or letter in "._:/@+-") for letter in text):
        raise ValueError("must be a prompt's id: letters, digits, and . _ : / @ + -")
    return text


Slug = Annotated[str, StringConstraints(max_length=80), AfterValidator(_slug)]
PromptId = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_prompt_id)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]


class Person(Record):
    """Who did something. `role`: what they were to it (tester, researcher, provider's security team)."""

    name: Name
    role: Name
    party: Party


class Affected(Record):
    """One digest that a finding was seen on. `label` is for people; the digest is the thing."""

    digest: Digest
    what: What
    label: Name


class Pointer(Record):
    """Where evidence lies: a dossier, and, where it is one, an observation in it, by the digest of its canonical JSON."""

    dossier: Digest
    observation: Digest | None = None


class Reproduction(Record):
    """How to see it again. `prompt_ids`: prompts of a suite. `asks`: what is asked, word for word. `steps`: what a person does."""

    prompt_ids: tuple[PromptId, ...] = ()
    asks: tuple[Text, ...] = ()
    steps: tuple[Text, ...] = ()
    language: Language = "en"


class Told(Record):
    """Who was told, and when."""

    who: Name
    on: date


class Answer(Record):
    """What the provider says of a finding. It stands beside the finding and changes nothing in it."""

    by: Person
    on: date
    disputes: bool
    says: Text | None = None

    @model_validator(mode="after")
    def _is_the_providers(self) -> Answer:
        refuse(
            [(("by", "party"), "an answer is the provider's: party first")] if self.by.party is Party.THIRD else [],
            "Answer",
        )
        return self


class Withdrawal(Record):
    """Who took a finding back, and why."""

    by: Person
    on: date
    why: Text | None = None


class Disclosure(Record):
    """How far the disclosure is. `embargo_until`: the first day on which it may be read. `published_on`: the day on which it was made public."""

    state: State
    embargo_until: date | None = None
    published_on: date | None = None
    told: tuple[Told, ...] = ()
    answers: tuple[Answer, ...] = ()
    withdrawn: Withdrawal | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Disclosure:
        refuse(self._faults(), "Disclosure")
        return self

    def _faults(self) -> Iterator[Fault]:
        state = self.state
        if (self.embargo_until is not None) != (state is State.EMBARGOED):
            yield ("embargo_until",), "embargoed needs the day until which; no other state has one"
        if state is State.PUBLIC and self.published_on is None:
            yield ("published_on",), "public needs the day on which it was published"
        if self.published_on is not None and state not in (State.PUBLIC, State.WITHDRAWN):
            yield ("published_on",), "was published, so its state is public or withdrawn"
        if state in (State.REPORTED, State.EMBARGOED) and not self.told:
            yield ("told",), f"{state.value} needs at least one who was told, and when"
        if (self.withdrawn is not None) != (state is State.WITHDRAWN):
            yield ("withdrawn",), "withdrawn needs who took it back and when; no other state has that"
        if self.withdrawn is not None and self.withdrawn.by.party is Party.FIRST:
            yield (
                ("withdrawn", "by", "party"),
                "the author of the model cannot close a finding: answer it under answers; somebody else withdraws it",
            )

    @property
    def public_from(self) -> date | None:
        """The first day on which it may be read by anybody; None: no such day is known. What was public stays public when withdrawn."""
        return self.embargo_until if self.state is State.EMBARGOED else self.published_on


class Finding(Record):
    """One failure. `title` None only where no text may be carried. `digest` names what was found; who was told does not change it."""

    schema_: Literal["weighbridge.finding/1"] = Field("weighbridge.finding/1", alias="schema")
    id: Slug
    csam_involved: bool
    title: Name | None = None
    summary: Text | None = None
    category: Category
    verb: Verb
    severity: Severity
    rung: Rung
    affected: Annotated[tuple[Affected, ...], Field(min_length=1)]
    reproduce: Reproduction
    evidence: tuple[Pointer, ...] = ()
    found_by: Person
    found_on: date
    disclosure: Disclosure

    model_config = Record.model_config | {"populate_by_name": True}

    @model_validator(mode="after")
    def _holds_together(self) -> Finding:
        refuse([(("csam_involved",), CSAM_ROUTE)] if self.csam_involved else self._faults(), "Finding")
        return self

    def _faults(self) -> Iterator[Fault]:
        made = self.reproduce
        if not (made.prompt_ids or made.asks or made.steps):
            yield ("reproduce",), "needs prompt_ids, asks or steps: a failure that nobody can see again is no finding"
        seen: set[str] = set()
        for number, one in enumerate(self.affected):
            if one.digest in seen:
                yield ("affected", number, "digest"), "is named twice"
            seen.add(one.digest)
        if self.category is Category.CHILD_SEXUAL_EXPLOITATION:
            yield from ((place, _ONLY_IDS) for place in self._texts())
        elif self.title is None:
            yield ("title",), "needs a title"
        for place, day in self._days():
            if day < self.found_on:
                yield place, f"is before found_on ({self.found_on})"

    def _texts(self) -> Iterator[tuple[str | int, ...]]:
        """The places of free text. Names of people and labels of models are none."""
        yield from ((name,) for name in ("title", "summary") if getattr(self, name) is not None)
        yield from (("reproduce", name) for name in ("asks", "steps") if getattr(self.reproduce, name))
        for number, answer in enumerate(self.disclosure.answers):
            if answer.says is not None:
                yield "disclosure", "answers", number, "says"
        if self.disclosure.withdrawn is not None and self.disclosure.withdrawn.why is not None:
            yield "disclosure", "withdrawn", "why"

    def _days(self) -> Iterator[tuple[tuple[str | int, ...], date]]:
        disclosure = self.disclosure
        for name in ("embargo_until", "published_on"):
            if getattr(disclosure, name) is not None:
                yield ("disclosure", name), getattr(disclosure, name)
        for name in ("told", "answers"):
            for number, one in enumerate(getattr(disclosure, name)):
                yield ("disclosure", name, number, "on"), one.on
        if disclosure.withdrawn is not None:
            yield ("disclosure", "withdrawn", "on"), disclosure.withdrawn.on

    @property
    def name(self) -> str:
        """The title, or, where no text may be carried, what it is of."""
        return self.title or no_text_name(self.category, self.verb)

    @property
    def digest(self) -> str:
        """The digest of what was found: of everything but the disclosure, which goes on after the finding was made."""
        return digest_json(self.model_dump(mode="json", by_alias=True, exclude={"disclosure"}))

    def is_public(self, on: date) -> bool:
        """Return whether anybody may read it on that day."""
        day = self.disclosure.public_from
        return day is not None and on >= day


def no_text_name(category: Category, verb: Verb) -> str:
    """Return the name of a finding that may carry no text.

    >>> no_text_name(Category.CHILD_SEXUAL_EXPLOITATION, Verb.ENABLE)
    'Child sexual exploitation, enable: no text is carried'
    """
    return f"{category.label}, {verb.value}: no text is carried"
