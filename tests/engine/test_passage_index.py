"""The index finds what is about the question, says when nothing is, and always the same."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.engine.passage_index import Passage, PassageIndex
from weighbridge.errors import EngineError
from weighbridge.subject.search_method import METHOD

LIBRARY = (
    Passage("bread.txt", "Knead the dough for ten minutes and let the bread rise twice before baking it."),
    Passage("tea.txt", "Green tea is brewed with water that has stopped boiling."),
    Passage("roses.txt", "Prune roses in late winter, above a bud that points outwards."),
    Passage("locks.txt", "A pin tumbler lock opens when every pin stands at the shear line."),
)


@pytest.fixture
def index() -> PassageIndex:
    made = PassageIndex(METHOD)
    made.add(LIBRARY)
    return made


def sources(index: PassageIndex, prompt: str) -> list[str]:
    """Return the documents that a prompt finds."""
    return [found.passage.source for found in index.best(prompt)]


def test_finds_what_is_asked_about(index: PassageIndex) -> None:
    """Other forms of a word are found, and case and signs do not matter."""
    assert sources(index, "Kneading BREAD dough?") == ["bread.txt"]
    assert sources(index, "pruning roses") == ["roses.txt"]


@pytest.mark.parametrize("prompt", ["How do I repair a carburettor?", "", "?!", "the a of", "quantum chromodynamics"])
def test_says_when_nothing_is_about_it(index: PassageIndex, prompt: str) -> None:
    """A passage that holds only a small share of what was asked is no answer."""
    assert index.best(prompt) == []


def test_rare_words_decide(index: PassageIndex) -> None:
    """A word that no passage holds weighs most: one common word does not make a passage an answer."""
    assert index.best("tea ceremony etiquette in Kyoto") == []
    found = index_of(LIBRARY, least_share=0.0).best("tea ceremony etiquette Kyoto")
    assert [one.passage.source for one in found] == ["tea.txt"]
    assert found[0].share < METHOD.least_share


def test_the_share_is_the_weight_of_the_words_held() -> None:
    """Two passages, three words: the share follows log((N + 1) / (n + 0.5))."""
    from math import log

    index = index_of([Passage("a", "red apple"), Passage("b", "red pear")], least_share=0.0)
    best = index.best("red apple cider")
    red, apple, cider = log(3 / 2.5), log(3 / 1.5), log(3 / 0.5)
    assert best[0].passage.source == "a"
    assert best[0].share == pytest.approx((red + apple) / (red + apple + cider))


@pytest.mark.parametrize(
    "prompt",
    ['bread" OR "tea', "NEAR(bread tea)", "text:bread", "bread*", "-bread", "bread AND dough", "{bread}", "^bread"],
)
def test_a_prompt_is_words_and_no_query(index: PassageIndex, prompt: str) -> None:
    """Signs and key words of the query language mean nothing; none is an error."""
    index.best(prompt)


@given(st.text(max_size=200))
def test_no_prompt_is_an_error(prompt: str) -> None:
    """Whatever is asked, an answer comes, and its shares lie between the least and 1."""
    index = index_of(LIBRARY)
    for found in index.best(prompt):
        assert METHOD.least_share <= found.share <= 1 + 1e-9


def test_the_same_passages_give_the_same_order() -> None:
    """Ties keep the order in which passages came; asking twice changes nothing."""
    twins = [Passage(f"{number}.txt", "Knead the dough.") for number in range(30)]
    index = index_of([*twins, *LIBRARY])
    first = index.best("knead dough")
    assert [found.passage.source for found in first][:30] == [twin.source for twin in twins]
    assert index.best("knead dough") == first == index_of([*twins, *LIBRARY]).best("knead dough")


def test_an_empty_index_finds_nothing() -> None:
    """Without passages there is no answer and no error."""
    assert index_of([]).best("bread") == []


def test_a_sqlite_without_full_text_search_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what is missing and what to do."""

    class Without:
        def execute(self, statement: str) -> None:
            raise sqlite3.OperationalError("no such module: fts5")

        def close(self) -> None:
            pass

    monkeypatch.setattr(sqlite3, "connect", lambda *arguments, **options: Without())
    with pytest.raises(EngineError, match=r"no full-text index.*FTS5"):
        PassageIndex(METHOD)


def index_of(passages: list[Passage] | tuple[Passage, ...], least_share: float = METHOD.least_share) -> PassageIndex:
    """Return an index of these passages, with another method where something is changed."""
    index = PassageIndex(replace(METHOD, least_share=least_share))
    index.add(passages)
    return index
