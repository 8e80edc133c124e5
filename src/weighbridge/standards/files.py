"""Standards' files: YAML or TOML in, a checked `Standard` out, with every problem at once: its line, its place, what to write instead."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from importlib.resources import files
from pathlib import Path

from weighbridge.errors import StandardError, UsageError
from weighbridge.protocol.typed_files import Lines, TypedFile, is_toml, lines_of
from weighbridge.standards.cel.checking import compiled
from weighbridge.standards.names import declared, readable
from weighbridge.standards.standard import Standard
from weighbridge.subject.shown import shown

_LIBRARY = "weighbridge.standards"


@cache
def shipped() -> tuple[str, ...]:
    """Return the ids of the standards that ship, in order of the alphabet."""
    folder = files(_LIBRARY).joinpath("library")
    return tuple(sorted(one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml")))


def _kind() -> TypedFile[Standard]:
    return TypedFile("standard", Standard, StandardError, shipped())


def load_standard(name_or_path: str) -> Standard:
    """Return a standard that ships ("mof-1.0", ...) or the one in a YAML or TOML file.

    A shipped standard's name wins over a file of that name. Raises `StandardError` with all that is wrong in the file, `UsageError` when
    there is no such file.

    >>> load_standard("release-stages").id
    'release-stages'
    """
    return _shipped(name_or_path) if name_or_path in shipped() else parse_standard(*_text(name_or_path))


@cache
def _shipped(name: str) -> Standard:
    return parse_standard(shipped_text(name), name)


def shipped_text(name: str) -> str:
    """Return the file of a standard that ships."""
    return files(_LIBRARY).joinpath("library", f"{name}.yaml").read_text("utf-8")


def _text(name_or_path: str) -> tuple[str, str]:
    path = Path(name_or_path)
    if not path.exists() and path.suffix.lower() not in (".yaml", ".yml", ".toml", ".json"):
        import difflib

        close = difflib.get_close_matches(name_or_path, shipped(), n=3, cutoff=0.4)
        instead = f"did you mean {', '.join(close)}?" if close else f"one of {', '.join(shipped())}"
        raise UsageError(
            "no standard of this name ships, and there is no such file", where=shown(name_or_path), do=instead
        )
    return _kind().read(path), name_or_path


def parse_standard(text: str, where: str) -> Standard:
    """Return the standard that a file's text describes; `where` names it in errors. Raises `StandardError` with every problem."""
    kind = _kind()
    data = kind.parse(text, where)
    lines: Lines = dict if is_toml(text, where) else partial(lines_of, text)
    standard = kind.check(data, where=where, lines=lines)
    problems = dict(_conditions(standard))
    if problems:
        raise kind.refused(problems, where, lines)
    return standard


def _conditions(standard: Standard) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the conditions of a standard, and with the names that it reads, by place."""
    if standard.level_asked and declared().find(("context", standard.level_asked)) is None:
        yield "level_asked", f"there is no declaration called {standard.level_asked}"
    for place, text, only_declared in standard.conditions():
        names, elsewhere = (declared(), readable()) if only_declared else (readable(), None)
        _, problems = compiled(text, names, elsewhere)
        if problems:
            yield place, "; ".join(str(problem) for problem in problems)


def new_standard_text(standard_id: str) -> str:
    """Return a standard to begin with, as YAML in which every field is explained. It loads as it is.

    Raises `StandardError` for an id that cannot be one.
    """
    text = files(_LIBRARY).joinpath("new.yaml").read_text("utf-8").replace("{{id}}", standard_id)
    parse_standard(text, shown(standard_id))
    return text
