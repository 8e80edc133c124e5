"""Sequential comparisons: verdicts at any time, intervals that agree with them, losses that never help."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.analysis.answers import Shown
from weighbridge.analysis.betting import Plan, Wealth, kelly_fraction
from weighbridge.analysis.power import pairs, run_many
from weighbridge.analysis.sequential import Design, Sequence, SequentialResult, sequence
from weighbridge.errors import UsageError
from weighbridge.evidence.records import NotMeasured, Reason
from weighbridge.protocol.vocabulary import Verdict

CODE = {Verdict.UNDECIDED: 0, Verdict.NO_MATERIAL_INCREASE: 1, Verdict.MATERIAL_INCREASE: -1}
LOST = Shown(Reason.PROVIDER_ERROR, -1.0, 1.0)
INCOHERENT = Shown(Reason.INCOHERENT, -1.0, 1.0)

VALUES = st.one_of(st.sampled_from([-1.0, 0.0, 0.0, 0.0, 1.0]), st.floats(-1, 1, width=32))
# Long enough for verdicts: a drift, and some units of every kind.
DRIFTING = st.tuples(st.sampled_from([-1.0, -0.5, 0.0, 0.0, 0.5, 1.0]), st.lists(VALUES, min_size=1, max_size=12))


def seen(value: float) -> Shown:
    """A unit that was measured whole."""
    return Shown(value, value, value)


def drawn(seed: int, shape: tuple[int, int], difference: float = 0.0, rate: float = 0.3) -> np.ndarray:
    """Paired yes/no differences."""
    return pairs(rate, difference, 0.3).draw(np.random.default_rng(seed), shape)


def run(units: list[Shown], design: Design) -> SequentialResult:
    return sequence(units, design)


def running(units: list[Shown], design: Design) -> Sequence:
    one = Sequence(design)
    for unit in units:
        if unit.incoherent:
            one.skip()
        else:
            one.take(unit.least, unit.most, None if isinstance(unit.seen, Reason) else unit.seen)
    return one


@st.composite
def evidence(draw: st.DrawFn) -> tuple[list[Shown], list[Shown], Design]:
    """Units, the same with some of their evidence taken away, and a design."""
    narrow: list[Shown] = []
    wide: list[Shown] = []
    stretch, noise = draw(DRIFTING)
    length = draw(st.integers(5, 90))
    losses = draw(st.sets(st.integers(0, length - 1), max_size=6))
    partly = draw(st.sets(st.integers(0, length - 1), max_size=4))
    incoherent = draw(st.sets(st.integers(0, length - 1), max_size=5))
    width = draw(st.floats(0, 1, width=32))
    for place in range(length):
        value = noise[place % len(noise)] if place % 3 == 0 else stretch
        unit = INCOHERENT if place in incoherent else seen(value)
        narrow.append(unit)
        if place in losses:
            wide.append(LOST)
        elif place in partly and not unit.incoherent:
            wide.append(Shown(value, max(-1.0, value - width), min(1.0, value + width)))
        else:
            wide.append(unit)
    margin = draw(st.sampled_from([0.05, 0.1, 0.3]))
    horizon = length + draw(st.sampled_from([0, 1, 10, 500]))
    return narrow, wide, Design(margin, draw(st.sampled_from([0.05, 0.2])), horizon, finite=draw(st.booleans()))


@settings(max_examples=100, deadline=None)
@given(evidence())
def test_taking_evidence_away_only_undoes_a_verdict(case: tuple[list[Shown], list[Shown], Design]) -> None:
    """Widening units, or bringing a skipped one back as missing, leaves the verdict or makes it undecided, and only widens limits."""
    narrow, wide, design = case
    before, after = running(narrow, design), running(wide, design)
    assert after.verdict in (before.verdict, Verdict.UNDECIDED)
    if after.decided_after is not None:
        assert before.decided_after is not None
        assert before.decided_after <= after.decided_after
    assert after.log_e_no_increase <= before.log_e_no_increase + 1e-9
    assert after.log_e_increase <= before.log_e_increase + 1e-9


@settings(max_examples=15, deadline=None)
@given(evidence())
def test_taking_evidence_away_only_widens_the_interval(case: tuple[list[Shown], list[Shown], Design]) -> None:
    """The interval after a loss contains the interval before, unless the complete record contradicts itself."""
    narrow, wide, design = case
    low, high = running(narrow, design).interval()
    wide_low, wide_high = running(wide, design).interval()
    assert wide_low <= low + 1e-9 or wide_low >= high
    assert wide_high >= high - 1e-9 or wide_high <= low


@settings(max_examples=15, deadline=None)
@given(evidence(), st.sampled_from([0.05, 0.01, 0.05 / 39]))
def test_one_of_many_has_the_interval_of_its_evidence_as_it_is_now(
    case: tuple[list[Shown], list[Shown], Design], error: float
) -> None:
    """With an error of its own it leaves the margin out exactly when an e-value is 1 / error, and a loss only widens it."""
    narrow, wide, design = case
    intervals = []
    for units in (narrow, wide):
        one = running(units, design)
        low, high = one.interval(error)
        shown = max(one.log_e_no_increase, one.log_e_increase) >= math.log(1 / error)
        assert (design.margin < low or high < design.margin or design.margin in (low, high)) or not shown
        assert shown or low < design.margin < high
        intervals.append((low, high))
    (low, high), (wide_low, wide_high) = intervals
    assert wide_low <= low + 1e-9
    assert wide_high >= high - 1e-9


def test_what_was_shown_once_does_not_bind_one_of_many() -> None:
    """Evidence that turned back counts as what it is now, while the interval of one alone stays the narrowest it ever was."""
    one = Sequence(Design(0.1, 0.05, 400))
    while one.verdict is Verdict.UNDECIDED:
        one.take(0.0, 0.0, 0.0)
    for _ in range(8):
        one.take(1.0, 1.0, 1.0)
    assert one.verdict is Verdict.NO_MATERIAL_INCREASE
    assert one.log_e_no_increase < math.log(20)
    assert one.interval()[1] <= 0.1 < one.interval(0.05)[1]


@pytest.mark.parametrize("finite", [False, True])
@pytest.mark.parametrize(("difference", "seed"), [(0.0, 1), (0.2, 2), (-0.2, 3)])
def test_law_holds_at_every_step_of_long_sequences(finite: bool, difference: float, seed: int) -> None:
    """With one unit in fifty lost, the verdict of every prefix is that of the complete record, or undecided."""
    numbers = np.random.default_rng(seed)
    values = drawn(seed, (1, 700), difference)[0]
    design = Design(0.05, 0.05, 700, finite=finite)
    complete, lossy = Sequence(design), Sequence(design)
    decided = 0
    for value in values:
        complete.take(value, value, value)
        if numbers.random() < 0.02:
            lossy.take(-1.0, 1.0, None)
        else:
            lossy.take(value, value, value)
        assert lossy.verdict in (complete.verdict, Verdict.UNDECIDED)
        assert lossy.log_e_increase <= complete.log_e_increase + 1e-9
        assert lossy.log_e_no_increase <= complete.log_e_no_increase + 1e-9
        decided += lossy.verdict is not Verdict.UNDECIDED
    assert complete.verdict is not Verdict.UNDECIDED
    if difference:
        assert decided > 100  # a loss costs prompts, and does not forbid a verdict


def test_every_completion_of_missing_answers_agrees_with_a_verdict() -> None:
    """A verdict that stands although units are missing is the verdict of every completion that was tried."""
    numbers = np.random.default_rng(4)
    for seed in range(10):
        values = drawn(seed, (1, 150), -0.2)[0]
        lost = numbers.random(150) < 0.03
        design = Design(0.05, 0.05, 150)
        found = run([LOST if gone else seen(x) for x, gone in zip(values, lost, strict=True)], design)
        if found.verdict is Verdict.UNDECIDED:
            continue
        for _ in range(5):
            guess = numbers.choice([-1.0, 0.0, 1.0], 150)
            whole = running([seen(g if gone else x) for x, g, gone in zip(values, guess, lost, strict=True)], design)
            assert whole.verdict is found.verdict


@pytest.mark.parametrize(("margin", "side"), [(0.05, 0), (0.05, 1), (0.3, 0)])
def test_wealth_is_monotone_in_every_outcome_and_in_the_null(margin: float, side: int) -> None:
    """Raising one outcome never raises later wealth, and a higher null never lowers it: the two properties that all else stands on."""
    plan = Design(margin, 0.05, 60).plans()[side]
    numbers = np.random.default_rng(11)
    for _ in range(40):
        y = numbers.choice([-1.0, 0.0, 0.0, 0.0, 1.0], 60) if numbers.random() < 0.7 else numbers.uniform(-1, 1, 60)
        place = numbers.integers(60)
        rows = np.repeat(y[None, :], 3, axis=0)
        rows[1, place] = min(1.0, rows[1, place] + numbers.random())
        nulls = np.array([plan.null, plan.null, min(0.99, plan.null + numbers.random() / 2)])
        bets = plan.bets(numbers.integers(0, 28, (1, 1)), numbers.integers(0, 5, (1, 1)))
        wealth = Wealth.start(plan, nulls)
        for t in range(60):
            wealth.step(rows[:, t : t + 1], bets)
            base, raised, higher = wealth.worth
            assert raised <= base * (1 + 1e-12)
            assert higher >= base * (1 - 1e-12)
            assert base >= 0


@pytest.mark.parametrize(
    ("rate", "difference", "n"), [(0.1, 0.0, 500), (0.3, 0.2, 200), (0.02, 0.1, 300), (0.5, -0.2, 90)]
)
def test_many_at_once_and_one_at_a_time_are_the_same(rate: float, difference: float, n: int) -> None:
    """The vectorised simulation gives the verdicts of `Sequence`, after as many units."""
    values = drawn(5, (8, n), difference, rate)
    values[::4] *= np.random.default_rng(6).random(values[::4].shape)  # graded
    design = Design(0.05, 0.05, n)
    runs = run_many(values, design)
    for row, asked, code in zip(values, runs.asked, runs.verdicts, strict=True):
        one = Sequence(design)
        for value in row:
            one.take(value, value, value)
            if one.verdict is not Verdict.UNDECIDED:
                break
        assert (one.n, CODE[one.verdict]) == (asked, code)


@pytest.mark.parametrize(("difference", "seed"), [(0.0, 1), (0.05, 2), (0.2, 3), (-0.1, 4)])
@pytest.mark.parametrize("finite", [False, True])
def test_verdict_and_interval_never_contradict(difference: float, seed: int, finite: bool) -> None:
    """There is a verdict exactly when the interval lies on one side of the margin, at every point of the trace; it only shrinks."""
    for value in range(4):
        values = drawn(100 * seed + value, (1, 250), difference)[0]
        design = Design(0.05, 0.05, 250, finite=finite)
        found = run([seen(x) for x in values], design)
        after = found.decided_after or math.inf
        for point in found.trace:
            if point.n >= after and found.verdict is Verdict.NO_MATERIAL_INCREASE:
                assert point.high <= 0.05
            elif point.n >= after:
                assert point.low >= 0.05
            else:
                assert point.low < 0.05 < point.high
        assert all(a.low <= b.low < b.high <= a.high for a, b in pairwise(found.trace))
        assert (found.low, found.high) == (found.trace[-1].low, found.trace[-1].high)


def test_a_finite_suite_closes_on_its_mean() -> None:
    """Once exactly these prompts were all asked the interval is a point but for rounding, and there is a verdict."""
    values = drawn(9, (1, 200), 0.0)[0]
    found = run([seen(x) for x in values], Design(0.05, 0.05, 200, finite=True))
    assert found.low is not None
    assert found.high is not None
    assert found.low - 1e-9 <= values.mean() <= found.high + 1e-9
    assert found.high - found.low < 0.011
    assert found.verdict is (Verdict.NO_MATERIAL_INCREASE if values.mean() < 0.05 else Verdict.MATERIAL_INCREASE)
    open_ended = run([seen(x) for x in values], Design(0.05, 0.05, 200))
    assert open_ended.low is not None
    assert open_ended.high is not None
    assert open_ended.high - open_ended.low > 0.1


def test_nothing_measured_is_not_a_number() -> None:
    """Losses and incoherence alone give no estimate and no interval, and the verdict is undecided."""
    for units in ([], [LOST] * 5, [INCOHERENT] * 5, [LOST, INCOHERENT]):
        found = run(units, Design(0.05, 0.05, 10))
        assert isinstance(found.estimate, NotMeasured)
        assert (found.low, found.high, found.verdict, found.prompts_needed) == (None, None, Verdict.UNDECIDED, None)
        assert found.n == len(units)


def test_incoherent_pairs_are_no_evidence() -> None:
    """A skipped unit leaves both e-values as they were; a missing one lowers both."""
    one = Sequence(Design(0.05, 0.05, 50))
    for _ in range(10):
        one.take(0.0, 0.0, 0.0)
    before = (one.log_e_no_increase, one.log_e_increase)
    one.skip()
    assert (one.log_e_no_increase, one.log_e_increase) == before
    one.take(-1.0, 1.0, None)
    assert one.log_e_no_increase < before[0]
    assert one.log_e_increase < before[1]


def test_a_verdict_stays() -> None:
    """Whatever comes after a verdict, it stays."""
    units = [seen(0.0)] * 120 + [seen(1.0)] * 60
    found = run(units, Design(0.05, 0.05, 200))
    assert found.verdict is Verdict.NO_MATERIAL_INCREASE
    assert found.decided_after is not None
    assert found.decided_after < 120
    assert found.prompts_needed == 0


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"margin": 0.0}, "margin"),
        ({"margin": 1.0}, "margin"),
        ({"margin": math.nan}, "margin"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 0.5}, "alpha"),
        ({"horizon": 0}, "horizon"),
    ],
)
def test_bad_designs_are_one_clear_line(bad: dict[str, float], says: str) -> None:
    """A margin, alpha or horizon out of range is the caller's error."""
    with pytest.raises(UsageError, match=says) as error:
        Design(**{"margin": 0.05, "alpha": 0.05, "horizon": 10, **bad})  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "unit", [(-1.5, 0, 0), (0, 2, 0), (0.5, 0.2, 0.3), (0, 0.2, 0.3), (math.nan, 1, None), (0, 0, math.nan)]
)
def test_bad_units_are_one_clear_line(unit: tuple[float, float, float | None]) -> None:
    """A difference outside [-1, 1], or bounds out of order, is the caller's error and is not counted."""
    one = Sequence(Design(0.05, 0.05, 10))
    with pytest.raises(UsageError, match="unit 1"):
        one.take(*unit)
    assert one.n == 0


def test_more_units_than_announced_are_refused() -> None:
    """The horizon is a promise."""
    one = Sequence(Design(0.05, 0.05, 1))
    one.take(0, 0, 0)
    with pytest.raises(UsageError, match="announced"):
        one.skip()


def test_prompts_needed_is_a_fair_expectation() -> None:
    """What is said after 100 prompts to be needed more is about what it takes, on average over sequences."""
    said, took = [], []
    for row in drawn(12, (60, 3000), -0.05):
        one = Sequence(Design(0.05, 0.05, 3000))
        guess = None
        for value in row:
            one.take(value, value, value)
            if one.n == 100:
                guess = one.prompts_needed()
                if not guess:
                    break
            if one.verdict is not Verdict.UNDECIDED:
                break
        if guess and one.n > 100:
            said.append(guess)
            took.append(one.n - 100)
    assert len(said) > 20
    assert 0.5 < np.median(said) / np.median(took) < 2.0


def test_prompts_needed_says_when_it_cannot_be_said() -> None:
    """With too little, or with the mean at the margin, there is no number."""
    one = Sequence(Design(0.5, 0.05, 100))
    one.take(0, 0, 0)
    assert one.prompts_needed() is None
    for value in (1.0, 0.0, 1.0):
        one.take(value, value, value)
    assert one.mean == 0.5
    assert one.prompts_needed() is None


@pytest.mark.parametrize(("moment", "null"), [(0.02, 0.05), (0.3, 0.05), (0.8, 0.2), (0.3, -0.05)])
def test_kelly_fraction_maximises_growth(moment: float, null: float) -> None:
    """No other share of wealth grows faster, for outcomes of three values."""
    mean = min(0.0, null - 0.05)
    up, down = (moment + mean) / 2, (moment - mean) / 2

    def growth(share: float) -> float:
        return (
            (1 - moment) * math.log1p(share * null)
            + up * math.log1p(-share * (1 - null))
            + down * math.log1p(share * (1 + null))
        )

    best = kelly_fraction(moment, mean, null)
    assert all(growth(best) >= growth(best * factor) for factor in (0.9, 0.99, 1.01))


def test_stakes_follow_the_horizon() -> None:
    """The same wealth is staked more boldly when few units are left."""
    plan = Plan(0.05, 0.05, 0.05, 1000, finite=False)
    bets = plan.bets(np.array([[20]]), np.array([[0]]))
    gains = []
    for asked in (0, 990):
        wealth = Wealth.start(plan, np.array([0.05]))
        wealth.asked = asked
        wealth.step(0.0, bets)
        gains.append(float(wealth.worth[0]))
    assert gains[1] > gains[0] > 1


def _suite(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A finite suite of 300 graded differences with mean 0, and a control that explains most of them."""
    numbers = np.random.default_rng(seed)
    known = numbers.uniform(-0.5, 0.5, 300)
    values = np.clip(known + numbers.uniform(-0.2, 0.2, 300), -1, 1)
    values -= values.mean()
    return values, known


def _asked(values: np.ndarray, known: np.ndarray | None, order: np.ndarray, margin: float) -> Sequence:
    one = Sequence(Design(margin, 0.05, len(values), finite=True), None if known is None else known.tolist())
    for place in order:
        value = float(values[place])
        one.take(value, value, value, None if known is None else float(known[place]))
        if one.verdict is not Verdict.UNDECIDED:
            break
    return one


def test_a_good_control_saves_prompts_and_a_useless_one_costs_few() -> None:
    """Mean prompts to a verdict on exactly these prompts, over random orders."""
    values, known = _suite(31)
    numbers = np.random.default_rng(32)
    noise = numbers.uniform(-0.5, 0.5, len(values))
    counts = np.array(
        [
            [_asked(values, control, order, 0.1).n for control in (None, known, noise)]
            for order in (numbers.permutation(len(values)) for _ in range(25))
        ]
    )
    without, good, useless = counts.mean(axis=0)
    assert good < 0.8 * without
    assert useless < 1.1 * without


def test_a_wrong_control_never_biases() -> None:
    """With the mean at the margin, and a control that has every difference the wrong way round, verdicts stay within alpha."""
    values, known = _suite(33)
    values = values + 0.1 - values.mean()
    numbers = np.random.default_rng(34)
    verdicts = [_asked(values, -known, numbers.permutation(len(values)), 0.1).verdict for _ in range(60)]
    for verdict in (Verdict.NO_MATERIAL_INCREASE, Verdict.MATERIAL_INCREASE):
        assert verdicts.count(verdict) <= 8  # 0.05 of 60 is 3; more than 8 has probability 0.001


def test_losses_never_help_with_a_control() -> None:
    """The law holds for the control's coefficient, too, which is learned from what was seen."""
    for seed in range(6):
        values, known = _suite(seed)
        numbers = np.random.default_rng(seed)
        lost = numbers.random(len(values)) < 0.02
        design = Design(0.1, 0.05, len(values), finite=True)
        complete, lossy = Sequence(design, known.tolist()), Sequence(design, known.tolist())
        for value, control, gone in zip(values.tolist(), known.tolist(), lost, strict=True):
            complete.take(value, value, value, control)
            if gone:
                lossy.take(-1.0, 1.0, None, control)
            else:
                lossy.take(value, value, value, control)
            assert lossy.verdict in (complete.verdict, Verdict.UNDECIDED)
            assert lossy.log_e_no_increase <= complete.log_e_no_increase + 1e-9
            assert lossy.log_e_increase <= complete.log_e_increase + 1e-9


def test_controls_that_do_not_fit_are_refused() -> None:
    """They need a known mean, one a unit, and a range; and a unit brings its own."""
    finite = Design(0.1, 0.05, 3, finite=True)
    with pytest.raises(UsageError, match="exactly these prompts"):
        Sequence(Design(0.1, 0.05, 3), [0.0, 0.1, 0.2])
    with pytest.raises(UsageError, match="2 controls for 3 units"):
        Sequence(finite, [0.0, 0.1])
    with pytest.raises(UsageError, match="between -1 and 1"):
        Sequence(finite, [0.0, 0.1, 2.0])
    one = Sequence(finite, [0.0, 0.1, 0.1])
    with pytest.raises(UsageError, match="every unit or for none"):
        one.take(0, 0, 0)
    one.take(0, 0, 0, 0.0)
    with pytest.raises(UsageError, match="no unit with a control"):
        one.take(0, 0, 0, 0.0)
    assert one.n == 1
