"""Examines GGUF files: counts, lengths, types and places, going on after damage where that is possible.

Source: ggml's docs/gguf.md, versions 2 and 3, and what llama.cpp refuses. Strict reading for loading is in `subject/gguf.py`;
this reader says everything that is wrong instead of the first thing.
"""

from __future__ import annotations

import struct
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Examined, NotExamined, Region, Template
from weighbridge.probes.checkpoint.source import Source, Window
from weighbridge.subject.gguf import DEFAULT_ALIGNMENT, NUMBERS, REMOVED_TYPES, TENSOR_TYPES

_WINDOW = 4 << 20
_BOOL, _STRING, _ARRAY = 7, 8, 9
_MAX_COUNT = 1 << 20  # of keys and of tensors: far beyond any model
_MAX_TEXT = 1 << 20  # longer texts are not kept
_MAX_KEPT = 16 << 20
_KEPT_ITEMS = 64
_MAX_NAME = 63  # bytes; llama.cpp refuses 64 and more
IMPOSSIBLE = 1 << 40  # a count, length or place beyond this is no accident: it makes a careless loader overflow
_MAGICS = (
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04",
    b"\x80\x05",
    b"PK\x03\x04",
    b"MZ\x90",
    b"\x1f\x8b\x08",
    b"\x7fELF",
    b"#!/",
)
_PADDING_LOOKED_AT = 4096
_SIMPLE = {
    "F32": "f32",
    "F16": "f16",
    "BF16": "bf16",
    "F64": "f64",
    "I8": "i8",
    "I16": "i16",
    "I32": "i32",
    "I64": "i64",
}


class _Damaged(Exception):
    """Nothing behind this place can be read. `stated` is the count, length or place that cannot be true."""

    def __init__(self, what: str, stated: int = 0) -> None:
        super().__init__(what)
        self.rule = "impossible" if stated >= IMPOSSIBLE else "damaged"


def matches(source: Source, head: bytes) -> bool:
    """Whether the magic is there, or its fellow of the other byte order."""
    return head[:4] == b"GGUF"


def examine(source: Source, into: Examined, context: Context) -> None:
    """Fill in keys, templates, regions and whatever is wrong."""
    into.format = "gguf"
    reader = _Reader(source, into, context)
    try:
        reader.read()
    except _Damaged as damaged:
        reader.say(damaged.rule, f"byte {reader.offset}", str(damaged))
        into.not_examined.append(NotExamined(source.path, f"what lies behind byte {reader.offset}: {damaged}"))


class _Reader:
    def __init__(self, source: Source, into: Examined, context: Context) -> None:
        self.source, self.into, self.context = source, into, context
        self.buffer, self.base, self.at = b"", 0, 0
        self.kept = 0

    @property
    def offset(self) -> int:
        return self.base + self.at

    def say(self, rule: str, where: str, message: str) -> None:
        self.into.findings.append(found(f"gguf.{rule}", self.source.path, where, message))

    # -- bytes

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.buffer):
            self.base += self.at
            self.at = 0
            if size > self.source.size_bytes - self.base:
                raise _Damaged("it ends in the middle")
            self.buffer = self.source.read(self.base, max(_WINDOW, size))
        data = self.buffer[self.at : self.at + size]
        self.at += size
        return data

    def skip(self, size: int) -> None:
        if size > self.source.size_bytes - self.offset:
            raise _Damaged(f"a length of {size:,} bytes reaches past the end", size)
        if self.at + size <= len(self.buffer):
            self.at += size
        else:
            self.base, self.at, self.buffer = self.offset + size, 0, b""

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def text(self, what: str, longest: int = _MAX_TEXT) -> str | None:
        """Return a text, or None for one too long to keep."""
        size = self.u64()
        if size > longest or self.kept + size > _MAX_KEPT:
            self.skip(size)
            return None
        self.kept += size
        data = self.take(size)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            self.say("text", what, "a text that is not UTF-8")
            return data.decode("utf-8", "replace")

    # -- the file

    def read(self) -> None:
        self.take(4)
        version = self.u32()
        if version not in (2, 3):
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
            what = f"big-endian, version {swapped}" if swapped in (1, 2, 3) else f"version {version}"
            self.say("version", "byte 4", f"{what}: only little-endian versions 2 and 3 are read")
            self.into.not_examined.append(NotExamined(self.source.path, f"a GGUF file of {what}"))
            return
        tensors, keys = self.u64(), self.u64()
        # A key needs 8 + 1 + 4 + 1 bytes at least, a tensor 8 + 1 + 4 + 8 + 4 + 8.
        for what, count, least in (("keys", keys, 13), ("tensors", tensors, 24)):
            if count > _MAX_COUNT or count * least > self.source.size_bytes:
                raise _Damaged(f"it says that it has {count:,} {what}", count)
        self._keys(keys)
        alignment = self._alignment()
        infos = self._infos(tensors)
        start = -(-self.offset // alignment) * alignment
        self._padding(self.offset, start)
        self._layout(infos, start, alignment)
        self._check_tokens()

    def _keys(self, count: int) -> None:
        metadata = self.into.metadata
        for _ in range(count):
            self.context.allowance.step()
            key = self.text("key", 1 << 16)
            if key is None:
                raise _Damaged("a key of more than 65,535 bytes")
            kind = self.u32()
            value = self._value(kind, key, 0)
            if key in metadata:
                self.say("duplicate-key", key, "stands twice: loaders differ in which one they read")
                continue
            metadata[key] = value
            if "chat_template" in key:
                self._template(key, value)
        # The second and later parts of a split model leave it to the first.
        if not isinstance(metadata.get("general.architecture"), str) and not metadata.get("split.no"):
            self.say("architecture", "general.architecture", "the file does not say which architecture it has")

    def _template(self, key: str, value: Any) -> None:
        if key == "tokenizer.chat_templates":
            return
        name = key.removeprefix("tokenizer.chat_template").lstrip(".") or "default"
        if isinstance(value, str):
            self.into.templates.append(Template(self.source.path, key, name, value))
        else:
            self.into.not_examined.append(
                NotExamined(self.source.path, f"the chat template {key}: no text, or too long")
            )

    def _value(self, kind: int, key: str, depth: int) -> Any:
        if kind == _STRING:
            return self.text(key)
        if kind == _BOOL:
            value = self.take(1)[0]
            if value > 1:
                self.say("value", key, f"a truth value of {value}")
            return bool(value)
        if kind in NUMBERS:
            return NUMBERS[kind][1].unpack(self.take(NUMBERS[kind][1].size))[0]
        if kind == _ARRAY and depth < 4:
            return self._array(key, depth)
        raise _Damaged(
            f"the key {key[:80]!r} has an unknown type {kind}" if kind != _ARRAY else "arrays nested too deeply"
        )

    def _array(self, key: str, depth: int) -> Any:
        kind, count = self.u32(), self.u64()
        if kind in NUMBERS or kind == _BOOL:
            width = 1 if kind == _BOOL else NUMBERS[kind][1].size
            if count > (self.source.size_bytes - self.offset) // width:
                raise _Damaged(f"the key {key[:80]!r} says that it holds {count:,} values", count)
            if count <= _KEPT_ITEMS:
                return [self._value(kind, key, depth + 1) for _ in range(count)]
            if width == 1 and self.source.read(self.offset, 8).startswith(_MAGICS):
                self.say(
                    "hidden-bytes",
                    key,
                    f"a list of {count:,} bytes that begins as a pickle, an archive or a program does",
                )
            self.skip(count * width)
            return Length(count)
        if kind == _STRING:
            if count > (self.source.size_bytes - self.offset) // 8:
                raise _Damaged(f"the key {key[:80]!r} says that it holds {count:,} texts", count)
            if count <= _KEPT_ITEMS:
                return [self.text(key) for _ in range(count)]
            self._skip_texts(count)
            return Length(count)
        if kind == _ARRAY and depth < 4:
            if count > (self.source.size_bytes - self.offset) // 12:
                raise _Damaged(f"the key {key[:80]!r} says that it holds {count:,} arrays", count)
            for _ in range(count):
                self.context.allowance.step()
                self._array(key, depth + 1)
            return Length(count)
        what = "arrays nested too deeply" if kind == _ARRAY else f"an unknown type {kind}"
        raise _Damaged(f"the key {key[:80]!r} holds {what}")

    def _skip_texts(self, count: int) -> None:
        """Walk over texts. A vocabulary has hundreds of thousands: this is the reader's one hot loop."""
        self.context.allowance.step(count // 8 + 1)
        unpack = struct.Struct("<Q").unpack_from
        left = count
        while left:
            buffer, at, end = self.buffer, self.at, len(self.buffer)
            while left and at + 8 <= end:
                (size,) = unpack(buffer, at)
                if at + 8 + size > end:
                    break
                at += 8 + size
                left -= 1
            self.at = at
            if left:
                self.skip(self.u64())
                left -= 1

    def _alignment(self) -> int:
        value = self.into.metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 1 << 20 and not value & (value - 1):
            if value < 8:
                self.say("alignment", "general.alignment", f"an alignment of {value}, not a multiple of 8")
            return value
        self.say("alignment", "general.alignment", f"an alignment of {value!r}, not a power of two")
        return DEFAULT_ALIGNMENT

    def _infos(self, count: int) -> list[tuple[str, str | None, int, int]]:
        """Return each tensor's (name, dtype, bytes, offset); None and 0 where its size is not known."""
        infos: list[tuple[str, str | None, int, int]] = []
        shapes: dict[str, tuple[int, ...]] = {}
        for _ in range(count):
            self.context.allowance.step(4)
            name = self.text("tensor name", 1 << 16)
            if name is None:
                raise _Damaged("a tensor's name of more than 65,535 bytes")
            if len(name.encode()) > _MAX_NAME or not name or not name.isprintable():
                self.say(
                    "name", name[:80], "a tensor's name that is empty, very long, or has characters that do not show"
                )
            dimensions = self.u32()
            if dimensions > 8:
                raise _Damaged(f"the tensor {name[:80]!r} has {dimensions} dimensions")
            shape = tuple(self.u64() for _ in range(dimensions))
            kind, offset = self.u32(), self.u64()
            if dimensions > 4 or dimensions == 0:
                self.say("shape", name, f"{dimensions} dimensions; the format allows 1 to 4")
            if name in shapes:
                self.say("duplicate-tensor", name, "stands twice: loaders differ in which one they read")
            dtype, size = self._size(name, shape, kind)
            shapes[name] = shape
            infos.append((name, dtype, size, offset))
        self.shapes = shapes
        return infos

    def _size(self, name: str, shape: tuple[int, ...], kind: int) -> tuple[str | None, int]:
        elements = 1
        for length in shape:
            elements *= length
        if elements > (1 << 63) - 1 or any(length > (1 << 63) - 1 for length in shape):
            self.say("impossible", name, "a shape whose product overflows")
            return None, 0
        if not elements:
            self.say("shape", name, "a dimension of 0")
            return None, 0
        known = TENSOR_TYPES.get(kind)
        if known is None or known[1] is None or known[2] is None:
            what = f"removed type {REMOVED_TYPES[kind]}" if kind in REMOVED_TYPES else f"unknown type {kind}"
            self.say("type", name, f"{what}: its size cannot be told")
            self.into.not_examined.append(NotExamined(self.source.path, f"the tensor {name[:80]} of {what}"))
            return None, 0
        label, block, width = known
        assert block is not None
        assert width is not None
        if shape and shape[0] % block:
            self.say("shape", name, f"rows of {shape[0]:,} elements, no multiple of {label}'s {block}")
            return None, 0
        return _SIMPLE.get(label, label.lower()), elements // block * width

    def _layout(self, infos: list[tuple[str, str | None, int, int]], start: int, alignment: int) -> None:
        """Place the tensors: aligned, inside the file, not over each other, nothing between or behind them."""
        spans: list[tuple[int, int, str]] = []
        unknown = False
        data_bytes = self.source.size_bytes - start
        for name, dtype, size, offset in infos:
            if offset % alignment:
                self.say("offset", name, f"begins at {offset:,}, no multiple of the alignment {alignment}")
            if dtype is None:
                unknown = True
                continue
            if offset + size > data_bytes:
                rule = "truncated" if offset <= data_bytes else "offset"
                rule = "impossible" if offset + size >= IMPOSSIBLE else rule
                self.into.not_examined.append(
                    NotExamined(self.source.path, f"the values of {name[:80]}: not in the file")
                )
                self.say(
                    rule,
                    name,
                    f"reaches to byte {offset + size:,} of the data, of which there are {max(data_bytes, 0):,}",
                )
                continue
            spans.append((offset, offset + size, name))
            shape = tuple(reversed(self.shapes[name]))
            self.into.regions.append(Region(name, start + offset, size, dtype, shape))
        reached, last = 0, ""
        for begin, end, name in sorted(spans):
            if begin < reached:
                self.say("overlap", name, f"shares bytes with {last[:100]}")
            elif not unknown:
                self._between(start + reached, start + begin, alignment)
            if end > reached:
                reached, last = end, name
        if not unknown and reached < data_bytes:
            self._between(start + reached, self.source.size_bytes, alignment)

    def _between(self, begin: int, end: int, alignment: int) -> None:
        """Padding up to the alignment is ordinary when it is zeros; anything else is hidden."""
        gap = end - begin
        if gap <= 0:
            return
        if gap < alignment:
            self._padding(begin, end)
            return
        self.say("hidden-bytes", f"byte {begin}", f"{gap:,} bytes belong to no tensor")
        padded = -(-begin // alignment) * alignment
        head = self.source.read(padded, 16)
        if (
            head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK", b"MZ", b"\x1f\x8b")
            or head[:4] == b"\x7fELF"
        ):
            self.context.examine(Window(f"{self.source.path}!hidden at {padded}", self.source, padded, end - padded))

    def _padding(self, begin: int, end: int) -> None:
        data = self.source.read(begin, min(end - begin, _PADDING_LOOKED_AT))
        if data.strip(b"\0"):
            self.say("padding", f"byte {begin}", f"{len(data):,} bytes of padding that are not zero")

    def _check_tokens(self) -> None:
        """Lengths that must agree: tokens, their scores and types, the embedding's rows."""
        metadata = self.into.metadata
        tokens = length_of(metadata.get("tokenizer.ggml.tokens"))
        if tokens is None:
            return
        for key in ("tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
            length = length_of(metadata.get(key))
            if length is not None and length != tokens:
                self.say("tokens", key, f"{length:,} entries for {tokens:,} tokens")
        shape = self.shapes.get("token_embd.weight")
        if shape and len(shape) == 2 and shape[1] < tokens:
            self.say("tokens", "token_embd.weight", f"{shape[1]:,} rows for {tokens:,} tokens")
        for key, value in metadata.items():
            if not key.startswith("tokenizer.ggml.") or not key.endswith(("_token_id", "_token_ids")):
                continue
            for each in value if isinstance(value, list) else [value]:
                if (
                    isinstance(each, int) and not 0 <= each < tokens and each not in (0xFFFFFFFF, -1)
                ):  # llama.cpp's own "none"
                    self.say("special-token", key, f"{each}, but the vocabulary has {tokens:,} tokens")


class Length(int):
    """How many entries an array has that was counted and not kept."""


def length_of(value: Any) -> int | None:
    """Return the number of entries of an array as kept in the metadata, None for anything else.

    >>> length_of([1, 2]), length_of(Length(70)), length_of(3)
    (2, 70, None)
    """
    if isinstance(value, Length):
        return int(value)
    return len(value) if isinstance(value, list) else None
