"""Examines tar archives: our own walk over the headers, so that nothing is unpacked anywhere."""

from __future__ import annotations

from weighbridge.probes.checkpoint.catalogue import found, shown
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Examined, NotExamined
from weighbridge.probes.checkpoint.source import Source, Window
from weighbridge.probes.checkpoint.zip_archive import Say

_BLOCK = 512
_MAX_MEMBERS = 200_000
_MAX_EXTENDED = 1 << 20
_NO_FILES = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders; readers take any other type for a file


def matches(head: bytes) -> bool:
    """Whether a tar header begins here: the magic, or an old header whose checksum is right."""
    if len(head) < _BLOCK:
        return False
    return head[257:262] == b"ustar" or (_checksum_fits(head[:_BLOCK]) and bool(head[0]))


def _checksum_fits(block: bytes) -> bool:
    stated = _number(block[148:156])
    return stated is not None and stated == sum(block[:148]) + 8 * 32 + sum(block[156:])


def _number(field: bytes) -> int | None:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.split(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        return None


def examine(source: Source, into: Examined, context: Context) -> None:
    """Examine every member that is a file, and say what is odd about the others."""
    into.format = "tar"

    def say(rule: str, where: str, message: str) -> None:
        into.findings.append(found(f"archive.{rule}", source.path, where, message))

    at = count = 0
    extended: dict[str, str] = {}
    long_name: str | None = None
    long_link: str | None = None
    while at + _BLOCK <= source.size_bytes and count < _MAX_MEMBERS:
        context.allowance.step(50)
        count += 1
        block = source.read(at, _BLOCK)
        if not block.strip(b"\0"):
            _behind(source, at, into, context, say)
            return
        size = _number(block[124:136])
        if not _checksum_fits(block) or size is None:
            say("damaged", f"byte {at}", "a member's header whose checksum is wrong")
            following = _next_header(source, at + _BLOCK, context)
            end = source.size_bytes if following is None else following
            # What the header should have named may be examined as it stands: the block that follows is its data.
            if at + _BLOCK < end:
                context.examine(Window(f"{source.path}!at {at + _BLOCK}", source, at + _BLOCK, end - at - _BLOCK))
            if following is None:
                return
            at = following
            continue
        kind = block[156:157]
        if kind not in (b"x", b"g", b"L", b"K") and (stated := extended.get("size", "")).isdecimal():
            size = min(int(stated[:20]), source.size_bytes)
        data = at + _BLOCK
        at = data + -(-size // _BLOCK) * _BLOCK
        if data + size > source.size_bytes:
            say("damaged", f"byte {data}", "the archive is cut off")
            into.not_examined.append(NotExamined(source.path, f"what lies behind byte {source.size_bytes}"))
        if kind in b"xgLK" and kind:
            if size > _MAX_EXTENDED:
                say("damaged", f"byte {data}", "an extended header of an absurd size")
                return
            raw = source.read(data, size)
            if kind == b"L":
                long_name = raw.rstrip(b"\0").decode("utf-8", "replace")
            elif kind == b"K":
                long_link = raw.rstrip(b"\0").decode("utf-8", "replace")
            elif kind == b"x":
                extended = _pax(raw)
            continue
        prefix = block[345:500].split(b"\0")[0] if block[257:262] == b"ustar" else b""
        name = (prefix + b"/" if prefix else b"") + block[:100].split(b"\0")[0]
        path = extended.get("path") or long_name or name.decode("utf-8", "replace")
        target = extended.get("linkpath") or long_link or block[157:257].split(b"\0")[0].decode("utf-8", "replace")
        extended, long_name, long_link = {}, None, None
        _check(path, kind, target, say)
        if kind not in _NO_FILES:
            context.examine(
                Window(f"{source.path}!{shown(path, 300)}", source, data, max(0, min(size, source.size_bytes - data)))
            )
    if count >= _MAX_MEMBERS:
        into.not_examined.append(NotExamined(source.path, f"more than {_MAX_MEMBERS:,} members"))


def _next_header(source: Source, begin: int, context: Context) -> int | None:
    """Return where the next header with a right checksum is, looking in steps of a block, or None."""
    for at in range(begin, source.size_bytes - _BLOCK + 1, _BLOCK):
        context.allowance.step()
        block = source.read(at, _BLOCK)
        if block[0] and _checksum_fits(block):
            return at
    return None


def _pax(raw: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    at = 0
    while at < len(raw):
        space = raw.find(b" ", at, at + 20)
        if space < 0 or not raw[at:space].isdigit():
            break
        length = int(raw[at:space])
        key, _, value = raw[space + 1 : at + length - 1].partition(b"=")
        fields[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        if length <= 0:
            break
        at += length
    return fields


def _check(path: str, kind: bytes, target: str, say: Say) -> None:
    parts = path.replace("\\", "/").split("/")
    if ".." in parts or path.startswith(("/", "\\")):
        say("path", path, "would be unpacked outside of its folder")
    if kind in (b"1", b"2"):
        if target.startswith("/") or ".." in target.split("/"):
            say("link", path, f"a link that leads out of the archive, to {target[:100]}")
    elif kind in (b"3", b"4", b"6"):
        say("link", path, "a device or a pipe in an archive")


def _behind(source: Source, at: int, into: Examined, context: Context, say: Say) -> None:
    """Behind the two blocks of zeros that end a tar archive there are only zeros."""
    end = at + 2 * _BLOCK
    offset = end
    while offset < source.size_bytes:
        context.allowance.step(10)
        data = source.read(offset, 1 << 20)
        if data.strip(b"\0"):
            end = (offset + len(data) - len(data.lstrip(b"\0"))) // _BLOCK * _BLOCK
            say("hidden-bytes", f"byte {end}", f"{source.size_bytes - end:,} bytes behind the archive's end")
            context.examine(Window(f"{source.path}!behind {end}", source, end, source.size_bytes - end))
            return
        offset += len(data)
