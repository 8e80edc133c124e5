"""What was done to a model to make its kin: told from the types, zeros and norms of their tensors where bits alone cannot tell. Pure.

Each name is of what can be seen. A fine-tune that was then quantised is "quantised": that it was trained as well is not told.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import combinations

from weighbridge.probes.checkpoint.weights.fingerprint import ROLES, Fingerprint
from weighbridge.registry.lineage.relation import Related, Relation
from weighbridge.registry.lineage.traits import Trait, Traits

# Measured on planted derivatives: docs/methods/lineage.md.
SPARSER = 0.05  # of the values of matrices are zero in one and not in the other
NORMS = 0.005  # relative change of a norm's spread that casts do not make
OUTSIDE = 0.1  # of the bits that a merge changed, at most so many are neither parent's
LEAST_CHANGED = 16  # bits on either side, for a merge to be told


class Name(StrEnum):
    """What one model is to another, as far as can be seen."""

    COPY = "copy"  # every tensor has the same bytes
    SAME_VALUES = "nearly the same values"
    QUANTISED = "quantised"
    PRUNED = "pruned"
    MERGED = "merged"  # of two models that are both here
    FINE_TUNED = "fine-tuned or merged"  # values and norms moved throughout; merged: with what is not here
    PART = "part changed"
    LAYERS = "layers changed"
    VOCABULARY = "vocabulary changed"
    ADAPTER = "adapter"  # one is the other's file with an adapter beside it
    SAME_FILE = "a weight file in common"
    NOT_KNOWN = "not known"
    NONE = "no kinship shown"
    NOT_MEASURED = "not measured"


def name_relation(found: Related, one: Traits | None, other: Traits | None) -> Name:
    """Return what two models that match are to each other. Without traits, what the bits tell."""
    if not found.match:
        return Name.NONE
    from_bits = Name(found.relation.value) if found.relation is not None else Name.NOT_KNOWN
    if one is None or other is None:
        return from_bits
    if _is_copy(one, other):
        return Name.COPY
    if found.relation in (Relation.LAYERS, Relation.VOCABULARY):
        return from_bits
    if is_coarse(one) != is_coarse(other) or (is_coarse(one) and _types(one) != _types(other)):
        return Name.QUANTISED
    if not is_coarse(one) and abs(_sparser(one, other)) >= SPARSER:
        return Name.PRUNED
    if found.relation is not Relation.PART and _norms_moved(one, other):
        return Name.FINE_TUNED
    return from_bits


def merged_from(child: Fingerprint, kin: dict[str, Fingerprint]) -> tuple[str, str] | None:
    """Return the names of the two models that `child` lies between, None where it lies between none.

    Each bit is the sign of a sum over values, so where two models have the same bit a weighted mean of them has it too. A fine-tune of either has bits
    that are neither's. A step of training on the way from one to the other lies between them nearly as a merge does.
    """
    best, least = None, OUTSIDE
    for one, other in combinations(sorted(kin), 2):
        from_one = from_other = outside = 0
        first, second = kin[one].bits, kin[other].bits
        for place, word in child.bits.items():
            a, b = first.get(place), second.get(place)
            if a is not None and b is not None:
                from_one += (word ^ a).bit_count()
                from_other += (word ^ b).bit_count()
                outside += ((word ^ a) & (word ^ b)).bit_count()
        changed = min(from_one, from_other)
        if changed >= LEAST_CHANGED and outside / changed < least:
            best, least = (one, other), outside / changed
    return best


def _is_copy(one: Traits, other: Traits) -> bool:
    if one.has_more or other.has_more or one.tensors.keys() != other.tensors.keys():
        return False
    pairs = [(each, other.tensors[place]) for place, each in one.tensors.items()]
    return all(a.digest is not None and (a.digest, a.dtype, a.shape) == (b.digest, b.dtype, b.shape) for a, b in pairs)


def _matrices(model: Traits) -> dict[str, Trait]:
    return {
        place: each for place, each in model.tensors.items() if each.is_matrix and place.rpartition(".")[2] in ROLES
    }


def is_coarse(model: Traits) -> bool:
    """Return whether most values of its matrices are stored in fewer than 16 bits, or as integers."""
    each = _matrices(model).values()
    whole = sum(one.elements for one in each)
    return sum(one.elements for one in each if not one.is_float) * 2 > whole > 0


def zeros_in(model: Traits) -> float | None:
    """Return the share of zeros in its matrices, in [0, 1]; None where none was counted."""
    each = [one for one in _matrices(model).values() if one.zeros is not None]
    whole = sum(one.elements for one in each)
    return sum(one.zeros or 0 for one in each) / whole if whole else None


def _types(model: Traits) -> dict[str, str]:
    return {place: each.dtype for place, each in _matrices(model).items()}


def _sparser(one: Traits, other: Traits) -> float:
    """Return by how much the share of zeros in `one` is larger, over the matrices whose zeros both have counted."""
    theirs, zeros, whole = _matrices(other), 0, 0
    for place, each in _matrices(one).items():
        there = theirs.get(place)
        if there is not None and there.elements == each.elements and None not in (each.zeros, there.zeros):
            zeros += (each.zeros or 0) - (there.zeros or 0)
            whole += each.elements
    return zeros / whole if whole else 0.0


def _norms_moved(one: Traits, other: Traits) -> bool:
    """Return whether at least half of the norms that both have changed, beyond what a cast does."""
    moved = counted = 0
    for place, each in one.tensors.items():
        there = other.tensors.get(place)
        if each.is_matrix or not place.endswith("norm") or there is None or there.shape != each.shape:
            continue
        if each.digest is not None and (each.digest, each.dtype) == (there.digest, there.dtype):
            counted += 1
        elif each.spread is not None and there.spread is not None:
            counted += 1
            # Some formats store one less than a norm's weight, so only what a shift leaves alone is compared.
            mine, theirs = _width(each.spread), _width(there.spread)
            pairs = zip(mine, theirs, strict=True)
            moved += any(abs(a - b) > NORMS * max(abs(a), abs(b)) for a, b in pairs)
    return counted > 0 and moved * 2 >= counted


def _width(spread: tuple[float, float, float, float]) -> tuple[float, float]:
    return spread[1] - spread[0], spread[3]
