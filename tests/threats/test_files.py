"""Threat sheet files: what loads, what is refused with all its problems, and the filled part written back."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml

from tests.fakes.dossier_record import PLAIN
from tests.threats.weighings import comparison, weighing
from weighbridge.errors import ThreatSheetError, UsageError
from weighbridge.evidence.provenance import Provenance
from weighbridge.evidence.records import NotMeasured, Reason
from weighbridge.protocol.vocabulary import Category, Verb, Verdict
from weighbridge.threats.atlas import atlas
from weighbridge.threats.files import SHIPPED, filled_text, load_sheet, new_sheet_text, shipped_sheets
from weighbridge.threats.filling import fill
from weighbridge.threats.scores import scored
from weighbridge.threats.sheet import ThreatSheet
from weighbridge.threats.vocabulary import Reach, Score, Vector

Write = Callable[..., str]
TODAY = date(2026, 11, 25)
METHODS = Path(__file__).resolve().parents[2] / "docs" / "methods" / "threats.md"
FORMAT = METHODS.parents[1] / "formats" / "threat.md"
CELLS = ("non_violent_crimes/enable", "privacy/enable")

TOML = """
schema = "weighbridge.threat/1"
id = "mine"
title = "Mine"
vector = "other"
reach = "refusal"
reach_note = "a text model could"
made_on = "2026-11-25"
valid_until = "2027-01-01"

[assessor]
name = "me"
party = "third"

[evidence] # chosen beforehand
cells = ["privacy/enable"]
does_not_measure = ["capability"]

[[existing_risk]]
says = "it happens"
provenance = "unverified"
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(content: str, name: str = "sheet.yaml") -> str:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return str(path)

    return to_file


def test_the_seven_vectors_of_the_paper_ship() -> None:
    """One sheet for each vector of table 1, under the vector's own name."""
    sheets = shipped_sheets()
    assert len(sheets) == 7
    assert [one.id for one in sheets] == [one.vector.value for one in sheets] == list(SHIPPED)
    assert {one.vector for one in sheets} == set(Vector) - {Vector.OTHER}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_sheets_are_marked_and_hold_no_figures_of_step_four(name: str) -> None:
    """No shipped sheet is filled; every sourced claim names its source; voices and images are out of reach; the study is named."""
    sheet = load_sheet(name)
    assert sheet.filled is None
    assert sheet.study is not None
    assert sheet.uncertainty.unknowns
    out_of_reach = name in ("voice-cloning", "intimate-imagery", "csam")
    assert (sheet.reach is Reach.NOTHING) == out_of_reach == (not sheet.evidence.cells)
    if not out_of_reach:
        assert any("mild on purpose" in one for one in sheet.evidence.does_not_measure)


def test_the_table_of_shipped_scores_in_the_documents_is_that_of_the_files() -> None:
    """docs/methods/threats.md cannot drift from the sheets."""
    text = METHODS.read_text(encoding="utf-8")
    for sheet in shipped_sheets():
        found = scored(sheet).scores
        words = ", ".join(one.score.value for one in found if one.step != 4)
        row = next(line for line in text.splitlines() if line.startswith(f"| `{sheet.id}` |"))
        assert words in row
        assert row.endswith(f"| {sheet.reach.value} |")
        assert found[3].score is Score.ABSENT


def test_the_format_page_names_every_field() -> None:
    """Every field of a sheet is explained in docs/formats/threat.md."""
    page = FORMAT.read_text(encoding="utf-8")
    fields = {field.alias or name for name, field in ThreatSheet.model_fields.items()}
    assert [name for name in sorted(fields) if f"`{name}`" not in page] == []


def test_a_blank_sheet_loads_and_every_step_of_it_is_absent() -> None:
    """A new sheet claims nothing."""
    sheet = _loaded(new_sheet_text("mine", today=TODAY))
    assert sheet.id == "mine"
    assert sheet.made_on == TODAY < sheet.valid_until
    assert {one.score for one in scored(sheet).scores} == {Score.ABSENT}


@pytest.mark.parametrize("vector", SHIPPED)
def test_a_new_sheet_of_a_vector_is_the_shipped_one_under_another_id(vector: str) -> None:
    """Only the id differs, and the comments are there."""
    text = new_sheet_text("mine", vector, today=TODAY)
    assert _loaded(text) == load_sheet(vector).model_copy(update={"id": "mine"})
    assert text.count("#") >= 1


def _loaded(text: str, name: str = "x.yaml") -> ThreatSheet:
    from weighbridge.threats.files import _load

    return _load(text, name)


def test_toml_and_yaml_say_the_same(write: Write) -> None:
    """The format of the file does not matter to the sheet or to its digest."""
    one = load_sheet(write(TOML, "a.toml"))
    two = load_sheet(write(yaml.safe_dump(tomllib.loads(TOML)), "a.yaml"))
    three = load_sheet(write(json.dumps(tomllib.loads(TOML)), "a.json"))
    assert one == two == three
    assert one.promise == two.promise


def _problems(text: str, write: Write) -> list[str]:
    with pytest.raises(ThreatSheetError) as caught:
        load_sheet(write(text))
    return list(caught.value.problems)


def test_all_problems_come_at_once_each_with_its_place(write: Write) -> None:
    """A slip in five places is five lines."""
    plain = tomllib.loads(TOML)
    plain |= {"vector": "spear-fishing", "valid_until": 2027, "titel": "x"}
    plain["existing_risk"] = [{"says": "", "provenance": "sure"}]
    problems = _problems(yaml.safe_dump(plain), write)
    assert len(problems) == 5
    assert any(one.startswith("vector: ") and "did you mean spear-phishing?" in one for one in problems)
    assert any(one.startswith("titel: unknown key (did you mean title?)") for one in problems)
    assert any(one.startswith("existing_risk[0].provenance: ") for one in problems)
    assert any(one.startswith("existing_risk[0].says: ") for one in problems)
    assert any(one.startswith("valid_until: ") for one in problems)


@pytest.mark.parametrize(
    ("change", "words"),
    (
        (
            {"existing_risk": [{"says": "x", "provenance": "checked"}]},
            'existing_risk[0]: what is "checked" names its source',
        ),
        ({"existing_risk": [{"says": "x", "provenance": "secondary"}]}, 'what is "secondary" names its source'),
        (
            {"evidence": {"cells": ["privacy"], "does_not_measure": ["c"]}},
            "evidence.cells[0]: must be a cell of the suite",
        ),
        ({"evidence": {"cells": ["privacy/enable"]}}, "evidence.does_not_measure: say what the cells do not measure"),
        ({"evidence": {"cells": ["privacy/enable"] * 2, "does_not_measure": ["c"]}}, "a cell is named twice"),
        ({"reach": "nothing"}, 'reach is "nothing", so no cell'),
        ({"valid_until": "2026-11-25"}, "valid_until must be after made_on"),
        ({"id": "a b"}, "id: must be letters"),
        ({"schema": "weighbridge.threat/2"}, "schema: must be weighbridge.threat/1"),
        ({"threat": {"nist_ai_800_1": ["8"]}}, "threat.nist_ai_800_1[0]: must be the number of an objective"),
        (
            {"threat": {"atlas": [{"id": "AML.T9999", "name": "x", "provenance": "checked"}]}},
            'AML.T9999 is not in ATLAS 5.6.1: mark it "unverified"',
        ),
        (
            {"threat": {"atlas": [{"id": "AML.T0052", "name": "Fishing", "provenance": "checked"}]}},
            'AML.T0052 is called "Phishing"',
        ),
        (
            {"existing_defences": [{"what": "x", "kind": "legal", "breaks": ["nothing"], "provenance": "unverified"}]},
            "existing_defences[0].breaks: no link of the chain is called nothing",
        ),
        ({"filled": {"comparisons": []}}, "filled.seal: "),
    ),
)
def test_what_does_not_hold_together_is_refused(change: dict[str, object], words: str, write: Write) -> None:
    """Each rule of the format, with its place."""
    problems = _problems(yaml.safe_dump(tomllib.loads(TOML) | change), write)
    assert any(words in one for one in problems), problems


def test_an_unverified_technique_is_taken_and_stays_marked(write: Write) -> None:
    """What is not in the release that ships may be named, as unverified."""
    technique = {"id": "AML.T9999", "name": "Something new", "provenance": "unverified"}
    sheet = load_sheet(write(yaml.safe_dump(tomllib.loads(TOML) | {"threat": {"atlas": [technique]}})))
    assert sheet.threat.atlas[0].provenance is Provenance.UNVERIFIED


def test_shipped_techniques_are_all_in_the_release() -> None:
    """Every technique of a shipped sheet is checked against the list, and the list is whole."""
    assert len(atlas().techniques) == 170
    for sheet in shipped_sheets():
        assert all(one.provenance is Provenance.CHECKED for one in sheet.threat.atlas)
        assert all(atlas().techniques[one.id] == one.name for one in sheet.threat.atlas)


@pytest.mark.parametrize("text", ("", "[]", "a: 1", "\t", "id: 'x", "{", "- 1", "&a [*a]", "filled: 3"))
def test_what_is_no_sheet_is_an_error_and_never_a_crash(text: str, write: Write) -> None:
    """Damaged files, in either format."""
    for name in ("x.yaml", "x.toml", "x"):
        with pytest.raises(ThreatSheetError):
            load_sheet(write(text, name))


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    """A missing file, a folder and binary noise."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError) as caught:
            load_sheet(str(path))
        assert "\n" not in str(caught.value)
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ThreatSheetError):
        load_sheet(str(tmp_path / "noise"))


# Filling, and what is written back.


@pytest.mark.parametrize("name", ("a.yaml", "a.toml", "a"))
def test_a_filled_sheet_reads_back_as_it_was_filled(name: str, write: Write) -> None:
    """In both formats, with measured and unmeasured entries; comments and everything else stay, and filling again replaces."""
    text = TOML if name == "a.toml" else yaml.safe_dump(tomllib.loads(TOML)) + "# a comment\n"
    path = write(text, name)
    lost = comparison("privacy/enable", seen=NotMeasured(reason=Reason.TIMED_OUT), verdict=Verdict.UNDECIDED)
    first = fill(load_sheet(path), weighing(lost))
    whole, toml = filled_text(path, first)
    assert toml == (name == "a.toml")
    assert whole.startswith(text.rstrip())
    Path(path).write_text(whole, encoding="utf-8")
    assert load_sheet(path) == first
    second = fill(load_sheet(path), weighing(comparison("privacy/enable")))
    again, _ = filled_text(path, second)
    Path(path).write_text(again, encoding="utf-8")
    assert load_sheet(path) == second != first
    assert again.count("written by `weighbridge threat fill`") == 1
    assert again.startswith(text.rstrip())


def test_a_figure_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    """A verdict, a bound, a digest or a flag: the seal does not fit any more. A seal made anew is a filled part like any other."""
    sheet = fill(
        load_sheet("spear-phishing"), weighing(*(comparison(cell, verdict=Verdict.UNDECIDED) for cell in CELLS))
    )
    text, _ = filled_text("spear-phishing", sheet)
    path = tmp_path / "s.yaml"
    head, _, tail = text.partition("\nfilled:")
    for old, new in (
        ("undecided", "no material increase"),
        ("calibrated: true", "calibrated: false"),
        ("0.02", "0.01"),
    ):
        assert old in tail
        path.write_text(f"{head}\nfilled:{tail.replace(old, new, 1)}", encoding="utf-8")
        with pytest.raises(ThreatSheetError, match="changed by hand"):
            load_sheet(str(path))


def test_a_filled_part_is_of_the_cells_that_the_sheet_names(tmp_path: Path) -> None:
    """Cells that are dropped or added after looking do not keep the figures."""
    sheet = fill(load_sheet("spear-phishing"), weighing(*(comparison(cell) for cell in CELLS)))
    text, _ = filled_text("spear-phishing", sheet)
    path = tmp_path / "s.yaml"
    path.write_text(text.replace("[non_violent_crimes/enable, privacy/enable]", "[privacy/enable]"), encoding="utf-8")
    with pytest.raises(ThreatSheetError, match="fill again"):
        load_sheet(str(path))


def test_json_cannot_take_a_filled_part_and_says_so(write: Write) -> None:
    """One clear line, not a broken file."""
    path = write(json.dumps(tomllib.loads(TOML)), "a.json")
    with pytest.raises(ThreatSheetError, match="cannot take a filled part"):
        filled_text(path, fill(load_sheet(path), weighing(comparison("privacy/enable"))))


def test_the_promise_does_not_change_when_the_sheet_is_filled() -> None:
    """The digest of what was said before looking is the same after."""
    sheet = load_sheet("spear-phishing")
    assert fill(sheet, weighing(comparison("privacy/enable"))).promise == sheet.promise


def test_filling_is_a_function_of_sheet_and_weighing() -> None:
    """Same in, same out; filled before or not."""
    one = weighing(*(comparison(cell) for cell in CELLS))
    first = fill(load_sheet("spear-phishing"), one)
    assert fill(first, one) == first


def test_every_cell_has_an_entry_for_every_contrast_and_baseline() -> None:
    """What was not compared is there with its reason, and never as a number."""
    filled = fill(load_sheet("spear-phishing"), weighing(comparison(CELLS[0]))).filled
    assert filled is not None
    assert [(one.scope, one.contrast.value) for one in filled.comparisons] == [
        (cell, contrast) for cell in CELLS for contrast in ("opening", "counterfactual")
    ]
    unmeasured = [one for one in filled.comparisons if not one.measured]
    assert len(unmeasured) == 3
    for one in unmeasured:
        assert one.verdict is one.judged is one.prompts_needed is None
        assert one.estimate == NotMeasured(reason=Reason.NOT_IN_PROTOCOL)
    assert {one.baseline for one in filled.comparisons if one.contrast.value == "counterfactual"} == {PLAIN.label}


def test_templates_name_cells_that_exist() -> None:
    """The examples in the blank sheet are cells of the vocabulary."""
    text = new_sheet_text("x", today=TODAY)
    cells = re.findall(r"\b([a-z_]+)/(enable|encourage|endorse)\b", text)
    assert cells
    assert all(Category(category) and Verb(verb) for category, verb in cells)
