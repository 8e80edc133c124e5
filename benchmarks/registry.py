"""What a look-up costs, and whether it grows with the registry: per second and the 99th percentile, with few rows and with many, in one run.

    python benchmarks/registry.py [--few 1000] [--many 100000] [--db POSTGRES_URL] [--look-ups 2000]

Rows are synthetic and go into the tables directly; each is a model of two files, signed by somebody known, with the facts of a small weighing.
Look-ups of the two take turns, a digest drawn at random each: by root, by file (both as a whole notice), and by 12 digits. Exits with 1 when
the many's 99th percentile is more than 3 times the few's.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder: inspect.py in it would stand in for the library's own module `inspect`
sys.path.insert(0, __file__.rpartition("/benchmarks/")[0])  # for the tests' synthetic dossiers

import argparse
import hashlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, insert, text
from tests.dossier.statements import made

from weighbridge.registry.audit import note
from weighbridge.registry.lookup import candidates, notice_of
from weighbridge.registry.notices import facts_from
from weighbridge.registry.store import Store, connect, open_store
from weighbridge.registry.tables import publications, weights

BATCH = 1_000
TARGET = 3.0


def digest(*words: object) -> str:
    return "sha256:" + hashlib.sha256(repr(words).encode()).hexdigest()


def fill(store: Store, count: int) -> None:
    """Put synthetic rows in."""
    said = facts_from(made.record(), None, weight_files=2).model_dump_json()
    times = {"weighed_at": made.NOW, "made_at": made.NOW, "published_at": made.NOW}
    for begin in range(0, count, BATCH):
        numbers = range(begin, min(begin + BATCH, count))
        with store.writing() as connection:
            connection.execute(
                insert(publications),
                [
                    {
                        **times,
                        "envelope": digest("envelope", number),
                        "statement": digest("statement", number),
                        "dossier": digest("dossier", number),
                        "root": digest("root", number),
                        "label": f"model {number}",
                        "valid_until": made.NOW + timedelta(days=100),
                        "signer": "synthetic",
                        "signer_known": True,
                        "facts": said,
                    }
                    for number in numbers
                ],
            )
            connection.execute(
                insert(weights),
                [
                    {"digest": digest("file", number, which), "envelope": digest("envelope", number)}
                    for number in numbers
                    for which in range(2)
                ],
            )
            for number in numbers:
                note(connection, made.NOW, "published", "synthetic", digest("root", number), {})
    with store.writing() as connection:
        connection.execute(text("ANALYZE"))


def by_root(connection: Connection, number: int) -> None:
    assert notice_of(connection, digest("root", number), made.NOW).lacking == 0


def by_file(connection: Connection, number: int) -> None:
    assert notice_of(connection, digest("file", number, 1), made.NOW).entries


def by_prefix(connection: Connection, number: int) -> None:
    assert candidates(connection, digest("root", number)[: len("sha256:") + 12])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--look-ups", type=int, default=2_000)
    parser.add_argument("--db", help="PostgreSQL's URL: two databases are made there; without it, SQLite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.db:
            return measured(given, [empty_database(given.db, f"registry_{size}") for size in (given.few, given.many)])
        return measured(given, [f"sqlite:///{Path(folder) / f'{size}.db'}" for size in (given.few, given.many)])


def measured(given: argparse.Namespace, places: list[str]) -> int:
    sizes = (given.few, given.many)
    stores = [open_store(place) for place in places]
    for store, size in zip(stores, sizes, strict=True):
        began = time.perf_counter()
        fill(store, size)
        print(f"{size:,} publications put in, {time.perf_counter() - began:.0f} s", flush=True)
    chance, worst = random.Random(1), 0.0
    ways: tuple[Callable[[Connection, int], None], ...] = (by_root, by_file, by_prefix)
    for way in ways:
        taken: list[list[float]] = [[], []]
        for round_ in range(given.look_ups + 50):
            for which, (store, size) in enumerate(zip(stores, sizes, strict=True)):
                number = chance.randrange(size)
                began = time.perf_counter()
                with store.reading() as connection:
                    way(connection, number)
                if round_ >= 50:  # the first ones fill caches
                    taken[which].append(time.perf_counter() - began)
        tail = [statistics.quantiles(each, n=100)[98] for each in taken]
        for size, each, p99 in zip(sizes, taken, tail, strict=True):
            rate = 1 / statistics.fmean(each)
            print(
                f"{way.__name__:9}  {size:>9,} publications  {rate:6.0f}/s"
                f"  median {statistics.median(each) * 1e3:5.2f} ms  p99 {p99 * 1e3:5.2f} ms"
            )
        worst = max(worst, tail[1] / tail[0])
        middle = statistics.median(taken[1]) / statistics.median(taken[0])
        print(f"{way.__name__:9}  many to few: median {middle:.2f}, p99 {tail[1] / tail[0]:.2f}", flush=True)
    for store in stores:
        store.close()
    return 0 if worst <= TARGET else 1


def empty_database(server: str, name: str) -> str:
    store = connect(server)
    with store.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    store.close()
    return server.rpartition("/")[0] + "/" + name


if __name__ == "__main__":
    sys.exit(main())
