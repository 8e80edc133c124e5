"""PyTorch's zip format: where the tensors' values are, what does not fit, and TorchScript's own code."""

from __future__ import annotations

import re

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.pickle_machine import read_pickle, storage_of, torch_tensors
from weighbridge.probes.checkpoint.report import Examined, Region, Severity
from weighbridge.probes.checkpoint.source import Source
from weighbridge.probes.checkpoint.torch_legacy import STORAGES, check_views, regions_of

_MOST_CODE = 4 << 20
# Operators of TorchScript that read or write files or reach out. The language itself can do nothing else to its host.
_OPERATORS = re.compile(
    r"ops\.(?:aten|prim|image|torchaudio|torchvision|rpc|inductor)\.(?:from_file|save|load|read_file|write_file|fork|rpc_sync|rpc_async|rpc_remote|_save|decode_image)\b"
    r"|torch\.(?:from_file|save|load)\s*\(|\b(?:os|subprocess|socket|builtins)\.\w+\s*\(|\b__import__\b|\beval\s*\(|\bexec\s*\(|^\s*(?:import|from)\s+(?!__torch__)\w",
    re.MULTILINE,
)


def is_torch(members: dict[str, tuple[Examined, Source]]) -> bool:
    """Whether members are those of a torch checkpoint."""
    return any(name == "data.pkl" or name.endswith("/data.pkl") for name in members)


def examine_torch(
    source: Source, members: dict[str, tuple[Examined, Source]], into: Examined, context: Context
) -> None:
    """Fill in the tensors' regions; look at storages and code."""
    into.format = "torch zip"
    if any("/code/" in f"/{name}" for name in members):
        into.format = "torchscript"
        _script(source, members, into)
    if any(f"/{name}".endswith("/.data/extern_modules") for name in members):
        into.format = "torch package"
        message = "a torch.package: it carries Python modules that run when objects are loaded from it"
        into.findings.append(found("torch.package", source.path, "archive", message))
    for name in [name for name in members if name.endswith("data.pkl") and name.rsplit("/", 1)[-1] == "data.pkl"]:
        _storages(source, name.removesuffix("data.pkl"), members, into, context)
    big = [
        name
        for name, (_, inner) in members.items()
        if name.endswith("byteorder") and inner.read(0, 8).startswith(b"big")
    ]
    if big:
        into.regions = [
            Region(r.tensor, r.offset, r.size_bytes, r.dtype, r.shape, big_endian=True) for r in into.regions
        ]


def is_exported(members: dict[str, tuple[Examined, Source]]) -> bool:
    """Whether members are those of a program that `torch.export` saved."""
    return any(
        f"/{name}".endswith("/archive_format") and inner.read(0, 8) == b"pt2" for name, (_, inner) in members.items()
    )


def examine_exported(members: dict[str, tuple[Examined, Source]], into: Examined) -> None:
    """Raw values that the archive's own list of weights or constants names are no files that nobody understands."""
    into.format = "torch export"
    for name, (examined, _) in members.items():
        data = examined.metadata.get("json")
        entries = data.get("config") if name.endswith("_config.json") and isinstance(data, dict) else None
        for entry in entries.values() if isinstance(entries, dict) else ():
            path = entry.get("path_name") if isinstance(entry, dict) else None
            values = members.get(f"{name.rsplit('/', 1)[0]}/{path}")
            if values is not None and values[0].format == "unknown":
                values[0].format = "torch storage"
                values[0].not_examined.clear()
                into.not_measured += 1


def _storages(
    source: Source, prefix: str, members: dict[str, tuple[Examined, Source]], into: Examined, context: Context
) -> None:
    pickle = members[prefix + "data.pkl"][1]
    result = read_pickle(pickle, 0, context)
    places: dict[str, tuple[int, int, str]] = {}
    for persistent in result.persistents:
        named = storage_of(persistent)
        if named is None or named[0] not in STORAGES or named[1] in places:
            continue
        dtype, width = STORAGES[named[0]]
        member = members.get(f"{prefix}data/{named[1]}")
        if member is None:
            message = "a tensor's storage is not in the archive"
            into.findings.append(found("torch.storage", source.path, f"storage {named[1]}", message))
            continue
        values = member[1]
        member[0].format = "torch storage"
        member[0].not_examined.clear()
        # Numbers may begin as some format does by chance, and torch reads them as numbers. What would run code is said all the same.
        member[0].findings[:] = [each for each in member[0].findings if each.severity is Severity.CRITICAL]
        if values.size_bytes != named[2] * width:
            message = f"holds {values.size_bytes:,} bytes, the pickle says {named[2] * width:,}"
            into.findings.append(found("torch.storage", source.path, f"storage {named[1]}", message))
        if values.base is not None and source.base is not None:
            places[named[1]] = (values.base - source.base, values.size_bytes, dtype)
    tensors = torch_tensors(result.root)
    check_views(tensors, source, into, "torch.storage")
    into.regions += regions_of(tensors, places)
    _unreferenced(
        source, prefix, {named[1] for each in result.persistents if (named := storage_of(each))}, members, into
    )


def _unreferenced(
    source: Source, prefix: str, named: set[str], members: dict[str, tuple[Examined, Source]], into: Examined
) -> None:
    for name, (examined, inner) in members.items():
        key = name.removeprefix(f"{prefix}data/")
        if name.startswith(f"{prefix}data/") and key not in named and "/" not in key:
            message = f"{inner.size_bytes:,} bytes that no tensor uses"
            into.findings.append(found("torch.unreferenced", source.path, name, message))
        elif examined.format == "unknown" and name.rsplit("/", 1)[-1] in ("version", "byteorder", ".format_version", ".storage_alignment", "serialization_id"):  # fmt: skip
            examined.format = "text"
            examined.not_examined.clear()


def _script(source: Source, members: dict[str, tuple[Examined, Source]], into: Examined) -> None:
    for name, (_, inner) in members.items():
        if "/code/" in f"/{name}" and name.endswith(".py"):
            text = inner.read(0, _MOST_CODE).decode("utf-8", "replace")
            for hit in list(_OPERATORS.finditer(text))[:20]:
                line = text.count("\n", 0, hit.start()) + 1
                message = f"line {line} uses {hit[0].strip()}"
                into.findings.append(found("torch.script-operator", f"{source.path}!{name}", f"line {line}", message))
    message = "a TorchScript archive: a program in torch's own language, run when the model is called"
    into.findings.append(found("torch.script", source.path, "archive", message))
