"""A Hugging Face model directory as a subject: what is in it, whether it is whole, and the digest over all of it.

Nothing in it is loaded or run. Which files count is said in `subject.model_files`; anything there that cannot be counted, as a link
out of the directory, is refused: what is weighed is what is in the directory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from weighbridge.errors import SubjectError, UsageError
from weighbridge.subject.front_matter import MAX_LENGTH, front_matter
from weighbridge.subject.magic import is_lfs_pointer
from weighbridge.subject.manifest import Progress, hash_files
from weighbridge.subject.model import Component, FoundFile, Subject, SubjectKind
from weighbridge.subject.model_files import model_files
from weighbridge.subject.release_files import WEIGHT_SUFFIXES
from weighbridge.subject.roots import root_of
from weighbridge.subject.safetensors_file import SafetensorsFile, read_safetensors
from weighbridge.subject.shown import shown

MAX_JSON_BYTES = 32 << 20  # indexes of the largest models have some 10 MB
NEEDED = "a model directory holds config.json, a tokenizer, and model*.safetensors or pytorch_model*.bin"

# The loader's own order: the first of these that is there names the weights.
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_TRAINING_STATE = ("training_args", "optimizer", "scheduler", "rng_state", "trainer_state", "scaler")
_TOKENIZER_STEMS = (
    "tokenizer",
    "vocab",
    "merges",
    "special_tokens_map",
    "added_tokens",
    "chat_template",
    "spiece",
    "sentencepiece",
)
_TOKENIZER_SUFFIXES = (".model", ".tiktoken", ".jinja", ".spm")
_LICENCE_STEMS = ("license", "licence", "copying", "notice", "use_policy", "terms")
_DOCUMENT_SUFFIXES = (".md", ".txt", ".pdf", ".rst", ".html", ".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp")
_COMPONENTS = ("model parameters", "tokenizer", "configuration", "code", "licence", "documents", "other")


def describe_directory(root: Path, *, reference: str, progress: Progress | None = None) -> Subject:
    """Return the model in the directory `root` as a subject; its digest is the root digest over all of its files.

    Raises `UsageError` when this is not the directory to name (no model in it, GGUF files only), `SubjectError` when its model is
    damaged or incomplete, `OSError` when it cannot be read.
    """
    root = root.resolve()
    top = {path.name for path in root.iterdir() if path.is_symlink() or not path.is_dir()}
    weights = next((name for name in _WEIGHTS if name in top), None)
    if "config.json" not in top or weights is None:
        raise _no_model(root, top)
    files = model_files(root)
    _refuse_pointers(files)
    config = _read_json(files["config.json"])
    tokenizer_config = _read_json(files["tokenizer_config.json"]) if "tokenizer_config.json" in files else {}
    if not any(_component(name) == "tokenizer" for name in files):
        raise SubjectError("a model without a tokenizer", where=str(root), do="add its tokenizer files")
    headers = _check_weights(root, files, weights)
    found = hash_files(files, progress)
    card = _card(files.get("README.md"))
    has_template = _has_chat_template(files, tokenizer_config)
    return Subject(
        kind=SubjectKind.HF_DIRECTORY,
        reference=reference,
        label=_label(root),
        digest=root_of({file.path: file.digest for file in found}),
        components=_components(found, card),
        architecture=_text(config.get("model_type")) or _text(_first(config.get("architectures"))),
        parameters=sum(sum(header.elements.values()) for header in headers) if headers else None,
        quantisation=_quantisation(config, headers),
        chat_template=has_template,
        notes=_notes(files, config, card, weights, has_template),
    )


def _no_model(root: Path, top: set[str]) -> UsageError | SubjectError:
    """Return the error that says what this directory is, if not a model's, and what to name instead."""
    where = str(root)
    ggufs = sorted(name for name in top if name.endswith(".gguf"))
    if ggufs:
        named = ", ".join(shown(name) for name in ggufs[:3]) + (", ..." if len(ggufs) > 3 else "")
        return UsageError("a directory of GGUF files", where=where, do=f"name one of them: {named}")
    if "adapter_config.json" in top:
        return SubjectError(
            "an adapter without its base model",
            where=where,
            do="merge it into its base model, or convert it to GGUF and give it with --adapter",
        )
    snapshots = root / "snapshots"
    if snapshots.is_dir() and (revisions := sorted(snapshots.iterdir())):
        return UsageError("a hub cache, not a model", where=where, do=f"name {revisions[-1]}")
    if "model_index.json" in top:
        return UsageError(
            "an image pipeline, not a language model", where=where, do="name a language model's directory"
        )
    if "config.json" in top:
        others = sorted(name for name in top if name.endswith(WEIGHT_SUFFIXES))
        held = f": only {', '.join(shown(name) for name in others[:3])}" if others else ""
        return SubjectError(f"config.json without weights that can be loaded{held}", where=where, do=NEEDED)
    if any(name.endswith(WEIGHT_SUFFIXES) for name in top):
        return SubjectError("weights without config.json", where=where, do=NEEDED)
    return UsageError("no model in this directory", where=where, do=NEEDED)


def _refuse_pointers(files: Mapping[str, Path]) -> None:
    """Raise `SubjectError` when a file is only Git LFS's stand-in for it. They are always small."""
    for path in files.values():
        if path.stat().st_size < 1024:
            with path.open("rb") as file:
                head = file.read(256)
            if is_lfs_pointer(head):
                raise SubjectError(
                    "a Git LFS pointer, not the file itself",
                    where=str(path),
                    do="fetch the files themselves with `git lfs pull`",
                )


def _check_weights(root: Path, files: Mapping[str, Path], weights: str) -> list[SafetensorsFile]:
    """Check that every file of the weights is there and whole; return the headers (none for PyTorch's pickles)."""
    names = [weights]
    index: dict[str, str] = {}
    if weights.endswith(".index.json"):
        index = _weight_map(files[weights])
        names = sorted(set(index.values()))
    missing = [name for name in names if name not in files]
    if missing:
        raise SubjectError(
            f"{len(missing)} of {len(names)} weight files missing: {', '.join(shown(name) for name in missing[:3])}"
            + (", ..." if len(missing) > 3 else ""),
            where=str(root),
            do="download every file that the index names",
        )
    empty = next((name for name in names if files[name].stat().st_size == 0), None)
    if empty is not None:
        raise SubjectError("the file is empty", where=str(root / empty), do="download it again")
    if not weights.startswith("model.safetensors"):
        return []
    headers = [read_safetensors(files[name]) for name in names]
    held = {name for header in headers for name in header.names}
    lost = sorted(set(index) - held)
    if lost:
        raise SubjectError(
            f"the index names {len(lost):,} tensors that no file holds, first {shown(lost[0])}",
            where=str(root / weights),
            do="download every file again",
        )
    return headers


def _weight_map(path: Path) -> dict[str, str]:
    weight_map = _read_json(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise SubjectError("an index without a weight_map", where=str(path), do="download it again")
    for name in weight_map.values():
        if not isinstance(name, str) or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise SubjectError(
                "an index that names files outside the directory", where=str(path), do="do not use this model"
            )
    return weight_map


def _read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises `SubjectError` when it is too large, not JSON, or another kind of value."""
    size_bytes = path.stat().st_size
    if size_bytes > MAX_JSON_BYTES:
        raise SubjectError(
            f"{size_bytes:,} bytes of JSON, more than any model has", where=str(path), do="download it again"
        )
    try:
        value = json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        place = f"{path} at line {error.lineno}, column {error.colno}"
        raise SubjectError(f"not valid JSON: {error.msg}", where=place, do="download it again") from None
    except (UnicodeDecodeError, RecursionError, ValueError):
        raise SubjectError("not valid JSON", where=str(path), do="download it again") from None
    if not isinstance(value, dict):
        raise SubjectError("JSON, but not an object", where=str(path), do="download it again")
    return value


def _has_chat_template(files: Mapping[str, Path], tokenizer_config: Mapping[str, Any]) -> bool:
    """Whether a chat template is in any of the places where Transformers looks for one."""
    if any(files[name].stat().st_size for name in ("chat_template.jinja", "chat_template.json") if name in files):
        return True
    if any(name.startswith("additional_chat_templates/") and name.endswith(".jinja") for name in files):
        return True
    return bool(tokenizer_config.get("chat_template"))


def _card(readme: Path | None) -> dict[str, Any]:
    """Return the metadata at the head of a model card; empty when there is none that can be read."""
    if readme is None:
        return {}
    with readme.open("rb") as file:
        return front_matter(file.read(4 * MAX_LENGTH).decode("utf-8", errors="replace"))


def _licence(card: Mapping[str, Any]) -> str | None:
    """Return the licence that the model card names. Hub cards write "other" beside the licence's own name."""
    named = _text(_first(card.get("license")))
    if named in (None, "other"):
        return _text(card.get("license_name")) or named
    return named


def _components(found: tuple[FoundFile, ...], card: Mapping[str, Any]) -> tuple[Component, ...]:
    """Return the files by what they are. The card's licence is the model's: weights, tokenizer and configuration carry it."""
    licence = _licence(card)
    return tuple(
        Component(name=name, files=files, licence=licence if name in _COMPONENTS[:3] else None)
        for name in _COMPONENTS
        if (files := tuple(file for file in found if _component(file.path) == name))
    )


def _component(name: str) -> str:
    """Return which component a file belongs to, by its name.

    >>> [_component(name) for name in ("model.safetensors", "tokenizer.json", "LICENSE", "config.json", "modeling_x.py")]
    ['model parameters', 'tokenizer', 'licence', 'configuration', 'code']
    """
    path = PurePosixPath(name.lower())
    base, suffix = path.name, path.suffix
    if base.startswith(_TRAINING_STATE):
        return "other"
    if suffix in WEIGHT_SUFFIXES or base.endswith(".index.json"):
        return "model parameters"
    if base.startswith(_LICENCE_STEMS):
        return "licence"
    if suffix == ".py":
        return "code"
    if base.startswith(_TOKENIZER_STEMS) or suffix in _TOKENIZER_SUFFIXES:
        return "tokenizer"
    if suffix in _DOCUMENT_SUFFIXES:
        return "documents"
    return "configuration" if suffix in (".json", ".yaml", ".yml") else "other"


def _label(root: Path) -> str:
    """Return the directory's name; for a hub cache the model's own name, which its folder spells with dashes."""
    repository = root.parent.parent.name
    if root.parent.name == "snapshots" and repository.startswith("models--"):
        return shown(repository.removeprefix("models--").replace("--", "/"))
    return shown(root.name)


def _quantisation(config: Mapping[str, Any], headers: list[SafetensorsFile]) -> str | None:
    """Return how the weights are stored: the configuration's word, else the type of most elements, else None."""
    declared = config.get("quantization_config")
    if isinstance(declared, dict) and (method := _text(declared.get("quant_method"))):
        bits = declared.get("bits")
        return f"{method} {bits} bit" if type(bits) is int else method
    elements: dict[str, int] = {}
    for header in headers:
        for kind, count in header.elements.items():
            elements[kind] = elements.get(kind, 0) + count
    if elements:
        return max(elements, key=lambda kind: (elements[kind], kind))
    return _text(config.get("torch_dtype")) or _text(config.get("dtype"))


def _notes(
    files: Mapping[str, Path],
    config: Mapping[str, Any],
    card: Mapping[str, Any],
    weights: str,
    has_template: bool,
) -> tuple[str, ...]:
    notes = []
    bases = card.get("base_model")
    named = [_text(base) for base in (bases if isinstance(bases, list) else [bases])]
    if any(named):
        notes.append(f"made from {', '.join(base for base in named if base)}, as its card says")
    if weights.startswith("pytorch_model"):
        notes.append("weights are Python pickles, which can carry code; their parameters were not counted")
    if config.get("auto_map") or any(name.endswith(".py") for name in files):
        notes.append("holds code of its own, which weighbridge does not run")
    if "adapter_config.json" in files:
        notes.append("holds an adapter as well, which the loader may apply to the model")
    if not has_template:
        notes.append("no chat template: a base model, or one that lost it")
    return tuple(notes)


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _text(value: object) -> str | None:
    return shown(value.strip()) if isinstance(value, str) and value.strip() else None
