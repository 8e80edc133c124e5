"""Walks protobuf messages on the wire, without their schema: fields with their places, bounded, nothing large is read.

Source: Protocol Buffers documentation, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.source import Source


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its number, wire type (0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes), value or place.

    For wire type 2 `offset` and `size` are where its bytes are in the source; `value` is the number of a varint.
    """

    number: int
    wire: int
    value: int
    offset: int
    size: int


class NotProtobuf(Exception):
    """The bytes are no protobuf message."""


def fields(source: Source, begin: int, end: int, context: Context) -> Iterator[Field]:
    """Yield the fields between two places. Raises `NotProtobuf` at the first byte that cannot be one."""
    buffer, base = b"", begin
    at = begin
    while at < end:
        context.allowance.step()
        if at - base + 24 > len(buffer):
            base, buffer = at, source.read(at, min(1 << 16, end - at))
        tag, at = _varint(buffer, at, base)
        number, wire = tag >> 3, tag & 7
        if number == 0 or number > 1 << 29:
            raise NotProtobuf
        if wire == 0:
            if at - base + 10 > len(buffer):
                base, buffer = at, source.read(at, min(1 << 16, end - at))
            value, at = _varint(buffer, at, base)
            yield Field(number, wire, value, at, 0)
        elif wire == 2:
            if at - base + 10 > len(buffer):
                base, buffer = at, source.read(at, min(1 << 16, end - at))
            size, at = _varint(buffer, at, base)
            if size > end - at:
                raise NotProtobuf
            yield Field(number, wire, 0, at, size)
            at += size
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            if width > end - at:
                raise NotProtobuf
            yield Field(number, wire, 0, at, width)
            at += width
        else:
            raise NotProtobuf


def _varint(buffer: bytes, at: int, base: int) -> tuple[int, int]:
    value = shift = 0
    index = at - base
    while True:
        if index >= len(buffer) or shift > 63:
            raise NotProtobuf
        byte = buffer[index]
        index += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, base + index
        shift += 7


def text(source: Source, field: Field, longest: int = 4096) -> str | None:
    """Return a length-delimited field as text, None when it is none or too long."""
    if field.wire != 2 or field.size > longest:
        return None
    try:
        return source.read(field.offset, field.size).decode("utf-8")
    except UnicodeDecodeError:
        return None
