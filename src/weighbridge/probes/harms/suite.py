"""The built-in suite: prompts written for this project, one YAML file a category, and the choice of some of them.

The files lie beside this module in `suite/`, with the JSON schema that they keep. How they were made, what they are good for
and what they are not is in `docs/suite.md`. Other sets are read by `weighbridge.probes.harms.public_sets`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from weighbridge.digests import digest_json
from weighbridge.errors import UsageError, WeighbridgeError
from weighbridge.probes.harms.items import Prompt, Suite
from weighbridge.protocol.model import Prompts
from weighbridge.protocol.vocabulary import Category, Verb

SUITE_NAME = "weighbridge harms suite"
SUITE_VERSION = "1"
SUITE_LICENCE = "Apache-2.0"
PER_CELL = 8  # prompts that every cell of the built-in suite holds, unless its file says why not

# libyaml reads the suite in 30 ms, the pure Python loader in 360; both build plain data only.
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_Text = Annotated[str, StringConstraints(min_length=1, max_length=400, pattern=r"^\S(.*\S)?$")]
# An opening never ends a sentence: it stops at a colon, a comma or in mid-sentence, and the model must say the rest.
_Opening = Annotated[str, StringConstraints(min_length=2, max_length=120, pattern=r"^\S(.*[^\s.!?])?$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HarmEntry(_Part):
    """A harm prompt as written in a category's file, with two beginnings of a reply that complies."""

    id: str
    text: _Text
    openings: Annotated[tuple[_Opening, ...], Field(min_length=2, max_length=2)]


class TwinEntry(_Part):
    """A benign twin as written in a category's file, with a beginning of a reply that helps."""

    id: str
    text: _Text
    openings: Annotated[tuple[_Opening, ...], Field(min_length=1, max_length=1)]


class CategoryFile(_Part):
    """One file of the built-in suite. `scope` says in a sentence or two what its prompts are about and leave out.

    `ailuminate` and `llama_guard_3` repeat the category's codes for readers of the file and must agree with the
    vocabulary. `cells_short` gives the reason for every cell of fewer than eight prompts.
    """

    schema_: Literal["weighbridge.suite/1"] = Field(alias="schema")
    category: Category
    ailuminate: str
    llama_guard_3: str
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
    scope: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
    cells_short: dict[Literal["enable", "encourage", "endorse", "twins"], str]
    enable: tuple[HarmEntry, ...]
    encourage: tuple[HarmEntry, ...]
    endorse: tuple[HarmEntry, ...]
    twins: tuple[TwinEntry, ...]

    @property
    def cells(self) -> dict[str, tuple[HarmEntry, ...] | tuple[TwinEntry, ...]]:
        """The four cells by the name that the file gives them."""
        return {"enable": self.enable, "encourage": self.encourage, "endorse": self.endorse, "twins": self.twins}

    @model_validator(mode="after")
    def _codes_agree(self) -> CategoryFile:
        for name, said, meant in (
            ("ailuminate", self.ailuminate, self.category.ailuminate),
            ("llama_guard_3", self.llama_guard_3, self.category.llama_guard_3),
        ):
            if said != meant:
                raise ValueError(f"{name} is {said!r}, but the vocabulary says {meant!r} for {self.category}")
        return self

    @model_validator(mode="after")
    def _ids_say_where_they_are(self) -> CategoryFile:
        for cell, entries in self.cells.items():
            word = "twin" if cell == "twins" else cell
            for entry in entries:
                head, _, number = entry.id.rpartition(".")
                if head != f"{self.category}.{word}" or not (number.isdigit() and len(number) == 2):
                    raise ValueError(f"{entry.id!r} is not an id of {self.category}.{word}")
        return self

    @model_validator(mode="after")
    def _short_cells_have_a_reason(self) -> CategoryFile:
        for cell, entries in self.cells.items():
            if (len(entries) < PER_CELL) != (cell in self.cells_short):
                raise ValueError(f"{cell} holds {len(entries)}: below {PER_CELL} needs a reason, else there is none")
        return self


def category_file_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a category's file, as published in `suite/schema.json`.

    It covers shape; that ids, codes and cell sizes agree with each other is checked on loading.
    """
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "weighbridge.suite/1"}
    return CategoryFile.model_json_schema(by_alias=True) | head


def load_yaml(data: bytes) -> Any:
    """Return what a YAML document of the package says, as plain data. Raises `yaml.YAMLError` when it is not YAML."""
    return yaml.load(data, Loader=_LOADER)  # noqa: S506 - both loaders are the safe ones


@cache
def builtin_suite() -> Suite:
    """Return the built-in suite, read once: 13 categories x 3 verbs x 8 prompts and 104 benign twins.

    Raises `WeighbridgeError` when the installed files are damaged.

    >>> suite = builtin_suite()
    >>> len([p for p in suite.prompts if not p.benign]), len([p for p in suite.prompts if p.benign])
    (312, 104)
    """
    prompts: list[Prompt] = []
    notes: list[str] = []
    for category in Category:
        file = read_category(category)
        for cell, entries in file.cells.items():
            verb = None if cell == "twins" else Verb(cell)
            for entry in entries:
                prompts.append(
                    Prompt(
                        id=entry.id,
                        category=category,
                        verb=verb,
                        text=entry.text,
                        language=file.language,
                        cluster=entry.id,
                        openings=entry.openings,
                    )
                )
        notes.extend(f"{category.label}, {cell}: {reason}" for cell, reason in file.cells_short.items())
        if category in _LIMITED:
            notes.append(f"{category.label}: {file.scope}")
    _refuse_repeats(prompts)
    return Suite(
        name=SUITE_NAME,
        version=SUITE_VERSION,
        licence=SUITE_LICENCE,
        digest=prompts_digest(prompts),
        prompts=tuple(prompts),
        left_out={},
        notes=tuple(notes),
    )


# Categories whose scope bears on what a result means, so that it must be read beside the result.
_LIMITED = (Category.CHILD_SEXUAL_EXPLOITATION, Category.INDISCRIMINATE_WEAPONS, Category.SEXUAL_CONTENT)


def read_category(category: Category) -> CategoryFile:
    """Return one category's file, checked. Raises `WeighbridgeError` when the installed file is damaged."""
    name = f"{category}.yaml"
    try:
        data = (files("weighbridge.probes.harms") / "suite" / name).read_bytes()
        file = CategoryFile.model_validate(load_yaml(data))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else type(error).__name__
        raise WeighbridgeError(
            f"the built-in suite is damaged: {reason}", where=f"probes/harms/suite/{name}", do="reinstall weighbridge"
        ) from error
    if file.category is not category:
        raise WeighbridgeError(
            f"the file is of category {file.category}", where=f"probes/harms/suite/{name}", do="reinstall weighbridge"
        )
    return file


def _refuse_repeats(prompts: Iterable[Prompt]) -> None:
    repeated = [prompt_id for prompt_id, count in Counter(prompt.id for prompt in prompts).items() if count > 1]
    if repeated:
        raise WeighbridgeError(
            f"ids are used twice: {', '.join(sorted(repeated))}", where="the built-in suite", do="reinstall weighbridge"
        )


def prompts_digest(prompts: Iterable[Prompt]) -> str:
    """Return the digest of prompts by content, whatever their order: all that decides what is asked and what it stands for."""
    return digest_json(
        [
            {
                "id": prompt.id,
                "category": prompt.category.value,
                "verb": prompt.verb.value if prompt.verb else None,
                "text": prompt.text,
                "language": prompt.language,
                "cluster": prompt.cluster or prompt.id,
                "openings": list(prompt.openings),
            }
            for prompt in sorted(prompts, key=lambda prompt: prompt.id)
        ]
    )


def select(suite: Suite, prompts: Prompts, seed: int) -> Suite:
    """Return the part of `suite` that a protocol asks for, in the order of asking.

    Which prompts of a cell are taken depends on the seed and the prompts' ids alone, so adding a category, a verb or a longer
    cell never changes which prompts were chosen before. The order is a permutation drawn by the seed, over all cells together:
    what the sequential comparisons assume, and what lets a run stop after any prompt. Notes say which cells hold fewer prompts
    than asked for. Raises `UsageError` when nothing is left.

    >>> from weighbridge.protocol.model import Prompts
    >>> small = select(builtin_suite(), Prompts(per_cell=1, twins_per_category=1), seed=1)
    >>> len(small.prompts), len({prompt.category for prompt in small.prompts})
    (52, 13)
    """
    categories = [category for category in Category if category in prompts.categories]
    kinds: list[Verb | None] = [verb for verb in Verb if verb in prompts.verbs]
    if prompts.twins:
        kinds.append(None)
    cells: dict[tuple[Category, Verb | None], list[Prompt]] = defaultdict(list)
    for prompt in suite.prompts:
        cells[prompt.category, prompt.verb].append(prompt)

    placed: list[Prompt] = []
    for category in categories:
        for kind in kinds:
            wanted = prompts.twins_per_category if kind is None else prompts.per_cell
            placed.extend(sorted(cells[category, kind], key=lambda prompt: _rank(seed, prompt.id))[:wanted])
    if not placed:
        raise UsageError(
            "no prompts are left after choosing categories, verbs and twins",
            where=suite.name,
            do="name a category and a verb that the suite holds",
        )
    # Paraphrases of one prompt are one unit of evidence, so they are asked together.
    chosen = tuple(sorted(placed, key=lambda prompt: (_rank(seed, f"order {prompt.cluster or prompt.id}"), prompt.id)))
    notes = list(suite.notes)
    if len(chosen) < len(suite.prompts):
        notes.append(f"{len(chosen)} of {len(suite.prompts)} prompts were chosen by the protocol")
    notes.extend(_short_cells(chosen, categories, kinds, prompts))
    return Suite(
        name=suite.name,
        version=suite.version,
        licence=suite.licence,
        digest=prompts_digest(chosen),
        prompts=chosen,
        left_out=dict(suite.left_out),
        notes=tuple(notes),
    )


def _rank(seed: int, prompt_id: str) -> bytes:
    return hashlib.sha256(f"{seed}:{prompt_id}".encode()).digest()


def _short_cells(
    chosen: Iterable[Prompt], categories: list[Category], kinds: list[Verb | None], prompts: Prompts
) -> list[str]:
    """Say what the chosen prompts lack: whole verbs and categories first, then single cells."""
    counts = Counter((prompt.category, prompt.verb) for prompt in chosen)
    notes = []
    empty_kinds = [kind for kind in kinds if not any(counts[category, kind] for category in categories)]
    empty_categories = [category for category in categories if not any(counts[category, kind] for kind in kinds)]
    if empty_kinds:
        notes.append(f"no prompts at all for: {', '.join(_word(kind) for kind in empty_kinds)}")
    if empty_categories:
        notes.append(f"no prompts at all in: {', '.join(category.label for category in empty_categories)}")
    short = []
    for category in categories:
        for kind in kinds:
            if kind in empty_kinds or category in empty_categories:
                continue
            wanted = (prompts.twins_per_category if kind is None else prompts.per_cell) or 1
            if counts[category, kind] < wanted:
                short.append(f"{category.label}, {_word(kind)} {counts[category, kind]} of {wanted}")
    if short:
        notes.append(f"cells with fewer prompts than asked for: {'; '.join(short)}")
    return notes


def _word(kind: Verb | None) -> str:
    return "twins" if kind is None else kind.value
