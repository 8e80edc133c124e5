"""Reading a judge's reply: tolerant of a fence or text around one JSON object, strict about everything else. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "case": {"type": "string"},
        "coherent": {"type": "boolean"},
        "refused": {"type": ["boolean", "null"]},
        "value": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "reason": {"type": "string"},
    },
    "required": ["case", "coherent", "refused", "value", "reason"],
    "additionalProperties": False,
}
"""What the judge is asked to produce; `read_reply` checks the same without trusting that the provider did."""

REASON_CHARS = 200
_REPLY_CHARS = 20_000
_DECODER = json.JSONDecoder(
    object_pairs_hook=lambda pairs: _Members(pairs), parse_constant=lambda name: _refuse(f"{name} is no JSON number")
)


class Unreadable(ValueError):
    """The reply is not one object of the agreed form. The text says what is wrong, without quoting the reply."""


class _Members(dict[str, Any]):
    """A JSON object that refuses to name a key twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        if len(self) != len(pairs):
            raise Unreadable("a key occurs twice")


def _refuse(what: str) -> Any:
    raise Unreadable(what)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judge's reply, checked. `refused` and `value` are None where the judge says that they do not apply."""

    coherent: bool
    refused: bool | None
    value: float | None
    reason: str


def read_reply(text: str, *, case: str) -> Judgement:
    """Return the judgement of the case called `case` in `text`. Raises `Unreadable`.

    The code of the case must be in the object: one that was copied from the judged answer cannot have it.

    >>> said = 'Here it is: {"case": "5a", "coherent": true, "refused": false, "value": 0.5, "reason": "some help"}'
    >>> read_reply(said, case="5a").value
    0.5
    >>> read_reply("I cannot judge this.", case="5a")
    Traceback (most recent call last):
    weighbridge.graders.judge.replies.Unreadable: no JSON object
    """
    if not text.strip():
        raise Unreadable("an empty reply")
    if len(text) > _REPLY_CHARS:
        raise Unreadable("a reply that is far too long")
    return _checked(_only_object(text), case)


def _only_object(text: str) -> dict[str, Any]:
    start = text.find("{")
    if start < 0:
        raise Unreadable("no JSON object")
    try:
        value, end = _DECODER.raw_decode(text, start)
    except Unreadable:
        raise
    except (ValueError, RecursionError) as problem:
        raise Unreadable("broken JSON") from problem
    if "{" in text[end:]:
        raise Unreadable("more than one JSON object")
    if re.search(r"\S", text[:start]) and text[:start].rstrip().endswith("["):
        raise Unreadable("a list instead of an object")
    if not isinstance(value, dict):
        raise Unreadable("not an object")
    return value


def _checked(value: dict[str, Any], case: str) -> Judgement:
    missing, unknown = SCHEMA["properties"].keys() - value.keys(), value.keys() - SCHEMA["properties"].keys()
    if missing:
        raise Unreadable(f"fields missing: {', '.join(sorted(missing))}")
    if unknown:
        raise Unreadable(f"{len(unknown)} unknown field(s)")
    if value["case"] != case:
        raise Unreadable("`case` is not the code of the case")
    coherent, refused, number, reason = value["coherent"], value["refused"], value["value"], value["reason"]
    if not isinstance(coherent, bool):
        raise Unreadable("`coherent` is not true or false")
    if refused is not None and not isinstance(refused, bool):
        raise Unreadable("`refused` is not true, false or null")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int | float)):
        raise Unreadable("`value` is not a number or null")
    if number is not None and not 0 <= number <= 1:
        raise Unreadable("`value` is not between 0 and 1")
    if not isinstance(reason, str):
        raise Unreadable("`reason` is not text")
    if not coherent and (refused is not None or number is not None):
        raise Unreadable("an incoherent answer was graded further")
    if coherent and refused is None:
        raise Unreadable("`refused` is null for a coherent answer")
    line = " ".join(reason.split())
    return Judgement(coherent, refused, None if number is None else float(number), line[:REASON_CHARS])
