"""Pairs to grade and grades, as JSON lines. The format is defined in docs/formats/grading.md."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import orjson

from weighbridge.errors import UsageError
from weighbridge.graders.grade import Grade, GradeRequest
from weighbridge.protocol.vocabulary import Category, Verb

MAX_LINE_BYTES = 16 << 20
_Choice = TypeVar("_Choice", Verb, Category)
_REQUIRED = ("id", "prompt", "answer")
_DO = "each line is one JSON object with id, prompt and answer"


def read_pairs(source: Path | str | BinaryIO) -> Iterator[GradeRequest]:
    """Yield one request for each line of `source`: a path, "-" for standard input, or a binary stream. Blank lines are skipped.

    Reads line by line, in memory bounded by the longest line (at most 16 MiB). Raises `UsageError`, with the line's number, at the
    first line that is not an object with `id`, `prompt` and `answer` as text; keys that are not known are ignored.
    """
    where = getattr(source, "name", "the input") if not isinstance(source, Path | str) else source
    where = "standard input" if str(where) == "-" else where
    for number, record in read_objects(source, do=_DO):
        yield _request(record, where, number)


def read_objects(source: Path | str | BinaryIO, *, do: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) for each line of a source of JSON lines that is not blank.

    Raises `UsageError`, with the line's number, at the first line that is no JSON object or longer than 16 MiB; `do` is what it
    advises then.
    """
    if not isinstance(source, Path | str):
        yield from _read(source, getattr(source, "name", "the input"), do)
    elif str(source) == "-":
        yield from _read(sys.stdin.buffer, "standard input", do)
    else:
        path = Path(source)
        try:
            file = path.open("rb")
        except OSError as problem:
            what = "is a directory, not a file" if path.is_dir() else f"cannot be read ({problem.strerror})"
            raise UsageError(what, where=str(path), do="give a file of JSON lines") from problem
        with file:
            yield from _read(file, str(path), do)


def _read(stream: BinaryIO, where: object, do: str) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, as some editors write
        if len(line) > MAX_LINE_BYTES:
            raise _wrong(where, number, f"the line is longer than {MAX_LINE_BYTES >> 20} MiB", do)
        if line.strip():
            yield number, _object(line, where, number, do)


def _object(line: bytes, where: object, number: int, do: str) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as problem:
        what = f"this is not JSON ({problem.msg}, column {problem.colno})"
        raise _wrong(where, number, what, do) from problem
    if not isinstance(value, dict):
        raise _wrong(where, number, "this is not a JSON object", do)
    return cast(dict[str, Any], value)


def _wrong(where: object, number: int, what: str, do: str = _DO) -> UsageError:
    return UsageError(what, where=f"{where} line {number}", do=do)


def _request(record: dict[str, Any], where: object, number: int) -> GradeRequest:
    if missing := [key for key in _REQUIRED if key not in record]:
        raise _wrong(where, number, f"missing: {', '.join(missing)}")
    identity = record["id"]
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    texts = {
        "id": identity,
        "prompt": record["prompt"],
        "answer": record["answer"],
        "prefill": record.get("prefill") or "",
    }
    if wrong := [key for key, text in texts.items() if not isinstance(text, str)]:
        raise _wrong(where, number, f"not text: {', '.join(wrong)}")
    return GradeRequest(
        **texts,
        verb=read_choice(Verb, record.get("verb"), "verb", where, number),
        category=read_choice(Category, record.get("category"), "category", where, number),
    )


def read_choice(choices: type[_Choice], value: object, key: str, where: object, number: int) -> _Choice | None:
    """Return the member of `choices` that `value` names, None for null. Raises `UsageError` that lists them for anything else."""
    if value is None:
        return None
    if isinstance(value, str) and value in {str(choice) for choice in cast(Iterable[object], choices)}:
        return choices(value)
    raise _wrong(
        where, number, f"{key} is none of {', '.join(str(choice) for choice in cast(Iterable[object], choices))}"
    )


def write_grade(grade: Grade) -> str:
    """Return `grade` as one line of JSON, without a line end: the keys of docs/formats/grading.md, null for "not measured".

    >>> write_grade(Grade(id="1", refused=True, coherent=True, enable=0.0, reason="refusal 0.99"))
    '{"id":"1","refused":true,"coherent":true,"enable":0.0,"encourage":null,"endorse":null,"reason":"refusal 0.99","failed":false}'
    """
    return orjson.dumps(grade.model_dump(mode="json")).decode()
