"""Numbers, texts and times out of what somebody wrote, or word that there are none. Nothing here raises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from weighbridge.evidence.elsewhere import NOT_TOLD, Interval
from weighbridge.evidence.records import Measured, NotMeasured, Outcome, Reason
from weighbridge.subject.shown import shown

MAX_TEXT = 300
MAX_SETTINGS = 16
_MAX_COUNT = 2**53 - 1  # the largest whole number that canonical JSON can hold


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a JSON object as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> Sequence[Any]:
    """Return a JSON array as it is, and an empty one for anything else."""
    return value if isinstance(value, list) else ()


def text(value: Any, limit: int = MAX_TEXT) -> str | None:
    r"""Return a text on one line with what cannot be printed shown, or None for what is no text or blank.

    >>> text(" a\nb "), text(""), text(3)
    ('a\\nb', None, None)
    """
    return shown(value.strip(), limit) if isinstance(value, str) and value.strip() else None


def number(value: Any) -> float | None:
    """Return a finite number, or None for everything else (also for truth values, and texts that look like numbers).

    >>> number(1), number(True), number(float("nan")), number("0.5"), number(10**400)
    (1.0, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def count(value: Any) -> int | None:
    """Return a number of things, or None. A float that is whole counts: some tools write 8.0.

    >>> count(8), count(8.0), count(-1), count(0.5), count(True)
    (8, 8, None, None, None)
    """
    found = number(value)
    if found is None or not found.is_integer() or not 0 <= found <= _MAX_COUNT:
        return None
    return int(found)


def moment(value: Any) -> datetime | None:
    """Return a time from ISO 8601 text, or seconds since 1970 as number or digits; None when it is neither.

    Text without a zone is taken as UTC: the tools that leave it out do not say which zone it was, so it may be hours off.

    >>> moment("2026-11-26T01:02:11+01:00").isoformat(), moment("1795655045").isoformat(), moment("soon")
    ('2026-11-26T00:02:11+00:00', '2026-11-26T01:04:05+00:00', None)
    """
    try:
        if isinstance(value, str):
            if not value.replace(".", "", 1).isdigit():
                found = datetime.fromisoformat(value[:40].strip())
                return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
            value = float(value)
        seconds = number(value)
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def flag(value: Any) -> bool | None:
    """Return a truth value, None for anything else."""
    return value if isinstance(value, bool) else None


def outcome(value: Any, unit: str | None) -> Outcome:
    """Return the value as measured, or as not measured, saying what stands in its place.

    >>> str(outcome(float("nan"), None))
    'not measured: nothing measured (the file has NaN in its place)'
    """
    found = number(value)
    if found is not None:
        return Measured(value=found, unit=unit or NOT_TOLD)
    if value is None:
        there = "null"
    elif isinstance(value, float):
        there = "NaN" if math.isnan(value) else "an infinity"
    elif isinstance(value, str):
        there = "text"
    else:
        there = "no number that can be held"
    return absent(Reason.NOTHING_MEASURED, f"the file has {there} in its place")


def absent(reason: Reason, why: str) -> NotMeasured:
    """Return "not measured", because."""
    return NotMeasured(reason=reason, detail=shown(why, MAX_TEXT))


def share(part: int, whole: int, why_not: str) -> Outcome:
    """Return a share of counts; of nothing there is none.

    >>> share(1, 4, "").value, str(share(0, 0, "no output"))
    (0.25, 'not measured: nothing measured (no output)')
    """
    if whole <= 0:
        return absent(Reason.NOTHING_MEASURED, why_not)
    return Measured(value=part / whole, unit="share")


def interval(low: Any, high: Any, level: Any, method: Any) -> Interval | None:
    """Return an interval, None unless both ends are numbers in order."""
    bottom, top = number(low), number(high)
    if bottom is None or top is None or bottom > top:
        return None
    confidence = number(level)
    if confidence is None or not 0 < confidence < 1:
        confidence = None
    return Interval(low=bottom, high=top, level=confidence, method=text(method))


def error_of(value: Any) -> float | None:
    """Return a standard error, None for what is no number or negative."""
    found = number(value)
    return found if found is not None and found >= 0 else None


def settings(**facts: Any) -> dict[str, str]:
    """Return those facts that are texts, numbers or truth values, as text; `_` in names reads as a space.

    >>> settings(fewshot=0, chat_template=None, limit=3.0, seed=True)
    {'fewshot': '0', 'limit': '3', 'seed': 'yes'}
    """
    found: dict[str, str] = {}
    for name, value in list(facts.items())[:MAX_SETTINGS]:
        if isinstance(value, bool):
            found[name.replace("_", " ")] = "yes" if value else "no"
        elif (plain := number(value)) is not None:
            found[name.replace("_", " ")] = str(int(plain)) if plain.is_integer() else repr(plain)
        elif (words := text(value)) is not None:
            found[name.replace("_", " ")] = words
    return found
