"""What a release's files hold: its components by the openness frameworks' names, and the licence that holds for each.

The one finder: `subject.components` seals what it finds as a record, `inspect` puts it into its report. Nothing is loaded or run; of each file at most
`MAX_READ_BYTES` are asked for. Precision goes before recall: a file counts when its name says what it is and its content does not belie it. What is
not found is "not found here": it may be published elsewhere, which only the provider can say. Standard library only: `inspect` starts fast.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import PurePosixPath
from typing import Any, Protocol

from weighbridge.subject.front_matter import front_matter, split_front_matter
from weighbridge.subject.licences import MAX_TEXT_BYTES, ContentKind, distinct_licences, licence_id, recognise_text
from weighbridge.subject.magic import is_lfs_pointer
from weighbridge.subject.shown import shown

MAX_READ_BYTES = 1 << 18
MAX_FILES_READ = 2_000  # of one component; beyond that, licences that files name themselves are not known
MAX_LICENCE_FILES = 200
MIN_WORDS = 50  # of prose, below which a document is a stub: our choice
WEIGHT_SUFFIXES = (
    ".safetensors",
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".msgpack",
    ".h5",
    ".onnx",
    ".npz",
    ".gguf",
    ".pdparams",
    ".keras",
    ".tflite",
)
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


# ---- what a file is by its name: the first that fits. Lower case.

_WEIGHTS = rf"\.(?:{'|'.join(suffix[1:] for suffix in WEIGHT_SUFFIXES)})"
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
    (
        _C.PARAMETERS_FINAL,
        "weights",
        rf"(?:(?:original|onnx|gguf|flax|tf|model|weights|unet|vae|transformer|text_encoder(?:_\d)?|\d_\w+)/)?[^/]+{_WEIGHTS}",
    ),
    (_C.PARAMETERS_FINAL, "weights", r"(?:.*/)?(?:model|weights|params|parameters)\.(?:pkl|pickle|hdf5)"),
    (_C.PARAMETERS_FINAL, "something", r"(?:.*/)?(?:variables|[\w.-]*model[\w.-]*)\.data-\d{5}-of-\d{5}"),
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
_LICENCE_NAME = re.compile(r"(?:licen[cs]es?|unlicense|copying|use_policy|terms)(?:[._-].*)?")
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
    return rule_of(name)[0]


def rule_of(name: str) -> tuple[ComponentId | None, str]:
    """Return which component a file of this name would be (None: none), and the name of the check that its content must pass."""
    lower = name.lower()
    if len(lower) > 1_000 or any(
        part.startswith(".") and part != ".eval_results" for part in PurePosixPath(lower).parts
    ):
        return None, ""
    return next(
        ((component, check) for component, check, rule in _RULES if _compiled(rule).fullmatch(lower)), (None, "")
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compiled when first asked for: most files are known by one of the first rules."""
    return re.compile(pattern)


class SeenFile(Protocol):
    """One file of a release as its reader hands it over."""

    @property
    def size_bytes(self) -> int: ...

    def head(self, limit: int) -> bytes | None:
        """Return its first `limit` bytes, fewer where it is shorter; None when it is there and could not be read."""
        ...

    def gguf(self) -> GgufSays | None:
        """Return what a GGUF file says of itself, None for one that cannot be read."""
        ...


@dataclass(frozen=True)
class GgufSays:
    """What a GGUF file's metadata says: its licence, if any, and whether it holds an architecture's name and a tokenizer."""

    licence: str | None
    names_architecture: bool
    has_tokenizer: bool


@dataclass(frozen=True)
class Claim:
    """What one place says of a licence: the name as licences are named here, and the place."""

    name: str
    source: str


@dataclass(frozen=True)
class Part:
    """One component as found: its files, every claim on a licence, and the licences that hold for all of the files together.

    `licences` empty: no place says one, or not for every file, or two places disagree; `licence_note` says which.
    """

    component: ComponentId
    files: tuple[str, ...]
    licences: tuple[str, ...]
    claims: tuple[Claim, ...]
    disagree: bool
    licence_note: str
    note: str


@dataclass(frozen=True)
class Release:
    """What a release's files hold. `passed_over` says of files that are not what their names say, and why.

    `texts`: of each licence file the id of its text, None for a text of no known licence. `card`: the metadata at the head of README.md.
    `not_read`: components that files which were not read would be by their names. Not empty: what was not found may be there.
    """

    parts: tuple[Part, ...]
    passed_over: tuple[str, ...]
    texts: Mapping[str, str | None]
    card: Mapping[str, Any]
    not_read: frozenset[ComponentId]


def find_release(files: Mapping[str, SeenFile]) -> Release:
    """Return what `files` (by name, with slashes) hold. Raises what their methods raise.

    What a file that could not be read would have said may contradict the others: where it is one that speaks of licences, no licence is told.
    """
    return _Finder(files).found()


class _Finder:
    """One reading of a set of files."""

    def __init__(self, files: Mapping[str, SeenFile]) -> None:
        self._files = files
        self._read: dict[ComponentId, int] = defaultdict(int)
        self._passed_over: list[str] = []
        self._not_read: set[ComponentId] = set()
        self._licences_unread = False
        self._own: dict[str, list[Claim]] = {}
        self._notes: dict[ComponentId, str] = {}
        self._unread: set[str] = set()
        self._texts: dict[str, str | None] = {}
        self._card = self._front_matter("README.md")
        self._licences = self._licence_files()

    def found(self) -> Release:
        parts: dict[ComponentId, list[str]] = defaultdict(list)
        for name in self._files:
            component, check = rule_of(name)
            if component is None:
                continue
            why = self._belied(name, component, check)
            if why is not None:
                self._passed_over.append(f"{shown(name)}: {why}")
                continue
            parts[component].append(name)
            if note := note_of(component, check):
                self._notes.setdefault(component, note)
            if check == "weights" and name.lower().endswith(".gguf"):
                self._look_into_gguf(name, parts)
        if self._card and not parts[_C.MODEL_METADATA]:
            parts[_C.MODEL_METADATA].append("README.md")
            self._notes[_C.MODEL_METADATA] = "the metadata at the head of the model card"
        if _index_has_results(self._card) and not parts[_C.EVALUATION_RESULTS]:
            parts[_C.EVALUATION_RESULTS].append("README.md")
            self._notes[_C.EVALUATION_RESULTS] = "results in the metadata at the head of the model card"
        return Release(
            parts=tuple(self._part(component, names) for component, names in parts.items() if names),
            passed_over=tuple(self._passed_over),
            texts=self._texts,
            card=self._card,
            not_read=frozenset(self._not_read),
        )

    # ---- content

    def _head(self, name: str, limit: int = MAX_READ_BYTES) -> bytes | None:
        return self._files[name].head(limit)

    def _belied(self, name: str, component: ComponentId, check: str) -> str | None:
        """Return why a file is not what its name says, or None."""
        says_its_licence = check in _TAGGED
        if self._read[component] >= MAX_FILES_READ:
            if says_its_licence or name.lower().endswith(".gguf"):
                self._unread.add(name)
            head = self._head(name, 1)
            if head is None:
                self._not_read.add(component)
                return "it could not be read"
            return None if head else "empty"
        self._read[component] += 1
        head = self._head(name, 4096 if check in ("weights", "archive", "something") else MAX_READ_BYTES)
        if head is None:
            self._not_read.add(component)
            return "it could not be read"
        if not head.strip():
            return "empty"
        if is_lfs_pointer(head[:256]):
            return "a Git LFS pointer, not the file itself"
        why = _CHECKS[check](head, name.lower(), self._files[name].size_bytes)
        if why is None and says_its_licence:
            self._read_tag(name, head)
        return why

    def _read_tag(self, name: str, head: bytes) -> None:
        tag = _TAG.search(head[:8192].decode("utf-8", errors="replace"))
        if tag:
            self._own[name] = [claim(tag[1], f"{shown(name)}: SPDX-License-Identifier")]
        elif name.lower().endswith(".md") and name != "README.md":
            named = licences_of_card(self._front_matter(name))
            self._own[name] = [claim(each, f"{shown(name)}: license") for each in named]

    def _look_into_gguf(self, name: str, parts: dict[ComponentId, list[str]]) -> None:
        """A GGUF file says its licence, and holds the configuration and the tokenizer."""
        gguf = self._files[name].gguf()
        if gguf is None:
            return
        if gguf.licence:
            self._own[name] = [claim(gguf.licence, f"{shown(name)}: general.license")]
        if parts[_C.PARAMETERS_FINAL][-1:] == [name]:
            if gguf.names_architecture and not parts[_C.ARCHITECTURE]:
                parts[_C.ARCHITECTURE].append(name)
                self._notes.setdefault(_C.ARCHITECTURE, note_of(_C.ARCHITECTURE, "config"))
            if gguf.has_tokenizer and not parts[_C.TOKENIZER]:
                parts[_C.TOKENIZER].append(name)

    def _front_matter(self, name: str) -> dict[str, Any]:
        if name not in self._files:
            return {}
        head = self._head(name)
        if head is None:
            self._licences_unread = True
            return {}
        return front_matter(head.decode("utf-8", errors="replace"))

    # ---- licences

    def _licence_files(self) -> dict[str, dict[ContentKind | None, list[Claim]]]:
        """Return by folder ("" for the top) and kind (None for all) what licence files say. Texts that are not recognised say nothing."""
        told: dict[str, dict[ContentKind | None, list[Claim]]] = defaultdict(lambda: defaultdict(list))
        names = sorted((name for name in self._files if is_licence_file(name)), key=lambda name: name.count("/"))
        for name in names[:MAX_LICENCE_FILES]:
            head = self._head(name, MAX_TEXT_BYTES + 1)
            if head is None:
                self._licences_unread = True
                self._passed_over.append(f"{shown(name)}: it could not be read")
                continue
            text = head.decode("utf-8", errors="replace")
            tag = _TAG.search(text[:8192])
            self._texts[name] = found = recognise_text(text) or (licence_id(tag[1]) if tag else None)
            if found is None:
                self._passed_over.append(f"{shown(name)}: the text of no licence that is known here word for word")
                continue
            path = PurePosixPath(name)
            kind = next((kind for rule, kind in _FOR_KIND if rule.search(path.name.lower())), None)
            folder = "" if str(path.parent) == "." else str(path.parent)
            told[folder][kind].append(claim(found, f"{shown(name)}: its text"))
        return told

    def _claims(self, name: str, kind: ContentKind) -> list[Claim]:
        """Return what holds for one file: its own, else its folder's or a folder's above, else what holds for the whole."""
        if own := self._own.get(name):
            return own
        for folder in _folders_up(name):
            here = self._licences.get(folder, {})
            if claims := here.get(kind) or (here.get(None) if folder else None):
                return claims
        whole = self._licences.get("", {}).get(None, [])
        return [*whole, *(claim(each, "README.md: license") for each in licences_of_card(self._card))]

    def _part(self, component: ComponentId, names: list[str]) -> Part:
        kind = component.about.kind
        claims: dict[Claim, None] = {}
        licences: dict[str, None] = {}
        lacking = disagree = 0
        for name in names:
            here = self._claims(name, kind)
            claims.update(dict.fromkeys(here))
            distinct = distinct_licences(each.name for each in here)
            if len(distinct) == 1:
                licences[distinct[0]] = None
            lacking += not distinct
            disagree += len(distinct) > 1
        unread = component in self._not_read or self._licences_unread
        looked = not unread and not any(name in self._unread for name in names)
        whole = bool(licences) and not lacking and not disagree and looked and len(licences) <= 8
        note = ""
        if disagree:
            note = "two places disagree on the licence"
        elif licences and lacking:
            note = f"no licence was found for {lacking:,} of {len(names):,} files"
        elif unread:
            note = "a file that may say a licence was not read"
        elif not looked:
            note = f"more than {MAX_FILES_READ:,} files: not every one was looked into"
        elif len(licences) > 8:
            note = f"{len(licences)} licences in one component"
        return Part(
            component=component,
            files=tuple(names),
            licences=tuple(licences) if whole else (),
            claims=tuple(claims),
            disagree=disagree > 0,
            licence_note=note,
            note=self._notes.get(component, ""),
        )


def is_licence_file(name: str) -> bool:
    """Return whether a file's name says that it is the text of a licence or of terms.

    >>> [is_licence_file(name) for name in ("LICENSE", "code/LICENSE-MIT.txt", "NOTICE", "licensed.py")]
    [True, True, False, False]
    """
    return _LICENCE_NAME.fullmatch(PurePosixPath(name.lower()).name) is not None


def joined(licences: Iterable[str]) -> str:
    """Return one expression that all of them hold in.

    >>> joined(["MIT", "MIT OR Apache-2.0"])
    'MIT AND (MIT OR Apache-2.0)'
    """
    names = list(licences)
    return names[0] if len(names) == 1 else " AND ".join(f"({name})" if " " in name else name for name in names)


def note_of(component: ComponentId, check: str) -> str:
    """Return the remark on a component that was found by this check, "" where there is none."""
    return _NOTES.get((component, check), "")


def claim(name: str, source: str) -> Claim:
    """Return the claim of a place, bounded."""
    return Claim(name=licence_id(name)[:600] or "(empty)", source=source[:600])


def _folders_up(name: str) -> Iterator[str]:
    for parent in PurePosixPath(name).parents:
        yield "" if str(parent) == "." else str(parent)


def licences_of_card(card: Mapping[str, Any]) -> list[str]:
    """Return the licences that a card's metadata names. Hub cards write "other" beside the licence's own name.

    >>> licences_of_card({"license": "other", "license_name": "gemma"}), licences_of_card({"license": ["mit", "unknown"]})
    (['gemma'], ['mit'])
    """
    told = card.get("license")
    names = [each.strip() for each in (told if isinstance(told, list) else [told])[:10] if isinstance(each, str)]
    own = card.get("license_name")
    if names == ["other"] and isinstance(own, str) and own.strip():
        names = [own.strip()]
    return [name for name in names if name and name.lower() not in ("other", "unknown")]


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
    elif name.endswith((".bin", ".pt", ".pth", ".ckpt", ".npz", ".keras", ".pkl", ".pickle")):
        fine = head.startswith((b"PK\x03\x04", b"\x80"))
    elif name.endswith((".h5", ".hdf5")):
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
    _, text = split_front_matter(text)
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
