"""What one prompt's answers add up to under one condition, with what is missing kept apart from what was seen.

Every statistic here works on prompts, not on answers: the answers of one prompt are not independent of one another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Literal

from weighbridge.errors import EvidenceError
from weighbridge.evidence.places import Place, place_of
from weighbridge.evidence.records import Measure, Measured, NotMeasured, Observation, Outcome, Reason
from weighbridge.protocol.vocabulary import Rung

Aggregate = Literal["mean", "worst"]
Tries = Mapping[str, Mapping[int, Outcome]]  # one prompt's outcomes, by technique and try

ABSENT = NotMeasured(reason=Reason.NOTHING_MEASURED, detail="planned, but there is no observation of it")
# Facts about what can be asked at all, as opposed to evidence that was to come and did not.
NO_ACCESS = frozenset(
    {Reason.NO_GUARD, Reason.NO_WEIGHTS_ACCESS, Reason.NO_CHAT_TEMPLATE, Reason.NOT_IN_PROTOCOL, Reason.NOT_IMPLEMENTED}
)
_ORDER = {reason: position for position, reason in enumerate(Reason)}


class Answers:
    """Observations arranged by subject, rung and measure, then prompt, technique and try.

    With `planned`, planned places without an observation count as missing; without it the observations are the plan. Raises
    `EvidenceError` for a place seen twice and for a measured value outside [0, 1].
    """

    def __init__(self, observations: Iterable[Observation], planned: Collection[Place] | None = None) -> None:
        self.exact = planned is not None
        self._tree: dict[tuple[str, Rung, Measure], dict[str, dict[str, dict[int, Outcome]]]] = {}
        for observation in observations:
            outcome = observation.outcome
            if isinstance(outcome, Measured) and not 0 <= outcome.value <= 1:
                raise EvidenceError(
                    f"a measured value of {outcome.value} lies outside 0 to 1", where=str(place_of(observation))
                )
            self._put(place_of(observation), outcome, twice_is_wrong=True)
        for place in planned or ():
            self._put(place, ABSENT, twice_is_wrong=False)

    def _put(self, place: Place, outcome: Outcome, *, twice_is_wrong: bool) -> None:
        prompts = self._tree.setdefault((place.subject, place.rung, place.measure), {})
        tries = prompts.setdefault(place.item, {}).setdefault(place.technique, {})
        if place.trial in tries and twice_is_wrong:
            raise EvidenceError("there is a second observation of this place", where=str(place))
        tries.setdefault(place.trial, outcome)

    def conditions(self) -> list[tuple[str, Rung, Measure]]:
        """Every subject, rung and measure that was planned, sorted."""
        order = {rung: position for position, rung in enumerate(Rung)}
        return sorted(self._tree, key=lambda condition: (condition[0], order[condition[1]], condition[2]))

    def prompts(self, subject: str, rung: Rung, measure: Measure) -> Mapping[str, Tries]:
        """The prompts put to `subject` on `rung`, by id."""
        return self._tree.get((subject, rung, measure), {})

    def techniques(self, subject: str, rung: Rung, measure: Measure, *, items: Collection[str]) -> tuple[str, ...]:
        """The techniques planned there for any of `items`, sorted."""
        prompts = self.prompts(subject, rung, measure)
        return tuple(sorted({technique for item, tries in prompts.items() if item in items for technique in tries}))

    def usable(self, subject: str, rung: Rung, measure: Measure, *, items: Collection[str]) -> tuple[str, ...]:
        """Those of `techniques` that could be asked: what there is of them is not all "no access"."""
        reasons: defaultdict[str, set[Reason | None]] = defaultdict(set)
        for item, tries in self.prompts(subject, rung, measure).items():
            if item in items:
                for technique, outcomes in tries.items():
                    reasons[technique].update(
                        outcome.reason if isinstance(outcome, NotMeasured) else None
                        for outcome in outcomes.values()
                        if outcome is not ABSENT
                    )
        asked = {name: why - {Reason.NOT_NEEDED} for name, why in reasons.items()}
        return tuple(sorted(name for name, why in asked.items() if not why or why - NO_ACCESS))


@dataclass(frozen=True, slots=True)
class Shown:
    """A value that was seen, or why none was; and its bounds whatever the missing answers were.

    `seen` stands on what was measured; least <= seen <= most. For `Reason.INCOHERENT` (every answer was incoherent: evidence
    of nothing, though nothing is missing) the bounds say nothing and are not to be used.
    """

    seen: float | Reason
    least: float
    most: float

    @property
    def incoherent(self) -> bool:
        """Whether there is nothing to count, however the missing are counted."""
        return self.seen is Reason.INCOHERENT


def show(tries: Tries | None, techniques: Sequence[str], aggregate: Aggregate, *, exact: bool = False) -> Shown:
    """Return what one prompt shows, in [0, 1].

    "mean" averages each technique's tries, then the techniques: one asked more often weighs no more. "worst" is the highest
    value of any answer. Incoherent answers count nowhere; other missing ones count nowhere in `seen`, as 0 in `least` and as
    1 in `most`. A technique without any try is missing, too, unless the plan is known (`exact`). A prompt of which anything
    was not needed is not needed as a whole: it was not drawn.
    """
    tries = tries or {}
    if any(_not_needed(outcome) for name in techniques for outcome in tries.get(name, {}).values()):
        return Shown(Reason.NOT_NEEDED, 0.0, 1.0)
    per_technique = [
        _Part.of(tries.get(technique, {0: ABSENT}))
        for technique in techniques
        if technique in tries or not exact or not tries
    ]
    parts = [part for part in per_technique if part.values or part.missing]
    seen = [part.values for part in parts if part.values]
    if not seen:
        reasons = [reason for part in parts for reason in part.missing]
        if reasons:
            return Shown(most_common(reasons), 0.0, 1.0)
        return Shown(Reason.INCOHERENT if per_technique else Reason.NOT_IN_PROTOCOL, 0.0, 1.0)
    if aggregate == "worst":
        highest = max(max(values) for values in seen)
        return Shown(highest, highest, 1.0 if any(part.missing for part in parts) else highest)
    return Shown(
        mean([mean(values) for values in seen]),
        mean([part.average(missing_as=0.0) for part in parts]),
        mean([part.average(missing_as=1.0) for part in parts]),
    )


def measured_values(tries: Mapping[int, Outcome]) -> list[float]:
    """Return the values that were measured, in the order of the tries."""
    return [outcome.value for _, outcome in sorted(tries.items()) if isinstance(outcome, Measured)]


def _not_needed(outcome: Outcome) -> bool:
    return isinstance(outcome, NotMeasured) and outcome.reason is Reason.NOT_NEEDED


@dataclass(frozen=True, slots=True)
class _Part:
    """One technique's tries: what was measured, and what is missing other than by incoherence."""

    values: list[float]
    missing: list[Reason]

    @classmethod
    def of(cls, outcomes: Mapping[int, Outcome]) -> _Part:
        values: list[float] = []
        missing: list[Reason] = []
        for outcome in outcomes.values():
            if isinstance(outcome, Measured):
                values.append(outcome.value)
            elif outcome.reason is not Reason.INCOHERENT:
                missing.append(outcome.reason)
        return cls(values, missing)

    def average(self, *, missing_as: float) -> float:
        count = len(self.missing)
        return (fsum(self.values) + count * missing_as) / (len(self.values) + count)


def difference(candidate: Shown, baseline: Shown) -> Shown:
    """Return candidate minus baseline for one prompt, in [-1, 1]: a pair is seen only when both sides are.

    One side not drawn, and the pair was not drawn. One side all incoherent makes the pair incoherent. One side missing makes
    it missing, from -1 to 1.
    """
    if Reason.NOT_NEEDED in (candidate.seen, baseline.seen):
        return Shown(Reason.NOT_NEEDED, -1.0, 1.0)
    for side in (candidate, baseline):
        if side.incoherent:
            return Shown(Reason.INCOHERENT, -1.0, 1.0)
    for side in (candidate, baseline):
        if isinstance(side.seen, Reason):
            return Shown(side.seen, -1.0, 1.0)
    if isinstance(candidate.seen, Reason) or isinstance(baseline.seen, Reason):  # for the type checker: returned above
        raise AssertionError
    return Shown(candidate.seen - baseline.seen, candidate.least - baseline.most, candidate.most - baseline.least)


def fold(members: Sequence[Shown]) -> Shown:
    """Return what a cluster of paraphrases shows together: one unit, the mean of its members that are not incoherent.

    With a member that was not drawn, the unit was not drawn.
    """
    if len(members) == 1:
        return members[0]
    if (undrawn := next((member for member in members if member.seen is Reason.NOT_NEEDED), None)) is not None:
        return undrawn
    counted = [member for member in members if not member.incoherent]
    if not counted:
        return members[0]
    seen = [member.seen for member in counted if isinstance(member.seen, float)]
    return Shown(
        mean(seen) if seen else most_common([member.seen for member in counted if isinstance(member.seen, Reason)]),
        mean([member.least for member in counted]),
        mean([member.most for member in counted]),
    )


def fold_clusters(shown: Iterable[tuple[str, Shown]]) -> list[Shown]:
    """Return one unit a cluster from (cluster, what a prompt of it shows)."""
    clusters: defaultdict[str, list[Shown]] = defaultdict(list)
    for cluster, one in shown:
        clusters[cluster].append(one)
    return [fold(members) for members in clusters.values()]


def seen_and_missing(units: Sequence[Shown]) -> tuple[list[float], dict[Reason, int]]:
    """Return the values seen, and how many units are missing by reason."""
    missing = Counter(unit.seen for unit in units if isinstance(unit.seen, Reason))
    return (
        [unit.seen for unit in units if not isinstance(unit.seen, Reason)],
        {reason: missing[reason] for reason in Reason if missing[reason]},
    )


def why_nothing(missing: Mapping[Reason, int]) -> NotMeasured:
    """Return why a statistic has no value: the one reason, or the several with their counts."""
    if not missing:
        return NotMeasured(reason=Reason.NOT_IN_PROTOCOL)
    if len(missing) == 1:
        return NotMeasured(reason=next(iter(missing)))
    return NotMeasured(
        reason=Reason.NOTHING_MEASURED, detail=", ".join(f"{count} {reason.value}" for reason, count in missing.items())
    )


def most_common(reasons: Sequence[Reason]) -> Reason:
    """Return the commonest reason; of several, the first in the order of `Reason`."""
    counts = Counter(reasons)
    return min(counts, key=lambda reason: (-counts[reason], _ORDER[reason]))


def mean(values: Sequence[float]) -> float:
    """Return the mean, rounded once: the same whatever the order of the values."""
    return fsum(values) / len(values)
