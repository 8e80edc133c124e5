"""Unpacks what is compressed, in bounded steps: memory, total bytes and ratio have limits."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.source import MemorySource, Source, TemporarySource

IN_MEMORY = 32 << 20
_STEP = 1 << 20
# A stream of zeros shrinks a thousandfold; a member that unpacks to more than this at such a ratio serves no model.
BOMB_RATIO, BOMB_BYTES = 100, 64 << 20


class Bomb(Exception):
    """It unpacks to far more than it is. What came out before is in `source`."""

    def __init__(self, source: Source) -> None:
        super().__init__("it unpacks to far more than it is")
        self.source = source


class Corrupt(Exception):
    """The compressed stream is damaged. What came out before is in `source`."""

    def __init__(self, what: str, source: Source) -> None:
        super().__init__(what)
        self.source = source


def unpack(packed: Source, method: str, path: str, context: Context) -> tuple[Source, int, int]:
    """Return (source, CRC-32, bytes read of `packed`) of what `packed` unpacks to.

    `method` is "deflate" (raw), "zlib", "gzip", "bz2", "lzma" (xz and the old format) or "lzma-zip". Raises `Bomb`, `Corrupt` and `Spent`.
    """
    held: list[bytes] = []
    target: TemporarySource | None = None
    size = crc = 0

    def so_far() -> Source:
        return target if target is not None else MemorySource(path, b"".join(held))

    used = [0]
    try:
        for piece in _pieces(packed, method, used):
            context.allowance.unpack(len(piece))
            size += len(piece)
            crc = zlib.crc32(piece, crc)
            if target is None and size > IN_MEMORY:
                target = TemporarySource(path)
                for part in held:
                    target.append(part)
                held.clear()
            if target is None:
                held.append(piece)
            else:
                target.append(piece)
            if size > BOMB_BYTES and size > BOMB_RATIO * max(used[0], 1):
                raise Bomb(so_far())
    except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
        raise Corrupt(str(error)[:120] or "the stream is damaged", so_far()) from None
    return so_far(), crc, used[0]


def _pieces(packed: Source, method: str, used: list[int]) -> Iterator[bytes]:
    """Yield unpacked pieces of at most `_STEP` bytes; `used[0]` counts what was read. Several streams in a row are one."""
    make: Callable[[], Any] = {
        "deflate": lambda: zlib.decompressobj(-15),
        "zlib": lambda: zlib.decompressobj(15),
        "gzip": lambda: zlib.decompressobj(31),
        "bz2": bz2.BZ2Decompressor,
        "lzma": lambda: lzma.LZMADecompressor(memlimit=256 << 20),
    }.get(method, bz2.BZ2Decompressor)
    if method == "lzma-zip":
        make, used[0] = _zip_lzma(packed)
    offset = used[0]
    decompressor = make()
    started = False
    while True:
        data = packed.read(offset, 1 << 18)
        if not data:
            if started and not decompressor.eof:
                raise EOFError("the stream ends in the middle")
            return
        offset += len(data)
        while True:
            started = True
            if method in ("deflate", "zlib", "gzip"):
                piece = decompressor.decompress(data, _STEP)
                data = decompressor.unconsumed_tail
            else:
                piece = decompressor.decompress(data, _STEP)
                data = b""
            used[0] = offset - len(data) - len(decompressor.unused_data)
            if piece:
                yield piece
            if decompressor.eof:
                break
            if not data and (method in ("deflate", "zlib", "gzip") or decompressor.needs_input):
                break
        if decompressor.eof:
            rest = decompressor.unused_data
            if method not in ("gzip", "bz2", "lzma"):
                return
            head = rest or packed.read(offset, 8)
            if not _begins(head, method):
                return
            offset -= len(rest)
            decompressor, started = make(), False


def _begins(head: bytes, method: str) -> bool:
    return head.startswith({"gzip": b"\x1f\x8b", "bz2": b"BZh", "lzma": b"\xfd7zXZ"}[method])


def _zip_lzma(packed: Source) -> tuple[Callable[[], Any], int]:
    """Return the decompressor of a zip's LZMA member, whose properties stand in front of it (APPNOTE 5.8.8)."""
    head = packed.read(0, 9)
    size = int.from_bytes(head[2:4], "little")
    if size != 5 or len(head) < 9:
        raise ValueError("LZMA properties that make no sense")
    bits = head[4]
    if bits >= 225 or int.from_bytes(head[5:9], "little") > 256 << 20:
        raise ValueError("LZMA properties that make no sense")
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": int.from_bytes(head[5:9], "little"),
                "lc": bits % 9, "lp": bits // 9 % 5, "pb": bits // 45}]  # fmt: skip
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters), 9
