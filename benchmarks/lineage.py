"""What searching the lineage index costs next to comparing with every fingerprint, in one run, and what it misses.

    python benchmarks/lineage.py [--count 1000000] [--queries 200]

Synthetic fingerprints: families of four (a parent's random words, each bit of a child flipped with a share between 0 and 0.25), the
rest strangers; one model in ten lacks some places. A query is a further child. Recall: of all that exact search finds, the share that the index finds too. Exits with 1 when
recall is below 0.95.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder: its inspect.py would stand in for the library's own module

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint
from weighbridge.registry.lineage.index import PLACES, Index

SHARES = (0.01, 0.05, 0.1, 0.15, 0.2, 0.25)


def flipped(words: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Return the words with each bit flipped with probability `share`."""
    bits = np.packbits(random.random((*words.shape, 64), dtype=np.float32) < share, axis=-1, bitorder="little")
    return words ^ bits.view("<u8")[..., 0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    args = parser.parse_args()
    random = np.random.default_rng(1)
    words = random.integers(0, 2**64, (args.count, len(PLACES)), np.uint64)
    parents = np.arange(args.queries) * 4
    for child in (1, 2, 3):
        for row, share in zip(parents, np.resize(SHARES, len(parents)), strict=True):
            words[row + child] = flipped(words[row], share, random)
    has = np.ones(words.shape, np.bool_)
    lacking = random.random(args.count) < 0.1
    has[lacking] = random.random((int(lacking.sum()), len(PLACES))) < 0.8
    words[~has] = 0

    index = Index()
    started = time.perf_counter()
    index.add_rows([str(row) for row in range(args.count)], words, has)
    print(f"{args.count:,} fingerprints indexed in {time.perf_counter() - started:.1f} s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.npz"
        index.save(path)
        started = time.perf_counter()
        size, loaded = path.stat().st_size, Index.load(path)
        print(f"saved: {size / 1e6:.0f} MB; loaded in {time.perf_counter() - started:.1f} s: {len(loaded):,}")
        del loaded

    both = found_by_index = false = 0
    by_share: dict[float, list[int]] = {share: [0, 0] for share in SHARES}
    times = {"index": 0.0, "exact": 0.0}
    for number, row in enumerate(parents):
        share = SHARES[number % len(SHARES)]
        query = Fingerprint(dict(zip(PLACES, flipped(words[row], share, random).tolist(), strict=True)))
        started = time.perf_counter()
        fast = {near.name for near in index.search(query)}
        times["index"] += time.perf_counter() - started
        started = time.perf_counter()
        exact = {near.name for near in index.search_exactly(query)}
        times["exact"] += time.perf_counter() - started
        both += len(exact)
        found_by_index += len(fast & exact)
        by_share[share][0] += len(fast & exact)
        by_share[share][1] += len(exact)
        false += sum(not row <= int(name) <= row + 3 for name in fast | exact)
    recall = found_by_index / both
    print(f"recall against exact search: {recall:.4f} ({found_by_index} of {both}); strangers returned: {false}")
    for share, (hits, whole) in by_share.items():
        print(f"  query moved by {share}: {hits} of {whole}")
    print(
        f"index {times['index'] / args.queries * 1e3:.2f} ms a query, exact {times['exact'] / args.queries * 1e3:.1f} ms"
    )
    print(f"time of index to exact: {times['index'] / times['exact']:.4f}")
    print(f"largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    return 0 if recall >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
