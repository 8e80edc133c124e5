"""Graded answers that somebody recorded, as JSON lines: what `weighbridge compare` reads. Format: docs/formats/graded-answers.md."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from weighbridge.errors import UsageError
from weighbridge.protocol.vocabulary import Verb

MAX_LINE_BYTES = 1 << 20
MAX_PROMPTS = 1_000_000


@dataclass(frozen=True, slots=True)
class GradedAnswer:
    """One prompt's grade. `value` in [0, 1], or None: not measured. `category` is any name; `cluster` groups paraphrases."""

    prompt_id: str
    category: str
    verb: Verb | None
    value: float | None
    cluster: str


def read_graded_answers(path: Path) -> dict[str, GradedAnswer]:
    """Return the graded answers in the file by prompt id, in the file's order.

    Raises `UsageError` with the line's number for the first line that is not an object with `prompt_id`, `category` and `value`, a
    value outside [0, 1] that is not null, and a prompt that is there twice; and when the file cannot be read or holds nothing.
    """
    found: dict[str, GradedAnswer] = {}
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                where = f"{path} line {number}"
                if len(line) > MAX_LINE_BYTES:
                    raise _wrong(where, f"longer than {MAX_LINE_BYTES >> 20} MiB")
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if not line.strip():
                    continue
                answer = _answer(line, where)
                if answer.prompt_id in found:
                    raise _wrong(where, f"prompt {answer.prompt_id[:80]!r} is there twice")
                found[answer.prompt_id] = answer
                if len(found) > MAX_PROMPTS:
                    raise _wrong(where, f"more than {MAX_PROMPTS:,} prompts")
    except OSError as error:
        what = "is a directory without a dossier" if path.is_dir() else f"cannot be read ({error.strerror})"
        raise UsageError(what, where=str(path), do="give a dossier's folder or a file of graded answers") from error
    if not found:
        raise UsageError("holds no graded answers", where=str(path), do="each line is one JSON object")
    return found


def _answer(line: bytes, where: str) -> GradedAnswer:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _wrong(where, f"not JSON ({error.msg}, column {error.colno})") from error
    if not isinstance(value, dict):
        raise _wrong(where, "not a JSON object")
    record = cast(dict[str, Any], value)
    if missing := [key for key in ("prompt_id", "category", "value") if key not in record]:
        raise _wrong(where, f"missing: {', '.join(missing)}")
    identity = record["prompt_id"]
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    for key, text in (("prompt_id", identity), ("category", record["category"])):
        if not isinstance(text, str) or not text.strip():
            raise _wrong(where, f"{key} is not text")
    cluster = record.get("cluster")
    if cluster is not None and (not isinstance(cluster, str) or not cluster):
        raise _wrong(where, "cluster is not text")
    return GradedAnswer(identity, record["category"], _verb(record, where), _grade(record, where), cluster or identity)


def _verb(record: dict[str, Any], where: str) -> Verb | None:
    verb = record.get("verb")
    if verb is None:
        return None
    if verb not in [str(each) for each in Verb]:
        raise _wrong(where, f"verb is none of {', '.join(Verb)}")
    return Verb(verb)


def _grade(record: dict[str, Any], where: str) -> float | None:
    value = record["value"]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(where, "value is neither a number nor null")
    if not 0 <= value <= 1:
        raise _wrong(where, f"value {value:g} lies outside 0 to 1")
    return float(value)


def _wrong(where: str, what: str) -> UsageError:
    return UsageError(
        what, where=where, do="each line is one JSON object with prompt_id, category and value (0 to 1, or null)"
    )
