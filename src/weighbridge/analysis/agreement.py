"""How far two raters agree on the same answers: a grader with people, or two graders with each other.

The unit is a prompt (or a cluster of paraphrases), not an answer: answers to one prompt are not independent of one another.
Shares and means fold a unit's answers to their mean and take the exact limits of `bounded_mean`; where every unit has one answer and
values are 0 or 1 these are Clopper and Pearson's. Kappa is a ratio and has no exact interval at this cost: see `kappa`.

An answer that a rater did not rate is counted both ways: at its worst for the low end, at its best for the high end. So a grader that
is silent where it would be wrong looks less certain, never better. Methods and measured coverage: docs/methods/graders.md.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import NormalDist

from weighbridge.analysis.answers import mean, why_nothing
from weighbridge.analysis.bounded_mean import lower_limit, upper_limit
from weighbridge.evidence.calibration import Confusion
from weighbridge.evidence.records import Estimate, EstimateOrNot, NotMeasured, Reason

POSITIVE_FROM = 0.5  # a graded value from here on counts as "yes" wherever yes or no is counted
PSEUDO = 0.5  # answers added to each cell of the table for kappa's interval, so that perfect agreement is not certainty


@dataclass(frozen=True, slots=True)
class Rated:
    """One answer, rated twice. `reference` in [0, 1] is a person's label (or one grader's grade), `rating` the grader's.

    `unit` names what belongs together. A rating that is a `Reason` was not given, for that reason.
    """

    unit: str
    reference: float
    rating: float | Reason


def confusion(rated: Iterable[Rated]) -> Confusion:
    """Return the counts of answers by yes and no of both raters, and of those not rated, by what the reference says.

    >>> confusion([Rated("a", 1, 0.9), Rated("b", 0, 0.7), Rated("c", 1, Reason.GRADER_FAILED)]).false_yes
    1
    """
    counts = Counter(
        (one.reference >= POSITIVE_FROM, None if isinstance(one.rating, Reason) else one.rating >= POSITIVE_FROM)
        for one in rated
    )
    return Confusion(
        true_yes=counts[True, True],
        false_yes=counts[False, True],
        false_no=counts[True, False],
        true_no=counts[False, False],
        yes_not_rated=counts[True, None],
        no_not_rated=counts[False, None],
    )


def sensitivity(rated: Iterable[Rated], level: float) -> EstimateOrNot:
    """Return the share of "yes" among the answers whose reference is "yes", in [0, 1], over units."""
    return _share([one for one in rated if one.reference >= POSITIVE_FROM], level, right=True)


def specificity(rated: Iterable[Rated], level: float) -> EstimateOrNot:
    """Return the share of "no" among the answers whose reference is "no", in [0, 1], over units."""
    return _share([one for one in rated if one.reference < POSITIVE_FROM], level, right=False)


def absolute_error(rated: Iterable[Rated], level: float) -> EstimateOrNot:
    """Return the mean distance between rating and reference, in [0, 1]; for yes and no, the share of disagreements."""
    return _mean_of(
        rated,
        level,
        lambda rating, reference: abs(rating - reference),
        lambda reference: (0.0, max(reference, 1 - reference)),
        lowest=0.0,
    )


def lean(rated: Iterable[Rated], level: float) -> EstimateOrNot:
    """Return the mean of rating minus reference, in [-1, 1]: above 0 the rater says more than the reference."""
    return _mean_of(
        rated,
        level,
        lambda rating, reference: rating - reference,
        lambda reference: (-reference, 1 - reference),
        lowest=-1.0,
    )


def kappa(rated: Iterable[Rated], level: float) -> EstimateOrNot:
    """Return Cohen's kappa of the two raters' yes and no, with an interval that allows for units of several answers.

    The value is the plain kappa of all answers. The interval: the delta method with the influence of whole units, on the scale of
    Fisher's z, around the kappa of a table with half an answer added to each cell. Approximate; its measured coverage is in
    docs/methods/graders.md. Not measured where fewer than two units are rated, or where all answers are alike for a rater.

    Sources: Cohen (1960), Educational and Psychological Measurement 20:37-46; Fleiss, Cohen, Everitt (1969), Psychological
    Bulletin 72:323-327 (the variance for independent answers, of which this is the form for units).

    >>> table = [Rated(f"{n}", n < 20, (n < 15) or (20 <= n < 30)) for n in range(50)]
    >>> found = kappa(table, 0.95)
    >>> round(found.value, 2), found.low < 0.4 < found.high  # 15 yes of both, 20 no of both, 15 apart
    (0.4, True)
    """
    rated = list(rated)
    seen = [
        (one.unit, one.reference >= POSITIVE_FROM, one.rating >= POSITIVE_FROM)
        for one in rated
        if not isinstance(one.rating, Reason)
    ]
    units, missing = _units_and_missing(rated)
    if not seen:
        return why_nothing(missing)
    n_measured = units - sum(missing.values())
    value = _kappa(*_shares(seen))
    if value is None or n_measured < 2:
        why = "fewer than two units were rated" if n_measured < 2 else "a rater calls all answers alike"
        return NotMeasured(reason=Reason.NOTHING_MEASURED, detail=f"kappa: {why}")
    told = [(one.unit, one.reference >= POSITIVE_FROM) for one in rated if not _given(one)]
    low, _ = _kappa_interval([*seen, *((unit, yes, not yes) for unit, yes in told)], level)
    _, high = _kappa_interval([*seen, *((unit, yes, yes) for unit, yes in told)], level)
    return Estimate(
        value=value,
        low=min(value, low),
        high=max(value, high),
        level=level,
        method="Cohen's kappa, delta method by unit",
        n_planned=units,
        n_measured=n_measured,
        missing=missing,
    )


def _given(one: Rated) -> bool:
    return not isinstance(one.rating, Reason)


_Row = tuple[str, bool, bool]
_CELLS = tuple((first, second) for first in (False, True) for second in (False, True))


def _shares(rows: Sequence[_Row]) -> tuple[float, float, float]:
    """Return how often the raters differ, and how often each says yes."""
    n = len(rows)
    return (
        sum(reference is not rating for _, reference, rating in rows) / n,
        sum(reference for _, reference, _ in rows) / n,
        sum(rating for _, _, rating in rows) / n,
    )


def _kappa(differ: float, yes: float, rated_yes: float) -> float | None:
    if yes in (0.0, 1.0) or rated_yes in (0.0, 1.0):
        return None
    return 1 - differ / _by_chance(yes, rated_yes)


def _by_chance(yes: float, rated_yes: float) -> float:
    """How often two raters who do not look would differ."""
    return yes * (1 - rated_yes) + rated_yes * (1 - yes)


def _kappa_interval(rows: Sequence[_Row], level: float) -> tuple[float, float]:
    """Return the ends of the interval.

    Near 1 kappa is skewed: the low end is taken on Fisher's scale from a table with `PSEUDO` answers more in each cell, so that a
    table without disagreement still has one; the high end from the plain table, where the added answers would pull it down.
    """
    p = 0.5 + level / 2
    fewest = min(len({row[0] for row in rows if row[1] is answer}) for answer in (False, True))
    reach = _t_quantile(
        p, max(1, fewest - 1)
    )  # units of the rarer answer carry the variance: few of them know it badly
    added = [(f"\x00{n}", first, second) for n, (first, second) in enumerate(_CELLS)]  # each a unit of its own
    centre, error = _centre_and_error([*rows, *added], [1.0] * len(rows) + [PSEUDO] * len(added))
    low = math.tanh(math.atanh(centre) - reach * error / (1 - centre**2))
    plain, plain_error = (
        _centre_and_error(rows, [1.0] * len(rows)) if _kappa(*_shares(rows)) is not None else (1.0, 0.0)
    )
    return low, min(1.0, plain + reach * max(plain_error, error))


def _centre_and_error(rows: Sequence[_Row], weights: Sequence[float]) -> tuple[float, float]:
    """Return kappa and its standard error, with the influence of each unit summed before it is squared."""
    total = fsum(weights)
    table = [(weight, name, float(one), float(two)) for weight, (name, one, two) in zip(weights, rows, strict=True)]
    differ, yes, rated_yes = (
        fsum(weight * column for weight, column in columns) / total
        for columns in (
            [(w, abs(one - two)) for w, _, one, two in table],
            [(w, one) for w, _, one, _ in table],
            [(w, two) for w, _, _, two in table],
        )
    )
    chance = _by_chance(yes, rated_yes)
    by_unit: defaultdict[str, list[float]] = defaultdict(list)
    for weight, name, one, two in table:
        moved = (one - yes) * (1 - 2 * rated_yes) + (two - rated_yes) * (1 - 2 * yes)
        by_unit[name].append(weight * (differ * moved / chance**2 - (abs(one - two) - differ) / chance))
    units = len(by_unit)
    variance = fsum(fsum(parts) ** 2 for parts in by_unit.values()) * units / max(1, units - 1)
    return 1 - differ / chance, math.sqrt(variance) / total


def _t_quantile(p: float, freedom: int) -> float:
    """Return Student's quantile for p in (1/2, 1), through the beta distribution.

    >>> round(_t_quantile(0.975, 10), 4), round(_t_quantile(0.975, 1), 3)
    (2.2281, 12.706)
    """
    from weighbridge.analysis.intervals import beta_quantile

    if freedom > 2000:
        return NormalDist().inv_cdf(p)
    x = beta_quantile(2 * (1 - p), freedom / 2, 0.5)
    return math.sqrt(freedom * (1 - x) / x)


def _share(rated: Sequence[Rated], level: float, *, right: bool) -> EstimateOrNot:
    return _mean_of(
        rated,
        level,
        lambda rating, _: float((rating >= POSITIVE_FROM) is right),
        lambda _: (0.0, 1.0),
        lowest=0.0,
    )


def _mean_of(
    rated: Iterable[Rated],
    level: float,
    score: Callable[[float, float], float],
    bounds: Callable[[float], tuple[float, float]],
    *,
    lowest: float,
) -> EstimateOrNot:
    """Return the mean over units of `score(rating, reference)`, which lies within `bounds(reference)` whatever the rating."""
    rated = list(rated)
    seen: defaultdict[str, list[float]] = defaultdict(list)
    least: defaultdict[str, list[float]] = defaultdict(list)
    most: defaultdict[str, list[float]] = defaultdict(list)
    for one in rated:
        low, high = bounds(one.reference)
        if not isinstance(one.rating, Reason):
            low = high = score(one.rating, one.reference)
            seen[one.unit].append(low)
        least[one.unit].append(low)
        most[one.unit].append(high)
    if not rated:
        return NotMeasured(reason=Reason.NOTHING_MEASURED, detail="no answer of this kind")
    units, missing = _units_and_missing(rated)
    if not seen:
        return why_nothing(missing)
    value = mean([mean(values) for values in seen.values()])
    tail = (1 - level) / 2
    low_end = lower_limit([mean(values) for values in least.values()], tail, lowest=lowest)
    high_end = upper_limit([mean(values) for values in most.values()], tail, highest=1.0)
    return Estimate(
        value=value,
        low=min(value, low_end),
        high=max(value, high_end),
        level=level,
        method="Gaffke, by unit" + ("; not rated counted both ways" if any(not _given(one) for one in rated) else ""),
        n_planned=units,
        n_measured=len(seen),
        missing=missing,
    )


def _units_and_missing(rated: Sequence[Rated]) -> tuple[int, dict[Reason, int]]:
    """Return the number of units, and of those without any rating, by their commonest reason."""
    given = {one.unit for one in rated if _given(one)}
    reasons: defaultdict[str, list[Reason]] = defaultdict(list)
    for one in rated:
        if isinstance(one.rating, Reason) and one.unit not in given:
            reasons[one.unit].append(one.rating)
    found = Counter(Counter(why).most_common(1)[0][0] for why in reasons.values())
    return len(given) + len(reasons), {reason: found[reason] for reason in Reason if found[reason]}
