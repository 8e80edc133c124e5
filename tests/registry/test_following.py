"""Followers: one row each in the transaction of a publication, sent at least once, signed, to public addresses only, through kills and failures."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.findings.built import NEW, OLD, finding
from tests.registry.databases import NOW, Clock, opened
from tests.registry.test_disclosing import FINDER, MAINTAINER, NOBODY, OTHER_TESTER, Somebody, held
from weighbridge.errors import UsageError
from weighbridge.findings.advisory import Advisory
from weighbridge.registry.backup import back_up, restore
from weighbridge.registry.disclosing import outbox
from weighbridge.registry.disclosing.addresses import (
    AddressRefused,
    PublicResolver,
    checked_url,
    is_allowed,
    refuse_literal,
)
from weighbridge.registry.disclosing.advisories import advisory_from, advisory_seen, save_advisory
from weighbridge.registry.disclosing.delivery import deliver_due, signed_headers
from weighbridge.registry.disclosing.findings import make_public, save_finding
from weighbridge.registry.disclosing.following import delivery_log, end, follow, followed
from weighbridge.registry.disclosing.readers import NotAllowed, NotThere
from weighbridge.registry.store import Store
from weighbridge.registry.tables import findings as tables

ORIGIN = "https://weighbridge.example"


@dataclass
class Receiver:
    """Somebody's hook, on loopback. `answers`: statuses to answer with, the last one for good. `kills`: it kills the process `sender` and answers nothing."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    kills: bool = False
    sender: int = 0
    may_answer: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiving() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if found.kills:
                found.may_answer.wait(60)
                os.kill(found.sender, signal.SIGKILL)
                return
            status = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", found.url + "/elsewhere")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


BOTH = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


@pytest.fixture
def kind() -> str:
    """On SQLite, but for what stands on how a database keeps servers apart."""
    return "sqlite"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def begin(
    store: Store, url: str, follows: str = "all", subject: str = "", reader: Somebody = FINDER
) -> tuple[str, str]:
    found, secret = follow(store, follows=follows, subject=subject, url=url, reader=reader, allows_loopback=True)
    return found.id, secret


def deliver(store: Store) -> int:
    return asyncio.run(deliver_due(store, origin=ORIGIN, allows_loopback=True))


def published(store: Store, **changed: Any) -> Advisory:
    """An advisory of one public finding, saved."""
    handle = save_finding(store, finding(**changed), by="finder").handle
    with store.reading() as connection:
        made = advisory_from(connection, [handle], publisher="us", reader=MAINTAINER, at=store.clock())
    save_advisory(store, made, reader=MAINTAINER)
    return made


def rows(store: Store) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(tables.outbox)).all())


def test_a_signature_is_that_of_the_published_example() -> None:
    """The example in the documents of Standard Webhooks' reference libraries."""
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}', at
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@BOTH
def test_whoever_follows_is_told_once_of_each_version_and_can_check_who_says_so(
    store: Store, receiver: Receiver
) -> None:
    """By digest and of everything, not of another digest, nor of what was there before; signed with the secret that was shown once."""
    before = published(store, id="before")
    by_digest, secret = begin(store, receiver.url, "digest", OLD)
    begin(store, receiver.url, "all", reader=OTHER_TESTER)
    begin(store, receiver.url, "digest", NEW)
    made = published(store)
    assert deliver(store) == 2 and deliver(store) == 0
    assert {json.loads(body)["data"]["advisory"] for _, body in receiver.got} == {made.id} != {before.id}
    [(headers, body)] = [each for each in receiver.got if json.loads(each[1])["data"]["because"] == "listed"]
    said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    data = json.loads(body)["data"]
    assert (data["status"], data["url"]) == ("affected", f"{ORIGIN}/advisories/{made.id}")
    newer = made.model_copy(update={"modified_at": made.modified_at + timedelta(seconds=1), "summary": "More."})
    save_advisory(store, newer, reader=MAINTAINER)
    save_advisory(store, newer, reader=MAINTAINER)
    assert deliver(store) == 2
    with store.reading() as connection:
        _, sent = delivery_log(connection, by_digest, FINDER)
        assert sorted((each.version, each.state, [one.outcome for one in each.attempts]) for each in sent) == [
            (1, "delivered", ["answered 204"]),
            (2, "delivered", ["answered 204"]),
        ]
        with pytest.raises(NotThere):
            delivery_log(connection, by_digest, OTHER_TESTER)


@BOTH
def test_an_advisory_under_embargo_is_told_when_its_day_comes_and_by_nobodys_hand(
    store: Store, clock: Clock, receiver: Receiver
) -> None:
    """Before it nothing is written at all; on the day a sweep writes one row a follower, however often and wherever it runs."""
    begin(store, receiver.url)
    handle = save_finding(store, held(), by="finder").handle
    with store.reading() as connection:
        made = advisory_from(connection, [handle], publisher="us", reader=MAINTAINER, at=NOW)
    save_advisory(store, made, reader=MAINTAINER)
    assert deliver(store) == 0 and rows(store) == []
    clock.now = NOW + timedelta(days=30)
    with opened(str(store.engine.url.render_as_string(hide_password=False)), clock) as other:
        assert sorted([outbox.sweep(other), outbox.sweep(store), outbox.sweep(other)]) == [0, 0, 1]
    assert deliver(store) == 1
    assert json.loads(receiver.got[0][1])["data"]["modified"].startswith("2026-12-26")


def test_making_the_last_finding_public_tells_followers_in_that_transaction(store: Store, receiver: Receiver) -> None:
    begin(store, receiver.url)
    handle = save_finding(store, held(), by="finder").handle
    with store.reading() as connection:
        made = advisory_from(connection, [handle], publisher="us", reader=MAINTAINER, at=NOW)
    save_advisory(store, made, reader=MAINTAINER)
    make_public(store, handle, reader=FINDER)
    assert len(rows(store)) == 1


def test_what_fails_is_sent_again_by_the_same_id_later_each_time_and_given_up_after_three_days(
    store: Store, clock: Clock, receiver: Receiver
) -> None:
    """A redirection counts as a failure and is not followed."""
    receiver.answers = [500, 302, 503]
    follower, _ = begin(store, receiver.url)
    published(store)
    times = []
    while rows(store)[0].state == "waiting":
        assert deliver(store) == 1
        times.append(clock.now)
        clock.now = rows(store)[0].due_at
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == len(times)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == sorted(gaps) and gaps[0] == timedelta(seconds=5)
    assert timedelta(days=2.5) < times[-1] - NOW <= timedelta(days=3)
    with store.reading() as connection:
        _, [sent] = delivery_log(connection, follower, FINDER)
    assert (sent.state, len(sent.attempts)) == ("given up", len(times))


@BOTH
def test_a_server_that_dies_with_a_message_in_hand_loses_nothing_and_two_do_not_send_at_once(
    store: Store, clock: Clock, receiver: Receiver
) -> None:
    """What one has claimed the other is not given, until the lease ends; then it is sent with the same id; what the first notes late is ignored."""
    begin(store, receiver.url)
    published(store)
    [first] = outbox.claim(store)
    assert outbox.claim(store) == [] and deliver(store) == 0
    clock.now = NOW + outbox.LEASE
    assert deliver(store) == 1
    assert receiver.got[0][0]["webhook-id"] == first.message
    outbox.note_outcome(store, first, delivered=False, outcome="late")
    assert [(each.state, each.attempts) for each in rows(store)] == [("delivered", 1)]


def test_what_is_noted_after_the_lease_counts_for_nothing_while_another_sends(store: Store, clock: Clock) -> None:
    """The first neither ends the second's lease nor takes its place in the log."""
    begin(store, "http://127.0.0.1:1/")
    published(store)
    [first] = outbox.claim(store)
    clock.now = NOW + outbox.LEASE
    [second] = outbox.claim(store)
    outbox.note_outcome(store, first, delivered=True, outcome="late")
    assert outbox.claim(store) == [] and rows(store)[0].state == "waiting"
    outbox.note_outcome(store, second, delivered=True, outcome="answered 200")
    assert [(each.state, each.attempts) for each in rows(store)] == [("delivered", 1)]


def test_a_receiver_that_is_gone_ends_following_and_an_owner_can(store: Store, receiver: Receiver) -> None:
    receiver.answers = [410]
    gone, _ = begin(store, receiver.url)
    other, _ = begin(store, receiver.url, "digest", OLD)
    end(store, other, reader=FINDER)
    with pytest.raises(NotThere):
        end(store, gone, reader=OTHER_TESTER)
    published(store)
    assert deliver(store) == 1
    with store.reading() as connection:
        assert {each.ended_because for each in followed(connection, FINDER)} == {
            "the receiver wants no more",
            "its owner ended it",
        }
    with pytest.raises(NotAllowed):
        begin(store, receiver.url, reader=NOBODY)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
        "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "::10.0.0.1",
        "64:ff9b:1::1", "2001:db8::1", "192.0.2.1", "198.18.0.1", "240.0.0.1",
    ],
)  # fmt: skip
def test_nothing_is_sent_to_an_address_that_only_this_machine_can_reach(address: str) -> None:
    assert not is_allowed(ip_address(address), allows_loopback=False)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(UsageError):
        checked_url(f"https://{host}/hook", allows_loopback=False)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "https://a:b@example.org/", "https://example.org:0/", "https://example.org:99999/", "ftp://example.org/",
     "https://example.org/#a", "https:///x", "https://exa mple.org/", "https://example.org\\@10.0.0.1/", "//example.org/", "https://[::1/", "http://localhost/",
     "https://example.org/" + "a" * 500, "https://exämple.org/"],
)  # fmt: skip
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        checked_url(url, allows_loopback=False)


def test_a_name_that_leads_inside_is_refused_when_it_is_used_also_when_only_one_of_its_addresses_does(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was public when it was given, and is not when something is sent (DNS rebinding)."""
    places = ["8.8.8.8", "127.0.0.1"]

    async def lookup(*args: Any, **kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in places]

    async def resolved() -> list[str]:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
        return [each["host"] for each in await PublicResolver(allows_loopback=False).resolve("example.org", 443)]

    with pytest.raises(AddressRefused):
        asyncio.run(resolved())
    places.remove("127.0.0.1")
    assert asyncio.run(resolved()) == ["8.8.8.8"]


def test_a_name_that_leads_inside_is_never_connected_to(store: Store) -> None:
    """`localhost` over TLS passes as a name; what is sent is refused, and the log says so without an address."""
    with receiving() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        found, _ = follow(store, follows="all", subject="", url=f"https://localhost:{port}/", reader=FINDER)
        published(store)
        assert asyncio.run(deliver_due(store, origin=ORIGIN)) == 1
        assert receiver.got == []
    with store.reading() as connection:
        _, [sent] = delivery_log(connection, found.id, FINDER)
    assert [each.outcome for each in sent.attempts] == ["not sent: the address is not a public one"]


@BOTH
def test_kill_9_while_a_message_is_on_its_way_loses_nothing(store: Store, url: str, clock: Clock) -> None:
    """The receiver has it, the sender dies before it can note that: after the lease another server sends the same message again."""
    with receiving() as receiver:
        begin(store, receiver.url)
        published(store)
        receiver.kills = True
        with subprocess.Popen([sys.executable, "-c", SENDER, url, ORIGIN]) as sender:
            receiver.sender = sender.pid
            receiver.may_answer.set()
            assert sender.wait(60) == -signal.SIGKILL
        receiver.kills = False
        [row] = rows(store)
        assert (row.state, row.attempts) == ("waiting", 0) and deliver(store) == 0
        clock.now = NOW + outbox.LEASE
        assert deliver(store) == 1
        first, second = receiver.got
        assert first[0]["webhook-id"] == second[0]["webhook-id"] and first[1] == second[1]
        assert rows(store)[0].state == "delivered"


SENDER = """
import asyncio, sys
from tests.registry.databases import Clock
from weighbridge.registry.disclosing.delivery import deliver_due
from weighbridge.registry.store import open_store
store = open_store(sys.argv[1], clock=Clock())
asyncio.run(deliver_due(store, origin=sys.argv[2], allows_loopback=True))
"""


@BOTH
def test_of_two_servers_each_message_is_given_to_one(store: Store, url: str) -> None:
    """Both ask at the same moment, again and again: nobody is given what the other has."""
    for number in range(30):
        begin(store, f"http://127.0.0.1:1/{number}")
    published(store)
    with opened(url) as other, ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(outbox.claim, each, limit=3) for each in (store, other) * 8]
        given = [each.message for one in asked for each in one.result()]
    assert len(given) == len(set(given)) == 30


def test_a_backup_keeps_followers_and_what_waits_for_them(store: Store, tmp_path: Path, receiver: Receiver) -> None:
    """Restored elsewhere, the same message goes out, signed with the same secret."""
    begin(store, receiver.url)
    made = published(store)
    back_up(store, tmp_path / "backup")
    restore(tmp_path / "backup", f"sqlite:///{tmp_path / 'other.db'}")
    with opened(f"sqlite:///{tmp_path / 'other.db'}") as other:
        assert deliver(other) == 1 and deliver(store) == 1
        with other.reading() as connection:
            assert advisory_seen(connection, made.id, NOBODY, NOW).version == 1
    (first, _), (second, _) = receiver.got
    assert first["webhook-id"] == second["webhook-id"] and first["webhook-signature"] == second["webhook-signature"]


@pytest.mark.parametrize("host", ["127.1", "2130706433", "10.1", "0", "127.0.0.1."])
def test_an_address_in_a_short_form_is_no_name_that_is_looked_up(host: str) -> None:
    """The client takes digits and dots for an address and asks no resolver, so the rule must hold before."""
    with pytest.raises(UsageError):
        checked_url(f"https://{host}/hook", allows_loopback=False)
    with pytest.raises(AddressRefused):
        refuse_literal(f"https://{host}/hook", allows_loopback=False)
