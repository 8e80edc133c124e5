"""Components and licences in `inspect`'s report: what was found by the one finder, in the published shape."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.subject.hub_directory import make_directory
from tests.subject.releases import CARD, PROSE, make_full_release, make_weights_only
from tests.subject.test_licences import MIT
from weighbridge.probes.checkpoint import components
from weighbridge.probes.checkpoint.components import components_of, look_into
from weighbridge.probes.checkpoint.inspection import inspect_here
from weighbridge.probes.checkpoint.report import Examined
from weighbridge.subject.components import ComponentId, find_in
from weighbridge.subject.licences import spdx_expression

SUBJECT = "sha256:" + "1" * 64
LLAMA = "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\nLlama 3.2 Version Release Date: September 25, 2024\n"


def told(root: Path) -> dict[str, dict[str, Any]]:
    return {component["name"]: component for component in inspect_here(root).components}


def rules(root: Path) -> set[str]:
    return {finding["rule"] for finding in inspect_here(root).findings if finding["rule"].startswith("licence.")}


def licensed(root: Path, named: str, text: str) -> Path:
    root.mkdir()
    (root / "README.md").write_text(f"---\nlicense: {named}\n---\n# x\n\n{PROSE}\n")
    (root / "LICENSE").write_text(text)
    return root


def test_all_seventeen_are_told_as_the_tool_numbers_them(tmp_path: Path) -> None:
    """Of an almost empty directory too, in the framework's order, with the tool's ids, names and classes."""
    (tmp_path / "x.txt").write_text("x\n")
    found = inspect_here(tmp_path).components
    assert [each["id"] for each in found] == [9, 10, 12, 13, 14, 11, 20, 7, 8, 18, 19, 22, 15, 16, 24, 21, 17]
    assert [each["openness_class"] for each in found] == [3] * 7 + [2] * 5 + [1] * 5
    assert [each["name"] for each in found[:7:6]] == ["Model architecture", "Sample model outputs"]
    assert all((each["status"], each["files"], each["licence"]) == ("not found", (), None) for each in found)
    assert set(found[0]) == {"id", "name", "kind", "openness_class", "status", "files", "licence"}


@pytest.mark.parametrize("make", [make_full_release, make_weights_only])
def test_inspect_and_the_dossiers_record_say_the_same(tmp_path: Path, make: Any) -> None:
    """Both ways to look at a directory find the same components, with the same files and licences."""
    root = make(tmp_path / "m")
    record = find_in(root, subject=SUBJECT)
    for component, here in zip(list(ComponentId)[:17], inspect_here(root).components, strict=True):
        part = record.find(component)
        assert here["status"] == ("found" if part else "not found"), component
        assert tuple(here["files"]) == (part.files if part else ())
        if part and part.licence and " " not in part.licence:
            assert here["licence"] == spdx_expression(part.licence)
        else:
            assert (here["licence"] is None) == (part is None or part.licence is None)


def test_a_name_that_its_content_belies_is_no_component(tmp_path: Path) -> None:
    """A card of three words and a script of comments are not found."""
    (tmp_path / "README.md").write_text("# A model\n\nmore to come\n")
    (tmp_path / "train.py").write_text("# to be released\n")
    found = told(tmp_path)
    assert {found[name]["status"] for name in ("Model card", "Training code")} == {"not found"}


def test_licences_that_disagree_are_a_finding_and_none_is_told(tmp_path: Path) -> None:
    """The card names another licence than the text is: the components have none, and the report says why."""
    root = make_directory(tmp_path / "m", card=CARD)
    (root / "LICENSE").write_text(MIT)
    assert told(root)["Model parameters (final)"]["licence"] is None
    assert rules(root) == {"licence.conflict"}


@pytest.mark.parametrize(
    ("named", "text", "conflict"),
    [
        ("mit", MIT, False),
        ("mit", LLAMA, True),  # terms that are known by their heading, under an open licence's name
        ("llama3.2", LLAMA, False),
        ("a-name-of-its-own", LLAMA, False),  # two without an id may be one
        ("a-name-of-its-own", MIT, True),
        ("bsd", MIT, True),
        ("other", MIT, False),
        ("apache-2.0 OR mit", MIT, False),
    ],
)
def test_a_text_under_another_licences_name_is_found(tmp_path: Path, named: str, text: str, conflict: bool) -> None:
    """What can be compared is compared; a name that may be the text's is no conflict."""
    assert rules(licensed(tmp_path / "m", named, text)) == ({"licence.conflict"} if conflict else set())


def test_a_readme_in_a_folder_may_name_another_licence(tmp_path: Path) -> None:
    """Every card's metadata is read, not only the top one's."""
    root = licensed(tmp_path / "m", "mit", MIT)
    (root / "data").mkdir()
    (root / "data/README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    assert rules(root) == {"licence.several"}


def test_what_was_kept_is_not_read_again_and_what_was_lost_is_not_found_missing(tmp_path: Path) -> None:
    """Texts come out of the report's own reading; a file that is gone by now is "not examined", which is not "not found"."""
    card = Examined("README.md", content=CARD.encode())
    weights = Examined("model.safetensors", size_bytes=100)
    places = {"README.md": tmp_path / "gone", "model.safetensors": tmp_path / "gone"}
    found = {each.name: each for each in components_of(look_into([card, weights], places, ()))}
    assert (found["Model card"].status, found["Model card"].licence) == ("found", "Apache-2.0")
    assert (found["Model parameters (final)"].status, found["Training code"].status) == ("not examined", "not found")


def test_a_licence_that_could_not_be_read_leaves_none_told(tmp_path: Path) -> None:
    """The lost text may have contradicted the card: losing it must not make a licence."""
    files = [Examined("README.md", content=CARD.encode()), Examined("LICENSE", content=MIT.encode())]
    places = dict.fromkeys(("README.md", "LICENSE"), tmp_path)
    for unread in ({"LICENSE"}, {"README.md"}, set()):
        release = look_into(files, places, unread)
        assert all(each.licence is None for each in components_of(release)), unread


def test_of_weights_only_the_beginning_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is read a second time in full."""
    asked: list[int] = []
    real = components.FileSource.read

    def counted(self: components.FileSource, offset: int, size_bytes: int) -> bytes:
        asked.append(size_bytes)
        return real(self, offset, size_bytes)

    monkeypatch.setattr(components.FileSource, "read", counted)
    root = make_directory(tmp_path / "m")
    weights = Examined("model.safetensors", size_bytes=(root / "model.safetensors").stat().st_size)
    release = look_into([weights], {"model.safetensors": root / "model.safetensors"}, ())
    assert [part.component for part in release.parts] == [ComponentId.PARAMETERS_FINAL]
    assert asked == [4096]


def test_the_finder_needs_no_heavy_library() -> None:
    """What `inspect` loads for this stays light."""
    code = (
        "import sys, weighbridge.probes.checkpoint.components, weighbridge.probes.checkpoint.licences;"
        "sys.exit(bool({'pydantic', 'yaml', 'numpy', 'rfc8785'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_examples_run() -> None:
    """What the docstrings show is what happens."""
    assert doctest.testmod(components).failed == 0
