"""A workbench over two fake endpoints, in process."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes.endpoint import Behaviour, FakeEndpoint
from tests.fakes.streaming import streams
from tests.web.conftest import ORIGIN
from tests.web.doors import SaidDoor, signed_in
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.conversations import Side, SideState, Turn, find_side, turns_of
from weighbridge.registry.store import Store, open_store
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site

WORDS = streams(["Hello, ", "you ", "there."], gap_s=0.01)


@pytest.fixture
def kind() -> str:
    """One database: what is asked of both is in tests/registry/test_conversations.py and test_survives.py."""
    return "sqlite"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty registry, made once: making one takes longer than a conversation."""
    path = tmp_path_factory.mktemp("made") / "registry.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def url(made: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(made, tmp_path / 'registry.db')}"


@dataclass
class Chat:
    """Somebody at a workbench."""

    client: TestClient
    store: Store
    role: Role = Role.TESTER
    name: str = "ada"
    keys: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return signed_in(self.role, self.name) | {"accept": "text/html"}

    def somebody(self, name: str, role: Role = Role.TESTER) -> Chat:
        return Chat(self.client, self.store, role, name, self.keys)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=self.headers | headers)

    def post(self, path: str, **form: str) -> Any:
        return self.client.post(path, data=form, headers=self.headers)

    def begin(self, *, blind: bool = False, baseline: bool = True) -> str:
        form = {"candidate": self.keys[0], "baseline": self.keys[1] if baseline else ""}
        found = self.post("/workbench/conversations", **form, **({"blind": "true"} if blind else {}))
        assert found.status_code == 303, found.text
        return str(found.headers["location"].rpartition("/")[2])

    def say(self, conversation: str, text: str = "Hello", how: str = "api", **form: str) -> Any:
        return self.post(f"/workbench/conversations/{conversation}/turns", text=text, how=how, **form)

    def page(self, conversation: str, query: str = "") -> str:
        found = self.get(f"/workbench/conversations/{conversation}{query}")
        assert found.status_code == 200
        return str(found.text)

    def turns(self, conversation: str) -> tuple[Turn, ...]:
        with self.store.reading() as connection:
            return turns_of(connection, self.store.clock(), conversation)

    def over(self, conversation: str, wait_s: float = 10) -> Turn:
        """Return the last turn, when nothing more comes."""
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            if not (turn := self.turns(conversation)[-1]).is_open:
                return turn
            time.sleep(0.02)
        raise AssertionError(f"still open: {[side.state for side in turn.sides]}")

    def answer(self, text: str = "Hello", how: str = "api", *, blind: bool = False, **form: str) -> tuple[str, Turn]:
        """Say something in a new conversation; return it and the turn when it is over."""
        conversation = self.begin(blind=blind)
        assert (found := self.say(conversation, text, how, **form)).status_code == 303, found.text
        return conversation, self.over(conversation)

    def coming(self, side: str, letters: int = 1, wait_s: float = 10) -> Side:
        """Return a side when so much of it is stored."""
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            with self.store.reading() as connection:
                found = find_side(connection, self.store.clock(), side, name=self.name, role=self.role)[2]
            if len(found.text) >= letters:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{found.state}: {len(found.text)} letters")

    def events(self, side: str, query: str = "", **headers: str) -> list[tuple[str, str | None, dict[str, str]]]:
        """Return the events of a side to its end: name, id, data."""
        return list(read_events(self.get(f"/workbench/sides/{side}/events{query}", **headers).text))


def read_events(text: str) -> Iterator[tuple[str, str | None, dict[str, str]]]:
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "event" in lines:
            yield lines["event"], lines.get("id"), json.loads(lines["data"])


@contextmanager
def chatting(
    store: Store, *behaviours: Behaviour, role: Role = Role.TESTER, guard: str | None = None, **server: Any
) -> Iterator[Chat]:
    """Yield somebody at a workbench of so many fake endpoints."""
    with ExitStack() as stack:
        servers = [stack.enter_context(FakeEndpoint(then=each, **server).in_thread()) for each in behaviours]
        settings = Settings(origin=ORIGIN, models=tuple(each.reference for each in servers), guard=guard)
        app = create_app(Site(store, settings, SaidDoor(), store.clock))
        client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False, follow_redirects=False)
        chat = Chat(stack.enter_context(client), store, role)
        chat.keys = list(dict.fromkeys(re.findall(r'<option value="([0-9a-f]{12})"', chat.get("/workbench").text)))
        chat.servers = servers  # type: ignore[attr-defined]
        yield chat


@pytest.fixture
def chat(store: Store) -> Iterator[Chat]:
    with chatting(store, WORDS, WORDS) as found:
        yield found


ENDED = tuple(state for state in SideState if not state.is_open)
