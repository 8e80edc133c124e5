"""Publishes planted derivatives, looks for the kin of each, and counts what was found, named and oriented: docs/methods/lineage.md.

    PYTHONPATH=. python scripts/measure_kinship.py [--side test] [--sets N] [--cache FOLDER]

The models are those of plant_derivatives.py, some of them stored in other types as well. Each is published as a signed dossier, then sought. Prints Markdown.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plant_derivatives import SEEDS, SIDES, Model, each_matrix, family, linear, pruned, rate, slerp, trained
from tests.dossier.statements import made
from tests.probes.checkpoint.weights.planted import as_gguf
from tests.registry.databases import Clock, opened
from tests.registry.descents import plant, put_model, report

from weighbridge.registry.kin import Because, Direction, Kin, Lineage, Name, lineage_of
from weighbridge.registry.publishing import trust
from weighbridge.registry.store import Store

TOLD = {  # what a kind should be named; all else that claims something is wrong
    "fine-tuned, then": {Name.ROUNDED},
    "fine-tuned": {Name.FINE_TUNED},
    "cast": {Name.SAME_VALUES},
    "quantised": {Name.ROUNDED},  # a round trip kept as floating point
    "stored as Q": {Name.QUANTISED},
    "stored as bf": {Name.SAME_VALUES},
    "pruned": {Name.PRUNED, Name.ROUNDED},
    "adapter": {Name.PART},
    "two fine-tunes merged": {Name.FINE_TUNED, Name.MERGED},
    "merged with": {Name.FINE_TUNED, Name.MERGED},
    "vocabulary": {Name.VOCABULARY},
    "one layer": {Name.LAYERS},
}
SILENT = {Name.NOT_KNOWN, Name.SAME_VALUES}


@dataclass
class Planted:
    """One model: its kind, the labels of the two or fewer that it was made from, and of the bases that it has values of."""

    label: str
    kind: str
    parents: tuple[str, ...]
    bases: frozenset[str]
    said: dict[str, Any]


def models(side: str, sets: int, cache: Path | None) -> Iterator[Planted]:
    """Yield all models of one side, each after those that it was made from."""
    for data in list(SIDES[side])[:sets]:
        bases = [kept(cache, f"{data}-{seed}", data, seed) for seed in range(SEEDS)]
        for seed, base in enumerate(bases):
            name = f"base {data}-{seed}"
            yield Planted(name, "base", (), frozenset({name}), report(base))
        for seed, base in enumerate(bases):
            name, other = f"base {data}-{seed}", f"base {data}-{(seed + 1) % SEEDS}"
            tuned: dict[str, Model] = {}

            def one(
                kind: str, model: Model, dtype: str = "f32", parents: tuple[str, ...] = (), far: str = ""
            ) -> Planted:
                label = f"{kind} of {name}"  # noqa: B023  used within the loop's own turn
                bases_of = frozenset({name} | ({far} if far else set()))  # noqa: B023
                return Planted(label, kind, parents or (name,), bases_of, report(model, dtype))  # noqa: B023

            for kind, child in cached(cache, f"family {data}-{seed}", base, data, seed):
                if kind.startswith("fine-tuned, ") and "then" not in kind:
                    tuned[kind] = child
                parents: tuple[str, ...] = ()
                if kind.startswith("two fine-tunes"):
                    parents = tuple(f"{each} of {name}" for each in list(tuned)[1:3])
                elif "then" in kind:
                    parents = (f"{list(tuned)[1]} of {name}",)
                yield one(kind, child, "f16" if kind.startswith("cast") else "f32", parents)
            middle, longest = list(tuned)[1], list(tuned)[2]
            again = keep(cache, f"again {data}-{seed}", lambda: trained(data + 100, seed + 50, tuned[middle], 40, 1e-3))  # noqa: B023
            yield one("fine-tuned again", again, parents=(f"{middle} of {name}",))
            half = each_matrix(base, pruned(0.5))
            merge = linear(tuned[middle], tuned[longest], 0.5)
            both = (f"{middle} of {name}", f"{longest} of {name}")
            yield one("stored as bfloat16", base, "bf16")
            yield one("fine-tuned, 40 steps, stored as bfloat16", tuned[middle], "bf16", (f"{middle} of {name}",))
            yield one("pruned by magnitude, 50%, stored as bfloat16", half, "bf16")
            yield one("two fine-tunes merged, stored as bfloat16", merge, "bf16", both)
            yield one("stored as Q8_0", gguf(base), "q8_0")
            yield one("stored as Q4_0", gguf(base), "q4_0")
            yield one("stored as Q4_0 after fine-tuning", gguf(tuned[longest]), "q4_0", (f"{longest} of {name}",))
            yield one("stored as Q4_0 after pruning by half", gguf(half), "q4_0")
            stranger = bases[(seed + 1) % SEEDS]
            for share in (0.7, 0.5, 0.3):
                merged = linear(base, stranger, share)
                yield one(f"merged with a stranger, {share:g} of the parent", merged, "f32", (name, other), other)
            yield one("merged with a stranger, slerp", slerp(base, stranger), "f32", (name, other), other)


def gguf(model: Model) -> Model:
    """Return the model under GGUF's names."""
    return as_gguf({f"model.{name}": values for name, values in model.items()})


def keep(cache: Path | None, name: str, make: Any) -> Model:
    """Return a model, from the folder `cache` where it is there."""
    file = None if cache is None else cache / f"{name}.npz"
    if file is not None and file.exists():
        with np.load(file) as data:
            return dict(data)
    model: Model = make()
    if file is not None:
        np.savez(file, **model)
    return model


def kept(cache: Path | None, name: str, data: int, seed: int) -> Model:
    """Return a base model."""
    return keep(cache, name, lambda: trained(data, 10 * data + seed))


def cached(cache: Path | None, name: str, base: Model, data: int, seed: int) -> Iterator[tuple[str, Model]]:
    """Yield a family; what was trained comes from the cache."""
    listing = None if cache is None else cache / f"{name}.txt"
    if listing is not None and listing.exists():
        for number, kind in enumerate(listing.read_text().splitlines()):
            yield kind, keep(cache, f"{name} {number}", None)
        return
    kinds = []
    for number, (kind, model) in enumerate(family(base, data, seed)):
        kinds.append(kind)
        yield kind, keep(cache, f"{name} {number}", lambda: model)  # noqa: B023
    if listing is not None:
        listing.write_text("\n".join(kinds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", choices=list(SIDES), default="test")
    parser.add_argument("--sets", type=int, default=99)
    parser.add_argument("--cache", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.cache:
        args.cache.mkdir(parents=True, exist_ok=True)
    everyone = list(models(args.side, args.sets, args.cache))
    with tempfile.TemporaryDirectory() as folder:
        found = sought(everyone, Path(folder), signed=True)
        print(f"{len(everyone)} models published, {sum(each.kind == 'base' for each in everyone)} of them bases\n")
        show_found(everyone, found)
        show_named(everyone, found)
        mixed = list(everyone)
        random.Random(1).shuffle(mixed)
        by_order = {"parents first": found, "in any order": sought(mixed, Path(folder), signed=False)}
        by_order["in any order, declared"] = sought(mixed, Path(folder), signed=False, declares=1)
        show_directions(everyone, by_order)
        lies = sought(mixed, Path(folder), signed=False, declares=-1)
        for said, answers in (("true", by_order["in any order, declared"]), ("of a stranger", lies)):
            counted = Counter(each.standing.value for one in answers.values() for each in one.declared)
            print(f"- a declaration that is {said}: " + ", ".join(f"{word} {n}" for word, n in sorted(counted.items())))


def sought(everyone: list[Planted], folder: Path, *, signed: bool, declares: int = 0) -> dict[str, Lineage]:
    """Publish all in order, a day after one another, and return the lineage of each. `declares`: 1 a parent, -1 a base that it has nothing of."""
    clock, key = Clock(), made.ed25519_key()
    roots = {}
    bases = sorted(each.label for each in everyone if each.kind == "base")
    with opened(f"sqlite:///{folder}/{len(list(folder.iterdir()))}.db", clock) as store:
        trust(store, key.public, name="Evaluator", by="measurement")
        for each in everyone:
            strangers = [base for base in bases if base not in each.bases]
            said = {1: each.parents[0] if each.parents else None, -1: (strangers or [None])[0], 0: None}[declares]
            name = None if each.kind == "base" or said is None else said.replace(", ", " ")
            roots[each.label] = published(store, folder, key, each, name, signed)
            clock.now += timedelta(days=1)
        return {label: lineage_of(store, root, clock.now) for label, root in roots.items()}


def published(store: Store, folder: Path, key: Any, each: Planted, made_from: str | None, signed: bool) -> str:
    words = each.label.replace(", ", " ")
    if signed:
        return put_model(store, folder / "dossiers", key, words, each.said, made_from=made_from).subject
    return plant(store, words, each.said, made_from=made_from).subject


def kin_by_label(found: Lineage) -> dict[str, Kin]:
    return {each.label: each for each in found.kin if each.is_kin}


def show_found(everyone: list[Planted], found: dict[str, Lineage]) -> None:
    """Print precision and recall, of all that was returned, and of each derivative's own parents."""
    of = {each.label.replace(", ", " "): each for each in everyone}
    hits = wrong = 0
    said = []
    for each in everyone:
        for label, kin in kin_by_label(found[each.label]).items():
            is_kin = bool(each.bases & of[label].bases)
            hits, wrong = hits + is_kin, wrong + (not is_kin)
            said.append((kin.probability, is_kin))
    print(f"precision of all kin returned: {rate(hits, hits + wrong)}")
    below = [(p, truth) for p, truth in said if isinstance(p, float) and p < 0.99]
    print(f"said at less than 0.99: {len(below)}, of which kin {sum(truth for _, truth in below)}")
    if below:
        print(f"  mean said {np.mean([p for p, _ in below]):.3f}, least {min(p for p, _ in below):.3f}")
    print("\n| kind | models | own parents found | found from the parent's side |")
    print("|---|---|---|---|")
    whole = [0, 0]
    for kind in dict.fromkeys(each.kind for each in everyone if each.parents):
        mine = [each for each in everyone if each.kind == kind]
        pairs = [(each, parent.replace(", ", " ")) for each in mine for parent in each.parents]
        down = sum(parent in kin_by_label(found[each.label]) for each, parent in pairs)
        back = {label.replace(", ", " "): one for label, one in found.items()}
        up = sum(each.label.replace(", ", " ") in kin_by_label(back[parent]) for each, parent in pairs)
        whole = [whole[0] + down, whole[1] + len(pairs)]
        print(f"| {kind} | {len(mine)} | {down} of {len(pairs)} | {up} of {len(pairs)} |")
    print(f"\nrecall of own parents: {rate(*whole)}")
    no_kin = [each for each in everyone if each.kind == "base"]
    foreign = sum(not (each.bases & of[label].bases) for each in no_kin for label in kin_by_label(found[each.label]))
    print(f"strangers returned as kin of the {len(no_kin)} bases: {foreign}\n")


def show_named(everyone: list[Planted], found: dict[str, Lineage]) -> None:
    """Print what each derivative was named beside its parents."""
    print("| kind, beside its parents | right | not told | wrong | named |")
    print("|---|---|---|---|---|")
    total: Counter[str] = Counter()
    for kind in dict.fromkeys(each.kind for each in everyone if each.parents):
        names: Counter[str] = Counter()
        outcome: Counter[str] = Counter()
        right = next(names for prefix, names in TOLD.items() if kind.startswith(prefix))
        if "stored as bf" in kind and not kind.startswith("stored"):
            right = (
                right if not kind.startswith("fine-tuned") else {Name.SAME_VALUES}
            )  # its parent is the same fine-tune
        for each in (each for each in everyone if each.kind == kind):
            for parent in each.parents:
                kin = kin_by_label(found[each.label]).get(parent.replace(", ", " "))
                if kin is not None:
                    names[kin.relation.value] += 1
                    outcome[
                        "right" if kin.relation in right else "not told" if kin.relation in SILENT else "wrong"
                    ] += 1
        total += outcome
        told = ", ".join(f"{name} {count}" for name, count in names.most_common())
        print(f"| {kind} | {outcome['right']} | {outcome['not told']} | {outcome['wrong']} | {told} |")
    merges = {
        (edge.child, each.digest) for each in found.values() for edge in each.edges if edge.because is Because.BETWEEN
    }
    roots = {one.digest: label for label, one in found.items()}
    kinds = {each.label: each.kind for each in everyone}
    said = {child for child, _ in merges}
    true = sum("merged" in kinds[roots[child]] for child in said)
    print(
        f"\nsaid to be merges: {len(said)}, of which merges {true}; merges in all: {sum('merged with' in k or 'fine-tunes merged' in k for k in kinds.values())}"
    )
    print(
        "  said of: "
        + ", ".join(sorted({kinds[roots[child]] for child in said if "merged" not in kinds[roots[child]]}))
    )
    print(f"\nnamed: right {total['right']}, not told {total['not told']}, wrong {total['wrong']}\n")


def show_directions(everyone: list[Planted], by_order: dict[str, dict[str, Lineage]]) -> None:
    """Print how often a derivative's first parent was said to be its parent, and on what that rests."""
    print("| published | rests on | pairs | parent | derivative | not known |")
    print("|---|---|---|---|---|---|")
    for order, found in by_order.items():
        counted: Counter[tuple[Because, Direction]] = Counter()
        for each in everyone:
            for parent in each.parents[:1]:
                kin = kin_by_label(found[each.label]).get(parent.replace(", ", " "))
                if kin is not None:
                    counted[kin.because, kin.direction] += 1
        for because in Because:
            row = [counted[because, way] for way in (Direction.PARENT, Direction.DERIVATIVE, Direction.NOT_KNOWN)]
            if sum(row):
                print(f"| {order} | {because.value} | {sum(row)} | {row[0]} | {row[1]} | {row[2]} |")
    print()


if __name__ == "__main__":
    main()
