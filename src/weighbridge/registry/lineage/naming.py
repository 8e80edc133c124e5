"""What was done to a model to make its kin: told from the types, zeros and norms of their tensors where bits alone cannot tell. Pure.

Each name is of what can be seen. A fine-tune that was then quantised is "quantised": that it was trained as well is not told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from itertools import combinations

from weighbridge.probes.checkpoint.weights.fingerprint import ROLES
from weighbridge.registry.lineage.relation import Related, Relation
from weighbridge.registry.lineage.traits import Trait, Traits

# Measured on planted derivatives: docs/methods/lineage.md.
SPARSER = 0.05  # of the values of matrices are zero in one and not in the other
WEAKER = 0.001  # of the sum of squares of the matrices is gone with the zeros: rounding adds to it
NORMS = 0.005  # relative change of a norm's spread that casts do not make
# Of its distance to the nearer parent, the means of a merge's tensors lie at most so far from the line between both.
OFF_LINE = 0.25
LEAST_SHARE = 0.05  # of either parent in a merge
LEAST_MEANS = 8  # tensors, for a merge to be told
# What rounding to a type may change a value by, relative to the largest: half a step of its mantissa.
_STEPS = {"bf16": 2.0**-9, "bfloat16": 2.0**-9, "f16": 2.0**-12, "float16": 2.0**-12}


class Name(StrEnum):
    """What one model is to another, as far as can be seen."""

    COPY = "copy"  # every tensor has the same bytes
    SAME_VALUES = "nearly the same values"
    QUANTISED = "quantised"
    PRUNED = "pruned"
    ROUNDED = "rounded or pruned"  # zeros that are not in the other, and nothing tells which
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
    if not is_coarse(one) and abs(sparser := _sparser(one, other)) >= SPARSER:
        weaker = _weaker(one, other) * (1 if sparser > 0 else -1)
        return Name.PRUNED if weaker >= WEAKER else Name.ROUNDED
    if found.relation is not Relation.PART and _norms_moved(one, other):
        return Name.FINE_TUNED
    return from_bits


def merged_from(child: Traits, kin: Mapping[str, Traits]) -> tuple[str, str] | None:
    """Return the names of the two models that `child` is a weighted mean of, None where it is of none.

    The mean of a tensor's values is linear in them: so the means of a merge's tensors lie on the line between its parents' means, all at the same place.
    Those of a parent do not lie so between its children, nor those of a step of training between what it began and ended with.
    """
    best, least = None, OFF_LINE
    for one, other in combinations(sorted(kin), 2):
        off = _off_line(child, kin[one], kin[other])
        if off is not None and off < least:
            best, least = (one, other), off
    return best


def _off_line(child: Traits, one: Traits, other: Traits) -> float | None:
    rows = []
    for place, each in child.tensors.items():
        a, b = one.tensors.get(place), other.tensors.get(place)
        if a is None or b is None or not each.shape == a.shape == b.shape:
            continue
        if each.spread is not None and a.spread is not None and b.spread is not None and any(b.spread[:2]):
            scale = math.sqrt(each.elements) / max(
                abs(b.spread[0]), abs(b.spread[1])
            )  # so that rounding moves all alike
            rows.append(((each.spread[2] - b.spread[2]) * scale, (a.spread[2] - b.spread[2]) * scale))
    between = sum(u * u for _, u in rows)
    if len(rows) < LEAST_MEANS or between == 0 or not math.isfinite(between):
        return None
    share = sum(v * u for v, u in rows) / between
    if not LEAST_SHARE <= share <= 1 - LEAST_SHARE:
        return None
    off = sum((v - share * u) ** 2 for v, u in rows)
    return math.sqrt(off / between) / min(share, 1 - share)


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


def _weaker(one: Traits, other: Traits) -> float:
    """Return by how much of the sum of squares in `other` that in `one` is less, over the matrices that both have."""
    theirs, mine, whole = _matrices(other), 0.0, 0.0
    for place, each in _matrices(one).items():
        there = theirs.get(place)
        if there is not None and there.elements == each.elements and each.spread and there.spread:
            mine += each.elements * (each.spread[2] ** 2 + each.spread[3] ** 2)
            whole += each.elements * (there.spread[2] ** 2 + there.spread[3] ** 2)
    return 1 - mine / whole if whole > 0 and math.isfinite(mine) else 0.0


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
            largest = max(map(abs, (*each.spread[:2], *there.spread[:2])))
            cast = 0.0 if each.dtype == there.dtype else max(_STEPS.get(one.dtype, 0.0) for one in (each, there))
            # Some formats store one less than a norm's weight, so only what a shift leaves alone is compared.
            pairs = zip(_width(each.spread), _width(there.spread), strict=True)
            moved += any(abs(a - b) > max(NORMS * max(abs(a), abs(b)), 2 * cast * largest) for a, b in pairs)
    return counted > 0 and moved * 2 >= counted


def _width(spread: tuple[float, float, float, float]) -> tuple[float, float]:
    return spread[1] - spread[0], spread[3]
