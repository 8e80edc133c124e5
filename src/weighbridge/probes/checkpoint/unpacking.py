"""Unpacks what is compressed, in bounded steps: memory, total bytes and ratio have limits."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.source import MemorySource, Source, TemporarySource

IN_MEMORY = 32 << 20
_STEP = 1 << 20
_SMALL_STEP = 256
# A stream of zeros shrinks a thousandfold; a member that unpacks to more than this at such a ratio serves no model.
BOMB_RATIO, BOMB_BYTES = 100, 64 << 20


_BY_ZLIB = frozenset({"deflate", "zlib", "gzip"})


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
        # What comes out before the damage is what a loader that reads piece by piece would see.
        for piece in _salvaged(packed, method, size):
            if target is None:
                held.append(piece)
            else:
                target.append(piece)
        raise Corrupt(str(error)[:120] or "the stream is damaged", so_far()) from None
    return so_far(), crc, used[0]


def _salvaged(packed: Source, method: str, known: int) -> Iterator[bytes]:
    """Yield what unpacks behind the first `known` bytes and before the damage, to the last byte; nothing where that is far."""
    if known > BOMB_BYTES:
        return
    step, reached = [_SMALL_STEP], 0
    for _ in range(2):  # first how far small steps go, then the rest byte by byte
        passed = 0
        try:
            for piece in _pieces(packed, method, [0], step):
                if passed + len(piece) > max(known, reached):
                    yield piece[max(0, max(known, reached) - passed) :]
                passed += len(piece)
                if passed >= reached > 0:
                    step[0] = 1
                if passed > known + 2 * _STEP:
                    return
        except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError):
            reached = max(known, passed)
            step = [_SMALL_STEP if reached else 1]


def _pieces(packed: Source, method: str, used: list[int], step: Sequence[int] = (_STEP,)) -> Iterator[bytes]:
    """Yield unpacked pieces of at most `step[0]` bytes; `used[0]` counts what was read. Several streams in a row are one."""
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
            most = step[0]
            piece = decompressor.decompress(data, most)
            data = decompressor.unconsumed_tail if method in _BY_ZLIB else b""
            used[0] = offset - len(data) - len(decompressor.unused_data)
            if piece:
                yield piece
            if decompressor.eof:
                break
            # zlib may hold back output without holding back input.
            if not data and (len(piece) < most if method in _BY_ZLIB else decompressor.needs_input):
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
