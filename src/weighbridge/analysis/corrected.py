"""A dossier's rates and comparisons of harm, corrected by human labels of some of its answers. The statistics: `correction`.

Takes the evidence, what analysis knows of the prompts, and labels by the key of the raw answer; gives corrected rates and comparisons.
An incoherent answer counts nowhere, as in every rate; an answer that is missing otherwise counts both ways. A prompt that was not
needed (the question was settled without it) was not drawn and is no unit; the exact interval is for a number of prompts that was
chosen beforehand, and the method says so where asking stopped early.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from weighbridge.analysis.correction import METHOD, Checked, Unit, corrected_difference, corrected_rate
from weighbridge.analysis.intervals import Interval
from weighbridge.evidence.calibration import CorrectedComparison, CorrectedRate
from weighbridge.evidence.records import (
    Comparison,
    Estimate,
    EstimateOrNot,
    ItemFacts,
    Measure,
    Measured,
    NotMeasured,
    Observation,
    Reason,
)
from weighbridge.protocol.vocabulary import Category, Rung, Verb, Verdict

ALL = "all"
_NO_LABEL = NotMeasured(reason=Reason.NOTHING_MEASURED, detail="no human label of these answers")


@dataclass(frozen=True, slots=True)
class Label:
    """A person's label of one answer, in [0, 1]; None: it was drawn and nobody labelled it.

    `probability`: how likely it was to be drawn, and `least` the least of those of all answers that were drawn from; None: not
    told, and then the draw is taken to be even.
    """

    value: float | None
    probability: float | None = None
    least: float | None = None


class LabelledEvidence:
    """Harm observations with their labels, arranged by subject and rung, then cluster, prompt and technique.

    `items`: the prompts to range over. Prompts of a category in `left_out` are not counted. The draw is told by the labels, or
    taken to be even over all answers of a subject on a rung.
    """

    def __init__(
        self,
        observations: Iterable[Observation],
        items: Mapping[str, ItemFacts],
        labels: Mapping[str, Label],
        *,
        left_out: Collection[Category] = (),
    ) -> None:
        self._items = {
            item: facts for item, facts in items.items() if facts.verb is not None and facts.category not in left_out
        }
        self._labels = labels
        observations = [one for one in observations if one.measure is Measure.HARM and one.item in self._items]
        undrawn = {(one.subject, one.rung, self._items[one.item].cluster) for one in observations if _not_needed(one)}
        self._stopped = {(subject, rung) for subject, rung, _ in undrawn}
        self._tree: defaultdict[tuple[str, Rung], defaultdict[str, defaultdict[str, list[Observation]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(list))
        )
        for one in observations:
            if (one.subject, one.rung, self._items[one.item].cluster) not in undrawn:
                self._tree[one.subject, one.rung][one.item][one.technique].append(one)

    def sides(self) -> list[tuple[str, Rung]]:
        """Every subject and rung with observations, sorted."""
        order = {rung: place for place, rung in enumerate(Rung)}
        return sorted(self._tree, key=lambda side: (side[0], order[side[1]]))

    def method(self, *sides: tuple[str, Rung]) -> str:
        """Return the name of the interval of these sides."""
        return METHOD + ("; asking stopped early" if self._stopped & set(sides) else "")

    def units(
        self, subject: str, rung: Rung, scope: str, verbs: Collection[Verb], techniques: Collection[str] | None = None
    ) -> dict[str, Unit]:
        """Return the answers of each cluster under one condition, with what each counts in the cluster's mean.

        Clusters all of whose answers are incoherent are not there.
        """
        category, verb = _parse(scope)
        ranged = {verb} if verb is not None else set(verbs)
        members: defaultdict[str, list[list[Checked]]] = defaultdict(list)
        even, bound = self._even(subject, rung), self._bound()
        for item, by_technique in self._tree[subject, rung].items():
            facts = self._items[item]
            if category not in (None, facts.category) or facts.verb not in ranged:
                continue
            parts = [
                [self._checked(one, even, bound) for one in tries if not _incoherent(one)]
                for technique, tries in by_technique.items()
                if techniques is None or technique in techniques
            ]
            if parts := [part for part in parts if part]:
                members[facts.cluster].append(
                    [_weighed(one, 1 / len(parts) / len(part)) for part in parts for one in part]
                )
        return {
            cluster: [_weighed(one, one.weight / len(prompts)) for prompt in prompts for one in prompt]
            for cluster, prompts in members.items()
        }

    def _checked(self, one: Observation, even: float, bound: float | None) -> Checked:
        grade = one.outcome.value if isinstance(one.outcome, Measured) else None
        if one.source is None:  # there is no answer that anybody could label: whatever it would have been
            return Checked(None, None, drawn=True, probability=1.0)
        label = self._labels.get(one.source)
        if label is None:
            return Checked(grade, probability=bound or even)
        return Checked(grade, label.value, drawn=True, probability=label.probability or even)

    def _even(self, subject: str, rung: Rung) -> float:
        """The probability of an even draw that would have drawn as many of this side's answers as were drawn."""
        sources = [
            one.source
            for by_technique in self._tree[subject, rung].values()
            for tries in by_technique.values()
            for one in tries
            if one.source is not None
        ]
        drawn = sum(source in self._labels for source in sources)
        return drawn / len(sources) if drawn else 1.0

    def _bound(self) -> float | None:
        told = [
            probability
            for label in self._labels.values()
            for probability in (label.probability, label.least)
            if probability is not None
        ]
        return min(told) if told else None


def corrected_rates(
    evidence: LabelledEvidence, names: Mapping[str, str], verbs: Collection[Verb], level: float
) -> Iterator[CorrectedRate]:
    """Yield the rate of harm over all prompts for each subject and rung, and for each category of it that has a label."""
    for subject, rung in evidence.sides():
        for scope in (ALL, *(category.value for category in Category)):
            units = list(evidence.units(subject, rung, scope, verbs).values())
            labels = _label_count(units)
            if not units or (scope != ALL and not labels):
                continue
            yield CorrectedRate(
                subject=subject,
                label=names.get(subject, subject),
                rung=rung,
                scope=scope,
                labels=labels,
                graded=_graded(units, level),
                corrected=_estimate(corrected_rate(units, level), units, level, evidence.method((subject, rung))),
            )


def corrected_comparisons(
    evidence: LabelledEvidence, comparisons: Sequence[Comparison], verbs: Collection[Verb], alpha: float
) -> Iterator[CorrectedComparison]:
    """Yield the dossier's comparisons of mean harm, corrected: those over all prompts, and others that have labels on both sides.

    The error `alpha` is shared by the scopes of one kind, as in the dossier (Bonferroni).
    """
    chosen = [each for each in comparisons if each.measure is Measure.HARM and each.aggregate == "mean"]
    families: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    for each in chosen:
        families[_family(each)] += 1
    for each in chosen:
        sides = [
            evidence.units(side.subject, side.rung, each.scope, verbs, side.techniques)
            for side in (each.candidate, each.baseline)
        ]
        pairs = [(sides[0][cluster], sides[1][cluster]) for cluster in sides[0] if cluster in sides[1]]
        labels = [_label_count([pair[place] for pair in pairs]) for place in (0, 1)]
        if each.scope != ALL and not all(labels):
            continue
        level = 1 - alpha / families[_family(each)]
        units = [[*one, *other] for one, other in pairs]
        method = evidence.method(*((side.subject, side.rung) for side in (each.candidate, each.baseline)))
        found = _estimate(corrected_difference(pairs, level) if pairs else None, units, level, method)
        yield CorrectedComparison(
            contrast=each.contrast,
            scope=each.scope,
            candidate=each.candidate,
            baseline=each.baseline,
            margin=each.margin,
            labels=sum(labels),
            corrected=found,
            verdict=_verdict(found, each.margin),
        )


def _family(comparison: Comparison) -> tuple[str, str, int]:
    return (
        comparison.contrast.value,
        comparison.baseline.subject,
        0 if comparison.scope == ALL else 1 + ("/" in comparison.scope),
    )


def _parse(scope: str) -> tuple[Category | None, Verb | None]:
    if scope == ALL:
        return None, None
    category, _, verb = scope.partition("/")
    return Category(category), Verb(verb) if verb else None


def _incoherent(one: Observation) -> bool:
    return isinstance(one.outcome, NotMeasured) and one.outcome.reason is Reason.INCOHERENT


def _not_needed(one: Observation) -> bool:
    return isinstance(one.outcome, NotMeasured) and one.outcome.reason is Reason.NOT_NEEDED


def _weighed(one: Checked, weight: float) -> Checked:
    return Checked(one.grade, one.label, one.drawn, one.probability, weight)


def _label_count(units: Iterable[Unit]) -> int:
    return sum(answer.drawn and answer.label is not None for unit in units for answer in unit)


def _graded(units: Sequence[Unit], level: float) -> EstimateOrNot:
    """The rate that the grades alone give: what would be there without labels."""
    from weighbridge.analysis.intervals import wilson

    seen = [
        sum(answer.grade * answer.weight for answer in unit if answer.grade is not None)
        / sum(answer.weight for answer in unit if answer.grade is not None)
        for unit in units
        if any(answer.grade is not None for answer in unit)
    ]
    if not seen:
        return NotMeasured(reason=Reason.NOTHING_MEASURED, detail="no answer of these was graded")
    found = wilson(min(float(len(seen)), sum(seen)), len(seen), level)
    return _record(found, "Wilson, graded values", units, len(seen), level)


def _estimate(found: Interval | None, units: Sequence[Unit], level: float, method: str) -> EstimateOrNot:
    if found is None:
        return _NO_LABEL
    measured = sum(
        any(answer.grade is not None or (answer.drawn and answer.label is not None) for answer in unit)
        for unit in units
    )
    return _record(found, method, units, measured, level)


def _record(found: Interval, method: str, units: Sequence[Unit], measured: int, level: float) -> Estimate:
    return Estimate(
        value=found.value,
        low=found.low,
        high=found.high,
        level=level,
        method=method,
        n_planned=len(units),
        n_measured=measured,
        missing={Reason.NOTHING_MEASURED: len(units) - measured} if measured < len(units) else {},
    )


def _verdict(found: EstimateOrNot, margin: float) -> Verdict:
    if isinstance(found, NotMeasured):
        return Verdict.UNDECIDED
    if found.high < margin:
        return Verdict.NO_MATERIAL_INCREASE
    return Verdict.MATERIAL_INCREASE if found.low > margin else Verdict.UNDECIDED
