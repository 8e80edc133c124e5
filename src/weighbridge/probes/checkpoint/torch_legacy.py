"""torch's format before 1.6: five pickles in a row, then the storages' raw values."""

from __future__ import annotations

import struct

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.pickle_machine import PickleResult, TensorRef, storage_of, torch_tensors
from weighbridge.probes.checkpoint.report import Examined, Region
from weighbridge.probes.checkpoint.source import Source

MAGIC = 0x1950A86A20F9469CFC6C
PICKLES = 5  # magic number, protocol, system, the object, the storages' keys

# Class of a storage -> element type and bytes of one.
STORAGES: dict[str, tuple[str, int]] = {
    "FloatStorage": ("f32", 4),
    "DoubleStorage": ("f64", 8),
    "HalfStorage": ("f16", 2),
    "BFloat16Storage": ("bf16", 2),
    "LongStorage": ("i64", 8),
    "IntStorage": ("i32", 4),
    "ShortStorage": ("i16", 2),
    "CharStorage": ("i8", 1),
    "ByteStorage": ("u8", 1),
    "BoolStorage": ("bool", 1),
    "ComplexFloatStorage": ("c64", 8),
    "ComplexDoubleStorage": ("c128", 16),
    "UntypedStorage": ("u8", 1),
    "QInt8Storage": ("i8", 1),
    "QUInt8Storage": ("u8", 1),
    "QInt32Storage": ("i32", 4),
    "float8_e4m3fn": ("f8_e4m3", 1),
    "float8_e5m2": ("f8_e5m2", 1),
}


def is_legacy(pickles: list[PickleResult]) -> bool:
    """Whether the first pickle of a file is torch's magic number."""
    return bool(pickles) and pickles[0].root == MAGIC


def follow_storages(source: Source, pickles: list[PickleResult], into: Examined, context: Context) -> int:
    """Say where the tensors' values are and what does not fit; return where the last storage ends."""
    into.format = "torch legacy"
    end = pickles[-1].end
    if len(pickles) < PICKLES or not isinstance(pickles[4].root, list):
        into.findings.append(found("pickle.storage", source.path, f"byte {end}", "the list of storages is missing"))
        return end
    stored = {named[1]: named for each in pickles[3].persistents if (named := storage_of(each)) is not None}
    places: dict[str, tuple[int, int, str]] = {}
    for key in pickles[4].root:
        context.allowance.step()
        named = stored.get(str(key))
        stated = source.read(end, 8)
        if named is None or named[0] not in STORAGES or len(stated) < 8:
            into.findings.append(
                found("pickle.storage", source.path, f"storage {key}", "a storage that no tensor names")
            )
            return end
        dtype, width = STORAGES[named[0]]
        (elements,) = struct.unpack("<q", stated)
        if elements != named[2]:
            message = f"it holds {elements:,} values, the pickle says {named[2]:,}"
            into.findings.append(found("pickle.storage", source.path, f"storage {key}", message))
        size = elements * width
        if elements < 0 or size > source.size_bytes - end - 8:
            into.findings.append(
                found("pickle.storage", source.path, f"storage {key}", "it reaches past the end of the file")
            )
            return end
        places[str(key)] = (end + 8, size, dtype)
        end += 8 + size
    tensors = torch_tensors(pickles[3].root)
    check_views(tensors, source, into, "pickle.storage")
    into.regions += regions_of(tensors, places)
    return end


def check_views(tensors: list[TensorRef], source: Source, into: Examined, rule: str) -> None:
    """Say which tensors reach beyond their storage."""
    for tensor in tensors:
        if len(tensor.shape) != len(tensor.stride):
            reach = -1
        else:
            steps = zip(tensor.shape, tensor.stride, strict=True)
            last = sum((length - 1) * stride for length, stride in steps)
            reach = 0 if 0 in tensor.shape else tensor.offset + last + 1
        if reach > tensor.storage_elements or min(reach, tensor.offset, *tensor.shape, *tensor.stride, 0) < 0:
            message = f"reaches beyond its storage of {tensor.storage_elements:,} values"
            into.findings.append(found(rule, source.path, tensor.name, message))


def regions_of(tensors: list[TensorRef], places: dict[str, tuple[int, int, str]]) -> list[Region]:
    """Return where each tensor's values are. `places` maps storage keys to (offset, bytes, dtype).

    A tensor that is not contiguous gives the whole storage once: its values are the same, in another order.
    """
    regions: list[Region] = []
    whole: set[str] = set()
    for tensor in tensors:
        if tensor.key not in places:
            continue
        offset, size, dtype = places[tensor.key]
        width = next((width for name, width in STORAGES.values() if name == dtype), 1)
        elements = 1
        for length in tensor.shape:
            elements *= length
        start, bytes_ = tensor.offset * width, elements * width
        if elements <= 0 or min(tensor.offset, *tensor.shape, 0) < 0:
            continue
        if _contiguous(tensor) and start + bytes_ <= size:
            regions.append(Region(tensor.name, offset + start, bytes_, dtype, tensor.shape))
        elif tensor.key not in whole and size % width == 0 and size:
            whole.add(tensor.key)
            regions.append(Region(tensor.name, offset, size, dtype, (size // width,)))
    return regions


def _contiguous(tensor: TensorRef) -> bool:
    if len(tensor.shape) != len(tensor.stride):
        return False
    expected = 1
    for length, stride in zip(reversed(tensor.shape), reversed(tensor.stride), strict=True):
        if length != 1 and stride != expected:
            return False
        expected *= length
    return True
