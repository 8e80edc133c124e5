"""Nobody waits for ever: a request whose answer has not begun in time is told so, though what it waits for, a database that hangs, still hangs."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weighbridge.web.problems import Problem, answer

READING_S = 30.0
WRITING_S = 900.0  # a long upload over a slow line counts too


class Deadline:
    """Answers 503 in place of a route that takes too long to begin. The route goes on, and what it sends then goes nowhere."""

    def __init__(self, app: ASGIApp, *, reading_s: float = READING_S, writing_s: float = WRITING_S) -> None:
        self._app, self._reading_s, self._writing_s = app, reading_s, writing_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reads = scope["method"] in ("GET", "HEAD")
        has_begun = is_late = False
        telling: asyncio.Task[None] | None = None

        async def sent(message: Message) -> None:
            nonlocal has_begun
            if not is_late:
                has_begun = True
                await send(message)

        def late() -> None:
            nonlocal is_late, telling
            if not has_begun:
                is_late = True
                told = answer(Request(scope), _too_late(reads))
                telling = asyncio.ensure_future(told(scope, receive, send))

        timer = asyncio.get_running_loop().call_later(self._reading_s if reads else self._writing_s, late)
        try:
            await self._app(scope, receive, sent)
        finally:
            timer.cancel()
            if telling is not None:
                await telling


def _too_late(reads: bool) -> Problem:
    if reads:
        what, do = "the answer takes too long", "try again in a minute; tell the operator if it stays"
    else:
        what, do = (
            "this takes too long, and whether it was done is not known",
            "look whether it was before you do it again",
        )
    return Problem(503, what, do=do, headers={"Retry-After": "60"})
