"""Damages files at random, as fuzzers do: every mutation comes from one generator, so that a seed repeats it."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping
from functools import cache

from tests.attacks.corpora import every_case

MOST_BYTES = 1 << 16
# Numbers at which lengths, counts and offsets go wrong.
_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 60, (1 << 63) - 1, (1 << 64) - 1)  # fmt: skip


@cache
def seeds() -> Mapping[str, tuple[str, bytes]]:
    """Return (file name, bytes) of every small file that the corpora make, by the case's name: ordinary ones and hostile ones."""
    return {
        f"{title}: {name}": (name, data)
        for title, case in every_case()
        for name, data in case.files.items()
        if 0 < len(data) <= MOST_BYTES
    }


def mutated(data: bytes, other: bytes, generator: random.Random) -> bytes:
    """Return `data` with one to eight changes; `other` is a file to take pieces from.

    >>> mutated(b"abc", b"xyz", random.Random(1)) == mutated(b"abc", b"xyz", random.Random(1))
    True
    """
    changed = bytearray(data)
    for _ in range(generator.randint(1, 8)):
        at = generator.randrange(len(changed) + 1)
        length = min(generator.choice((1, 2, 4, 8, 16, 64, 1024)), len(changed) - at)
        kind = generator.randrange(8)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << generator.randrange(8)
        elif kind == 1 and at < len(changed):
            changed[at] = generator.randrange(256)
        elif kind == 2:
            width, order = generator.choice((1, 2, 4, 8)), generator.choice("<>")
            edge = generator.choice(_EDGES) & (1 << 8 * width) - 1
            changed[at : at + width] = struct.pack(order + "BHxIxxxQ"[width - 1], edge)
        elif kind == 3:
            del changed[at : at + length]
        elif kind == 4:
            changed[at:at] = changed[at : at + length] * generator.choice((1, 2, 16))
        elif kind == 5 and other:
            start = generator.randrange(len(other))
            changed[at : at + length] = other[start : start + generator.choice((1, 4, 16, 256))]
        elif kind == 6 and generator.random() < 0.3:
            del changed[at:]
        else:
            changed[at:at] = generator.randbytes(generator.choice((1, 2, 4, 16)))
    return bytes(changed[:MOST_BYTES])
