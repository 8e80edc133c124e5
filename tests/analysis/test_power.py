"""How many prompts a protocol will need: fixed sizes against scipy and by simulation, sequences by seeded simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, multinomial, norm

from weighbridge.analysis.bounded_mean import p_value
from weighbridge.analysis.power import Pairs, exact_power, exact_size, pairs, prompts_for, run_many, textbook_size
from weighbridge.analysis.sequential import Design
from weighbridge.errors import UsageError


@pytest.mark.parametrize(
    ("rate", "step", "correlation"), [(0.1, 0.0, 0.5), (0.3, 0.2, 0.3), (0.5, -0.2, 0.6), (0.02, 0.0, 0.0)]
)
def test_pairs_have_the_rates_and_the_correlation(rate: float, step: float, correlation: float) -> None:
    """Both margins and Pearson's correlation come out."""
    both = pairs(rate, step, correlation)
    assert both.difference == pytest.approx(step)
    together = rate - both.down
    other = rate + step
    spread = math.sqrt(rate * (1 - rate) * other * (1 - other))
    assert (together - rate * other) / spread == pytest.approx(correlation)


def test_an_impossible_correlation_is_the_nearest_possible() -> None:
    """Where rates differ much, no pair is without its discordance."""
    assert pairs(0.02, 0.2, 0.9) == Pairs(up=0.2, down=0.0)


def test_drawn_pairs_are_what_they_should_be() -> None:
    """The simulation's own material."""
    both = pairs(0.3, 0.1, 0.3)
    values = both.draw(np.random.default_rng(1), (1, 200_000))
    assert values.mean() == pytest.approx(0.1, abs=0.006)
    assert values.var() == pytest.approx(both.variance, abs=0.006)


def test_textbook_size_is_the_formula() -> None:
    """(z + z)^2 variance / distance^2, z from scipy."""
    expected = math.ceil((norm.ppf(0.95) + norm.ppf(0.9)) ** 2 * 0.18 / 0.05**2)
    assert textbook_size(0.18, 0.05, 0.05) == textbook_size(0.18, -0.05, 0.05) == expected == 617


@pytest.mark.parametrize(
    ("n", "truth"), [(12, pairs(0.2, -0.2)), (20, pairs(0.5, -0.3)), (15, pairs(0.2, 0.6)), (9, Pairs(0.0, 0.7))]
)
def test_exact_power_is_the_sum_over_all_outcomes(n: int, truth: Pairs) -> None:
    """Against scipy's multinomial, outcome by outcome."""
    margin, alpha = 0.1, 0.1
    side = 1.0 if truth.difference < margin else -1.0
    total = 0.0
    for up in range(n + 1):
        for down in range(n + 1 - up):
            values = [side] * up + [-side] * down + [0.0] * (n - up - down)
            null = side * margin
            if sum(values) / n < null and p_value(values, null, highest=1.0) <= alpha:
                total += multinomial.pmf(
                    [up, down, n - up - down], n, [truth.up, truth.down, 1 - truth.up - truth.down]
                )
    assert exact_power(n, truth, margin, alpha) == pytest.approx(total, abs=1e-6)


def test_exact_power_of_one_kind_of_outcome_is_binomial() -> None:
    """With no decreases the test is Clopper and Pearson's: checked against scipy's binomial distribution."""
    truth = Pairs(up=0.02, down=0.0)
    n, margin, alpha = 120, 0.08, 0.05
    allowed = max(k for k in range(n) if binom.cdf(k, n, margin) <= alpha)
    assert exact_power(n, truth, margin, alpha) == pytest.approx(binom.cdf(allowed, n, 0.02), abs=1e-6)


def test_exact_size_has_the_power_and_a_smaller_one_has_not() -> None:
    """The least size, to one in a hundred."""
    truth = pairs(0.1, -0.1)
    n = exact_size(truth, 0.05, 0.05)
    assert n is not None
    assert exact_power(n, truth, 0.05, 0.05) >= 0.9
    assert exact_power(round(0.9 * n), truth, 0.05, 0.05) < 0.9


def test_the_formula_promises_too_much_for_rare_events() -> None:
    """At 2 % on both sides and correlation 0.6 the formula's 54 prompts cannot even decide when nothing differs."""
    truth = pairs(0.02, 0.0, 0.6)
    n = textbook_size(truth.variance, 0.05, 0.05)
    assert n == 54
    assert exact_power(n, truth, 0.05, 0.05) < 0.4
    assert p_value([0.0] * n, 0.05, highest=1.0) > 0.05


def test_prompts_for_agrees_with_simulation_and_its_seed() -> None:
    """The same seed gives the same answer, another nearly the same; the sequence saves, and decides about as often."""
    asked = {"margin": 0.05, "alpha": 0.05, "base_rate": 0.1, "replicates": 1500}
    need, again, other = (prompts_for(**asked, seed=seed) for seed in (1, 1, 2))  # type: ignore[arg-type]
    assert need == again
    assert other.expected == pytest.approx(need.expected, rel=0.06)
    assert need.fixed == 617
    assert need.expected < 0.75 * need.fixed
    assert need.right > 0.78
    assert need.wrong < 0.01
    assert need.right + need.wrong + need.undecided == pytest.approx(1)
    assert need.expected <= need.percentile_90 <= need.horizon


@pytest.mark.parametrize(
    "bad",
    [
        {"margin": 0.0},
        {"alpha": 0.6},
        {"base_rate": 1.2},
        {"base_rate": 0.1, "difference": -0.2},
        {"difference": 0.05},
        {"correlation": 2.0},
        {"power": 1.0},
        {"horizon": 0},
        {"margin": 0.001, "base_rate": 0.5},
        {"replicates": 0},
    ],
)
def test_bad_questions_are_one_clear_line(bad: dict[str, float]) -> None:
    """Values out of range, a difference at the margin, and sizes beyond reach."""
    with pytest.raises(UsageError) as error:
        prompts_for(**{"margin": 0.05, "alpha": 0.05, "base_rate": 0.1, "seed": 1, **bad})  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("truth", "horizon"),
    [(pairs(0.0, 0.05), 400), (pairs(0.1, 0.05, 0.6), 400), (pairs(0.5, 0.05), 400), (pairs(0.94, 0.05), 150)],
)
def test_errors_at_the_margin_stay_below_alpha_at_any_time(truth: Pairs, horizon: int) -> None:
    """Looked at after every unit, with the truth exactly at the margin: each verdict in at most alpha of the sequences."""
    samples = 3000
    runs = run_many(truth.draw(np.random.default_rng(21), (samples, horizon)), Design(0.05, 0.05, horizon))
    most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / samples)
    assert (runs.verdicts == 1).mean() <= most
    assert (runs.verdicts == -1).mean() <= most
    assert (runs.verdicts != 0).mean() > 0.02  # the promise is used, not merely kept


@pytest.mark.parametrize("factor", [0.02, 0.3])
def test_errors_stay_below_alpha_for_graded_differences(factor: float) -> None:
    """Short steps down and rare long ones up, with the mean at the margin."""
    share = (0.05 + factor) / (1 + factor)
    numbers = np.random.default_rng(22)
    values = np.where(numbers.random((3000, 300)) < share, 1.0, -factor)
    runs = run_many(values, Design(0.05, 0.05, 300))
    most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 3000)
    assert max((runs.verdicts == 1).mean(), (runs.verdicts == -1).mean()) <= most


def test_errors_stay_below_alpha_for_exactly_these_prompts() -> None:
    """A suite whose mean is at the margin, asked in random orders: no verdict before the end but in alpha of them, none at the end."""
    numbers = np.random.default_rng(23)
    suite = np.array([1.0] * 12 + [-1.0] * 6 + [0.0] * 102)
    runs = run_many(numbers.permuted(np.tile(suite, (3000, 1)), axis=1), Design(0.05, 0.05, 120, finite=True))
    most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 3000)
    assert (runs.verdicts == 1).mean() <= most
    assert (runs.verdicts == -1).mean() <= most


@pytest.mark.parametrize(
    ("rate", "step", "correlation", "share"), [(0.1, 0.0, 0.0, 0.75), (0.3, -0.2, 0.3, 0.08), (0.5, 0.2, 0.6, 0.1)]
)
def test_a_verdict_costs_less_than_a_fixed_design(rate: float, step: float, correlation: float, share: float) -> None:
    """Mean prompts as a share of what a planner would ask: the whole grid is `benchmarks/calls_per_verdict.py`."""
    fixed = textbook_size(2 * rate * (1 - rate), 0.05, 0.05)
    horizon = math.ceil(1.1 * fixed)
    runs = run_many(
        pairs(rate, step, correlation).draw(np.random.default_rng(24), (400, horizon)), Design(0.05, 0.05, horizon)
    )
    assert runs.asked.mean() / fixed < share
