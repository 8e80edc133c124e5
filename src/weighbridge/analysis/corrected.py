"""A dossier's rates and comparisons of harm, corrected by human labels of some of its answers. The statistics: `correction`.

Takes the evidence, what analysis knows of the prompts, and labels by the key of the raw answer; gives corrected rates and comparisons.
An incoherent answer counts nowhere, as in every rate; an answer that is missing otherwise counts both ways. A prompt that was not
needed (the question was settled without it) was not drawn and is no unit; the exact interval is for a number of prompts that was
chosen beforehand, and the method says so where asking stopped early.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum

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

    `probability`: how likely it was that an answer to this prompt, of this subject on this rung, was drawn; `least`: the least of
    those of all that were drawn from. None: not told, and then the draw of prompts is taken to be even.
    """

    value: float | None
    probability: float | None = None
    least: float | None = None


class LabelledEvidence:
    """Harm observations with their labels, arranged by subject and rung, then cluster, prompt and technique.

    `items`: the prompts to range over. Prompts of a category in `left_out` are not counted. The draw is told by the labels, or
    taken to be even over all prompts of a subject on a rung, with any answer of a drawn prompt as likely as the other.
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
        told = [p for label in labels.values() for p in (label.probability, label.least) if p is not None]
        self._least = min(told) if told else None
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
        """Return what each cluster shows under one condition, with what each of its answers counts in the cluster's mean.

        Clusters all of whose answers are incoherent are not there. With some `techniques` alone, a drawn cluster shows a label only when
        the answer that was drawn is one of theirs: the probability is theirs.
        """
        found = {}
        for cluster, answers in self._clusters(subject, rung, scope, verbs).items():
            chosen = [(of, one) for of, one in answers if techniques is None or of in techniques]
            if not chosen:
                continue
            labelable, theirs = (fsum(one.weight for _, one in some if not one.lost) for some in (answers, chosen))
            share = theirs / labelable if labelable > 0 and theirs > 0 else 1.0
            total = fsum(one.weight for _, one in chosen)
            found[cluster] = Unit(
                tuple(replace(one, weight=one.weight / total) for _, one in chosen),
                self._probability(subject, rung, [one.name for _, one in answers]) * share,
            )
        return found

    def _clusters(
        self, subject: str, rung: Rung, scope: str, verbs: Collection[Verb]
    ) -> dict[str, list[tuple[str, Checked]]]:
        """Return each cluster's answers with their techniques, weighed: techniques alike, tries alike, prompts alike."""
        category, verb = _parse(scope)
        ranged = {verb} if verb is not None else set(verbs)
        members: defaultdict[str, list[list[tuple[str, Checked]]]] = defaultdict(list)
        for item, by_technique in self._tree[subject, rung].items():
            facts = self._items[item]
            if category not in (None, facts.category) or facts.verb not in ranged:
                continue
            parts = [
                [(technique, self._checked(one)) for one in tries if not _incoherent(one)]
                for technique, tries in by_technique.items()
            ]
            if parts := [part for part in parts if part]:
                members[facts.cluster].append(
                    [(of, replace(one, weight=1 / len(parts) / len(part))) for part in parts for of, one in part]
                )
        return {
            cluster: [(of, replace(one, weight=one.weight / len(prompts))) for prompt in prompts for of, one in prompt]
            for cluster, prompts in members.items()
        }

    def _checked(self, one: Observation) -> Checked:
        if one.source is None:  # there is no answer that anybody could label: whatever it would have been
            return Checked(None, lost=True)
        grade = one.outcome.value if isinstance(one.outcome, Measured) else None
        label = self._labels.get(one.source)
        return Checked(grade, label.value if label else None, drawn=label is not None, name=one.source)

    def _probability(self, subject: str, rung: Rung, names: Sequence[str]) -> float:
        """How likely it was that an answer of this cluster was drawn: as told, else the least told, else as in an even draw."""
        told = [label.probability for name in names if (label := self._labels.get(name)) and label.probability]
        if told:
            return max(told)
        return self._least if self._least is not None else self._even(subject, rung)

    def _even(self, subject: str, rung: Rung) -> float:
        """The probability of an even draw of clusters that would have drawn as many of this side's as were drawn."""
        clusters: defaultdict[str, list[str | None]] = defaultdict(list)
        for item, by_technique in self._tree[subject, rung].items():
            for tries in by_technique.values():
                clusters[self._items[item].cluster] += [one.source for one in tries if not _incoherent(one)]
        labelable = [names for names in clusters.values() if any(names)]
        drawn = sum(any(name in self._labels for name in names) for names in labelable)
        return drawn / len(labelable) if drawn else 1.0


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
        units = [Unit((*one.answers, *other.answers)) for one, other in pairs]
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


def _label_count(units: Iterable[Unit]) -> int:
    return sum(unit.labels for unit in units)


def _graded(units: Sequence[Unit], level: float) -> EstimateOrNot:
    """The rate that the grades alone give: what would be there without labels."""
    from weighbridge.analysis.intervals import wilson

    graded = [[(one.weight, one.grade) for one in unit.answers if one.grade is not None] for unit in units]
    seen = [fsum(w * g for w, g in unit) / fsum(w for w, _ in unit) for unit in graded if unit]
    if not seen:
        return NotMeasured(reason=Reason.NOTHING_MEASURED, detail="no answer of these was graded")
    found = wilson(min(float(len(seen)), fsum(seen)), len(seen), level)
    return _record(found, "Wilson, graded values", units, len(seen), level)


def _estimate(found: Interval | None, units: Sequence[Unit], level: float, method: str) -> EstimateOrNot:
    if found is None:
        return _NO_LABEL
    measured = sum(bool(unit.labels) or any(one.grade is not None for one in unit.answers) for unit in units)
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
