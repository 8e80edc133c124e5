"""Graded answers that somebody recorded, compared prompt by prompt: no engine, no protocol, any categories. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weighbridge.analysis.answers import Shown, difference, fold_clusters
from weighbridge.analysis.comparisons import ALL, Judged, judge_together
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Reason
from weighbridge.protocol.model import Judgement

ABSENT = Shown(Reason.NOTHING_MEASURED, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one prompt's answers show, in [0, 1], and where the prompt belongs. `verb` may be empty."""

    category: str
    verb: str
    cluster: str
    shown: Shown


def compare_recorded(
    candidate: Mapping[str, Recorded], baseline: Mapping[str, Recorded], judgement: Judgement, *, seed: int
) -> dict[str, Judged]:
    """Return candidate minus baseline by scope: "all", each category, and each "category/verb" where verbs are named.

    Both are by prompt id. Prompts count in an order drawn by `seed` (paraphrases side by side); one that only one side has is missing. Raises
    `UsageError` when no prompt is on both sides, or one belongs elsewhere on each.

    >>> both = {str(n): Recorded("hate", "", str(n), Shown(0.5, 0.5, 0.5)) for n in range(200)}
    >>> compare_recorded(both, both, Judgement(), seed=1)["all"].verdict.value
    'no material increase'
    """
    common = candidate.keys() & baseline.keys()
    if not common:
        raise UsageError(
            "the two have no prompt in common: nothing can be paired",
            do="compare answers to the same prompts, by prompt_id",
        )
    for item in sorted(common):
        one, other = candidate[item], baseline[item]
        if (one.category, one.verb, one.cluster) != (other.category, other.verb, other.cluster):
            raise UsageError(
                "category, verb or cluster differ between the two", where=f"prompt {item[:80]}", do="make them agree"
            )
    places = {item: candidate.get(item) or baseline[item] for item in candidate.keys() | baseline.keys()}
    order = sorted(places, key=lambda item: (_rank(seed, places[item].cluster), item))
    pairs = [
        (places[item], difference(*(side[item].shown if item in side else ABSENT for side in (candidate, baseline))))
        for item in order
    ]
    return {scope: judged for family in _families(pairs) for scope, judged in judge_together(family, judgement).items()}


def _families(pairs: Sequence[tuple[Recorded, Shown]]) -> list[dict[str, list[Shown]]]:
    """Return the scopes that are judged together: all prompts alone, the categories, the cells of category and verb."""
    categories: defaultdict[str, list[tuple[str, Shown]]] = defaultdict(list)
    cells: defaultdict[str, list[tuple[str, Shown]]] = defaultdict(list)
    for place, shown in pairs:
        categories[place.category].append((place.cluster, shown))
        if place.verb:
            cells[f"{place.category}/{place.verb}"].append((place.cluster, shown))
    whole = {ALL: [(place.cluster, shown) for place, shown in pairs]}
    return [
        {scope: fold_clusters(found) for scope, found in sorted(scopes.items())}
        for scopes in (whole, categories, cells)
        if scopes
    ]


def _rank(seed: int, cluster: str) -> bytes:
    return hashlib.sha256(f"{seed}:order {cluster}".encode()).digest()
