"""Reads what a GGUF file says of itself: header, metadata, tensor list. Never the tensors.

The format: ggml's `docs/gguf.md`, versions 2 and 3, little-endian; `docs/formats/subject.md` lists our bounds. A file is
untrusted: every count and length is checked against the bytes that are left before anything is allocated, long values are
counted and not kept, and memory is bounded whatever the file claims. Where the specification is silent we refuse what
llama.cpp, which will have to load the file, refuses too. Every refusal is a `SubjectError` with the byte where it was seen.
"""

from __future__ import annotations

import math
import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from weighbridge.errors import SubjectError
from weighbridge.subject.magic import GGUF_MAGIC, LFS_POINTER, describe_content
from weighbridge.subject.shown import shown

DEFAULT_ALIGNMENT = 32

# Bounds. Real files stay far below: under 100 keys, under 10,000 tensors, vocabularies under 1,000,000 entries.
MAX_KEYS = 1 << 12
MAX_TENSORS = 1 << 16
MAX_KEY_BYTES = (1 << 16) - 1  # the specification's
MAX_NAME_BYTES = 255  # the specification says 64; some writers go beyond
MAX_DIMENSIONS = 4
MAX_STRINGS_IN_ARRAYS = 1 << 22
MAX_TEXT_BYTES = 1 << 20  # longer texts are counted, not kept
MAX_KEPT_BYTES = 1 << 24  # of all texts together
KEPT_ARRAY_LENGTH = 64  # longer arrays are counted, not kept
_MAX_ELEMENTS = (1 << 63) - 1
_BLOCK_BYTES = 1 << 20

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_BOOL, _STRING, _ARRAY = 7, 8, 9
NUMBERS = {
    0: ("u8", struct.Struct("<B")),
    1: ("i8", struct.Struct("<b")),
    2: ("u16", struct.Struct("<H")),
    3: ("i16", struct.Struct("<h")),
    4: ("u32", _U32),
    5: ("i32", struct.Struct("<i")),
    6: ("f32", struct.Struct("<f")),
    10: ("u64", _U64),
    11: ("i64", struct.Struct("<q")),
    12: ("f64", struct.Struct("<d")),
}

# Tensor types: name, elements a block, bytes a block (ggml.h). None: the size is not known to this version.
TENSOR_TYPES: dict[int, tuple[str, int | None, int | None]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
    42: ("Q2_0", None, None),
}
REMOVED_TYPES = {
    4: "Q4_2",
    5: "Q4_3",
    31: "Q4_0_4_4",
    32: "Q4_0_4_8",
    33: "Q4_0_8_8",
    36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8",
    38: "IQ4_NL_8_8",
}
_MAX_TENSOR_TYPE = 1023  # forks of ggml number their own types in the hundreds; beyond that it is damage

# `general.file_type`: what most of the tensors are (llama.h, llama_ftype).
_FILE_TYPES = (
    dict(enumerate(("F32", "F16", "Q4_0", "Q4_1")))
    | dict(enumerate(("Q8_0", "Q5_0", "Q5_1", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M"), start=7))
    | dict(enumerate(("Q5_K_S", "Q5_K_M", "Q6_K", "IQ2_XXS", "IQ2_XS", "Q2_K_S", "IQ3_XS", "IQ3_XXS"), start=16))
    | dict(enumerate(("IQ1_S", "IQ4_NL", "IQ3_S", "IQ3_M", "IQ2_S", "IQ2_M", "IQ4_XS", "IQ1_M", "BF16"), start=24))
    | dict(enumerate(("TQ1_0", "TQ2_0", "MXFP4_MOE", "NVFP4", "Q1_0", "Q2_0"), start=36))
)
_FILE_TYPE_GUESSED = 1024


@dataclass(frozen=True, slots=True)
class LongArray:
    """An array too long to keep: its element type and its length."""

    element_type: str
    length: int


@dataclass(frozen=True, slots=True)
class LongText:
    """A text too long to keep: its length in bytes."""

    size_bytes: int


Scalar = int | float | bool | str | LongText
Value = Scalar | tuple[Scalar, ...] | LongArray


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as listed. `shape` is in GGUF's order (fastest first); `size_bytes` None: the type is not known to us.

    `offset` counts bytes from the start of the file's data section.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    size_bytes: int | None

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class GGUF:
    """What a GGUF file says of itself. `data_end` is the first byte after the last tensor; `notes` are one line each."""

    path: Path
    version: int
    size_bytes: int
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    data_start: int
    data_end: int
    notes: tuple[str, ...] = ()

    def text(self, key: str) -> str | None:
        """Return the metadata text at `key`, stripped, or None when it is absent, empty, too long or not a text."""
        value = self.metadata.get(key)
        return (value.strip() or None) if isinstance(value, str) else None

    def count(self, key: str) -> int | None:
        """Return the non-negative whole number at `key`, or None when there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

    @property
    def content(self) -> str:
        """What the file holds: "model", "adapter", "imatrix", "mmproj"... A file that does not say is a model."""
        return self.text("general.type") or "model"

    @property
    def architecture(self) -> str | None:
        """The architecture's name, e.g. "llama"."""
        return self.text("general.architecture")

    @property
    def name(self) -> str | None:
        """The model's name as its maker wrote it."""
        return self.text("general.name")

    @property
    def licence(self) -> str | None:
        """The licence as its maker wrote it: an SPDX expression by the specification, else the licence's own name."""
        return self.text("general.license") or self.text("general.license.name")

    @property
    def base_models(self) -> tuple[str, ...]:
        """The models that this one was made from, as its maker wrote them (at most 64)."""
        found = []
        for number in range(min(self.count("general.base_model.count") or 0, KEPT_ARRAY_LENGTH)):
            stem = f"general.base_model.{number}"
            name = self.text(f"{stem}.repo_url") or self.text(f"{stem}.name") or self.text(f"{stem}.url")
            if name:
                found.append(name)
        return tuple(found)

    @property
    def adapter_type(self) -> str | None:
        """For adapters, what kind, e.g. "lora"."""
        return self.text("adapter.type")

    @property
    def parameters(self) -> int:
        """How many numbers its tensors hold, all of them counted as they are stored."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def quantisation(self) -> str | None:
        """How most of the weights are stored, e.g. "Q4_K_M"; from the tensors when the file does not say."""
        declared = self.count("general.file_type")
        if declared is not None:
            named = _FILE_TYPES.get(declared & ~_FILE_TYPE_GUESSED)
            if named is not None:
                return named
        elements: dict[str, int] = {}
        for tensor in self.tensors:
            elements[tensor.type] = elements.get(tensor.type, 0) + tensor.elements
        return max(elements, key=lambda kind: (elements[kind], kind), default=None)

    @property
    def chat_templates(self) -> tuple[str, ...]:
        """The names of the chat templates that it holds; the unnamed one is "default"."""
        stem = "tokenizer.chat_template"
        found = ["default"] if self._has_template(stem) else []
        found += [
            key[len(stem) + 1 :] for key in self.metadata if key.startswith(stem + ".") and self._has_template(key)
        ]
        return tuple(found)

    def _has_template(self, key: str) -> bool:
        return isinstance(self.metadata.get(key), LongText) or self.text(key) is not None

    @property
    def split(self) -> tuple[int, int] | None:
        """For one part of a split model: (its number from 0, how many parts); None for a whole file."""
        parts = self.count("split.count")
        return (self.count("split.no") or 0, parts) if parts is not None and parts > 1 else None


def read_gguf(path: Path) -> GGUF:
    """Return what the GGUF file at `path` says of itself, reading none of its tensors.

    Raises `SubjectError`, with the byte where the fault lies, for anything that is not a whole, well-formed GGUF file of
    version 2 or 3: wrong magic, truncated data, counts that the file cannot hold, overlapping tensors. Raises `OSError` when
    the file cannot be opened. Memory stays below some 200 MB whatever the file claims.
    """
    # Opening a pipe would wait for ever, and a device has no end.
    if not stat.S_ISREG(path.stat().st_mode):
        raise SubjectError("not a regular file", where=str(path), do="give the path of a GGUF file")
    with path.open("rb") as file:
        source = _Source(file, path)
        _read_magic(source)
        version = _read_version(source)
        tensor_count = source.u64("the number of tensors")
        key_count = source.u64("the number of metadata keys")
        # The smallest key: one letter (9 bytes), a type (4) and one byte. The smallest tensor: no dimensions.
        source.expect_room(key_count, 14, MAX_KEYS, "metadata keys")
        source.expect_room(tensor_count, 25, MAX_TENSORS, "tensors")
        metadata = _read_metadata(source, key_count)
        alignment = _alignment(source, metadata)
        tensors = _read_tensors(source, tensor_count, alignment)
        end_of_list = source.tell()
    data_start = -(-end_of_list // alignment) * alignment if tensors else end_of_list
    data_end, notes = _check_layout(path, source.size, data_start, alignment, tensors)
    return GGUF(path, version, source.size, metadata, tensors, data_start, data_end, notes)


class _Source:
    """The file as a window that moves forward. Nothing is read or skipped before it is known to lie within the file."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self.path = file, path
        self.size = os.fstat(file.fileno()).st_size
        self._window, self._base, self._at = b"", 0, 0
        self.kept_bytes = 0
        self.strings_in_arrays = 0

    def tell(self) -> int:
        return self._base + self._at

    def left(self) -> int:
        return self.size - self.tell()

    def fault(self, what: str, do: str = "download or convert it again", at: int | None = None) -> SubjectError:
        byte = self.tell() if at is None else at
        return SubjectError(what, where=f"{self.path} at byte {byte:,}", do=do)

    def truncated(self, what: str) -> SubjectError:
        return self.fault(f"the file is truncated: it ends within {what}", do="download it again")

    def expect_room(self, count: int, smallest_bytes: int, limit: int, what: str) -> None:
        if count > limit:
            raise self.fault(f"it claims {count:,} {what}, more than the {limit:,} that any model has")
        if count * smallest_bytes > self.left():
            raise self.truncated(f"its {count:,} {what}")

    def take(self, count: int, what: str) -> bytes:
        """Return the next `count` bytes. Callers bound `count`."""
        if count > self.left():
            raise self.truncated(what)
        if self._at + count > len(self._window):
            self._fill(count, what)
        piece = self._window[self._at : self._at + count]
        self._at += count
        return piece

    def skip(self, count: int, what: str) -> None:
        if count > self.left():
            raise self.truncated(what)
        self._at += count
        if self._at > len(self._window):
            self._window, self._base, self._at = b"", self._base + self._at, 0

    def skip_strings(self, count: int, what: str) -> None:
        # Vocabularies have hundreds of thousands of strings: one loop over the window, without a call for each.
        window, at, length_of = self._window, self._at, _U64.unpack_from
        for _ in range(count):
            if at + 8 > len(window):
                self._at = at
                if self.left() < 8:
                    raise self.truncated(what)
                self._fill(8, what)
                window, at = self._window, 0
            at += 8 + length_of(window, at)[0]
            if at > len(window):
                self._at = len(window)
                self.skip(at - len(window), what)
                window, at = self._window, self._at
        self._at = at

    def u32(self, what: str) -> int:
        return int(_U32.unpack(self.take(4, what))[0])

    def u64(self, what: str) -> int:
        return int(_U64.unpack(self.take(8, what))[0])

    def text(self, limit: int, what: str) -> str | LongText:
        length = self.u64(f"the length of {what}")
        if length > limit:
            self.skip(length, what)
            return LongText(length)
        self.kept_bytes += length
        if self.kept_bytes > MAX_KEPT_BYTES:
            raise self.fault(f"its metadata holds more than {MAX_KEPT_BYTES:,} bytes of text")
        return self.take(length, what).decode("utf-8", errors="backslashreplace")

    def name(self, limit: int, what: str) -> str:
        at = self.tell()
        name = self.text(limit, what)
        if isinstance(name, LongText):
            raise self.fault(f"{what} is {name.size_bytes:,} bytes long, more than {limit:,}", at=at)
        if not name:
            raise self.fault(f"{what} is empty", at=at)
        return name

    def _fill(self, count: int, what: str) -> None:
        self._base, self._at = self.tell(), 0
        self._file.seek(self._base)
        self._window = self._file.read(max(count, _BLOCK_BYTES))
        if len(self._window) < count:  # somebody shortened the file while we read it
            raise self.truncated(what)


def _read_magic(source: _Source) -> None:
    head = source._file.read(256)
    if head.startswith(GGUF_MAGIC):
        source.skip(len(GGUF_MAGIC), "its magic")
        return
    found = describe_content(head)
    do = {
        LFS_POINTER: "fetch the file itself with `git lfs pull`",
        "a safetensors file": "give the model's directory instead",
    }.get(found or "", "give a .gguf file, a model directory or an endpoint")
    raise source.fault(
        f"not a GGUF file: it is {found}" if found else "not a GGUF file: its first bytes are not GGUF", do
    )


def _read_version(source: _Source) -> int:
    at = source.tell()
    version = source.u32("its version")
    if version in (2, 3):
        return version
    if version and not version & 0xFFFF:
        raise source.fault("a big-endian GGUF file, which is not supported", "use the little-endian file", at)
    if version == 1:
        raise source.fault("GGUF version 1, which is not supported any more", "convert the model again", at)
    raise source.fault(
        f"GGUF version {version:,}, of which this weighbridge knows 2 and 3", "use a newer weighbridge", at
    )


def _read_metadata(source: _Source, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(count):
        at = source.tell()
        key = source.name(MAX_KEY_BYTES, "a metadata key")
        if key in metadata:
            raise source.fault(f"metadata key {shown(key)} is there twice", at=at)
        what = f"the value of {shown(key)}"
        kind = source.u32(f"the type of {shown(key)}")
        metadata[key] = _read_array(source, what) if kind == _ARRAY else _read_scalar(source, kind, what)
    return metadata


def _read_scalar(source: _Source, kind: int, what: str) -> Scalar:
    if kind in NUMBERS:
        layout = NUMBERS[kind][1]
        number: int | float = layout.unpack(source.take(layout.size, what))[0]
        return number
    if kind == _BOOL:
        at, byte = source.tell(), source.take(1, what)[0]
        if byte > 1:
            raise source.fault(f"{what} is a truth value of {byte}, neither 0 nor 1", at=at)
        return bool(byte)
    if kind == _STRING:
        return source.text(MAX_TEXT_BYTES, what)
    raise source.fault(f"{what} has type {kind}, which GGUF does not have", at=source.tell() - 4)


def _read_array(source: _Source, what: str) -> Value:
    kind = source.u32(f"the type of {what}")
    length = source.u64(f"the length of {what}")
    if kind == _STRING:
        source.strings_in_arrays += length
        source.expect_room(source.strings_in_arrays, 0, MAX_STRINGS_IN_ARRAYS, "texts in metadata arrays")
        source.expect_room(length, 8, MAX_STRINGS_IN_ARRAYS, f"texts in {what}")
        if length > KEPT_ARRAY_LENGTH:
            source.skip_strings(length, what)
            return LongArray("str", length)
    elif kind in NUMBERS or kind == _BOOL:
        name, size = ("bool", 1) if kind == _BOOL else (NUMBERS[kind][0], NUMBERS[kind][1].size)
        if length > KEPT_ARRAY_LENGTH:
            source.skip(length * size, what)
            return LongArray(name, length)
    elif kind == _ARRAY:
        raise source.fault(f"{what} is an array of arrays, which no model needs", at=source.tell() - 12)
    return tuple(_read_scalar(source, kind, what) for _ in range(length)) if length else ()


def _alignment(source: _Source, metadata: Mapping[str, Value]) -> int:
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(alignment) is not int or alignment <= 0 or alignment & (alignment - 1):
        raise source.fault("general.alignment is not a power of two")
    return alignment


def _read_tensors(source: _Source, count: int, alignment: int) -> tuple[Tensor, ...]:
    tensors: dict[str, Tensor] = {}
    for _ in range(count):
        at = source.tell()
        name = source.name(MAX_NAME_BYTES, "a tensor's name")
        if name in tensors:
            raise source.fault(f"tensor {shown(name)} is there twice", at=at)
        what = f"tensor {shown(name)}"
        dimensions = source.u32(what)
        if dimensions > MAX_DIMENSIONS:
            raise source.fault(
                f"{what} has {dimensions:,} dimensions, more than {MAX_DIMENSIONS}", at=source.tell() - 4
            )
        shape = tuple(source.u64(what) for _ in range(dimensions))
        if math.prod(shape) > _MAX_ELEMENTS:
            raise source.fault(f"{what} claims more elements than can be counted", at=at)
        kind, size = _tensor_type(source, shape, what)
        offset = source.u64(what)
        if offset % alignment:
            raise source.fault(f"{what} does not begin on a multiple of {alignment} bytes", at=source.tell() - 8)
        tensors[name] = Tensor(name, shape, kind, offset, size)
    return tuple(tensors.values())


def _tensor_type(source: _Source, shape: tuple[int, ...], what: str) -> tuple[str, int | None]:
    """Return the type's name and the tensor's size in bytes, None for a type that this version does not know."""
    at, number = source.tell(), source.u32(what)
    if number in REMOVED_TYPES:
        do = "quantise the model again with a current llama.cpp"
        raise source.fault(f"{what} has type {REMOVED_TYPES[number]}, which was removed from GGUF", do, at)
    if number > _MAX_TENSOR_TYPE:
        raise source.fault(f"{what} has type {number:,}, which GGUF does not have", at=at)
    name, block_elements, block_bytes = TENSOR_TYPES.get(number, (f"type {number}", None, None))
    if block_elements is None or block_bytes is None:
        return name, None
    if (shape[0] if shape else 1) % block_elements:
        raise source.fault(
            f"{what} of type {name} has rows that are not a multiple of {block_elements} elements", at=at
        )
    return name, math.prod(shape) // block_elements * block_bytes


def _check_layout(
    path: Path, size: int, data_start: int, alignment: int, tensors: tuple[Tensor, ...]
) -> tuple[int, tuple[str, ...]]:
    """Return where the data ends and what is odd about it. Tensors lie one after the other, as llama.cpp demands."""
    expected: int | None = 0
    end = data_start
    for tensor in tensors:
        begins = data_start + tensor.offset
        if expected is not None and tensor.offset != expected:
            raise SubjectError(
                f"tensor {shown(tensor.name)} begins {tensor.offset:,} bytes into the data, not at {expected:,}",
                where=f"{path} at byte {begins:,}",
                do="download or convert it again",
            )
        ends = begins + (tensor.size_bytes or 0)
        if ends > size:
            raise SubjectError(
                f"the file is truncated: it has {size:,} bytes, and tensor {shown(tensor.name)} ends at {ends:,}",
                where=f"{path} at byte {size:,}",
                do="download it again",
            )
        end = max(end, ends)
        expected = (
            None if tensor.size_bytes is None else -(-(tensor.offset + tensor.size_bytes) // alignment) * alignment
        )
    notes = []
    unknown = sorted({tensor.type for tensor in tensors if tensor.size_bytes is None})
    if unknown:
        notes.append(
            f"tensor types not known to this version: {', '.join(unknown)}; the end of the data was not checked"
        )
    elif tensors and size > -(-end // alignment) * alignment:
        notes.append(f"{size - end:,} bytes follow the last tensor; no reader needs them")
    return end, tuple(notes)
