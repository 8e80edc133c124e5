"""What looking for a model's kin costs in a registry of very many, next to comparing with every one, in one run; what it misses; and how soon after a start.

    python benchmarks/kinship.py [--count 1000000] [--queries 200] [--db FILE]

An SQLite registry of synthetic publications is written row by row: families of four as in lineage.py, the rest strangers. Then two processes are started one after the
other: the first makes the index from the database, the second reads the file that the first left. Each asks `registry.kin` for the kin of published models.
Exits with 1 when recall is below 0.95.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder: its inspect.py would stand in for the library's own module

import argparse
import hashlib
import json
import resource
import sqlite3
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint
from weighbridge.registry.kin import Kin, lineage_of
from weighbridge.registry.lineage.index import PLACES
from weighbridge.registry.lineage.keeping import packed_words
from weighbridge.registry.lineage.kept import Kept, Searched, kept
from weighbridge.registry.lineage.marks import pack_mark
from weighbridge.registry.store import open_store

SHARES = (0.01, 0.05, 0.1, 0.15, 0.2, 0.25)
NOW = "2026-01-01T12:00:00.000000Z"
_BATCH = 20_000


def flipped(words: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Return the words with each bit flipped with probability `share`."""
    bits = np.packbits(random.random((*words.shape, 64), dtype=np.float32) < share, axis=-1, bitorder="little")
    return words ^ bits.view("<u8")[..., 0]


def root(row: int) -> str:
    """Return the root digest of a synthetic model."""
    return "sha256:" + hashlib.sha256(f"model {row}".encode()).hexdigest()


def write(path: Path, count: int, queries: int) -> None:
    """Write a registry of `count` publications; the first model of each of `queries` families has three kin."""
    open_store(f"sqlite:///{path}").close()
    random = np.random.default_rng(1)
    words = random.integers(0, 2**64, (count, len(PLACES)), np.uint64)
    for number in range(queries):
        for child in (1, 2, 3):
            words[4 * number + child] = flipped(words[4 * number], SHARES[number % len(SHARES)], random)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for start in range(0, count, _BATCH):
            rows = range(start, min(start + _BATCH, count))
            publications, marks = [], []
            for row in rows:
                name = root(row)
                mark = Fingerprint(dict(zip(PLACES, words[row].tolist(), strict=True)))
                label = f"model {row}"
                publications.append((name, name, name, name, label, label, NOW, NOW, NOW, NOW, "s", True, "{}"))
                marks.append((name, name, row + 1, packed_words(mark), pack_mark(mark)))
            connection.executemany(
                "INSERT INTO publications (envelope, statement, dossier, root, label, label_key, weighed_at, made_at,"
                " valid_until, published_at, signer, signer_known, facts) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                publications,
            )
            connection.executemany("INSERT INTO marks (envelope, root, entry, words, mark) VALUES (?,?,?,?,?)", marks)
        line = json.dumps({"log": "0" * 32, "number": count})
        connection.execute("INSERT INTO audit (number, kind, line) VALUES (?, 'published', ?)", (count, line))


def ask(path: Path, queries: int) -> dict[str, object]:
    """Look for kin in a process of its own, and say what it took."""
    started = time.perf_counter()
    store = open_store(f"sqlite:///{path}", create=False)
    at = datetime.now(UTC)
    lineage_of(store, root(0), at)
    said: dict[str, object] = {"first search, s": round(time.perf_counter() - started, 2)}
    with store.reading() as connection:
        index = kept(connection)
    during = []
    for number in range(20):  # beside the making of the tables
        begun = time.perf_counter()
        lineage_of(store, root(4 * number), at)
        during.append(time.perf_counter() - begun)
    said["searches right after, ms"] = round(1e3 * float(np.median(during)), 1)
    index.settle()
    said["tables made and file written after, s"] = round(time.perf_counter() - started, 1)
    through: dict[str, list[float]] = {"index": [], "exact": []}
    only: dict[str, list[float]] = {"index": [], "exact": []}
    found: dict[str, list[set[str]]] = {"index": [], "exact": []}
    by_index = Kept.search

    def exactly(self: Kept, connection: object, mark: Fingerprint, most: int, farthest: float = 0.35) -> Searched:
        return Searched(tuple(self.index.search_exactly(mark, most, farthest)), len(self.index), 0)

    for way, search in (("index", by_index), ("exact", exactly)):
        Kept.search = search  # type: ignore[method-assign]
        for number in range(queries):
            begun = time.perf_counter()
            kin: tuple[Kin, ...] = lineage_of(store, root(4 * number), at).kin
            through[way].append(time.perf_counter() - begun)
            found[way].append({each.digest for each in kin if each.is_kin})
        with store.reading() as connection:
            for number in range(queries):
                mark = Fingerprint(_words(path, root(4 * number)))
                begun = time.perf_counter()
                search(index, connection, mark, 50)
                only[way].append(time.perf_counter() - begun)
    hits = sum(len(one & both) for one, both in zip(found["index"], found["exact"], strict=True))
    whole = sum(map(len, found["exact"]))
    said |= {"recall": hits / whole, "hits": hits, "of": whole}
    said["strangers"] = sum(
        bool(each - {root(4 * number + child) for child in (1, 2, 3)})
        for way in found.values()
        for number, each in enumerate(way)
    )
    for name, times in (("whole answer", through), ("search alone", only)):
        for way, taken in times.items():
            said[f"{name}, {way}, ms: mean, p99"] = [
                round(1e3 * float(np.mean(taken)), 2),
                round(1e3 * float(np.quantile(taken, 0.99)), 2),
            ]
        said[f"{name}, index to exact"] = round(float(np.mean(times["index"]) / np.mean(times["exact"])), 3)
    said["largest memory, GB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
    file = Path(f"{path}.lineage.npz")
    said["file, MB"] = round(file.stat().st_size / 1e6) if file.exists() else "none"
    store.close()
    return said


def _words(path: Path, name: str) -> dict[str, int]:
    with sqlite3.connect(path) as connection:
        (packed,) = connection.execute("SELECT words FROM marks WHERE root = ?", (name,)).fetchone()
    return dict(zip(PLACES, np.frombuffer(packed[:128], "<u8").tolist(), strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--db", type=Path, help="where the registry is written, and left")
    parser.add_argument("--ask", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.ask:
        print(json.dumps(ask(args.db, args.queries)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = args.db or Path(folder) / "registry.db"
        if not path.exists():
            started = time.perf_counter()
            write(path, args.count, args.queries)
            print(
                f"{args.count:,} publications written in {time.perf_counter() - started:.0f} s, {path.stat().st_size / 1e9:.2f} GB"
            )
        recall = 0.0
        for name in ("first start, no file", "restart"):
            again = [
                sys.executable,
                str(Path(__file__).resolve()),
                "--ask",
                "--db",
                str(path),
                "--queries",
                str(args.queries),
            ]
            said = json.loads(subprocess.run(again, check=True, stdout=subprocess.PIPE, text=True).stdout)
            print(f"\n{name}")
            for what, value in said.items():
                print(f"  {what}: {value}")
            recall = said["recall"]
    return 0 if recall >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
