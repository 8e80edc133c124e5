"""Fuzzes every reader of model files: damaged files of the corpora in tests/attacks, read until the time is over.

Each input must give a report: no exception, no hang, no memory without end. With atheris installed (`pip install atheris`) the
search is guided by coverage; without it, files are damaged at random from the seed. An input that fails is written to a file.
HDF5 is left out: its library is C and may crash, which the limited child of `inspect` is for.

    python scripts/fuzz_readers.py --seconds 120 --seed 1
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SLOW_S = 20
_HDF5 = b"\x89HDF\r\n\x1a\n"

Read = Callable[[str, bytes], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz and return 0, or 1 where an input failed."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of model files.")
    parser.add_argument("--seconds", type=int, default=120, help="how long (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default %(default)s)")
    parser.add_argument("--plain", action="store_true", help="damage files at random even where atheris is installed")
    parser.add_argument("--failures", type=Path, default=Path(tempfile.gettempdir()), help="where to write what fails")
    parser.add_argument("inputs", nargs="*", type=Path, help="inputs that failed before, to be read again instead")
    options = parser.parse_args(arguments)
    if options.inputs:
        read = reader()
        for file in options.inputs:
            read(*_named(file.read_bytes(), endings()))
        return 0
    if not options.plain:
        try:
            import atheris
        except ImportError:
            pass
        else:
            return guided(atheris, options)
    return at_random(options)


def reader() -> Read:
    """Return what reads one input. Raises whatever a reader raises, and `AssertionError` for a report that is none."""
    from weighbridge.probes.checkpoint.catalogue import rules
    from weighbridge.probes.checkpoint.examine import Allowance, Context, examine
    from weighbridge.probes.checkpoint.source import MemorySource

    known = rules()

    def read(name: str, data: bytes) -> None:
        if _HDF5 in data:
            return
        context = Context(Allowance(unpacked_bytes=8 << 20, steps=100_000))
        parts = [examine(MemorySource(name, data), context), *context.members]
        for part in parts:
            json.dumps([asdict(finding) for finding in part.findings])
            assert all(finding.rule in known for finding in part.findings)
            assert all(region.offset >= 0 and region.size_bytes >= 0 for region in part.regions), (
                "a region before the file"
            )

    return read


def endings() -> list[str]:
    """Return the names that an input's first byte chooses from: of the corpora's files, one an ending."""
    from tests.attacks.mutations import seeds

    return sorted({"model." + name.rsplit(".", 1)[-1] if "." in name else "model" for name, _ in seeds().values()})[
        :256
    ]


def _named(data: bytes, names: Sequence[str]) -> tuple[str, bytes]:
    return names[data[0] % len(names)] if data else "model", data[1:]


def _input(name: str, data: bytes, names: Sequence[str]) -> bytes:
    ending = "model." + name.rsplit(".", 1)[-1] if "." in name else "model"
    return bytes([names.index(ending)]) + data


def at_random(options: argparse.Namespace) -> int:
    """Damage files at random until the time is over."""
    from tests.attacks.mutations import mutated, seeds

    read, generator, files = reader(), random.Random(options.seed), list(seeds().values())
    names, failed, count = endings(), 0, 0
    end_s = time.monotonic() + options.seconds
    while time.monotonic() < end_s:
        (name, data), (_, other) = generator.choice(files), generator.choice(files)
        data, count = mutated(data, other, generator), count + 1
        begun_s = time.monotonic()
        try:
            read(name, data)
            why = "too slow" if time.monotonic() - begun_s > SLOW_S else ""
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        if why:
            failed += 1
            file = options.failures / f"failed-{options.seed}-{count}"
            file.write_bytes(_input(name, data, names))
            print(f"{file}: {why}", file=sys.stderr)
    print(f"{count:,} inputs at random from seed {options.seed}, {failed:,} failed")
    return 1 if failed else 0


def guided(atheris: object, options: argparse.Namespace) -> int:
    """Let atheris look for inputs that reach new code. Ends the process, with its exit code, when the time is over."""
    from tests.attacks.mutations import MOST_BYTES, seeds

    with atheris.instrument_imports(include=["weighbridge.probes.checkpoint"]):  # type: ignore[attr-defined]
        read = reader()
        from weighbridge.probes.checkpoint.examine import FORMATS, TEXTS, _examiner

        for name in (*FORMATS, *TEXTS):
            _examiner(name)
    names = endings()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-seeds-"))
    for index, (name, data) in enumerate(seeds().values()):
        (folder / f"{index:05d}").write_bytes(_input(name, data, names))
    flags = [f"-max_total_time={options.seconds}", f"-seed={options.seed}", f"-timeout={SLOW_S}", "-rss_limit_mb=4096"]
    flags += [
        f"-max_len={MOST_BYTES}",
        "-len_control=0",
        f"-artifact_prefix={options.failures}/failed-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *flags, str(folder)], lambda data: read(*_named(data, names)))  # type: ignore[attr-defined]
    atheris.Fuzz()  # type: ignore[attr-defined]
    return 0


if __name__ == "__main__":
    sys.exit(main())
