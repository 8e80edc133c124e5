"""An advisory: which digests findings are about, the status of each, and what was changed. Format: docs/formats/findings.md.

A status is declared by people and ruled on by the program: "fixed" and "not affected" stand only on evidence. Taking a re-test, a piece of
evidence or a digest away never turns a status into one of these two (second law).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from weighbridge.digests import Digest, digest_json
from weighbridge.errors import EvidenceError
from weighbridge.evidence.records import Record
from weighbridge.findings.faults import Fault, refuse
from weighbridge.findings.finding import Finding, Name, Pointer, Severity, Slug, Text, What, no_text_name
from weighbridge.findings.mitigation import Effect, Mitigation
from weighbridge.protocol.vocabulary import Category, Rung, Verb

ADVISORY_SCHEMA = "weighbridge.advisory/1"
NO_TEXT_TITLE = "Findings of child sexual exploitation"
NO_TEXT_SUMMARY = "The findings name prompts by id. No text is carried."
_NO_TEXT = "child sexual exploitation: nothing about it carries text: leave this out, or as the program writes it"
_HUB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"
_URL = r"^https://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~%/?&=+,;:@-]*)?(#[A-Za-z0-9._~%/-]*)?$"
Url = Annotated[str, StringConstraints(max_length=500, pattern=_URL)]


class Status(StrEnum):
    """The status of one digest."""

    AFFECTED = "affected"
    FIXED = "fixed"
    NOT_AFFECTED = "not affected"
    UNDER_INVESTIGATION = "under investigation"


class Relation(StrEnum):
    """How weights come from others."""

    FINE_TUNED = "fine-tuned"
    QUANTISED = "quantised"
    PRUNED = "pruned"
    MERGED = "merged"
    ADAPTER = "adapter"
    COPY = "copy"
    UNKNOWN = "unknown"


class Derivation(Record):
    """Lineage: from which digest, how, and with which probability, in (0, 1]. `probability` None: declared, not measured."""

    of: Digest
    relation: Relation
    probability: float | None = Field(default=None, gt=0, le=1)


class Hub(Record):
    """Where a version lies on a hub of git repositories: NAMESPACE/NAME, the commit, and the address of the repository."""

    name: Annotated[str, StringConstraints(pattern=_HUB_NAME)]
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
    repo: Url

    @property
    def purl(self) -> str:
        """The package URL. Hugging Face is the one such hub that has a type of its own.

        >>> Hub(name="org/model", commit="0" * 40, repo="https://hub.example/org/model").purl[:28]
        'pkg:huggingface/org/model@00'
        """
        return f"pkg:huggingface/{self.name}@{self.commit}"


class Listed(Record):
    """One digest and what people say its status is. `evidence` is needed for "not affected" to count."""

    digest: Digest
    what: What
    label: Name
    declared: Status
    derived: Derivation | None = None
    evidence: tuple[Pointer, ...] = ()
    hub: Hub | None = None


class About(Record):
    """A finding as an advisory names it. `public_from`: the first day on which it may be read; None: no such day is known."""

    id: Slug
    digest: Digest
    title: Name
    category: Category
    verb: Verb
    severity: Severity
    rung: Rung
    public_from: date | None = None


class Event(Record):
    """One day of the timeline."""

    on: date
    what: Text


class Reference(Record):
    """Where more is to be read."""

    kind: Literal["advisory", "article", "discussion", "evidence", "fix", "report", "web"]
    url: Url


@dataclass(frozen=True)
class Standing:
    """The status of a digest as the evidence supports it, and why. `status` None: the advisory says nothing of it, which is no news, good or bad."""

    status: Status | None
    because: str

    @property
    def shown(self) -> str:
        """The status in words; "not shown" where the advisory says nothing."""
        return self.status.value if self.status is not None else "not shown"


class Advisory(Record):
    """What those who use the weights must know. It may be read when all its findings may be, and not before `published_at`."""

    schema_: Literal["weighbridge.advisory/1"] = Field("weighbridge.advisory/1", alias="schema")
    id: Annotated[str, StringConstraints(max_length=60, pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$")]
    publisher: Name
    title: Name
    summary: Text
    published_at: AwareDatetime
    modified_at: AwareDatetime
    withdrawn_at: AwareDatetime | None = None
    findings: Annotated[tuple[About, ...], Field(min_length=1)]
    digests: Annotated[tuple[Listed, ...], Field(min_length=1)]
    mitigations: tuple[Mitigation, ...] = ()
    timeline: tuple[Event, ...] = ()
    references: tuple[Reference, ...] = ()
    credits: tuple[Name, ...] = ()

    model_config = Record.model_config | {"populate_by_name": True}

    @model_validator(mode="after")
    def _holds_together(self) -> Advisory:
        refuse(self._faults(), "Advisory")
        return self

    def _faults(self) -> Iterator[Fault]:
        for name in ("modified_at", "withdrawn_at"):
            at = getattr(self, name)
            if at is not None and at < self.published_at:
                yield (name,), "is before published_at"
        known = [one.id for one in self.findings]
        yield from (
            (("findings", number, "id"), "is named twice") for number, one in enumerate(known) if one in known[:number]
        )
        listed = [one.digest for one in self.digests]
        for number, entry in enumerate(self.digests):
            if entry.digest in listed[:number]:
                yield ("digests", number, "digest"), "is named twice: a digest has one status"
            if entry.derived is not None and entry.derived.of == entry.digest:
                yield ("digests", number, "derived", "of"), "is the digest itself"
        yield from self._text_faults()
        taken: set[tuple[str | None, str]] = set()
        for number, change in enumerate(self.mitigations):
            for place, finding in enumerate(change.findings):
                where = ("mitigations", number, "findings", place)
                if finding not in known:
                    yield where, "no finding of this advisory has this id"
                # With two, taking the one that fails its re-test away would leave the one that passes.
                elif change.new_digest is not None and (change.new_digest, finding) in taken:
                    yield where, "another mitigation with this new_digest is against it already: write one"
                taken.add((change.new_digest, finding))

    def _text_faults(self) -> Iterator[Fault]:
        """Nothing about child sexual exploitation carries text: then the words are the program's own, and there are no others."""
        if not any(one.category is Category.CHILD_SEXUAL_EXPLOITATION for one in self.findings):
            yield from (
                (("mitigations", number, "changed"), "needs to say what was changed")
                for number, change in enumerate(self.mitigations)
                if change.changed is None
            )
            return
        if (self.title, self.summary) != (NO_TEXT_TITLE, NO_TEXT_SUMMARY):
            yield (
                ("summary",),
                f"child sexual exploitation: title and summary must be {NO_TEXT_TITLE!r} and {NO_TEXT_SUMMARY!r}",
            )
        if self.timeline:
            yield ("timeline",), _NO_TEXT
        for number, about_it in enumerate(self.findings):
            if (
                about_it.title != no_text_name(about_it.category, about_it.verb)
                and about_it.category is Category.CHILD_SEXUAL_EXPLOITATION
            ):
                yield ("findings", number, "title"), _NO_TEXT
        for number, change in enumerate(self.mitigations):
            if change.changed is not None:
                yield ("mitigations", number, "changed"), _NO_TEXT

    @property
    def public_from(self) -> date | None:
        """The first day on which all its findings may be read; None: for one of them no such day is known."""
        days = [one.public_from for one in self.findings]
        return None if None in days else max(day for day in days if day is not None)

    def is_public(self, on: date) -> bool:
        """Return whether anybody may read it on that day (UTC)."""
        day = self.public_from
        return day is not None and on >= max(day, self.published_at.astimezone(UTC).date())

    @property
    def digest(self) -> str:
        """The digest of the whole advisory."""
        return digest_json(self.model_dump(mode="json", by_alias=True))

    @property
    def severity(self) -> Severity:
        """That of its worst finding."""
        order = list(Severity)
        return max((one.severity for one in self.findings), key=order.index)

    def status_of(self, digest: str) -> Standing:
        """Return the status of a digest as the evidence supports it.

        "fixed": for every finding, a change of data or weights gave this digest, and its re-test against a digest that is listed as affected, on
        the finding's rung or a more open one, shows less harm. "not affected": somebody points at evidence. Else what was declared, or "under investigation".
        """
        entry = next((one for one in self.digests if one.digest == digest), None)
        if entry is None:
            return Standing(None, "this advisory says nothing of it")
        if entry.declared is Status.NOT_AFFECTED and not entry.evidence:
            return Standing(Status.UNDER_INVESTIGATION, 'declared "not affected", and no evidence is named')
        if entry.declared is Status.FIXED and (lacks := self._unfixed(digest)):
            return Standing(Status.UNDER_INVESTIGATION, f'declared "fixed", but {"; ".join(lacks)}')
        return Standing(entry.declared, _BECAUSE[entry.declared])

    def _unfixed(self, digest: str) -> list[str]:
        """Say, for each finding, why nothing shows that this digest is free of it."""
        affected = {one.digest for one in self.digests if one.declared is Status.AFFECTED}
        lacks = []
        for finding in self.findings:
            change = next(
                (one for one in self.mitigations if one.new_digest == digest and finding.id in one.findings), None
            )
            if change is None or change.retest is None:
                why = "no change of data or weights gave it" if change is None else Effect.NOT_RETESTED.value
            elif change.effect is not Effect.WORKS:
                why = f"the re-test says: {change.effect.value}"
            elif not change.tested_on(finding.rung):
                why = f"re-tested on {change.retest.rung.value}, found on {finding.rung.value}"
            elif change.retest.before.subject not in affected:
                why = "re-tested against a digest that is not listed as affected"
            else:
                continue
            lacks.append(f"{finding.id}: {why}")
        return lacks


_BECAUSE = {
    Status.AFFECTED: "declared",
    Status.UNDER_INVESTIGATION: "declared",
    Status.FIXED: "re-tested for every finding",
    Status.NOT_AFFECTED: "declared, and evidence is named",
}


def about(finding: Finding) -> About:
    """Return a finding as an advisory names it."""
    return About(
        id=finding.id,
        digest=finding.digest,
        title=finding.name,
        category=finding.category,
        verb=finding.verb,
        severity=finding.severity,
        rung=finding.rung,
        public_from=finding.disclosure.public_from,
    )


def with_findings(advisory: Advisory, findings: Iterable[Finding]) -> Advisory:
    """Return the advisory with the dates of findings as they are now. What a finding holds back is held back, whatever the advisory says.

    A finding that the advisory does not name changes nothing. Raises `EvidenceError` for one of the same id that says something else.
    """
    now = {one.id: one for one in findings}
    renewed = []
    for one in advisory.findings:
        found = now.get(one.id)
        if found is not None and found.digest != one.digest:
            raise EvidenceError(
                f"finding {one.id} is not the one that the advisory was made from",
                where=advisory.id,
                do="make the advisory's list of findings anew: `weighbridge finding advisory`",
            )
        renewed.append(about(found) if found is not None else one)
    return advisory.model_copy(update={"findings": tuple(renewed)})
