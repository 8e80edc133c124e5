"""Standards' files: YAML or TOML in, a checked `Standard` out, with every problem at once: its line, its place, what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, partial
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

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
    problems: dict[str, str] = {}
    wrong: StandardError | None = None
    try:
        standard = kind.check(data, where=where, lines=lines)
        problems |= _undeclared(standard)
    except StandardError as error:
        wrong = error
    written = _written(data) if wrong else standard.conditions()
    problems |= dict(islice(_conditions(written), _MAX_TOLD))
    if not wrong and not problems:
        return standard
    told = [*(wrong.problems if wrong else ()), *(kind.refused(problems, where, lines).problems if problems else ())]
    raise StandardError(sorted(told, key=_line), where=where)


_MAX_TOLD = 100  # conditions of which is told what is wrong
_MAX_OF_ONE = 10


def _line(problem: str) -> int:
    """Return the line that a problem begins with; 0 when it names none, which is told first."""
    found = re.match(r"line (\d+)", problem)
    return int(found[1]) if found else 0


def _undeclared(standard: Standard) -> dict[str, str]:
    """Return what is wrong with `level_asked`: nothing could ask for a level of the standard by it."""
    if standard.level_asked is None:
        return {}
    found = declared().find(("context", standard.level_asked))
    if found is None:
        return {"level_asked": f"there is no declaration called {standard.level_asked}"}
    levels = [one.id for one in standard.levels]
    if not levels:
        return {"level_asked": "there are no levels to ask for"}
    if found.values and not found.values & set(levels):
        words = ", ".join(sorted(found.values))
        return {"level_asked": f"no level can be asked for by {standard.level_asked}, which is one of {words}"}
    return {}


def _written(data: Any) -> Iterator[tuple[str, str, bool]]:
    """Yield the conditions of a file that is no standard yet, as `Standard.conditions` does, so that all problems come at once."""
    if not isinstance(data, dict):
        return
    requirements = data.get("requirements")
    for number, one in enumerate(requirements if isinstance(requirements, list) else ()):
        if isinstance(one, dict):
            for field in ("when", "condition", "partly"):
                if isinstance(one.get(field), str) and one[field].strip():
                    yield f"requirements[{number}].{field}", one[field].strip(), field == "when"


def _conditions(conditions: Iterable[tuple[str, str, bool]]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with conditions, and with the names that they read, by place."""
    for place, text, only_declared in conditions:
        names, elsewhere = (declared(), readable()) if only_declared else (readable(), None)
        _, problems = compiled(text, names, elsewhere)
        if problems:
            more = f"; and {len(problems) - _MAX_OF_ONE} more" if len(problems) > _MAX_OF_ONE else ""
            yield place, "; ".join(str(problem) for problem in problems[:_MAX_OF_ONE]) + more


def new_standard_text(standard_id: str) -> str:
    """Return a standard to begin with, as YAML in which every field is explained. It loads as it is.

    Raises `StandardError` for an id that cannot be one.
    """
    text = files(_LIBRARY).joinpath("new.yaml").read_text("utf-8").replace("{{id}}", standard_id)
    parse_standard(text, shown(standard_id))
    return text
