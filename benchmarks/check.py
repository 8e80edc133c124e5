"""CPU time of `weighbridge check` with the whole library, by how many evidence records a dossier holds.

    python benchmarks/check.py

Records are a dossier's rates and comparisons. Each figure is the median CPU time (user and system) of whole processes; ratios are of one run.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder: inspect.py in it would stand in for the library's own module `inspect`
sys.path.append(".")  # the fakes of the tests

import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

from tests.fakes.dossier_record import dossier_record

from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.write import write_dossier

SIZES = (1_250, 2_500, 5_000, 10_000, 20_000, 40_000)
ROUNDS = 7


def of_size(record: DossierRecord, count: int) -> DossierRecord:
    """Return the record with `count` rates and comparisons: its own, then those of further techniques."""
    rates = list(record.rates)
    number = 0
    while len(rates) + len(record.comparisons) < count:
        number += 1
        rates += [one.model_copy(update={"technique": f"{one.technique} {number}"}) for one in record.rates]
    return record.model_copy(update={"rates": tuple(rates[: max(0, count - len(record.comparisons))])})


def cpu_s(command: list[str]) -> float:
    """Return the CPU time of a whole process, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert b"error" not in done.stderr, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    record = dossier_record(per_cell=2)
    with tempfile.TemporaryDirectory() as folder:
        places = []
        for size in SIZES:
            place = Path(folder) / str(size)
            write_dossier(place, of_size(record, size), "")
            places.append(place)
        commands = [[sys.executable, "-m", "weighbridge", "check", str(place)] for place in places]
        commands += [
            [sys.executable, "-m", "weighbridge", "verify", str(places[0])],
            [sys.executable, "-c", "import pydantic"],
        ]
        times: list[list[float]] = [[] for _ in commands]
        for _ in range(ROUNDS):
            for found, command in zip(times, commands, strict=True):
                found.append(cpu_s(command))
    medians = [statistics.median(found) for found in times]
    base = medians[-1]
    for size, taken in zip(SIZES, medians, strict=False):
        print(f"check, {size:>6,} records: {taken:.2f} s of CPU, {taken / base:.1f} x importing pydantic")
    print(f"verify: {medians[-2]:.2f} s of CPU, {medians[-2] / base:.1f} x importing pydantic")
    steps = zip(SIZES, SIZES[1:], medians, medians[1:], strict=False)
    print("CPU of each further 1,000 records:", ", ".join(f"{(b - a) / (n - m) * 1e6:.1f} ms" for m, n, a, b in steps))


if __name__ == "__main__":
    main()
