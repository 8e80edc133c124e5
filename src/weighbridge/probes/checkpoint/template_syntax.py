"""Reads a chat template's syntax tree: what would reach out of the template, and what is not understood."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes as nodes
import jinja2.sandbox

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Finding, Template

# What transformers and llama.cpp offer to templates, and what Jinja itself does that is harmless.
FUNCTIONS = frozenset(
    {"raise_exception", "strftime_now", "range", "dict", "namespace", "caller", "super", "loop", "tojson"}
)
_ESCAPES = frozenset({"lipsum", "cycler", "joiner", "url_for", "get_flashed_messages", "request", "self", "application", "g", "session", "config"})  # fmt: skip
METHODS = frozenset(
    [
        "strip",
        "lstrip",
        "rstrip",
        "split",
        "rsplit",
        "splitlines",
        "startswith",
        "endswith",
        "replace",
        "upper",
        "lower",
        "title",
        "capitalize",
        "join",
        "find",
        "rfind",
        "index",
        "count",
        "items",
        "keys",
        "values",
        "get",
        "append",
        "extend",
        "pop",
        "insert",
        "update",
        "isdigit",
        "isalpha",
        "isupper",
        "islower",
        "zfill",
        "partition",
        "rpartition",
        "removeprefix",
        "removesuffix",
        "strftime",
        "copy",
        "format",
        "setdefault",
        "sort",
        "reverse",
        "isspace",
        "isalnum",
        "remove",
    ]
)
# What Jinja's own sandbox guards, and what frames, code and tracebacks lead to.
INNER = frozenset(
    set().union(
        jinja2.sandbox.UNSAFE_FUNCTION_ATTRIBUTES,
        jinja2.sandbox.UNSAFE_METHOD_ATTRIBUTES,
        jinja2.sandbox.UNSAFE_GENERATOR_ATTRIBUTES,
        jinja2.sandbox.UNSAFE_COROUTINE_ATTRIBUTES,
        jinja2.sandbox.UNSAFE_ASYNC_GENERATOR_ATTRIBUTES,
        (
            "mro",
            "f_globals",
            "f_builtins",
            "f_locals",
            "f_back",
            "tb_frame",
            "tb_next",
            "co_code",
            "im_func",
            "func_code",
            "func_globals",
        ),
    )
)
_SILENT = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\uffa0")
# Letters of Greek and Cyrillic that look like Latin ones, in one word with Latin ones.
_ALIKE = frozenset("аеорсухіјѕԁһԛԝАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧο")
_LETTERS = re.compile(r"[^\W\d_]+")
_MAX_NODES = 50_000


class Generation(jinja2.ext.Extension):
    """`{% generation %}`, with which templates mark the assistant's part; it renders what is inside."""

    tags = {"generation"}  # noqa: RUF012 - as the base class declares it

    def parse(self, parser: Any) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def examine_syntax(template: Template) -> tuple[nodes.Template | None, list[Finding]]:
    """Return the tree (None: it does not parse) and what is wrong with it."""
    findings: list[Finding] = []

    def say(rule: str, line: int, message: str) -> None:
        findings.append(found(f"template.{rule}", template.path, f"{template.where}, line {line}", message))

    environment = jinja2.Environment(  # noqa: S701 - a tree is parsed here and nothing is rendered
        extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do", Generation], trim_blocks=True, lstrip_blocks=True
    )
    try:
        tree = environment.parse(template.text)
    except jinja2.TemplateSyntaxError as error:
        say("syntax", error.lineno, f"does not parse: {error.message or 'a syntax error'}")
        return None, findings
    except (RecursionError, ValueError, OverflowError):
        say("syntax", 1, "is nested too deeply or holds an absurd number")
        return None, findings
    for line, text in enumerate(
        template.text.split("\n"), 1
    ):  # comments too: a reader of the template is deceived as well
        _hidden(text, line, say)
    defined = _defined(tree)
    for count, node in enumerate(tree.find_all(nodes.Node)):
        if count > _MAX_NODES:
            say("too-much-work", node.lineno, "has more parts than any ordinary template")
            break
        _node(node, defined, template.text, say)
    return tree, findings


@dataclass(frozen=True)
class _Defined:
    """Names that the template itself defines: macros and what it sets; `lists` are set to nothing but lists, of macros perhaps."""

    names: frozenset[str]
    lists: frozenset[str]


def _defined(tree: nodes.Template) -> _Defined:
    names = {macro.name for macro in tree.find_all(nodes.Macro)}
    names |= {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    lists: dict[str, bool] = {}
    for assign in tree.find_all(nodes.Assign):
        if isinstance(assign.target, nodes.Name):
            name = assign.target.name
            lists[name] = lists.get(name, True) and _is_list(assign.node, name)
    return _Defined(frozenset(names), frozenset(name for name, each in lists.items() if each))


def _is_list(node: nodes.Node, name: str) -> bool:
    """Whether this is a list, or lists added to the one called `name`."""
    if isinstance(node, nodes.Add):
        return _is_list(node.left, name) and _is_list(node.right, name)
    return isinstance(node, nodes.List) or (isinstance(node, nodes.Name) and node.name == name)


def _list_of_its_own(node: nodes.Getitem, defined: _Defined) -> bool:
    return isinstance(node.node, nodes.Name) and node.node.name in defined.lists


def _node(node: nodes.Node, defined: _Defined, source: str, say: Any) -> None:
    if isinstance(node, nodes.Getattr | nodes.NSRef):
        if node.attr.startswith("_") or node.attr in INNER:
            say("escape", node.lineno, f"takes the attribute {node.attr!r}: a way out of the template")
    elif isinstance(node, nodes.Const):
        if isinstance(node.value, str):
            _text(node.value, node.lineno, say)
            if node.value not in source:  # written with escapes
                _hidden(node.value, node.lineno, say)
    elif isinstance(node, nodes.Filter):
        if node.name == "attr":
            say("escape", node.lineno, "uses the filter attr: a way to attributes that the sandbox guards")
        elif node.name == "random":
            say("chance", node.lineno, "depends on chance")
        elif node.name in ("map", "selectattr", "rejectattr", "groupby", "sum", "sort", "min", "max", "unique"):
            _attribute(node, say)
    elif isinstance(node, nodes.Name):
        if node.ctx == "load" and node.name in _ESCAPES and node.name not in defined.names:
            say("escape", node.lineno, f"uses {node.name!r}, from which code can be reached")
    elif isinstance(node, nodes.Call):
        _call(node, defined, say)
    elif isinstance(node, nodes.If | nodes.CondExpr | nodes.Compare):
        asked = node.expr if isinstance(node, nodes.Compare) else node.test
        if any(isinstance(call.node, nodes.Name) and call.node.name == "strftime_now" for call in _calls(asked)):
            say("chance", node.lineno, "does something else on certain dates")
    elif isinstance(node, nodes.Getitem):
        if isinstance(name := folded(node.arg), str) and (name.startswith("__") or name in INNER):
            say("escape", node.lineno, f"takes the item {name[:60]!r}: where there is none, Jinja takes the attribute")
    elif isinstance(node, nodes.Import | nodes.FromImport | nodes.Include | nodes.Extends):
        say("reaches-out", node.lineno, "includes another template")
    if isinstance(node, nodes.Concat | nodes.Add | nodes.Mul | nodes.Filter | nodes.Mod | nodes.Call):
        constant = folded(node)
        if isinstance(constant, str) and "__" in constant:
            say("escape", node.lineno, f"puts the name {constant[:60]!r} together from parts")


def _calls(node: nodes.Node) -> list[nodes.Call]:
    return [*([node] if isinstance(node, nodes.Call) else []), *node.find_all(nodes.Call)]


def _attribute(node: nodes.Filter, say: Any) -> None:
    for part in [*(node.args or ()), *(each.value for each in node.kwargs or ())]:
        value = folded(part)
        if isinstance(value, str) and any(piece.startswith("_") for piece in value.split(".")):
            say("escape", node.lineno, f"takes the attribute {value[:60]!r}: a way out of the template")


def _text(text: str, line: int, say: Any) -> None:
    if "__" in text and any(piece[:1].isalpha() for piece in text.split("__")[1:2]):
        say("escape", line, f"names {text[:60]!r}, an inner attribute of Python")


def _hidden(text: str, line: int, say: Any) -> None:
    hidden = sorted({letter for at, letter in enumerate(text) if _does_not_show(text, at)})
    if hidden:
        shown = ", ".join(f"U+{ord(letter):04X}" for letter in hidden[:6])
        say("invisible", line, f"holds characters that do not show: {shown}")
    if not _ALIKE.isdisjoint(text):
        for word in _LETTERS.findall(text):
            if not _ALIKE.isdisjoint(word) and any(letter.isascii() for letter in word):
                say("look-alike", line, f"mixes letters of several alphabets in the word {word[:40]!r}")
                break


def _does_not_show(text: str, at: int) -> bool:
    """Whether the character at this place is invisible, or steers how others are shown, without need."""
    letter = text[at]
    if letter < "\x7f":
        return letter < " " and letter not in "\t\n\r\f"
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if "\ufe00" <= letter <= "\ufe0f":  # they choose the form of the sign before them
        return not before or not (
            unicodedata.category(before) in ("So", "Sm", "Po", "Lo") or before in "#*0123456789©®"
        )
    if letter in "\u200c\u200d":  # joiners have work to do in emoji and in many scripts
        return not all(side and side > "\u0590" for side in (before, after))
    return letter in _SILENT or "\U000e0100" <= letter <= "\U000e01ef" or unicodedata.category(letter) in ("Cf", "Co", "Cn", "Cc")  # fmt: skip


def _call(node: nodes.Call, defined: _Defined, say: Any) -> None:
    called = node.node
    if isinstance(called, nodes.Name):
        if called.name not in FUNCTIONS and called.name not in defined.names and called.name not in _ESCAPES:
            say("unknown-call", node.lineno, f"calls {called.name!r}, which no loader offers")
    elif isinstance(called, nodes.Getattr):
        if called.attr not in METHODS and called.attr not in defined.names and not called.attr.startswith("_"):
            say("unknown-call", node.lineno, f"calls the method {called.attr!r}")
        elif called.attr in ("format", "format_map"):
            text = folded(called.node)
            if not isinstance(text, str) or "." in text or "[" in text:
                say("escape", node.lineno, "formats a text that can reach attributes")
    elif isinstance(called, nodes.Getitem) and not _list_of_its_own(called, defined):
        say("escape", node.lineno, "calls something that it looks up by a computed name")
    elif isinstance(called, nodes.Call | nodes.Filter):
        say("escape", node.lineno, "calls what another call returned")


def folded(node: nodes.Node, depth: int = 0) -> Any:
    """Return the constant that an expression is, without running it; None where it is none or large."""
    if depth > 30:
        return None
    value: Any = None
    if isinstance(node, nodes.Const):
        value = node.value
    elif isinstance(node, nodes.Neg):
        inner = folded(node.node, depth + 1)
        value = -inner if isinstance(inner, int) else None
    elif isinstance(node, nodes.Concat):
        parts = [folded(part, depth + 1) for part in node.nodes]
        value = "".join(map(str, parts)) if all(isinstance(part, str | int) for part in parts) else None
    elif isinstance(node, nodes.Add):
        left, right = folded(node.left, depth + 1), folded(node.right, depth + 1)
        value = left + right if isinstance(left, str) and isinstance(right, str) else None
    elif isinstance(node, nodes.Mul):
        left, right = folded(node.left, depth + 1), folded(node.right, depth + 1)
        value = left * right if isinstance(left, str) and isinstance(right, int) and 0 <= right <= 16 else None
    elif isinstance(node, nodes.Mod):
        left = folded(node.left, depth + 1)
        items = [folded(each, depth + 1) for each in node.right.items] if isinstance(node.right, nodes.Tuple) else [folded(node.right, depth + 1)]  # fmt: skip
        value = _percent(left, items)
    elif isinstance(node, nodes.List | nodes.Tuple):
        value = [folded(each, depth + 1) for each in node.items]
    elif isinstance(node, nodes.Filter) and node.node is not None:
        value = _filtered(node, depth)
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        value = _called(node, node.node, depth)
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
        value = _sliced(node, node.arg, depth)
    return value if not isinstance(value, str) or len(value) <= 500 else None


def _filtered(node: nodes.Filter, depth: int) -> Any:
    inner = folded(node.node, depth + 1) if node.node is not None else None
    arguments = [folded(each, depth + 1) for each in node.args]
    if node.name == "join" and isinstance(inner, list) and all(isinstance(each, str) for each in inner):
        glue = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        return glue.join(inner)
    if isinstance(inner, str):
        if node.name == "format":
            return _percent(inner, arguments)
        if node.name == "reverse":
            return inner[::-1]
        if node.name in ("lower", "upper", "title", "capitalize", "trim"):
            return getattr(inner, {"trim": "strip"}.get(node.name, node.name))()
        if node.name == "replace" and len(arguments) >= 2 and all(isinstance(each, str) for each in arguments[:2]):
            return inner.replace(arguments[0], arguments[1])
    return None


def _percent(text: Any, items: list[Any]) -> str | None:
    """Return what `text % items` gives for plain fields."""
    if not isinstance(text, str) or not all(isinstance(item, str | int) for item in items):
        return None
    if re.sub(r"%[sc]", "", text).count("%") or len(re.findall(r"%[sc]", text)) != len(items):
        return None
    try:
        return text % tuple(items)
    except (TypeError, ValueError, OverflowError):
        return None


_PLAIN_METHODS = frozenset({"replace", "lower", "upper", "title", "capitalize", "swapcase", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "split", "rsplit", "join"})  # fmt: skip


def _called(node: nodes.Call, called: nodes.Getattr, depth: int) -> Any:
    """Return what a method of a constant text gives, for methods that only make texts."""
    text = folded(called.node, depth + 1)
    arguments = [folded(each, depth + 1) for each in node.args]
    if not isinstance(text, str) or node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
        return None
    if not all(isinstance(each, str | int | list) for each in arguments):
        return None
    plain = called.attr in _PLAIN_METHODS
    if not plain and not (called.attr == "format" and re.fullmatch(r"(?:[^{}]|\{\d*\})*", text)):
        return None
    try:
        return getattr(text, called.attr)(*arguments)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _sliced(node: nodes.Getitem, part: nodes.Slice, depth: int) -> Any:
    """Return a part of a constant text, or the text backwards."""
    text = folded(node.node, depth + 1)
    bounds = [None if each is None else folded(each, depth + 1) for each in (part.start, part.stop, part.step)]
    if (
        not isinstance(text, str)
        or any(each is not None and not isinstance(each, int) for each in bounds)
        or bounds[2] == 0
    ):
        return None
    return text[slice(*bounds)]
