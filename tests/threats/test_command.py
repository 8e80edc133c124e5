"""`weighbridge threat` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.fakes.dossier_record import dossier_record
from weighbridge.cli import cli
from weighbridge.cli.assess import _sheets
from weighbridge.dossier.write import dossier_bytes
from weighbridge.errors import ThreatSheetError, UsageError


def _run(*arguments: str) -> str:
    return CliRunner().invoke(cli, ["threat", *arguments], catch_exceptions=False).output


@pytest.fixture(scope="module")
def dossier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dossier's folder."""
    folder = tmp_path_factory.mktemp("dossier")
    (folder / "dossier.json").write_bytes(dossier_bytes(dossier_record(per_cell=2)))
    return folder


def test_from_new_to_filled(tmp_path: Path, dossier: Path) -> None:
    """A sheet is begun, filled in place, shown, and filled again."""
    path = tmp_path / "mine.yaml"
    assert _run("new", "mine", "--vector", "spear-phishing", "--out", str(path)) == ""
    assert "absent    4. Evidence of marginal risk: not measured" in _run("show", str(path))
    said = _run("fill", str(path), str(dossier), "--out", str(path))
    assert said.startswith("step 4: partly (compared with smollm2-135m-instruct")
    shown = _run("show", str(path))
    assert "partly    4. Evidence of marginal risk" in shown
    assert "points (" in shown
    text = path.read_text(encoding="utf-8")
    assert "# Spear-phishing scams, worked through." in text
    _run("fill", str(path), str(dossier / "dossier.json"), "--out", str(path))
    assert path.read_text(encoding="utf-8") == text


def test_every_mark_is_in_what_is_shown() -> None:
    """Whatever is not checked says so on the terminal, and in JSON."""
    shown = _run("show", "spear-phishing")
    for mark in ("[checked]", "[secondary]", "[unverified]", "[nobody looked]"):
        assert mark in shown
    assert "the draft itself was not read" in " ".join(shown.split())
    assert "measure whether a model refuses, not what it is capable of" in " ".join(shown.split())
    found = json.loads(_run("show", "spear-phishing", "--json"))
    assert [one["step"] for one in found["scores"]] == [1, 2, 3, 4, 5, 6]
    assert found["sheet"]["schema"] == "weighbridge.threat/1"


def test_list_names_what_ships() -> None:
    """Seven lines, each with what it can measure."""
    assert len(_run("list").splitlines()) == 7
    assert [one["reach"] for one in json.loads(_run("list", "--json"))].count("nothing") == 3


def test_a_blank_sheet_is_printed() -> None:
    """Without --out it goes to standard output, and ends like a file."""
    assert "provenance: nobody looked" in _run("new", "mine")


@pytest.mark.parametrize(
    "arguments",
    (
        ("new",),
        ("new", "a b"),
        ("new", "x", "--vector", "nothing"),
        ("show", "nowhere.yaml"),
        ("fill", "csam", "nowhere"),
        ("fill", "nowhere", "nowhere"),
    ),
)
def test_bad_input_is_one_clear_line(arguments: tuple[str, ...]) -> None:
    """An error of ours with what to do, never a traceback."""
    with pytest.raises(UsageError) as caught:
        _run(*arguments)
    assert "\n" not in str(caught.value)
    assert caught.value.do


def test_nothing_is_written_over_or_in_the_wrong_format(tmp_path: Path, dossier: Path) -> None:
    """`new` keeps a file that is there; `fill` does not write YAML into a TOML file; a folder that is not there is told."""
    path = tmp_path / "there.yaml"
    path.write_text("kept", encoding="utf-8")
    for arguments in (
        ("new", "x", "--out", str(path)),
        ("fill", "csam", str(dossier), "--out", str(tmp_path / "x.toml")),
        ("new", "x", "--out", str(tmp_path / "no" / "x.yaml")),
    ):
        with pytest.raises(UsageError):
            _run(*arguments)
    assert [one.name for one in tmp_path.iterdir()] == ["there.yaml"]
    assert path.read_text(encoding="utf-8") == "kept"


def test_text_of_others_cannot_play_with_the_terminal(tmp_path: Path) -> None:
    """Control characters in a sheet are shown as what they are."""
    path = tmp_path / "x.yaml"
    text = _run("new", "mine").replace("title: A title for people", 'title: "\\e[31mred\\u202e"')
    text = text.replace("says: How the misuse is done", 'says: "a\\e[2Jb"')
    path.write_text(text, encoding="utf-8")
    shown = _run("show", str(path))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "⟨U+001B⟩" in shown


def test_assess_reads_sheets_before_it_asks_anything(tmp_path: Path) -> None:
    """A name, a file, a slip, and the same sheet twice."""
    assert [one.id for one in _sheets(("spear-phishing", "csam"))] == ["spear-phishing", "csam"]
    with pytest.raises(UsageError, match="named twice"):
        _sheets(("csam", "csam"))
    (tmp_path / "x.yaml").write_text("id: x", encoding="utf-8")
    with pytest.raises(ThreatSheetError):
        _sheets((str(tmp_path / "x.yaml"),))
