"""Reads a chat template's syntax tree: what would reach out of the template, and what is not understood."""

from __future__ import annotations

import unicodedata
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
_INNER = frozenset(
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
    defined = _defined(tree)
    for count, node in enumerate(tree.find_all(nodes.Node)):
        if count > _MAX_NODES:
            say("too-much-work", node.lineno, "has more parts than any ordinary template")
            break
        _node(node, defined, say)
    return tree, findings


def _defined(tree: nodes.Template) -> set[str]:
    """Names that the template itself defines: macros, and what it sets."""
    names = {macro.name for macro in tree.find_all(nodes.Macro)}
    names |= {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    return names


def _node(node: nodes.Node, defined: set[str], say: Any) -> None:
    if isinstance(node, nodes.Getattr):
        if node.attr.startswith("_") or node.attr in _INNER:
            say("escape", node.lineno, f"takes the attribute {node.attr!r}: a way out of the template")
    elif isinstance(node, nodes.Const):
        if isinstance(node.value, str):
            _text(node.value, node.lineno, say)
    elif isinstance(node, nodes.TemplateData):
        _hidden(node.data, node.lineno, say)
    elif isinstance(node, nodes.Filter):
        if node.name == "attr":
            say("escape", node.lineno, "uses the filter attr: a way to attributes that the sandbox guards")
        elif node.name == "random":
            say("chance", node.lineno, "depends on chance")
        elif node.name in ("map", "selectattr", "rejectattr", "groupby", "sum", "sort", "min", "max", "unique"):
            _attribute(node, say)
    elif isinstance(node, nodes.Name):
        if node.ctx == "load" and node.name in _ESCAPES and node.name not in defined:
            say("escape", node.lineno, f"uses {node.name!r}, from which code can be reached")
    elif isinstance(node, nodes.Call):
        _call(node, defined, say)
    elif isinstance(node, nodes.If | nodes.CondExpr | nodes.Compare):
        asked = node.expr if isinstance(node, nodes.Compare) else node.test
        if any(isinstance(call.node, nodes.Name) and call.node.name == "strftime_now" for call in _calls(asked)):
            say("chance", node.lineno, "does something else on certain dates")
    elif isinstance(node, nodes.Getitem):
        if isinstance(name := folded(node.arg), str) and (name.startswith("__") or name in _INNER):
            say("escape", node.lineno, f"takes the item {name[:60]!r}: where there is none, Jinja takes the attribute")
    elif isinstance(node, nodes.Import | nodes.FromImport | nodes.Include | nodes.Extends):
        say("reaches-out", node.lineno, "includes another template")
    if isinstance(node, nodes.Concat | nodes.Add | nodes.Mul | nodes.Filter | nodes.Mod):
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
    _hidden(text, line, say)


def _hidden(text: str, line: int, say: Any) -> None:
    hidden = sorted(
        {letter for letter in text if letter in _SILENT or unicodedata.category(letter) in ("Cf", "Co", "Cn")}
    )
    if hidden:
        shown = ", ".join(f"U+{ord(letter):04X}" for letter in hidden[:6])
        say("invisible", line, f"holds characters that do not show: {shown}")


def _call(node: nodes.Call, defined: set[str], say: Any) -> None:
    called = node.node
    if isinstance(called, nodes.Name):
        if called.name not in FUNCTIONS and called.name not in defined and called.name not in _ESCAPES:
            say("unknown-call", node.lineno, f"calls {called.name!r}, which no loader offers")
    elif isinstance(called, nodes.Getattr):
        if called.attr not in METHODS and called.attr not in defined and not called.attr.startswith("_"):
            say("unknown-call", node.lineno, f"calls the method {called.attr!r}")
        elif called.attr in ("format", "format_map"):
            text = folded(called.node)
            if not isinstance(text, str) or "." in text or "[" in text:
                say("escape", node.lineno, "formats a text that can reach attributes")
    elif isinstance(called, nodes.Getitem):
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
        if isinstance(left, str) and left.count("%s") == len(items) == left.count("%"):
            for item in items:
                left = left.replace("%s", str(item), 1)
            value = left
    elif isinstance(node, nodes.List | nodes.Tuple):
        value = [folded(each, depth + 1) for each in node.items]
    elif isinstance(node, nodes.Filter) and node.node is not None:
        value = _filtered(node, depth)
    return value if not isinstance(value, str) or len(value) <= 500 else None


def _filtered(node: nodes.Filter, depth: int) -> Any:
    inner = folded(node.node, depth + 1) if node.node is not None else None
    arguments = [folded(each, depth + 1) for each in node.args]
    if node.name == "join" and isinstance(inner, list) and all(isinstance(each, str) for each in inner):
        glue = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        return glue.join(inner)
    if isinstance(inner, str):
        if node.name == "format" and inner.count("%") == inner.count("%s") == len(arguments):
            for argument in arguments:
                inner = inner.replace("%s", str(argument), 1)
            return inner
        if node.name == "reverse":
            return inner[::-1]
        if node.name == "lower":
            return inner.lower()
        if node.name == "replace" and len(arguments) >= 2 and all(isinstance(each, str) for each in arguments[:2]):
            return inner.replace(arguments[0], arguments[1])
    return None
