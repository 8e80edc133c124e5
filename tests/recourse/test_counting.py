"""What is counted of a log, and what is not there to be counted."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from pathlib import Path

from tests.recourse.logs import Clock, a_log
from weighbridge.recourse.cases import cases_of
from weighbridge.recourse.contests import open_contest, respond
from weighbridge.recourse.entries import Outcome
from weighbridge.recourse.export import csv_table, json_lines, summary_json
from weighbridge.recourse.log import read_log
from weighbridge.recourse.values import NAMES, recourse_values


def _begun(path: Path, clock: Clock, **more: object) -> None:
    open_contest(path, case="a", decision="d", decided_on=date(2026, 3, 1), clock=clock, **{"facts": "f", **more})  # type: ignore[arg-type]


def test_what_a_ruling_reads(tmp_path: Path) -> None:
    """Counts, the median of what was decided, the wait of what was not, and the share that a person reviewed."""
    clock = Clock()
    path = a_log(tmp_path / "log.jsonl", clock)
    values = recourse_values(path, at=clock() + timedelta(days=20))
    assert values.absent == {}
    assert values.known == {
        "recourse.log_kept": True,
        "recourse.contested": 3,
        "recourse.decided": 2,
        "recourse.median_days": 7.0,
        "recourse.oldest_pending_days": 30,
        "recourse.human_reviewed_share": 0.5,
    }


def test_what_was_not_decided_has_no_time(tmp_path: Path) -> None:
    """With nothing decided there is no median and no share, and with nothing pending no wait: each says why, and is no number."""
    clock, path = Clock(), tmp_path / "log.jsonl"
    _begun(path, clock)
    values = recourse_values(path, at=clock())
    assert values.known["recourse.decided"] == 0
    assert values.absent == {
        "recourse.median_days": "no contest was decided yet",
        "recourse.human_reviewed_share": "no contest was decided yet",
    }
    assert summary_json(cases_of(read_log(path).entries), clock().date())["median_days"] == "not measured"
    respond(path, case="a", outcome=Outcome.WITHDRAWN, reviewer="judge", reasons="r", clock=clock)
    values = recourse_values(path, at=clock())
    assert values.known["recourse.median_days"] == 0
    assert values.absent == {"recourse.oldest_pending_days": "no contest is pending"}


def test_time_is_counted_from_the_day_on_which_the_contest_came_in(tmp_path: Path) -> None:
    """Writing a contest down late does not make it quicker."""
    clock, path = Clock(), tmp_path / "log.jsonl"
    clock.pass_days(9)
    _begun(path, clock, received_on=date(2026, 3, 2))
    respond(path, case="a", outcome=Outcome.UPHELD, reviewer="judge", reasons="r", clock=clock)
    assert recourse_values(path, at=clock()).known["recourse.median_days"] == 9


def test_a_ruling_of_an_earlier_day_reads_nothing(tmp_path: Path) -> None:
    """A log with entries of the future says nothing about the past."""
    path = a_log(tmp_path / "log.jsonl")
    assert recourse_values(path, at=Clock().at).known == {}
    missing = recourse_values(tmp_path / "none.jsonl", at=Clock().at)
    assert missing.known == {}
    assert set(missing.absent) == {f"recourse.{name}" for name in NAMES}


def test_exports_leave_out_what_is_not_there(tmp_path: Path) -> None:
    """A pending contest has no days, no outcome and no empty number, in either form."""
    cases = cases_of(read_log(a_log(tmp_path / "log.jsonl")).entries)
    rows = [json.loads(line) for line in json_lines(cases).splitlines()]
    assert [row.get("days") for row in rows] == [10, 4, None]
    assert "days" not in rows[2]
    assert rows[1]["reviewer"] == "no person reviewed it"
    assert rows[0]["interim"][0]["reviewer"] == "hearings officer"
    table = list(csv.DictReader(io.StringIO(csv_table(cases))))
    assert [(row["outcome"], row["days"]) for row in table] == [("changed", "10"), ("upheld", "4"), ("pending", "")]


def test_no_text_starts_a_formula(tmp_path: Path) -> None:
    """A spreadsheet that opens the table computes nothing that somebody wrote into the log."""
    clock, path = Clock(), tmp_path / "log.jsonl"
    _begun(path, clock, facts='=HYPERLINK("http://x","y")\n+cmd;@SUM(1)')
    (row,) = csv.DictReader(io.StringIO(csv_table(cases_of(read_log(path).entries))))
    assert row["facts"] == '\'=HYPERLINK("http://x","y")\n\'+cmd;\'@SUM(1)'


def test_the_summary_counts_its_parts(tmp_path: Path) -> None:
    """Each number comes with how many contests it is of, and what is pending is named."""
    clock = Clock()
    cases = cases_of(read_log(a_log(tmp_path / "log.jsonl", clock)).entries)
    found = summary_json(cases, clock().date())
    assert found["outcomes"] == {"upheld": 1, "changed": 1, "withdrawn": 0, "pending": 1}
    assert found["median_days"] == {"value": 7.0, "n": 2}
    assert found["pending"] == ["case-3"]
    assert found["oldest_pending_days"] == {"value": 10, "n": 1}
