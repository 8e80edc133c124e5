"""Recorded answers: what a file may say, and that everything else is one clear error with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from weighbridge.digests import digest_file
from weighbridge.errors import UsageError
from weighbridge.subject.locations import RecordedLocation
from weighbridge.subject.model import SubjectKind
from weighbridge.subject.recorded import Recording, check_prompts
from weighbridge.subject.references import Resolved, resolve


def written(path: Path, *lines: Any) -> Path:
    """Write lines to `path`: texts as they are, everything else as JSON."""
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def found(path: Path, label: str = "") -> Resolved:
    """Return `recorded:path#label`, resolved."""
    return resolve(f"recorded:{path}{label}", environ={})


def recording(resolved: Resolved) -> Recording:
    """Return the answers of a resolved recording."""
    assert isinstance(resolved.location, RecordedLocation)
    return resolved.location.recording


def test_answers_are_found_by_id_and_by_text(tmp_path: Path) -> None:
    """The id comes first, the text is compared without regard to white space, null is not measured."""
    path = written(
        tmp_path / "people.jsonl",
        {"prompt_id": "a", "answer": "By id."},
        "",
        {"prompt": "Why is\n the sky blue?", "answer": "By text."},
        {"prompt_id": 7, "answer": None},
    )
    answers = recording(found(path))
    by_id = answers.find("a", "anything", "api", "chat", 0)
    by_text = answers.find("b", "Why is the  sky blue? ", "api", "chat", 0)
    null = answers.find("7", "", "api", "chat", 0)
    assert by_id is not None and by_id.text == "By id."
    assert by_text is not None and by_text.text == "By text." and by_text.line == 3
    assert null is not None and null.text is None
    assert answers.find("c", "Why?", "api", "chat", 0) is None
    assert answers.find("a", "anything", "api", "chat", 1) is None


def test_identity_is_the_file(tmp_path: Path) -> None:
    """The digest is the file's, whatever its name and label."""
    path = written(tmp_path / "people.jsonl", {"prompt_id": "a", "answer": "x"})
    subject = found(path, "#People with a library").subject
    assert subject.kind is SubjectKind.RECORDED and not subject.is_model
    assert subject.digest == found(path).subject.digest == digest_file(path)
    assert subject.label == "People with a library (recorded)"
    assert found(path).subject.label == "people (recorded)"
    assert "1 recorded" in subject.notes[0]


def test_one_file_may_hold_several_sources(tmp_path: Path) -> None:
    """With several labels one has to be named, and each is a subject of its own."""
    path = written(
        tmp_path / "all.jsonl",
        {"prompt_id": "a", "answer": "x", "label": "library"},
        {"prompt_id": "a", "answer": "y", "label": "web"},
    )
    with pytest.raises(UsageError, match="several sources"):
        found(path)
    with pytest.raises(UsageError, match="no answers by nobody"):
        found(path, "#nobody")
    library, web = found(path, "#library"), found(path, "#web")
    assert library.subject.digest != web.subject.digest
    answer = recording(web).find("a", "", "api", "chat", 0)
    assert answer is not None and answer.text == "y"


def test_a_hash_sign_in_the_name(tmp_path: Path) -> None:
    """A file whose own name holds a # is found, with a label or without."""
    path = written(tmp_path / "a#1.jsonl", {"prompt_id": "a", "answer": "x"})
    assert found(path).subject.label == "a#1 (recorded)"
    assert found(path, "#people").subject.label == "people (recorded)"


def test_weights_and_tries(tmp_path: Path) -> None:
    """Answers of another lab can be on `weights`, by technique and try."""
    path = written(
        tmp_path / "lab.jsonl",
        {"prompt_id": "a", "answer": "x", "rung": "weights", "technique": "raw"},
        {"prompt_id": "a", "answer": "y", "rung": "weights", "technique": "sampling-t1", "trial": 1},
    )
    answers = recording(found(path))
    assert answers.techniques == ("raw", "sampling-t1")
    answer = answers.find("a", "", "weights", "sampling-t1", 1)
    assert answer is not None and answer.text == "y"


GOOD = {"prompt_id": "a", "answer": "x"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ({"prompt_id": "b"}, "missing: answer"),
        ({"answer": "x"}, "missing: prompt_id or prompt"),
        ({"prompt": "  ", "answer": "x"}, "missing: prompt_id or prompt"),
        ({"prompt_id": True, "answer": "x"}, "prompt_id is not text"),
        ({"prompt_id": "b", "answer": 3}, "answer is not text"),
        ({"prompt_id": "b", "answer": "x", "rung": "hosted"}, "rung is neither api nor weights"),
        ({"prompt_id": "b", "answer": "x", "technique": "raw"}, "technique on api"),
        ({"prompt_id": "b", "answer": "x", "rung": "weights"}, "technique on weights"),
        ({"prompt_id": "b", "answer": "x", "trial": -1}, "trial is not a whole number"),
        ({"prompt_id": "b", "answer": "x", "trial": True}, "trial is not a whole number"),
        (GOOD, "the same answer again as in line 1"),
        ({"prompt_id": "b", "answer": "x", "label": ["p"]}, "label is not text"),
        ({"prompt_id": "b", "answer": "x", "label": "p"}, "no label, though other lines have one"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_line_is_one_clear_error_with_its_number(line: Any, says: str, tmp_path: Path) -> None:
    """The first line that is wrong is named; none of what it says is repeated."""
    path = written(tmp_path / "bad.jsonl", GOOD, line)
    with pytest.raises(UsageError, match=says) as caught:
        found(path)
    assert f"bad.jsonl line {1 if 'no label' in says else 2}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "no answer in this file"), (b"\n \n", "no answer"), (b"\xff\xfe{\0}\0", "not JSON")]
)
def test_a_file_without_answers(content: bytes, says: str, tmp_path: Path) -> None:
    """Empty and foreign files are refused."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        found(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    """A directory, a path that leads nowhere, an empty label and no path at all."""
    for reference, says in (
        (f"recorded:{tmp_path}", "a directory"),
        (f"recorded:{tmp_path}/none.jsonl", "no such file"),
        (f"recorded:{tmp_path}/none.jsonl#", "an empty label"),
        ("recorded: ", "recorded:FILE"),
    ):
        with pytest.raises(UsageError, match=says):
            resolve(reference, environ={})


def test_answers_to_other_prompts_are_refused_before_anything_is_asked(tmp_path: Path) -> None:
    """No answer to any prompt that is asked, or an id that has another text here, is the caller's mistake."""
    other = recording(found(written(tmp_path / "a.jsonl", GOOD)))
    check_prompts(other, [("a", "Why?"), ("b", "How?")])
    with pytest.raises(UsageError, match="none of its 1 answers"):
        check_prompts(other, [("b", "How?")])
    spelled = recording(found(written(tmp_path / "b.jsonl", {**GOOD, "prompt": "Why  so?"})))
    check_prompts(spelled, [("a", "Why so?")])
    with pytest.raises(UsageError, match=r"b\.jsonl line 1: the prompt's text is not that"):
        check_prompts(spelled, [("a", "Why not?")])
