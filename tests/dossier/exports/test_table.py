"""The tables, read back with Python's own csv module."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dossier.exports.examples import AT, poisoned, ruling
from tests.fakes.dossier_record import dossier_record
from weighbridge.dossier.exports.export import Export, Source, export_as
from weighbridge.dossier.exports.table import cell
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.records import Estimate
from weighbridge.standards.rulings import Ruling

NUMBERS = ("value", "low", "high", "level", "n_planned", "n_measured")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _rows(export: Export, name: str) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(export.files[f"{name}.csv"].decode(), newline=""), strict=True))
    for row in rows:
        assert None not in row  # a row longer than the header
        assert None not in row.values()  # or shorter
    return rows


@pytest.mark.parametrize("name", ["record", "gappy_record", "empty_record", "lone_record"])
def test_every_rate_has_a_row_with_its_number_or_the_words(name: str, request: pytest.FixtureRequest) -> None:
    """In the record's order: measured with all its numbers, or "not measured", a reason, and empty cells."""
    record: DossierRecord = request.getfixturevalue(name)
    rows = _rows(export_as("csv", Source(record), at=AT), "rates")
    assert len(rows) == len(record.rates)
    for row, rate in zip(rows, record.rates, strict=True):
        assert (row["subject"], row["rung"], row["technique"]) == (rate.subject, rate.rung.value, rate.technique)
        if isinstance(rate.rate, Estimate):
            assert row["status"] == "measured"
            assert [float(row[column]) for column in NUMBERS] == [getattr(rate.rate, column) for column in NUMBERS]
        else:
            assert (row["status"], row["reason"]) == ("not measured", rate.rate.reason.value)
            assert {row[column] for column in (*NUMBERS, "method", "missing")} == {""}


@pytest.mark.parametrize("name", ["record", "gappy_record", "empty_record", "lone_record"])
def test_every_comparison_has_a_row(name: str, request: pytest.FixtureRequest) -> None:
    """With estimate, verdict, margin and the interval that the verdict stands on; a verdict on nothing is "not measured"."""
    record: DossierRecord = request.getfixturevalue(name)
    rows = _rows(export_as("csv", Source(record), at=AT), "comparisons")
    assert len(rows) == len(record.comparisons)
    for row, one in zip(rows, record.comparisons, strict=True):
        assert (row["contrast"], row["scope"], float(row["margin"])) == (one.contrast.value, one.scope, one.margin)
        if isinstance(one.estimate, Estimate):
            assert (float(row["value"]), row["verdict"]) == (one.estimate.value, one.verdict.value)
            assert one.judged is not None
            assert (float(row["judged_low"]), float(row["judged_high"])) == (one.judged.low, one.judged.high)
        else:
            assert (row["value"], row["verdict"], row["status"]) == ("", "not measured", "not measured")


def test_every_gap_component_cost_and_ruling_has_a_row(gappy_record: DossierRecord) -> None:
    """The other tables are as long as what they are of, and rulings are exactly the four words."""
    export = export_as("csv", Source(gappy_record, (ruling(gappy_record),)), at=AT)
    assert [row["reason"] for row in _rows(export, "gaps")] == [gap.why.reason.value for gap in gappy_record.gaps]
    subjects = (gappy_record.candidate, *gappy_record.baselines)
    assert len(_rows(export, "components")) == sum(len(each.components) for each in subjects)
    assert len(_rows(export, "costs")) == len(gappy_record.costs)
    assert [row["ruling"] for row in _rows(export, "rulings")] == [each.value for each in Ruling]
    assert {row["provenance"] for row in _rows(export, "rulings")} == {"unverified"}
    assert [row["levels"] for row in _rows(export, "standards")] == ["open: not shown"]


def test_no_number_cell_is_a_stand_in(gappy_record: DossierRecord) -> None:
    """No cell is nan, none or null: absence is a word in its own column."""
    export = export_as("csv", Source(gappy_record), at=AT)
    cells = [
        value.lower()
        for name in ("rates", "comparisons", "gaps", "costs")
        for row in _rows(export, name)
        for key, value in row.items()
        if key not in ("missing", "judged_missing", "grades_not_checked")
    ]
    assert not {"nan", "none", "null", "inf", "-inf"} & set(cells)


def test_tokens_that_were_not_told_are_not_nought(record: DossierRecord) -> None:
    """A provider that does not count tokens leaves empty cells and the words."""
    costs = tuple(cost.model_copy(update={"prompt_tokens": None, "completion_tokens": None}) for cost in record.costs)
    for row in _rows(export_as("csv", Source(record.model_copy(update={"costs": costs})), at=AT), "costs"):
        assert (row["tokens"], row["prompt_tokens"], row["completion_tokens"]) == ("not told", "", "")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", '"=1', "＝1+1", "a;=1", "a, @x", "a\t=1"]
)
def test_a_formula_in_a_name_is_text(text: str) -> None:
    """Wherever a spreadsheet might see a cell begin, an apostrophe stands first."""
    shown = cell(text)
    for part in shown.replace(";", ",").split(","):
        assert not part.strip(" \"'").startswith(FORMULA) or "'" in part[:2] + part.strip()[:1]
    assert not shown.startswith((*FORMULA, "＝"))


_PLAIN = dossier_record(per_cell=1, baselines=())
_PLAIN = _PLAIN.model_copy(update={"rates": _PLAIN.rates[:20], "comparisons": _PLAIN.comparisons[:3]})


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.sampled_from("=+-@\t\r\n,;\"'| ax\u202e\x00＝"), max_size=12) | st.text(max_size=30))
def test_no_text_of_others_starts_a_formula_or_a_cell(text: str) -> None:
    """Whatever the text, every row has the header's cells, and only our own numbers begin with a sign."""
    record = poisoned(_PLAIN, text)
    export = export_as("csv", Source(record, (ruling(record, text),)), at=AT)
    for name in ("rates", "comparisons", "gaps", "standards", "rulings", "components", "costs", "dossier"):
        for row in _rows(export, name):
            for value in row.values():
                assert not value.startswith(FORMULA) or _is_number(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
