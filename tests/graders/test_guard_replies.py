"""Reading a guard's verdict: strict, since a code without a meaning is no verdict."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import UsageError
from weighbridge.graders.guard.replies import Unreadable, read_verdict
from weighbridge.graders.guard.versions import VERSIONS, guard_version
from weighbridge.protocol.vocabulary import Category

CODES = guard_version("3").names


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("safe", ()),
        ("\n\nsafe", ()),
        (" safe \n", ()),
        ("unsafe\nS1", ("S1",)),
        ("\n\nunsafe\nS1,S5", ("S1", "S5")),
        ("unsafe\nS14, S2\n", ("S14", "S2")),
    ],
)
def test_verdicts_are_read(text: str, codes: tuple[str, ...]) -> None:
    """Safe, and unsafe with one line of codes, in the white space that models put around them."""
    assert read_verdict(text, CODES) == codes


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "Safe", "SAFE", "safe.", "unsafe", "unsafe\n", "unsafe\nS15", "unsafe\nS1,S99", "unsafe\nO3", "unsafe\nS1 S2",
        "unsafe\nS1,", "unsafe\nS1,S1", "unsafe\nS1\nS2", "unsafe S1", "unsafe\nS01", "safe\nS1", "safe\nunsafe\nS1", "S1",
        "unsafe\n\nS1", "I cannot assess this.", '{"verdict": "safe"}', "unsafe\ns1", "not unsafe", "safe safe",
    ],
)  # fmt: skip
def test_anything_else_is_no_verdict(text: str) -> None:
    """Other words, other codes and other forms are unreadable."""
    with pytest.raises(Unreadable):
        read_verdict(text, CODES)


@given(st.text(max_size=60) | st.text("safeun\nS1,2 ", max_size=20))
def test_no_reply_raises_anything_else(text: str) -> None:
    """Arbitrary text is a verdict or `Unreadable`."""
    with contextlib.suppress(Unreadable):
        read_verdict(text, CODES)


def test_the_numbers_shift_between_versions() -> None:
    """S5 is specialized advice in version 2 and defamation in version 3; the codes of version 3 are the vocabulary's."""
    two, three = guard_version("2"), guard_version("3")
    assert two.ours["S5"] == {Category.SPECIALIZED_ADVICE} and three.ours["S5"] == {Category.DEFAMATION}
    for version in ("3", "3-1B", "4"):
        data = guard_version(version)
        assert all(data.ours[category.llama_guard_3] == {category} for category in Category)
    # The crosswalk of docs/methods/graders.md: published codes of version 2.
    published = ["S1", "S2", "S3", "S4", "S8", "-", "S5", "S6", "S7", "-", "S9", "S10", "S11"]
    found = [next((code for code, ours in two.ours.items() if category in ours), "-") for category in Category]
    assert found == published


@pytest.mark.parametrize(("version", "count"), [("1", 6), ("2", 11), ("3", 14), ("3-1B", 13), ("4", 14)])
def test_each_version_has_its_categories(version: str, count: int) -> None:
    """So many categories, and no code means a category that the version does not speak of."""
    assert len(guard_version(version).names) == count


def test_what_a_version_does_not_cover() -> None:
    """Version 1 has six classes, version 2 has neither defamation nor elections; the others cover all thirteen."""
    uncovered = {v: {c.value for c in Category if not guard_version(v).covers(c)} for v in VERSIONS}
    assert uncovered["2"] == {"defamation", "elections"}
    assert uncovered["3"] == uncovered["3-1B"] == uncovered["4"] == set()
    assert {"defamation", "elections", "privacy", "intellectual_property", "specialized_advice"} <= uncovered["1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_frame_shows_prompt_answer_and_every_code_once(version: str) -> None:
    """Each version's frame has its own categories, the conversation, and asks about the agent."""
    data = guard_version(version)
    shown = data.show("PROMPT {answer}", "ANSWER {categories}")
    assert "User: PROMPT {answer}\n\nAgent: ANSWER {categories}\n\n<END CONVERSATION>" in shown
    assert all(shown.count(f"\n{code}: {name}.") == 1 for code, name in data.names.items())
    assert "'Agent' messages" in shown


def test_a_version_that_does_not_exist_lists_those_there_are() -> None:
    """One clear error."""
    with pytest.raises(UsageError, match="3-1B"):
        guard_version("5")
