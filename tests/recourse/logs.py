"""Recourse logs for tests, and a clock that is set by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from weighbridge.recourse.contests import open_contest, respond
from weighbridge.recourse.entries import Outcome

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """Says the time that it was set to."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def pass_days(self, days: float) -> None:
        self.at += timedelta(days=days)


def a_log(path: Path, clock: Clock | None = None) -> Path:
    """Write a log of three contests: one changed after 10 days, one upheld after 4 without a person, one pending."""
    clock = clock or Clock()
    for case in ("case-1", "case-2", "case-3"):
        open_contest(
            path,
            case=case,
            decision="benefit-denied",
            decided_on=date(2026, 3, 1),
            facts="Income of another household was counted.",
            clock=clock,
        )
    clock.pass_days(4)
    respond(path, case="case-2", outcome=Outcome.UPHELD, reviewer=None, reasons="The rule was applied.", clock=clock)
    respond(path, case="case-1", outcome=Outcome.PENDING, reviewer="hearings officer", reasons="Asked.", clock=clock)
    clock.pass_days(6)
    respond(
        path,
        case="case-1",
        outcome=Outcome.CHANGED,
        reviewer="hearings officer",
        reasons="The income was not theirs.",
        remedy="Paid from the first month.",
        clock=clock,
    )
    return path
