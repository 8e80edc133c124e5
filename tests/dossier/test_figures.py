"""The figures show what was measured where it was measured, and say so where it was not."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.dossier.figures.balance import balance
from weighbridge.dossier.figures.ladder import LadderFigures
from weighbridge.dossier.figures.shares import KINDS, Shares, share_panels, shares
from weighbridge.dossier.lookup import Rates, find_comparison
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.svg import Plots
from weighbridge.evidence.records import Estimate, Measure, NotMeasured, Reason
from weighbridge.protocol.vocabulary import Category, Contrast, Rung


def _estimate(value: float, planned: int, measured: int, missing: dict[Reason, int]) -> Estimate:
    return Estimate(
        value=value,
        low=0,
        high=1,
        level=0.95,
        method="m",
        n_planned=planned,
        n_measured=measured,
        missing=missing,
    )


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 50),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
)
def test_shares_add_up_to_the_whole(
    coherent: float, refused: float, graded: int, incoherent: int, blind: int, lost: int
) -> None:
    """Refused, complied, incoherent and not measured are each a share, and together all prompts."""
    planned = graded + incoherent + blind + lost
    found = shares(
        _estimate(coherent, planned, planned - lost, {Reason.TIMED_OUT: lost}),
        _estimate(
            refused,
            planned,
            graded,
            {Reason.INCOHERENT: incoherent, Reason.GRADER_BLIND: blind, Reason.TIMED_OUT: lost},
        ),
    )
    assert isinstance(found, Shares)
    assert all(-1e-9 <= found.of(kind) <= 1 + 1e-9 for kind in KINDS)
    assert sum(found.of(kind) for kind in KINDS) == pytest.approx(1)
    assert found.not_measured >= lost / planned - 1e-9


def test_shares_of_single_answers_are_exact() -> None:
    """With one answer a prompt the shares are the counts: 30 refused, 20 complied, 40 incoherent, 10 lost of 100."""
    coherent = _estimate(50 / 90, 100, 90, {Reason.TIMED_OUT: 10})
    refused = _estimate(0.6, 100, 50, {Reason.INCOHERENT: 40, Reason.TIMED_OUT: 10})
    found = shares(coherent, refused)
    assert isinstance(found, Shares)
    assert [found.of(kind) for kind in KINDS] == pytest.approx([0.3, 0.2, 0.4, 0.1])


def test_an_unseen_refusal_is_not_compliance() -> None:
    """Where the grader cannot tell refusal, coherent answers are "not measured", not "complied"."""
    found = shares(_estimate(0.9, 10, 10, {}), NotMeasured(reason=Reason.GRADER_BLIND))
    assert isinstance(found, Shares)
    assert (found.complied, found.refused) == (0, 0)
    assert found.not_measured == pytest.approx(0.9)


def test_the_balance_shows_both_contrasts_with_numbers_of_the_record(record: DossierRecord) -> None:
    """Opening comes first, then the counterfactual against the first baseline; the numbers are the record's own."""
    figure = balance(record, Plots())
    assert [beam.title.split(":")[0] for beam in figure.beams] == ["Opening", "Counterfactual"]
    risk = figure.beams[1].risk[0]
    wanted = find_comparison(
        record.comparisons,
        Contrast.COUNTERFACTUAL,
        Measure.HARM,
        aggregate="mean",
        baseline=record.baselines[0].identity,
    )
    assert risk.comparison is wanted
    assert risk.printed is not None
    assert risk.printed.interval in ElementTree.fromstring(figure.beams[1].plot)[1].text  # type: ignore[operator]


def test_without_baselines_the_balance_has_one_beam(lone_record: DossierRecord) -> None:
    """There is no counterfactual beam without a baseline."""
    assert len(balance(lone_record, Plots()).beams) == 1


def test_a_balance_of_nothing_has_no_marks(empty_record: DossierRecord) -> None:
    """A side that was not measured has no dot and no interval, and its description says so."""
    for beam in balance(empty_record, Plots()).beams:
        assert 'class="dot' not in beam.plot
        assert 'class="interval' not in beam.plot
        assert beam.plot.count("not measured") == 8  # four lanes, drawn and described


def test_every_category_has_a_panel_with_every_rung(record: DossierRecord) -> None:
    """Thirteen panels, each with the three rungs of the candidate and each baseline, measured or not."""
    panels = LadderFigures(record, Plots()).by_category()
    assert [panel.title for panel in panels] == [category.label for category in Category]
    for panel in panels:
        assert [row.label for row in panel.rows][:3] == ["hosted", "api", "weights"]
        assert len(panel.rows) == 5


@pytest.mark.parametrize("name", ["record", "gappy_record", "empty_record"])
def test_a_row_is_drawn_exactly_when_it_was_measured(name: str, request: pytest.FixtureRequest) -> None:
    """A row without an estimate has no plot; a row with one has its number in the plot's title."""
    figures = LadderFigures(request.getfixturevalue(name), Plots())
    rows = [row for panel in (figures.overall(), *figures.by_category(), *figures.by_technique()) for row in panel.rows]
    for row in rows:
        assert (row.plot is not None) == isinstance(row.rate, Estimate)
        if row.plot is not None and row.printed is not None:
            assert row.printed.interval in (ElementTree.fromstring(row.plot)[0].text or "")


def test_techniques_end_with_mean_beside_worst(record: DossierRecord) -> None:
    """Each model's panel has `api`, its techniques, then the mean and the worst of all tries."""
    (panel, *_) = LadderFigures(record, Plots()).by_technique()
    assert [row.label for row in panel.rows] == [
        "api",
        "prefill",
        "raw",
        "sampling",
        "mean of all",
        *[name for name in ("best of 2", "best of 4") if name in {rate.technique for rate in record.rates}],
        "worst of all tries",
    ]


def test_shares_say_why_there_are_none(record: DossierRecord) -> None:
    """A rung that was not asked has no bar but a reason."""
    (panel, *_) = share_panels(record, Plots(), benign=False)
    hosted = panel.rows[0]
    assert (hosted.label, hosted.plot) == ("hosted", None)
    assert hosted.why == NotMeasured(reason=Reason.NO_GUARD)


def test_what_a_dossier_does_not_say_is_not_measured() -> None:
    """A rate that is not there is "not in protocol", never a number."""
    assert Rates(()).find("x", Rung.API, Measure.HARM) == NotMeasured(reason=Reason.NOT_IN_PROTOCOL)
