from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.fakes.dossier_record import dossier_record
from weighbridge.cli.check import command as check
from weighbridge.cli.gate import command as gate
from weighbridge.cli.standard import command as standard
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.write import write_dossier
from weighbridge.errors import StandardError, UsageError

WORDS = {"met", "not met", "not shown", "not applicable"}
OWN = """
schema: weighbridge.standard/1
id: ours
title: Our own bar
publisher: Example Labs
version: "1"
about: release
source: {{document: our handbook, provenance: checked}}
levels:
  - {{id: shelf, title: On the shelf, requires: []}}
  - {{id: out, title: Out, requires: [asked]}}
requirements:
  - id: asked
    title: It was asked
    says: It was asked on its chat interface.
    topic: testing
    cites: {{section: "1"}}
    provenance: checked
    condition: {condition}
"""


@pytest.fixture(scope="module")
def dossier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dossier")
    record: DossierRecord = dossier_record(per_cell=2)
    write_dossier(folder, record, "")
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Any:
    def write(condition: str) -> str:
        path = tmp_path / "ours.yaml"
        path.write_text(OWN.format(condition=condition), "utf-8")
        return str(path)

    return write


def run(command: Any, *arguments: str | Path, color: bool = False) -> Result:
    result = CliRunner().invoke(command, [str(one) for one in arguments], standalone_mode=False, color=color)
    if result.exception:
        raise result.exception
    return result


def test_check_says_for_each_standard_what_came_out_and_what_would_change_it(dossier: Path) -> None:
    result = run(check, dossier, "--standard", "proportional-evaluation")
    assert "not shown" in result.output
    assert "would change it:" in result.output
    assert result.return_value in (1, 3)


@pytest.mark.parametrize(
    ("condition", "code"), [("rung.api.measured", 0), ("rate.api.harm > 2.0", 1), ("rung.modified.measured", 3)]
)
def test_the_exit_code_is_that_of_the_worst_ruling(dossier: Path, own: Any, condition: str, code: int) -> None:
    assert run(gate, dossier, "--stage", "out", "--standard", own(condition)).return_value == code


def test_the_json_of_check_has_the_four_words_and_no_others(dossier: Path) -> None:
    said = json.loads(run(check, dossier, "--json", "--use", "benefits-eligibility", "--sector", "gov").output)
    assert said["schema"] == "weighbridge.check/1"
    assert {one["ruling"] for one in said["rulings"]} <= WORDS
    assert {each["ruling"] for one in said["rulings"] for each in one["requirements"]} <= WORDS
    assert {one["standard"] for one in said["rulings"]} >= {"us-m-25-21", "mof-1.0", "release-stages", "eu-ai-act"}
    assert "us-m-24-10" not in {one["standard"] for one in said["rulings"]}


def test_without_a_use_or_a_sector_standards_of_uses_are_not_asked(dossier: Path) -> None:
    said = json.loads(run(check, dossier, "--json").output)
    assert not {"us-m-25-21", "private-baseline"} & {one["standard"] for one in said["rulings"]}


def test_a_government_and_a_private_deployer_stand_side_by_side(dossier: Path) -> None:
    result = run(check, dossier, "--use", "benefits-eligibility", "--sector", "gov", "--sector", "private")
    table = result.output.split("Side by side, by topic")[1]
    assert "government: more" in table
    assert "government only" in table
    assert "private: more" not in table


def test_a_superseded_standard_is_ruled_on_when_asked_for_and_says_by_what(dossier: Path) -> None:
    assert "superseded by us-m-25-21" in run(check, dossier, "--standard", "us-m-24-10").output


def test_gate_names_the_most_open_stage_and_what_lacks(dossier: Path) -> None:
    result = run(gate, dossier, "--stage", "open", "--json")
    said = json.loads(result.output)
    assert said["ruling"] in ("not met", "not shown")
    assert said["exit_code"] == result.return_value != 0
    assert said["lacks"]
    assert {one["ruling"] for one in said["lacks"]} <= {"not met", "not shown"}


def test_a_ruling_may_be_made_as_of_another_day_when_the_evidence_is_too_old(dossier: Path) -> None:
    def met(*options: str) -> set[str]:
        said = json.loads(run(check, dossier, "--standard", "release-stages", "--json", *options).output)["rulings"][0]
        return {
            one["requirement"] for one in said["requirements"] if one["ruling"] == "met" and one["used"][0]["made_at"]
        }

    assert met()
    assert not met("--at", "2031-01-01")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--standard", "mof"], "did you mean mof-1.0"),
        (["--standard", "no/such/file.yaml"], "no such standard file"),
        (["--use", "benefit-eligibility"], "benefits-eligibility"),
        (["--release", "opne"], "did you mean open"),
        (["--sector", "church"], "government: a public body"),
        (["--declare", "eu_markt=yes"], "did you mean eu_market"),
        (["--declare", "eu_market=perhaps"], "answered by yes or no"),
        (["--declare", "training_flop=much"], "is a number"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_was_meant(dossier: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError) as error:
        run(check, dossier, *arguments)
    assert said in str(error.value)


def test_a_stage_that_is_none_is_refused_with_those_that_are(dossier: Path) -> None:
    with pytest.raises(UsageError, match="one of closed, research, gated, open"):
        run(gate, dossier, "--stage", "wide-open")


def test_the_names_of_the_partnership_on_ai_are_understood(dossier: Path) -> None:
    said = json.loads(run(check, dossier, "--standard", "pai-2023", "--release", "Open Access", "--json").output)
    assert said["rulings"][0]["context"] == {"release": "open"}


# ---- standard --------------------------------------------------------------------------------------------------------------


def test_every_standard_that_ships_is_listed_shown_and_valid() -> None:
    listed = json.loads(run(standard, "list", "--json").output)
    assert len(listed) >= 13
    for one in listed:
        shown = json.loads(run(standard, "show", one["id"], "--json").output)
        assert shown["id"] == one["id"]
        assert one["title"] in run(standard, "show", one["id"]).output.replace("\n", " ")
    assert len(run(standard, "validate", *[one["id"] for one in listed]).output.splitlines()) == len(listed)


def test_a_new_standard_is_valid_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    run(standard, "new", "our-bar", "--out", path)
    assert "our-bar is a standard" in run(standard, "validate", path).output
    with pytest.raises(UsageError, match="there is a file already"):
        run(standard, "new", "our-bar", "--out", path)


def test_validation_tells_every_problem_with_its_line_and_what_was_meant(own: Any) -> None:
    path = own("rung.ap.measured && files.raed")
    with pytest.raises(StandardError) as error:
        run(standard, "validate", path)
    (problem,) = error.value.problems
    assert problem.startswith("line 19: requirements[0].condition: column 1: ")
    assert "did you mean rung.api.measured" in problem
    assert "files.read" in problem


def test_a_circle_of_standards_that_supersede_one_another_is_refused(tmp_path: Path) -> None:
    paths = []
    for name, old in (("a", "c"), ("b", "a"), ("c", "b")):
        text = OWN.format(condition="files.read").replace("id: ours", f"id: {name}\nsupersedes: [{old}]")
        paths.append(tmp_path / f"{name}.yaml")
        paths[-1].write_text(text, "utf-8")
    with pytest.raises(StandardError, match="leads back to where it began"):
        run(standard, "validate", *paths)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\n" * 1, "unknown key"),
        ("id: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
        ("[" * 100_000, "nested too deeply"),
        ("id: x\nid: y\n", "is there twice"),
        ("x: " + "y" * 300_000, "larger than"),
        ("", "empty"),
        ("\x00\x01", "line 1"),
    ],
)
def test_a_hostile_file_is_refused_at_once(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(StandardError) as error:
        run(standard, "validate", path)
    assert said in str(error.value) or said == "line 1"


def test_names_and_uses_are_listed() -> None:
    names = json.loads(run(standard, "names", "--json").output)
    assert {"rung.api.measured", "context.sector", "component.training_code.released"} <= {one["name"] for one in names}
    assert "benefits-eligibility" in run(standard, "uses").output


def test_ruling_needs_no_engine(dossier: Path) -> None:
    code = (
        "import sys\n"
        "from weighbridge.cli import cli\n"
        f"cli.main(['check', {str(dossier)!r}], standalone_mode=False)\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('aiohttp', 'xllamacpp', 'torch', 'transformers')"
        " or m.startswith(('weighbridge.engine', 'weighbridge.probes', 'weighbridge.graders', 'weighbridge.assessment'))]\n"
        "assert not bad, bad\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]


STEERING = """\
schema: weighbridge.standard/1
id: ours
title: "T\\e[31m"
publisher: "P\\u202e"
version: "1"
about: release
source: {document: "D\\e]0;x\\a", provenance: unverified}
when: context.general_purpose
levels: [{id: gold, title: "G\\e[2J", requires: [a]}]
requirements:
  - {id: a, title: "A\\x9b1m", says: "S\\e[5m", topic: testing, cites: {section: "\\e[1m1"}, provenance: unverified, condition: rung.api.measured, remark: "R\\e[1m"}
"""


def test_nothing_that_others_wrote_steers_the_terminal(dossier: Path, tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(STEERING, "utf-8")
    declared = ("--declare", "general_purpose=yes")
    for result in (
        run(check, dossier, "--standard", path, "--all", *declared, color=True),
        run(gate, dossier, "--standard", path, "--stage", "gold", *declared, color=True),
        run(standard, "show", path, color=True),
    ):
        assert "⟨U+001B⟩" in result.output
        assert not set("\x1b\x9b\x07\u202e") & set(result.output)


def test_a_gate_whose_standard_does_not_apply_supports_no_stage(dossier: Path, tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(STEERING, "utf-8")
    asked = ("--standard", path, "--stage", "gold", "--declare", "general_purpose=no")
    assert run(gate, dossier, *asked).return_value == 3
    result = run(gate, dossier, *asked, "--json")
    assert result.return_value == 3
    said = json.loads(result.output)
    assert said["ruling"] == "not applicable"
    assert said["notes"] == ["the source: not checked against the source"]


def test_a_gate_answers_in_its_first_lines(dossier: Path) -> None:
    first, second = run(gate, dossier, "--stage", "open").output.splitlines()[:2]
    assert first.startswith(("[?] Open", "[x] Open"))
    assert "the evidence" in first
    assert second.strip().startswith("most open stage that the evidence supports:")


def test_check_of_several_standards_begins_with_a_line_for_each(dossier: Path) -> None:
    asked = ("--standard", "mof-1.0", "--standard", "osaid-1.0")
    first, second = run(check, dossier, *asked).output.splitlines()[:2]
    assert "(mof-1.0)" in first
    assert "(osaid-1.0)" in second


def test_any_declaration_can_be_given_by_its_name(dossier: Path) -> None:
    by_name = run(check, dossier, "--standard", "pai-2023", "--declare", "release=open", "--json")
    by_option = run(check, dossier, "--standard", "pai-2023", "--release", "open", "--json")
    assert json.loads(by_name.output)["rulings"][0]["context"] == json.loads(by_option.output)["rulings"][0]["context"]
    with pytest.raises(UsageError, match="declared twice"):
        run(check, dossier, "--release", "open", "--declare", "release=open")


def test_a_reason_is_told_once(dossier: Path) -> None:
    lines = run(gate, dossier, "--stage", "open").output.splitlines()
    beginnings = [line.strip() for line in lines if line.strip().startswith("no evidence of")]
    assert beginnings == []
    assert any(line.strip().startswith("lacks ") for line in lines)


def test_a_standard_without_levels_has_no_stage_and_says_what_to_use(dossier: Path) -> None:
    with pytest.raises(UsageError) as error:
        run(gate, dossier, "--stage", "open", "--standard", "osaid-1.0")
    assert "weighbridge check" in str(error.value)
