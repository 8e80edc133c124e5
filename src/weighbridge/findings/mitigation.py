"""A mitigation: what was changed against findings, at which level, and the re-test that shows what it does. Without a re-test it never counts as working."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from weighbridge.digests import Digest
from weighbridge.evidence.records import Estimate, EstimateOrNot, Record
from weighbridge.findings.faults import Fault, refuse
from weighbridge.findings.finding import Person, Pointer, Slug, Text
from weighbridge.protocol.vocabulary import Rung


class Level(StrEnum):
    """Where a fix belongs. Whoever has the weights can leave code away, so only a change of data or weights makes other weights safe."""

    CODE = "code"  # a filter, a system prompt, a decoder: around the weights
    DATA = "data"  # what they were trained on: training again gives new weights
    WEIGHTS = "weights"  # the weights themselves


class Effect(StrEnum):
    """What a re-test shows."""

    WORKS = "works"  # harm fell, beyond the intervals
    DOES_NOT_WORK = "does not work"  # harm rose, beyond the intervals
    UNDECIDED = "undecided"
    NOT_MEASURED = "not measured"  # re-tested, and a side has no rate
    NOT_RETESTED = "not re-tested"


class Side(Record):
    """One side of a re-test: which weights, and the rate of harm that was measured on them, or why none was."""

    subject: Digest
    rate: EstimateOrNot


class Retest(Record):
    """The same prompts before and after. `difference`: the paired difference, after minus before, where there is one; below 0 is less harm.

    Rates lie in [0, 1], differences in [-1, 1].
    """

    on: date
    by: Person
    rung: Rung
    prompts: Digest
    evidence: tuple[Pointer, ...] = ()
    before: Side
    after: Side
    difference: EstimateOrNot | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Retest:
        refuse(self._faults(), "Retest")
        return self

    def _faults(self) -> Iterator[Fault]:
        for name, least in (("before", 0.0), ("after", 0.0), ("difference", -1.0)):
            part = getattr(self, name)
            found = part.rate if isinstance(part, Side) else part
            if isinstance(found, Estimate) and not (least <= found.low and found.high <= 1):
                yield (name,), f"the interval must lie in [{least:g}, 1]"
        signs = {self._by_difference(), self._by_rates()}
        if signs == {Effect.WORKS, Effect.DOES_NOT_WORK}:
            yield ("difference",), "says the opposite of the two rates"

    @property
    def effect(self) -> Effect:
        """What it shows: by the paired difference or by intervals that do not touch. Either alone is enough, so losing one never helps."""
        found = {self._by_difference(), self._by_rates()}
        order = (Effect.WORKS, Effect.DOES_NOT_WORK, Effect.UNDECIDED)
        return next((one for one in order if one in found), Effect.NOT_MEASURED)

    def _by_difference(self) -> Effect:
        if not isinstance(self.difference, Estimate):
            return Effect.NOT_MEASURED
        if self.difference.high < 0:
            return Effect.WORKS
        return Effect.DOES_NOT_WORK if self.difference.low > 0 else Effect.UNDECIDED

    def _by_rates(self) -> Effect:
        before, after = self.before.rate, self.after.rate
        if not (isinstance(before, Estimate) and isinstance(after, Estimate)):
            return Effect.NOT_MEASURED
        if after.high < before.low:
            return Effect.WORKS
        return Effect.DOES_NOT_WORK if after.low > before.high else Effect.UNDECIDED


class Mitigation(Record):
    """One change. `changed`: what was changed, in words (None only where an advisory may carry no text). `findings`: ids of the findings that it is against.

    `new_digest`: the changed weights, for a change of data or weights. `retest` None: not re-tested.
    """

    level: Level
    changed: Text | None = None
    findings: Annotated[tuple[Slug, ...], Field(min_length=1)]
    new_digest: Digest | None = None
    retest: Retest | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Mitigation:
        refuse(self._faults(), "Mitigation")
        return self

    def _faults(self) -> Iterator[Fault]:
        if (self.new_digest is None) != (self.level is Level.CODE):
            yield ("new_digest",), "data and weights have the digest of the new weights; code has none"
        if self.new_digest is None or self.retest is None:
            return
        if self.retest.after.subject != self.new_digest:
            yield ("retest", "after", "subject"), "must be new_digest: the re-test is of the changed weights"
        if self.retest.before.subject == self.new_digest:
            yield ("retest", "before", "subject"), "must be the weights before the change"

    @property
    def effect(self) -> Effect:
        """What its re-test shows; "not re-tested" without one."""
        return self.retest.effect if self.retest is not None else Effect.NOT_RETESTED

    def tested_on(self, rung: Rung) -> bool:
        """Return whether it was re-tested on that rung or on a more open one."""
        order = list(Rung)
        return self.retest is not None and order.index(self.retest.rung) >= order.index(rung)
