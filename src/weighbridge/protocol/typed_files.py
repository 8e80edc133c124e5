"""Typed files: TOML or YAML in, a checked frozen model out. A file is refused with every problem at once, each with its place.

Protocols and threat sheets are such files. Nothing is guessed: a text is not taken for a number, an unknown key is an error,
and so is a key that is there twice.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from weighbridge.errors import TypedFileError, UsageError
from weighbridge.subject.shown import shown

MAX_FILE_BYTES = 256 * 1024
MAX_DEPTH = 50
MAX_VALUES = 10_000  # YAML's aliases can make a short file endless
_LINE_LENGTH = 110

# What is expected, in the words of a person, by pydantic's name of the error.
_EXPECTED = {
    "string_too_long": "must have at most {max_length} characters",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "model_type": "must be a table of keys",
    "string_pattern_mismatch": "must be sha256: and 64 hexadecimal digits",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}


Model = TypeVar("Model", bound=BaseModel)
Lines = Callable[[], Mapping[str, int]]


@dataclass(frozen=True)
class TypedFile(Generic[Model]):
    """One kind of file: what it is called, what is in it, which error says what is wrong, and which are built in by name."""

    what: str
    model: type[Model]
    error: Callable[..., TypedFileError]
    builtin: Sequence[str] = ()

    def read(self, path: Path) -> str:
        """Return the file's text. Raises `UsageError` when it cannot be read, the kind's own error when it is no text."""
        instead = f"give a TOML or YAML file, or one of {', '.join(self.builtin)}"
        try:
            if path.is_dir():
                raise UsageError(f"a directory, not a {self.what} file", where=str(path), do=instead)
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            raise UsageError(f"no such {self.what} file", where=str(path), do=instead) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"the {self.what} file cannot be read: {reason}", where=str(path), do=instead) from error
        if len(content) > MAX_FILE_BYTES:
            raise self.error([f"larger than the {MAX_FILE_BYTES:,} bytes that a {self.what} may have"], where=str(path))
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.error([f"byte {error.start:,}: not UTF-8 text"], where=str(path)) from None

    def parse(self, text: str, where: str) -> Any:
        """Return what the text says, as TOML or YAML by the suffix of `where`, else by how it begins. Raises the kind's error."""
        return _parse_toml(text, where, self.error) if is_toml(text, where) else _parse_yaml(text, where, self.error)

    def check(self, data: Any, *, where: str, lines: Lines = dict) -> Model:
        """Return the model that the parsed file describes. Raises the kind's error with every problem.

        `lines`: called when something is wrong, gives where each place is in the file (`lines_of`); each problem then begins with its line.
        """
        if not isinstance(data, dict):
            raise self.error(["empty" if data is None else "must be a table of keys"], where=where)
        if not data:
            raise self.error(["empty"], where=where)
        problems: dict[str, str] = {}
        plain = self._plain(data, (), problems, iter(range(MAX_VALUES)), where)
        try:
            # Through JSON, since pydantic's strict mode takes enumerations from text there, and numbers never from text.
            found = self.model.model_validate_json(json.dumps(plain), strict=True)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            within = {fault["loc"][:depth] for fault in faults for depth in range(len(fault["loc"]))}
            for fault in faults:
                location = fault["loc"]
                if fault["type"] == "too_short" and location in within:
                    continue  # there are some, and what is wrong with them is told
                problems.setdefault(_place(location), _explain(fault["type"], location, fault, self.model))
            raise self.refused(problems, where, lines) from None
        if problems:
            raise self.refused(problems, where, lines)
        return found

    def refused(self, problems: Mapping[str, str], where: str, lines: Lines = dict) -> TypedFileError:
        """Return the kind's error with every problem, `place: what`, in the order of the file where its lines are known."""
        found = lines()
        told = sorted(problems.items(), key=lambda item: line_at(found, item[0]) or 0) if found else problems.items()
        return self.error([_at_line(found, place) + what for place, what in told], where=where)

    def _plain(
        self, value: Any, location: tuple[str | int, ...], problems: dict[str, str], left: Iterator[int], where: str
    ) -> Any:
        """Return `value` in JSON's types; what has no place there is noted as a problem and becomes None."""
        if next(left, None) is None:
            raise self.error([f"more than {MAX_VALUES:,} values"], where=where)
        if isinstance(value, dict):
            kept = {}
            for key, inner in value.items():
                if isinstance(key, str):
                    kept[key] = self._plain(inner, (*location, key), problems, left, where)
                else:
                    problems[_place((*location, str(key)))] = "unknown key: keys are text"
            return kept
        if isinstance(value, list):
            return [self._plain(inner, (*location, index), problems, left, where) for index, inner in enumerate(value)]
        if isinstance(value, float) and not math.isfinite(value):
            problems[_place(location)] = f"must be a finite number, not {value}"
            return None
        if value is None or isinstance(value, str | bool | int | float):
            return value
        problems[_place(location)] = f"must not be a {type(value).__name__} (put text in quotes)"
        return None


def lines_of(text: str) -> dict[str, int]:
    """Return the line of each place in a YAML text that could be read, such as `requirements[2].condition`; counted from 1.

    >>> lines_of("a: 1\\nb:\\n- c: 2\\n")
    {'a': 1, 'b': 2, 'b[0]': 3, 'b[0].c': 3}
    """
    import yaml

    found: dict[str, int] = {}
    _check_depth(text)
    root = yaml.compose(text, _fast_loader())
    level: list[tuple[tuple[str | int, ...], Any]] = [((), root)]
    while level and len(found) < MAX_VALUES:
        location, node = level.pop()
        parts: list[tuple[str | int, Any, Any]] = []
        if isinstance(node, yaml.MappingNode):
            parts = [(str(key.value), key, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            parts = [(index, value, value) for index, value in enumerate(node.value)]
        for step, mark, value in parts:
            found[_place((*location, step))] = mark.start_mark.line + 1
            level.append(((*location, step), value))
    return dict(sorted(found.items(), key=lambda item: item[1]))


def line_at(lines: Mapping[str, int], place: str) -> int | None:
    """Return the line of a place, else of the nearest place that it is a part of; None when there is none."""
    while place and place not in lines:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return lines.get(place)


def _at_line(lines: Mapping[str, int], place: str) -> str:
    line = line_at(lines, place)
    return (f"line {line}: " if line else "") + (f"{place}: " if place else "")


def is_toml(text: str, name: str) -> bool:
    """Return whether a file of this name and text is TOML (else YAML): its suffix decides, else how it begins.

    >>> is_toml("", "a.toml"), is_toml("id: x", "a"), is_toml('id = "x"', "a")
    (True, False, True)
    """
    suffix = Path(name).suffix.lower()
    return suffix == ".toml" or (suffix not in (".yaml", ".yml", ".json") and _looks_like_toml(text))


def _looks_like_toml(text: str) -> bool:
    first = next((line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")), "")
    return bool(re.match(r"\[|[\w\"'.-]+\s*=", first))


def _parse_toml(text: str, where: str, problem: Callable[..., TypedFileError]) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        place = re.search(r" \(at (line \d+, column \d+|end of document)\)$", said)
        what = said[: place.start()] if place else said
        at = place[1] if place else "TOML"
        raise problem([f"{at}: {what[:1].lower()}{what[1:]}"], where=where) from None
    except RecursionError:
        raise problem(["nested too deeply"], where=where) from None


def _parse_yaml(text: str, where: str, problem: Callable[..., TypedFileError]) -> Any:
    import yaml

    class Loader(_fast_loader()):  # type: ignore[misc]
        """Refuses a key that is there twice, of which YAML's own loader would keep the last."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[Any] = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=True) if isinstance(key_node, yaml.ScalarNode) else None
                if key in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key!r} is there twice", key_node.start_mark)
                seen.add(key)
            return dict(super().construct_mapping(node, deep))

    try:
        _check_depth(text)
        return yaml.load(text, Loader)  # noqa: S506 (derived from the safe loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "YAML"
        raise problem([f"{place}: {_of_yaml(error, text)}"], where=where) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise problem([what], where=where) from None


def _of_yaml(error: Any, text: str) -> str:
    """Return what is wrong with YAML, in words, where the library's own say little."""
    what, mark = str(error.problem or error.context or "not valid YAML"), error.problem_mark
    line = text.splitlines()[mark.line : mark.line + 1] if mark else []
    if "cannot start any token" in what and line and "\t" in line[0]:
        return "a tab: YAML indents with spaces only"
    if "tag:yaml.org,2002:merge" in what:
        return "<< is not read here: write the keys out"
    if "could not determine a constructor for the tag" in what:
        return f"{what}: write plain values"
    return what


def _fast_loader() -> Any:
    """Return YAML's safe loader: libyaml's where it is there, ten times as fast."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check_depth(text: str) -> None:
    """Raise `RecursionError` when YAML is nested too deeply. libyaml's composer would not: it overruns the stack."""
    import yaml

    depth = 0
    for event in yaml.parse(text, _fast_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise RecursionError
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _place(location: tuple[str | int, ...]) -> str:
    """Return where a value is, as `ladder.sweep[1].temperature`; lists count from 0."""
    place = ""
    for step in location:
        named = f"[{step}]" if isinstance(step, int) else shown(step)
        place += f".{named}" if place and not isinstance(step, int) else named
    return place


def _explain(kind: str, location: tuple[str | int, ...], fault: Mapping[str, Any], whole: type[BaseModel]) -> str:
    """Return one problem in words."""
    if kind == "missing":
        return "is missing"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    if kind == "extra_forbidden":
        return "unknown key" + _suggest_key(location, whole)
    if kind == "value_error":
        return str(fault["msg"]).removeprefix("Value error, ")
    limits = fault.get("ctx", {})
    if kind in ("enum", "literal_error"):
        choices = re.findall(r"'([^']*)'", str(limits["expected"]))
        meant = _did_you_mean(str(fault["input"]), choices) if len(choices) > 1 else ""
        # With a likely slip, a dozen choices would hide it.
        expected = "must be " + ("one of " if len(choices) > 1 else "") + ", ".join(choices)
        return f"{'unknown value' if meant else expected + ', not'} {_brief(fault['input'])}{meant}"
    if kind not in _EXPECTED:
        return str(fault["msg"])
    expected = _EXPECTED[kind].format(**{name: f"{limit:g}" for name, limit in limits.items() if _is_number(limit)})
    return f"{expected}, not {_brief(fault['input'])}"


def _brief(given: Any) -> str:
    if given is None:
        return "nothing (leave the key out for no value)"
    if isinstance(given, list | dict):
        return "a list" if isinstance(given, list) else "a table"
    return shown(json.dumps(given, ensure_ascii=False), limit=60)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _suggest_key(location: tuple[str | int, ...], whole: type[BaseModel]) -> str:
    """Return a hint at the key that was meant: one that is spelled alike, or the same key in the section that has it."""
    key = str(location[-1])
    owner: type[BaseModel] | None = whole
    for step in location[:-1]:
        if isinstance(step, str) and owner is not None:
            field = owner.model_fields.get(step)
            owner = _part(field.annotation) if field is not None else None
    known = _keys(owner) if owner is not None else []
    if meant := _did_you_mean(key, known):
        return meant
    for section, field in whole.model_fields.items():
        part = _part(field.annotation)
        if part is not None and part is not owner and key in _keys(part):
            return f" (it belongs to {section}.{key})"
    return f" (known here: {', '.join(known)})" if known else ""


def _keys(part: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in part.model_fields.items()]


def _part(annotation: Any) -> type[BaseModel] | None:
    """Return the model class that a field holds, by itself or in a tuple."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _did_you_mean(given: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(given.lower(), choices, n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def toml_entry(key: str, value: Any) -> str:
    """Return `key = value` in TOML, of JSON types without null; a long list has one element a line.

    >>> toml_entry("margin", 0.05)
    'margin = 0.05'
    """
    line = f"{key} = {_toml(value)}"
    if isinstance(value, list) and value and (len(line) > _LINE_LENGTH or isinstance(value[0], dict)):
        return "\n".join([f"{key} = [", *(f"    {_toml(element)}," for element in value), "]"])
    return line


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(element) for element in value) + "]"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but TOML wants DEL escaped too.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
