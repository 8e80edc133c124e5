"""Answers while they come: the same as at once, whole, within bounds, and ended when nobody listens."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing

import pytest

from tests.fakes.endpoint import Behaviour, FakeEndpoint, html, says, status
from tests.fakes.provider import FakeProvider, answer
from tests.fakes.streaming import Seen, breaks_off, sends_stream, streams
from weighbridge.engine.endpoint import EndpointProvider
from weighbridge.engine.llamacpp import LlamaCppProvider
from weighbridge.engine.provider import Provider, Rejected, Transient
from weighbridge.engine.questions import Chat, Completion, Decoding, Message, Request
from weighbridge.engine.streaming import AnswerCut, Bounds, stream
from weighbridge.errors import ProviderError
from weighbridge.subject.locations import GGUFLocation
from weighbridge.subject.references import resolve

HELLO = Request(Chat((Message("user", "Hello"),)))
RAW = Request(Completion("1, 2,"))


async def read(
    provider: Provider, request: Request = HELLO, bounds: Bounds | None = None
) -> tuple[list[str], str | None]:
    pieces = []
    async with aclosing(stream(provider, request, bounds or Bounds())) as texts:
        async for text in texts:
            pieces.append(text)
    return pieces, texts.finish


async def until_it_fails(behave: Behaviour, bounds: Bounds | None = None) -> tuple[str, Exception]:
    """Return what came, and what then went wrong."""
    came: list[str] = []
    async with FakeEndpoint(then=behave) as server:
        provider = EndpointProvider(server.base_url, server.model)
        try:
            async with aclosing(stream(provider, HELLO, bounds or Bounds())) as texts:
                async for text in texts:
                    came.append(text)
        except Exception as error:
            return "".join(came), error
        finally:
            await provider.close()
    raise AssertionError(f"nothing went wrong: {came}")


@pytest.mark.parametrize("request_", [HELLO, RAW], ids=["chat", "completion"])
async def test_pieces_come_in_order_and_the_request_is_that_of_asking_at_once(request_: Request) -> None:
    async with FakeEndpoint(then=streams(["The ", "sky", " is blue"])) as server:
        provider = EndpointProvider(server.base_url, server.model)
        assert await read(provider, request_) == (["The ", "sky", " is blue"], "stop")
        assert (await provider.ask(request_)).text == "The sky is blue"
        await provider.close()
    streamed, at_once = (call.body for call in server.calls)
    assert (streamed.pop("stream"), at_once.pop("stream")) == (True, False)
    assert streamed == at_once


async def test_a_reply_that_is_begun_goes_through_the_template_of_a_llama_server() -> None:
    async with FakeEndpoint(then=streams(["five"]), template=True) as server:
        provider = EndpointProvider(server.base_url, server.model)
        await provider.access()
        await read(provider, Request(Chat((Message("user", "Count"),), prefill="four,")))
        await provider.close()
    assert server.calls[-1].body["prompt"].endswith("<|assistant|>four,")


async def test_of_a_provider_that_does_not_stream_the_answer_is_one_piece() -> None:
    assert await read(FakeProvider([answer("All at once.")])) == (["All at once."], "stop")
    async with FakeEndpoint(then=says("A whole answer.")) as server:
        provider = EndpointProvider(server.base_url, server.model)
        assert await read(provider) == (["A whole answer."], "stop")
        await provider.close()


async def test_letters_that_are_torn_between_parts_and_between_events_are_whole() -> None:
    whale = 'data: {"choices":[{"delta":{"content":"🐋 ü"},"finish_reason":null}]}\r\n\r\n'.encode()
    half = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n'
    parts = [whale[at : at + 1] for at in range(len(whale))]
    parts += [half % b"\\ud83d", half % b"\\ude00", half % b"\\ud83d", half % b"x", half % b"\\ud83d"]
    parts += [b": a comment\n", b"event: ping\n\n", b'data: {"choices":[{"delta":{},"finish_reason":"length"}]}\n\n']
    parts += [b'data: {"choices":[],"usage":{}}\n\n', b"data: [DONE]\n\n"]
    async with FakeEndpoint(then=sends_stream(*parts)) as server:
        provider = EndpointProvider(server.base_url, server.model)
        pieces, finish = await read(provider)
        await provider.close()
    assert ("".join(pieces), finish) == ("🐋 ü😀\ufffdx\ufffd", "length")


async def test_bytes_that_are_no_text_are_replaced_and_not_a_failure() -> None:
    bad = b'data: {"choices":[{"text":"a\xff\xc3b","finish_reason":"stop"}]}\n\n'
    async with FakeEndpoint(then=sends_stream(bad)) as server:
        provider = EndpointProvider(server.base_url, server.model)
        assert (await read(provider, RAW))[0] == ["a\ufffd\ufffdb"]
        await provider.close()


async def test_ten_megabytes_are_cut_at_the_bound_and_say_so() -> None:
    """In ten thousand pieces, and in one: what is kept is as long as the bound, to the letter."""
    seen = Seen()
    for pieces in (["x" * 1000] * 10_000, ["x" * 7_000_000]):
        came, error = await until_it_fails(streams(pieces, seen=seen))
        assert len(came) == Bounds().letters
        assert isinstance(error, AnswerCut) and "200,000 letters" in error.what
    came, error = await until_it_fails(streams(["x" * 10_000_000]))
    assert came == "" and isinstance(error, ProviderError) and "8 MiB" in error.what


async def test_an_answer_that_does_not_end_is_cut_by_time() -> None:
    came, error = await until_it_fails(streams(iter(lambda: "on ", None), gap_s=0.01), Bounds(answer_s=0.3))
    assert came.startswith("on on ") and isinstance(error, AnswerCut) and "0.3 seconds" in error.what


async def test_silence_is_a_time_out_before_the_first_piece_and_after() -> None:
    came, error = await until_it_fails(streams(["one", "two"], gap_s=5), Bounds(piece_s=0.1))
    assert came == "one" and isinstance(error, Transient) and error.timed_out
    empty = streams(iter(lambda: "", None), gap_s=0.01)  # events without a word
    came, error = await until_it_fails(empty, Bounds(answer_s=0.3))
    assert came == "" and isinstance(error, AnswerCut)
    flood = sends_stream(*[b": comment\n"] * 40, gap_s=0.02)
    came, error = await until_it_fails(flood, Bounds(first_piece_s=0.1))
    assert isinstance(error, Transient) and error.timed_out


@pytest.mark.parametrize(
    ("behave", "kind", "what"),
    [
        (breaks_off(["Half"]), Transient, "dropped"),
        (streams(["Half"], finish=None, after=b""), Transient, "broke off"),
        (streams(["Half"], finish=None, after=b'data: {"error":{"code":500,"message":"slot lost"}}\n\n'), Transient, "slot lost"),
        (streams(["Half"], finish=None, after=b'error: {"code":400,"message":"too long"}\n\n'), Rejected, "too long"),
        (streams(["Half"], finish=None, after=b"data: <html>\n\n"), ProviderError, "JSON object"),
        (streams(["Half"], finish=None, after=b"data: " + b"[" * 100_000 + b"\n\n"), ProviderError, "JSON object"),
        (streams(["Half"], finish=None, after=b'data: {"choices":[{"delta":{"content":{"a":1}}}]}\n\n'), ProviderError, "cannot be read"),
        (streams(["Half"], finish=None, after=b'data: {"choices":7}\n\n'), ProviderError, "cannot be read"),
    ],
    ids=["dropped", "no end", "error", "error line", "page", "deep", "no text", "no choice"],
)  # fmt: skip
async def test_what_goes_wrong_in_the_middle_has_its_name_and_what_came_stays(
    behave: Behaviour, kind: type[Exception], what: str
) -> None:
    came, error = await until_it_fails(behave)
    assert came == "Half"
    assert isinstance(error, kind) and what in str(error)


@pytest.mark.parametrize(
    ("behave", "kind"),
    [(status(503, "loading"), Transient), (status(400, "no"), Rejected), (html(), ProviderError), (status(401), ProviderError)],
    ids=["503", "400", "page", "401"],
)  # fmt: skip
async def test_what_goes_wrong_at_the_beginning_is_what_asking_at_once_would_raise(
    behave: Behaviour, kind: type[Exception]
) -> None:
    came, error = await until_it_fails(behave)
    assert came == "" and isinstance(error, kind)


async def test_the_limit_on_tokens_is_sent_by_its_newer_name_when_the_server_asks_for_it() -> None:
    refusal = status(400, "Unsupported parameter: use 'max_completion_tokens' instead")
    async with FakeEndpoint(script=[refusal], then=streams(["yes"])) as server:
        provider = EndpointProvider(server.base_url, server.model)
        assert (await read(provider))[0] == ["yes"]
        await provider.close()
    assert "max_completion_tokens" in server.calls[-1].body and "max_tokens" not in server.calls[-1].body


@pytest.mark.parametrize("how", ["closed", "cancelled"])
async def test_leaving_an_answer_ends_it_on_the_server(how: str) -> None:
    seen = Seen()
    async with FakeEndpoint(then=streams(iter(lambda: "on ", None), gap_s=0.01, seen=seen)) as server:
        provider = EndpointProvider(server.base_url, server.model)

        async def listen() -> None:
            async with aclosing(stream(provider, HELLO)) as texts:
                async for _ in texts:
                    if how == "closed":
                        break

        task = asyncio.create_task(listen())
        while not seen.sent:
            await asyncio.sleep(0.01)
        if how == "cancelled":
            task.cancel()
        await asyncio.wait([task])
        for _ in range(200):
            if seen.left:
                break
            await asyncio.sleep(0.01)
        await provider.close()
    assert seen.left == 1 and server.at_once == 0


@pytest.mark.real
async def test_smollm2_streams_what_it_says_at_once() -> None:
    resolved = resolve("demo:smollm2", environ=os.environ)
    assert isinstance(resolved.location, GGUFLocation)
    provider = LlamaCppProvider(resolved.location.path, None, resolved.subject.identity, chat_template=True)
    request = Request(Chat((Message("user", "Name three colours."),)), Decoding(max_tokens=24))
    try:
        pieces, finish = await read(provider, request)
        assert len(pieces) > 5 and finish in ("stop", "length")
        assert "".join(pieces) == (await provider.ask(request)).text
    finally:
        await provider.close()
