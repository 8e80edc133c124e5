"""Two sets of weights beside each other: which tensors are the same, which moved and how far, and what the one is to the other."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from weighbridge.probes.checkpoint.weights.fingerprint import (
    Fingerprint,
    Likeness,
    aligned_layers,
    fingerprint,
    likeness,
    place,
    projections,
)
from weighbridge.probes.checkpoint.weights.statistics import TensorStatistics

# Some three times the relative distance that rounding to a type was measured to make (docs/methods/weights.md). Coarser types have no limit, nor
# have 8-bit floats, whose values are mostly multiplied by a scale that is kept elsewhere.
_ROUNDING = {"f64": 0.0, "f32": 1e-6, "f16": 0.002, "bf16": 0.005, "q8_0": 0.03}
STANDARD_ERROR = 0.09  # of a distance that is estimated from 64 projections: 1 / sqrt(2 * 64)
MAX_LISTED = 500


@dataclass(frozen=True)
class Moved:
    """A tensor that is not the same. `distance`: how far it moved relative to its length, estimated (None: not comparable)."""

    tensor: str
    other: str
    distance: float | None


@dataclass(frozen=True)
class Comparison:
    """How two sets of weights relate.

    `verdict`: "identical", "a fine-tune", "a quantisation", "related" (layers were dropped, repeated or moved, or only part of the matrices
    descends), "unrelated", "undecided" or "not measured". `identical`: tensors of the same bytes. `layers`: where layers do not stand for
    those of the same number, which one each descends from. `likeness` is of all places that both have, or with `layers` of those that are paired.
    """

    verdict: str
    identical: int
    moved: tuple[Moved, ...]
    only_here: tuple[str, ...]
    only_there: tuple[str, ...]
    likeness: Likeness | None
    layers: Mapping[int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        data = asdict(self)
        data["distance_standard_error"] = STANDARD_ERROR
        data["layers"] = {str(here): there for here, there in self.layers.items()} if self.layers is not None else None
        return data


def compare(mine: Sequence[TensorStatistics], other: Sequence[TensorStatistics]) -> Comparison:
    """Return how the two relate. Tensors are paired by name, the others by layer and role, whatever they are called.

    The verdict rests on the fingerprints: a share of differing bits well under that of strangers is descent; then another type of
    most matrices is a quantisation, unless they moved farther than rounding does, and the same type with other values a fine-tune.
    """
    our_mark, their_mark = fingerprint(mine), fingerprint(other)
    alike, layers, whole = _descent(our_mark, their_mark) if our_mark and their_mark else (None, None, False)
    pairs, only_here, only_there = _paired(mine, other, layers)
    same = 0
    moved: list[Moved] = []
    compared = 0
    retyped: list[
        tuple[float | None, float]
    ] = []  # how far matrices of another type moved, and how far rounding moves them
    for one, two in pairs:
        if (one.digest, one.dtype, one.shape) == (two.digest, two.dtype, two.shape):
            same += 1
            continue
        moved.append(Moved(one.tensor, two.tensor, _distance(one, two)))
        if place(one) is not None:
            compared += 1
            if one.dtype != two.dtype:
                rounding = _ROUNDING.get(one.dtype, math.inf) + _ROUNDING.get(two.dtype, math.inf)
                retyped.append((moved[-1].distance, rounding))
    moved.sort(key=lambda each: -(each.distance if each.distance is not None else -1.0))
    if pairs and same == len(mine) == len(other):
        verdict = "identical"
    elif alike is None:
        verdict = "not measured"
    elif alike.verdict != "related":
        verdict = alike.verdict
    elif not whole or layers is not None:
        verdict = "related"
    else:
        verdict = "a quantisation" if len(retyped) > compared / 2 and not _beyond_rounding(retyped) else "a fine-tune"
    return Comparison(
        verdict=verdict,
        identical=same,
        moved=tuple(moved[:MAX_LISTED]),
        only_here=tuple(each.tensor for each in only_here[:MAX_LISTED]),
        only_there=tuple(each.tensor for each in only_there[:MAX_LISTED]),
        likeness=alike,
        layers=layers,
    )


def _beyond_rounding(retyped: Sequence[tuple[float | None, float]]) -> bool:
    """Whether a tenth of the matrices (one part of each layer, say) moved farther than their types explain."""
    beyond = sum(distance is not None and distance > rounding for distance, rounding in retyped)
    return beyond > len(retyped) / 10


def _descent(one: Fingerprint, other: Fingerprint) -> tuple[Likeness | None, Mapping[int, int] | None, bool]:
    """Return how alike the two are, the layers where these are paired otherwise than by number, and whether every layer has its own."""
    alike, layers = likeness(one, other), aligned_layers(one, other)
    in_place = all(here == there for here, there in layers.items())
    if in_place and (alike is None or alike.verdict == "related"):
        return alike, None, one.layers == other.layers
    return likeness(one, other, layers) or alike, None if in_place else layers, False


def _paired(
    mine: Sequence[TensorStatistics], other: Sequence[TensorStatistics], layers: Mapping[int, int] | None
) -> tuple[list[tuple[TensorStatistics, TensorStatistics]], list[TensorStatistics], list[TensorStatistics]]:
    """Return the pairs, and the tensors that only one of the two has. Each tensor is in one pair at most."""
    left: dict[int, TensorStatistics] = dict(enumerate(other))
    pairs = []
    unpaired = list(mine)
    keys: list[tuple[Callable[[TensorStatistics], Any], Callable[[TensorStatistics], Any]]] = [
        (_place, _place) if layers is None else (lambda each: _place(each, layers), _place)
    ]
    if layers is None:
        keys.insert(0, (lambda each: (each.tensor, each.path), lambda each: (each.tensor, each.path)))
        keys.insert(1, (lambda each: each.tensor, lambda each: each.tensor))
    for ours, theirs in keys:
        waiting: dict[Any, deque[int]] = {}
        for index, each in left.items():
            waiting.setdefault(theirs(each), deque()).append(index)
        still = []
        for each in unpaired:
            there = waiting.get(ours(each))
            if there:
                pairs.append((each, left.pop(there.popleft())))
            else:
                still.append(each)
        unpaired = still
    return pairs, unpaired, list(left.values())


def _place(each: TensorStatistics, layers: Mapping[int, int] | None = None) -> tuple[int | None, str]:
    """Return the layer and role by which a tensor is paired. A layer that descends from none is paired with none."""
    if layers is None or each.layer is None:
        return each.layer, each.role
    return layers.get(each.layer, -1), each.role


def _distance(one: TensorStatistics, two: TensorStatistics) -> float | None:
    """Return the relative distance between two tensors, estimated from their projections; None for other shapes or no samples.

    Queries and keys are reordered on the way to GGUF, so there is none between a GGUF file and another.
    """
    if one.elements != two.elements or (one.role in ("attn_q", "attn_k") and _is_gguf(one) != _is_gguf(two)):
        return None
    mine, other = projections(one), projections(two)
    if mine is None or other is None:
        return None
    length = float(np.linalg.norm(other))
    return float(np.linalg.norm(mine - other)) / length if length else None


def _is_gguf(each: TensorStatistics) -> bool:
    return each.tensor.startswith("blk.")
