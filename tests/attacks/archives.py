"""Archives, torch checkpoints and numpy files: whole ones, damaged ones, and those in which something hides."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from tests.attacks.case import Case
from tests.attacks.pickles import RUNS, call

PAYLOAD = call("os", "system")
TEXT = b"an ordinary text\n"


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), data, method)
    return buffer.getvalue()


def tarred(members: Mapping[str, bytes], mode: str = "w") -> bytes:
    """A tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def torch_zip(value: object, legacy: bool = False) -> bytes:
    """What `torch.save` writes."""
    import torch

    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def torch_numbers(data: bytes) -> object:
    """A tensor of these bytes."""
    import torch

    return torch.frombuffer(bytearray(data), dtype=torch.uint8).clone()


def npy(array: np.ndarray, **options: object) -> bytes:
    """What `numpy.save` writes."""
    buffer = io.BytesIO()
    np.save(buffer, array, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def npz(compressed: bool = False, **arrays: np.ndarray) -> bytes:
    """What `numpy.savez` writes."""
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def with_members(archive: bytes, changes: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """The archive with members (named by the end of their path) replaced or added."""
    with zipfile.ZipFile(io.BytesIO(archive)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    root = next(iter(members)).split("/", 1)[0]
    for name, data in changes.items():
        members[next((old for old in members if old.endswith(name)), f"{root}/{name}")] = data
    return zipped(members, method)


def _in_archives() -> Iterator[Case]:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield Case(f"zip, method {method}", {"x.zip": zipped({"a/data.pkl": PAYLOAD}, method)}, RUNS)
    yield Case("zip in a zip", {"x.zip": zipped({"in.zip": zipped({"d.pkl": PAYLOAD})})}, RUNS)
    yield Case("zip with a harmless name", {"x.bin": zipped({"readme.txt": PAYLOAD})}, RUNS)
    deep = PAYLOAD
    for _ in range(12):
        deep = zipped({"x.zip": deep})
    yield Case("nested too deeply", {"x.zip": deep}, unexamined=True)
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        yield Case(f"tar, {mode}", {"x.tar": tarred({"a/model.pkl": PAYLOAD}, mode)}, RUNS)
    yield Case("tar in a zip in a gz", {"x.gz": gzip.compress(zipped({"a.tar": tarred({"p": PAYLOAD})}))}, RUNS)
    yield Case("7z", {"x.7z": _seven({"model.pkl": PAYLOAD})}, RUNS)
    yield Case("7z named pt", {"model.pt": _seven({"data.pkl": PAYLOAD})}, (*RUNS, "archive.opaque"))
    yield Case(
        "7z with a password",
        {"x.7z": _seven({"model.pkl": PAYLOAD}, "secret")},
        ("archive.encrypted",),
        unexamined=True,
    )
    yield Case("rar", {"x.rar": b"Rar!\x1a\x07\x01\x00" + bytes(100)}, ("archive.opaque",), unexamined=True)


def _seven(members: Mapping[str, bytes], password: str | None = None) -> bytes:
    import py7zr

    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", password=password) as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return buffer.getvalue()


def _altered() -> Iterator[Case]:
    plain = zipped({"a.txt": TEXT, "data.pkl": PAYLOAD})
    at = plain.index(b"PK\x01\x02")
    crc = bytearray(plain)
    crc[14:18] = b"\1\2\3\4"
    crc[at + 16 : at + 20] = b"\1\2\3\4"
    yield Case("wrong CRC of a small member", {"x.zip": bytes(crc)}, ("archive.wrong-crc", *RUNS))
    big = bytearray(zipped({"a.bin": bytes(range(256)) * 16384}))
    big[2_000_000] ^= 1
    yield Case("wrong CRC of a large stored member", {"x.zip": bytes(big)}, ("archive.wrong-crc",))
    for where, offset in (("both", None), ("directory", at + 8), ("header", 6)):
        flagged = bytearray(zipped({"data.pkl": PAYLOAD}))
        here = flagged.index(b"PK\x01\x02")
        for place in (6, here + 8) if offset is None else ((here + 8,) if where == "directory" else (6,)):
            flagged[place] |= 1
        yield Case(f"encrypted flag in {where}", {"x.pt": bytes(flagged)}, ("archive.*", *RUNS))
    yield Case("junk before", {"x.pt": b"junk" * 10 + plain}, ("archive.junk-before", *RUNS))
    yield Case("an image before", {"x.png": b"\x89PNG\r\n\x1a\n" + bytes(100) + plain}, (*RUNS,))
    yield Case("bytes behind", {"x.zip": plain + b"behind" * 10}, ("archive.hidden-bytes", *RUNS))
    yield Case("a pickle behind", {"x.zip": zipped({"a.txt": TEXT}) + PAYLOAD}, ("archive.hidden-bytes",))
    named = zipped({"data.pkl": PAYLOAD}).replace(b"data.pkl", b"note.txt", 1)
    yield Case("another name in the header", {"x.pt": named}, ("archive.mismatch", *RUNS))
    sized = bytearray(zipped({"data.pkl": PAYLOAD}))
    here = sized.index(b"PK\x01\x02")
    sized[here + 24 : here + 28] = struct.pack("<I", 5)
    yield Case("another size in the directory", {"x.pt": bytes(sized)}, ("archive.mismatch",))
    method = bytearray(zipped({"data.pkl": PAYLOAD}))
    method[8] = 8
    yield Case("another method in the header", {"x.pt": bytes(method)}, ("archive.mismatch", *RUNS))
    two = zipped({"a.txt": TEXT, "b.pkl": PAYLOAD})
    end = two.index(b"PK\x01\x02")
    second = two.index(b"PK\x01\x02", end + 4)
    stop = two.index(b"PK\x05\x06")
    hidden = two[:second] + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, second - end, end, 0)
    yield Case("a member that the directory lacks", {"x.zip": hidden}, ("archive.hidden-member", *RUNS))
    yield Case("no directory at all", {"x.pt": two[:end]}, ("archive.damaged", *RUNS))
    cut = two[: stop - 10]
    yield Case("cut in the directory", {"x.pt": cut}, ("archive.damaged", *RUNS))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", call("builtins", "print"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            archive.writestr("data.pkl", PAYLOAD)
    yield Case("a name twice", {"x.pt": buffer.getvalue()}, ("archive.duplicate-member", *RUNS))
    yield Case("a path upwards", {"x.zip": zipped({"../../evil.txt": TEXT})}, ("archive.path",))
    yield Case("an absolute path", {"x.zip": zipped({"/etc/evil": TEXT})}, ("archive.path",))
    yield Case("a Windows path", {"x.zip": zipped({"C:\\evil.txt": TEXT})}, ("archive.path",))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    yield Case("a link", {"x.zip": buffer.getvalue()}, ("archive.link",))
    overlap = bytearray(zipped({"a.bin": bytes(100), "b.bin": bytes(range(100))}))
    here = overlap.index(b"PK\x01\x02")
    following = overlap.index(b"PK\x01\x02", here + 4)
    overlap[following + 42 : following + 46] = struct.pack("<I", 0)
    yield Case("members over each other", {"x.zip": bytes(overlap)}, ("archive.overlap",))
    tar = bytearray(tarred({"a.txt": TEXT, "b.pkl": PAYLOAD}))
    tar[148] ^= 1
    yield Case("a tar with a wrong header sum", {"x.tar": bytes(tar)}, ("archive.damaged",))
    yield Case("tar with a path upwards", {"x.tar": tarred({"../evil": TEXT})}, ("archive.path",))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive_:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive_.addfile(info)
    yield Case("tar with a link", {"x.tar": buffer.getvalue()}, ("archive.link",))
    yield Case("tar that is cut", {"x.tar": tarred({"a.bin": bytes(5000)})[:3000]}, ("archive.damaged",))
    yield Case("gz that is cut", {"x.pkl.gz": gzip.compress(PAYLOAD * 50)[:-12]}, RUNS)
    wrong = bytearray(gzip.compress(PAYLOAD))
    wrong[-6] ^= 1
    yield Case("gz with a wrong CRC", {"x.pkl.gz": bytes(wrong)}, RUNS)
    yield Case("gz with something behind", {"x.gz": gzip.compress(TEXT) + PAYLOAD}, ("archive.hidden-bytes",))
    yield Case("bz2 that is cut", {"x.bz2": bz2.compress(bytes(10_000) + TEXT)[:-5]}, ("archive.damaged",))
    yield Case(
        "xz with a damaged middle",
        {"x.xz": lzma.compress(bytes(range(256)) * 40)[:-60] + bytes(60)},
        ("archive.damaged",),
    )


def _bombs() -> Iterator[Case]:
    nothing = bytes(1 << 20)
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros", "w", force_zip64=True) as into,
    ):
        for _ in range(1200):
            into.write(nothing)
    yield Case(
        "a zip that unpacks to more than is read", {"x.zip": buffer.getvalue()}, ("archive.bomb",), unexamined=True
    )
    opcodes = zipped({"data.pkl": b"(" * (64 << 20) + b"."}, zipfile.ZIP_DEFLATED)
    yield Case("64 MiB of opcodes", {"x.pt": opcodes}, ("pickle.too-much-work",), unexamined=True)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(packer.compress(nothing) for _ in range(1200)) + packer.flush()
    yield Case("a gz that unpacks to more than is read", {"x.gz": data}, ("archive.bomb",), unexamined=True)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for index in range(20_000):
            archive.writestr(f"f{index}", b"")
    yield Case("20,000 empty members", {"x.zip": many.getvalue()})


def _torch() -> Iterator[Case]:
    # Among many storages some begin as another format does: their numbers are numbers.
    heads = (
        b'\x10\0\0\0\0\0\0\0{"a": 1}       ',
        b"\x80\x04K\x01.",
        b"GGUF\x03",
        b"\x89HDF\r\n\x1a\n",
        b"\x93NUMPY",
        b"BZh9",
    )
    chance = {f"w{n}": torch_numbers(head.ljust(4096, b"\x3c")) for n, head in enumerate(heads)}
    yield Case("torch storages that begin as formats do, ordinary", {"pytorch_model.bin": torch_zip(chance)})
    import torch

    torch.manual_seed(1)
    weights = {"layer.weight": torch.randn(64, 64), "layer.bias": torch.zeros(64).half() + torch.randn(64).half()}
    for legacy in (False, True):
        data, kind = torch_zip(weights, legacy), "legacy" if legacy else "zip"
        yield Case(f"torch {kind}, ordinary", {"pytorch_model.bin": data})
        optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.randn(3))])
        training = {"model": weights, "optimizer": optimiser.state_dict(), "epoch": 3, "args": {"lr": 1e-3}}
        yield Case(f"torch {kind}, a training's checkpoint", {"checkpoint.pt": torch_zip(training, legacy)})
        many = {
            "bf": torch.randn(8, 8).bfloat16(),
            "i": torch.arange(9),
            "b": torch.tensor([True, False]),
            "t": weights["layer.weight"].t(),
            "s": weights["layer.weight"][:3],
        }
        yield Case(f"torch {kind}, dtypes and views", {"x.pt": torch_zip(many, legacy)})
        yield Case(f"torch {kind}, a parameter", {"x.pt": torch_zip(torch.nn.Linear(3, 4).state_dict(), legacy)})
        yield Case(f"torch {kind}, a bare tensor", {"x.pth": torch_zip(torch.randn(5, 5), legacy)})
    unsafe = with_members(torch_zip(weights), {"data.pkl": PAYLOAD})
    yield Case("torch zip whose pickle calls", {"pytorch_model.bin": unsafe}, RUNS)
    yield Case("the same, deflated", {"x.pt": with_members(torch_zip(weights), {"data.pkl": PAYLOAD}, 8)}, RUNS)
    yield Case(
        "torch zip with a second pickle", {"x.pt": with_members(torch_zip(weights), {"extra/other.pkl": PAYLOAD})}, RUNS
    )
    legacy = torch_zip(weights, True)
    yield Case("torch legacy whose first pickle calls", {"x.pt": PAYLOAD + legacy}, RUNS)
    magic = call("builtins", "eval", b"S'119547037146038801333356'\n", protocol=2) + legacy[14:]
    yield Case("a magic number made by eval", {"x.pt": magic}, RUNS)
    third = legacy.index(b"\x80\x02}", 20)
    yield Case(
        "torch legacy whose third pickle calls",
        {"x.pt": legacy[:third] + PAYLOAD + legacy[third:]},
        ("pickle.storage", *RUNS),
    )
    missing = torch_zip(weights)
    with zipfile.ZipFile(io.BytesIO(missing)) as old:
        kept = {name: old.read(name) for name in old.namelist() if not name.endswith("data/0")}
    yield Case("a storage that is missing", {"x.pt": zipped(kept)}, ("torch.storage",))
    yield Case(
        "a storage that is too short", {"x.pt": with_members(missing, {"data/0": bytes(100)})}, ("torch.storage",)
    )
    yield Case(
        "bytes that no tensor uses",
        {"x.pt": with_members(missing, {"data/99": b"hidden" * 100})},
        ("torch.unreferenced",),
    )
    module = torch.jit.script(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()))
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    script = buffer.getvalue()
    yield Case("TorchScript, ordinary", {"model.pt": script})
    with zipfile.ZipFile(io.BytesIO(script)) as old:
        code = next(name for name in old.namelist() if "/code/" in name and name.endswith(".py"))
        source = old.read(code)
    acting = source.replace(b"return", b'x = ops.aten.from_file("inert", False, 1)\n    return', 1)
    yield Case(
        "TorchScript that reads a file",
        {"model.pt": with_members(script, {code.split("/", 1)[1]: acting})},
        ("torch.script-operator",),
    )
    yield Case("TorchScript whose constants call", {"model.pt": with_members(script, {"constants.pkl": PAYLOAD})}, RUNS)
    package = with_members(torch_zip(weights), {".data/extern_modules": b"os\n", "mod.py": b"import os\n"})
    yield Case("torch.package", {"x.pt": package}, ("torch.package",))
    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    png += struct.pack(">I", zlib.crc32(png[12:])) + b"\x00\x00\x00\x00IEND\xaeB`\x82"
    yield Case("a PNG named .pt", {"model.pt": png}, ("file.wrong-name",))
    yield Case("a zip behind a PNG", {"model.pt": png + unsafe}, RUNS)
    yield Case("a pickle that is a zip too", {"model.pt": PAYLOAD + torch_zip(weights)}, (*RUNS, "file.polyglot"))
    yield Case(
        "TorchScript behind safetensors", {"model.safetensors": _safetensors() + script}, ("safetensors.hidden-bytes",)
    )
    elf = b"\x7fELF\x02\x01\x01" + bytes(57)
    yield Case("a program", {"pytorch_model.bin": elf}, ("file.program",))
    yield Case("a text under a model's name", {"pytorch_model.bin": b"Not found\n"}, ("file.wrong-name",))
    yield Case(
        "a page under a model's name", {"model.safetensors": b"<!doctype html><html>404</html>"}, ("file.wrong-name",)
    )
    pickled = torch_zip(weights)
    yield Case("torch weights called safetensors", {"model.safetensors": pickled}, ("file.extension",))


def _safetensors() -> bytes:
    header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1, 2)


def _numpy() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    yield Case("npy of integers", {"x.npy": npy(np.arange(10))})
    yield Case("npy of floats in Fortran's order", {"x.npy": npy(np.asfortranarray(rng.normal(size=(30, 40))))})
    yield Case("npy of records", {"x.npy": npy(np.zeros(3, dtype=[("a", "<f4"), ("b", "<i8", (2,))]))})
    yield Case("npy, empty", {"x.npy": npy(np.zeros((0, 3)))})
    yield Case("npy, a scalar", {"x.npy": npy(np.array(1.5))})
    yield Case("npy of words", {"x.npy": npy(np.array(["a", "bc"]))})
    yield Case("npy of ordinary objects", {"x.npy": npy(np.array([{"a": 1}, None], dtype=object), allow_pickle=True)})
    yield Case("npz", {"x.npz": npz(a=rng.normal(size=100), b=np.arange(5))})
    yield Case("npz, packed", {"x.npz": npz(True, a=rng.normal(size=100), b=np.arange(5))})
    objects = npy(np.array([None], dtype=object), allow_pickle=True)
    head = objects[: 10 + int.from_bytes(objects[8:10], "little")]
    yield Case("npy whose objects call", {"x.npy": head + PAYLOAD}, RUNS)
    yield Case("npy of objects that look something up", {"x.npy": head + call("socket", "gethostbyname")}, RUNS)
    yield Case("npz whose objects call", {"x.npz": zipped({"a.npy": head + PAYLOAD, "b.npy": npy(np.arange(3))})}, RUNS)
    yield Case("npz with a bare pickle", {"x.npz": zipped({"a.npy": PAYLOAD, "b.npy": npy(np.arange(3))})}, RUNS)
    plain = npy(np.arange(10.0))
    yield Case("npy that is cut", {"x.npy": plain[:-8]}, ("numpy.size",))
    yield Case("npy with bytes behind", {"x.npy": plain + b"hidden bytes"}, ("numpy.hidden-bytes",))
    yield Case("npy with a pickle behind", {"x.npy": plain + PAYLOAD}, ("numpy.hidden-bytes", *RUNS))
    evil = b"{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,)}"
    evil += b" " * (118 - len(evil) - 1) + b"\n"
    yield Case(
        "npy whose header is code", {"x.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + evil}, ("numpy.header",)
    )
    huge = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,)}"
    huge += b" " * (118 - len(huge) - 1) + b"\n"
    yield Case("npy of 2^60 elements", {"x.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + huge}, ("numpy.size",))
    yield Case(
        "npy whose header has no end", {"x.npy": b"\x93NUMPY\x03\x00\xff\xff\xff\xff" + b" " * 50}, ("numpy.header",)
    )


def _ordinary() -> Iterator[Case]:
    yield Case("zip of texts", {"x.zip": zipped({"a.txt": TEXT, "dir/": b"", "dir/b.json": b"{}"}, 8)})
    yield Case("an empty zip", {"x.zip": zipped({})})
    buffer = io.BytesIO()

    class Pipe(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            return buffer.write(data)  # type: ignore[arg-type]

    with zipfile.ZipFile(Pipe(), "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        archive.writestr("a.txt", TEXT * 100)
        archive.writestr("b.txt", TEXT * 100)
    yield Case("zip written to a pipe", {"x.zip": buffer.getvalue()})
    yield Case("tar of texts", {"x.tar.gz": tarred({"a.txt": TEXT, "b/c.txt": TEXT}, "w:gz")})
    yield Case("gz of a text", {"vocab.txt.gz": gzip.compress(TEXT * 10)})
    yield Case("an empty file", {"__init__.py": b""})


def cases() -> Iterator[Case]:
    """Every case."""
    for part in (_in_archives, _altered, _bombs, _torch, _numpy, _ordinary):
        yield from part()
