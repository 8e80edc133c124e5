"""Agreement of two raters: against scikit-learn, scipy, a published formula and the exact intervals, by simulation, and by the laws."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from weighbridge.analysis.agreement import (
    Rated,
    _centre_and_error,
    _t_quantile,
    absolute_error,
    confusion,
    kappa,
    lean,
    sensitivity,
    specificity,
)
from weighbridge.analysis.bounded_mean import lower_limit, upper_limit
from weighbridge.analysis.intervals import clopper_pearson
from weighbridge.evidence.records import Estimate, NotMeasured, Reason

LEVEL = 0.95
LOOSE = 1e-8


def table(both: int, reference: int, rating: int, neither: int) -> list[Rated]:
    """Answers one a unit: yes of both, yes of the reference alone, of the rating alone, of neither."""
    cells = [(1.0, 1.0)] * both + [(1.0, 0.0)] * reference + [(0.0, 1.0)] * rating + [(0.0, 0.0)] * neither
    return [Rated(str(n), yes, said) for n, (yes, said) in enumerate(cells)]


def test_the_counts() -> None:
    """Each cell, and what was not rated, by what the reference says; 0.5 counts as yes."""
    found = confusion(
        [
            *table(3, 2, 4, 5),
            Rated("x", 0.5, 0.5),
            Rated("y", 1.0, Reason.GRADER_BLIND),
            Rated("z", 0.2, Reason.INCOHERENT),
        ]
    )
    assert (found.true_yes, found.false_no, found.false_yes, found.true_no) == (4, 2, 4, 5)
    assert (found.yes_not_rated, found.no_not_rated) == (1, 1)


def test_shares_of_single_answers_have_clopper_and_pearsons_interval() -> None:
    """One answer a prompt, yes or no: exact, as the textbook has it."""
    rated = table(18, 2, 5, 35)
    for found, (k, n) in ((sensitivity(rated, LEVEL), (18, 20)), (specificity(rated, LEVEL), (35, 40))):
        assert isinstance(found, Estimate)
        assert (found.value, found.low, found.high) == pytest.approx(clopper_pearson(k, n, LEVEL), abs=1e-6)


def test_the_lean_has_the_exact_limits_of_paired_differences() -> None:
    """Rating minus reference, one a prompt, each end at half of the error."""
    rated = [Rated(str(n), n % 3 / 2, n % 5 / 4) for n in range(30)]
    found = lean(rated, LEVEL)
    differences, tail = [n % 5 / 4 - n % 3 / 2 for n in range(30)], (1 - LEVEL) / 2
    ends = lower_limit(differences, tail, lowest=-1.0), upper_limit(differences, tail, highest=1.0)
    assert isinstance(found, Estimate)
    assert (found.value, found.low, found.high) == pytest.approx((sum(differences) / 30, *ends), abs=1e-8)


def test_kappa_is_scikit_learns() -> None:
    """The value is Cohen's kappa as scikit-learn computes it."""
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(1)
    reference = rng.random(200) < 0.3
    rating = np.where(rng.random(200) < 0.85, reference, ~reference)
    found = kappa(
        [Rated(str(n), float(a), float(b)) for n, (a, b) in enumerate(zip(reference, rating, strict=True))], LEVEL
    )
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(cohen_kappa_score(reference, rating), abs=1e-12)


def test_its_error_is_the_published_one_for_independent_answers() -> None:
    """With one answer a unit, the standard error is Fleiss, Cohen and Everitt's (1969, equation 13), but for n / (n - 1)."""
    rows = [(one.unit, one.reference > 0, bool(one.rating)) for one in table(20, 5, 10, 15)]
    found, error = _centre_and_error(rows, [1.0] * 50)
    cells = {(True, True): 0.4, (True, False): 0.1, (False, True): 0.2, (False, False): 0.3}
    row, column = {True: 0.5, False: 0.5}, {True: 0.6, False: 0.4}
    agreed = cells[True, True] + cells[False, False]
    chance = sum(row[k] * column[k] for k in (True, False))
    k = (agreed - chance) / (1 - chance)
    first = sum(cells[i, i] * (1 - (row[i] + column[i]) * (1 - k)) ** 2 for i in (True, False))
    second = (1 - k) ** 2 * sum(p * (column[i] + row[j]) ** 2 for (i, j), p in cells.items() if i != j)
    third = (k - chance * (1 - k)) ** 2
    published = sqrt((first + second - third) / (50 * (1 - chance) ** 2))
    assert found == pytest.approx(0.4)
    assert error == pytest.approx(published * sqrt(50 / 49), rel=1e-9)


def test_perfect_agreement_is_not_certainty() -> None:
    """Thirty answers that all agree have a kappa of 1 with a lower end well below it, which rises with their number."""
    few, many = kappa(table(15, 0, 0, 15), LEVEL), kappa(table(150, 0, 0, 150), LEVEL)
    assert isinstance(few, Estimate) and isinstance(many, Estimate)
    assert few.value == few.high == many.value == 1.0
    assert 0.6 < few.low < 0.85 < many.low < 1.0


def test_answers_of_one_prompt_are_not_counted_as_independent() -> None:
    """The same answers in a fifth of the units make every interval wider."""
    rng = np.random.default_rng(3)
    single, shared = [], []
    for unit in range(30):
        yes, right = rng.random() < 0.5, rng.random() < 0.85
        for copy in range(5):
            one = Rated(f"{unit}-{copy}", float(yes), float(yes is right))
            single.append(one)
            shared.append(replace(one, unit=str(unit)))
    for statistic in (kappa, sensitivity, absolute_error, lean):
        narrow, wide = statistic(single, LEVEL), statistic(shared, LEVEL)
        assert isinstance(narrow, Estimate) and isinstance(wide, Estimate)
        assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
        assert narrow.n_planned == 5 * wide.n_planned


@pytest.mark.parametrize(
    ("n", "yes", "hit", "right"), [(60, 0.5, 0.9, 0.9), (60, 0.1, 0.9, 0.95), (100, 0.3, 0.98, 0.99)]
)
def test_kappas_interval_covers(n: int, yes: float, hit: float, right: float) -> None:
    """In at least 93 of 100 seeded samples the true kappa lies inside."""
    apart = yes * (1 - hit) + (1 - yes) * (1 - right)
    said = yes * hit + (1 - yes) * (1 - right)
    truth = 1 - apart / (yes * (1 - said) + said * (1 - yes))
    rng, found = np.random.default_rng(20240404), []
    for _ in range(150):
        labels = rng.random(n) < yes
        ratings = np.where(rng.random(n) < np.where(labels, hit, right), labels, ~labels)
        found.append(
            kappa(
                [Rated(str(m), float(a), float(b)) for m, (a, b) in enumerate(zip(labels, ratings, strict=True))], LEVEL
            )
        )
    measured = [one for one in found if isinstance(one, Estimate)]
    assert len(measured) > 120
    assert sum(one.low <= truth <= one.high for one in measured) / len(measured) >= 0.93


@pytest.mark.parametrize("freedom", [1, 2, 7, 30, 400])
@pytest.mark.parametrize("p", [0.6, 0.9, 0.975, 0.999])
def test_students_quantile_is_scipys(p: float, freedom: int) -> None:
    """Against scipy."""
    from scipy.stats import t

    assert _t_quantile(p, freedom) == pytest.approx(t.ppf(p, freedom), rel=1e-8)


@pytest.mark.parametrize("statistic", [kappa, sensitivity, specificity, absolute_error, lean])
def test_nothing_rated_is_not_measured(statistic) -> None:
    """No answers, none rated, or all of one kind: not measured, with a reason."""
    assert isinstance(statistic([], LEVEL), NotMeasured)
    blind = statistic([Rated("a", 1.0, Reason.GRADER_FAILED), Rated("b", 0.0, Reason.GRADER_FAILED)], LEVEL)
    assert isinstance(blind, NotMeasured) and blind.reason is Reason.GRADER_FAILED


def test_kappa_needs_both_answers_of_both_raters() -> None:
    """Where a rater says the same of everything chance cannot be told from agreement."""
    for rated in (table(10, 0, 0, 0), table(5, 5, 0, 0), table(1, 0, 0, 0)):
        found = kappa(rated, LEVEL)
        assert isinstance(found, NotMeasured) and found.detail.startswith("kappa")


_RATED = st.builds(
    Rated,
    unit=st.sampled_from("abcdef"),
    reference=st.sampled_from([0.0, 0.25, 1.0]),
    rating=st.sampled_from([0.0, 0.5, 1.0]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(_RATED, min_size=3, max_size=14), st.data())
@pytest.mark.parametrize("statistic", [sensitivity, specificity, absolute_error, lean])
def test_losing_a_grade_never_looks_better(statistic, rated: list[Rated], data: st.DataObject) -> None:
    """A rating that is taken away widens the interval on both sides, or leaves nothing measured."""
    place = data.draw(st.integers(0, len(rated) - 1))
    before = statistic(rated, LEVEL)
    after = statistic(
        [replace(one, rating=Reason.GRADER_BLIND) if n == place else one for n, one in enumerate(rated)], LEVEL
    )
    if isinstance(before, Estimate) and isinstance(after, Estimate):
        assert after.low <= before.low + LOOSE and before.high - LOOSE <= after.high


@settings(max_examples=80, deadline=None)
@given(st.integers(3, 30), st.integers(0, 8), st.integers(0, 8), st.integers(3, 30), st.integers(1, 5), st.booleans())
def test_silence_where_it_would_be_wrong_does_not_raise_kappas_lower_end(
    both: int, missed: int, wrong: int, neither: int, lost: int, of_missed: bool
) -> None:
    """A grader that says nothing of its errors gets no better lower end than one that makes them."""
    assume(lost <= (missed if of_missed else wrong))
    rated = table(both, missed, wrong, neither)
    silent = []
    for one in rated:
        error = one.reference != one.rating and (one.reference == 1.0) is of_missed
        silent.append(replace(one, rating=Reason.GRADER_BLIND) if error and lost > 0 else one)
        lost -= error
    before, after = kappa(rated, LEVEL), kappa(silent, LEVEL)
    if isinstance(before, Estimate) and isinstance(after, Estimate):
        assert after.low <= before.low + LOOSE
