"""Every hostile or damaged file is caught by the rule that is meant, and no ordinary one is accused. Nothing is ever loaded."""

from __future__ import annotations

import fnmatch
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.attacks.corpora import CORPORA, every_case
from weighbridge.probes.checkpoint.catalogue import rules
from weighbridge.probes.checkpoint.inspection import inspect_here, inspect_path

CASES = dict(every_case())


@pytest.mark.parametrize("name", CASES)
def test_the_case_is_judged_as_it_should_be(name: str, tmp_path: Path) -> None:
    """What must be found is found; of an ordinary file nothing is said beyond information, and nothing is left unexamined."""
    case = CASES[name]
    report = inspect_here(case.write(tmp_path))
    found = sorted({finding["rule"] for finding in report.findings})
    assert [rule for rule in case.expect if not fnmatch.filter(found, rule)] == [], found
    if case.ordinary:
        assert [finding for finding in report.findings if finding["severity"] != "info"] == []
        assert report.not_examined == []
    elif case.unexamined is not None:
        assert bool(report.not_examined) is case.unexamined


LIMITED = (
    "archives: 64 MiB of opcodes",
    "pickles: a billion laughs",
    "templates: hostile: loops",
    "pickles: a count of 2^60",
)


@pytest.mark.parametrize("name", LIMITED)
def test_bombs_in_the_limited_child(name: str, tmp_path: Path) -> None:
    """In the child with its limits of memory and time the same is found, in seconds."""
    case = CASES[name]
    begun_s = time.monotonic()
    report = inspect_path(case.write(tmp_path))
    assert set(case.expect) <= {finding["rule"] for finding in report.findings}
    assert time.monotonic() - begun_s < 60


def test_names_of_cases_are_their_own() -> None:
    """No case hides another."""
    counts = Counter(name for name, _ in every_case())
    assert [name for name, count in counts.items() if count > 1] == []


def test_there_are_ordinary_files_of_many_kinds() -> None:
    """At least twenty ordinary files, and some in every corpus."""
    ordinary = Counter(name.split(":")[0] for name, case in CASES.items() if case.ordinary)
    assert set(ordinary) == {corpus.__name__.rsplit(".", 1)[-1] for corpus in CORPORA}
    assert sum(ordinary.values()) >= 20


# Rules that need more than one hand-made file: tested where they are made.
ELSEWHERE = {
    "file.link-out", "file.too-many-findings", "weights.payload", "weights.low-bits", "weights.duplicate", "weights.undertrained-tokens",
}  # fmt: skip


def test_every_rule_has_a_case() -> None:
    """A rule that no case expects is a rule that nobody has seen work."""
    expected = {rule for case in CASES.values() for rule in case.expect}
    lacking = [rule for rule, each in rules().items() if rule not in expected and each.severity != "info"]
    assert sorted(set(lacking) - ELSEWHERE) == []
