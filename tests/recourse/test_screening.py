"""Personal data in the clear is refused where patterns can see it, and never repeated."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import UsageError
from weighbridge.recourse.contests import open_contest, respond
from weighbridge.recourse.entries import MAX_TEXT, Outcome
from weighbridge.recourse.screening import seen_in

PERSONAL = [
    "jo.doe@example.org",
    "jo.doe (at) example dot org",
    "jo@example.org",
    "078-05-1120",
    "078 05 1120",
    "AB 12 34 56 C",
    "DE89 3704 0044 0532 0130 00",
    "+44 20 7946 0018",
    "(020) 7946-0018",
    "0 2 0 7 9 4 6",
    "12345678Z",
    "4111111111111111",
    "192.0.2.17",
    "born on 3 May 1980",
    "221B Baker Street",
    "Mrs Jones",
    "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    "07\u200b94\u200b60\u200b018",
]
HARMLESS = [
    "Decided on 2026-03-01 under section 12(3); reviewed on 04.03.2026.",
    "Income of 1,250,000 was counted for 2024-2025.",
    "See case 2026-000123, page 14, and rule 404.1520.",
    "The model's score was 0.734 against a threshold of 0.700.",
    "Sent at 10:30 on 3/4/2026.",
]


@pytest.mark.parametrize("text", PERSONAL)
def test_personal_data_is_seen(text: str) -> None:
    """What names or reaches a person is seen, in wide digits and between invisible characters too."""
    assert seen_in(text)
    assert seen_in(f"The claimant said {text} again.")


@pytest.mark.parametrize("text", HARMLESS)
def test_dates_amounts_and_case_numbers_are_let_through(text: str) -> None:
    """What a reviewer must be able to write is not refused."""
    assert seen_in(text) == ()


@given(st.text(max_size=40), st.text(max_size=40))
def test_an_address_is_seen_wherever_it_stands(before: str, after: str) -> None:
    """Whatever stands around it, apart from it, an address is seen."""
    assert any(seen.what == "an e-mail address" for seen in seen_in(f"{before} jo.doe@example.org {after}"))


@pytest.mark.parametrize(
    "part", ["a", "a.", "a@b.", "1", "1 ", "1-", "AA00", "A b ", "a at b dot ", "born ", "0:", "1.", "\ufdfa"]
)
def test_no_text_takes_long_to_screen(part: str) -> None:
    """The longest text that is taken is screened in well under a second, whatever it repeats."""
    began = time.process_time()
    seen_in((part * MAX_TEXT)[:MAX_TEXT])
    assert time.process_time() - began < 1.0


def test_a_text_that_is_too_long_is_not_screened(tmp_path: Path) -> None:
    """Length is bounded before anything is searched."""
    with pytest.raises(UsageError, match="more than 10,000 characters"):
        open_contest(tmp_path / "log", case="a", decision="d", decided_on=date(2026, 3, 1), facts="a" * 50_000_000)


def test_a_refusal_says_where_and_not_what(tmp_path: Path) -> None:
    """The error names the field and the place, and repeats nothing; nothing is written."""
    path = tmp_path / "log.jsonl"
    with pytest.raises(UsageError) as caught:
        open_contest(path, case="a", decision="d", decided_on=date(2026, 3, 1), facts="Write to jo@example.org now.")
    assert "facts: an e-mail address at character 10" in str(caught.value)
    assert "example.org" not in str(caught.value)
    assert not path.exists()


@pytest.mark.parametrize("field", ["case", "decision", "reviewer", "reasons", "remedy"])
def test_every_text_is_screened(tmp_path: Path, field: str) -> None:
    """References, kinds and roles are screened like any text."""
    given = {"case": "a", "decision": "d", "reviewer": "judge", "reasons": "r", "remedy": "m"} | {field: "078-05-1120"}
    path = tmp_path / "log.jsonl"
    with pytest.raises(UsageError, match=f"seen in {field}"):
        open_contest(path, case=given["case"], decision=given["decision"], decided_on=date(2026, 3, 1), facts="f")
        respond(
            path,
            case=given["case"],
            outcome=Outcome.UPHELD,
            reviewer=given["reviewer"],
            reasons=given["reasons"],
            remedy=given["remedy"],
        )
