"""Finds texts that name Python objects to make: tags of YAML, keys of jsonpickle, nodes of skops. Their unsafe loaders call them.

Source: PyYAML (UnsafeLoader), jsonpickle.tags, skops.io (schema.json).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from weighbridge.probes.checkpoint.allowed_globals import policy
from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined

_YAML = re.compile(r"!!python/(?:object|module|name)[\w/:.]*|!<tag:yaml\.org,2002:python/(?:object|module|name)[^>]*>")
_JSONPICKLE = ("py/object", "py/reduce", "py/function", "py/type", "py/newobj", "py/newargsex", "py/repr")
_MOST = 50


def examine_yaml(text: str, into: Examined) -> None:
    """Say which Python objects a YAML file names."""
    for tag in list(dict.fromkeys(match[0] for match in _YAML.finditer(text)))[:_MOST]:
        line = text.count("\n", 0, text.find(tag)) + 1
        message = f"the tag {tag}: an unsafe YAML loader makes or calls it"
        into.findings.append(found("text.object", into.path, f"line {line}", message))


def examine_json(data: Any, into: Examined) -> None:
    """Say which Python objects a JSON file names for jsonpickle or skops, beyond those that a pickle may name."""
    for message in list(dict.fromkeys(_named(data)))[:_MOST]:
        into.findings.append(found("text.object", into.path, "file", message))


def _named(data: Any) -> Iterator[str]:
    rules = policy()
    left = [data]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            for key in _JSONPICKLE:
                if isinstance(node.get(key), str) and not rules.allows(*_split(node[key])):
                    yield f"the key {key!r} names {node[key]!r}, which jsonpickle makes or calls"
            module, name, loader = (node.get(key) for key in ("__module__", "__class__", "__loader__"))
            if isinstance(module, str) and isinstance(name, str) and isinstance(loader, str):
                inner = node.get("content")
                if loader == "FunctionNode" and isinstance(inner, dict) and isinstance(inner.get("module_path"), str):
                    module, name = inner["module_path"], str(inner.get("function"))
                if not rules.allows(module, name) and not (module == "builtins" and name in ("NoneType", "type")):
                    yield f"names {module}.{name}, which skops makes or calls once it is trusted"
            left += [value for value in node.values() if isinstance(value, dict | list)]
        elif isinstance(node, list):
            left += [value for value in node if isinstance(value, dict | list)]


def _split(dotted: str) -> tuple[str, str]:
    module, _, name = dotted.rpartition(".")
    return module, name
