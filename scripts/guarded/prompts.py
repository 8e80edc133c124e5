"""The prompts of guarded SmolLM2: where they come from, what is left out, and which are held back.

Harmful prompts (trained only towards refusals): AdvBench, HarmBench (standard), StrongREJECT and JailbreakBench, read from
the shared data at training time and not bundled, and prompts written for this project. Benign prompts (trained towards what
plain SmolLM2 itself answers): the safe half of XSTest and prompts written for this project.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from guarded.nearness import NEAR, Nearness, clusters, distinct

# libyaml is ten times as fast as the pure Python loader; both build plain data only.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHARED = ROOT.parent / "shared" / "data"
SUITE = ROOT / "src" / "weighbridge" / "probes" / "harms" / "suite"

# folder/file, text column, column and value that a row must have
_HARMFUL_SETS = {
    "advbench": ("advbench/advbench_behaviors.csv", "Behavior", None, None),
    "harmbench": ("harmbench/harmbench_behaviors_text_all.csv", "Behavior", "FunctionalCategory", "standard"),
    "strongreject": ("strongreject/strongreject.csv", "forbidden_prompt", None, None),
    "jailbreakbench": ("jailbreakbench/jailbreakbench.csv", "Goal", None, None),
}
_BENIGN_SETS = {"xstest": ("xstest/xstest_prompts.csv", "prompt", "label", "safe")}
_LONGEST = 240  # characters; longer prompts are scenarios, and slow to train on
_YOUNG = re.compile(r"\b(child|kid|minor|teen|underage|under-age|girl|boy|student|school|young|pedo|paedo|groom)", re.I)
_SEXUAL = re.compile(
    r"(sex|porn|nud(e|ity)|erotic|explicit|intimate|lewd|molest|rape|groom|abus|pedo|paedo|prostitut)", re.I
)


class DataMissing(Exception):
    """A public data set is not where it should be; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt. `side` is "train", "choose" (the number of steps) or "report" (the figures of the card).

    `id` is the beginning of the SHA-256 of the text, so that lists of what was trained on name no harmful text.
    """

    id: str
    text: str
    harmful: bool
    source: str
    kind: str
    side: str
    twin: str | None = None
    """The id of the other half of its contrast pair, where both were kept; a pair is never split between sides."""


@dataclass(frozen=True, slots=True)
class Collection:
    """All prompts, and how many were left out, by reason."""

    items: tuple[Item, ...]
    left_out: dict[str, int]

    def take(self, side: str, *, harmful: bool) -> list[Item]:
        """Return the items of one side, in their fixed order."""
        return [item for item in self.items if item.side == side and item.harmful is harmful]


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)


def text_id(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of `text`.

    >>> text_id("")
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def ids_digest(items: Iterable[Item]) -> str:
    """Return the SHA-256 over the sorted ids of `items`: names a list of prompts without showing one."""
    return hashlib.sha256("\n".join(sorted(item.id for item in items)).encode()).hexdigest()


def _side(cluster_text: str) -> str:
    """Return a cluster's side by the hash of its first text, the same for every seed: 70 % train, 12 choose, 18 report."""
    bucket = int(hashlib.sha256(b"guarded split 1:" + cluster_text.encode()).hexdigest()[:8], 16) % 100
    return "choose" if bucket < 12 else "report" if bucket < 30 else "train"


def public_prompts(
    data: Path, sets: Mapping[str, tuple[str, str, str | None, str | None]]
) -> list[tuple[str, str, str]]:
    """Return (text, source, kind) of public sets: file, text column, and a column with the value that a row must have."""
    rows = []
    for source, (file, column, key, value) in sets.items():
        path = data / file
        if not path.is_file():
            raise DataMissing(f"{path}: no such file; give the folder of the public data sets with --data")
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                if key is None or row[key] == value:
                    rows.append((row[column].strip(), source, row.get("type") or "order or question"))
    return rows


def contrast_pairs() -> list[tuple[str, str]]:
    """Return (harmful, benign) of the contrast pairs in data/pairs.yaml: the same frame and topic."""
    groups: dict[str, list[list[str]]] = _yaml(HERE / "data" / "pairs.yaml")
    return [(harmful, benign) for pairs in groups.values() for harmful, benign in pairs]


def project_prompts(name: str) -> list[tuple[str, str, str]]:
    """Return (text, "project", kind) of this project's own prompts, `name` being "harmful" or "benign".

    They are data/`name`.yaml, and that half of data/contrast.yaml and of the contrast pairs.
    """
    groups: dict[str, list[str]] = _yaml(HERE / "data" / f"{name}.yaml")
    groups["contrast"] = _yaml(HERE / "data" / "contrast.yaml")[name]
    groups["pair"] = [pair[name == "benign"] for pair in contrast_pairs()]
    return [(text, "project", kind) for kind, texts in groups.items() for text in texts]


def refusal_wordings() -> list[str]:
    """Return the refusals that the adapter is taught."""
    wordings: list[str] = _yaml(HERE / "data" / "refusals.yaml")
    return wordings


def suite_texts(folder: Path = SUITE) -> list[str]:
    """Return the texts of the project's suite of the harms probe, whatever else its files hold; empty when there is none."""

    def found(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node[key] for key in ("text", "prompt") if isinstance(node.get(key), str)]
            return own + [text for value in node.values() for text in found(value)]
        if isinstance(node, list):
            return [text for value in node for text in found(value)]
        return []

    files = sorted(folder.glob("**/*.yaml")) if folder.is_dir() else []
    return [text for file in files for text in found(_yaml(file))]


def collect(data: Path = SHARED, suite: Path = SUITE) -> Collection:
    """Return all prompts, near-duplicates dropped, none near a prompt of the suite, each on its side.

    Raises `DataMissing` when a public set is not in `data`.
    """
    left_out: Counter[str] = Counter()
    asked = Nearness(suite_texts(suite))
    rows_kept: list[tuple[str, str, str, bool]] = []
    for harmful, rows in (
        (True, project_prompts("harmful") + public_prompts(data, _HARMFUL_SETS)),
        (False, project_prompts("benign") + public_prompts(data, _BENIGN_SETS)),
    ):
        usable = []
        for row in rows:
            text = row[0]
            if row[1] != "project" and _YOUNG.search(text) and _SEXUAL.search(text):
                left_out["may concern minors and sex"] += 1
            elif len(text) > _LONGEST:
                left_out[f"longer than {_LONGEST} characters"] += 1
            elif asked.nearest(text) >= NEAR:
                left_out["near a prompt of the suite"] += 1
            else:
                usable.append(row)
        kept = [usable[index] for index in distinct([row[0] for row in usable])]
        left_out["near an earlier prompt"] += len(usable) - len(kept)
        rows_kept += [(*row, harmful) for row in kept]
    texts = [row[0] for row in rows_kept]
    number = {text: index for index, text in enumerate(texts)}
    pairs = [(h, b) for h, b in contrast_pairs() if h in number and b in number]
    twins = {text: text_id(other) for h, b in pairs for text, other in ((h, b), (b, h))}
    found = clusters(texts, [(number[h], number[b]) for h, b in pairs])
    items = [
        Item(text_id(text), text, harmful, source, kind, _side(texts[cluster]), twins.get(text))
        for (text, source, kind, harmful), cluster in zip(rows_kept, found, strict=True)
    ]
    return Collection(tuple(items), dict(left_out))
