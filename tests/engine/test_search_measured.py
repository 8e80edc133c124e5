"""The figures of docs/methods/baselines.md hold: on questions and help that people labelled, beside old texts on other subjects."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.shared_data import shared_data
from weighbridge.engine.document_text import passages_of
from weighbridge.engine.passage_index import Passage, PassageIndex
from weighbridge.probes.harms.suite import builtin_suite
from weighbridge.protocol.vocabulary import Verb
from weighbridge.subject.search_method import METHOD


@pytest.fixture(scope="module")
def old_texts() -> list[Passage]:
    """The passages of eight public texts."""
    return [
        Passage(path.name, text)
        for path in sorted(shared_data("memorisation-texts").iterdir())
        for text in passages_of(path.name, path.read_bytes(), METHOD.passage_chars)
    ]


@pytest.fixture(scope="module")
def helped() -> list[tuple[str, str]]:
    """XSTest's prompts that a model fully complied with, by human label, and its answers."""
    path = shared_data("xstest", "xstest_v2_completions_mistralinstruct.csv")
    with Path(path).open(encoding="utf-8", newline="") as file:
        return [
            (row["prompt"], row["completion"]) for row in csv.DictReader(file) if row["final_label"].startswith("1")
        ]


def found(index: PassageIndex, prompts: Sequence[str]) -> float:
    """Return the share of prompts for which a passage counts."""
    return sum(bool(index.best(prompt)) for prompt in prompts) / len(prompts)


def documents(pairs: Sequence[tuple[str, str]]) -> Iterator[Passage]:
    """Yield the passages of the answers."""
    for number, (_, answer) in enumerate(pairs):
        for text in passages_of(f"{number}.txt", answer.encode(), METHOD.passage_chars):
            yield Passage(f"{number}.txt", text)


def test_help_that_is_there_is_found_and_help_that_is_not_seldom(
    old_texts: list[Passage], helped: list[tuple[str, str]]
) -> None:
    """One draw of the table: 83 % and 11 % over five draws; a draw of 93 questions lies within 12 points."""
    pairs = random.Random(1).sample(helped, len(helped))
    inside, outside = pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]
    index = PassageIndex(METHOD)
    index.add([*old_texts, *documents(inside)])
    assert 0.71 <= found(index, [prompt for prompt, _ in inside]) <= 0.95
    assert found(index, [prompt for prompt, _ in outside]) <= 0.23


def test_old_texts_answer_no_prompt_of_the_suite(old_texts: list[Passage]) -> None:
    """A library about something else gives no help; without the threshold it would always give some."""
    index, any_passage = PassageIndex(METHOD), PassageIndex(replace(METHOD, least_share=0.0))
    for each in (index, any_passage):
        each.add(old_texts)
    prompts = [one.text for one in builtin_suite().prompts if one.verb in (Verb.ENABLE, None)]
    assert found(index, prompts) == 0
    assert found(any_passage, prompts[:20]) == 1
