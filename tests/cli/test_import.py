"""`weighbridge import`: what is printed and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.evidence.importers.files import DATA, TOOL_OF, document
from weighbridge.cli.import_ import TOOLS, command
from weighbridge.errors import UsageError
from weighbridge.evidence.elsewhere import MadeElsewhere, Tool
from weighbridge.evidence.importers.kept import read_imported


def run(*arguments: object) -> str:
    result = CliRunner().invoke(command, [str(each) for each in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    assert result.return_value == 0
    return result.stdout


def test_tools() -> None:
    """--tool takes every tool there is a reader for."""
    assert tuple(Tool) == TOOLS


@pytest.mark.parametrize("name", TOOL_OF)
def test_printed(name: str) -> None:
    """A file's tool, mark, digest and doubts are printed, and every absence in words."""
    out = run(DATA / name)
    record = MadeElsewhere.model_validate_json(run(DATA / name, "--json"))
    assert f"made elsewhere, by {TOOL_OF[name]}" in out and record.file_digest in out
    assert all(doubt in out for doubt in record.doubts)
    assert out.count("not measured") == sum(each.outcome.kind == "not measured" for each in record.results[:40])
    assert "None" not in out.replace("test.Nones", "") and "nan" not in out.split()


def test_values() -> None:
    """Values come with their interval or standard error, and how many they are of."""
    assert "0.5 share, n 12" in run(DATA / "garak.report.jsonl")
    assert "0.6, standard error 0.163, n 10" in run(DATA / "lm_eval.json")
    assert "1 issues, n not told" in run(DATA / "modelscan.json")
    assert "95 % interval 0.384 to 0.819, n 21" in run(DATA / "every_eval_ever.json")
    assert "the file says so; nobody checked it" in run(DATA / "every_eval_ever.json")


def test_many_results_are_clipped(tmp_path: Path) -> None:
    """Forty results are printed, and how many more there are."""
    found = document("lm_eval.json")
    found["results"] = {f"task{number}": {"acc,none": 0.5} for number in range(100)}
    path = tmp_path / "many.json"
    path.write_text(json.dumps(found))
    assert "and 60 more" in run(path)


def test_into(tmp_path: Path) -> None:
    """--into keeps the record with the dossier and says where; a second time it says that it is there."""
    (tmp_path / "dossier.json").write_bytes(b"{}")
    assert "kept      new: " in run(DATA / "modelscan.json", "--into", tmp_path)
    assert "there already: " in run(DATA / "modelscan.json", "--into", tmp_path, "--tool", "modelscan")
    (found,) = read_imported(tmp_path)
    assert found.record is not None and found.record.tool is Tool.MODELSCAN


def test_refused(tmp_path: Path) -> None:
    """A file that is of no tool, or of another than named, is a usage error."""
    with pytest.raises(UsageError, match="is not a report of ModelScan"):
        run(DATA / "lm_eval.json", "--tool", "modelscan")
    with pytest.raises(UsageError, match="holds no dossier"):
        run(DATA / "lm_eval.json", "--into", tmp_path)
