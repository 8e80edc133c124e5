"""Which parts of a condition decided, in the words of its author: what a reader needs to see what would change a ruling."""

from __future__ import annotations

from dataclasses import replace

from weighbridge.standards.cel.evaluation import Known, evaluate, truth
from weighbridge.standards.cel.syntax import Call, Expression, Node
from weighbridge.standards.cel.values import Unknown


def deciding(expression: Expression, known: Known) -> tuple[tuple[str, bool | Unknown], ...]:
    """Return the smallest parts that decided, each with its value: those that keep a condition from being true, or that make it so.

    Of `a && b` with `a` false and `b` true it is `a`; of `a || b` with both false it is both.

    >>> from weighbridge.standards.cel.syntax import parse
    >>> facts = {("a",): 3, ("b",): 1}
    >>> deciding(parse("a < 2 && b < 2"), lambda path: facts[path])
    (('a < 2', False),)
    """
    parts: dict[str, bool | Unknown] = {}
    _collect(expression, expression.root, _value(expression, expression.root, known), known, parts)
    return tuple(parts.items())


def _collect(
    expression: Expression, node: Node, value: bool | Unknown, known: Known, parts: dict[str, bool | Unknown]
) -> None:
    if isinstance(node, Call) and node.function in ("&&", "||"):
        values = [_value(expression, operand, known) for operand in node.operands]
        wanted = [one for one in values if one == value] if isinstance(value, bool) else []
        for operand, one in zip(node.operands, values, strict=True):
            if one == value if wanted else isinstance(one, Unknown):
                _collect(expression, operand, one, known, parts)
    elif isinstance(node, Call) and node.function == "?:":
        chosen = _value(expression, node.operands[0], known)
        if isinstance(chosen, Unknown):
            _collect(expression, node.operands[0], chosen, known, parts)
        else:
            _collect(expression, node.operands[1 if chosen else 2], value, known, parts)
    else:
        parts[expression.source(node)] = value


def _value(expression: Expression, node: Node, known: Known) -> bool | Unknown:
    return truth(evaluate(replace(expression, root=node), known))
