"""A registry with one dossier of a trusted evaluator in it, and archives to hand in."""

from __future__ import annotations

import io

import pytest

from tests.registry.databases import put
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.dossier.statements.verification import root_in
from weighbridge.registry.asked import Published
from weighbridge.registry.publishing import trust
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload, write_archive


def archive(upload: Upload) -> bytes:
    made = io.BytesIO()
    write_archive(upload, made)
    return made.getvalue()


def root(upload: Upload) -> str:
    """The 64 digits of the root digest that an upload is about."""
    found = root_in(upload.files["dossier.json"])
    assert found is not None
    return found.removeprefix("sha256:")


@pytest.fixture
def trusted(store: Store, key: PrivateKey) -> None:
    trust(store, key.public, name="The Evaluators", by="test")


@pytest.fixture
def published(store: Store, trusted: None, upload: Upload) -> Published:
    return put(store, upload)
