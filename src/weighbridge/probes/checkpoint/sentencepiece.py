"""Recognises SentencePiece vocabularies (tokenizer.model): a protobuf whose pieces each have a text and a score."""

from __future__ import annotations

from weighbridge.probes.checkpoint.examine import Context, Spent
from weighbridge.probes.checkpoint.protobuf_wire import NotProtobuf, fields, text
from weighbridge.probes.checkpoint.report import Examined
from weighbridge.probes.checkpoint.source import Source


def matches(source: Source, head: bytes) -> bool:
    """Whether the first fields are pieces."""
    if head[:1] != b"\x0a":
        return False
    context = Context()
    context.allowance.steps = 200
    pieces = 0
    try:
        for field in fields(source, 0, source.size_bytes, context):
            if field.number != 1 or field.wire != 2 or field.size > 1000:
                return pieces >= 3
            inner = {each.number: each for each in fields(source, field.offset, field.offset + field.size, context)}
            if 1 not in inner or text(source, inner[1]) is None or (2 in inner and inner[2].wire != 5):
                return False
            pieces += 1
    except Spent:
        return pieces >= 3
    except NotProtobuf:
        return False
    return pieces >= 3


def examine(source: Source, into: Examined, context: Context) -> None:
    """A vocabulary holds no code; nothing in it is judged."""
    into.format = "sentencepiece"
