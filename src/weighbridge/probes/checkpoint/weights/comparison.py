"""Two sets of weights beside each other: which tensors are the same, which moved and how far, and what the one is to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from weighbridge.probes.checkpoint.weights.fingerprint import Likeness, fingerprint, likeness, place, projections
from weighbridge.probes.checkpoint.weights.statistics import TensorStatistics

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
    """`verdict`: "identical", "a fine-tune", "a quantisation", "related", "unrelated", "undecided" or "not measured"."""

    verdict: str
    identical: int
    moved: tuple[Moved, ...]
    only_here: tuple[str, ...]
    only_there: tuple[str, ...]
    likeness: Likeness | None

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        data = asdict(self)
        data["distance_standard_error"] = STANDARD_ERROR
        return data


def compare(mine: Sequence[TensorStatistics], other: Sequence[TensorStatistics]) -> Comparison:
    """Return how the two relate. Tensors are paired by layer and role, whatever they are called.

    The verdict rests on the fingerprints: a share of differing bits well under that of strangers is descent; then another type of
    most matrices is a quantisation, the same type with other values a fine-tune.
    """
    ours, theirs = _by_place(mine), _by_place(other)
    shared = [key for key in ours if key in theirs]
    same = 0
    moved: list[Moved] = []
    retyped = compared = 0
    for key in shared:
        one, two = ours[key], theirs[key]
        if one.digest == two.digest and one.dtype == two.dtype:
            same += 1
            continue
        moved.append(Moved(one.tensor, two.tensor, _distance(one, two)))
        if place(one) is not None:
            compared += 1
            retyped += one.dtype != two.dtype
    moved.sort(key=lambda each: -(each.distance if each.distance is not None else -1.0))
    marks = fingerprint(mine), fingerprint(other)
    alike = likeness(marks[0], marks[1]) if marks[0] and marks[1] else None
    return Comparison(
        verdict=_verdict(same, len(ours), len(theirs), len(shared), alike, retyped, compared),
        identical=same,
        moved=tuple(moved[:MAX_LISTED]),
        only_here=tuple(ours[key].tensor for key in ours if key not in theirs)[:MAX_LISTED],
        only_there=tuple(theirs[key].tensor for key in theirs if key not in ours)[:MAX_LISTED],
        likeness=alike,
    )


def _by_place(statistics: Sequence[TensorStatistics]) -> dict[tuple[int | None, str], TensorStatistics]:
    found: dict[tuple[int | None, str], TensorStatistics] = {}
    for each in statistics:
        found.setdefault((each.layer, each.role), each)
    return found


def _distance(one: TensorStatistics, two: TensorStatistics) -> float | None:
    """Return the relative distance between two tensors, estimated from their projections; None for other shapes or no samples."""
    if one.elements != two.elements:
        return None
    mine, other = projections(one), projections(two)
    if mine is None or other is None:
        return None
    length = float(np.linalg.norm(other))
    return float(np.linalg.norm(mine - other)) / length if length else None


def _verdict(
    same: int, ours: int, theirs: int, shared: int, alike: Likeness | None, retyped: int, compared: int
) -> str:
    if shared and same == shared == ours == theirs:
        return "identical"
    if alike is None:
        return "not measured"
    if alike.verdict != "related":
        return alike.verdict
    if compared and retyped > compared / 2:
        return "a quantisation"
    return "a fine-tune" if compared else "related"
