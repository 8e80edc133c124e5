"""Names and types of an expression, before anything is evaluated: what would fail for every model is an error of its author.

CEL is gradually typed; here every name has a type, so a mistake shows at once. All that is wrong is told, each with its column.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from weighbridge.standards.cel.evaluation import FUNCTIONS, MAX_STEPS
from weighbridge.standards.cel.syntax import (
    RELATIONS,
    Call,
    CelError,
    Expression,
    Items,
    Literal,
    Macro,
    Name,
    Node,
    dotted,
    parse,
)


class Kind(StrEnum):
    """What a name or an expression is."""

    TRUTH = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TEXT = "text"
    TIME = "a time"
    DURATION = "a duration"
    LIST = "a list"
    NOTHING = "null"
    ANY = "anything"  # what cannot be told beforehand, such as a list's item


@dataclass(frozen=True)
class Named:
    """What is known of a name beforehand. `values`: the texts that it can be, empty where these are not closed."""

    kind: Kind
    values: frozenset[str] = frozenset()


class Names:
    """The names that a condition may read. A step of "*" in a declared name stands for any one step."""

    def __init__(self, declared: Mapping[tuple[str, ...], Named], what: str) -> None:
        self._declared = dict(declared)
        self._open = [path for path in declared if "*" in path]
        self.what = what

    def find(self, path: tuple[str, ...]) -> Named | None:
        """Return what is known of a name, or None when there is no such name."""
        found = self._declared.get(path)
        if found is not None:
            return found
        for pattern in self._open:
            if len(pattern) == len(path) and all(a in ("*", b) for a, b in zip(pattern, path, strict=True)):
                return self._declared[pattern]
        return None

    def parts(self, path: tuple[str, ...]) -> list[str]:
        """Return the names of which `path` is only the beginning."""
        return [dotted(one) for one in self._declared if one[: len(path)] == path and len(one) > len(path)]

    def nearest(self, path: tuple[str, ...]) -> list[str]:
        """Return up to three names that are spelled alike, nearest first."""
        written = {dotted(one): one for one in self._declared}
        given = dotted(path)
        close = difflib.get_close_matches(given, written, n=3, cutoff=0.6)
        if not close and len(path) > 1:  # the same last part under another family
            close = [name for name, one in written.items() if one[-1] == path[-1]][:3]
        return close


def compiled(text: str, names: Names, elsewhere: Names | None = None) -> tuple[Expression | None, list[CelError]]:
    """Return the expression, checked, and all that is wrong with it; None when it cannot even be read.

    `elsewhere`: names that exist but not here; such a name is told apart from one that is misspelled.
    """
    try:
        expression = parse(text)
    except CelError as error:
        return None, [error]
    if expression.steps > MAX_STEPS:
        return expression, [CelError(f"may take more than {MAX_STEPS:,} steps: shorten its lists", 0)]
    checker = _Checker(names, elsewhere)
    kind = checker.kind(expression.root, {})
    if kind not in (Kind.TRUTH, Kind.ANY) and not checker.problems:
        checker.problems.append(CelError(f"is {kind.value}, and must be true or false", 0))
    return expression, sorted(checker.problems, key=lambda problem: problem.column)


_NUMBERS = (Kind.WHOLE, Kind.NUMBER)
_MAX_HINTS = 10


class _Checker:
    def __init__(self, names: Names, elsewhere: Names | None) -> None:
        self._names, self._elsewhere = names, elsewhere
        self.problems: list[CelError] = []

    def kind(self, node: Node, variables: Mapping[str, Kind]) -> Kind:
        if isinstance(node, Literal):
            return _of_literal(node)
        if isinstance(node, Name):
            return self._of_name(node, variables)
        if isinstance(node, Items):
            for item in node.items:
                self.kind(item, variables)
            return Kind.LIST
        if isinstance(node, Macro):
            return self._of_macro(node, variables)
        kinds = [self.kind(operand, variables) for operand in node.operands]
        if node.function in ("==", "!="):
            self._closed(node)
        return self._of_call(node, kinds)

    def _fail(self, what: str, node: Node) -> Kind:
        self.problems.append(CelError(what, node.at))
        return Kind.ANY

    def _of_name(self, node: Name, variables: Mapping[str, Kind]) -> Kind:
        if node.path[0] in variables:
            return variables[node.path[0]] if len(node.path) == 1 else self._fail(f"{node.path[0]} has no parts", node)
        found = self._names.find(node.path)
        if found is not None:
            return found.kind
        if self._elsewhere is not None and (self._elsewhere.find(node.path) or self._elsewhere.parts(node.path)):
            return self._fail(f"{node.dotted} is {self._elsewhere.what}: it cannot be read here", node)
        parts = self._names.parts(node.path)
        if parts:
            return self._fail(f"{node.dotted} is only the beginning of a name: {_some(parts)}", node)
        meant = (
            self._names.nearest(node.path) if len(self.problems) < _MAX_HINTS else []
        )  # each takes a look at every name
        hint = f"; did you mean {_some(meant)}?" if meant else ""
        return self._fail(f"there is no {self._names.what} called {node.dotted}{hint}", node)

    def _of_macro(self, node: Macro, variables: Mapping[str, Kind]) -> Kind:
        over = self.kind(node.over, variables)
        if over not in (Kind.LIST, Kind.ANY):
            self._fail(f"{node.macro}() is for lists, not {over.value}", node)
        inner = {**variables, node.variable: Kind.ANY}
        body = self.kind(node.body, inner)
        if node.transform is not None:
            self.kind(node.transform, inner)
        if (node.macro != "map" or node.transform is not None) and body not in (Kind.TRUTH, Kind.ANY):
            self._fail(f"{node.macro}() asks something that is true or false, not {body.value}", node.body)
        return Kind.LIST if node.macro in ("map", "filter") else Kind.TRUTH

    def _of_call(self, node: Call, kinds: list[Kind]) -> Kind:
        name = node.function
        if name in ("&&", "||", "!"):
            for operand, kind in zip(node.operands, kinds, strict=True):
                if kind not in (Kind.TRUTH, Kind.ANY):
                    self._fail(f"{name} is for true or false, not {kind.value}", operand)
            return Kind.TRUTH
        if name == "?:":
            if kinds[0] not in (Kind.TRUTH, Kind.ANY):
                self._fail(f"? asks something that is true or false, not {kinds[0].value}", node.operands[0])
            return kinds[1] if kinds[1] == kinds[2] else Kind.ANY
        if name in RELATIONS:
            return self._of_relation(node, kinds)
        if name in ("+", "-", "*", "/", "%", "neg"):
            return self._of_sum(node, kinds)
        if name == "[]":
            if kinds[0] not in (Kind.LIST, Kind.ANY):
                self._fail(f"only a list has numbered items, not {kinds[0].value}", node)
            return Kind.ANY
        return self._of_function(node, kinds)

    def _of_relation(self, node: Call, kinds: list[Kind]) -> Kind:
        left, right = kinds
        if node.function == "in":
            if right not in (Kind.LIST, Kind.ANY):
                self._fail(f"in looks into a list, not into {right.value}", node)
            return Kind.TRUTH
        alike = Kind.ANY in kinds or left == right or (left in _NUMBERS and right in _NUMBERS)
        if not alike:
            self._fail(f"compares {left.value} with {right.value}", node)
        elif node.function not in ("==", "!=") and left in (Kind.LIST, Kind.NOTHING):
            self._fail(f"{left.value} has no order", node)
        return Kind.TRUTH

    def _of_sum(self, node: Call, kinds: list[Kind]) -> Kind:
        if Kind.ANY in kinds:
            return Kind.ANY
        found = set(kinds)
        if found <= set(_NUMBERS):
            return Kind.NUMBER if Kind.NUMBER in found else Kind.WHOLE
        if node.function == "+" and found in ({Kind.TEXT}, {Kind.LIST}, {Kind.DURATION}):
            return kinds[0]
        if node.function in ("+", "-") and found == {Kind.TIME, Kind.DURATION}:
            return Kind.TIME
        if node.function == "-" and found in ({Kind.TIME}, {Kind.DURATION}):
            return Kind.DURATION
        sign = "-" if node.function == "neg" else node.function
        return self._fail(f"{sign} is not for {' and '.join(kind.value for kind in kinds)}", node)

    def _of_function(self, node: Call, kinds: list[Kind]) -> Kind:
        name = node.function
        if name not in FUNCTIONS:
            close = difflib.get_close_matches(name, FUNCTIONS, n=1)
            hint = f"; did you mean {close[0]}()?" if close else f"; there are {', '.join(sorted(FUNCTIONS))}"
            return self._fail(f"there is no function {name}(){hint}", node)
        wanted = 2 if name in ("contains", "startsWith", "endsWith") else 1
        if len(kinds) != wanted or node.method != (wanted == 2 or (name == "size" and node.method)):
            call = f"TEXT.{name}(PART)" if wanted == 2 else f"{name}(VALUE)"
            return self._fail(f"write {call}", node)
        takes, gives = _SIGNATURES[name]
        for operand, kind in zip(node.operands, kinds, strict=True):
            if kind not in (*takes, Kind.ANY):
                self._fail(f"{name}() is not for {kind.value}", operand)
        return gives

    def _closed(self, node: Call) -> None:
        """Tell a text that a name can never be: with it the condition says nothing, or always the same."""
        for one, other in (node.operands, node.operands[::-1]):
            if not isinstance(one, Name) or not isinstance(other, Literal) or not isinstance(other.value, str):
                continue
            found = self._names.find(one.path)
            if found is not None and found.values and other.value not in found.values:
                close = difflib.get_close_matches(other.value, found.values, n=1, cutoff=0.5)
                hint = f"; did you mean {close[0]!r}?" if close else f"; it is one of {_some(sorted(found.values), 12)}"
                self._fail(f"{one.dotted} is never {other.value!r}{hint}", other)


def _of_literal(node: Literal) -> Kind:
    if node.value is None:
        return Kind.NOTHING
    return {bool: Kind.TRUTH, int: Kind.WHOLE, float: Kind.NUMBER, str: Kind.TEXT}[type(node.value)]


def _some(names: Iterable[str], limit: int = 3) -> str:
    found = list(names)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more


_SIGNATURES: dict[str, tuple[tuple[Kind, ...], Kind]] = {
    "size": ((Kind.TEXT, Kind.LIST), Kind.WHOLE),
    "contains": ((Kind.TEXT,), Kind.TRUTH),
    "startsWith": ((Kind.TEXT,), Kind.TRUTH),
    "endsWith": ((Kind.TEXT,), Kind.TRUTH),
    "int": ((Kind.TEXT, *_NUMBERS, Kind.TIME), Kind.WHOLE),
    "double": ((Kind.TEXT, *_NUMBERS), Kind.NUMBER),
    "string": ((Kind.TEXT, *_NUMBERS, Kind.TRUTH, Kind.TIME), Kind.TEXT),
    "bool": ((Kind.TRUTH,), Kind.TRUTH),
    "timestamp": ((Kind.TEXT, Kind.TIME), Kind.TIME),
    "duration": ((Kind.TEXT, Kind.DURATION), Kind.DURATION),
}
