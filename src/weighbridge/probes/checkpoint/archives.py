"""Examines archives: zip (torch checkpoints, npz, Keras), tar and 7z; every member is examined as a file of its own."""

from __future__ import annotations

from weighbridge.probes.checkpoint import tar_archive, torch_zip
from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Examined, NotExamined
from weighbridge.probes.checkpoint.source import Source
from weighbridge.probes.checkpoint.zip_archive import CENTRAL, LOCAL, LOCATOR64, examine_members, find_end, read_zip

_SEVEN = b"7z\xbc\xaf\x27\x1c"
_OTHERS = ((_SEVEN, "7z"), (b"Rar!\x1a\x07", "rar"), (b"MSCF\0\0\0\0", "cab"), (b"!<arch>\n", "ar"), (b"070701", "cpio"), (b"xar!", "xar"), (b"hsqs", "squashfs"))  # fmt: skip


def matches(source: Source, head: bytes) -> bool:
    """Whether an archive begins here, or a zip archive ends here: loaders look for its end."""
    return head[:4] == LOCAL or tar_archive.matches(head) or _other(head) is not None or _is_zip_behind(source)


def _is_zip_behind(source: Source) -> bool:
    """Whether the end record points to a directory: any bytes may stand in front of a zip archive."""
    end = find_end(source)
    if end is None:
        return False
    record = source.read(end, 22)
    size, offset = int.from_bytes(record[12:16], "little"), int.from_bytes(record[16:20], "little")
    if size == 0 and offset == 0:
        return end == 0
    long_record = 76 if source.read(end - 20, 4) == LOCATOR64 else 0  # the 64-bit record and its locator
    begins = (end - long_record - size, offset)
    return offset == 0xFFFFFFFF or any(place >= 0 and source.read(place, 4) == CENTRAL for place in begins)


def _other(head: bytes) -> str | None:
    return next((name for signature, name in _OTHERS if head.startswith(signature)), None)


def examine(source: Source, into: Examined, context: Context) -> None:
    """Examine the archive and all that is in it."""
    head = source.read(0, 4096)
    if tar_archive.matches(head):
        tar_archive.examine(source, into, context)
    elif (name := _other(head)) is not None:
        _opaque(source, name, into, context)
    else:
        _zip(source, into, context)


def _zip(source: Source, into: Examined, context: Context) -> None:
    into.format = "zip"
    archive = read_zip(source, into, context)
    results = examine_members(source, archive.members, into, context)
    if torch_zip.is_torch(results):
        torch_zip.examine_torch(source, results, into, context)
    elif torch_zip.is_exported(results):
        torch_zip.examine_exported(results, into)
    elif any(name.endswith(".npy") for name in results):
        into.format = "numpy npz"
    elif "config.json" in results and "metadata.json" in results:
        _keras(source, results, into, context)


def _keras(source: Source, results: dict[str, tuple[Examined, Source]], into: Examined, context: Context) -> None:
    from weighbridge.probes.checkpoint.keras_config import examine_keras_config, read_json

    into.format = "keras v3"
    config = read_json(results["config.json"][1], into)
    if config is not None:
        examine_keras_config(config, f"{source.path}!config.json", "config.json", into, context)


def _opaque(source: Source, name: str, into: Examined, context: Context) -> None:
    """A 7z archive is unpacked when its library is there; what cannot be is named, never passed over."""
    into.format = name
    message = f"a {name} archive: loaders do not read it, and scanners pass over what is in it"
    into.findings.append(found("archive.opaque", source.path, "file", message))
    if name == "7z":
        from weighbridge.probes.checkpoint.seven_zip import examine_seven_zip

        examine_seven_zip(source, into, context)
    else:
        into.not_examined.append(NotExamined(source.path, f"a {name} archive is not unpacked"))
