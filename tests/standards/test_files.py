from __future__ import annotations

import time

import pytest

from weighbridge.errors import StandardError, UsageError
from weighbridge.standards.files import load_standard, new_standard_text, parse_standard

HEAD = """\
schema: weighbridge.standard/1
id: ours
title: T
publisher: P
version: "1"
about: release
source: {document: D, provenance: checked}
"""
ONE = """\
  - {id: a, title: T, says: S, topic: testing, cites: {section: "1"}, provenance: checked, condition: files.critical == 0}
"""


def refused(text: str, where: str = "ours.yaml") -> str:
    with pytest.raises(StandardError) as caught:
        parse_standard(text, where)
    return "\n".join(caught.value.problems)


def test_a_condition_is_looked_at_in_a_file_that_has_other_faults_too() -> None:
    said = refused(HEAD.replace('"1"', "1") + "requirements:\n" + ONE.replace("files.critical", "files.critcal"))
    assert said.split("\n")[0].startswith("line 5: version: must be text, not 1")
    assert "line 9: requirements[0].condition: column 1: there is no evidence called files.critcal" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "in_force: {since: 2025-04-03}\nrequirements:\n" + ONE, "line 8: in_force.since: must not be a date (put text in quotes)"),
        (HEAD + "requirements:\n\t- id: a\n", "line 9, column 1: a tab: YAML indents with spaces only"),
        (HEAD + "requirements: []\n", "line 8: requirements: must not be empty"),
        (HEAD, "requirements: is missing"),
        (HEAD + "<<: {version: x}\n", "line 8, column 1: << is not read here"),
        ("schema: !!python/name:os.system\n", "os.system': write plain values"),
        (HEAD + "level_asked: release\nrequirements:\n" + ONE, "line 8: level_asked: there are no levels to ask for"),
        (
            HEAD + "levels: [{id: gold, title: G, requires: [a]}]\nlevel_asked: release\nrequirements:\n" + ONE,
            "line 9: level_asked: no level can be asked for by release, which is one of",
        ),
        (HEAD + "levels: [{id: gold, title: G, requires: []}]\nrequirements:\n" + ONE, "a is required and no level requires it"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_told_with_its_line_and_what_to_write(text: str, said: str) -> None:
    assert said in refused(text)


@pytest.mark.parametrize("change", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_a_mark_at_the_beginning_and_foreign_line_ends_change_nothing(change, tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = new_standard_text("ours")
    path = tmp_path / "ours.yaml"
    path.write_bytes(change(text).encode())
    assert load_standard(str(path)).digest == parse_standard(text, "ours").digest


def test_a_file_of_a_shipped_id_is_read_by_its_path(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "osaid-1.0"
    path.write_text(new_standard_text("osaid-1.0"), "utf-8")
    assert load_standard(str(path)).publisher != load_standard("osaid-1.0").publisher


def test_what_is_no_file_says_what_to_give(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match="did you mean osaid"):
        load_standard("ossaid-1.0")
    with pytest.raises(UsageError, match="a directory"):
        load_standard(str(tmp_path))


def test_a_file_of_nothing_but_misspelled_names_is_told_of_in_bounded_time_and_length() -> None:
    unknown = " || ".join(f"rate.apx.harm{number} > 1" for number in range(150))
    body = "".join(ONE.replace("files.critical == 0", unknown).replace("id: a", f"id: a{n}") for n in range(60))
    began = time.process_time()
    said = refused(HEAD + "requirements:\n" + body)
    assert time.process_time() - began < 8
    assert len(said) < 200_000
    assert "and 140 more" in said
