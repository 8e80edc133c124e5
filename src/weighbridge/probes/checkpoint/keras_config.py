"""Walks the configuration of a Keras model for what would run or be read when it is loaded.

Source: keras/src/saving/serialization_lib.py; CVE-2024-3660 (Lambda), CVE-2025-1550 (modules and functions), CVE-2026-1462 (TFSMLayer).
"""

from __future__ import annotations

import json
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Examined, NotExamined
from weighbridge.probes.checkpoint.source import Source

_MOST_BYTES = 32 << 20
_DEEPEST = 200

# Where Keras keeps what a model is made of. Anything else that a configuration names is imported, or looked up, on loading.
_MODULES = (
    "keras.layers", "keras.models", "keras.optimizers", "keras.losses", "keras.metrics", "keras.initializers", "keras.regularizers",
    "keras.constraints", "keras.activations", "keras.src", "keras.applications", "keras.random", "keras.dtype_policies", "keras.quantizers",
    "keras.ops", "keras_hub", "keras_nlp", "keras_cv", "tf_keras.layers", "tf_keras.src",
    "tensorflow.keras", "tensorflow.python.keras", "builtins.none",
)  # fmt: skip
# Parts of Keras that do things instead of being parts of a model.
_ACTING = ("utils", "saving", "file_utils", "io_utils", "callbacks", "backend.config", "legacy.preprocessing", "export", "distribution", "wrappers", "datasets", "trainers.data_adapters")  # fmt: skip
_FILE_KEYS = ("vocabulary", "idf_weights", "filepath", "file_path", "vocabulary_file", "merges", "proto")
_KNOWN_KINDS = frozenset({"__tuple__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__keras_tensor__", "__typespec__", "__complex__", "__set__"})  # fmt: skip


def read_json(source: Source, into: Examined) -> Any:
    """Return the JSON in `source`, or None with a finding: depth and size are bounded first."""
    if source.size_bytes > _MOST_BYTES:
        into.not_examined.append(NotExamined(source.path, f"a configuration of {source.size_bytes:,} bytes"))
        return None
    raw = source.read(0, source.size_bytes)
    if _too_deep(raw):
        message = f"a configuration nested deeper than {_DEEPEST} levels"
        into.findings.append(found("keras.config", source.path, "config", message))
        into.not_examined.append(NotExamined(source.path, message))
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        into.findings.append(
            found("keras.config", source.path, "config", f"the configuration is not JSON: {str(error)[:80]}")
        )
        into.not_examined.append(NotExamined(source.path, "a configuration that is not JSON"))
        return None


def _too_deep(raw: bytes) -> bool:
    """Whether brackets are nested too deeply. Brackets in texts count too: no configuration comes near the limit."""
    depth = 0
    for byte in raw:
        if byte in b"{[":
            depth += 1
            if depth > _DEEPEST:
                return True
        elif byte in b"}]":
            depth -= 1
    return False


def examine_keras_config(config: Any, path: str, where: str, into: Examined, context: Context) -> None:
    """Walk a configuration of Keras 2 or 3, however nested, and say what loading it would do."""
    left: list[tuple[Any, str]] = [(config, where)]
    while left:
        node, place = left.pop()
        context.allowance.step()
        if isinstance(node, dict):
            _node(node, path, place, into)
            left += [(value, f"{place}.{key}"[:200]) for key, value in node.items() if isinstance(value, dict | list)]
            for key, value in node.items():
                if (
                    isinstance(value, str)
                    and value[:1] in "{["
                    and '"class_name"' in value
                    and len(value) < _MOST_BYTES
                ):
                    if _too_deep(value.encode()):
                        into.findings.append(
                            found("keras.config", path, place, "a nested configuration that is too deep")
                        )
                        continue
                    try:
                        left.append((json.loads(value), f"{place}.{key}"[:200]))
                    except (ValueError, RecursionError):
                        continue
        elif isinstance(node, list):
            left += [(value, f"{place}[{i}]"[:200]) for i, value in enumerate(node) if isinstance(value, dict | list)]


def _node(node: dict[str, Any], path: str, place: str, into: Examined) -> None:
    kind, module, registered = (node.get(key) for key in ("class_name", "module", "registered_name"))

    def say(rule: str, message: str) -> None:
        into.findings.append(found(f"keras.{rule}", path, place, message))

    if kind == "__lambda__":
        say("lambda", "a function stored as code")
    if isinstance(kind, str) and (kind == "Lambda" or kind.endswith(">Lambda")):
        say("lambda", "a Lambda layer: a function stored as code")
    elif isinstance(kind, str) and kind.rsplit(">", 1)[-1] == "TorchModuleWrapper":
        say("pickled-module", "a TorchModuleWrapper: Keras loads the pickle in it with torch.load")
    elif isinstance(kind, str) and kind.rsplit(">", 1)[-1] == "TFSMLayer":
        say("external-model", "a TFSMLayer: it loads another model from a path")
    if isinstance(module, str) and "class_name" in node and kind not in _KNOWN_KINDS:
        _module(module, kind, node, say)
    if node.get("function_type") == "lambda" or node.get("module_objects_type") == "lambda":
        say("lambda", "a function stored as code")
    config = node.get("config")
    if (
        kind == "function"
        and not isinstance(module, str)
        and isinstance(config, str)
        and not config.replace("_", "").isalnum()
    ):
        say("import", f"names the function {config!r}")
    if isinstance(registered, str) and ">" in registered and not registered.startswith(("keras", "builtins", "Keras")):
        say("custom-object", f"needs {registered!r}, an object of its author's own")
    if isinstance(config, dict):
        for key in _FILE_KEYS:
            value = config.get(key)
            if isinstance(value, str) and ("/" in value or "\\" in value or "://" in value):
                say("file", f"reads the file {value!r} on loading")


def _module(module: str, kind: Any, node: dict[str, Any], say: Any) -> None:
    name = node.get("config") if kind == "function" else kind
    parts = module.split(".")
    ours = any(module == known or module.startswith(known + ".") for known in _MODULES) or module in (
        "keras",
        "builtins",
    )
    if module == "builtins":
        ours = kind in ("function", "dict", "list", "tuple", "int", "float", "str", "bool", "NoneType") and (
            kind != "function" or name in ("relu", "linear", "softmax", "sigmoid", "tanh")
        )
    acting = ours and any(part in module for part in _ACTING) and len(parts) > 1
    if not ours or acting:
        say("import", f"imports {module!r} and takes {str(name)!r} from it")
