"""Nobody waits for ever."""

from __future__ import annotations

import time

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.testclient import TestClient

from tests.web.doors import SaidDoor
from weighbridge.registry.store import connect
from weighbridge.web.deadline import Deadline
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site


def service() -> FastAPI:
    app = FastAPI()
    app.state.site = Site(connect("sqlite://"), Settings(origin="http://testserver"), SaidDoor())
    app.add_middleware(Deadline, reading_s=0.2, writing_s=0.2)

    @app.get("/api/hangs")
    def hangs() -> str:
        time.sleep(0.6)
        return "late"

    @app.post("/api/hangs")
    def writes() -> str:
        time.sleep(0.6)
        return "late"

    @app.get("/streams")
    def streams() -> StreamingResponse:
        def parts():  # type: ignore[no-untyped-def]
            for _ in range(4):
                yield b"part "
                time.sleep(0.1)

        return StreamingResponse(parts())

    @app.get("/quick")
    def quick() -> str:
        return "quick"

    return app


def test_what_takes_too_long_to_begin_is_told() -> None:
    """503 with what to do; for a write, that it is not known whether it was done. Afterwards the service answers as before."""
    with TestClient(service()) as client:
        read, written = client.get("/api/hangs"), client.post("/api/hangs")
        assert (read.status_code, read.json()["detail"]) == (503, "the answer takes too long")
        assert written.status_code == 503 and "whether it was done is not known" in written.json()["detail"]
        assert client.get("/quick").json() == "quick"


def test_what_has_begun_may_last() -> None:
    """A stream is not cut."""
    with TestClient(service()) as client:
        assert client.get("/streams").content == b"part " * 4
