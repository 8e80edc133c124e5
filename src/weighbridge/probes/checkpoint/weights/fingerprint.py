"""A short mark of a model's weights that survives quantisation and fine-tuning: docs/formats/fingerprint.md.

Of each matrix that conversions leave in place (embedding, values and output of attention, feed-forward), 64 runs of 32 neighbouring values
at fixed places are each multiplied by a fixed pattern of signs and added up; the sign of each sum is one bit. Models of one descent share
nearly all bits, unrelated ones half of them. (Sign random projections: Charikar 2002, "Similarity estimation techniques from rounding
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

from weighbridge.probes.checkpoint.weights.statistics import RUN, RUNS, TensorStatistics

VERSION = "wbf1"
# Conversion to GGUF reorders the rows of queries and keys, so they are left out.
ROLES = ("embedding", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
LEAST_BITS = 512  # fewer say too little
# Shares of bits that differ. Measured on planted truth (docs/methods/weights.md): Q4 quantisation 5 %, noise of a tenth of the weights 3 %.
RELATED, UNRELATED = 0.25, 0.40


@dataclass(frozen=True)
class Fingerprint:
    """`bits` maps "layer.role" (or "role") to 64 bits."""

    bits: Mapping[str, int]

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
    sums = (each.samples.astype(np.float64) * _signs()).sum(1)
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


def likeness(one: Fingerprint, other: Fingerprint) -> Likeness | None:
    """Return how alike two fingerprints are, None where they share too few places."""
    shared = one.bits.keys() & other.bits.keys()
    total = len(shared) * RUNS
    if total < LEAST_BITS:
        return None
    differing = sum((one.bits[name] ^ other.bits[name]).bit_count() for name in shared) / total
    z = 1.959963984540054
    centre = (differing + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(differing * (1 - differing) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return Likeness(differing, total, max(0.0, centre - half), min(1.0, centre + half))
