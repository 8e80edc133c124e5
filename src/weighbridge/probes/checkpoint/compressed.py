"""Examines single compressed streams (gzip, bzip2, xz, zlib as joblib writes it): what comes out is examined as a file of its own."""

from __future__ import annotations

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Examined, NotExamined
from weighbridge.probes.checkpoint.source import Source, Window
from weighbridge.probes.checkpoint.unpacking import Bomb, Corrupt, unpack

_SIGNATURES = ((b"\x1f\x8b", "gzip"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "lzma"), (b"\x5d\0\0", "lzma"))
_OPAQUE = ((b"\x28\xb5\x2f\xfd", "zstandard"), (b"\x04\x22\x4d\x18", "lz4"), (b"ZF", "old joblib"))
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


def matches(source: Source, head: bytes) -> bool:
    """Whether a compressed stream begins here."""
    return _method(head) is not None or _opaque(head) is not None


def _method(head: bytes) -> str | None:
    for signature, method in _SIGNATURES:
        if head.startswith(signature):
            if method == "lzma" and signature == b"\x5d\0\0" and (len(head) < 14 or head[12] not in (0, 0xFF)):
                continue
            return method
    if head[:2] in _ZLIB and len(head) > 6 and _inflates(head):
        return "zlib"
    return None


def _inflates(head: bytes) -> bool:
    import zlib

    try:
        return bool(zlib.decompressobj(15).decompress(head, 64))
    except zlib.error:
        return False


def _opaque(head: bytes) -> str | None:
    return next((name for signature, name in _OPAQUE if head.startswith(signature)), None)


def examine(source: Source, into: Examined, context: Context) -> None:
    """Unpack and examine what comes out."""
    head = source.read(0, 64)
    method = _method(source.read(0, 4096))
    if method is None:
        name = _opaque(head) or "compressed"
        into.format = name
        message = f"{name} data: model loaders unpack it, this reader does not"
        into.findings.append(found("archive.opaque", source.path, "file", message))
        into.not_examined.append(NotExamined(source.path, f"{name} data is not unpacked"))
        return
    into.format = {"lzma": "xz"}.get(method, method)
    inner = f"{source.path}!{into.format}"
    used = source.size_bytes
    try:
        unpacked, _, used = unpack(source, method, inner, context)
    except Bomb as bomb:
        into.findings.append(found("archive.bomb", source.path, "file", str(bomb)))
        into.not_examined.append(NotExamined(source.path, f"{bomb}: the rest was not unpacked"))
        unpacked = bomb.source
    except Corrupt as corrupt:
        into.findings.append(found("archive.damaged", source.path, "file", f"the {into.format} stream: {corrupt}"))
        unpacked = corrupt.source
    if unpacked.size_bytes:
        context.examine(unpacked)
    if used < source.size_bytes and source.read(used, 4096).strip(b"\0"):
        message = f"{source.size_bytes - used:,} bytes behind the end of the stream"
        into.findings.append(found("archive.hidden-bytes", source.path, f"byte {used}", message))
        context.examine(Window(f"{source.path}!behind {used}", source, used, source.size_bytes - used))
