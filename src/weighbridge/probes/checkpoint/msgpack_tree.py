"""Examines Flax's msgpack checkpoints with a bounded walk: nothing is built but the places of the arrays.

Source: msgpack specification; flax/serialization.py (extension types 1 ndarray, 2 complex, 3 numpy scalar).
"""

from __future__ import annotations

import struct

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context, Spent
from weighbridge.probes.checkpoint.report import Examined, NotExamined, Region
from weighbridge.probes.checkpoint.source import Source, Window

_DEEPEST = 64
_DTYPES = {"float32": ("f32", 4), "float16": ("f16", 2), "bfloat16": ("bf16", 2), "float64": ("f64", 8), "int32": ("i32", 4), "int64": ("i64", 8), "int8": ("i8", 1), "uint8": ("u8", 1), "int16": ("i16", 2), "uint16": ("u16", 2), "uint32": ("u32", 4), "uint64": ("u64", 8), "bool": ("bool", 1)}  # fmt: skip
_OTHER_DTYPES = frozenset({"complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e4m3", "float8_e3m4", "float8_e8m0fnu", "float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn", "int4", "uint4", "int2", "uint2", "void16", "V2", "|V2"})  # fmt: skip
_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}  # fmt: skip


class _Damaged(Exception):
    pass


def matches(source: Source, head: bytes) -> bool:
    """Whether the bytes begin as a map from texts does, read strictly, or the name says msgpack."""
    first = head[0]
    named = source.path.lower().endswith(".msgpack")
    if named and (0x80 < first <= 0x9F or 0xDC <= first <= 0xDF):
        return True
    if not (0x80 < first <= 0x8F or first in (0xDE, 0xDF)):
        return False
    probe = Examined("")
    context = Context()
    context.allowance.steps = 400
    walker = _Walker(source, probe, context)
    try:
        walker.value("", 0)
    except Spent:
        return walker.arrays > 0 or walker.texts >= 20
    except _Damaged:
        return walker.arrays > 0
    return walker.arrays > 0 or (walker.texts > 0 and walker.at == source.size_bytes)


def examine(source: Source, into: Examined, context: Context) -> None:
    """Walk the tree."""
    into.format = "flax msgpack"
    walker = _Walker(source, into, context)
    try:
        walker.value("", 0)
    except _Damaged as damaged:
        into.findings.append(found("flax.damaged", source.path, f"byte {walker.at}", str(damaged)))
        into.not_examined.append(NotExamined(source.path, f"what lies behind byte {walker.at}"))
        return
    if walker.at < source.size_bytes:
        behind = source.size_bytes - walker.at
        into.findings.append(
            found("flax.hidden-bytes", source.path, f"byte {walker.at}", f"{behind:,} bytes behind the end")
        )
        context.examine(Window(f"{source.path}!behind {walker.at}", source, walker.at, behind))


class _Walker:
    def __init__(self, source: Source, into: Examined, context: Context) -> None:
        self.source, self.into, self.context = source, into, context
        self.at = self.arrays = self.texts = 0

    def take(self, size: int) -> bytes:
        data = self.source.read(self.at, size)
        if len(data) < size:
            raise _Damaged("ends in the middle")
        self.at += size
        return data

    def skip(self, size: int) -> int:
        if size > self.source.size_bytes - self.at:
            raise _Damaged(f"says that {size:,} bytes follow, more than there are")
        start, self.at = self.at, self.at + size
        return start

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def value(self, path: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise _Damaged(f"nested deeper than {_DEEPEST} levels")
        self.context.allowance.step(4)
        first = self.take(1)[0]
        if first <= 0x7F or first >= 0xE0:
            return
        if first <= 0x8F or first in (0xDE, 0xDF):
            count = first & 0x0F if first <= 0x8F else self.number(2 if first == 0xDE else 4)
            self._map(count, path, depth)
        elif first <= 0x9F or first in (0xDC, 0xDD):
            count = first & 0x0F if first <= 0x9F else self.number(2 if first == 0xDC else 4)
            self._bound(count)
            for index in range(count):
                self.value(f"{path}.{index}", depth + 1)
        elif first <= 0xBF or first in (0xD9, 0xDA, 0xDB):
            self.at -= 1
            self.text()
        elif first in (0xC4, 0xC5, 0xC6):
            self.skip(self.number(1 << first - 0xC4))
        elif first in (0xC7, 0xC8, 0xC9):
            size = self.number(1 << first - 0xC7)
            self._extension(self.number(1), size, path)
        elif 0xD4 <= first <= 0xD8:
            self._extension(self.number(1), 1 << first - 0xD4, path)
        elif first in _FIXED:
            self.skip(_FIXED[first])
        else:
            raise _Damaged(f"an unknown type {first:#04x}")

    def _bound(self, count: int) -> None:
        if count > self.source.size_bytes - self.at:
            raise _Damaged(f"says that it holds {count:,} values")

    def _map(self, count: int, path: str, depth: int) -> None:
        self._bound(count)
        seen: set[str] = set()
        for _ in range(count):
            key = self.text()
            if key in seen:
                self.into.findings.append(found("flax.duplicate-key", self.source.path, key, "stands twice in a map"))
            seen.add(key)
            self.value(f"{path}.{key}"[:500].lstrip("."), depth + 1)

    def text(self) -> str:
        first = self.take(1)[0]
        if 0xA0 <= first <= 0xBF:
            size = first & 0x1F
        elif first in (0xD9, 0xDA, 0xDB):
            size = self.number(1 << first - 0xD9)
        elif first <= 0x7F:  # small whole numbers are keys too
            return str(first)
        else:
            raise _Damaged("a key that is no text")
        if size > 1 << 16:
            self.skip(size)
            return ""
        try:
            text = self.take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise _Damaged("a text that is not UTF-8") from None
        self.texts += 1
        return text

    def _extension(self, kind: int, size: int, path: str) -> None:
        begin = self.skip(size)
        if kind == 1:
            self._array(begin, size, path)
        elif kind not in (2, 3):
            message = f"an extension of type {kind}, which Flax does not have"
            self.into.findings.append(found("flax.extension", self.source.path, path or f"byte {begin}", message))

    def _array(self, begin: int, size: int, path: str) -> None:
        """An array is itself msgpack: (shape, name of the type, bytes)."""
        head = self.source.read(begin, min(size, 300))
        try:
            shape, dtype, offset, length = _array_head(head)
        except (IndexError, ValueError, struct.error):
            self.into.findings.append(found("flax.damaged", self.source.path, path, "an array that cannot be read"))
            return
        self.arrays += 1
        if offset + length != size:
            self.into.findings.append(
                found("flax.damaged", self.source.path, path, "an array whose length does not fit")
            )
            return
        kind = _DTYPES.get(dtype)
        elements = 1
        for each in shape:
            elements *= each
        if kind is None:
            if dtype not in _OTHER_DTYPES:
                message = f"an array of the type {dtype[:40]!r}, which no array of numbers has"
                self.into.findings.append(found("flax.damaged", self.source.path, path, message))
            self.into.not_examined.append(NotExamined(self.source.path, f"the values of {path}: type {dtype[:40]}"))
        elif elements * kind[1] != length:
            message = f"{length:,} bytes for a shape and type that need {elements * kind[1]:,}"
            self.into.findings.append(found("flax.damaged", self.source.path, path, message))
        elif length:
            self.into.regions.append(Region(path, begin + offset, length, kind[0], tuple(shape)))


def _array_head(head: bytes) -> tuple[list[int], str, int, int]:
    """Return (shape, type, where the bytes begin, how many). Raises `ValueError`, `IndexError` or `struct.error`."""
    if head[0] != 0x93 or not 0x90 <= head[1] <= 0x9F:
        raise ValueError
    at = 2
    shape = []
    for _ in range(head[1] & 0x0F):
        first = head[at]
        if first <= 0x7F:
            shape.append(first)
            at += 1
        else:
            width = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD1: 2, 0xD2: 4, 0xD3: 8}.get(first, 0)
            if not width:
                raise ValueError
            shape.append(int.from_bytes(head[at + 1 : at + 1 + width], "big"))
            at += 1 + width
    if not 0xA0 <= head[at] <= 0xBF:
        raise ValueError
    size = head[at] & 0x1F
    dtype = head[at + 1 : at + 1 + size].decode("ascii")
    at += 1 + size
    width = {0xC4: 1, 0xC5: 2, 0xC6: 4}.get(head[at], 0)
    if not width:
        raise ValueError
    length = int.from_bytes(head[at + 1 : at + 1 + width], "big")
    return shape, dtype, at + 1 + width, length
