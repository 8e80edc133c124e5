"""A tree over what is known: a value, bounds, or why there is none. Never raises for what a condition holds; bounded in steps.

The value of `&&` and `||` does not depend on the order (cel-spec, "Logical operators"): `false && unknown` is false. Every other
operation over something unknown is unknown. So what is known less of can only make a value unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from weighbridge.standards.cel.syntax import Call, Expression, Items, Literal, Macro, Name, Node, children
from weighbridge.standards.cel.values import Between, Unknown, between

Plain: TypeAlias = bool | int | float | str | datetime | timedelta | list[Any] | None
Value: TypeAlias = "Plain | Between | Unknown"
Known: TypeAlias = Callable[[tuple[str, ...]], Value]
"""Told a name; gives its value, or `Unknown` when there is no evidence of it."""

MAX_STEPS = 10_000
MAX_SIZE = 100_000  # characters, items
_INT = 2**63
_DURATION_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def evaluate(expression: Expression, known: Known) -> Value:
    """Return the value of an expression.

    >>> from weighbridge.standards.cel.syntax import parse
    >>> facts = {("a",): True, ("rate",): Between(0.02, 0.2)}
    >>> known = lambda path: facts.get(path, Unknown(absent=frozenset({path[0]})))
    >>> evaluate(parse("a || gone"), known)
    True
    >>> evaluate(parse("a && gone"), known).absent, evaluate(parse("rate < 0.1"), known).undecided
    (frozenset({'gone'}), frozenset({'rate'}))
    """
    if expression.steps > MAX_STEPS:
        return _fault(f"may take more than {MAX_STEPS:,} steps")
    return _Run(known).value(expression.root, {})


def truth(value: Value) -> bool | Unknown:
    """Return a condition's value as true, false or unknown: a condition that is no truth at all is a fault of the condition."""
    if isinstance(value, bool | Unknown):
        return value
    return _fault("is not a condition: it yields no true or false")


def names_of(node: Node) -> frozenset[str]:
    """Return the names that a part of a condition reads, macros' variables among them."""
    found: set[str] = set()
    level = [node]
    while level:
        found |= {one.dotted for one in level if isinstance(one, Name)}
        level = [child for one in level for child in children(one)]
    return frozenset(found)


def _fault(what: str) -> Unknown:
    return Unknown(faults=frozenset({what}))


class _Run:
    """One evaluation over what is known."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def value(self, node: Node, variables: Mapping[str, Value]) -> Value:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Name):
            return self._named(node, variables)
        if isinstance(node, Items):
            return self._items(node, variables)
        if isinstance(node, Macro):
            return self._macro(node, variables)
        if node.function in ("&&", "||"):
            return self._logical(node, variables)
        if node.function == "?:":
            condition = truth(self.value(node.operands[0], variables))
            if isinstance(condition, Unknown):
                return condition
            return self.value(node.operands[1 if condition else 2], variables)
        operands = [self.value(operand, variables) for operand in node.operands]
        if unknown := _together(operands):
            return unknown
        return self._applied(node, operands)

    def _named(self, node: Name, variables: Mapping[str, Value]) -> Value:
        if node.path[0] in variables:
            return variables[node.path[0]] if len(node.path) == 1 else _fault(f"{node.dotted} has no parts")
        return self._known(node.path)

    def _items(self, node: Items, variables: Mapping[str, Value]) -> Value:
        values = [self.value(item, variables) for item in node.items]
        return _together(values) or values

    def _logical(self, node: Call, variables: Mapping[str, Value]) -> Value:
        decides = node.function == "||"
        unknown = Unknown()
        for operand in node.operands:
            found = truth(self.value(operand, variables))
            if isinstance(found, Unknown):
                unknown |= found
            elif found is decides:
                return decides
        return unknown if unknown != Unknown() else not decides

    def _macro(self, node: Macro, variables: Mapping[str, Value]) -> Value:
        over = self.value(node.over, variables)
        if isinstance(over, Unknown):
            return over
        if not isinstance(over, list):
            return _fault(f"{node.macro}() is for lists")
        if node.macro == "map":
            return self._mapped(node, over, variables)
        found = [truth(self.value(node.body, {**variables, node.variable: item})) for item in over]
        unknown = Unknown()
        for one in found:
            if isinstance(one, Unknown):
                unknown |= one
        if node.macro in ("all", "exists"):
            decides = node.macro == "exists"
            if decides in found:
                return decides
            return unknown if unknown != Unknown() else not decides
        if unknown != Unknown():
            return unknown
        if node.macro == "exists_one":
            return found.count(True) == 1
        return [item for item, kept in zip(over, found, strict=True) if kept is True]

    def _mapped(self, node: Macro, over: list[Any], variables: Mapping[str, Value]) -> Value:
        made: list[Value] = []
        for item in over:
            inner = {**variables, node.variable: item}
            if node.transform is not None:
                kept = truth(self.value(node.body, inner))
                if isinstance(kept, Unknown):
                    return kept
                if not kept:
                    continue
            made.append(self.value(node.transform or node.body, inner))
        return _together(made) or made

    def _applied(self, node: Call, operands: list[Value]) -> Value:
        function = _FUNCTIONS.get(node.function)
        if function is None:
            return _fault(f"there is no function {node.function}()")
        try:
            found = function(*operands)
        except (TypeError, ValueError, OverflowError, ZeroDivisionError, IndexError, ArithmeticError) as error:
            return _fault(f"{node.function}: {error}")
        if found is None and node.function in _COMPARING:
            return Unknown(undecided=frozenset().union(*map(names_of, node.operands)))
        return _fault(f"{node.function}: more than {MAX_SIZE:,} parts") if _size(found) > MAX_SIZE else found


def _together(values: list[Value]) -> Unknown | None:
    """Return why not all of the values are there, or None when all are."""
    unknown: Unknown | None = None
    for value in values:
        if isinstance(value, Unknown):
            unknown = value if unknown is None else unknown | value
    return unknown


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | list) else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Between) and not isinstance(value, bool)


def _equal(left: Any, right: Any) -> bool | None:
    if _is_number(left) and _is_number(right):
        return between(left).equals(right) if isinstance(left, Between) or isinstance(right, Between) else left == right
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return False
        found = [_equal(one, other) for one, other in zip(left, right, strict=True)]
        return False if False in found else None if None in found else True
    if type(left) is not type(right):
        return False
    return bool(left == right)


def _unequal(left: Any, right: Any) -> bool | None:
    found = _equal(left, right)
    return None if found is None else not found


def _less(left: Any, right: Any) -> bool | None:
    if isinstance(left, Between) or isinstance(right, Between):
        if not (_is_number(left) and _is_number(right)):
            raise TypeError("compares a number with something else")
        return between(left).below(right)
    return bool(_ordered(left, right) < 0)


def _at_most(left: Any, right: Any) -> bool | None:
    if isinstance(left, Between) or isinstance(right, Between):
        if not (_is_number(left) and _is_number(right)):
            raise TypeError("compares a number with something else")
        return between(left).at_most(right)
    return bool(_ordered(left, right) <= 0)


def _ordered(left: Any, right: Any) -> int:
    if not (_is_number(left) and _is_number(right)) and type(left) is not type(right):
        raise TypeError("compares two different kinds of things")
    if isinstance(left, list) or left is None:
        raise TypeError("this has no order")
    return int(left > right) - int(left < right)


def _within(item: Any, items: Any) -> bool | None:
    if not isinstance(items, list):
        raise TypeError("looks for something in what is no list")
    found = [_equal(item, one) for one in items]
    return True if True in found else None if None in found else False


def _whole(value: int) -> int:
    if not -_INT <= value < _INT:
        raise OverflowError("a whole number that is too large")
    return value


def _sum(left: Any, right: Any) -> Any:
    if isinstance(left, Between) or isinstance(right, Between):
        one, other = between(left), between(right)
        return Between(one.low + other.low, one.high + other.high)
    return _calculated(left, right, lambda: left + right, (int, float, str, list, timedelta))


def _difference(left: Any, right: Any) -> Any:
    if isinstance(left, Between) or isinstance(right, Between):
        one, other = between(left), between(right)
        return Between(one.low - other.high, one.high - other.low)
    return _calculated(left, right, lambda: left - right, (int, float, timedelta))


def _product(left: Any, right: Any) -> Any:
    if isinstance(left, Between) or isinstance(right, Between):
        one, other = between(left), between(right)
        corners = [_times(a, b) for a in (one.low, one.high) for b in (other.low, other.high)]
        return Between(min(corners), max(corners))
    return _calculated(left, right, lambda: left * right, (int, float))


def _times(one: float, other: float) -> float:
    return 0.0 if one == 0 or other == 0 else one * other


def _quotient(left: Any, right: Any) -> Any:
    if isinstance(left, Between) or isinstance(right, Between):
        one, other = between(left), between(right)
        if other.low <= 0 <= other.high:
            raise ZeroDivisionError("divides by what may be 0")
        corners = [
            a / b if math.isfinite(a) or math.isfinite(b) else math.nan
            for a in (one.low, one.high)
            for b in (other.low, other.high)
        ]
        if any(math.isnan(corner) for corner in corners):
            raise ArithmeticError("cannot be bounded")
        return Between(min(corners), max(corners))
    if isinstance(left, int) and isinstance(right, int):  # towards 0, as CEL has it
        return _calculated(
            left, right, lambda: abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1), (int,)
        )
    if right == 0:
        raise ZeroDivisionError("divides by 0")
    return _calculated(left, right, lambda: left / right, (float,))


def _remainder(left: Any, right: Any) -> Any:
    return _calculated(
        left, right, lambda: int(math.copysign(abs(left) % abs(right), left)) if left else 0 % right, (int,)
    )


def _calculated(left: Any, right: Any, found: Callable[[], Any], kinds: tuple[type, ...]) -> Any:
    """Return the result of two values of one kind of those allowed; a time and a duration may be added and taken apart."""
    if isinstance(left, datetime) or isinstance(right, datetime):
        if not (isinstance(left, datetime | timedelta) and isinstance(right, datetime | timedelta)):
            raise TypeError("calculates with a time and something else")
    elif type(left) is not type(right) or isinstance(left, bool) or not isinstance(left, kinds):
        raise TypeError("calculates with two kinds of things: numbers with a point and whole ones do not mix")
    if _size(left) + _size(right) > MAX_SIZE:
        raise OverflowError(f"more than {MAX_SIZE:,} parts")
    result = found()
    return _whole(result) if isinstance(result, int) else result


def _negative(value: Any) -> Any:
    if isinstance(value, Between):
        return Between(-value.high, -value.low)
    if not _is_number(value):
        raise TypeError("only numbers have a negative")
    return _whole(-value) if isinstance(value, int) else -value


def _not(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("only true and false have an opposite")
    return not value


def _length(value: Any) -> int:
    if not isinstance(value, str | list):
        raise TypeError("only text and lists have a size")
    return len(value)


def _item(items: Any, index: Any) -> Any:
    if not isinstance(items, list) or not isinstance(index, int) or isinstance(index, bool):
        raise TypeError("only a list has numbered items")
    if not 0 <= index < len(items):
        raise IndexError("the list has no such item")
    return items[index]


def _of_text(function: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def applied(text: Any, part: Any) -> bool:
        if not (isinstance(text, str) and isinstance(part, str)):
            raise TypeError("is for texts")
        return function(text, part)

    return applied


def _to_int(value: Any) -> int:
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, bool) or not isinstance(value, int | float | str) or _size(value) > 40:
        raise TypeError("cannot be made a whole number")
    return _whole(int(value))


def _to_double(value: Any) -> float | Between:
    if isinstance(value, Between):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str) or _size(value) > 40:
        raise TypeError("cannot be made a number")
    return float(value)


def _to_string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if not isinstance(value, str | int | float):
        raise TypeError("cannot be made a text")
    return str(value)


def _to_timestamp(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or len(value) > 40:
        raise TypeError("is made of a text such as 2026-11-26T00:00:00Z")
    made = datetime.fromisoformat(value)
    if made.tzinfo is None:
        raise ValueError("a time without its zone: end it with Z")
    return made


def _to_duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if (
        not isinstance(value, str)
        or len(value) > 40
        or not re.fullmatch(r"-?(?:\d+(?:\.\d+)?(?:h|ms|us|ns|m|s))+", value)
    ):
        raise TypeError('is made of a text such as "36h" or "1.5s"')
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)", value)
    seconds = sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)
    return timedelta(seconds=-seconds if value[0] == "-" else seconds)


def _same(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("is not true or false")
    return value


_COMPARING = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "==": _equal,
    "!=": _unequal,
    "<": _less,
    "<=": _at_most,
    ">": lambda left, right: _less(right, left),
    ">=": lambda left, right: _at_most(right, left),
    "in": _within,
    "+": _sum,
    "-": _difference,
    "*": _product,
    "/": _quotient,
    "%": _remainder,
    "neg": _negative,
    "!": _not,
    "[]": _item,
    "size": _length,
    "contains": _of_text(lambda text, part: part in text),
    "startsWith": _of_text(str.startswith),
    "endsWith": _of_text(str.endswith),
    "int": _to_int,
    "double": _to_double,
    "string": _to_string,
    "bool": _same,
    "timestamp": _to_timestamp,
    "duration": _to_duration,
}
FUNCTIONS = frozenset(name for name in _FUNCTIONS if name.isidentifier() and name not in ("in", "neg"))
"""The functions that a condition may call."""
