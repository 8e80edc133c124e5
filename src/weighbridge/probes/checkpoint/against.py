"""One subject beside another: which tensors moved, and what else the model is told differently."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from weighbridge.probes.checkpoint.gguf import Length
from weighbridge.probes.checkpoint.report import Examined
from weighbridge.probes.checkpoint.stages import Gathered

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer_config.json",
)


def compare_subjects(mine: Gathered, other: Gathered) -> dict[str, Any]:
    """Return what `--against` says: the verdict on the weights with its evidence, and differences of templates and tokenizer."""
    from weighbridge.probes.checkpoint.weights.comparison import compare

    return {
        "digest": other.listing.digest({file.name: file.passed.sha256 for file in other.files if file.passed}),
        **compare(mine.statistics, other.statistics).as_json(),
        "templates": _differences(_templates(mine.parts), _templates(other.parts)),
        "tokenizer": _differences(_tokenizer(mine), _tokenizer(other)),
    }


class _Counted(str):
    """Says how many entries there are, and nothing of what they are."""


def _differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names that are the same, differ, are only here and only there; and those of which only the counts were seen to agree."""
    both = ours.keys() & theirs.keys()
    counted = {name for name in both if ours[name] == theirs[name] and isinstance(ours[name], _Counted)}
    return {
        "same": sorted(name for name in both - counted if ours[name] == theirs[name]),
        "not_compared": sorted(counted),
        "differ": sorted(name for name in both if ours[name] != theirs[name]),
        "only_here": sorted(ours.keys() - theirs.keys()),
        "only_there": sorted(theirs.keys() - ours.keys()),
    }


def _templates(parts: Sequence[Examined]) -> dict[str, str]:
    """Return the digest of every chat template by its name, wherever it lives."""
    from weighbridge.probes.checkpoint.templates import gather_templates

    return {template.name: hashlib.sha256(template.text.encode()).hexdigest() for template in gather_templates(parts)}


def _tokenizer(gathered: Gathered) -> dict[str, str]:
    """Return what identifies the tokenizer: digests of its files, and its keys in a GGUF file."""
    found = {
        file.name.rsplit("/", 1)[-1]: file.passed.sha256
        for file in gathered.files
        if file.passed and file.name.rsplit("/", 1)[-1] in _TOKENIZER_FILES
    }
    for part in gathered.parts:
        for key, value in part.metadata.items():
            if key.startswith("tokenizer.") and "chat_template" not in key:
                found[key] = _Counted(f"{value} entries") if isinstance(value, Length) else repr(value)
    return found
