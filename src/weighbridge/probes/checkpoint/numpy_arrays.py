"""Examines .npy arrays: the header is read as a literal, object arrays hold a pickle."""

from __future__ import annotations

import ast
import re
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Examined, NotExamined, Region
from weighbridge.probes.checkpoint.source import Source, Window

_MAGIC = b"\x93NUMPY"
_MOST_HEADER = 1 << 16
_DTYPES = {"f2": "f16", "f4": "f32", "f8": "f64", "i1": "i8", "i2": "i16", "i4": "i32", "i8": "i64", "u1": "u8", "u2": "u16", "u4": "u32", "u8": "u64", "b1": "bool", "c8": "c64", "c16": "c128"}  # fmt: skip


def matches(source: Source, head: bytes) -> bool:
    """Whether numpy's magic is there."""
    return head.startswith(_MAGIC)


def examine(source: Source, into: Examined, context: Context) -> None:
    """Fill in the array's region, or follow the pickle of an object array."""
    into.format = "numpy npy"

    def damaged(message: str) -> None:
        into.findings.append(found("numpy.header", source.path, "header", message))
        into.not_examined.append(NotExamined(source.path, message))

    head = source.read(0, 12)
    major = head[6] if len(head) > 6 else 0
    width = 2 if major == 1 else 4
    if major not in (1, 2, 3) or len(head) < 8 + width:
        return damaged(f"a version {major} that does not exist")
    length = int.from_bytes(head[8 : 8 + width], "little")
    start = 8 + width + length
    if length > _MOST_HEADER or start > source.size_bytes:
        return damaged(f"a header of {length:,} bytes")
    facts = _literal(source.read(8 + width, length))
    if facts is None:
        return damaged("the header is no plain description of an array")
    descr, shape = facts["descr"], facts["shape"]
    if _has_objects(descr):
        _objects(source, start, into, context)
        return None
    item = _item_bytes(descr)
    elements = 1
    for each in shape:
        elements *= each
    if item is None or not 0 <= elements <= 1 << 62 or not 0 <= item <= 1 << 62:
        return damaged("an element type or shape that is not understood")
    size = elements * item
    left = source.size_bytes - start
    if size > left:
        message = f"{size:,} bytes are stated, there are {left:,}"
        into.findings.append(found("numpy.size", source.path, "header", message))
        into.not_examined.append(NotExamined(source.path, "the values that are missing"))
    elif size < left:
        message = f"{left - size:,} bytes behind the array"
        into.findings.append(found("numpy.hidden-bytes", source.path, f"byte {start + size}", message))
        if not source.path.endswith("!"):
            context.examine(Window(f"{source.path}!behind {start + size}", source, start + size, left - size))
    code = descr.lstrip("<>|=") if isinstance(descr, str) else ""
    if code in _DTYPES and 0 < size <= left:
        order = tuple(reversed(shape)) if facts.get("fortran_order") else shape
        into.regions.append(Region("array", start, size, _DTYPES[code], order, big_endian=descr.startswith(">")))
    return None


def _literal(raw: bytes) -> dict[str, Any] | None:
    """Return the header, read as numpy does: a Python literal, never evaluated."""
    text = raw.decode("latin-1").strip()
    if text.count("(") + text.count("[") + text.count("{") > 200:
        return None
    text = re.sub(r"(?<=[0-9])L(?=[,)\s])", "", text)  # as Python 2 wrote shapes
    try:
        facts = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    if not isinstance(facts, dict) or set(facts) != {"descr", "fortran_order", "shape"}:
        return None
    shape = facts["shape"]
    if not isinstance(shape, tuple) or not all(
        isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in shape
    ):
        return None
    return facts


def _has_objects(descr: Any) -> bool:
    if isinstance(descr, str):
        return descr.lstrip("<>|=").startswith("O")
    if isinstance(descr, list | tuple):
        return any(_has_objects(field[1]) for field in descr if isinstance(field, tuple) and len(field) > 1)
    return False


def _item_bytes(descr: Any) -> int | None:
    if isinstance(descr, str):
        kind, digits = descr.lstrip("<>|=")[:1], descr.lstrip("<>|=")[1:].split("[")[0]
        if kind == "V" and not digits:
            return 0
        if kind not in "?bBiufcmMSUVa" or not kind or not digits.isdigit() or len(digits) > 9:
            return None
        return int(digits) * (4 if kind == "U" else 1)
    if isinstance(descr, list):
        total = 0
        for field in descr:
            size = _item_bytes(field[1]) if isinstance(field, tuple) and len(field) > 1 else None
            if size is None or not isinstance(field, tuple):
                return None
            for each in field[2] if len(field) > 2 and isinstance(field[2], tuple) else ():
                size *= each
            total += size
        return total
    return None


def _objects(source: Source, start: int, into: Examined, context: Context) -> None:
    """An array of objects is a pickle: whatever that does is said of it; the array itself only opens the door."""
    from weighbridge.probes.checkpoint import pickles

    message = "an array of Python objects: numpy unpickles it when allow_pickle is set"
    into.findings.append(found("numpy.object-array", source.path, "header", message))
    inner = Examined(f"{source.path}!objects")
    pickles.examine(Window(inner.path, source, start, source.size_bytes - start), inner, context)
    into.findings += inner.findings
    into.not_examined += inner.not_examined
