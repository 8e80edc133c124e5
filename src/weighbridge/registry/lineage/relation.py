"""Whether two models are related, how probable that is, and what the one is to the other as far as bits can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from weighbridge.probes.checkpoint.weights.fingerprint import LEAST_BITS, Fingerprint, aligned_layers
from weighbridge.registry.lineage.marks import Mark, NotMeasured

# Log-odds of descent = INTERCEPT + SLOPE * z, fitted by scripts/plant_derivatives.py: docs/methods/lineage.md.
INTERCEPT, SLOPE = -9.08, 1.66
MOST_Z = 40.0  # farther from strangers the planted pairs all descend
# Of 64 bits: strangers differ in so few once in some 25,000 words, and in the lower number once in some 4 million.
NEAR, NEAR_ANYWHERE = 16, 12
LEAST_PLACES = 8  # so many words of that kind are no chance
IN_PLACE = 0.2  # share of a layer's bits, far below strangers': it stands for the one of its own number
SAME = 0.004  # share of bits that casts and 8-bit rounding change
TOUCHED = 0.03  # share in one role, with none in another, that very slight training throughout does not reach
STRANGE = 0.35  # share from which on an embedding is as a stranger's


class Relation(StrEnum):
    """What the bits can tell. Direction is never told: each holds both ways round, and of siblings too."""

    SAME_VALUES = (
        "nearly the same values"  # a copy, cast, other shards or names, 8-bit rounding, or a very slight change
    )
    VOCABULARY = "vocabulary changed"
    LAYERS = "layers changed"
    PART = "part changed"  # an adapter merged, or only some roles trained
    NOT_KNOWN = "not known"  # fine-tuned, quantised coarsely, pruned or merged: alike in the bits


@dataclass(frozen=True, slots=True)
class Related:
    """What two fingerprints say of each other.

    `probability` of descent from 0 to 1, at even odds before looking. `differing`: share of the `bits` compared that differ. `z`: how many
    standard deviations below strangers' one half that lies. `places`: words too alike for chance. `match`: enough of those to say "related". `relation` is
    None where there is no match.
    """

    probability: float
    differing: float
    bits: int
    z: float
    places: int
    match: bool
    relation: Relation | None


def relate(one: Mark, other: Mark) -> Related | NotMeasured:
    """Return how two models are related; `NotMeasured` where one has no fingerprint or they share fewer than 512 bits.

    `match` rests on words that are alike, counted; taking places away from either side never makes one.

    >>> mark = Fingerprint({f"{layer}.ffn_up": 7**22 * (layer + 1) % 2**64 for layer in range(8)})
    >>> found = relate(mark, mark)
    >>> found.match, found.relation.value
    (True, 'nearly the same values')
    >>> relate(mark, NotMeasured("the model has no fingerprint"))
    NotMeasured(reason='the model has no fingerprint')
    """
    for mark in (one, other):
        if isinstance(mark, NotMeasured):
            return mark
    assert isinstance(one, Fingerprint) and isinstance(other, Fingerprint)
    layers = _layers(one, other)
    moved = any(here != there for here, there in layers.items()) or (
        bool(layers) and one.layers != other.layers and len(layers) >= min(len(one.layers), len(other.layers)) / 2
    )
    in_place = _differences(one, other, None)
    views = [in_place, {name: count for name, count in in_place.items() if "." in name}]
    if moved:
        views.append(_differences(one, other, layers))
    seen = [view for view in views if len(view) * 64 >= LEAST_BITS]
    if not seen:
        return NotMeasured(f"they share fewer than {LEAST_BITS} bits")
    best = max(seen, key=_z)
    z = _z(best)
    places = alike_places(one, other)
    match = places >= LEAST_PLACES
    return Related(
        probability=probability(z),
        differing=_share(best),
        bits=len(best) * 64,
        z=z,
        places=places,
        match=match,
        relation=_relation(best, in_place, moved) if match else None,
    )


def probability(z: float, prior: float = 0.5) -> float:
    """Return the probability of descent at `z` standard deviations from strangers. `prior`: before looking, above 0 and below 1.

    Raises `ValueError` for another prior.

    >>> probability(0.0) < 0.05 < 0.95 < probability(10.0)
    True
    >>> probability(5.0, prior=1e-6) < probability(5.0)
    True
    """
    if not 0 < prior < 1:
        raise ValueError("the prior probability lies between 0 and 1")
    odds = INTERCEPT + SLOPE * max(0.0, min(z, MOST_Z)) + math.log(prior / (1 - prior))
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))


def alike_places(one: Fingerprint, other: Fingerprint) -> int:
    """Return how many words of the side with fewer have one in the other, of the same role, too alike for chance.

    Each counts by itself, so that fewer places on either side never give more.
    """
    return min(_alike(one, other), _alike(other, one))


def _layers(one: Fingerprint, other: Fingerprint) -> Mapping[int, int]:
    """Return which layer of `other` stands for which of `one`. Where all plainly stand for those of their own numbers, no others are looked at."""
    if one.layers != other.layers:
        return aligned_layers(one, other)
    here: dict[str, list[int]] = {}
    for name, count in _differences(one, other, None).items():
        number, dot, _ = name.partition(".")
        if dot:
            here.setdefault(number, []).append(count)
    if len(here) == len(one.layers) and all(sum(each) <= IN_PLACE * 64 * len(each) for each in here.values()):
        return {number: number for number in one.layers}
    return aligned_layers(one, other)


def _alike(one: Fingerprint, other: Fingerprint) -> int:
    roles: dict[str, list[int]] = {}
    for name, word in other.bits.items():
        roles.setdefault(name.rpartition(".")[2], []).append(word)
    count = 0
    for name, word in one.bits.items():
        there = other.bits.get(name)
        if (there is not None and (word ^ there).bit_count() <= NEAR) or any(
            (word ^ each).bit_count() <= NEAR_ANYWHERE for each in roles.get(name.rpartition(".")[2], ())
        ):
            count += 1
    return count


def _differences(one: Fingerprint, other: Fingerprint, layers: Mapping[int, int] | None) -> dict[str, int]:
    """Return of each shared place how many of its 64 bits differ."""
    found = {}
    for name, word in one.bits.items():
        number, dot, role = name.rpartition(".")
        there = name
        if layers is not None and dot:
            there = f"{layers[int(number)]}.{role}" if int(number) in layers else ""
        if there in other.bits:
            found[name] = (word ^ other.bits[there]).bit_count()
    return found


def _share(differences: Mapping[str, int]) -> float:
    return sum(differences.values()) / (64 * len(differences))


def _z(differences: Mapping[str, int]) -> float:
    return (0.5 - _share(differences)) * 2 * math.sqrt(64 * len(differences))


def _relation(best: Mapping[str, int], in_place: Mapping[str, int], moved: bool) -> Relation:
    if moved:
        return Relation.LAYERS
    layered = {name: count for name, count in best.items() if "." in name}
    embedding = in_place.get("embedding")
    if embedding is not None and embedding >= STRANGE * 64 and layered and _share(layered) < STRANGE / 2:
        return Relation.VOCABULARY
    if _share(best) <= SAME:
        return Relation.SAME_VALUES
    roles: dict[str, dict[str, int]] = {}
    for name, count in layered.items():
        roles.setdefault(name.rpartition(".")[2], {})[name] = count
    shares = [_share(each) for each in roles.values() if len(each) >= 4]
    if shares and min(shares) == 0.0 and max(shares) > TOUCHED:
        return Relation.PART
    return Relation.NOT_KNOWN
