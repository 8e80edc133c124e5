"""A short mark of a model's weights that survives quantisation and fine-tuning: docs/formats/fingerprint.md.

Of each matrix that conversions leave in place (embedding, values and output of attention, feed-forward), 64 runs of 32 neighbouring values
at fixed places are each multiplied by a fixed pattern of signs, after their mean was taken away, and added up; the sign of each sum is one
bit. Models of one descent share nearly all bits, unrelated ones half of them. (Sign random projections: Charikar 2002, "Similarity estimation techniques from rounding
algorithms".)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from weighbridge.probes.checkpoint.weights.statistics import MARK, RUN, RUNS, TensorStatistics

VERSION = MARK
# Conversion to GGUF reorders the rows of queries and keys, so they are left out.
ROLES = ("embedding", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
LEAST_BITS = 512  # fewer say too little
# Shares of bits that differ. Measured on planted truth (docs/methods/weights.md): Q4 quantisation 5 %, noise of a tenth of the weights 3 %.
RELATED, UNRELATED = 0.25, 0.40


@dataclass(frozen=True)
class Fingerprint:
    """`bits` maps "layer.role" (or "role") to 64 bits."""

    bits: Mapping[str, int]

    @property
    def layers(self) -> frozenset[int]:
        """The numbers of the layers that are in it."""
        return frozenset(_by_layer(self))

    def as_json(self) -> dict[str, Any]:
        """Return {"version", "bits": {place: 16 hexadecimal digits}}."""
        return {"version": VERSION, "bits": {place: f"{value:016x}" for place, value in sorted(self.bits.items())}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Fingerprint:
        """Read what `as_json` wrote. Raises `ValueError` for another version or format."""
        if data.get("version") != VERSION or not isinstance(data.get("bits"), Mapping):
            raise ValueError(f"this is no fingerprint of version {VERSION}")
        return cls({str(place): int(str(value), 16) for place, value in data["bits"].items()})


@dataclass(frozen=True)
class Likeness:
    """The share of bits that differ between two fingerprints, over `bits` compared, and a 95 % interval that takes bits as independent."""

    differing: float
    bits: int
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Return "related", "unrelated" or "undecided"."""
        if self.high < RELATED:
            return "related"
        return "unrelated" if self.low > UNRELATED else "undecided"


@cache
def _signs() -> npt.NDArray[np.float64]:
    """Return the pattern, RUNS by RUN: bit j of SHA-256("wbf1:i"), lowest bit of the first byte first, 1 for +1 and 0 for -1."""
    rows = [np.frombuffer(hashlib.sha256(f"{VERSION}:{i}".encode()).digest(), np.uint8) for i in range(RUNS)]
    bits = np.unpackbits(np.array(rows), axis=1, bitorder="little")[:, :RUN]
    return bits.astype(np.float64) * 2 - 1


def projections(each: TensorStatistics) -> npt.NDArray[np.float64] | None:
    """Return the 64 sums of a tensor, None where it has no samples or they are no numbers."""
    if each.samples is None:
        return None
    with np.errstate(all="ignore"):  # samples may be any bits
        values = each.samples.astype(np.float64)
        if not np.isfinite(values).all() or each.minimum == each.maximum:
            return None
        # The mean of a run is no mark of a model: left in, matrices that are shifted alike would look alike.
        sums = ((values - values.mean(1, keepdims=True)) * _signs()).sum(1)
    return sums if np.isfinite(sums).all() and sums.any() else None


def place(each: TensorStatistics) -> str | None:
    """Return the name of the tensor's place in the fingerprint, None for tensors that are not in it."""
    if each.role not in ROLES:
        return None
    return each.role if each.layer is None else f"{each.layer}.{each.role}"


def fingerprint(statistics: Sequence[TensorStatistics]) -> Fingerprint | None:
    """Return the fingerprint, None where too few matrices have samples."""
    bits: dict[str, int] = {}
    for each in statistics:
        name = place(each)
        sums = projections(each) if name is not None else None
        if name is not None and sums is not None and name not in bits:
            bits[name] = sum(1 << i for i, value in enumerate(sums) if value > 0)
    return Fingerprint(bits) if len(bits) * RUNS >= LEAST_BITS else None


def likeness(one: Fingerprint, other: Fingerprint, layers: Mapping[int, int] | None = None) -> Likeness | None:
    """Return how alike two fingerprints are, None where they share too few places.

    `layers` says which layer of `other` stands for a layer of `one` (`aligned_layers`); without it, the one of the same number.
    """
    shared = [(name, there) for name in one.bits if (there := _moved(name, layers)) in other.bits]
    total = len(shared) * RUNS
    if total < LEAST_BITS:
        return None
    differing = sum((one.bits[here] ^ other.bits[there]).bit_count() for here, there in shared) / total
    z = 1.959963984540054
    centre = (differing + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(differing * (1 - differing) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return Likeness(differing, total, max(0.0, centre - half), min(1.0, centre + half))


def aligned_layers(one: Fingerprint, other: Fingerprint) -> dict[int, int]:
    """Return which layer of `other` each layer of `one` descends from, for models whose layers were dropped, repeated or moved.

    A layer descends from the one that is most like it, if so few bits differ that strangers hardly ever do (`RELATED`, and 5.5
    standard deviations from one half). Layers that descend from none are left out.
    """
    ours, theirs = _by_layer(one), _by_layer(other)
    found = {}
    for layer, roles in ours.items():
        # The layer of the same number first: of two that are equally alike it is the one.
        candidates = sorted(theirs, key=lambda number: (abs(number - layer), number))[:MAX_LAYERS]
        best, least = None, 1.0
        for number in candidates:
            shared = roles.keys() & theirs[number].keys()
            total = len(shared) * RUNS
            differing = sum((roles[role] ^ theirs[number][role]).bit_count() for role in shared)
            if total and differing / total < min(least, RELATED, 0.5 - 5.5 * 0.5 / math.sqrt(total)):
                best, least = number, differing / total
        if best is not None:
            found[layer] = best
    return found


MAX_LAYERS = 400  # a model has hardly more; a file can say anything


def _by_layer(mark: Fingerprint) -> dict[int, dict[str, int]]:
    layers: dict[int, dict[str, int]] = {}
    for name, value in mark.bits.items():
        number, dot, role = name.partition(".")
        if dot and number.isdecimal() and (int(number) in layers or len(layers) < MAX_LAYERS):
            layers.setdefault(int(number), {})[role] = value
    return layers


def _moved(name: str, layers: Mapping[int, int] | None) -> str:
    number, dot, role = name.partition(".")
    if layers is None or not dot or not number.isdecimal():
        return name
    return f"{layers[int(number)]}.{role}" if int(number) in layers else ""
