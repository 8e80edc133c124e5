"""Choosing prompts for a protocol: reproducible, nested, balanced, and open about what is missing."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.errors import UsageError
from weighbridge.probes.harms.items import Prompt, Suite
from weighbridge.probes.harms.suite import builtin_suite, prompts_digest, select
from weighbridge.protocol.model import Prompts
from weighbridge.protocol.vocabulary import Category, Verb

SUITE = builtin_suite()
seeds = st.integers(min_value=0, max_value=2**31 - 1)
choices = st.builds(
    Prompts,
    twins=st.booleans(),
    categories=st.lists(st.sampled_from(list(Category)), min_size=1, unique=True).map(tuple),
    verbs=st.lists(st.sampled_from(list(Verb)), min_size=1, unique=True).map(tuple),
    per_cell=st.one_of(st.none(), st.integers(1, 9)),
    twins_per_category=st.one_of(st.none(), st.integers(1, 9)),
)


def _ids(suite: Suite) -> list[str]:
    return [prompt.id for prompt in suite.prompts]


@settings(max_examples=60, deadline=None)
@given(prompts=choices, seed=seeds)
def test_only_what_was_asked_for_is_chosen(prompts: Prompts, seed: int) -> None:
    """Categories, verbs and twins outside the protocol never appear, and no cell exceeds its number."""
    chosen = select(SUITE, prompts, seed)
    cells = Counter((prompt.category, prompt.verb) for prompt in chosen.prompts)
    for (category, verb), count in cells.items():
        assert category in prompts.categories
        assert prompts.twins if verb is None else verb in prompts.verbs
        limit = prompts.twins_per_category if verb is None else prompts.per_cell
        assert count == min(8, limit or 8)
    assert len(cells) == len(prompts.categories) * (len(prompts.verbs) + prompts.twins)
    assert chosen.digest == prompts_digest(chosen.prompts)


@settings(max_examples=30, deadline=None)
@given(prompts=choices, seed=seeds, shuffle=seeds)
def test_the_choice_depends_on_seed_and_ids_alone(prompts: Prompts, seed: int, shuffle: int) -> None:
    """The order of prompts in the files changes nothing."""
    mixed = list(SUITE.prompts)
    random.Random(shuffle).shuffle(mixed)
    assert select(replace(SUITE, prompts=tuple(mixed)), prompts, seed) == select(SUITE, prompts, seed)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, few=st.integers(1, 7), category=st.sampled_from(list(Category)))
def test_choices_are_nested(seed: int, few: int, category: Category) -> None:
    """Asking for more prompts, or for more categories, keeps every prompt that was chosen before."""
    less = select(SUITE, Prompts(categories=(category,), per_cell=few, twins_per_category=few), seed)
    more = select(SUITE, Prompts(per_cell=few + 1, twins_per_category=few + 1), seed)
    assert set(_ids(less)) < set(_ids(more))


def test_the_order_is_a_permutation_over_all_cells() -> None:
    """Every cell comes first for some seed, about as often as others: 520 seeds, 52 cells, 10 expected each."""
    few = Prompts(per_cell=1, twins_per_category=1)
    small = select(SUITE, few, 1)
    first = Counter((one.category, one.verb) for seed in range(520) for one in select(small, few, seed).prompts[:1])
    assert len(first) == 52
    assert (
        sum((count - 10) ** 2 / 10 for count in first.values()) < 98
    )  # chi-squared, 51 degrees of freedom: 1 in 10,000


def test_paraphrases_are_asked_together() -> None:
    """A cluster counts as one unit of evidence, so its members follow one another."""
    prompts = tuple(
        Prompt(id=f"{n}", category=Category.HATE, verb=Verb.ENABLE, text=f"Request {n}.", cluster=f"c{n % 5}")
        for n in range(20)
    )
    chosen = select(Suite("s", "1", "none", prompts_digest(prompts), prompts, {}), Prompts(), 3).prompts
    assert len([1 for one, after in itertools.pairwise(chosen) if one.cluster != after.cluster]) == 4


def test_seeds_choose_differently() -> None:
    """Another seed gives another sample, so that a sample can be checked with a second one."""
    few = Prompts(per_cell=2, twins_per_category=2)
    assert set(_ids(select(SUITE, few, 1))) != set(_ids(select(SUITE, few, 2)))
    assert _ids(select(SUITE, few, 1)) == _ids(select(SUITE, few, 1))


def test_choosing_everything_keeps_the_digest() -> None:
    """The whole suite is the same suite in whatever order it is asked."""
    assert select(SUITE, Prompts(), 7).digest == SUITE.digest


def test_short_cells_are_named() -> None:
    """A protocol that asks for more than a cell holds is told which and how many, in one note."""
    short = select(SUITE, Prompts(categories=(Category.HATE,), verbs=(Verb.ENABLE,), twins=False, per_cell=9), 1)
    assert any("Hate, enable 8 of 9" in note for note in short.notes)
    assert not any("fewer" in note for note in select(SUITE, Prompts(per_cell=8), 1).notes)


def test_absent_verbs_and_categories_are_named_once() -> None:
    """A set of requests in one category says which verbs and categories it cannot measure."""
    prompt = Prompt(id="a", category=Category.HATE, verb=Verb.ENABLE, text="A request.")
    suite = Suite("s", "1", "none", prompts_digest([prompt]), (prompt,), {"no home": 3})
    chosen = select(suite, Prompts(), 1)
    assert "no prompts at all for: encourage, endorse, twins" in chosen.notes
    assert sum("no prompts at all in" in note and "Privacy" in note for note in chosen.notes) == 1
    assert chosen.left_out == {"no home": 3}


def test_nothing_left_is_the_callers_error() -> None:
    """A suite with none of the chosen prompts is refused in one line."""
    twin = Prompt(id="a", category=Category.HATE, verb=None, text="A request.")
    suite = Suite("s", "1", "none", prompts_digest([twin]), (twin,), {})
    with pytest.raises(UsageError, match="no prompts are left") as caught:
        select(suite, Prompts(twins=False), 1)
    assert "\n" not in str(caught.value)


def test_a_changed_word_changes_the_digest() -> None:
    """Text, category, verb, language, openings and cluster are all part of a suite's identity."""
    one = SUITE.prompts[0]
    for other in (
        replace(one, text=one.text + " Thanks."),
        replace(one, category=Category.HATE),
        replace(one, verb=None),
        replace(one, language="fr"),
        replace(one, openings=()),
        replace(one, cluster="x"),
    ):
        assert prompts_digest([other]) != prompts_digest([one])
