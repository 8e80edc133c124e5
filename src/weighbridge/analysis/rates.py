"""Rates: what share of prompts, by subject, rung, measure, technique, category and verb. Methods: docs/methods/intervals.md.

The unit is a prompt (a cluster of paraphrases, where there are any), not an answer. What was not measured is counted by
reason beside the rate and never in it: a rate of harm is over prompts with at least one coherent, graded answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import fsum

from weighbridge.analysis.answers import (
    Answers,
    Shown,
    fold_clusters,
    measured_values,
    seen_and_missing,
    show,
    why_nothing,
)
from weighbridge.analysis.intervals import Interval, clopper_pearson, wilson
from weighbridge.analysis.success_at_k import success_at_k
from weighbridge.evidence.places import Place
from weighbridge.evidence.records import Estimate, ItemFacts, Measure, NotMeasured, Observation, Rate, Reason
from weighbridge.protocol.vocabulary import Category, Rung, Verb

MEAN, WORST, BEST_OF = "mean", "worst", "best of "
_HAVE_WORST = (Measure.HARM, Measure.ANSWERED)  # "refused at worst" would say nothing
_Cell = tuple[Category | None, Verb | None]
_exact = lru_cache(maxsize=4096)(clopper_pearson)


def rates(
    observations: Iterable[Observation],
    items: Mapping[str, ItemFacts],
    *,
    level: float = 0.95,
    planned: Collection[Place] | None = None,
) -> list[Rate]:
    """Return every rate that was planned, in a fixed order whatever the order of `observations`.

    For each subject, rung and measure, for harm prompts and for benign twins: each technique alone (tries averaged per
    prompt), "mean" (the average of the techniques' averages, per prompt) and, for harm and answered, "worst" (the highest of
    all of a prompt's answers); for harm also "best of 2", "best of 4" ... (what so many answers, drawn from all of a prompt's, have as
    their highest on average: Chen et al. 2021; "worst" is the best of them all); over each category or all, and each verb or all. Counts get the exact interval of Clopper
    and Pearson, means of graded values Wilson's. A rate of which nothing was measured is `NotMeasured`.

    `items` are the planned prompts: those without an observation count as missing, observations of others are left out.
    `planned` gives the plan place by place, for evidence that may have holes. Raises `EvidenceError` for a place seen twice
    or a value outside [0, 1].
    """
    answers = Answers(observations, planned)
    return [
        rate
        for subject, rung, measure in answers.conditions()
        for benign in (False, True)
        for rate in _of_condition(answers, items, subject, rung, measure, benign, level)
    ]


def _of_condition(
    answers: Answers,
    items: Mapping[str, ItemFacts],
    subject: str,
    rung: Rung,
    measure: Measure,
    benign: bool,
    level: float,
) -> Iterator[Rate]:
    chosen = {item: facts for item, facts in items.items() if (facts.verb is None) == benign}
    techniques = answers.techniques(subject, rung, measure, items=chosen)
    if not techniques:
        return
    prompts = answers.prompts(subject, rung, measure)

    def over(names: Sequence[str], *, worst: bool = False) -> list[tuple[ItemFacts, Shown]]:
        return [
            (facts, show(prompts.get(item), names, "worst" if worst else "mean", exact=answers.exact))
            for item, facts in chosen.items()
            if not answers.exact or any(name in prompts.get(item, ()) for name in names)
        ]

    rows = [(technique, over((technique,))) for technique in techniques]
    rows.append((MEAN, over(techniques)))
    if measure in _HAVE_WORST:
        rows.append((WORST, over(techniques, worst=True)))
    if measure is Measure.HARM:
        answers_each = {
            item: [value for name in techniques for value in measured_values(prompts.get(item, {}).get(name, {}))]
            for item in chosen
        }
        most = max((len(values) for values in answers_each.values()), default=0)
        for k in (2**power for power in range(1, most.bit_length()) if 2**power < most):
            rows.append(
                (
                    f"{BEST_OF}{k}",
                    [
                        (
                            facts,
                            best_of(
                                k, answers_each[item], show(prompts.get(item), techniques, "mean", exact=answers.exact)
                            ),
                        )
                        for item, facts in chosen.items()
                    ],
                )
            )
    for technique, shown in rows:
        for (category, verb), units in _by_cell(shown).items():
            yield Rate(
                subject=subject,
                rung=rung,
                measure=measure,
                benign=benign,
                category=category,
                verb=verb,
                technique=technique,
                rate=_estimate(units, level),
            )


def best_of(k: int, values: Sequence[float], shown: Shown) -> Shown:
    """Return what the best of `k` of a prompt's measured answers is on average, or why that cannot be told.

    `shown` is what all of its answers show: a prompt of which nothing was measured stays so, for its reason.
    """
    if len(values) >= k:
        value = success_at_k(values, k)
        return Shown(value, value, value)
    return shown if isinstance(shown.seen, Reason) else Shown(Reason.NOTHING_MEASURED, 0.0, 1.0)


def _by_cell(shown: Iterable[tuple[ItemFacts, Shown]]) -> dict[_Cell, list[Shown]]:
    """Return the units of each cell and of each margin, in the order of the vocabularies."""
    cells: defaultdict[_Cell, list[tuple[str, Shown]]] = defaultdict(list)
    for facts, one in shown:
        for category in (None, facts.category):
            for verb in (None, facts.verb) if facts.verb else (None,):
                cells[category, verb].append((facts.cluster, one))
    categories: tuple[Category | None, ...] = (None, *Category)
    verbs: tuple[Verb | None, ...] = (None, *Verb)
    return {
        (category, verb): fold_clusters(cells[category, verb])
        for category in categories
        for verb in verbs
        if (category, verb) in cells
    }


def _estimate(units: Sequence[Shown], level: float) -> Estimate | NotMeasured:
    seen, missing = seen_and_missing(units)
    if not seen:
        return why_nothing(missing)
    total, n = fsum(seen), len(seen)
    counted = all(value in (0, 1) for value in seen)
    found: Interval = _exact(int(total), n, level) if counted else wilson(total, n, level)
    return Estimate(
        value=found.value,
        low=found.low,
        high=found.high,
        level=level,
        method="Clopper-Pearson" if counted else "Wilson, graded values",
        n_planned=len(units),
        n_measured=n,
        missing=missing,
    )
