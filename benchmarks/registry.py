"""What a look-up costs, and whether it grows with the registry: per second and the 99th percentile, with few rows and with many, in one run.

    python benchmarks/registry.py [--few 1000] [--many 100000] [--db POSTGRES_URL] [--look-ups 2000]

Rows are synthetic and go into the tables directly; each is a model of two files, signed by somebody known, with the facts of a small weighing.
Look-ups of the two take turns, a digest drawn at random each: by root and by file (both as a whole notice), by root as the service asks, and by 12 digits. Exits with 1 when
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
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, insert, select, text
from tests.dossier.statements import made

from weighbridge.digests import digest_bytes
from weighbridge.registry.audit import AuditEntry
from weighbridge.registry.lookup import candidates, notice_of
from weighbridge.registry.notices import facts_from
from weighbridge.registry.quick import notice_json
from weighbridge.registry.store import Store, connect, open_store
from weighbridge.registry.tables import audit, publications, weights

BATCH = 1_000
TOGETHER = 50_000  # in one transaction
TARGET = 3.0


def digest(*words: object) -> str:
    return "sha256:" + hashlib.sha256(repr(words).encode()).hexdigest()


def fill(store: Store, count: int) -> None:
    """Put synthetic rows in, with an audit log that follows from its beginning."""
    said = facts_from(made.record(), None, weight_files=2).model_dump_json()
    for begin in range(0, count, TOGETHER):
        with store.writing() as connection:
            if store.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA cache_size = -1000000")  # all indexes within memory while they grow
            line = connection.execute(select(audit.c.line).order_by(audit.c.number.desc()).limit(1)).scalar_one()
            for at in range(begin, min(begin + TOGETHER, count), BATCH):
                line = _put(connection, range(at, min(at + BATCH, count)), said, line)
    with store.writing() as connection:
        connection.execute(text("ANALYZE"))
    store.engine.dispose()


def _put(connection: Connection, numbers: range, said: str, line: str) -> str:
    """Put in a batch after the audit entry `line`; return the last entry."""
    times = {"weighed_at": made.NOW, "made_at": made.NOW, "published_at": made.NOW}
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
    last, rows = AuditEntry.model_validate_json(line), []
    for number in numbers:
        changes = {"number": last.number + 1, "at": max(made.NOW, last.at), "previous": digest_bytes(line.encode())}
        last = AuditEntry(
            **changes, log=last.log, kind="published", by="synthetic", subject=digest("root", number), of={}
        )
        line = last.line().decode()
        rows.append({"number": last.number, "kind": last.kind, "subject": last.subject, "line": line})
    connection.execute(insert(audit), rows)
    return line


def by_root(store: Store, number: int) -> None:
    with store.reading() as connection:
        assert notice_of(connection, digest("root", number), made.NOW).lacking == 0


def by_file(store: Store, number: int) -> None:
    with store.reading() as connection:
        assert notice_of(connection, digest("file", number, 1), made.NOW).entries


def by_prefix(store: Store, number: int) -> None:
    with store.reading() as connection:
        assert candidates(connection, digest("root", number)[: len("sha256:") + 12])


def as_served(store: Store, number: int) -> None:
    assert b'"lacking":0' in notice_json(store, digest("root", number), made.NOW)


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
    worst = compared(stores, sizes, given.look_ups)
    for store in stores:
        store.close()
    return 0 if worst <= TARGET else 1


def compared(stores: Sequence[Store], sizes: Sequence[int], look_ups: int) -> float:
    """Ask few and many in turns, in each way; return the worst ratio of the 99th percentiles."""
    chance, worst = random.Random(1), 0.0
    ways: tuple[Callable[[Store, int], None], ...] = (by_root, by_file, as_served, by_prefix)
    for way in ways:
        taken: list[list[float]] = [[], []]
        for round_ in range(look_ups + 50):
            for which, (store, size) in enumerate(zip(stores, sizes, strict=True)):
                number = chance.randrange(size)
                began = time.perf_counter()
                way(store, number)
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
    return worst


def empty_database(server: str, name: str) -> str:
    store = connect(server)
    with store.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    store.close()
    return server.rpartition("/")[0] + "/" + name


if __name__ == "__main__":
    sys.exit(main())
