"""What an inspection says of each tensor, as far as it tells what was done to a model: type, shape, zeros, digest, spread. Untrusted, bounded."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from weighbridge.dossier.inspection import TensorFacts

MOST_TENSORS = 4096  # of each model; those after are left out
_MAX_BYTES = 8 << 20  # as JSON

# Stored at full or half width, by the names of every format that is read.
FLOATS = frozenset({"f64", "f32", "f16", "bf16", "float64", "float32", "float16", "bfloat16"})


class Digested(TensorFacts):
    """A tensor's facts with the beginning of its bytes' SHA-256."""

    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Trait:
    """One tensor. `spread`: smallest, largest, mean and standard deviation of its values; None where they were not measured."""

    dtype: str
    shape: tuple[int, ...]
    elements: int
    zeros: int | None
    digest: str | None
    spread: tuple[float, float, float, float] | None

    @property
    def is_matrix(self) -> bool:
        """Whether it has two dimensions or more."""
        return len(self.shape) >= 2

    @property
    def is_float(self) -> bool:
        """Whether its values are stored as floating-point numbers of 16 bits or more."""
        return self.dtype in FLOATS


@dataclass(frozen=True, slots=True)
class Traits:
    """Tensors by place, "layer.role" or "role". `has_more`: of two tensors at one place, or of very many, some were left out."""

    tensors: Mapping[str, Trait]
    has_more: bool = False

    def pack(self) -> bytes:
        """Return it as deflated JSON."""
        rows = {
            place: [each.dtype, list(each.shape), each.elements, each.zeros, each.digest, each.spread]
            for place, each in self.tensors.items()
        }
        return zlib.compress(json.dumps({"tensors": rows, "has_more": self.has_more}, allow_nan=False).encode(), 6)


_TENSORS = TypeAdapter(list[Digested])
_Row = tuple[str, tuple[int, ...], int, int | None, str | None, tuple[float, float, float, float] | None]
_PACKED = TypeAdapter(dict[str, _Row])


def read_traits(tensors: object) -> Traits | None:
    """Return the traits in the `tensors` of an inspection's report, None where it has none that can be read.

    >>> one = {"path": "m", "tensor": "t", "dtype": "F16", "shape": [2, 2], "elements": 4, "layer": 0, "role": "attn_v", "zeros": 1}
    >>> read_traits({"each": [one]}).tensors["0.attn_v"].zeros
    1
    """
    each = tensors.get("each") if isinstance(tensors, Mapping) else None
    if not isinstance(each, list):
        return None
    try:
        facts = _TENSORS.validate_python(each[:MOST_TENSORS])
    except ValidationError:
        return None
    found: dict[str, Trait] = {}
    has_more = len(each) > MOST_TENSORS
    for one in facts:
        if one.role is None or len(one.role) > 100 or len(one.shape) > 8:
            continue
        place = one.role if one.layer is None else f"{one.layer}.{one.role}"
        if place in found:
            has_more = True
            continue
        spread = (one.minimum, one.maximum, one.mean, one.deviation) if one.measured else None
        found[place] = Trait(
            dtype=one.dtype.lower()[:40],
            shape=one.shape,
            elements=one.elements,
            zeros=one.zeros if one.measured else None,
            digest=one.digest[:64] if one.digest else None,
            spread=None if spread is None or None in spread else spread,  # type: ignore[arg-type]
        )
    return Traits(found, has_more) if found else None


def unpack_traits(data: bytes) -> Traits | None:
    """Return what `Traits.pack` made, None for anything else."""
    try:
        held = json.loads(zlib.decompressobj().decompress(data, _MAX_BYTES))
        rows = _PACKED.validate_python(held["tensors"])
        return Traits({place: Trait(*row) for place, row in rows.items()}, bool(held["has_more"]))
    except (ValueError, KeyError, TypeError, zlib.error, RecursionError):
        return None
