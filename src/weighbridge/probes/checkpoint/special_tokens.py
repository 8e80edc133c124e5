"""Looks across a directory's settings: do the special tokens exist in the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, Finding

_KEYS = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "decoder_start_token_id", "sep_token_id", "cls_token_id", "mask_token_id")  # fmt: skip


def examine_special_tokens(files: Sequence[Examined]) -> list[Finding]:
    """Return the ids in config.json and generation_config.json that lie outside of the vocabulary that config.json states."""
    findings: list[Finding] = []
    settings = {file.path: file.metadata["json"] for file in files if isinstance(file.metadata.get("json"), dict)}
    for path, data in settings.items():
        folder, name = path.rpartition("/")[::2]
        if name not in ("config.json", "generation_config.json"):
            continue
        size = _vocabulary(settings.get(f"{folder}/config.json" if folder else "config.json"))
        if size is None:
            continue
        for key in _KEYS:
            value = data.get(key)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, int) and not isinstance(each, bool) and each != -1 and not 0 <= each < size:
                    message = f"{each}, but the vocabulary has {size:,} tokens"
                    findings.append(found("tokens.special", path, key, message))
    return findings


def _vocabulary(config: Any) -> int | None:
    if not isinstance(config, dict):
        return None
    size = config.get("vocab_size")
    if size is None and isinstance(config.get("text_config"), dict):
        size = config["text_config"].get("vocab_size")
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None
