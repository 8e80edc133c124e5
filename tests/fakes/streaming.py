"""Ways in which a fake endpoint streams an answer, well and badly: behaviours for `tests.fakes.endpoint.FakeEndpoint`.

python tests/fakes/streaming.py --pieces 1000 --gap-ms 50     # prints its address, serves until its standard input closes
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import orjson
from aiohttp import web

from tests.fakes.endpoint import Behaviour, Call, FakeEndpoint, says


class Seen:
    """What a streaming server saw: how many answers were `left` by the caller before their end."""

    def __init__(self) -> None:
        self.left = 0
        self.sent = 0


def streams(
    pieces: Iterable[str] | Callable[[Call], Iterable[str]],
    *,
    gap_s: float = 0.0,
    finish: str | None = "stop",
    after: bytes = b"data: [DONE]\n\n",
    seen: Seen | None = None,
) -> Behaviour:
    """Stream these pieces, `gap_s` apart, then `finish`, then the bytes `after`. Asked without `stream`, say them at once."""

    async def behave(call: Call, request: web.Request) -> web.StreamResponse:
        texts = pieces(call) if callable(pieces) else pieces
        if not call.body.get("stream"):
            return await says("".join(itertools.islice(texts, 1000)))(call, request)
        events = itertools.chain(
            (event(call, text) for text in texts), [event(call, "", finish)] if finish is not None else [], [after]
        )
        return await _send(request, events, gap_s, seen)

    return behave


def sends_stream(*parts: bytes, gap_s: float = 0.0) -> Behaviour:
    """Stream exactly these bytes, in these parts."""

    async def behave(call: Call, request: web.Request) -> web.StreamResponse:
        return await _send(request, parts, gap_s, None)

    return behave


def breaks_off(pieces: Sequence[str]) -> Behaviour:
    """Stream these pieces, then drop the connection."""

    async def behave(call: Call, request: web.Request) -> web.StreamResponse:
        response = await _opened(request)
        for text in pieces:
            await response.write(event(call, text))
        await asyncio.sleep(0.02)
        assert request.transport is not None
        request.transport.close()
        raise asyncio.CancelledError

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Do these in turn, one for each answer; finding out what can be done takes none of them."""
    left = iter(behaviours)

    async def behave(call: Call, request: web.Request) -> web.StreamResponse:
        is_probe = call.body.get("max_tokens") == 1
        return await (says("x") if is_probe else next(left))(call, request)

    return behave


def event(call: Call, text: str, finish: str | None = None) -> bytes:
    """Return one event of an answer."""
    said = {"delta": {"content": text} if text else {}} if call.is_chat else {"text": text}
    return b"data: " + orjson.dumps({"choices": [{"index": 0, "finish_reason": finish, **said}]}) + b"\n\n"


async def _opened(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    return response


async def _send(request: web.Request, parts: Iterable[bytes], gap_s: float, seen: Seen | None) -> web.StreamResponse:
    response = await _opened(request)
    try:
        for part in parts:
            await response.write(part)
            if seen is not None:
                seen.sent += 1
            await asyncio.sleep(gap_s)
    except (ConnectionError, asyncio.CancelledError) as error:
        if seen is not None:
            seen.left += 1
        if isinstance(error, asyncio.CancelledError):
            raise
    with suppress(ConnectionError):  # whoever has read the end may be gone
        await response.write_eof()
    return response


async def _serve(arguments: argparse.Namespace) -> None:
    words = [f"word{number} " for number in range(arguments.pieces)]
    async with FakeEndpoint(then=streams(words, gap_s=arguments.gap_ms / 1000), template=True) as server:
        print(server.reference, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve a fake endpoint that streams, until standard input closes.")
    parser.add_argument("--pieces", type=int, default=100)
    parser.add_argument("--gap-ms", type=float, default=50.0)
    asyncio.run(_serve(parser.parse_args()))
