"""What `weighbridge inspect` costs next to `openssl dgst -sha256` over the same files, in the same run.

    python benchmarks/inspect.py [--rounds 3] [--folder DIR] [--small] [--table]

Makes 2 GB of bf16 safetensors, a 1 GB Q8_0 GGUF and a 0.5 GB torch zip (5 GB of disk with the table's largest), reads each once so that
it lies in the page cache, and lets the two take turns. Whole processes, all checks on. `--table` goes on to 20 GB with a sparse
file and to a thousand files. Exits with 1 when a target is missed.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder: this file would stand in for the library's own module `inspect`

import argparse
import json
import os
import resource
import statistics
import struct
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

INSPECT = [str(Path(sys.executable).with_name("weighbridge")), "inspect", "--json"]
SMALL_S = 0.6
MOST_BYTES = 400 << 20
CHUNK = 1 << 24


def noise(count: int, seed: int) -> np.ndarray:
    """Return `count` float32 values as of trained weights."""
    return np.random.default_rng(seed).normal(0, 0.02, count).astype(np.float32)


def bf16(values: np.ndarray) -> bytes:
    """Return the values' upper halves."""
    return (values.view(np.uint32) >> 16).astype("<u2").tobytes()


def safetensors(path: Path, size_bytes: int, *, sparse: bool = False) -> None:
    """Write a bf16 model of about `size_bytes` in one file, layers of 4 matrices and a norm."""
    width = 2048
    names = [f"model.layers.{layer}.{part}.weight" for layer in range(10_000)
             for part in ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj")]  # fmt: skip
    each = width * width * 2
    count = max(1, size_bytes // each)
    header = {
        name: {"dtype": "BF16", "shape": [width, width], "data_offsets": [i * each, (i + 1) * each]}
        for i, name in enumerate(names[:count])
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        if sparse:
            file.truncate(file.tell() + count * each)
            return
        block = bf16(noise(width * width, 1))
        for i in range(count):
            shift = (i * 4099 * 2) % len(block)  # no two tensors alike, and quickly made
            file.write(block[shift:] + block[:shift])


def gguf_q8(path: Path, size_bytes: int) -> None:
    """Write a Q8_0 GGUF of about `size_bytes`."""
    width = 2048
    blocks = width * width // 32
    each = blocks * 34
    count = max(1, size_bytes // each)
    rng = np.random.default_rng(2)
    data = np.zeros(blocks, dtype=[("d", "<f2"), ("q", "i1", (32,))])
    data["d"] = np.abs(rng.normal(0, 3e-4, blocks)).astype(np.float16)
    data["q"] = rng.normal(0, 40, (blocks, 32)).clip(-127, 127).astype(np.int8)
    raw = data.tobytes()

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    keys = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    infos = b"".join(
        text(f"blk.{i // 4}.{('attn_q', 'attn_output', 'ffn_up', 'ffn_down')[i % 4]}.weight")
        + struct.pack("<IQQIQ", 2, width, width, 8, i * each)
        for i in range(count)
    )
    head = b"GGUF" + struct.pack("<IQQ", 3, count, 1) + keys + infos
    with path.open("wb") as file:
        file.write(head + b"\0" * (-len(head) % 32))
        for i in range(count):
            shift = (i * 34 * 4099) % len(raw)
            file.write(raw[shift:] + raw[:shift])


def torch_zip(path: Path, size_bytes: int) -> None:
    """Write a torch checkpoint of float32 tensors as `torch.save` does; torch itself is not needed."""
    width = 1024
    each = width * width * 4
    count = max(1, size_bytes // each)
    out = [b"\x80\x02ccollections\nOrderedDict\n)R"]

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    out.append(b"(")
    for i in range(count):
        out.append(text(f"layers.{i}.weight"))
        out.append(b"ctorch._utils\n_rebuild_tensor_v2\n((")
        out.append(
            text("storage") + b"ctorch\nFloatStorage\n" + text(str(i)) + text("cpu") + number(width * width) + b"tQ"
        )
        out.append(number(0) + number(width) + number(width) + b"\x86" + number(width) + b"K\x01\x86")
        out.append(b"\x89ccollections\nOrderedDict\n)RtR")
    out.append(b"u.")
    values = noise(width * width, 3).tobytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"".join(out))
        archive.writestr("archive/byteorder", "little")
        for i in range(count):
            shift = (i * 4 * 4099) % len(values)
            archive.writestr(f"archive/data/{i}", values[shift:] + values[:shift])
        archive.writestr("archive/version", "3\n")


def timed(command: Sequence[str]) -> tuple[float, int, int]:
    """Run and return seconds, peak memory in bytes and the exit code."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - began, usage.ru_maxrss * 1024, process.returncode


def children_peak() -> int:
    """Return the largest resident size of any child that this process waited for, and of theirs, in bytes."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def compare(path: Path, rounds: int) -> tuple[float, float, int]:
    """Return the ratio of medians, our median in seconds, and our peak memory in bytes."""
    files = [str(path)] if path.is_file() else [str(file) for file in sorted(path.iterdir())]
    ours, theirs, peak = [], [], 0
    timed([*INSPECT, str(path)])  # page cache, and every compiled module
    for _ in range(rounds):
        theirs.append(timed(["openssl", "dgst", "-sha256", *files])[0])
        seconds, memory, code = timed([*INSPECT, str(path)])
        if code != 0:
            raise SystemExit(f"{path}: `weighbridge inspect` ended with {code}")
        ours.append(seconds)
        peak = max(peak, memory)
    return statistics.median(ours) / statistics.median(theirs), statistics.median(ours), peak


def sized(folder: Path, name: str, write: Callable[[Path, int], None], size_bytes: int) -> Path:
    """Return a file of `folder`, made when it is not there."""
    path = folder / name
    if not path.exists():
        write(path, size_bytes)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the files here (default: a temporary folder)")
    parser.add_argument("--small", action="store_true", help="a tenth of the sizes: a smoke test, no targets")
    parser.add_argument("--table", action="store_true", help="go on: sizes up to 20 GB, and many files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        scale = 0.1 if options.small else 1.0
        missed = 0
        print(f"whole process, page cache warm, medians of {options.rounds}, {os.cpu_count()} cores")
        for name, write, size, most in (
            ("model.safetensors", safetensors, 2e9, 1.25),
            ("model.gguf", gguf_q8, 1e9, 1.5),
            ("pytorch_model.bin", torch_zip, 0.5e9, 1.5),
        ):
            path = sized(folder, name, write, int(size * scale))
            ratio, _, peak = compare(path, options.rounds)
            over = ratio > most or peak > MOST_BYTES
            missed += over
            print(f"  {name:<20} {path.stat().st_size / 1e9:5.2f} GB  {ratio:5.2f} x openssl (target {most}),"
                  f" peak {peak / 2**20:.0f} MiB{'  MISSED' if over else ''}", flush=True)  # fmt: skip
        tiny = sized(folder, "tiny.safetensors", lambda path, _: safetensors(path, 1), 0)
        seconds = statistics.median(timed([*INSPECT, str(tiny)])[0] for _ in range(max(5, options.rounds)))
        missed += seconds > SMALL_S
        print(f"  a small file         {seconds:.2f} s (target {SMALL_S}){'  MISSED' if seconds > SMALL_S else ''}")
        if options.table:
            table(folder, options.rounds)
    return 0 if options.small or not missed else 1


def table(folder: Path, rounds: int) -> None:
    """Print how the cost grows with bytes and with files."""
    print("growth:")
    for size in (0.25e9, 1e9, 4e9, 20e9):
        path = sized(
            folder, f"sparse-{size / 1e9:g}.safetensors", lambda p, s: safetensors(p, s, sparse=True), int(size)
        )
        ours, peak, _ = timed([*INSPECT, str(path)])
        theirs, _, _ = timed(["openssl", "dgst", "-sha256", str(path)])
        print(
            f"  {size / 1e9:5.2f} GB in one file (sparse): {ours / theirs:.2f} x openssl, peak {peak / 2**20:.0f} MiB",
            flush=True,
        )
    base = 0.0
    for count in (10, 100, 1000):
        many = folder / f"many-{count}"
        many.mkdir(exist_ok=True)
        for i in range(count):
            file = many / f"part-{i:04}.safetensors"
            if not file.exists():
                data = noise(4096, i).tobytes()
                text = json.dumps(
                    {f"w{i}": {"dtype": "F32", "shape": [64, 64], "data_offsets": [0, len(data)]}}
                ).encode()
                file.write_bytes(struct.pack("<Q", len(text)) + text + data)
        seconds = statistics.median(timed([*INSPECT, str(many)])[0] for _ in range(rounds))
        base = base or seconds
        print(f"  {count:5} files: {seconds / base:.1f} times the first row", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
