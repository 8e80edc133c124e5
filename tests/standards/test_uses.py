"""The library of uses: every named place has a use, and choosing one declares what the standards ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from weighbridge.errors import UsageError
from weighbridge.evidence.provenance import Provenance
from weighbridge.standards.names import OF_A_USE, TRUTHS_OF_A_USE
from weighbridge.standards.uses import NONE, Use, declared_by, find_use, load_uses


def test_every_letter_of_m_25_21_has_a_use() -> None:
    """a to o, none left out."""
    assert {use.m_25_21 for use in load_uses()} == {NONE, *"abcdefghijklmno"}


def test_every_area_of_annex_iii_has_a_use() -> None:
    """The eight areas, and 5(a) by its point."""
    points = {use.annex_iii for use in load_uses()}
    assert {point[0] for point in points - {NONE}} == set("12345678")
    assert "5(a)" in points


@pytest.mark.parametrize(
    ("name", "letter", "point", "security"),
    [
        ("benefits-eligibility", "m", "5(a)", False),
        ("law-enforcement-face-match", "j", "6", False),
        ("targeting-aid", NONE, NONE, True),
        ("internal-search", NONE, NONE, False),
    ],
)
def test_the_worked_examples_are_named_where_the_page_says(name: str, letter: str, point: str, security: bool) -> None:
    """A benefit, a suspect's face, a target, and an ordinary use."""
    use = find_use(name)
    assert (use.m_25_21, use.annex_iii, use.national_security) == (letter, point, security)


def test_a_use_outside_both_names_what_governs_it() -> None:
    """Military and national-security uses are none and none, and say which instruments are theirs."""
    outside = [use for use in load_uses() if use.national_security]
    assert len(outside) >= 9  # the framework's list, and weapons
    for use in outside:
        assert (use.m_25_21, use.annex_iii) == (NONE, NONE)
        assert any("National Security" in one for one in use.instruments)
    assert any("3000.09" in one for one in find_use("targeting-aid").instruments)


def test_that_no_place_names_a_use_is_never_said_to_be_checked() -> None:
    """An ordinary use is this project's own reading."""
    for use in load_uses():
        if not use.high_impact and not use.national_security:
            assert use.provenance is Provenance.UNVERIFIED, use.id


def test_choosing_a_use_declares_exactly_the_names_of_a_use() -> None:
    """With true or false where a condition reads that, and text elsewhere."""
    for use in load_uses():
        said = declared_by(use)
        assert said.keys() == OF_A_USE.keys()
        assert {name for name, value in said.items() if isinstance(value, bool)} == TRUTHS_OF_A_USE
        assert said["high_impact"] == (use.m_25_21 != NONE or use.annex_iii != NONE)


@pytest.mark.parametrize(("given", "meant"), [("benefit-eligibility", "benefits-eligibility"), ("benefits", "benefits-eligibility"), ("targeting", "targeting-aid"), ("code-asistant", "code-assistant")])  # fmt: skip
def test_a_use_that_is_misspelled_is_answered_with_the_nearest(given: str, meant: str) -> None:
    """The error names the use that was meant."""
    with pytest.raises(UsageError, match=meant):
        find_use(given)


def test_a_use_that_is_like_none_is_answered_with_all() -> None:
    """And what was given is shown, made harmless."""
    with pytest.raises(UsageError, match="one of critical-infrastructure-control, ") as caught:
        find_use("\x1b[31mzzz")
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"m_25_21": "p"},
        {"annex_iii": "9"},
        {"annex_iii": "5a"},
        {"national_security": True},
        {"national_security": True, "m_25_21": "c", "instruments": ("something",)},
    ],
)
def test_a_place_that_does_not_exist_is_refused(fields: dict[str, object]) -> None:
    """A letter past o, an area past 8, and a use that is both inside and outside."""
    whole = {"id": "x", "title": "X", "m_25_21": NONE, "annex_iii": NONE, "provenance": "unverified", **fields}
    with pytest.raises(ValidationError):
        Use.model_validate(whole)


def test_the_page_lists_every_use_as_it_is() -> None:
    """docs/methods/uses.md, "The uses that ship"."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "uses.md").read_text(encoding="utf-8")
    for use in load_uses():
        places = ["outside both"] * 2 if use.national_security else [use.m_25_21, use.annex_iii]
        assert f"| `{use.id}` | {use.title} | {' | '.join(places)} | {use.provenance.value} |" in page
