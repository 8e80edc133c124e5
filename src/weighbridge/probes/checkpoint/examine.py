"""Content decides, not the name: finds the examiners for some bytes, and lets examiners examine what lies inside.

An examiner is a module with two functions:

    matches(source: Source, head: bytes) -> bool          # by content; `head` is the first HEAD_BYTES bytes
    examine(source: Source, into: Examined, context: Context) -> None

It fills `into` and raises nothing for what the bytes hold: damage is a finding, what is not understood is `not_examined`. Work is
bounded by the context: every examiner spends from the same allowance, nested members too (`Spent` may pass through it).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Protocol, cast

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, NotExamined
from weighbridge.probes.checkpoint.source import Source

HEAD_BYTES = 4096

# A file may be two things at once (a zip behind a pickle): every one that matches examines, the first names the format.
FORMATS: tuple[str, ...] = (
    "lfs_pointer",
    "safetensors",
    "gguf",
    "archives",
    "compressed",
    "numpy_arrays",
    "hdf5",
    "pickles",
    "onnx",
    "sentencepiece",
    "saved_model",
    "msgpack_tree",
    "media",
)
# Only where no format matched: the first that matches examines.
TEXTS: tuple[str, ...] = ("texts",)


# Formats that can run code when they are loaded, and ends of names that promise something that cannot.
_RUN_CODE = frozenset({"pickle", "torch zip", "torch legacy", "torchscript", "torch package", "keras v3"})
_SAFE_NAMES = (
    *(
        ".safetensors",
        ".gguf",
        ".npy",
        ".onnx",
        ".json",
        ".jsonl",
        ".txt",
        ".md",
        ".rst",
        ".csv",
        ".tsv",
        ".yaml",
        ".yml",
    ),
    *(
        ".toml",
        ".cfg",
        ".ini",
        ".xml",
        ".html",
        ".svg",
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".webp",
        ".pdf",
        ".wav",
        ".mp4",
    ),
)
# Safe formats under each other's names.
_OTHERS = {"gguf": (".safetensors", ".onnx", ".npy"), "safetensors": (".gguf", ".onnx", ".npy")}


class Spent(Exception):
    """The allowance is used up. Caught in `examine`: what was left is "not examined"."""


@dataclass
class Allowance:
    """How much work may be done on one subject's files. Each is counted down; none is refilled."""

    unpacked_bytes: int = 1 << 30
    steps: int = 8_000_000  # opcodes, archive members, JSON nodes: whatever an examiner loops over
    findings: int = 2_000

    def unpack(self, size_bytes: int) -> None:
        """Spend on bytes that came out of a compressed member."""
        self.unpacked_bytes -= size_bytes
        if self.unpacked_bytes < 0:
            raise Spent("it unpacks to more than is read")

    def step(self, count: int = 1) -> None:
        """Spend on work."""
        self.steps -= count
        if self.steps < 0:
            raise Spent("it asks for more work than is done")


@dataclass
class Context:
    """What an examiner may use: the allowance, and `examine` for what lies inside. `depth` counts nesting.

    `members` collects what was examined inside, in order; the report folds their findings into the file's.
    """

    allowance: Allowance = field(default_factory=Allowance)
    depth: int = 0
    deepest: int = 6
    members: list[Examined] = field(default_factory=list)

    def examine(self, source: Source) -> Examined:
        """Examine a member of what is being examined; the result is also kept in `members`."""
        inner = Context(self.allowance, self.depth + 1, self.deepest, self.members)
        result = examine(source, inner)
        self.members.append(result)
        return result


class Examiner(Protocol):
    """The two functions of an examiner module."""

    def matches(self, source: Source, head: bytes) -> bool: ...

    def examine(self, source: Source, into: Examined, context: Context) -> None: ...


def examine(source: Source, context: Context) -> Examined:
    """Return what the bytes of `source` are and what is wrong with them. Members' results go to `context.members`."""
    result = Examined(source.path, source.size_bytes)
    if context.depth > context.deepest:
        result.not_examined.append(NotExamined(source.path, f"nested deeper than {context.deepest} levels"))
        return result
    if source.size_bytes == 0:
        result.format = "empty"
        from weighbridge.probes.checkpoint.media import has_model_name

        if has_model_name(source.path):
            message = "an empty file under a model's name"
            result.findings.append(found("file.wrong-name", source.path, "file", message))
        return result
    head = source.read(0, HEAD_BYTES)
    formats: list[str] = []
    try:
        for examiner in _matching(source, head):
            result.format = "unknown"
            examiner.examine(source, result, context)
            formats.append(result.format)
    except Spent as spent:
        result.not_examined.append(NotExamined(source.path, str(spent)))
        formats.append(result.format)
    if formats:
        result.format = formats[0]
        if len(formats) > 1:
            result.findings.append(
                found("file.polyglot", source.path, "file", f"is at once {' and '.join(formats)}: loaders may disagree")
            )
    else:
        result.not_examined.append(NotExamined(source.path, "not understood: no known format"))
    if result.format in _RUN_CODE and source.path.lower().endswith(_SAFE_NAMES):
        message = f"by its content a {result.format}, which can run code; by its name none"
        result.findings.append(found("file.extension", source.path, "file", message))
    if source.path.lower().endswith(_OTHERS.get(result.format, ())):
        message = f"{result.format} under another format's name"
        result.findings.append(found("file.wrong-name", source.path, "file", message))
    _move(result, source.base)
    return result


def _matching(source: Source, head: bytes) -> list[Examiner]:
    matching = [examiner for examiner in map(_examiner, FORMATS) if examiner.matches(source, head)]
    if matching and not source.path.endswith(
        ".py"
    ):  # Python that begins as a pickle does is run as Python all the same
        return matching
    return matching + [examiner for examiner in map(_examiner, TEXTS) if examiner.matches(source, head)][:1]


def _examiner(name: str) -> Examiner:
    return cast(Examiner, import_module(f"weighbridge.probes.checkpoint.{name}"))


def _move(result: Examined, base: int | None) -> None:
    """Have regions and checksums count from the beginning of the file on disk; those of unpacked bytes cannot be."""
    if base is None:
        result.not_measured += len(result.regions)
        result.regions.clear()
        result.checksums.clear()
    elif base:
        result.regions = [replace(region, offset=region.offset + base) for region in result.regions]
        result.checksums = [replace(checksum, offset=checksum.offset + base) for checksum in result.checksums]
