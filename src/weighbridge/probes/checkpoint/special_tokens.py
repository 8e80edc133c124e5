"""Looks across a directory's settings: do the special tokens exist in the vocabulary."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, Finding

_KEYS = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "decoder_start_token_id", "sep_token_id", "cls_token_id", "mask_token_id")  # fmt: skip

# Of the language model itself: vision towers and prompt encoders have embeddings of their own.
_EMBEDDING = re.compile(
    r"\A(?:(?:language_)?model\.(?:language_model\.)?)?(?:embed_tokens|tok_embeddings)\.weight\Z|\A(?:transformer\.)?wte\.weight\Z"
)


def examine_special_tokens(files: Sequence[Examined]) -> list[Finding]:
    """Return the ids in config.json and generation_config.json that lie outside of the vocabulary that config.json states, else tokenizer.json."""
    findings: list[Finding] = []
    settings = {file.path: file.metadata["json"] for file in files if isinstance(file.metadata.get("json"), dict)}
    for path, data in settings.items():
        folder, name = path.rpartition("/")[::2]
        if name not in ("config.json", "generation_config.json"):
            continue
        beside = f"{folder}/" if folder else ""
        size = _vocabulary(settings.get(f"{beside}config.json")) or _of_tokenizer(
            settings.get(f"{beside}tokenizer.json")
        )
        if size is None:
            continue
        for key in _KEYS:
            value = data.get(key)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, int) and not isinstance(each, bool) and each != -1 and not 0 <= each < size:
                    message = f"{each}, but the vocabulary has {size:,} tokens"
                    findings.append(found("tokens.special", path, key, message))
    return findings + _embeddings(files, settings)


def _embeddings(files: Sequence[Examined], settings: Mapping[str, Any]) -> list[Finding]:
    """An input embedding needs a row for every token that config.json speaks of."""
    findings = []
    for file in files:
        folder = file.path.rpartition("/")[0]
        size = _vocabulary(settings.get(f"{folder}/config.json" if folder else "config.json"))
        for region in file.regions if size is not None and file.format == "safetensors" else ():
            if _EMBEDDING.search(region.tensor) and len(region.shape) == 2 and region.shape[0] < (size or 0):
                message = f"{region.shape[0]:,} rows, but config.json speaks of {size:,} tokens"
                findings.append(found("tokens.embedding", file.path, region.tensor, message))
    return findings


def _vocabulary(config: Any) -> int | None:
    if not isinstance(config, dict):
        return None
    size = config.get("vocab_size")
    if size is None and isinstance(config.get("text_config"), dict):
        size = config["text_config"].get("vocab_size")
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None


def _of_tokenizer(tokenizer: Any) -> int | None:
    """Return one more than the largest id that a tokenizer.json gives."""
    model = tokenizer.get("model") if isinstance(tokenizer, dict) else None
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    added = tokenizer.get("added_tokens") if isinstance(tokenizer, dict) else None
    ids = [each.get("id") for each in added if isinstance(each, dict)] if isinstance(added, list) else []
    if isinstance(vocabulary, dict):
        ids += vocabulary.values()
    elif isinstance(vocabulary, list):
        ids.append(len(vocabulary) - 1)
    return max((each for each in ids if isinstance(each, int)), default=-1) + 1 or None
