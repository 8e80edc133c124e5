"""What a look-up by digest costs over HTTP, next to the same framework returning a constant; and 200 readers while dossiers are published.

    python benchmarks/service.py speed   [--db POSTGRES_URL] [--rows 100000] [--rounds 15]
    python benchmarks/service.py readers [--db POSTGRES_URL] [--rows 2000] [--seconds 60]
    python benchmarks/service.py size    [--db POSTGRES_URL] [--rows 1000000] [--few 1000] [--look-ups 3000]

`speed`: two servers on one core, `weighbridge serve` and a bare FastAPI application under uvicorn with the same loop and the same HTTP parser, take turns
of one second under the same client on the other core: a constant of two words, a constant as long as a notice, look-ups that the service has answered
before, and look-ups of digests that nobody asked for yet. Each round gives ratios, by answers a second and by the server's processor time for each answer;
the medians are printed. Exits with 1 when answers a second are less than half of the constant's of two words. Needs a quiet machine.

`readers`: 200 connections ask while dossiers are published over HTTP, in a process each. Every answer must be a notice of what was asked, and hold every
publication that was acknowledged before it was asked for. Exits with 1 when an answer is an error, or something is lost.

`size`: the library over few rows and over many, then two services over them, are asked in turns, digests at random. Exits with 1 when the many's 99th percentile
is more than 3 times the few's. A million rows take 6 GB in SQLite.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder: inspect.py in it would stand in for the library's own module `inspect`
sys.path.insert(0, __file__.rpartition("/benchmarks/")[0])  # for the tests' synthetic dossiers

import argparse
import asyncio
import http.client
import io
import json
import os
import random
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from benchmarks.registry import compared, digest, empty_database, fill
from sqlalchemy import func, select
from tests.dossier.statements import made
from tests.registry.databases import model, signed

from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.tokens import make_token
from weighbridge.registry.accounts.users import add_user
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.notices import Notice
from weighbridge.registry.publishing import trust
from weighbridge.registry.quick import notice_json
from weighbridge.registry.store import open_store
from weighbridge.registry.tables import publications

TARGET = 0.5
CONNECTIONS = 16
SERVER_CORE, CLIENT_CORE = 0, 1


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


BARE_PORT, PORT = free_port(), free_port()

_BARE = """
import sys
import uvicorn
from fastapi import FastAPI, Response
app = FastAPI(openapi_url=None)
long = b" " * int(sys.argv[2])
@app.get("/short")
async def short() -> dict[str, str]:
    return {"answer": "met"}
@app.get("/long")
async def same_length() -> Response:
    return Response(long, media_type="application/json")
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, loop="uvloop", http="httptools")
"""


Asked = Callable[[], tuple[str, bytes]]


class Connection(asyncio.Protocol):
    """Asks one thing after the other on one connection. `asked` gives the next path and what must be in the answer, `answered` gets each body."""

    def __init__(self, asked: Asked, answered: Callable[[bytes], None], host: str) -> None:
        self._asked, self._answered = asked, answered
        self._tail = f" HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._got = bytearray()
        self._path, self._expected = "", b""
        self.is_over = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._got[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._got) < end + 4 + length:
            return
        body = bytes(self._got[end + 4 :])
        self._got.clear()
        if not head.startswith(b"http/1.1 200") or self._expected not in body:
            self.ended.set_exception(AssertionError(f"{self._path}: {head[:12]!r} {body[:300]!r}"))
            self._transport.abort()
            return
        self._answered(body)
        if self.is_over:
            self._transport.close()
            self.ended.set_result(None)
        else:
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(AssertionError(f"{self._path}: the connection broke"))

    def _ask(self) -> None:
        self._path, self._expected = self._asked()
        self._transport.write(b"GET " + self._path.encode() + self._tail)


async def load(
    port: int,
    asked: Asked,
    *,
    seconds: float,
    connections: int = CONNECTIONS,
    answered: Callable[[bytes], None] | None = None,
) -> int:
    """Ask on so many connections for so long; return how many answers came. Raises `AssertionError` at one that is no 200."""
    count = 0

    def counted(body: bytes) -> None:
        nonlocal count
        count += 1
        if answered is not None:
            answered(body)

    loop = asyncio.get_running_loop()
    made = []
    for _ in range(connections):
        made.append(
            (await loop.create_connection(lambda: Connection(asked, counted, "127.0.0.1"), "127.0.0.1", port))[1]
        )
    await asyncio.wait([each.ended for each in made], timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for each in made:
        each.is_over = True
    await asyncio.gather(*(each.ended for each in made))
    return count


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int

    def processor_s(self) -> float:
        """Return the processor time that it has used, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(command: list[str], port: int, path: str) -> Iterator[Server]:
    """Yield a server once it answers at `path`, on its own core."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE})
    )
    try:
        for _ in range(600):
            try:
                asyncio.run(load(port, lambda: (path, b""), seconds=0, connections=1))
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit(f"the server ended: {command}") from None
                time.sleep(0.1)
        yield Server(process, port)
    finally:
        process.kill()
        process.wait()


def weighbridge_serve(url: str, port: int) -> list[str]:
    return [sys.executable, "-m", "weighbridge", "serve", "--db", url, "--port", str(port)]


@dataclass
class Taken:
    """Of one way, in each round: answers a second, and the server's processor time for each answer."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)


def speed(given: argparse.Namespace, url: str) -> int:
    store = open_store(url)
    fill(store, given.rows)
    length = len(notice_json(store, digest("root", 0), store.clock()))
    store.close()
    chance = random.Random(1)
    unasked = list(range(given.rows))
    chance.shuffle(unasked)
    known = [f"/api/v1/notices/{digest('root', unasked.pop())[7:]}" for _ in range(1_000)]
    fresh = (f"/api/v1/notices/{digest('root', number)[7:]}" for number in unasked)
    ways: dict[str, Asked] = {
        "constant": lambda: ("/short", b""),
        "constant, as long": lambda: ("/long", b""),
        "asked before": lambda: (chance.choice(known), b""),
        "not asked before": lambda: (next(fresh), b""),
    }
    os.sched_setaffinity(0, {CLIENT_CORE})
    taken = {way: Taken() for way in ways}
    with (
        running([sys.executable, "-c", _BARE, str(BARE_PORT), str(length)], BARE_PORT, "/short") as bare,
        running(weighbridge_serve(url, PORT), PORT, "/healthz") as ours,
    ):
        for path in known:
            asyncio.run(load(ours.port, lambda path=path: (path, b""), seconds=0, connections=1))
        for _ in range(given.rounds):
            for way in chance.sample(list(ways), len(ways)):
                server = bare if way.startswith("constant") else ours
                before, began = server.processor_s(), time.perf_counter()
                count = asyncio.run(load(server.port, ways[way], seconds=given.seconds))
                taken[way].rates.append(count / (time.perf_counter() - began))
                taken[way].costs.append((server.processor_s() - before) / count)
    worst = 1.0
    for way in ("constant, as long", "asked before", "not asked before"):
        for against in ("constant", "constant, as long"):
            if way == against:
                continue
            ratio = _ratio(taken[way].rates, taken[against].rates)
            cost = _ratio(taken[against].costs, taken[way].costs)
            print(f"{way:18} to {against:18}  answers a second {_told(ratio)}   processor time {_told(cost)}")
            if against == "constant" and way != "constant, as long":
                worst = min(worst, statistics.median(ratio))
    return 0 if worst >= TARGET else 1


def _ratio(some: list[float], others: list[float]) -> list[float]:
    return [one / other for one, other in zip(some, others, strict=True)]


def _told(ratios: list[float]) -> str:
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} (quartiles {low:.2f} to {high:.2f})"


def readers(given: argparse.Namespace, url: str, folder: Path) -> int:
    store, key = open_store(url), made.ed25519_key()
    fill(store, given.rows)
    trust(store, key.public, name="Evaluator", by="benchmark")
    with store.writing() as connection:
        now = store.clock()
        add_user(connection, now, "ada", Role.TESTER, by="benchmark")
        token = make_token(
            connection, now, "ada", name="benchmark", role=Role.TESTER, lasts=timedelta(days=1), by="benchmark"
        )
    archives = []
    for number in range(given.dossiers):
        upload = signed(folder / f"dossier-{number}", key, model(f"model {number}"), now=now)
        archives.append((model(f"model {number}").digest or "", packed(upload.files)))
    stored = [(f"/api/v1/notices/{digest('root', number)[7:]}", b'"entries":[{') for number in range(given.rows)]
    acknowledged: list[tuple[str, bytes]] = []
    is_over, checked = threading.Event(), 0

    def publish_all() -> None:
        for root, archive in archives:
            answer = urllib.request.urlopen(
                urllib.request.Request(
                    f"http://127.0.0.1:{PORT}/api/v1/publications",
                    archive,
                    {"Content-Type": "application/zip", "Authorization": f"Bearer {token}"},
                )
            )
            publication = json.loads(answer.read())["publication"].encode()
            acknowledged.append((f"/api/v1/notices/{root[7:]}", b'"publication":"' + publication + b'"'))
            if is_over.wait(given.seconds / len(archives)):
                return

    def asked() -> tuple[str, bytes]:
        return random.choice(acknowledged if acknowledged and random.random() < 0.5 else stored)

    def answered(body: bytes) -> None:
        nonlocal checked
        if random.random() < 0.02:  # reading all of them would slow the asking down
            Notice.model_validate_json(body)
            checked += 1

    with running(weighbridge_serve(url, PORT), PORT, "/healthz"):
        publisher = threading.Thread(target=publish_all)
        publisher.start()
        count = asyncio.run(load(PORT, asked, seconds=given.seconds, connections=200, answered=answered))
        is_over.set()
        publisher.join()
    with store.reading() as connection:
        held = connection.execute(select(func.count()).select_from(publications)).scalar()
        verify_audit(connection)
    store.close()
    print(
        f"{count:,} answers to 200 readers, no error; {checked:,} read as notices; {len(acknowledged)} dossiers published meanwhile"
    )
    if held != given.rows + len(acknowledged):
        print(f"{given.rows + len(acknowledged):,} were acknowledged and {held:,} are there")
        return 1
    return 0


def size(given: argparse.Namespace, places: Sequence[str]) -> int:
    sizes = (given.few, given.rows)
    stores = [open_store(place) for place in places]
    for store, rows in zip(stores, sizes, strict=True):
        fill(store, rows)
        print(f"{rows:,} publications put in", flush=True)
    worst = compared(stores, sizes, given.look_ups)
    for store in stores:
        store.close()
    chance, taken = random.Random(1), ([], [])
    os.sched_setaffinity(0, {CLIENT_CORE})
    with (
        running(weighbridge_serve(places[0], BARE_PORT), BARE_PORT, "/healthz"),
        running(weighbridge_serve(places[1], PORT), PORT, "/healthz"),
    ):
        lines = [http.client.HTTPConnection("127.0.0.1", port) for port in (BARE_PORT, PORT)]
        for turn in range(given.look_ups + 50):
            for line, rows, times in zip(lines, sizes, taken, strict=True):
                path = f"/api/v1/notices/{digest('root', chance.randrange(rows))[7:]}"
                began = time.perf_counter()
                line.request("GET", path)
                body = line.getresponse().read()
                lasted = time.perf_counter() - began
                assert b'"lacking":0' in body, body[:300]
                if turn >= 50:  # the first ones fill caches
                    times.append(lasted)
    tails = [statistics.quantiles(times, n=100)[98] for times in taken]
    middle = statistics.median(taken[1]) / statistics.median(taken[0])
    print(f"over HTTP, {sizes[1]:,} to {sizes[0]:,}: median {middle:.2f}, p99 {tails[1] / tails[0]:.2f}")
    return 0 if max(worst, tails[1] / tails[0]) <= 3 else 1


def packed(files: dict[str, bytes]) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return into.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "readers", "size"])
    parser.add_argument("--db", help="PostgreSQL's URL: databases are made there; without it, SQLite")
    parser.add_argument("--rows", type=int, help="default: 100,000, 2,000 or 1,000,000")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, help="of a turn, or of reading")
    parser.add_argument("--dossiers", type=int, default=40)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--look-ups", type=int, default=3_000)
    given = parser.parse_args()
    given.rows = given.rows or {"speed": 100_000, "readers": 2_000, "size": 1_000_000}[given.what]
    given.seconds = given.seconds or (1.0 if given.what == "speed" else 60.0)
    with tempfile.TemporaryDirectory() as folder:
        names = ("few", "many") if given.what == "size" else ("service",)
        if given.db:
            places = [empty_database(given.db, name) for name in names]
        else:
            places = [f"sqlite:///{Path(folder) / f'{name}.db'}" for name in names]
        if given.what == "size":
            return size(given, places)
        return speed(given, places[0]) if given.what == "speed" else readers(given, places[0], Path(folder))


if __name__ == "__main__":
    sys.exit(main())
