"""What a person may name as MODEL or BASELINE, and how it becomes a subject that the engine can open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weighbridge.errors import UsageError
from weighbridge.subject.demo import (
    DEMO_MODELS,
    DEMO_NAMES,
    GUARDED,
    GUARDED_LABEL,
    GUARDED_NOTES,
    SMOLLM2,
    cache_folder,
    fetch_demo,
    guarded_adapter,
)
from weighbridge.subject.directory import describe_directory
from weighbridge.subject.document_folder import describe_documents
from weighbridge.subject.endpoint import parse_endpoint
from weighbridge.subject.locations import (
    DirectoryLocation,
    EndpointLocation,
    GGUFLocation,
    InspectLocation,
    Location,
    RecordedLocation,
    SearchLocation,
)
from weighbridge.subject.manifest import Progress
from weighbridge.subject.model import Subject, SubjectKind
from weighbridge.subject.model_file import describe_model_file
from weighbridge.subject.recorded import describe_recording
from weighbridge.subject.shown import shown

__all__ = [
    "DirectoryLocation",
    "EndpointLocation",
    "GGUFLocation",
    "InspectLocation",
    "Location",
    "RecordedLocation",
    "Resolved",
    "SearchLocation",
    "resolve",
]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_KINDS = (
    "a model is a .gguf file, a Hugging Face directory, http(s)://host:port/v1#model-name, inspect:NAME, "
    f"or one of {', '.join('demo:' + name for name in DEMO_NAMES)}; a baseline may also be search:FOLDER or recorded:FILE"
)


@dataclass(frozen=True)
class Resolved:
    """A subject and where it lies."""

    subject: Subject
    location: Location


def resolve(
    reference: str,
    *,
    adapter: Path | None = None,
    environ: Mapping[str, str],
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Resolved:
    """Return what `reference` names, hashed and described; nothing is asked of it and no engine is needed.

    `adapter` is a LoRA adapter in GGUF for a GGUF file. Keys and the place of the cache come from `environ`; `cache` overrides
    the latter. `progress` hears of what takes long: fetching and hashing. Raises `UsageError` for what the caller typed,
    `SubjectError` for what is wrong in the model's files, `EngineError` when a demo model cannot be fetched.

    >>> resolve("http://localhost:8080/v1#mistral", environ={}).subject.identity
    'endpoint:http://localhost:8080/v1#mistral'
    """
    reference = reference.strip()
    if not reference:
        raise UsageError("an empty reference", do=_KINDS)
    scheme = _SCHEME.match(reference)
    kind = scheme.group().lower() if scheme else ""
    if adapter is not None and kind in ("http", "https", "inspect", "demo", "search", "recorded"):
        what = "has an adapter of its own or none" if kind == "demo" else "is not a file"
        raise UsageError(f"--adapter goes with a GGUF file only, and this {what}", where=_named(reference), do=_KINDS)
    if kind in ("http", "https"):
        return _endpoint(reference, environ)
    if kind == "inspect":
        return _inspect(reference)
    if kind == "demo":
        return _demo(reference, cache or cache_folder(environ), progress)
    try:
        if kind == "search":
            return _search(reference, progress)
        if kind == "recorded":
            return _recorded(reference)
        return _path(reference, kind, adapter, progress)
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror or error}",
            where=str(error.filename or reference),
            do="check the path and its permissions",
        ) from error


def _endpoint(reference: str, environ: Mapping[str, str]) -> Resolved:
    location = parse_endpoint(reference, environ)
    host = location.base_url.partition("://")[2].partition("/")[0]
    subject = Subject(
        kind=SubjectKind.ENDPOINT,
        reference=f"{location.base_url}#{location.model}",
        label=f"{shown(location.model)} at {shown(host)}",
        digest=None,
        notes=("an endpoint has no digest: what answers under this name can change at any time",),
    )
    return Resolved(subject, location)


def _inspect(reference: str) -> Resolved:
    name = reference.partition(":")[2].strip()
    provider, slash, model = name.partition("/")
    if not (provider and slash and model and name.isprintable()):
        raise UsageError(
            "an Inspect model is named inspect:PROVIDER/MODEL", where=_named(reference), do="e.g. inspect:openai/gpt-4o"
        )
    subject = Subject(
        kind=SubjectKind.INSPECT,
        reference=f"inspect:{name}",
        label=shown(name),
        digest=None,
        notes=("a provider's model has no digest: what answers under this name can change at any time",),
    )
    return Resolved(subject, InspectLocation(name))


def _search(reference: str, progress: Progress | None) -> Resolved:
    folder = _named_by(reference, "search:FOLDER")
    subject = describe_documents(folder, reference=reference, progress=progress)
    (documents,) = subject.components
    return Resolved(subject, SearchLocation(folder.resolve(), {file.path: file.digest for file in documents.files}))


def _recorded(reference: str) -> Resolved:
    _named_by(reference, "recorded:FILE")
    subject, recording = describe_recording(reference.partition(":")[2].strip(), reference=reference)
    return Resolved(subject, RecordedLocation(recording))


def _named_by(reference: str, form: str) -> Path:
    """Return the path after the colon. Raises `UsageError` when there is none."""
    name = reference.partition(":")[2].strip()
    if not name:
        raise UsageError(f"nothing after the colon: it is {form}", where=_named(reference), do=_KINDS)
    return Path(name).expanduser()


def _demo(reference: str, cache: Path, progress: Progress | None) -> Resolved:
    name = reference.partition(":")[2].strip().lower()
    if name not in DEMO_NAMES:
        known = ", ".join("demo:" + known for known in DEMO_NAMES)
        raise UsageError("no such demo model", where=_named(reference), do=f"there are {known}")
    guarded = name == GUARDED
    model = SMOLLM2 if guarded else DEMO_MODELS[name]
    adapter = guarded_adapter() if guarded else None
    path = fetch_demo(model, cache, progress)
    subject = describe_model_file(
        path,
        reference=f"demo:{name}",
        adapter=adapter,
        label=GUARDED_LABEL if guarded else model.label,
        progress=progress,
    )
    notes = (GUARDED_NOTES if guarded else ()) + model.notes
    return Resolved(_with_terms(subject, model.licence, notes), GGUFLocation(path, adapter))


def _with_terms(subject: Subject, licence: str, notes: tuple[str, ...]) -> Subject:
    """Return the subject with the licence and the notes that its package gives, which say more than the file does."""
    components = tuple(
        component.model_copy(update={"licence": licence}) if component.name == "model parameters" else component
        for component in subject.components
    )
    return subject.model_copy(update={"components": components, "notes": notes + subject.notes})


def _path(reference: str, scheme: str, adapter: Path | None, progress: Progress | None) -> Resolved:
    path = Path(reference).expanduser()
    if path.is_dir():
        if adapter is not None:
            raise UsageError("--adapter goes with a GGUF file, not a directory", where=str(path), do="merge it first")
        return Resolved(describe_directory(path, reference=reference, progress=progress), DirectoryLocation(path))
    if not path.exists():
        raise _nothing_there(path, reference, scheme)
    if not path.is_file():
        raise UsageError("neither a file nor a directory", where=str(path), do=_KINDS)
    if adapter is not None and not adapter.exists():
        raise UsageError("no such adapter file", where=str(adapter), do="check the path after --adapter")
    if adapter is not None and adapter.is_dir():
        raise UsageError(
            "a directory, but an adapter is one GGUF file",
            where=str(adapter),
            do="convert it with llama.cpp's convert_lora_to_gguf.py",
        )
    subject = describe_model_file(path, reference=reference, adapter=adapter, progress=progress)
    return Resolved(subject, GGUFLocation(path, adapter))


def _nothing_there(path: Path, reference: str, scheme: str) -> UsageError:
    """Return the error for a path that is not there, with the likeliest slip."""
    if path.is_symlink():
        return UsageError("a link that leads nowhere", where=str(path), do="check where it points to")
    if scheme:
        return UsageError(f"no such file, and {scheme}: is not a kind of model", where=_named(reference), do=_KINDS)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", reference) and not path.parent.exists():
        return UsageError(
            "no such file or directory",
            where=_named(reference),
            do="a hub's model has to be downloaded first; " + _KINDS,
        )
    return UsageError("no such file or directory", where=_named(reference), do=_KINDS)


def _named(reference: str) -> str:
    return shown(reference, limit=200)
