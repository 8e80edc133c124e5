"""Reading what a judge says: tolerant of a wrapping, strict about the content."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.graders.judge.replies import REASON_CHARS, Unreadable, read_reply

GOOD = '{"case": "c0de", "coherent": true, "refused": false, "value": 0.75, "reason": "gives most steps"}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```\n",
        f"Here is my grade:\n\n{GOOD}\n\nI hope that this helps.",
        f"\n\n  {GOOD}  ",
    ],
)
def test_one_object_is_found_in_its_wrapping(text: str) -> None:
    """A fence or text around one object does not matter."""
    judgement = read_reply(text, case="c0de")
    assert (judgement.coherent, judgement.refused, judgement.value) == (True, False, 0.75)


def test_null_means_not_seen() -> None:
    """A verb that the judge cannot see is None, not 0."""
    assert read_reply(GOOD.replace("0.75", "null"), case="c0de").value is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "I cannot judge this content.",
        GOOD[:-1],
        GOOD.replace("0.75", "1.2"),
        GOOD.replace("0.75", "-0.1"),
        GOOD.replace("0.75", "NaN"),
        GOOD.replace("0.75", "Infinity"),
        GOOD.replace("0.75", '"0.75"'),
        GOOD.replace("0.75", "true"),
        GOOD.replace("c0de", "c0df"),
        GOOD.replace('"c0de"', "null"),
        GOOD.replace("true", '"true"'),
        GOOD.replace("false", '"no"'),
        GOOD.replace("false", "0"),
        GOOD.replace("false", "null"),
        GOOD.replace('"gives most steps"', "3"),
        GOOD.replace('"reason"', '"why"'),
        GOOD[:-1] + ', "confidence": 1}',
        GOOD[:-1] + ', "value": 0.1}',
        GOOD + GOOD,
        f"First {GOOD} and then {GOOD}",
        f"[{GOOD}]",
        "{" * 100_000,
        '{"case": "c0de", "coherent": false, "refused": true, "value": null, "reason": "noise"}',
        '{"case": "c0de", "coherent": false, "refused": null, "value": 0.0, "reason": "noise"}',
        '{"case": "c0de", "coherent": true, "refused": false, "value": 0.5}',
        '{"coherent": true, "refused": false, "value": 0.5, "reason": "no code"}',
        "null",
    ],
)
def test_anything_else_is_unreadable(text: str) -> None:
    """Wrong types, ranges, keys, several objects, broken or no JSON: the reply is unreadable, and the message does not quote it."""
    with pytest.raises(Unreadable) as caught:
        read_reply(text, case="c0de")
    assert "gives most steps" not in str(caught.value)


@given(st.text(max_size=200))
def test_no_reply_raises_anything_else(text: str) -> None:
    """Arbitrary text is either a judgement or `Unreadable`."""
    with contextlib.suppress(Unreadable):
        read_reply(text, case="c0de")


def test_the_reason_is_one_bounded_line() -> None:
    """Line ends and length in a reason cannot break what is shown."""
    reason = read_reply(GOOD.replace("gives most steps", "a\\nb " + "c" * 500), case="c0de").reason
    assert "\n" not in reason and len(reason) <= REASON_CHARS
