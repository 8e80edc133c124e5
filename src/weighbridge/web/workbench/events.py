"""An answer as it comes, as server-sent events. The id of an event is how many letters have come, so a line that dropped goes on where it was."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from weighbridge.errors import WeighbridgeError
from weighbridge.registry.conversations import Conversation, Side, SideState, find_side
from weighbridge.web.door import Who
from weighbridge.web.limits import limited
from weighbridge.web.problems import Problem
from weighbridge.web.site import Here, Site
from weighbridge.web.workbench.asking import Workbench
from weighbridge.web.workbench.here import Bench, Tester, told
from weighbridge.web.workbench.views import shown_piece

router = APIRouter()
_LOG = logging.getLogger("weighbridge.web.workbench")

LOOK_S = 0.04
LOOK_HIDDEN_S = 0.25  # in steps that say little of how each model's server cuts its text
LOOK_STORED_S = 0.7  # another service asks: what it has stored
STATUS_S = 1.0
LASTS_S = 600.0  # a browser connects anew, and is asked anew who it is
MOST_LINES = 12
_MOST_OFFSET = 10_000_000


@router.get("/sides/{identity}/events", dependencies=[Depends(limited("workbench events", per_minute=240))])
async def events(
    request: Request,
    site: Here,
    bench: Bench,
    who: Tester,
    identity: str,
    after: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
    last_event_id: Annotated[str, Header(max_length=20)] = "",
) -> StreamingResponse:
    """Return the rest of an answer from a letter on: `Last-Event-ID`, or else `after`. The events are `text`, `status` and `end`.

    `text` has a `text` with what is invisible written out; `status` and `end` have a `state`, and what is being `done` while it is waited for.
    """
    offset = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else after
    conversation, _ = await run_in_threadpool(_found, site, who, identity)
    lines: Counter[str] = site.parts.setdefault("workbench lines", Counter())
    if lines[who.by] >= MOST_LINES:
        raise Problem(
            429, f"{MOST_LINES} answers are being read already", do="close a page", headers={"Retry-After": "5"}
        )
    return StreamingResponse(
        _counted(lines, who.by, _events(site, bench, who, conversation, identity, offset)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _counted(lines: Counter[str], name: str, found: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    lines[name] += 1
    try:
        async for each in found:
            yield each
    except (WeighbridgeError, Problem) as error:  # the browser connects anew, and is told why it cannot
        _LOG.error("a line ended: %s", type(error).__name__)
    finally:
        lines[name] -= 1


async def _events(
    site: Site, bench: Workbench, who: Who, conversation: Conversation, identity: str, offset: int
) -> AsyncIterator[bytes]:
    look_s = LOOK_HIDDEN_S if conversation.hidden else LOOK_S
    until_s, status_at_s, last = time.monotonic() + LASTS_S, 0.0, b""
    yield b"retry: 2000\n\n"
    while time.monotonic() < until_s:
        live = bench.live(identity)
        if live is not None:
            state, text = live.state, live.after(offset)
        else:
            _, side = await run_in_threadpool(_found, site, who, identity)
            state, text = side.state, side.text[offset:]
        if text:
            offset += len(text)
            yield _event("text", {"text": shown_piece(text)}, offset)
        if live is None and not state.is_open:
            yield _event("end", {"state": state.value})
            return
        if time.monotonic() - status_at_s >= STATUS_S:
            said = {"state": state.value}
            if state is SideState.WAITING:
                said["doing"] = bench.doing(conversation)
            status = _event("status", said)
            # A comment keeps proxies from taking the line for dead.
            yield status if status != last else b": here\n\n"
            status_at_s, last = time.monotonic(), status
        await asyncio.sleep(look_s if live is not None else LOOK_STORED_S)


def _found(site: Site, who: Who, identity: str) -> tuple[Conversation, Side]:
    with told(), site.store.reading() as connection:
        conversation, _, side = find_side(connection, site.store.clock(), identity, name=who.by, role=who.role)
    return conversation, side


def _event(name: str, data: dict[str, str], identity: int | None = None) -> bytes:
    line = f"id: {identity}\n" if identity is not None else ""
    return f"event: {name}\n{line}data: ".encode() + orjson.dumps(data) + b"\n\n"
