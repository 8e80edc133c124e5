"""The components of a release, by the openness frameworks' names, and which of them a model's files hold. Format: docs/formats/openness.md.

Nothing is loaded or run; of each file at most `MAX_READ_BYTES` are read. Precision goes before recall: a file counts when its name says what it is and
its content does not belie it. What is not found is "not found here": it may be published elsewhere, which only the provider can say.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from weighbridge.digests import Digest, digest_json
from weighbridge.errors import SubjectError
from weighbridge.subject.gguf import GGUF, read_gguf
from weighbridge.subject.licences import MAX_TEXT_BYTES, ContentKind, licence_id, recognise_text, same_licence
from weighbridge.subject.magic import is_lfs_pointer
from weighbridge.subject.model import Subject, SubjectKind
from weighbridge.subject.model_files import model_files
from weighbridge.subject.shown import shown

MAX_READ_BYTES = 1 << 18
MAX_FILES_READ = 2_000  # of one component; beyond that, licences that files name themselves are not known
LISTED_FILES = 50
MIN_WORDS = 50  # of prose, below which a document is a stub: our choice
MAX_FRONT_MATTER_LENGTH = 1 << 16
_TAG = re.compile(r"SPDX-License-Identifier:[ \t]*([A-Za-z0-9(][A-Za-z0-9.:+() -]{0,198}[A-Za-z0-9.+)])")


class Framework(StrEnum):
    """Who asks for a component."""

    MOF = "MOF"  # Model Openness Framework 1.0
    OSAID = "OSAID"  # Open Source AI Definition 1.0, its checklist
    EOSAI = "EOSAI"  # European Open Source AI Index
    ARTICLE = "Meta's list"  # the list of the article that this project grew from


class ComponentId(StrEnum):
    """A component of a release. Closed: a new one is a change of the format. The first 17 are the Model Openness Framework's."""

    ARCHITECTURE = "architecture"
    PARAMETERS_FINAL = "parameters_final"
    EVALUATION_RESULTS = "evaluation_results"
    MODEL_CARD = "model_card"
    DATA_CARD = "data_card"
    TECHNICAL_REPORT = "technical_report"
    SAMPLE_OUTPUTS = "sample_outputs"
    TRAINING_CODE = "training_code"
    INFERENCE_CODE = "inference_code"
    EVALUATION_CODE = "evaluation_code"
    EVALUATION_DATA = "evaluation_data"
    SUPPORTING_LIBRARIES = "supporting_libraries"
    DATASETS = "datasets"
    PREPROCESSING_CODE = "preprocessing_code"
    PARAMETERS_INTERMEDIATE = "parameters_intermediate"
    RESEARCH_PAPER = "research_paper"
    MODEL_METADATA = "model_metadata"
    DATA_INFORMATION = "data_information"
    PARAMETERS_BASE = "parameters_base"
    TUNING_DATA = "tuning_data"
    BENCHMARK_CODE = "benchmark_code"
    OPTIMIZER_STATE = "optimizer_state"
    CODE_DOCUMENTATION = "code_documentation"
    HARDWARE_ARCHITECTURE = "hardware_architecture"
    PACKAGE = "package"
    API = "api"
    PROGRAMMING_LANGUAGES = "programming_languages"
    TOKENIZER = "tokenizer"
    ADAPTER = "adapter"

    @property
    def about(self) -> About:
        """What is known of the component whatever the model."""
        return ABOUT[self]


@dataclass(frozen=True)
class About:
    """A component's name for people, its kind of content, and who asks for it, under which name."""

    label: str
    kind: ContentKind
    asked_by: Mapping[Framework, str]


def _about(label: str, kind: ContentKind, mof: str = "", osaid: str = "", eosai: str = "", article: str = "") -> About:
    names = {Framework.MOF: mof, Framework.OSAID: osaid, Framework.EOSAI: eosai, Framework.ARTICLE: article}
    return About(label, kind, {framework: name for framework, name in names.items() if name})


_CODE, _DATA, _DOCUMENT = ContentKind
ABOUT: Mapping[ComponentId, About] = {
    ComponentId.ARCHITECTURE: _about("Model architecture", _CODE, "Model architecture", "architecture"),
    ComponentId.PARAMETERS_FINAL: _about(
        "Final parameters", _DATA, "Model parameters (final)", "parameters", "end-user model weights"
    ),
    ComponentId.EVALUATION_RESULTS: _about(
        "Evaluation results", _DOCUMENT, "Evaluation results", "evaluation results (optional)"
    ),
    ComponentId.MODEL_CARD: _about("Model card", _DOCUMENT, "Model card", "model card (optional)", "model card"),
    ComponentId.DATA_CARD: _about("Data card", _DOCUMENT, "Data card", "data card (for data information)", "datasheet"),
    ComponentId.TECHNICAL_REPORT: _about(
        "Technical report", _DOCUMENT, "Technical report", "technical report (for data information)", "preprint"
    ),
    ComponentId.SAMPLE_OUTPUTS: _about(
        "Sample outputs", _DOCUMENT, "Sample model outputs (optional)", "sample outputs (optional)"
    ),
    ComponentId.TRAINING_CODE: _about(
        "Training code", _CODE, "Training code", "training, validation and testing code", "training code"
    ),
    ComponentId.INFERENCE_CODE: _about("Inference code", _CODE, "Inference code", "inference code"),
    ComponentId.EVALUATION_CODE: _about("Evaluation code", _CODE, "Evaluation code", "evaluation code (optional)"),
    ComponentId.EVALUATION_DATA: _about("Evaluation data", _DATA, "Evaluation data", "evaluation data (optional)"),
    ComponentId.SUPPORTING_LIBRARIES: _about(
        "Supporting libraries and tools",
        _CODE,
        "Supporting libraries and tools (optional)",
        "supporting libraries and tools",
    ),
    ComponentId.DATASETS: _about("Datasets", _DATA, "Datasets", "datasets (for data information)", "base model data"),
    ComponentId.PREPROCESSING_CODE: _about(
        "Data preprocessing code", _CODE, "Data preprocessing code", "data preprocessing code"
    ),
    ComponentId.PARAMETERS_INTERMEDIATE: _about(
        "Intermediate parameters", _DATA, "Model parameters (intermediate)", "intermediate checkpoints (an example)"
    ),
    ComponentId.RESEARCH_PAPER: _about(
        "Research paper", _DOCUMENT, "Research paper", "research paper (for data information)", "paper"
    ),
    ComponentId.MODEL_METADATA: _about(
        "Model metadata", _DATA, "Model metadata (optional)", "model metadata (optional)"
    ),
    ComponentId.DATA_INFORMATION: _about("Data information", _DOCUMENT, osaid="data information"),
    ComponentId.PARAMETERS_BASE: _about("Base model's parameters", _DATA, eosai="base model weights"),
    ComponentId.TUNING_DATA: _about("Tuning data", _DATA, eosai="end-user model data"),
    ComponentId.BENCHMARK_CODE: _about("Code that runs benchmarks", _CODE, osaid="benchmark inference code (optional)"),
    ComponentId.OPTIMIZER_STATE: _about("Optimizer state", _DATA, osaid="final optimizer state (an example)"),
    ComponentId.CODE_DOCUMENTATION: _about("Documentation of the code", _DOCUMENT, eosai="code documentation"),
    ComponentId.HARDWARE_ARCHITECTURE: _about("Description of the hardware", _DOCUMENT, eosai="hardware architecture"),
    ComponentId.PACKAGE: _about("Package", _CODE, eosai="package"),
    ComponentId.API: _about("API and meta prompts", _CODE, eosai="API and meta prompts"),
    ComponentId.PROGRAMMING_LANGUAGES: _about("Programming languages", _CODE, article="programming languages"),
    ComponentId.TOKENIZER: _about("Tokenizer", _DATA),
    ComponentId.ADAPTER: _about("Adapter", _DATA),
}


class LicenceClaim(BaseModel):
    """What one place in the files says of a licence: the `name` as it is written there, fit to be shown, and the place."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1, max_length=600)
    source: str = Field(min_length=1, max_length=600)


class ComponentFound(BaseModel):
    """One component as found: its files (the first `LISTED_FILES` of `file_count`), and the licence that holds for all of them.

    `licence` None: no place says one, or not for every file, or two places disagree; `licence_note` says which. `note` says what the find amounts to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    component: ComponentId
    files: tuple[str, ...] = Field(min_length=1, max_length=LISTED_FILES)
    file_count: int = Field(ge=1)
    licence: str | None = None
    claims: tuple[LicenceClaim, ...] = ()
    disagree: bool = False
    licence_note: str = ""
    note: str = ""


class FoundComponents(BaseModel):
    """Everything that was found in one subject's files. One record: `seal` covers all of it, so nothing can be taken out unseen.

    `complete` False: not every file was looked into, so what is not listed may be there all the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_: Literal["weighbridge.components/1"] = Field(default="weighbridge.components/1", alias="schema")
    subject: str = Field(min_length=1, max_length=500)
    components: tuple[ComponentFound, ...] = ()
    passed_over: tuple[str, ...] = ()
    complete: bool
    seal: Digest

    @model_validator(mode="after")
    def _whole(self) -> FoundComponents:
        if self.seal != _seal(self.subject, self.components, self.passed_over, self.complete):
            raise ValueError("the seal does not fit: the record was changed since the files were read")
        if len({found.component for found in self.components}) < len(self.components):
            raise ValueError("a component is there twice")
        return self

    def find(self, component: ComponentId) -> ComponentFound | None:
        """Return a component as found, or None: not found here."""
        return next((found for found in self.components if found.component is component), None)


def sealed(
    subject: str,
    components: Iterable[ComponentFound] = (),
    passed_over: Iterable[str] = (),
    *,
    complete: bool = True,
) -> FoundComponents:
    """Return the record of what was found in the files of `subject` (its identity). Nothing at all, for an endpoint."""
    order = list(ComponentId)
    parts = tuple(sorted(components, key=lambda found: order.index(found.component)))
    over = tuple(passed_over)
    return FoundComponents(
        subject=subject,
        components=parts,
        passed_over=over,
        complete=complete,
        seal=_seal(subject, parts, over, complete),
    )


def _seal(subject: str, components: tuple[ComponentFound, ...], passed_over: tuple[str, ...], complete: bool) -> str:
    return digest_json([subject, [found.model_dump(mode="json") for found in components], list(passed_over), complete])


def find_in(place: Path, *, subject: str, adapter: Path | None = None) -> FoundComponents:
    """Return the components in a model directory or a GGUF file; `subject` is its identity.

    Raises `SubjectError` as `model_files` does, `OSError` when files cannot be read.
    """
    if place.is_dir():
        return find_components(model_files(place), subject=subject)
    files = {place.name: place}
    if adapter is not None:
        files[f"adapter/{adapter.name}"] = adapter
    return find_components(files, subject=subject)


def find_components(files: Mapping[str, Path], *, subject: str) -> FoundComponents:
    """Return the components in `files` (name with slashes: where its bytes are) of the subject with this identity."""
    return _Finder(files).found(subject)


def found_in_record(subject: Subject) -> FoundComponents:
    """Return what a subject's own record says of its components, for when its files are not at hand: names, sizes and licences as recorded.

    Code, documents and data are passed over: whether they are more than a name, only their content tells. A directory's licence is not told, since
    the record holds the card's word alone. So it never says more than `find_in` does.
    """
    parts: dict[ComponentId, list[str]] = defaultdict(list)
    licences: dict[str, str] = {}
    for part in subject.components:
        for file in part.files:
            component, check = _rule(file.path)
            if component is not None and check in ("weights", "something") and file.size_bytes:
                parts[component].append(file.path)
                if part.licence:
                    licences[file.path] = part.licence
    if subject.architecture and (names := parts.get(_C.PARAMETERS_FINAL)):
        parts[_C.ARCHITECTURE] = names[:1]
    return sealed(
        subject.identity,
        [
            _recorded(component, names, licences, whole=subject.kind is SubjectKind.GGUF)
            for component, names in parts.items()
        ],
        ["code, documents and data: the model's files were not at hand"],
        complete=not subject.is_model or subject.kind in (SubjectKind.ENDPOINT, SubjectKind.INSPECT),
    )


def _recorded(component: ComponentId, names: list[str], licences: Mapping[str, str], *, whole: bool) -> ComponentFound:
    claims = {licence: _claim(licence, "the subject's record") for name in names if (licence := licences.get(name))}
    told = whole and len(claims) == 1 and all(name in licences for name in names)
    return ComponentFound(
        component=component,
        files=tuple(shown(name, 400) for name in names[:LISTED_FILES]),
        file_count=len(names),
        licence=next(iter(claims.values())).name if told else None,
        claims=tuple(claims.values())[:LISTED_FILES],
        licence_note="" if told else "the files that may say a licence were not at hand",
        note=_NOTES[_C.ARCHITECTURE, "config"] if component is _C.ARCHITECTURE else "",
    )


# ---- what a file is by its name: the first that fits. Lower case.

_WEIGHTS = r"\.(?:safetensors|bin|pt|pth|ckpt|msgpack|h5|onnx|npz|gguf|pdparams)"
_SOURCE = r"\.(?:py|ipynb|sh|c|cc|cpp|cu|h|rs|jl)"
_ROWS = r"\.(?:jsonl|json|csv|tsv|parquet|arrow|txt)(?:\.gz|\.zst)?"
_PROSE = r"\.(?:md|rst|pdf|html|tex)"
_IN_DATA = r"(?:.*/)?(?:data|datasets?)/(?:.*/)?"


def _code(folders: str, names: str) -> str:
    return rf"(?:.*/)?(?:{folders})/.+{_SOURCE}|(?:.*/)?(?:{names})(?:[_-][\w.-]*)?{_SOURCE}"


_C = ComponentId
_RULES: tuple[tuple[ComponentId | None, str, str], ...] = (
    (_C.OPTIMIZER_STATE, "weights", r"(?:.*/)?(?:optimizer[\w.-]*|[\w.-]*optim_states)\.(?:pt|pth|bin|safetensors)"),
    (None, "", r"(?:.*/)?(?:training_args|scheduler|rng_state|trainer_state|scaler|mmproj|imatrix)[^/]*"),
    (_C.ADAPTER, "weights", rf"(?:.*/)?(?:adapter_model|adapter|lora)[\w.-]*{_WEIGHTS}|adapter/[^/]+\.gguf"),
    (
        _C.PARAMETERS_INTERMEDIATE,
        "weights",
        rf"(?:.*/)?(?:checkpoints?|ckpts?|intermediate|global_step|steps?|iter)[_-]?\d*/.*{_WEIGHTS}",
    ),
    (_C.PARAMETERS_BASE, "weights", rf"(?:base|base[_-]model)/.*{_WEIGHTS}"),
    (
        _C.TOKENIZER,
        "something",
        r"(?:.*/)?(?:tokenizer\.(?:json|model)|vocab\.(?:json|txt)|merges\.txt|spiece\.model|sentencepiece(?:\.bpe)?\.model|tekken\.json"
        r"|[\w.-]+\.tiktoken)",
    ),
    (_C.TOKENIZER, "code", r"(?:.*/)?tokenization_\w+\.py"),
    (None, "", r"(?:.*/)?(?:tokenizer|vocab)[^/]*"),
    (_C.PARAMETERS_FINAL, "weights", rf"(?:(?:original|onnx|gguf|flax|tf|model)/)?[^/]+{_WEIGHTS}"),
    (_C.ARCHITECTURE, "config", r"config\.json"),
    (_C.ARCHITECTURE, "code", r"(?:.*/)?(?:modell?ing_\w+|configuration_\w+|model|modell?ing|architecture)\.py"),
    (_C.BENCHMARK_CODE, "code", _code("benchmarks?", "benchmarks?|bench")),
    (_C.EVALUATION_CODE, "code", _code("eval|evals|evaluation", "eval|evaluate|evaluation|run_eval")),
    (
        _C.PREPROCESSING_CODE,
        "code",
        _code(
            "preprocessing|data_preparation|data_prep",
            "preprocess|preprocessing|prepare|prepare_data|dedup|deduplicate|tokenize_data|build_dataset|filter_data|clean_data",
        ),
    ),
    (
        _C.TRAINING_CODE,
        "code",
        _code(
            "training|train|pretraining|finetuning",
            "train|trainer|training|pretrain|finetune|fine_tune|sft|dpo|run_clm",
        ),
    ),
    (
        _C.INFERENCE_CODE,
        "code",
        _code("inference|serving", "generate|generation|inference|infer|predict|chat|serve|handler|processing"),
    ),
    (
        _C.EVALUATION_RESULTS,
        "results",
        r"\.eval_results/[^/]+\.ya?ml|(?:.*/)?(?:eval|evaluation|test|benchmark)_results?[\w.-]*\.(?:json|csv|md|ya?ml)"
        r"|(?:.*/)?results_[\w.:-]+\.json|(?:eval_results|evaluation_results)/.+\.(?:json|csv|md|ya?ml)",
    ),
    (
        _C.SAMPLE_OUTPUTS,
        "data",
        r"(?:.*/)?(?:sample_outputs?|model_outputs?|generations|samples_[\w.:-]+)[\w.-]*\.(?:jsonl|json|txt|csv|md)",
    ),
    (_C.DATA_CARD, "prose", rf"(?:.*/)?(?:data[_-]?card|dataset[_-]?card|datasheet|data[_-]?statement)[\w-]*{_PROSE}"),
    (_C.DATA_CARD, "prose", r"(?:data|datasets?)/readme\.md"),
    (_C.DATA_INFORMATION, "prose", rf"(?:.*/)?(?:data[_-]?information|training[_-]?data)[\w-]*{_PROSE}"),
    (_C.EVALUATION_DATA, "data", rf"{_IN_DATA}(?:eval|evaluation|test|validation|valid|dev)(?:[_.-][\w.-]*)?{_ROWS}"),
    (_C.EVALUATION_DATA, "data", rf"(?:.*/)?(?:eval|evaluation|test|validation)[_-](?:data|set)(?:/.+|[\w.-]*){_ROWS}"),
    (
        _C.TUNING_DATA,
        "data",
        rf"{_IN_DATA}(?:sft|dpo|rlhf|instruct|instruction|preference|tuning|finetuning)s?(?:[_.-][\w.-]*)?{_ROWS}",
    ),
    (
        _C.TUNING_DATA,
        "data",
        rf"(?:.*/)?(?:sft|dpo|rlhf|instruction|preference|tuning|finetuning)[_-](?:data|set|pairs)(?:/.+|[\w.-]*){_ROWS}",
    ),
    (_C.DATASETS, "data", rf"{_IN_DATA}(?:train|training|pretrain|corpus|shard|part)(?:[_.-][\w.-]*)?{_ROWS}"),
    (_C.DATASETS, "data", rf"(?:.*/)?(?:training|pretraining)[_-]data(?:/.+|[\w.-]*){_ROWS}"),
    (_C.MODEL_CARD, "prose", r"(?:readme|model[_-]?card)\.md"),
    (_C.TECHNICAL_REPORT, "prose", rf"(?:.*/)?(?:technical|tech)[_-]?report[\w.-]*{_PROSE}"),
    (
        _C.RESEARCH_PAPER,
        "prose",
        r"(?:.*/)?(?:(?:[\w-]+[_-])?paper[\w-]*|arxiv[\w.-]*|\d{4}\.\d{4,5}(?:v\d+)?)\.(?:pdf|tex)",
    ),
    (_C.HARDWARE_ARCHITECTURE, "prose", rf"(?:.*/)?hardware[\w-]*{_PROSE}"),
    (_C.CODE_DOCUMENTATION, "prose", r"docs?/.+\.(?:md|rst)"),
    (
        _C.SUPPORTING_LIBRARIES,
        "lines",
        r"(?:.*/)?(?:requirements[\w.-]*\.txt|environment\.ya?ml|pipfile|poetry\.lock|uv\.lock)",
    ),
    (_C.PACKAGE, "lines", r"(?:setup\.py|pyproject\.toml)"),
    (_C.PACKAGE, "archive", r"(?:.*/)?[^/]+\.whl"),
    (
        _C.API,
        "lines",
        r"(?:.*/)?openapi[\w.-]*\.(?:json|ya?ml)|(?:.*/)?(?:system|meta)[_-]prompts?[\w-]*\.(?:txt|md|jinja)",
    ),
    (_C.MODEL_METADATA, "object", r"(?:model[_-])?metadata\.json"),
)
_TAGGED = frozenset({"code", "lines", "prose", "results"})  # checks of text, which may name its own licence
_COMPILED = tuple((component, check, re.compile(pattern)) for component, check, pattern in _RULES)
_LICENCE_NAME = re.compile(r"(?:licen[cs]es?|copying|use_policy|terms)(?:[._-].*)?")
_FOR_KIND = (
    (re.compile(r"[._-](?:code|software|src)\b"), ContentKind.CODE),
    (re.compile(r"[._-](?:model|models|weights|parameters|data|datasets?)\b"), ContentKind.DATA),
    (re.compile(r"[._-](?:docs?|documents?|documentation|card)\b"), ContentKind.DOCUMENT),
)
_NOTES = {
    (_C.ARCHITECTURE, "config"): "a configuration that names the architecture; its code may be in a library",
    (_C.SUPPORTING_LIBRARIES, "lines"): "a list of libraries, not the libraries",
}


def component_of_name(name: str) -> ComponentId | None:
    """Return which component a file of this name would be, if its content does not belie it.

    >>> [str(component_of_name(name)) for name in ("model.safetensors", "checkpoint-500/model.safetensors", "train.py", "LICENSE")]
    ['parameters_final', 'parameters_intermediate', 'training_code', 'None']
    """
    return _rule(name)[0]


def _rule(name: str) -> tuple[ComponentId | None, str]:
    lower = name.lower()
    if len(lower) > 1_000 or any(
        part.startswith(".") and part != ".eval_results" for part in PurePosixPath(lower).parts
    ):
        return None, ""
    return next(((component, check) for component, check, rule in _COMPILED if rule.fullmatch(lower)), (None, ""))


class _Finder:
    """One reading of a set of files."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._read: dict[ComponentId, int] = defaultdict(int)
        self._passed_over: list[str] = []
        self._own: dict[str, list[LicenceClaim]] = {}
        self._notes: dict[ComponentId, str] = {}
        self._unread: set[str] = set()
        self._card = self._front_matter("README.md")
        self._licences = self._licence_files()

    def found(self, subject: str) -> FoundComponents:
        parts: dict[ComponentId, list[str]] = defaultdict(list)
        for name in self._files:
            component, check = _rule(name)
            if component is None:
                continue
            why = self._belied(name, component, check)
            if why is not None:
                self._passed_over.append(f"{shown(name)}: {why}")
                continue
            parts[component].append(name)
            if note := _NOTES.get((component, check)):
                self._notes.setdefault(component, note)
            if check == "weights" and name.lower().endswith(".gguf"):
                self._look_into_gguf(name, parts)
        if self._card and not parts[_C.MODEL_METADATA]:
            parts[_C.MODEL_METADATA].append("README.md")
            self._notes[_C.MODEL_METADATA] = "the metadata at the head of the model card"
        if _index_has_results(self._card) and not parts[_C.EVALUATION_RESULTS]:
            parts[_C.EVALUATION_RESULTS].append("README.md")
            self._notes[_C.EVALUATION_RESULTS] = "results in the metadata at the head of the model card"
        components = [self._component(component, names) for component, names in parts.items() if names]
        return sealed(subject, components, self._passed_over[:LISTED_FILES])

    # ---- content

    def _head(self, name: str, limit: int = MAX_READ_BYTES) -> bytes:
        with self._files[name].open("rb") as file:
            return file.read(limit)

    def _belied(self, name: str, component: ComponentId, check: str) -> str | None:
        """Return why a file is not what its name says, or None."""
        says_its_licence = check in _TAGGED
        if self._read[component] >= MAX_FILES_READ:
            if says_its_licence or name.lower().endswith(".gguf"):
                self._unread.add(name)
            return None if self._files[name].stat().st_size else "empty"
        self._read[component] += 1
        head = self._head(name, 4096 if check in ("weights", "archive", "something") else MAX_READ_BYTES)
        if not head.strip():
            return "empty"
        if is_lfs_pointer(head[:256]):
            return "a Git LFS pointer, not the file itself"
        why = _CHECKS[check](head, name.lower(), self._files[name].stat().st_size)
        if why is None and says_its_licence:
            self._read_tag(name, head)
        return why

    def _read_tag(self, name: str, head: bytes) -> None:
        tag = _TAG.search(head[:8192].decode("utf-8", errors="replace"))
        if tag:
            self._own[name] = [_claim(tag[1], f"{shown(name)}: SPDX-License-Identifier")]
        elif name.lower().endswith(".md") and name != "README.md":
            named = _licences_of(self._front_matter(name))
            self._own[name] = [_claim(each, f"{shown(name)}: license") for each in named]

    def _look_into_gguf(self, name: str, parts: dict[ComponentId, list[str]]) -> None:
        """A GGUF file says its licence, and holds the configuration and the tokenizer."""
        try:
            gguf = read_gguf(self._files[name])
        except SubjectError:
            return
        if gguf.licence:
            self._own[name] = [_claim(gguf.licence, f"{shown(name)}: general.license")]
        if parts[_C.PARAMETERS_FINAL][-1:] == [name]:
            if gguf.architecture and not parts[_C.ARCHITECTURE]:
                parts[_C.ARCHITECTURE].append(name)
                self._notes.setdefault(_C.ARCHITECTURE, _NOTES[_C.ARCHITECTURE, "config"])
            if _has_tokenizer(gguf) and not parts[_C.TOKENIZER]:
                parts[_C.TOKENIZER].append(name)

    def _front_matter(self, name: str) -> dict[str, Any]:
        if name not in self._files:
            return {}
        return front_matter(self._head(name).decode("utf-8", errors="replace"))

    # ---- licences

    def _licence_files(self) -> dict[str, dict[ContentKind | None, list[LicenceClaim]]]:
        """Return by folder ("" for the top) and kind (None for all) what licence files say. Texts that are not recognised say nothing."""
        told: dict[str, dict[ContentKind | None, list[LicenceClaim]]] = defaultdict(lambda: defaultdict(list))
        names = [name for name in self._files if _LICENCE_NAME.fullmatch(PurePosixPath(name.lower()).name)]
        for name in names[:200]:
            text = self._head(name, MAX_TEXT_BYTES + 1).decode("utf-8", errors="replace")
            tag = _TAG.search(text[:8192])
            found = recognise_text(text) or (tag[1] if tag else None)
            if found is None:
                self._passed_over.append(f"{shown(name)}: the text of no licence that is known here word for word")
                continue
            path = PurePosixPath(name)
            kind = next((kind for rule, kind in _FOR_KIND if rule.search(path.name.lower())), None)
            folder = "" if str(path.parent) == "." else str(path.parent)
            told[folder][kind].append(_claim(found, f"{shown(name)}: its text"))
        return told

    def _claims(self, name: str, kind: ContentKind) -> list[LicenceClaim]:
        """Return what holds for one file: its own, else its folder's or a folder's above, else what holds for the whole."""
        if own := self._own.get(name):
            return own
        for folder in _folders_up(name):
            here = self._licences.get(folder, {})
            if claims := here.get(kind) or (here.get(None) if folder else None):
                return claims
        whole = self._licences.get("", {}).get(None, [])
        return [*whole, *(_claim(each, "README.md: license") for each in _licences_of(self._card))]

    def _component(self, component: ComponentId, names: list[str]) -> ComponentFound:
        kind = component.about.kind
        claims: dict[tuple[str, str], LicenceClaim] = {}
        licences: dict[str, None] = {}
        lacking = disagree = 0
        for name in names:
            here = self._claims(name, kind)
            claims.update({(claim.name, claim.source): claim for claim in here})
            distinct = _distinct(here)
            if len(distinct) == 1:
                licences[distinct[0]] = None
            lacking += not distinct
            disagree += len(distinct) > 1
        unread = any(name in self._unread for name in names)
        whole = bool(licences) and not lacking and not disagree and not unread and len(licences) <= 8
        note = ""
        if disagree:
            note = "two places disagree on the licence"
        elif licences and lacking:
            note = f"no licence was found for {lacking:,} of {len(names):,} files"
        elif unread:
            note = f"more than {MAX_FILES_READ:,} files: not every one was looked into"
        elif len(licences) > 8:
            note = f"{len(licences)} licences in one component"
        return ComponentFound(
            component=component,
            files=tuple(shown(name, 400) for name in names[:LISTED_FILES]),
            file_count=len(names),
            licence=_joined(licences) if whole else None,
            claims=tuple(claims.values())[:LISTED_FILES],
            disagree=disagree > 0,
            licence_note=note,
            note=self._notes.get(component, ""),
        )


def _joined(licences: Iterable[str]) -> str:
    """Return one expression that all of them hold in."""
    names = list(licences)
    return names[0] if len(names) == 1 else " AND ".join(f"({name})" if " " in name else name for name in names)


def _distinct(claims: list[LicenceClaim]) -> list[str]:
    found: list[str] = []
    for claim in claims:
        if not any(same_licence(claim.name, other) for other in found):
            found.append(claim.name)
    return found


def _claim(name: str, source: str) -> LicenceClaim:
    return LicenceClaim(name=licence_id(name)[:600] or "(empty)", source=source[:600])


def _folders_up(name: str) -> Iterator[str]:
    for parent in PurePosixPath(name).parents:
        yield "" if str(parent) == "." else str(parent)


def _licences_of(card: Mapping[str, Any]) -> list[str]:
    """Return the licences that a card's metadata names. Hub cards write "other" beside the licence's own name."""
    told = card.get("license")
    names = [each.strip() for each in (told if isinstance(told, list) else [told])[:10] if isinstance(each, str)]
    own = card.get("license_name")
    if names == ["other"] and isinstance(own, str) and own.strip():
        names = [own.strip()]
    return [name for name in names if name and name.lower() not in ("other", "unknown")]


def front_matter(text: str) -> dict[str, Any]:
    """Return the metadata block at the head of a Markdown text; empty when there is none that can be read.

    >>> front_matter("---\\nlicense: mit\\n---\\n# Card\\n")
    {'license': 'mit'}
    """
    text = text[:MAX_FRONT_MATTER_LENGTH].replace("\r\n", "\n")
    if not text.startswith("---\n") or (end := text.find("\n---", 3)) < 0:
        return {}
    import yaml

    try:
        value = yaml.safe_load(text[4:end])
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _has_tokenizer(gguf: GGUF) -> bool:
    return gguf.text("tokenizer.ggml.model") is not None


def _index_has_results(card: Mapping[str, Any]) -> bool:
    """Whether a card's `model-index` holds at least one metric with a number."""
    for model in _listed(card.get("model-index")):
        for result in _listed(model.get("results")):
            for metric in _listed(result.get("metrics")):
                if isinstance(metric.get("value"), int | float) and not isinstance(metric.get("value"), bool):
                    return True
    return False


def _listed(value: object) -> list[dict[str, Any]]:
    return [each for each in value[:1_000] if isinstance(each, dict)] if isinstance(value, list) else []


# ---- whether the content belies the name


def _weights(head: bytes, name: str, size_bytes: int) -> str | None:
    if name.endswith(".safetensors"):
        length = int.from_bytes(head[:8], "little")
        fine = head[8:9] == b"{" and 2 <= length <= size_bytes - 8
    elif name.endswith(".gguf"):
        fine = head.startswith(b"GGUF")
    elif name.endswith((".bin", ".pt", ".pth", ".ckpt", ".npz")):
        fine = head.startswith((b"PK\x03\x04", b"\x80"))
    elif name.endswith(".h5"):
        fine = head.startswith(b"\x89HDF")
    else:
        fine = b"\0" in head
    return None if fine else "not a file of weights"


def _code_text(head: bytes, name: str, size_bytes: int) -> str | None:
    if b"\0" in head:
        return "not text"
    lines = (line.strip() for line in head.decode("utf-8", errors="replace").splitlines())
    return None if any(line and not line.startswith(("#", "//")) for line in lines) else "only comments"


def _prose(head: bytes, name: str, size_bytes: int) -> str | None:
    if name.endswith(".pdf"):
        return None if head.startswith(b"%PDF-") else "not a PDF file"
    if b"\0" in head:
        return "not text"
    count = prose_words(head.decode("utf-8", errors="replace"))
    return None if count >= MIN_WORDS else f"{count} words of text, fewer than {MIN_WORDS}: a stub"


def prose_words(text: str) -> int:
    """Return how many words of prose a Markdown text has: no metadata, headings, code, links' addresses, or the hub's placeholders.

    >>> prose_words("---\\nlicense: mit\\n---\\n# A model card\\n[More Information Needed]\\nIt was trained on books.")
    5
    """
    text = text.replace("\r\n", "\n")
    if text.startswith("---\n") and (end := text.find("\n---", 3)) >= 0:
        text = text[end + 4 :]
    for pattern in (
        r"```.*?(?:```|\Z)",
        r"<!--.*?(?:-->|\Z)",
        r"<[^<>]{0,2000}>",
        r"(?m)^#.*$",
        r"\[More Information Needed\]",
    ):
        text = re.sub(pattern, " ", text, flags=re.DOTALL if "`" in pattern or "!" in pattern else 0)
    text = re.sub(r"https?://\S+", " ", text)
    return len(re.findall(r"[^\W\d_]{2,}", text))


def _data(head: bytes, name: str, size_bytes: int) -> str | None:
    for suffix, magic in (
        (".parquet", b"PAR1"),
        (".arrow", b"ARROW1"),
        (".gz", b"\x1f\x8b"),
        (".zst", b"\x28\xb5\x2f\xfd"),
    ):
        if name.endswith(suffix):
            # Arrow's streams begin with a marker instead of the file's magic.
            fine = head.startswith(magic) or (suffix == ".arrow" and head.startswith(b"\xff\xff\xff\xff"))
            return None if fine else f"not a {suffix} file"
    lines = [line for line in head.splitlines()[:3] if line.strip()]
    if name.endswith((".csv", ".tsv")) and len(lines) < 2:
        return "a table without rows"
    if name.endswith((".json", ".jsonl")):
        if not head.lstrip().startswith((b"{", b"[")):
            return "not JSON"
        if head.strip() in (b"{}", b"[]"):
            return "holds nothing"
    return None


def _results(head: bytes, name: str, size_bytes: int) -> str | None:
    """Results hold numbers; whether they are results of this model, a person must read."""
    text = head.decode("utf-8", errors="replace")
    return None if re.search(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])", text) else "no number in it"


def _config(head: bytes, name: str, size_bytes: int) -> str | None:
    found = _object_in(head)
    named = found is not None and (found.get("model_type") or found.get("architectures"))
    return None if named else "names no architecture"


def _object(head: bytes, name: str, size_bytes: int) -> str | None:
    return None if _object_in(head) else "not a JSON object with something in it"


def _object_in(head: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(head)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _archive(head: bytes, name: str, size_bytes: int) -> str | None:
    return None if head.startswith(b"PK\x03\x04") else "not an archive"


def _something(head: bytes, name: str, size_bytes: int) -> str | None:
    return "holds nothing" if head.strip() in (b"{}", b"[]") else None


_CHECKS: Mapping[str, Callable[[bytes, str, int], str | None]] = {
    "weights": _weights,
    "code": _code_text,
    "lines": _code_text,
    "prose": _prose,
    "data": _data,
    "results": _results,
    "config": _config,
    "object": _object,
    "archive": _archive,
    "something": _something,
}
