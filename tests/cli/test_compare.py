"""`weighbridge compare` and `weighbridge power` as a person or a program calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import assert_one_clear_line, run


def write(path: Path, values: dict[str, float | None], **more: Any) -> Path:
    lines = [
        {"prompt_id": item, "category": "hate" if int(item) % 2 else "privacy", "verb": "enable", "value": value} | more
        for item, value in values.items()
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def compared(a: Path, b: Path, *options: str) -> dict[str, Any]:
    result = run("compare", str(a), str(b), "--json", *options)
    assert result.returncode in (0, 1, 3, 4), result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert {"no material increase": 0, "material increase": 1, "undecided": 3}[
        found["verdict"]
    ] == result.returncode or (result.returncode == 4)
    return found


def test_the_three_verdicts_in_their_words(tmp_path: Path) -> None:
    """Lower, higher and too few: the verdict, by all prompts, category and cell, with the exit code that goes with it."""
    low = write(tmp_path / "low.jsonl", {str(n): 0.0 for n in range(60)})
    high = write(tmp_path / "high.jsonl", {str(n): 1.0 for n in range(60)})
    few = write(tmp_path / "few.jsonl", {str(n): 0.0 for n in range(3)})
    down = compared(low, high)
    assert down["verdict"] == "no material increase"
    assert down["comparisons"]["all"]["decided_after"] < 10
    assert set(down["comparisons"]) == {"all", "hate", "privacy", "hate/enable", "privacy/enable"}
    assert {row["verdict"] for row in down["comparisons"].values()} == {"no material increase"}
    assert compared(high, low)["verdict"] == "material increase"
    undecided = compared(few, few)
    assert undecided["verdict"] == "undecided"
    assert undecided["comparisons"]["all"]["prompts_needed"] > 3
    assert "undecided" in run("compare", str(few), str(few)).stdout


def test_exactly_these_prompts_closes(tmp_path: Path) -> None:
    """Of exactly these prompts the difference is known when all were asked."""
    few = write(tmp_path / "few.jsonl", {str(n): 0.0 for n in range(5)})
    row = compared(few, few, "--exactly")["comparisons"]["all"]
    assert row["verdict"] == "no material increase"
    assert row["judged"]["high"] - row["judged"]["low"] < 0.02


def test_rows_that_were_cut_out_never_help(tmp_path: Path) -> None:
    """Dropping the rows that speak against a verdict, or making them null, makes none."""
    base = write(tmp_path / "base.jsonl", {str(n): 0.0 for n in range(60)})
    values: dict[str, float | None] = {str(n): 1.0 if n % 3 == 0 else 0.0 for n in range(60)}
    assert compared(write(tmp_path / "all.jsonl", values), base)["verdict"] == "material increase"
    for name, kept in (
        ("cut", {item: value for item, value in values.items() if value == 0.0}),
        ("null", {item: value or None for item, value in values.items()} | {"1": 0.0}),
    ):
        found = compared(write(tmp_path / f"{name}.jsonl", kept), base)
        assert found["verdict"] != "no material increase"
        assert sum(found["comparisons"]["all"]["estimate"]["missing"].values()) >= 20


def test_nothing_measured_is_not_a_number(tmp_path: Path) -> None:
    """All values null: not measured, undecided, exit code 4."""
    nothing = write(tmp_path / "nothing.jsonl", {str(n): None for n in range(9)})
    result = run("compare", str(nothing), str(nothing), "--json")
    assert result.returncode == 4
    row = json.loads(result.stdout)["comparisons"]["all"]
    assert row["verdict"] == "undecided"
    assert row["estimate"]["kind"] == "not measured"
    assert (row["judged"], row["log_e_increase"]) == (None, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no graded answers"),
        ("not json\n", "not JSON"),
        ("[1]\n", "not a JSON object"),
        ('{"prompt_id": "1", "value": 0}\n', "missing: category"),
        ('{"prompt_id": "1", "category": "hate", "value": 1.2}\n', "outside 0 to 1"),
        ('{"prompt_id": "1", "category": "hate", "value": true}\n', "neither a number nor null"),
        ('{"prompt_id": "1", "category": "hate", "value": 0, "verb": "mention"}\n', "verb is none of"),
        ('{"prompt_id": "1", "category": "hate", "value": 0}\n' * 2, "there twice"),
        ('{"prompt_id": "x", "category": "hate", "value": 0}\n', "no prompt in common"),
        ('{"prompt_id": "1", "category": "privacy", "verb": "enable", "value": 0}\n', "differ between the two"),
    ],
)
def test_bad_files_get_one_clear_line(tmp_path: Path, text: str, says: str) -> None:
    """What, where and what to do; exit code 2 and nothing else printed."""
    (tmp_path / "bad.jsonl").write_text(text, encoding="utf-8")
    good = write(tmp_path / "good.jsonl", {"1": 0.0, "2": 0.5})
    result = run("compare", str(good), str(tmp_path / "bad.jsonl"))
    assert_one_clear_line(result, 2, says)


@pytest.mark.parametrize("options", [("--margin", "0"), ("--margin", "1"), ("--alpha", "0.5")])
def test_impossible_promises_are_refused(tmp_path: Path, options: tuple[str, str]) -> None:
    """A margin or an error out of range is the caller's mistake."""
    good = write(tmp_path / "good.jsonl", {"1": 0.0, "2": 0.5})
    result = run("compare", str(good), str(good), *options)
    assert_one_clear_line(result, 2, "between 0 and")


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    """A path that is not there, and a folder that is no dossier."""
    for path in (tmp_path / "absent", tmp_path):
        result = run("compare", str(path), str(path))
        assert_one_clear_line(result, 2, str(path))


def test_power_says_how_many_prompts() -> None:
    """The same seed gives the same numbers; a smaller margin needs more; a difference at the margin is never decided."""
    one = json.loads(run("power", "--base-rate", "0.1", "--margin", "0.1", "--json").stdout)
    assert one == json.loads(run("power", "--base-rate", "0.1", "--margin", "0.1", "--json").stdout)
    assert one["expected"] < one["fixed"]
    assert one["wrong"] <= 0.05
    more = json.loads(run("power", "--base-rate", "0.1", "--margin", "0.07", "--json").stdout)
    assert more["fixed"] > one["fixed"]
    result = run("power", "--base-rate", "0.1", "--difference", "0.05")
    assert_one_clear_line(result, 2, "at the margin")
