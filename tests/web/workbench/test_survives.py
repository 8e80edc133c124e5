"""A conversation outlives what goes wrong around it: a kill, a restart, a second service, a database that is gone for a while. On both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from tests.fakes.endpoint import Behaviour, FakeEndpoint
from tests.fakes.streaming import Seen, in_turn, streams
from tests.registry.databases import empty_place
from tests.web.conftest import ORIGIN
from tests.web.doors import SaidDoor
from tests.web.serving import Served, serving
from tests.web.workbench.conftest import WORDS, Chat, chatting, read_events
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.tokens import make_token
from weighbridge.registry.accounts.users import add_user
from weighbridge.registry.conversations import LEASE, SideState, turns_of
from weighbridge.registry.problems import RegistryError
from weighbridge.registry.store import Store, open_store
from weighbridge.registry.tables.workbench import sides
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site
from weighbridge.web.workbench.asking import Workbench


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> Iterator[str]:
    with empty_place(kind, tmp_path) as place:
        yield place


def endless(seen: Seen | None = None) -> Behaviour:
    return streams(lambda call: (f"word{number} " for number in range(100_000)), gap_s=0.02, seen=seen)


class Program:
    """A program with a token at a real service."""

    def __init__(self, served: Served, token: str) -> None:
        self.client = httpx.Client(
            base_url=served.origin, headers={"authorization": f"Bearer {token}", "accept": "text/html"}
        )

    def text(self, path: str) -> str:
        found = self.client.get(path)
        assert found.status_code == 200, found.text
        return found.text

    def post(self, path: str, **form: str) -> str:
        found = self.client.post(path, data=form)
        assert found.status_code == 303, found.text
        return found.headers["location"].partition("#")[0]


def a_testers_token(url: str) -> str:
    store = open_store(url)
    try:
        with store.writing() as connection:
            now = store.clock()
            add_user(connection, now, "ada", Role.TESTER, by="test")
            return make_token(
                connection, now, "ada", name="test", role=Role.TESTER, lasts=timedelta(days=1), by="ada"
            )  # fmt: skip
    finally:
        store.close()


def test_kill_9_in_mid_answer_leaves_the_text_interrupted_and_it_is_asked_again_after_a_restart(
    url: str, tmp_path: Path
) -> None:
    token, seen = a_testers_token(url), Seen()
    behave = in_turn(endless(seen), streams(["All of it."]))
    with FakeEndpoint(then=behave).in_thread() as one, FakeEndpoint(then=WORDS).in_thread() as other:
        models = ("--model", one.reference, "--model", other.reference)
        with serving(url, tmp_path, *models) as served:
            program = Program(served, token)
            keys = [line.split('"')[1] for line in program.text("/workbench").split("<option value=")[1:3]]
            place = program.post("/workbench/conversations", candidate=keys[0], baseline=keys[1])
            program.post(f"{place}/turns", text="Hello", how="api")
            until = time.monotonic() + 20
            while "word9 " not in program.text(place) and time.monotonic() < until:
                time.sleep(0.1)
            served.kill()
        while not seen.left and time.monotonic() < until:
            time.sleep(0.02)
        assert seen.left == 1, "the model stops when its service is gone"
        store = open_store(url)
        with store.writing() as connection:  # time passes
            connection.execute(update(sides).values(beat_at=store.clock() - LEASE - timedelta(seconds=1)))
        with store.reading() as connection:
            [turn] = turns_of(connection, store.clock(), place.rpartition("/")[2])
        store.close()
        first, second = turn.sides
        assert first.state is SideState.INTERRUPTED and "word9 " in first.text
        assert second.state is SideState.ANSWERED
        with serving(url, tmp_path, *models) as served:
            program = Program(served, token)
            page = program.text(place)
            assert "word0 word1" in page and "Interrupted." in page and "http-equiv" not in page
            program.post(f"/workbench/sides/{first.id}/again")
            while "All of it." not in (page := program.text(place)) and time.monotonic() < until + 20:
                time.sleep(0.1)
            assert "All of it." in page and "word0 word1" in page, "beside the old attempt"
            assert served.stop() in (0, 130)


@pytest.fixture
def two(store: Store) -> Iterator[tuple[Chat, Chat]]:
    """Somebody at two services over one database."""
    with chatting(store, endless(), WORDS) as first:
        models = tuple(server.reference for server in first.servers)  # type: ignore[attr-defined]
        app = create_app(Site(store, Settings(origin=ORIGIN, models=models), SaidDoor(), store.clock))
        with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False, follow_redirects=False) as client:
            yield first, Chat(client, store, keys=first.keys)


def test_a_second_service_shows_a_live_answer_as_live_and_can_stop_it(two: tuple[Chat, Chat]) -> None:
    first, second = two
    conversation = first.begin()
    first.say(conversation)
    side = first.turns(conversation)[0].sides[0].id
    first.coming(side, 30)
    assert "Ask again" not in second.page(conversation) and "answering" in second.page(conversation)
    with second.client.stream("GET", f"/workbench/sides/{side}/events?after=6", headers=second.headers) as line:
        second.post(f"/workbench/sides/{side}/stop")
        found = list(read_events("\n".join(line.iter_lines())))
    assert found[-1][2]["state"] == "stopped"
    kept = first.turns(conversation)[0].sides[0]
    assert (kept.state, kept.text) == (SideState.STOPPED, second.turns(conversation)[0].sides[0].text)
    assert "".join(each[2]["text"] for each in found if each[0] == "text") == kept.text[6:]
    bench: Workbench = first.client.app.state.site.parts["workbench"]  # type: ignore[attr-defined]
    until = time.monotonic() + 5
    while bench.live(side) is not None and time.monotonic() < until:
        time.sleep(0.02)
    assert bench.live(side) is None, "the service that asked has given up"


def test_a_service_whose_model_is_silent_is_alive_and_one_that_is_silent_itself_is_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weighbridge.registry.conversations.LEASE", timedelta(seconds=1.5))
    monkeypatch.setattr("weighbridge.web.workbench.asking.BEAT_S", 0.2)
    store.clock = lambda: datetime.now(UTC)
    with chatting(store, streams(["One ", *[""] * 2000], gap_s=0.05), WORDS) as first:
        conversation = first.begin()
        first.say(conversation)
        side = first.turns(conversation)[0].sides[0].id
        first.coming(side)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            assert first.turns(conversation)[0].sides[0].state is SideState.ANSWERING
            time.sleep(0.1)

        def gone(self: Workbench, updates: object) -> frozenset[str]:
            raise RegistryError("this service cannot reach the database")

        monkeypatch.setattr(Workbench, "_stored", gone)
        assert first.over(conversation, 10).sides[0].state is SideState.INTERRUPTED


def test_ending_a_service_stores_what_came_and_says_interrupted_at_once(store: Store) -> None:
    seen = Seen()
    with chatting(store, endless(seen), WORDS) as chat:
        conversation = chat.begin()
        chat.say(conversation)
        chat.coming(chat.turns(conversation)[0].sides[0].id, 10)
        chat.client.app.state.site.parts["workbench"].close()  # type: ignore[attr-defined]
        first, second = chat.turns(conversation)[0].sides
        assert (first.state, first.ended_at is None) == (SideState.INTERRUPTED, False)
        assert first.text.startswith("word0 ") and second.state is SideState.ANSWERED
        until = time.monotonic() + 5
        while not seen.left and time.monotonic() < until:
            time.sleep(0.02)
        assert seen.left == 1


def test_while_the_database_is_gone_what_comes_is_kept_and_stored_when_it_is_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, gone = Workbench._stored, iter([True] * 4)

    def sometimes(self: Workbench, updates: object) -> frozenset[str]:
        if next(gone, False):
            raise RegistryError("the database cannot be reached, and nothing was stored")
        return stored(self, updates)  # type: ignore[arg-type]

    monkeypatch.setattr(Workbench, "_stored", sometimes)
    pieces = [f"{number} " for number in range(40)]
    with chatting(store, streams(pieces, gap_s=0.02), WORDS) as chat:
        _, turn = chat.answer()
        assert [(side.state, side.text) for side in turn.sides] == [
            (SideState.ANSWERED, "".join(pieces)),
            (SideState.ANSWERED, "Hello, you there."),
        ]
