"""Empty databases of both kinds, and dossiers to publish."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.dossier.statements import made
from weighbridge.digests import digest_bytes
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry.asked import Published
from weighbridge.registry.publishing import publish
from weighbridge.registry.store import Store, open_store
from weighbridge.registry.upload import Upload, read_folder
from weighbridge.subject.model import Component, FoundFile, Subject, SubjectKind
from weighbridge.subject.roots import root_of

POSTGRES = "WEIGHBRIDGE_TEST_POSTGRES"
NOW = made.NOW


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def empty_place(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / f'registry-{secrets.token_hex(4)}.db'}"
        return
    server = os.environ.get(POSTGRES)
    if not server:
        pytest.skip(f"{POSTGRES} is not set: scripts/postgres_for_tests.sh start prints it")
    name = f"test_{secrets.token_hex(6)}"
    engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield server.rpartition("/")[0] + "/" + name
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


@contextmanager
def opened(url: str, clock: Clock | None = None) -> Iterator[Store]:
    """Yield a registry, and let go of it."""
    store = open_store(url, clock=clock or Clock())
    try:
        yield store
    finally:
        store.close()


def model(words: str, shards: int = 1) -> Subject:
    """A model whose weights are some files, each of its own digest."""
    files = tuple(
        FoundFile(path=f"{number}.gguf", size_bytes=8, digest=digest_bytes(f"{words} {number}".encode()))
        for number in range(shards)
    )
    root = root_of({file.path: file.digest for file in files})
    return made.candidate(
        label=words,
        digest=files[0].digest if shards == 1 else root,
        components=(Component(name="model parameters", files=files, licence="apache-2.0"),),
    )


def endpoint() -> Subject:
    """A model behind an address."""
    return Subject(kind=SubjectKind.ENDPOINT, reference="https://models.example/v1#big", label="Big Model", digest=None)


@cache
def weighed() -> DossierRecord:
    """The record of a small weighing, made once."""
    found = made.record()
    return found.model_copy(update={"rates": tuple(each for each in found.rates if each.verb is None)})


def signed(folder: Path, key: PrivateKey, subject: Subject | None = None, now: datetime = NOW, **more: Any) -> Upload:
    """A signed dossier's files."""
    record = weighed() if subject is None else weighed().model_copy(update={"candidate": subject})
    made.write(folder, record, terms=True)
    made.sign(folder, key, now, valid_for=timedelta(days=more.pop("days", 183)), **more)
    return read_folder(folder)


def put(store: Store, upload: Upload) -> Published:
    return publish(store, upload, by="test")
