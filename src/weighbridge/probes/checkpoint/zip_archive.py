"""Reads zip archives by both of their tables of contents: the directory at the end, and the header in front of each member.

Loaders trust one or the other (libzip and torch the directory, streaming readers the headers), so a difference hides something.
Source: PKWARE APPNOTE 6.3; torch's and Python's readers.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weighbridge.probes.checkpoint.catalogue import found, shown
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Checksum, Examined, NotExamined
from weighbridge.probes.checkpoint.source import Source, Window
from weighbridge.probes.checkpoint.unpacking import Bomb, Corrupt, unpack

LOCAL, CENTRAL, END, END64, LOCATOR64 = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_BYTES = 22
_MAX_COMMENT = 1 << 16
_MAX_MEMBERS = 200_000
_MAX_DIRECTORY = 64 << 20
_VERIFIED_HERE = 1 << 20  # stored members up to this are checked at once, larger ones in the pass over the file
_METHODS = {8: "deflate", 12: "bz2", 14: "lzma-zip"}
_ENCRYPTED, _DESCRIPTOR, _STRONG = 0x1, 0x8, 0x40
_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL_HEADER = struct.Struct("<4sHHHHHHIIIHHHHHII")


Say = Callable[[str, str, str], None]
"""Makes a finding: rule (without its area), where, message."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member as one of the tables states it. `data` is where its bytes begin; `packed` and `size` are -1 where not stated."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    header: int
    data: int
    attributes: int = 0


@dataclass
class Archive:
    """What was found: members by the directory, headers by walking, where the archive begins, and whether it has a directory."""

    members: list[Member]
    begin: int
    has_directory: bool


def find_end(source: Source) -> int | None:
    """Return where the end record is, or None."""
    size = min(source.size_bytes, _MAX_COMMENT + _END_BYTES)
    tail = source.read(source.size_bytes - size, size)
    at = tail.rfind(END)
    while at >= 0:
        if len(tail) - at >= _END_BYTES:
            return source.size_bytes - size + at
        at = tail.rfind(END, 0, at)
    return None


def read_zip(source: Source, into: Examined, context: Context) -> Archive:
    """Return the archive's members, with findings for whatever the two tables disagree on."""

    def say(rule: str, where: str, message: str) -> None:
        into.findings.append(found(f"archive.{rule}", source.path, where, message))

    end = find_end(source)
    listed = _directory(source, end, context, say) if end is not None else None
    if end is not None and (behind := source.size_bytes - end - _END_BYTES):
        place = end + _END_BYTES
        context.examine(Window(f"{source.path}!behind {place}", source, place, behind))
    if listed is None:
        message = "the directory at the end is missing or damaged; members were found by their own headers"
        say("damaged", "end", message)
        into.not_examined.append(NotExamined(source.path, "what the missing directory would list"))
        return Archive(_walk(source, 0, source.size_bytes, context), 0, False)
    members, directory, begin = listed
    resolved: list[Member] = []
    spans: list[tuple[int, int, str]] = []
    names: dict[str, int] = {}
    for member in members:
        context.allowance.step(20)
        local = _local(source, member.header)
        if local is None:
            say("mismatch", member.name, "the directory points to a place without a member's header")
            continue
        _compare(member, local, say)
        _check_name(member, say)
        key = member.name.replace("\\", "/").lower()
        names[key] = names.get(key, 0) + 1
        end_of = local.data + max(member.packed, 0)
        if end_of > source.size_bytes:
            say("damaged", member.name, "reaches past the end of the file")
        spans.append((member.header, end_of, member.name))
        resolved.append(
            Member(member.name, member.flags, member.method, member.crc, member.packed, member.size, member.header, local.data, member.attributes)
        )  # fmt: skip
    for name, count in names.items():
        if count > 1:
            say("duplicate-member", name, f"stands {count} times: loaders differ in which one they read")
    _gaps(source, spans, begin, directory, resolved, into, context, say)
    return Archive(resolved, begin, True)


def _directory(source: Source, end: int, context: Context, say: Say) -> tuple[list[Member], int, int] | None:
    """Return (members, where the directory is, where the archive begins), or None when it cannot be read."""
    record = source.read(end, _END_BYTES)
    _, disk, start_disk, here, count, size, offset, comment = struct.unpack("<4sHHHHIIH", record)
    if disk or start_disk:
        say("damaged", "end", "an archive of several disks")
    behind = source.size_bytes - end - _END_BYTES
    if behind != comment:
        say(
            "hidden-bytes",
            f"byte {end + _END_BYTES}",
            f"{behind:,} bytes behind the end, a comment of {comment:,} is stated",
        )
    if here != count:
        say("mismatch", "end", f"{here:,} members on this disk, {count:,} in all")
    place = end
    locator = source.read(end - 20, 20) if end >= 20 else b""
    if locator[:4] == LOCATOR64:  # some writers, torch's among them, write the 64-bit record always
        at = int.from_bytes(locator[8:16], "little")
        record64 = source.read(at, 56)
        if record64[:4] != END64:  # something stands in front of the archive: look right before the locator
            at = end - 20 - 56
            record64 = source.read(at, 56)
        if record64[:4] == END64:
            place = at
            count64, size64, offset64 = struct.unpack("<QQQ", record64[32:56])
            stated = ((count, 0xFFFF, count64), (size, 0xFFFFFFFF, size64), (offset, 0xFFFFFFFF, offset64))
            if any(narrow not in (full, wide) for narrow, full, wide in stated):
                say("mismatch", "end", "the end record and its 64-bit one differ: readers use one or the other")
            count, size, offset = count64, size64, offset64
    if size > _MAX_DIRECTORY or count > _MAX_MEMBERS or size > place:
        return None
    directory = place - size
    begin = directory - offset  # bytes in front of the archive shift everything
    if begin < 0:
        say("mismatch", "end", "the directory is not where the end record says")
        directory, begin = offset, 0
    data = source.read(directory, size)
    if count and data[:4] != CENTRAL:
        return None
    members: list[Member] = []
    at = 0
    while at + 46 <= len(data) and data[at : at + 4] == CENTRAL:
        context.allowance.step(5)
        fields = _CENTRAL_HEADER.unpack_from(data, at)
        flags, method, crc, packed, unpacked = fields[3], fields[4], fields[7], fields[8], fields[9]
        name_bytes, extra_bytes, comment_bytes, attributes, header = (
            fields[10],
            fields[11],
            fields[12],
            fields[15],
            fields[16],
        )
        raw = data[at + 46 : at + 46 + name_bytes]
        extra = data[at + 46 + name_bytes : at + 46 + name_bytes + extra_bytes]
        unpacked, packed, header = _zip64(extra, unpacked, packed, header)
        members.append(Member(_name(raw, flags), flags, method, crc, packed, unpacked, begin + header, 0, attributes))
        at += 46 + name_bytes + extra_bytes + comment_bytes
        if len(members) > _MAX_MEMBERS:
            return None
    if len(members) != count:
        say("mismatch", "end", f"the directory lists {len(members):,} members, the end record says {count:,}")
    return members, directory, begin


def _zip64(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Return the three with those that stand in the zip64 field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = [int.from_bytes(extra[i : i + 8], "little") for i in range(at + 4, at + 4 + length - 7, 8)]
            if size == 0xFFFFFFFF and values:
                size = values.pop(0)
            if packed == 0xFFFFFFFF and values:
                packed = values.pop(0)
            if header == 0xFFFFFFFF and values:
                header = values.pop(0)
        at += 4 + length
    return size, packed, header


def _name(raw: bytes, flags: int) -> str:
    return raw.decode("utf-8" if flags & 0x800 else "cp437", "replace")


def _local(source: Source, offset: int) -> Member | None:
    """Return the member whose own header is at `offset`."""
    head = source.read(offset, _LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size or head[:4] != LOCAL:
        return None
    _, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(head)
    rest = source.read(offset + _LOCAL_HEADER.size, name_bytes + extra_bytes)
    size, packed, _ = _zip64(rest[name_bytes:], size, packed, 0)
    data = offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
    return Member(_name(rest[:name_bytes], flags), flags, method, crc, packed, size, offset, data)


def _compare(listed: Member, local: Member, say: Say) -> None:
    differing = []
    if listed.name != local.name:
        differing.append(f"name {shown(local.name, 60)!r}")
    if listed.method != local.method:
        differing.append(f"method {local.method} instead of {listed.method}")
    if (listed.flags ^ local.flags) & (_ENCRYPTED | _STRONG):
        differing.append("encrypted or not")
    # With a descriptor behind the data the header states nothing, or zeros.
    if not local.flags & _DESCRIPTOR or local.packed:
        if local.packed not in (listed.packed, 0xFFFFFFFF):
            differing.append("packed size")
        if local.size not in (listed.size, 0xFFFFFFFF):
            differing.append("size")
        if local.crc != listed.crc and (local.crc or not local.flags & _DESCRIPTOR):
            differing.append("CRC-32")
    if differing:
        say("mismatch", listed.name, f"the member's own header has another {', '.join(differing)} than the directory")


def _check_name(member: Member, say: Say) -> None:
    name = member.name
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        say("path", name, "would be unpacked outside of its folder")
    elif not name or not name.isprintable():
        say("path", name, "a name that is empty or has characters that do not show")
    if (member.attributes >> 16) & 0xF000 == 0xA000:
        say("link", name, "a symbolic link in an archive")


def _gaps(
    source: Source,
    spans: list[tuple[int, int, str]],
    begin: int,
    directory: int,
    listed: Sequence[Member],
    into: Examined,
    context: Context,
    say: Say,
) -> None:
    """Find bytes in front, between and over each other, and members that only their own headers name."""
    if begin > 0:
        say("junk-before", "byte 0", f"{begin:,} bytes stand in front of the archive")
    reached = begin
    last = ""
    for start, end, name in sorted(spans):
        if start < reached and last:
            say("overlap", name, f"lies over {shown(last, 80)}")
        elif start > reached:
            _unlisted(source, reached, start, into, context, say)
        if end > reached:
            reached, last = end, name
    if reached < directory:
        _unlisted(source, reached, directory, into, context, say)


def _unlisted(source: Source, begin: int, end: int, into: Examined, context: Context, say: Say) -> None:
    """Say what stands where the directory lists nothing. A descriptor of 12 to 24 bytes behind a member is ordinary."""
    data = source.read(begin, 64)
    if end - begin <= 24 and (data[:4] == b"PK\x07\x08" or end - begin in (12, 20)):
        return
    at = begin
    if data[:4] == b"PK\x07\x08":  # step over the descriptor
        at = begin + (24 if source.read(begin + 24, 2) == b"PK" else 16)
    hidden = _walk(source, at, end, context)
    if hidden:
        for member in hidden:
            say("hidden-member", member.name, "a member that the directory does not list")
        examine_members(source, hidden, into, context, verify=False)
    elif source.read(begin, min(end - begin, 4096)).strip(b"\0"):
        say("hidden-bytes", f"byte {begin}", f"{end - begin:,} bytes between the members belong to none")


def _walk(source: Source, begin: int, end: int, context: Context) -> list[Member]:
    """Return members by their own headers, one behind the other, searching for the next where a size is not stated."""
    found_members: list[Member] = []
    at = _next_header(source, begin, end)
    while at is not None and len(found_members) < _MAX_MEMBERS:
        context.allowance.step(50)
        local = _local(source, at)
        if local is None:
            at = _next_header(source, at + 4, end)
            continue
        packed = local.packed
        if packed in (0, 0xFFFFFFFF) and local.flags & _DESCRIPTOR:
            following = _next_header(source, local.data, end)
            packed = (following if following is not None else end) - local.data
        packed = max(0, min(packed, end - local.data))
        found_members.append(
            Member(local.name, local.flags, local.method, local.crc, packed, local.size, local.header, local.data)
        )
        at = _next_header(source, local.data + packed, end)
    return found_members


def _next_header(source: Source, begin: int, end: int) -> int | None:
    at, limit = begin, min(end, begin + (256 << 20))
    while at < limit:
        window = source.read(at, min(1 << 20, limit - at) + 3)
        place = window.find(LOCAL)
        if place >= 0:
            return at + place
        at += 1 << 20
    return None


def examine_members(
    source: Source, members: Sequence[Member], into: Examined, context: Context, *, verify: bool = True
) -> dict[str, tuple[Examined, Source]]:
    """Examine every member; return what was found and its bytes by name."""
    results: dict[str, tuple[Examined, Source]] = {}
    for member in members:
        context.allowance.step(50)
        if member.name.endswith("/") and member.packed <= 0:
            continue
        inner = open_member(source, member, into, context, verify=verify)
        if inner is not None:
            results[member.name] = (context.examine(inner), inner)
    return results


def open_member(
    source: Source, member: Member, into: Examined, context: Context, *, verify: bool = True
) -> Source | None:
    """Return the member's bytes, unpacked, or None with a finding. Large stored members are checked in the pass over the file."""
    path = f"{source.path}!{shown(member.name, 300)}"
    packed_bytes = max(0, min(member.packed, source.size_bytes - member.data))

    def say(rule: str, message: str) -> None:
        into.findings.append(found(f"archive.{rule}", source.path, member.name, message))

    if member.flags & (_ENCRYPTED | _STRONG):
        say("encrypted", "is flagged as encrypted; scanners skip it, and some loaders do not look at the flag")
    window = Window(path, source, member.data, packed_bytes)
    if member.method == 0:
        if member.size not in (-1, member.packed) and member.size != packed_bytes and not member.flags & _DESCRIPTOR:
            say("mismatch", f"a stored member of {packed_bytes:,} bytes that says it has {member.size:,}")
        if verify:
            checksum = Checksum(member.name, member.data, packed_bytes, member.crc)
            if source.base is not None and packed_bytes > _VERIFIED_HERE:
                into.checksums.append(checksum)
            elif _crc(window) != member.crc:
                say("wrong-crc", "the bytes do not have the CRC-32 that the archive states")
        if member.flags & (_ENCRYPTED | _STRONG):
            into.not_examined.append(NotExamined(path, "flagged as encrypted: read as it stands"))
        return window
    method = _METHODS.get(member.method)
    if method is None:
        say("opaque", f"packed by method {member.method}, which this reader does not know")
        into.not_examined.append(NotExamined(path, f"packed by method {member.method}"))
        return None
    try:
        unpacked, crc, _ = unpack(window, method, path, context)
    except Bomb as bomb:
        say("bomb", str(bomb))
        into.not_examined.append(NotExamined(path, f"{bomb}: the rest was not unpacked"))
        return bomb.source
    except Corrupt as corrupt:
        if member.flags & (_ENCRYPTED | _STRONG):
            into.not_examined.append(NotExamined(path, "encrypted"))
        else:
            say("damaged", f"cannot be unpacked: {corrupt}")
            into.not_examined.append(NotExamined(path, f"cannot be unpacked: {corrupt}"))
        return corrupt.source if corrupt.source.size_bytes else None
    if verify and crc != member.crc:
        say("wrong-crc", "the bytes do not have the CRC-32 that the archive states")
    if verify and member.size not in (-1, unpacked.size_bytes):
        say("mismatch", f"unpacks to {unpacked.size_bytes:,} bytes, {member.size:,} are stated")
    return unpacked


def _crc(source: Source) -> int:
    crc = offset = 0
    while data := source.read(offset, 1 << 20):
        crc = zlib.crc32(data, crc)
        offset += len(data)
    return crc
