"""`weighbridge rules`: every rule can be read, one by one and all at once."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.test_cli import assert_one_clear_line, run
from weighbridge.cli.inspected import COLUMNS
from weighbridge.cli.rules import command
from weighbridge.probes.checkpoint.catalogue import rules


def told(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_all_rules() -> None:
    """Without an argument every rule is listed once, with its severity and title, in lines that fit a terminal."""
    lines = told().splitlines()
    begun = [line.split() for line in lines if not line.startswith(" ")]
    assert [words[:2] for words in begun] == [[rule.severity, rule.id] for rule in rules().values()]
    assert max(map(len, lines)) <= COLUMNS


@pytest.mark.parametrize("name", sorted(rules()))
def test_one_rule(name: str) -> None:
    """A rule says what it finds, why it matters, what to do and what it cannot see; nothing is cut off."""
    text = told(name)
    rule = rules()[name]
    plain = " ".join(text.split())
    assert text.startswith(f"{name}\n") and f"\n{rule.severity}: " in text
    for part in (rule.title, rule.what, rule.why, rule.fix, rule.cannot_see, *rule.sources):
        assert part and " ".join(part.split()) in plain
    assert max(map(len, text.splitlines())) <= COLUMNS


def test_json() -> None:
    """`--json` is a list of whole rules, of all or of one."""
    assert [each["id"] for each in json.loads(told("--json"))] == list(rules())
    (one,) = json.loads(told("weights.nan", "--json"))
    assert set(one) == {"id", "severity", "title", "what", "why", "fix", "cannot_see", "sources"}


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("weights.nann", "weights.nan"),
        ("weight.nan", "weights.nan"),
        ("Weights.NaN", "weights.nan"),
        ("pickle.runscode", "pickle.runs-code"),
        ("pickle", "pickle."),
        ("nan", "weights.nan"),
    ],
)
def test_a_wrong_rule_suggests_near_ones(wrong: str, near: str) -> None:
    """A rule that is not there is one line of error, 2, and names those that may be meant."""
    assert_one_clear_line(run("rules", wrong), 2, "no such rule", "did you mean", near)


def test_a_rule_like_no_other() -> None:
    """Where nothing is near, the list is pointed to; text of an argument does nothing to a terminal."""
    result = run("rules", "\x1b[31mzzzz")
    assert_one_clear_line(result, 2, "`weighbridge rules` lists them")
    assert "\x1b" not in result.stderr
