"""Examines safetensors files strictly: the header's length and JSON, every tensor's place, and bytes that belong to nobody.

Source: the safetensors format description and its reference implementation's validation (huggingface/safetensors).
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, TypeGuard

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Examined, NotExamined, Region
from weighbridge.probes.checkpoint.source import Source, Window

MAX_HEADER_BYTES = 100_000_000  # the reference implementation's
_MAX_PARSED = 48 << 20  # headers beyond are legal but no model has one; parsing them would cost too much memory
_DEEPEST = 8
_LONGEST_NAME = 4096
_MAX_ELEMENTS = (1 << 63) - 1

# name -> our dtype, bits of one element
DTYPES: dict[str, tuple[str, int]] = {
    "BOOL": ("bool", 8),
    "U8": ("u8", 8),
    "I8": ("i8", 8),
    "F8_E5M2": ("f8_e5m2", 8),
    "F8_E4M3": ("f8_e4m3", 8),
    "F8_E8M0": ("f8_e8m0", 8),
    "F8_E4M3FNUZ": ("f8_e4m3fnuz", 8),
    "F8_E5M2FNUZ": ("f8_e5m2fnuz", 8),
    "F4": ("f4", 4),
    "F6_E2M3": ("f6_e2m3", 6),
    "F6_E3M2": ("f6_e3m2", 6),
    "I16": ("i16", 16),
    "U16": ("u16", 16),
    "F16": ("f16", 16),
    "BF16": ("bf16", 16),
    "I32": ("i32", 32),
    "U32": ("u32", 32),
    "F32": ("f32", 32),
    "C64": ("c64", 64),
    "F64": ("f64", 64),
    "I64": ("i64", 64),
    "U64": ("u64", 64),
}


def matches(source: Source, head: bytes) -> bool:
    """Whether a plausible header begins the file, or its name says safetensors and no other format's signature does.

    Of other names a header longer than the file is none: among the raw numbers of many tensors some begin so by chance.
    """
    if len(head) >= 9 and head[8:9] == b"{" and head[9:10] in b'"} \n\t\r':
        return source.path.endswith(".safetensors") or int.from_bytes(head[:8], "little") <= source.size_bytes
    return source.path.endswith(".safetensors") and not _something_else(head)


def _something_else(head: bytes) -> bool:
    signatures = (b"GGUF", b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x89HDF", b"\x1f\x8b", b"version https://git-lfs", b"\x89PNG", b"7z\xbc\xaf", b"\x7fELF", b"\x93NUMPY", b"BZh", b"\xfd7zXZ")  # fmt: skip
    text = head[:64].lstrip().lower()
    return head.startswith(signatures) or text.startswith((b"<!doctype", b"<html", b"<?xml")) or (
        text.startswith(b"{") and head[:8].isascii() and b"\0" not in head[:8]
    )  # fmt: skip


def examine(source: Source, into: Examined, context: Context) -> None:
    """Fill in the tensors' regions and whatever breaks the format."""
    into.format = "safetensors"

    def say(rule: str, where: str, message: str) -> None:
        into.findings.append(found(f"safetensors.{rule}", source.path, where, message))

    def give_up(rule: str, where: str, message: str) -> None:
        say(rule, where, message)
        into.not_examined.append(NotExamined(source.path, f"its tensors: {message}"))

    if source.size_bytes < 8:
        return give_up("header", "byte 0", "shorter than the eight bytes of the header's length")
    length = int.from_bytes(source.read(0, 8), "little")
    start = 8 + length
    if length > MAX_HEADER_BYTES:
        return give_up(
            "impossible", "byte 0", f"a header of {length:,} bytes; loaders refuse more than {MAX_HEADER_BYTES:,}"
        )
    if start > source.size_bytes:
        return give_up("truncated", "byte 0", f"a header of {length:,} bytes in a file of {source.size_bytes:,}")
    if length > _MAX_PARSED:
        return give_up("header", "byte 0", f"a header of {length:,} bytes: no model has so many tensors")
    header = _parsed(source.read(8, length), say)
    if header is None:
        into.not_examined.append(NotExamined(source.path, "its tensors: the header cannot be read"))
        return None
    spans: list[tuple[int, int, str]] = []
    data_bytes = source.size_bytes - start
    for name, entry in header.items():
        context.allowance.step(10)
        if name == "__metadata__":
            _metadata(entry, into, say)
            continue
        span = _tensor(name, entry, data_bytes, say)
        if span is None:
            into.not_examined.append(NotExamined(source.path, f"the values of {name[:80]}: its entry makes no sense"))
            continue
        begin, end, dtype, shape = span
        spans.append((begin, end, name))
        if end <= data_bytes and end > begin:
            into.regions.append(Region(name, start + begin, end - begin, dtype, shape))
        elif end == begin:
            into.metadata.setdefault("empty_tensors", []).append(name)
        elif end > data_bytes:
            into.not_examined.append(NotExamined(source.path, f"the values of {name[:80]}: not in the file"))
    _layout(source, start, data_bytes, spans, into, context, say)
    return None


def _parsed(raw: bytes, say: Any) -> dict[str, Any] | None:
    """Return the header, or None with a finding. Depth is bounded before parsing: the parser recurses."""
    if raw[:1] != b"{":
        say("header", "byte 8", "the header does not begin with a brace")
        return None
    if raw.rstrip(b" ") != raw.rstrip():
        say("header", "header", "the header is padded with something other than spaces")
    if _depth(raw) > _DEEPEST:
        say("header", "header", f"the header is nested deeper than {_DEEPEST} levels")
        return None
    duplicates: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            seen: set[str] = set()
            duplicates.extend(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return made

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")

    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)
    except UnicodeDecodeError:
        say("header", "header", "the header is not UTF-8")
        return None
    except (ValueError, RecursionError) as error:
        say("header", "header", f"the header is not JSON: {str(error)[:100]}")
        return None
    for name in duplicates[:20]:
        say("duplicate-key", name, "stands twice in the header: loaders differ in which one they read")
    return header if isinstance(header, dict) else None


def _depth(raw: bytes) -> int:
    """Return how deeply brackets are nested outside of strings, at most. Linear, no recursion."""
    deepest = depth = 0
    quoted = escaped = False
    if raw.count(b"{") + raw.count(b"[") <= _DEEPEST:
        return 1
    # Strings are rarely more than names: blank them out first where that is simple, and only then count.
    if b"\\" not in raw:
        raw = b"".join(raw.split(b'"')[::2])
        for byte in raw:
            if byte in b"{[":
                depth += 1
                if depth > deepest:
                    deepest = depth
                    if deepest > _DEEPEST:
                        return deepest
            elif byte in b"}]":
                depth -= 1
        return deepest
    for byte in raw:
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _metadata(entry: Any, into: Examined, say: Any) -> None:
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        say("header", "__metadata__", "the metadata is not a map from text to text")
        return
    for key, value in entry.items():
        if _is_packed(value):
            say("hidden-bytes", f"__metadata__ {key[:80]}", f"{len(value):,} characters of base64 that hold a file")
    into.metadata["__metadata__"] = {key[:200]: value[:2000] for key, value in list(entry.items())[:200]}


_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{64,}={0,2}\s*\Z")
_MAGICS = (
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04",
    b"\x80\x05",
    b"PK\x03\x04",
    b"MZ",
    b"\x1f\x8b\x08",
    b"\x7fELF",
    b"#!/",
)


def _is_packed(value: str) -> bool:
    """Whether a text is base64 of a pickle, an archive or a program."""
    if not _BASE64.match(value):
        return False
    try:
        return base64.b64decode("".join(value[:200].split())[:64]).startswith(_MAGICS)
    except ValueError:
        return False


def _tensor(name: str, entry: Any, data_bytes: int, say: Any) -> tuple[int, int, str, tuple[int, ...]] | None:
    """Return (begin, end, dtype, shape), or None with a finding."""
    if len(name) > _LONGEST_NAME or not name.isprintable() or not name:
        say("name", name[:80], "a tensor's name that is empty, very long, or has characters that do not show")
    if not isinstance(entry, dict):
        say("header", name, "what the header says of the tensor is no map")
        return None
    if extra := entry.keys() - {"dtype", "shape", "data_offsets"}:
        say("header", name, f"unknown keys: {', '.join(sorted(map(str, extra)))[:80]}")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        say("header", name, f"an unknown type {dtype!r}")
        return None
    if not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2:
        say("header", name, "a shape or offsets that are no whole numbers")
        return None
    begin, end = offsets
    elements = 1
    for length in shape:
        elements *= length
        if elements > _MAX_ELEMENTS:
            say("impossible", name, "a shape whose product overflows")
            return None
    kind, bits = DTYPES[dtype]
    if begin > end:
        say("size", name, f"it ends (at {end:,}) before it begins (at {begin:,})")
        return None
    if end > data_bytes:
        rule = "truncated" if begin <= data_bytes else "size" if end < 1 << 40 else "impossible"
        say(rule, name, f"it reaches to byte {end:,} of the data, of which there are {data_bytes:,}")
    if elements * bits % 8 or elements * bits // 8 != end - begin:
        say("size", name, f"{end - begin:,} bytes for a shape and type that need {elements * bits / 8:,.0f}")
        return None
    return begin, end, kind, tuple(shape)


def _naturals(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(
        isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in value
    )


def _layout(
    source: Source,
    start: int,
    data_bytes: int,
    spans: list[tuple[int, int, str]],
    into: Examined,
    context: Context,
    say: Any,
) -> None:
    """Find overlaps, holes and bytes behind the last tensor."""
    reached = 0
    last = ""
    for begin, end, name in sorted(spans):
        if begin < reached and end > begin:
            say("overlap", name, f"shares bytes with {last[:100]}")
        elif begin > reached:
            _hidden(source, start + reached, begin - reached, f"in front of {name[:100]}", into, context, say)
        if end > reached:
            reached, last = end, name
    if reached < data_bytes:
        what = "behind the last tensor" if spans else "and no tensor"
        _hidden(source, start + reached, data_bytes - reached, what, into, context, say)


def _hidden(source: Source, offset: int, size: int, what: str, into: Examined, context: Context, say: Any) -> None:
    if offset >= source.size_bytes:
        return
    say("hidden-bytes", f"byte {offset}", f"{size:,} bytes {what} belong to no tensor")
    head = source.read(offset, 16)
    if (
        head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK", b"MZ", b"\x1f\x8b")
        or head[:4] == b"\x7fELF"
    ):
        context.examine(
            Window(f"{source.path}!hidden at {offset}", source, offset, min(size, source.size_bytes - offset))
        )
