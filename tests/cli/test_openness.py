from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.fakes.dossier_record import dossier_record
from weighbridge.cli.openness import command
from weighbridge.dossier.write import write_dossier
from weighbridge.errors import UsageError


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(command, [str(one) for one in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


@pytest.fixture
def dossier(tmp_path: Path) -> Path:
    write_dossier(tmp_path, dossier_record(per_cell=1), "")
    return tmp_path


def row(dossier: Path, component: str) -> dict[str, Any]:
    (found,) = [one for one in json.loads(run("show", dossier, "--json")) if one["id"] == component]
    return dict(found)


def test_what_nobody_found_or_decided_is_not_shown_in_each_definition(dossier: Path) -> None:
    found = row(dossier, "training_code")
    assert found["found"] == "not found here"
    assert found["decision"] == "not declared"
    assert set(found["rulings"]) == {"mof-1.0", "osaid-1.0", "eosai"}
    assert {ruling for each in found["rulings"].values() for ruling in each} == {"not shown"}


def test_a_new_file_of_decisions_loads_as_it_is_and_changes_nothing(dossier: Path) -> None:
    before = json.loads(run("show", dossier, "--json"))
    run("new", dossier, "--organisation", "Example Labs", "--role", "release lead")
    after = json.loads(run("show", dossier, "--json"))
    assert [one["rulings"] for one in after] == [one["rulings"] for one in before]
    with pytest.raises(UsageError, match="there is a file already"):
        run("new", dossier)


def test_a_decision_stands_beside_what_was_found_with_its_reason_and_the_risk(dossier: Path) -> None:
    run("new", dossier)
    path = dossier / "openness.yaml"
    path.write_text(
        path.read_text("utf-8")
        + "\n  training_code:\n    decision: withheld\n    why: it holds another's code\n    risk_weighed: {text: none was found}\n",
        "utf-8",
    )
    found = row(dossier, "training_code")
    assert (found["decision"], found["why"], found["risk"]) == ("withheld", "it holds another's code", "none was found")
    assert set(found["rulings"]["mof-1.0"]) == {"not met"}
    assert "decided: withheld; why: it holds another's code" in " ".join(run("show", dossier).split())
