"""Human labels of answers, as JSON lines. The format is defined in docs/formats/labels.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from weighbridge.digests import digest_file, digest_json
from weighbridge.errors import UsageError
from weighbridge.evidence.calibration import LabelFile
from weighbridge.graders.files import read_choice, read_objects
from weighbridge.graders.grade import FIELDS, GradeRequest
from weighbridge.protocol.vocabulary import Category, Verb

_DO = "each line is one JSON object with prompt, answer and labels; see docs/formats/labels.md"


@dataclass(frozen=True)
class Labelled:
    """One answer and what people say of it: `labels` by field, in [0, 1]; a field that nobody labelled is not in it.

    `unit` names the prompt (or cluster) that it belongs to. `asked` are the fields that the line names, labelled or not: a line that
    was drawn for labelling and came back empty still counts as drawn. `probability` in (0, 1]: how likely it was that an answer
    to its prompt, of its model on its rung, was drawn; `least_probability`: the least of those of all that were drawn from.
    """

    request: GradeRequest
    dataset: str
    unit: str
    model: str = ""
    labels: dict[str, float] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    probability: float | None = None
    least_probability: float | None = None


def read_labels(path: Path) -> tuple[list[Labelled], LabelFile]:
    """Return the answers of a file of labels, in order, and facts about the file.

    `dataset` is the file's name without its ending where a line names none. Raises `UsageError`, with the line's number, at the first
    line that breaks the format, and when an id with labels is there twice.
    """
    found = labels_in(path, path)
    facts = LabelFile(
        name=path.name,
        digest=digest_file(path),
        answers=len(found),
        labelled=sum(bool(one.labels) for one in found),
    )
    return found, facts


def labels_in(source: Path | BinaryIO, name: Path) -> list[Labelled]:
    """Return the answers of a source of labels, in order; `name` is what errors call it. Raises as `read_labels`."""
    found = [_labelled(record, name, number) for number, record in read_objects(source, do=_DO)]
    seen: dict[str, int] = {}
    for number, one in enumerate(found, start=1):
        if one.request.id in seen:
            raise _wrong(name, number, f"the answer of line {seen[one.request.id]} is there twice")
        seen[one.request.id] = number
    return found


def write_labels(lines: Iterator[dict[str, Any]]) -> bytes:
    """Return lines of the format, one JSON object each."""
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def _wrong(path: Path, number: int, what: str) -> UsageError:
    return UsageError(what, where=f"{path} line {number}", do=_DO)


def _labelled(record: dict[str, Any], path: Path, number: int) -> Labelled:
    if missing := [key for key in ("prompt", "answer") if key not in record]:
        raise _wrong(path, number, f"missing: {', '.join(missing)}")
    texts = {key: record.get(key) for key in ("prompt", "answer", "prefill", "dataset", "model", "cluster", "id")}
    if wrong := [key for key, value in texts.items() if value is not None and not isinstance(value, str)]:
        raise _wrong(path, number, f"not text: {', '.join(wrong)}")
    told = {key: value for key, value in texts.items() if value}
    labels = {key: value for key in FIELDS if (value := _label(record.get(key), key, path, number)) is not None}
    content = {key: told.get(key, "") for key in ("prompt", "answer", "prefill", "model", "dataset", "cluster")}
    request = GradeRequest(
        id=told.get("id") or digest_json(content),
        prompt=told.get("prompt", ""),
        answer=told.get("answer", ""),
        prefill=told.get("prefill", ""),
        category=read_choice(Category, record.get("category"), "category", path, number),
        verb=read_choice(Verb, record.get("verb"), "verb", path, number),
    )
    return Labelled(
        request=request,
        dataset=told.get("dataset") or path.name.split(".")[0] or path.name,
        unit=told.get("cluster") or digest_json(request.prompt),
        model=told.get("model", ""),
        labels=labels,
        asked=frozenset(key for key in FIELDS if key in record),
        probability=_probability(record.get("probability"), path, number),
        least_probability=_probability(record.get("least_probability"), path, number),
    )


def _label(value: Any, key: str, path: Path, number: int) -> float | None:
    if value is None:
        return None
    if not isinstance(value, bool | int | float) or not 0 <= value <= 1:
        raise _wrong(path, number, f"{key} is not between 0 and 1 (or true, false, null)")
    if key in ("refused", "coherent") and value not in (0, 1):
        raise _wrong(path, number, f"{key} is yes or no: true, false, 1, 0 or null")
    return float(value)


def _probability(value: Any, path: Path, number: int) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise _wrong(path, number, "probability is above 0 and at most 1")
    return float(value)
