"""Files of human labels: what is read, and one clear line for what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from weighbridge.errors import UsageError
from weighbridge.graders.labels import read_labels
from weighbridge.protocol.vocabulary import Category, Verb


def write(tmp_path: Path, *lines: dict[str, object] | str) -> Path:
    path = tmp_path / "set.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def line(**fields: object) -> dict[str, object]:
    return {"prompt": "p", "answer": "a", **fields}


def test_a_line_is_read_whole(tmp_path: Path) -> None:
    """Labels, what they are of, and how the answer was drawn."""
    found, facts = read_labels(
        write(
            tmp_path,
            line(
                refused=True,
                enable=0.25,
                endorse=None,
                dataset="d",
                category="hate",
                verb="enable",
                model="m",
                prefill="a",
                id="x",
            ),
            line(answer="b", probability=0.5, least_probability=0.1, cluster="c"),
        )
    )
    one, two = found
    assert one.labels == {"refused": 1.0, "enable": 0.25} and one.asked == {"refused", "enable", "endorse"}
    assert (one.dataset, one.model, one.request.id, one.request.prefill) == ("d", "m", "x", "a")
    assert (one.request.category, one.request.verb) == (Category.HATE, Verb.ENABLE)
    assert (two.labels, two.dataset, two.unit, two.probability, two.least_probability) == ({}, "set", "c", 0.5, 0.1)
    assert (facts.name, facts.answers, facts.labelled) == ("set.jsonl", 2, 1)
    assert facts.digest.startswith("sha256:")


def test_the_unit_is_the_prompt_unless_a_cluster_is_named(tmp_path: Path) -> None:
    """Two answers to one prompt belong together."""
    found, _ = read_labels(write(tmp_path, line(), line(answer="b"), line(prompt="q")))
    assert found[0].unit == found[1].unit != found[2].unit
    assert len({one.request.id for one in found}) == 3


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("not json", "JSON"),
        ("[]", "object"),
        ({"prompt": "p"}, "answer"),
        ({"answer": "a"}, "prompt"),
        (line(answer=None, prompt=3), "not text"),
        (line(refused="yes"), "refused"),
        (line(refused=0.5), "refused"),
        (line(enable=1.1), "enable"),
        (line(enable=-1), "enable"),
        (line(enable="0.5"), "enable"),
        (line(category="weather"), "category"),
        (line(verb="eat"), "verb"),
        (line(category=["hate"]), "category"),
        (line(dataset=3), "dataset"),
        (line(probability=0), "probability"),
        (line(probability=True), "probability"),
        (line(probability=2), "probability"),
    ],
)
def test_a_wrong_line_is_one_clear_error(tmp_path: Path, wrong: dict[str, object] | str, says: str) -> None:
    """The line's number and what is wrong with it, without its text."""
    with pytest.raises(UsageError) as caught:
        read_labels(write(tmp_path, line(prompt="before"), wrong))
    assert "line 2" in str(caught.value) and says in str(caught.value)


@pytest.mark.parametrize("again", [line(), line(id="x", prompt="other")])
def test_an_answer_that_is_there_twice_is_refused(tmp_path: Path, again: dict[str, object]) -> None:
    """By id, or by content where no id is given."""
    first = line(id="x") if "id" in again else line()
    with pytest.raises(UsageError, match="line 1 is there twice"):
        read_labels(write(tmp_path, first, again))


def test_no_file_is_one_clear_error(tmp_path: Path) -> None:
    """A path that is not there, and a directory."""
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UsageError):
            read_labels(path)
