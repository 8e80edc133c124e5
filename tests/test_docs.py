"""The documents cannot drift from the program."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import click
import pytest

import weighbridge
from weighbridge.cli import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[1]
NEEDS_EXTRAS = (
    "transformers_provider",
    "inspect_provider",
    "inspect_task",
    "inspect_stopping",
    "inspect_log",
    "inspect_registry",
)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(weighbridge.__path__, "weighbridge.")
    if not module.name.endswith("__main__") and not module.name.endswith(NEEDS_EXTRAS)
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    """Every example in a docstring gives what it says."""
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_the_help_that_the_overview_shows(name: str) -> None:
    """The one-line help in `weighbridge --help` is the first line of the command's own help."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help is not None
    assert command.help.splitlines()[0] == COMMANDS[name][1]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_has_help(name: str) -> None:
    """No option is left unexplained."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    bare = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
    assert bare == []


def _documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_hold(document: Path) -> None:
    """A relative link in a document leads to a file that is there."""
    broken = [
        target
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
        if "://" not in target and not target.startswith("mailto:") and not (document.parent / target).exists()
    ]
    assert broken == []


def test_readme_commands_exist() -> None:
    """Every `weighbridge COMMAND` and `make TARGET` that the documents name is there."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    for document in _documents():
        text = document.read_text(encoding="utf-8")
        for block in re.findall(
            r"```(?:sh|console|shell)?\n(.*?)```|((?:^    .+\n)+)", text, flags=re.DOTALL | re.MULTILINE
        ):
            for line in "".join(block).splitlines():
                words = line.split("#")[0].split()
                if words[:1] == ["make"] and len(words) > 1:
                    assert words[1] in targets, f"{document.name}: make {words[1]}"
                if words[:1] == ["weighbridge"] and len(words) > 1 and not words[1].startswith("-"):
                    assert words[1] in COMMANDS, f"{document.name}: weighbridge {words[1]}"
