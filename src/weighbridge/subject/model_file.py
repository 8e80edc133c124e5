"""A model in GGUF as a subject: one file, the parts of a split one, or either with an adapter."""

from __future__ import annotations

import re
from pathlib import Path

from weighbridge.errors import SubjectError, UsageError
from weighbridge.subject.adapters import check_adapter
from weighbridge.subject.gguf import GGUF, read_gguf
from weighbridge.subject.manifest import Progress, hash_files
from weighbridge.subject.model import Component, Subject, SubjectKind
from weighbridge.subject.roots import of_named_files
from weighbridge.subject.shown import shown

_PART_NAME = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<parts>\d{5})\.gguf")
_NOT_MODELS = {
    "adapter": ("a LoRA adapter, not a whole model", "give its base model, and this file with --adapter"),
    "mmproj": ("an image or audio projector, not a language model", "give the language model that it belongs to"),
    "imatrix": ("an importance matrix, not a model", "give the model that it was made for"),
}


def describe_model_file(
    path: Path,
    *,
    reference: str,
    adapter: Path | None = None,
    label: str | None = None,
    progress: Progress | None = None,
) -> Subject:
    """Return the model in the GGUF file `path`, with its `adapter` if given, as a subject.

    The digest of a single file is its SHA-256. An adapter, or the further parts of a split model, make it a root digest;
    files are then recorded under `model/` and `adapter/`, so that no file name decides their order.
    Raises `UsageError` when the file is not the one to name (an adapter, a later part), `SubjectError` when it is damaged or
    the adapter does not fit, `OSError` when it cannot be read.
    """
    model = read_gguf(path)
    _check_content(model)
    parts = _parts(model)
    tensors = tuple(tensor for part in parts for tensor in part.tensors)
    if not tensors:
        raise SubjectError(
            "holds no tensors: a vocabulary without a model", where=str(path), do="give the model's own GGUF file"
        )
    if model.architecture is None:
        raise SubjectError("does not name its architecture", where=str(path), do="convert the model again")
    lora = read_gguf(adapter) if adapter is not None else None
    if lora is not None:
        check_adapter(lora, model, tensors)

    folder = "" if lora is None and len(parts) == 1 else "model/"
    paths = {folder + part.path.name: part.path for part in parts}
    if lora is not None:
        paths["adapter/" + lora.path.name] = lora.path
    found = hash_files(paths, progress)
    weights = tuple(file for file in found if not file.path.startswith("adapter/"))
    components = [Component(name="model parameters", files=weights, licence=_licence(model))]
    if lora is not None:
        changes = tuple(file for file in found if file.path.startswith("adapter/"))
        components.append(Component(name="adapter", files=changes, licence=_licence(lora)))
    return Subject(
        kind=SubjectKind.GGUF,
        reference=reference,
        label=label or _label(model, lora),
        digest=of_named_files({file.path: file.digest for file in found}),
        components=tuple(components),
        architecture=shown(model.architecture),
        parameters=sum(tensor.elements for tensor in tensors),
        quantisation=_quantisation(model, parts),
        chat_template=bool(model.chat_templates),
        notes=_notes(model, parts, lora),
    )


def _check_content(model: GGUF) -> None:
    """Raise `UsageError` when a well-formed GGUF file holds something other than a language model."""
    content = "mmproj" if model.architecture == "clip" else model.content
    if content == "model":
        return
    what, do = _NOT_MODELS.get(
        content, (f"a GGUF file that holds a {shown(content)}, not a model", "give a model's file")
    )
    raise UsageError(what, where=str(model.path), do=do)


def _parts(model: GGUF) -> tuple[GGUF, ...]:
    """Return every part of a split model, or the one file of a whole one."""
    if model.split is None:
        return (model,)
    number, count = model.split
    named = _PART_NAME.fullmatch(model.path.name)
    if number != 0:
        first = f"{named['stem']}-00001-of-{named['parts']}.gguf" if named else "the first part"
        raise UsageError(f"part {number + 1} of {count} of a split model", where=str(model.path), do=f"name {first}")
    if named is None or int(named["number"]) != 1 or int(named["parts"]) != count:
        raise SubjectError(
            f"the first of {count} parts, but its name does not say where the others are",
            where=str(model.path),
            do=f"name the parts NAME-00001-of-{count:05}.gguf and so on, or merge them with llama-gguf-split",
        )
    parts = [model]
    for index in range(1, count):
        path = model.path.with_name(f"{named['stem']}-{index + 1:05}-of-{count:05}.gguf")
        if not path.exists():
            raise SubjectError(f"part {index + 1} of {count} is missing", where=str(path), do="download every part")
        part = read_gguf(path)
        if part.split != (index, count):
            raise SubjectError(
                f"is not part {index + 1} of {count}, as its name says", where=str(path), do="download it again"
            )
        parts.append(part)
    promised = model.count("split.tensors.count")
    held = sum(len(part.tensors) for part in parts)
    if promised is not None and promised != held:
        raise SubjectError(
            f"its {count} parts hold {held:,} tensors, not the {promised:,} that it promises",
            where=str(model.path),
            do="download every part again",
        )
    return tuple(parts)


def _label(model: GGUF, lora: GGUF | None) -> str:
    named = _PART_NAME.fullmatch(model.path.name)
    stem = shown(named["stem"] if named else model.path.stem)
    return stem if lora is None else f"{stem} with {shown(lora.path.stem)}"


def _licence(file: GGUF) -> str | None:
    return shown(file.licence) if file.licence else None


def _quantisation(model: GGUF, parts: tuple[GGUF, ...]) -> str | None:
    # The first part of a split model may hold no tensors to tell it from.
    return next((kind for part in (model, *parts) if (kind := part.quantisation)), None)


def _notes(model: GGUF, parts: tuple[GGUF, ...], lora: GGUF | None) -> tuple[str, ...]:
    notes = [note for part in parts for note in part.notes]
    if model.name and model.name != model.path.stem:
        notes.append(f"the file calls its model {shown(model.name)}")
    if model.base_models:
        notes.append(f"made from {', '.join(shown(name) for name in model.base_models)}, as the file says")
    if not model.chat_templates:
        notes.append("no chat template in the file: a base model, or one that lost it")
    elif len(model.chat_templates) > 1:
        notes.append(f"several chat templates: {shown(', '.join(model.chat_templates))}")
    if lora is not None:
        notes.append(f"a LoRA adapter of {lora.parameters:,} parameters is applied; without it this is another model")
        notes += lora.notes
    return tuple(notes)
