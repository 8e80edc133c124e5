"""Examines HDF5 files: Keras models and weights. The library reads them; links are listed and never followed."""

from __future__ import annotations

import io
import json
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.keras_config import examine_keras_config, read_json
from weighbridge.probes.checkpoint.report import Examined, NotExamined, Region
from weighbridge.probes.checkpoint.source import MemorySource, Source

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_OBJECTS = 200_000
_DTYPES = {"f2": "f16", "f4": "f32", "f8": "f64", "i1": "i8", "i2": "i16", "i4": "i32", "i8": "i64", "u1": "u8", "u2": "u16", "u4": "u32", "u8": "u64"}  # fmt: skip
# Filters that come with the library: deflate, shuffle, fletcher32, szip, nbit, scaleoffset, and LZF of h5py.
_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})


def matches(source: Source, head: bytes) -> bool:
    """Whether the signature is there: at the beginning, or behind a user block (512, 1024, 2048 ...)."""
    if head.startswith(_SIGNATURE):
        return True
    return any(source.read(at, 8) == _SIGNATURE for at in (512, 1024, 2048, 4096) if at < source.size_bytes)


class _File(io.RawIOBase):
    """A source as a file for the library."""

    def __init__(self, source: Source) -> None:
        self._source, self._at = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._source.size_bytes)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def examine(source: Source, into: Examined, context: Context) -> None:
    """Look at the model's configuration, at links out of the file, and where the values are."""
    into.format = "hdf5"
    if not source.read(0, 8).startswith(_SIGNATURE):
        message = "something stands in front of the HDF5 data"
        into.findings.append(found("hdf5.user-block", source.path, "byte 0", message))
    try:
        import h5py
    except ImportError:
        into.not_examined.append(NotExamined(source.path, "HDF5 is read only where h5py is installed"))
        return
    try:
        with h5py.File(_File(source), "r") as file:
            _attributes(file, source, into, context)
            _objects(h5py, file, source, into, context)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        message = f"the file cannot be read: {str(error)[:100]}"
        into.findings.append(found("hdf5.damaged", source.path, "file", message))
        into.not_examined.append(NotExamined(source.path, message))
        _search(source, into)


def _attributes(file: Any, source: Source, into: Examined, context: Context) -> None:
    for name in ("model_config", "training_config"):
        if name not in file.attrs:
            continue
        into.format = "keras h5"
        value = file.attrs[name]
        raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
        config = read_json(MemorySource(f"{source.path}!{name}", raw), into)
        if config is not None:
            examine_keras_config(config, source.path, name, into, context)
    if "layer_names" in file.attrs:
        into.format = "keras h5"


def _objects(h5py: Any, file: Any, source: Source, into: Examined, context: Context) -> None:
    """Walk groups without following links out of the file."""
    left: list[tuple[str, Any]] = [("", file)]
    seen = 0
    while left:
        path, group = left.pop()
        for name in group:
            seen += 1
            context.allowance.step(20)
            if seen > _MAX_OBJECTS:
                into.not_examined.append(NotExamined(source.path, f"more than {_MAX_OBJECTS:,} objects"))
                return
            place = f"{path}/{name}"
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                message = f"a link to the file {link.filename!r}"
                into.findings.append(found("hdf5.external", source.path, place, message))
                continue
            if isinstance(link, h5py.SoftLink):
                continue
            item = group[name]
            if isinstance(item, h5py.Group):
                if len(place) < 2000:
                    left.append((place, item))
            elif isinstance(item, h5py.Dataset):
                _dataset(item, place, source, into, context)


def _dataset(item: Any, place: str, source: Source, into: Examined, context: Context) -> None:
    plist = item.id.get_create_plist()
    if plist.get_external_count():
        into.findings.append(
            found("hdf5.external", source.path, place, f"values in the file {plist.get_external(0)[0]!r}")
        )
        return
    if item.is_virtual:
        into.findings.append(
            found("hdf5.external", source.path, place, "a virtual dataset: its values are in other files")
        )
        return
    for index in range(plist.get_nfilters()):
        if plist.get_filter(index)[0] not in _FILTERS:
            message = f"filter {plist.get_filter(index)[0]}: a plugin that the library would load"
            into.findings.append(found("hdf5.filter", source.path, place, message))
    dtype = item.dtype
    code = f"{dtype.kind}{dtype.itemsize}"
    offset = item.id.get_offset()
    if code in _DTYPES and offset is not None and item.size and offset + item.nbytes <= source.size_bytes:
        shape = tuple(int(length) for length in item.shape)
        big = dtype.byteorder == ">"
        into.regions.append(
            Region(place.lstrip("/"), int(offset), int(item.nbytes), _DTYPES[code], shape, big_endian=big)
        )
    elif dtype.kind == "O" and dtype.metadata and item.shape == () and place.endswith(("vocabulary", "config")):
        value = item[()]
        if isinstance(value, bytes) and value[:1] == b"{":
            try:
                examine_keras_config(json.loads(value), source.path, place, into, context)
            except (ValueError, RecursionError):
                return


def _search(source: Source, into: Examined) -> None:
    """A file that the library cannot open may still hold a configuration with code: look for its words."""
    at = 0
    while at < min(source.size_bytes, 64 << 20):
        window = source.read(at, (1 << 20) + 64)
        for word in (b'"class_name": "Lambda"', b'"class_name":"Lambda"', b'"__lambda__"'):
            if (place := window.find(word)) >= 0:
                into.findings.append(
                    found("keras.lambda", source.path, f"byte {at + place}", "a Lambda layer in a damaged file")
                )
                return
        at += 1 << 20
