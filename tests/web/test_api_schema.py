"""Whatever the API's own schema allows, and more, it answers as the schema says, and never with a fault of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.registry.conftest import key, upload  # noqa: F401  fixtures
from tests.registry.databases import Clock, put
from tests.web.doors import SaidDoor, signed_in
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.store import open_store
from weighbridge.registry.upload import Upload
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site

FEW = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
# That what the schema allows is also accepted is not asked: a ZIP that is no dossier is a ZIP.
TRUE = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ORIGIN = "http://testserver"


@schemathesis.serializer("application/zip")
def as_bytes(ctx: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, upload: Upload) -> Iterator[FastAPI]:  # noqa: F811
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('asked') / 'registry.db'}", clock=Clock())
    put(store, upload)
    yield create_app(Site(store, Settings(origin=ORIGIN), SaidDoor(), Clock()))
    store.close()


@pytest.fixture(scope="module")
def api(app: FastAPI) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers={"host": "testserver"})


def test_the_api_answers_a_maintainer_as_its_schema_says(api: schemathesis.BaseSchema) -> None:
    headers = signed_in(Role.MAINTAINER, token=True)
    _ask_all(api, lambda case: case.call_and_validate(base_url=ORIGIN, headers=headers, checks=TRUE))


def test_the_api_answers_nobody_without_a_fault_of_ours(api: schemathesis.BaseSchema) -> None:
    _ask_all(api, lambda case: case.call_and_validate(base_url=ORIGIN, checks=[not_a_server_error]))


def _ask_all(api: schemathesis.BaseSchema, ask: Callable[[Case], object]) -> None:
    asked = 0
    for found in api.get_all_operations():
        operation = found.ok()
        asked += 1

        @FEW
        @given(case=operation.as_strategy())
        def check(case: Case) -> None:
            ask(case)

        check()
    assert asked > 5
