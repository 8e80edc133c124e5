"""Looks at what tokenizer.json does to text before and after the model: rules that rewrite words change what it is told, or what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, Finding

_STEPS = ("normalizer", "pre_tokenizer", "decoder")
_WORDS = re.compile(r"[^\W\d_]{2,}")
_CLASSES = re.compile(r"\\[pP]\{[^}]*\}|\\[a-zA-Z]|\[:\^?\w+:\]|\(\?[a-zA-Z]+[:)]|\\u[0-9a-fA-F]{4}")
_MAX_STEPS = 1000


def examine_tokenizers(files: Sequence[Examined]) -> list[Finding]:
    """Return the steps that replace words. Replacing spaces, quotes and signs of spacing is ordinary."""
    findings: list[Finding] = []
    for file in files:
        if file.path.rsplit("/", 1)[-1] != "tokenizer.json":
            continue
        data = file.metadata.get("json") or file.metadata.get("tokenizer")
        if not isinstance(data, dict):
            continue
        for name in _STEPS:
            for pattern, content in _replaced(data.get(name)):
                message = f"replaces {pattern[:80]!r} by {content[:80]!r}"
                findings.append(found("tokens.rewrites", file.path, name, message))
    return findings


def _replaced(step: Any) -> Iterator[tuple[str, str]]:
    """Yield (pattern, content) of the replacements in which either holds a word."""
    left, steps = [step], 0
    while left and steps < _MAX_STEPS:
        node = left.pop()
        steps += 1
        if isinstance(node, list):
            left += node
        elif isinstance(node, dict):
            left += [value for value in node.values() if isinstance(value, dict | list)]
            pattern = node.get("pattern")
            if node.get("type") != "Replace" or not isinstance(pattern, dict):
                continue
            text = str(pattern.get("String") or pattern.get("Regex") or "")
            plain = text if "String" in pattern else _CLASSES.sub(" ", text)
            content = str(node.get("content") or "")
            if _WORDS.search(plain) or _WORDS.search(content):
                yield text, content
