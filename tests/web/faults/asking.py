"""Asking a service as a program does, and a registry with somebody in it who may publish."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.registry.databases import model, signed
from tests.web.registry.conftest import archive, root
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.tokens import make_token
from weighbridge.registry.accounts.users import add_user
from weighbridge.registry.publishing import trust
from weighbridge.registry.store import open_store

BOUND_S = 20


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Dossier:
    """A signed dossier as it is handed in, and the digits of what it is about."""

    archive: bytes
    hex64: str


def ask(origin: str, path: str, *, body: bytes | None = None, wait_s: float = BOUND_S, **headers: str) -> Answer:
    """Ask once. Raises `OSError` or `http.client.HTTPException` when nobody answers in time."""
    parts = urlsplit(origin)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=wait_s)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET" if body is None else "POST", path, body, sent)
        found = connection.getresponse()
        return Answer(found.status, found.read(), {name.lower(): value for name, value in found.getheaders()})
    finally:
        connection.close()


def look_up(origin: str, hex64: str) -> Any:
    """Return a notice. Raises `AssertionError` when it is not given."""
    found = ask(origin, f"/api/v1/notices/{hex64}")
    assert found.status == 200, (found.status, found.body)
    return found.json


def hand_in(origin: str, token: str, dossier: Dossier) -> Answer:
    """Publish."""
    headers = {"Content_Type": "application/zip", "Authorization": f"Bearer {token}"}
    return ask(origin, "/api/v1/publications", body=dossier.archive, **headers)


def somebody(url: str, key: PrivateKey) -> str:
    """Make somebody who may publish in a registry, there or not yet, that trusts `key`; return their token."""
    store = open_store(url)
    trust(store, key.public, name="Evaluator", by="test")
    with store.writing() as connection:
        now = store.clock()
        add_user(connection, now, "ada", Role.MAINTAINER, by="test")
        lasts = timedelta(hours=1)
        token = make_token(connection, now, "ada", name="test", role=Role.TESTER, lasts=lasts, by="test")
    store.close()
    return token


def dossiers(folder: Path, key: PrivateKey, count: int) -> list[Dossier]:
    """Return signed dossiers, each of another model, as of now."""
    made = []
    for number in range(count):
        upload = signed(folder / f"dossier-{number}", key, model(f"model {number}"), datetime.now(UTC))
        made.append(Dossier(archive(upload), root(upload)))
    return made
