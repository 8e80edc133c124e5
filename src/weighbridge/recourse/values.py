"""What a ruling can read in a recourse log: facts by name, and why there is none. A log that is not whole yields no fact at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from weighbridge.errors import WeighbridgeError
from weighbridge.recourse.cases import cases_of, summary_of
from weighbridge.recourse.log import beside, read_log

NAMES = ("log_kept", "contested", "decided", "median_days", "oldest_pending_days", "human_reviewed_share")
_AHEAD = timedelta(minutes=5)  # a clock may be this far ahead


@dataclass(frozen=True)
class RecourseValues:
    """`known`: what the log shows, by name. `absent`: why each other name has no value. Each of `NAMES` (after "recourse.") is in one of them."""

    known: dict[str, bool | int | float]
    absent: dict[str, str]


def recourse_values(log: Path, *, at: datetime, head: str | None = None) -> RecourseValues:
    """Return what a log shows as of `at`. `head`: the digest of an entry, kept elsewhere, that it must hold.

    Never raises for what is wrong with the log: a changed, removed or moved entry, a head file that is gone (also with `head`) or names more entries,
    and entries after `at` make every fact absent. So taking an entry away never improves a ruling.
    """
    try:
        found = read_log(log, head=head)
    except WeighbridgeError as error:
        return _none(str(error))
    if found.noted is None:  # an anchor does not vouch for what came after it
        return _none(f"{beside(log, 'head.json').name} is not beside the log, so entries could be missing at its end")
    if found.entries[-1].at > at + _AHEAD:
        return _none("the log has entries that are later than the date of the ruling")
    counted = summary_of(cases_of(found.entries), at.date())
    values: dict[str, bool | int | float | None] = {
        "log_kept": True,
        "contested": counted.contested,
        "decided": counted.decided,
        "median_days": counted.median_days,
        "oldest_pending_days": counted.oldest_pending_days,
        "human_reviewed_share": counted.human_reviewed_share,
    }
    why = dict.fromkeys(("median_days", "human_reviewed_share"), "no contest was decided yet")
    why["oldest_pending_days"] = "no contest is pending"
    return RecourseValues(
        known={f"recourse.{name}": value for name, value in values.items() if value is not None},
        absent={f"recourse.{name}": why[name] for name, value in values.items() if value is None},
    )


def _none(why: str) -> RecourseValues:
    return RecourseValues({}, {f"recourse.{name}": why for name in NAMES})
