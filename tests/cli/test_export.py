"""`weighbridge export`: files on standard output, what could not be carried on standard error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.dossier.exports.examples import ruling
from tests.fakes.dossier_record import dossier_record
from weighbridge.cli.export import command
from weighbridge.dossier.exports.formats import FORMATS
from weighbridge.dossier.write import dossier_bytes
from weighbridge.errors import UsageError


@pytest.fixture(scope="module")
def dossier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small dossier."""
    folder = tmp_path_factory.mktemp("dossier")
    record = dossier_record(per_cell=1, baselines=())
    thin = record.model_copy(update={"rates": record.rates[::40], "comparisons": record.comparisons[:4]})
    (folder / "dossier.json").write_bytes(dossier_bytes(thin))
    (folder / "rulings.json").write_text(
        json.dumps(ruling(thin).model_dump(mode="json", by_alias=True)), encoding="utf-8"
    )
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_written_to_its_folder(name: str, dossier: Path) -> None:
    """The paths are printed; they lie in exports/NAME, the log among them; the account is on standard error."""
    result = CliRunner().invoke(command, [str(dossier), "--format", name], catch_exceptions=False)
    assert result.exit_code == 0
    paths = [Path(line) for line in result.stdout.splitlines()]
    assert all(path.is_file() and dossier / "exports" / name in path.parents for path in paths)
    assert paths[-1].name == f"{name}.log.json"
    assert result.stderr.startswith("written: ")
    assert "left out: " in result.stderr


def test_the_same_dossier_gives_the_same_files(dossier: Path, tmp_path: Path) -> None:
    """Two exports of one dossier are byte for byte the same, log and all."""
    for folder in ("one", "other"):
        CliRunner().invoke(command, [str(dossier), "--format", "cyclonedx", "--out", str(tmp_path / folder)])
    files = [{path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in ("one", "other")]
    assert files[0] == files[1] != {}


def test_rulings_go_along(dossier: Path, tmp_path: Path) -> None:
    """What `check --json` printed is in the table of rulings."""
    arguments = [str(dossier), "--format", "csv", "--rulings", str(dossier / "rulings.json"), "--out", str(tmp_path)]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert (tmp_path / "rulings.csv").read_text(encoding="utf-8").count(",not shown,") == 1


def test_long_accounts_are_cut_short_on_the_screen_and_whole_in_the_log(dossier: Path, tmp_path: Path) -> None:
    """At most a dozen reasons are printed, and then how many more the log has."""
    result = CliRunner().invoke(command, [str(dossier), "--format", "eval-results", "--out", str(tmp_path)])
    lines = [line for line in result.stderr.splitlines() if line.startswith("left out: ")]
    dropped = json.loads((tmp_path / "eval-results.log.json").read_bytes())["dropped"]
    assert len(lines) == min(len(dropped), 13)
    if len(dropped) > 12:
        assert lines[-1].startswith(f"left out: and {len(dropped) - 12} more")


def test_a_folder_without_a_dossier_is_the_callers_mistake(tmp_path: Path) -> None:
    """There is nothing to export, and nothing is written."""
    with pytest.raises(UsageError, match="no dossier"):
        CliRunner().invoke(command, [str(tmp_path), "--format", "csv"], catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_format() -> None:
    """`--help` says what each format is, and so does the error for another name."""
    text = CliRunner().invoke(command, ["--help"]).stdout
    assert all(name in text for name in ("inspect", *FORMATS))
    assert CliRunner().invoke(command, ["x", "--format", "html"]).exit_code == 2


def test_inspect_logs_take_no_rulings(dossier: Path) -> None:
    """An option that would be ignored is refused."""
    result = CliRunner().invoke(command, [str(dossier), "--format", "inspect", "--rulings", "x"])
    assert result.exit_code == 2
    assert "no rulings" in result.stderr
