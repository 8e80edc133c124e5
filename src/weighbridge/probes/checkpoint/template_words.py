"""What a template compares messages with: the words, and the numbers. They are what it may react to, and are tried."""

from __future__ import annotations

import re

import jinja2.nodes as nodes

from weighbridge.probes.checkpoint.template_syntax import folded

_LONGEST = 300
_MAX_NUMBERS = 16
# Names of roles and keys: compared with roles and keys, so they are tried last and in fewer ways.
KEYS = frozenset(
    [
        "role",
        "content",
        "system",
        "user",
        "assistant",
        "tool",
        "tools",
        "function",
        "functions",
        "type",
        "text",
        "image",
        "image_url",
        "video",
        "audio",
        "name",
        "arguments",
        "id",
        "parameters",
        "properties",
        "required",
        "description",
        "string",
        "object",
        "array",
        "number",
        "integer",
        "boolean",
        "developer",
        "ipython",
        "model",
        "human",
        "gpt",
        "tool_calls",
        "tool_response",
        "tool_call_id",
        "tool_call",
        "value",
        "observation",
        "documents",
        "document",
        "title",
        "reasoning",
        "reasoning_content",
        "thinking",
        "think",
        "low",
        "medium",
        "high",
        "default",
        "auto",
        "none",
        "true",
        "false",
        "null",
        "items",
        "enum",
        "anyOf",
        "additionalProperties",
        "const",
        "custom",
        "json",
        "input",
        "output",
        "call",
        "query",
        "media",
        "context",
        "message",
        "user_input",
    ]
)
_TAG = re.compile(r"\s*(?:[<\[{(/][^\n]{0,80}[>\])}]|</?[^\n]{0,80}|[|｜<>\[\]]+|/(?:no_)?think)\s*\Z")
_SEARCHES = frozenset(
    [
        "startswith",
        "endswith",
        "find",
        "rfind",
        "index",
        "count",
        "split",
        "rsplit",
        "replace",
        "partition",
        "rpartition",
        "removeprefix",
        "removesuffix",
        "get",
    ]
)
_COMPARING_TESTS = ("selectattr", "rejectattr", "select", "reject", "replace")


def compared_words(tree: nodes.Template) -> list[str]:
    """Return the texts that the template compares with, searches for or replaces, but for tags; keys and role names last."""
    found: dict[str, None] = {}

    def take(constant: object) -> None:
        if isinstance(constant, list):
            for each in constant:
                take(each)
        elif isinstance(constant, str):
            word = constant.strip()
            if (
                word
                and (len(word) >= 2 or not word.isalnum() or not word.isascii())
                and not _TAG.match(word)
                and len(word) < _LONGEST
            ):
                found.setdefault(word)

    def note(node: nodes.Node) -> None:
        for each in [node, *node.find_all((nodes.Const, nodes.Concat, nodes.Add, nodes.Filter, nodes.Mod, nodes.Call))]:
            take(folded(each))

    for compare in tree.find_all(nodes.Compare):
        note(compare.expr)
        for operand in compare.ops:
            note(operand.expr)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Getattr) and call.node.attr in _SEARCHES:
            for argument in call.args[:1]:
                note(argument)
    for filter_ in tree.find_all(nodes.Filter):
        if filter_.name in _COMPARING_TESTS:
            for argument in filter_.args or ():
                note(argument)
    for test in tree.find_all(nodes.Test):
        for argument in test.args or ():
            note(argument)
    for assign in tree.find_all(nodes.Assign):  # compared with by another name
        value = folded(assign.node)
        if isinstance(value, list) or (isinstance(value, str) and len(value) < 100):
            take(value)
    for macro in tree.find_all(nodes.Macro):
        for default in macro.defaults:
            note(default)
    for block in tree.find_all(nodes.AssignBlock):
        for data in block.find_all(nodes.TemplateData):
            if len(data.data) < 100:
                take(data.data)
    for literal in tree.find_all((nodes.List, nodes.Tuple, nodes.Dict)):
        note(literal)
    return sorted(found, key=lambda word: word in KEYS)


def compared_numbers(tree: nodes.Template) -> list[int]:
    """Return the whole numbers from 2 to 20,000 that the template compares with or cuts at: lengths and turns at which it may act."""
    numbers: dict[int, None] = {}
    for node in tree.find_all((nodes.Compare, nodes.Test, nodes.Slice)):
        for constant in node.find_all(nodes.Const):
            value = constant.value
            if isinstance(value, int) and not isinstance(value, bool) and 2 <= abs(value) <= 20_000:
                numbers.setdefault(abs(value))
    return sorted(numbers)[:_MAX_NUMBERS]
