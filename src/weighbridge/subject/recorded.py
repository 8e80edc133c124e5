"""Answers made elsewhere as a subject: people with ordinary tools, another lab. The format is in docs/formats/recorded.md."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson

from weighbridge.digests import digest_json
from weighbridge.errors import UsageError
from weighbridge.subject.model import Component, FoundFile, Subject, SubjectKind
from weighbridge.subject.shown import shown

MAX_LINE_BYTES, MAX_FILE_BYTES = 16 << 20, 64 << 20
API, WEIGHTS = "api", "weights"  # the rungs that an answer can be recorded on
CHAT = "chat"  # what answers through the interface are called in the evidence
_OPEN_TECHNIQUES = ("prefill", "raw")
_DO = "docs/formats/recorded.md has the format: one JSON object a line"


@dataclass(frozen=True, slots=True)
class Place:
    """Which answer this is: of which prompt (by id or by text), on which rung, by which technique, at which try."""

    prompt: str
    by_id: bool
    rung: str
    technique: str
    trial: int


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """`text` None: recorded as not measured. `prompt` is the prompt's text where the line has it beside its id."""

    text: str | None
    line: int
    prompt: str | None


@dataclass(frozen=True)
class Recording:
    """The answers of one source, by place."""

    path: Path
    answers: dict[Place, RecordedAnswer] = field(repr=False)

    def find(self, item: str, text: str, rung: str, technique: str, trial: int) -> RecordedAnswer | None:
        """Return what is recorded for the prompt `item` with this text, or None. The id comes before the text."""
        for prompt, by_id in ((item, True), (same_text(text), False)):
            found = self.answers.get(Place(prompt, by_id, rung, technique, trial))
            if found is not None:
                return found
        return None

    @property
    def techniques(self) -> tuple[str, ...]:
        """The techniques on `weights` of which anything is recorded, sorted."""
        return tuple(sorted({place.technique for place in self.answers if place.rung == WEIGHTS}))


def same_text(prompt: str) -> str:
    """Return a prompt as it is compared: runs of white space are one space.

    >>> same_text("Why is \\n the sky blue? ")
    'Why is the sky blue?'
    """
    return " ".join(prompt.split())


def describe_recording(named: str, *, reference: str) -> tuple[Subject, Recording]:
    """Return the subject that `FILE` or `FILE#LABEL` names, and its answers.

    Raises `UsageError` with a line number for the first line that is wrong or is there twice, and `OSError` as `open` does.
    """
    path, label = _split(named)
    if path.is_dir():
        raise UsageError("a directory, not a file of recorded answers", where=str(path), do=_DO)
    if not path.exists():
        raise UsageError("no such file", where=shown(str(path), limit=200), do=_DO)
    lines, digest, size_bytes = _read(path)
    labels = list(dict.fromkeys(one.label for one in lines if one.label is not None))
    identity = digest
    if label is not None and labels:
        if label not in labels:
            raise UsageError(f"no answers by {shown(label)}", where=str(path), do=f"it has {_listed(labels)}")
        lines = [one for one in lines if one.label == label]
        if len(labels) > 1:
            identity = digest_json({"recording": digest, "label": label})
    elif len(labels) > 1:
        raise UsageError(
            f"answers by several sources ({_listed(labels)})", where=str(path), do="name one with #LABEL after the file"
        )
    recording = Recording(path, _placed(lines, path))
    name = label or (labels[0] if labels else path.stem)
    measured = sum(answer.text is not None for answer in recording.answers.values())
    subject = Subject(
        kind=SubjectKind.RECORDED,
        reference=reference,
        label=f"{shown(name, limit=44)} (recorded)",
        digest=identity,
        components=(
            Component(
                name="recorded answers", files=(FoundFile(path=path.name, size_bytes=size_bytes, digest=digest),)
            ),
        ),
        notes=(
            f"answers made elsewhere: {measured:,} recorded, {len(recording.answers) - measured:,} recorded as not measured; "
            "how they were made is known from their source alone",
        ),
    )
    return subject, recording


@dataclass(frozen=True, slots=True)
class _Line:
    place: Place
    answer: RecordedAnswer
    label: str | None


def _split(named: str) -> tuple[Path, str | None]:
    """Return the file and the label; a file whose own name holds a # is found first."""
    whole = Path(named).expanduser()
    before, hash_sign, label = named.rpartition("#")
    if not hash_sign or whole.exists():
        return whole, None
    if not label.strip():
        raise UsageError("an empty label after #", where=shown(named, limit=200), do="recorded:FILE#LABEL, or no #")
    return Path(before).expanduser(), label.strip()


def _read(path: Path) -> tuple[list[_Line], str, int]:
    """Return the lines, and the digest and size of the very bytes that were read."""
    hasher, size_bytes, number = hashlib.sha256(), 0, 0
    lines: list[_Line] = []
    with path.open("rb") as file:
        while raw := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            hasher.update(raw)
            size_bytes += len(raw)
            if len(raw) > MAX_LINE_BYTES:
                raise _wrong(path, number, f"the line is longer than {MAX_LINE_BYTES >> 20} MiB")
            if size_bytes > MAX_FILE_BYTES:
                raise _wrong(path, number, f"the file is larger than {MAX_FILE_BYTES >> 20} MiB")
            raw = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if raw.strip():
                lines.append(_line(raw, path, number))
    if not lines:
        raise UsageError("no answer in this file", where=str(path), do=_DO)
    return lines, "sha256:" + hasher.hexdigest(), size_bytes


def _line(raw: bytes, path: Path, number: int) -> _Line:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _wrong(path, number, f"this is not JSON ({error.msg}, column {error.colno})") from error
    if not isinstance(value, dict):
        raise _wrong(path, number, "this is not a JSON object")
    record = cast(dict[str, Any], value)
    if "answer" not in record:
        raise _wrong(path, number, "missing: answer (null says not measured)")
    item, prompt, answer, label = (
        _text(record, key, path, number) for key in ("prompt_id", "prompt", "answer", "label")
    )
    if not (item or (prompt and prompt.strip())):
        raise _wrong(path, number, "missing: prompt_id or prompt")
    rung, technique, trial = _how(record, path, number)
    place = Place(item or same_text(prompt or ""), bool(item), rung, technique, trial)
    return _Line(place, RecordedAnswer(answer, number, prompt if item else None), label)


def _text(record: dict[str, Any], key: str, path: Path, number: int) -> str | None:
    value = record.get(key)
    if key == "prompt_id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or isinstance(value, str):
        return value
    raise _wrong(path, number, f"{key} is not text")


def _how(record: dict[str, Any], path: Path, number: int) -> tuple[str, str, int]:
    rung = record.get("rung", API)
    if rung not in (API, WEIGHTS):
        raise _wrong(path, number, "rung is neither api nor weights")
    technique = record.get("technique", CHAT if rung == API else None)
    if rung == API and technique != CHAT:
        raise _wrong(path, number, f"the technique on api is {CHAT}")
    if rung == WEIGHTS and not _is_open(technique):
        raise _wrong(path, number, f"the technique on weights is {', '.join(_OPEN_TECHNIQUES)} or sampling-...")
    trial = record.get("trial", 0)
    if not isinstance(trial, int) or isinstance(trial, bool) or trial < 0:
        raise _wrong(path, number, "trial is not a whole number from 0")
    return rung, str(technique), trial


def _is_open(technique: object) -> bool:
    return isinstance(technique, str) and (technique in _OPEN_TECHNIQUES or technique.startswith("sampling-"))


def _placed(lines: list[_Line], path: Path) -> dict[Place, RecordedAnswer]:
    """Return the answers by place. Raises `UsageError` for a place that is there twice, or a line without a label among labelled ones."""
    labelled = any(line.label is not None for line in lines)
    found: dict[Place, RecordedAnswer] = {}
    for line in lines:
        if labelled and line.label is None:
            raise _wrong(path, line.answer.line, "no label, though other lines have one")
        if line.place in found:
            raise _wrong(path, line.answer.line, f"the same answer again as in line {found[line.place].line}")
        found[line.place] = line.answer
    return found


def _listed(labels: list[str], most: int = 8) -> str:
    named = ", ".join(shown(label, limit=40) for label in labels[:most])
    return named + (f" and {len(labels) - most} more" if len(labels) > most else "")


def _wrong(path: Path, number: int, what: str) -> UsageError:
    return UsageError(what, where=f"{path} line {number}", do=_DO)


def check_prompts(recording: Recording, prompts: Iterable[tuple[str, str]]) -> None:
    """Check a recording against the prompts that will be asked, (id, text) each, before anything is asked.

    Raises `UsageError` when it has an answer to none of them, and when a line gives another text than the prompt of its id has:
    then it was made for other prompts, and its answers would be paired with the wrong ones.
    """
    asked = dict(prompts)
    texts = {same_text(text) for text in asked.values()}
    matched = False
    for place, answer in recording.answers.items():
        if not place.by_id:
            matched = matched or place.prompt in texts
        elif place.prompt in asked:
            matched = True
            if answer.prompt is not None and same_text(answer.prompt) != same_text(asked[place.prompt]):
                raise _wrong(recording.path, answer.line, "the prompt's text is not that of the prompt with this id")
    if not matched:
        raise UsageError(
            f"none of its {len(recording.answers):,} answers is to a prompt of this protocol",
            where=str(recording.path),
            do="give prompt_id or the exact prompt of the prompts that are asked",
        )
