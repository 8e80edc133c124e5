"""Examines text files, the last resort: by content, with the name as a hint for which kind of text it is."""

from __future__ import annotations

import json
import re
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.media import has_model_name
from weighbridge.probes.checkpoint.object_texts import examine_json, examine_yaml
from weighbridge.probes.checkpoint.report import KEPT_BYTES, Examined, NotExamined
from weighbridge.probes.checkpoint.saved_model import examine_text
from weighbridge.probes.checkpoint.source import Source

_DEEPEST = 100
# What loaders read as settings. Those of large vocabularies and of many shards are longer than other texts that are kept.
_SETTINGS = re.compile(r"config\.json\Z|\.index\.json\Z|template\.json\Z|\Amodel_index\.json\Z")
_MAX_SETTINGS = 16 << 20
_KINDS = (
    ((".json", ".jsonl", ".ipynb", ".webmanifest"), "json"),
    ((".py", ".pyi", ".pth"), "python"),
    ((".jinja", ".jinja2", ".j2"), "jinja"),
    ((".md", ".rst"), "markdown"),
    ((".yaml", ".yml"), "yaml"),
    ((".toml", ".cfg", ".ini"), "settings"),
    ((".sh", ".bash", ".bat", ".cmd", ".ps1"), "script"),
    ((".html", ".htm", ".xml", ".svg"), "markup"),
)
_TAGS = re.compile(r"\s*(?:<\?xml|<!doctype|<html|<svg)", re.IGNORECASE)
_CONTROLS = bytes(set(range(32)) - {9, 10, 12, 13, 27})


def matches(source: Source, head: bytes) -> bool:
    """Whether the bytes are text: UTF-8 (or UTF-16 with its mark), with no control characters."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return source.size_bytes % 2 == 0 and _decodes(head[: len(head) // 2 * 2], "utf-16")
    if head.translate(None, _CONTROLS) != head:
        return False
    return _decodes(head, "utf-8") or (head.translate(None, bytes(range(128, 160))) == head and _mostly_ascii(head))


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        head.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 4 and error.start > 0  # cut in the middle of a character
    return True


def _mostly_ascii(head: bytes) -> bool:
    return sum(byte < 128 for byte in head) > 0.9 * len(head)


def examine(source: Source, into: Examined, context: Context) -> None:
    """Say which kind of text it is; keep small ones for the stages that look across files."""
    head = source.read(0, 4096)
    name = source.path.rsplit("!", 1)[-1].rsplit("/", 1)[-1].lower()
    text = head.decode("utf-8", "replace")
    into.format = next((kind for endings, kind in _KINDS if name.endswith(endings)), "text")
    if into.format == "text" and text.lstrip()[:1] in ("{", "[") and _parses(source):
        into.format = "json"
    if _TAGS.match(text):
        into.format = "markup"
    if has_model_name(source.path) and name.rsplit(".", 1)[-1] not in ("model",):
        message = f"{into.format} under a model's name"
        into.findings.append(found("file.wrong-name", source.path, "file", message))
    if source.size_bytes <= KEPT_BYTES:
        into.content = source.read(0, source.size_bytes)
        if into.format == "json" and not name.endswith((".jsonl", ".ipynb")):
            _json(into.content, source, into)
            _keras(source, into, context)
            examine_json(into.metadata.get("json"), into)
        elif into.format == "yaml":
            examine_yaml(into.content.decode("utf-8", "replace"), into)
        elif b"node" in into.content and b"op:" in into.content and name.endswith((".pbtxt", ".prototxt", ".txt")):
            examine_text(into.content.decode("utf-8", "replace"), source, into)
    elif into.format == "json" and _SETTINGS.search(name):
        if source.size_bytes <= _MAX_SETTINGS:
            _json(source.read(0, source.size_bytes), source, into)
        else:
            into.not_examined.append(NotExamined(source.path, f"settings of {source.size_bytes:,} bytes"))
    elif into.format == "json" and name == "tokenizer.json":
        into.metadata["tokenizer"] = _beginning(source.read(0, _MAX_SETTINGS))
    _controls(source, into, context)


def _beginning(raw: bytes) -> dict[str, Any]:
    """Return what a long tokenizer.json says in front of its vocabulary; {} where that cannot be read."""
    place = re.search(rb',\s*"model"\s*:\s*\{\s*"type"', raw)
    if place is None or nested_deeply(raw[: place.start()], _DEEPEST):
        return {}
    try:
        data = json.loads(raw[: place.start()] + b"}")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _parses(source: Source) -> bool:
    if source.size_bytes > KEPT_BYTES:
        return False
    try:
        json.loads(source.read(0, source.size_bytes))
    except (ValueError, RecursionError):
        return False
    return True


def _json(raw: bytes, source: Source, into: Examined) -> None:
    if nested_deeply(raw, _DEEPEST):
        message = f"nested deeper than {_DEEPEST} levels"
        into.findings.append(found("text.json", source.path, "file", message))
        into.not_examined.append(NotExamined(source.path, message))
        return
    doubled: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            keys = [key for key, _ in items]
            doubled.extend(sorted({key for key in keys if keys.count(key) > 1}) if len(keys) < 5000 else ["a key"])
        return made

    try:
        into.metadata["json"] = json.loads(raw, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        into.findings.append(found("text.json", source.path, "file", f"not JSON: {str(error)[:80]}"))
        into.not_examined.append(NotExamined(source.path, "JSON that cannot be read"))
        return
    for key in doubled[:10]:
        into.findings.append(
            found("text.duplicate-key", source.path, key, "stands twice: programs differ in which one they read")
        )


def _keras(source: Source, into: Examined, context: Context) -> None:
    """A Keras model's configuration may stand in a file of its own."""
    data = into.metadata.get("json")
    if isinstance(data, dict) and isinstance(data.get("class_name"), str) and "config" in data:
        from weighbridge.probes.checkpoint.keras_config import examine_keras_config

        examine_keras_config(data, source.path, "config", into, context)


def nested_deeply(raw: bytes, deepest: int) -> bool:
    """Whether brackets outside of strings are nested more deeply than `deepest`. Linear; nothing recurses.

    >>> nested_deeply(b'[[["]]]"]]]', 2), nested_deeply(b'{"a": [1]}', 2)
    (True, False)
    """
    if raw.count(b"{") + raw.count(b"[") <= deepest:
        return False
    depth = 0
    for piece in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', raw):
        byte = piece[0][:1]
        if byte in b"[{":
            depth += 1
            if depth > deepest:
                return True
        elif byte in b"]}":
            depth -= 1
    return False


def _controls(source: Source, into: Examined, context: Context) -> None:
    """Look for bytes of a binary behind a text's beginning: a text all through has none."""
    at = 4096
    while at < source.size_bytes:
        context.allowance.step(10)
        data = source.read(at, 1 << 20)
        if (place := _first_control(data)) is not None:
            message = "a text that goes on as something binary"
            into.findings.append(found("text.binary", source.path, f"byte {at + place}", message))
            into.not_examined.append(NotExamined(source.path, f"what lies behind byte {at + place}"))
            return
        at += len(data)


def _first_control(data: bytes) -> int | None:
    if data.translate(None, _CONTROLS) == data:
        return None
    return next(index for index, byte in enumerate(data) if byte in _CONTROLS)
