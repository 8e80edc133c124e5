"""Recognises files that are no models: pictures, sound, documents, and programs, which do not belong beside weights."""

from __future__ import annotations

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Examined, NotExamined
from weighbridge.probes.checkpoint.source import Source, Window

_MEDIA: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"WEBP", "webp"),
    (8, b"WAVE", "wav"),
    (8, b"AVI ", "avi"),
    (0, b"%PDF-", "pdf"),
    (4, b"ftyp", "mp4"),
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"BM", "bmp"),
    (0, b"\0\0\1\0", "ico"),
    (0, b"wOF2", "font"),
    (0, b"wOFF", "font"),
    (0, b"SQLite format 3\0", "sqlite"),
    (0, b"PAR1", "parquet"),
    (0, b"ARROW1", "arrow"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
)
_PROGRAMS: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", "ELF program or library"),
    (b"\xcf\xfa\xed\xfe", "Mach-O program or library"),
    (b"\xce\xfa\xed\xfe", "Mach-O program or library"),
    (b"\xca\xfe\xba\xbe", "Java class or Mach-O program"),
    (b"\0asm", "WebAssembly program"),
    (b"dex\n", "Android program"),
)
_MODEL_NAMES = (".bin", ".ckpt", ".gguf", ".h5", ".hdf5", ".joblib", ".keras", ".mar", ".model", ".msgpack", ".nemo", ".npy", ".npz", ".onnx", ".pb", ".pickle", ".pkl", ".pt", ".pt2", ".pth", ".ptl", ".safetensors", ".tflite")  # fmt: skip


def matches(source: Source, head: bytes) -> bool:
    """Whether a known signature is there."""
    return _media(source, head) is not None or _program(source, head) is not None


def has_model_name(path: str) -> bool:
    """Whether a path ends as those of models do.

    >>> has_model_name("a/model.SafeTensors"), has_model_name("a.png")
    (True, False)
    """
    return path.lower().endswith(_MODEL_NAMES)


def _media(source: Source, head: bytes) -> str | None:
    for at, signature, name in _MEDIA:
        if head[at : at + len(signature)] == signature:
            if name == "bmp" and (len(head) < 14 or int.from_bytes(head[2:6], "little") != source.size_bytes):
                continue
            if name in ("webp", "wav", "avi") and head[:4] != b"RIFF":
                continue
            if name == "ico" and (len(head) < 6 or not 0 < head[4] < 64):
                continue
            return name
    return None


def _program(source: Source, head: bytes) -> str | None:
    if head[:2] == b"MZ" and len(head) >= 64:
        at = int.from_bytes(head[60:64], "little")
        if source.read(at, 4) == b"PE\0\0":
            return "Windows program or library"
    return next((name for signature, name in _PROGRAMS if head.startswith(signature)), None)


def examine(source: Source, into: Examined, context: Context) -> None:
    """Say what it is, and whether it belongs here."""
    head = source.read(0, 4096)
    if (program := _program(source, head)) is not None:
        into.format = "program"
        into.findings.append(found("file.program", source.path, "file", f"a {program}"))
        into.not_examined.append(NotExamined(source.path, "native code is not examined"))
        return
    into.format = _media(source, head) or "media"
    if has_model_name(source.path):
        message = f"a {into.format} file under a model's name"
        into.findings.append(found("file.wrong-name", source.path, "file", message))
    if into.format == "png":
        _behind_png(source, into, context)


def _behind_png(source: Source, into: Examined, context: Context) -> None:
    at, what = 8, "behind a picture's signature that are none of its parts"
    while at + 12 <= source.size_bytes:
        context.allowance.step()
        chunk = source.read(at, 8)
        if not chunk[4:].isalpha() or int.from_bytes(chunk[:4], "big") > source.size_bytes - at - 12:
            break
        at += 12 + int.from_bytes(chunk[:4], "big")
        if chunk[4:] == b"IEND":
            what = "behind the picture's end"
            break
    if at < source.size_bytes:
        message = f"{source.size_bytes - at:,} bytes {what}"
        into.findings.append(found("file.hidden-bytes", source.path, f"byte {at}", message))
        context.examine(Window(f"{source.path}!behind {at}", source, at, source.size_bytes - at))
