"""Any OpenAI-compatible endpoint: {base}/chat/completions and, where it is offered, {base}/completions.

What the endpoint lets us do is found out by trying (`access`). A llama.cpp server is recognised by its /apply-template, and then
samplers are neutral, replies can be begun for the model, and control tokens in a prompt stay text. Elsewhere a setting that is
None is sent as its neutral value where the protocol knows one (top_p 1) and left out where not (top_k).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from weighbridge.engine.llama_server import LlamaServer, neutral_samplers
from weighbridge.engine.provider import Access, Piece, Rejected, Transient
from weighbridge.engine.questions import Answer, Chat, Completion, Request
from weighbridge.engine.wire import KEY_ADVICE, Wire, within
from weighbridge.errors import ProviderError

FIRST_WORD_TIMEOUT_S = 15.0  # for finding out; asking has its own limit
PROBE_TIMEOUT_S = 60.0  # one generated token, on a server that may be loading its model


class EndpointProvider:
    """The model called `model` at `base_url` (ends where `/chat/completions` would follow).

    `subject` is the identity that goes into every question. The key is sent as a bearer token and shown nowhere. `llama` says
    that the server is known to be llama.cpp's.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        subject: str | None = None,
        concurrency: tuple[int, int] = (16, 1024),
        llama: bool = False,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._model = model
        self.subject = subject or f"endpoint:{self._base}#{model}"
        self.concurrency = concurrency
        self._wire = Wire(self._base, key=api_key)
        self._llama = LlamaServer(self._wire, self._base.removesuffix("/v1"))
        self._is_llama = llama
        self._limit_name = "max_tokens"
        self._access: Access | None = None
        self._looking = asyncio.Lock()

    def __repr__(self) -> str:
        return f"EndpointProvider({self._wire.where!r}, {self._model!r})"

    async def access(self) -> Access:
        """Find out what the endpoint lets us do: is anybody there, is there raw completion, can a reply be begun?

        Asks for one token of raw completion at most, once. Raises `ProviderError` when nobody answers or the key is refused.
        """
        async with self._looking:
            if self._access is None:
                self._access = await self._find_access()
        return self._access

    async def ask(self, request: Request) -> Answer:
        """Return the endpoint's answer, or raise `Transient`, `Rejected` or `ProviderError`."""
        asked_at, began_s = time.time(), time.perf_counter()
        answer = await self._post(*await self._prepared(request))
        try:
            return _read(answer, began_s, asked_at)
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ProviderError(
                "answered without a choice to read (an empty or unknown `choices`)",
                where=self._wire.where,
                do="check that the address is that of an OpenAI-compatible API",
            ) from None

    async def stream(self, request: Request) -> AsyncGenerator[Piece]:
        """Yield the answer piece by piece: the request is that of `ask` but for `stream`. Raises as `ask` does, and in the middle too."""
        url, body = await self._prepared(request)
        finish = None
        async with aclosing(self._events(url, body | {"stream": True})) as events:
            async for event in events:
                try:
                    piece = _piece(event)
                except (KeyError, IndexError, TypeError, AttributeError):
                    raise ProviderError(
                        "sent a piece of an answer that cannot be read", where=self._wire.where
                    ) from None
                finish = piece.finish or finish
                yield piece
        if finish is None:
            raise Transient("the answer broke off: the server ended it without saying that it was whole")

    async def exchange(self, method: str, url: str) -> tuple[int, Mapping[str, str], bytes]:
        """Return what the server says at another of its addresses. Raises `Transient` when it says nothing."""
        return await self._wire.exchange(method, url)

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()

    async def _prepared(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return where a request goes, and its body."""
        if isinstance(request.body, Completion):
            return self._completion(request.body.prompt, request)
        return await self._chat(request.body, request)

    async def _chat(self, chat: Chat, request: Request) -> tuple[str, dict[str, Any]]:
        if self._is_llama:
            tokens = await self._llama.tokens_as_data(chat.messages, chat.prefill or "")
            if tokens is not None:
                return self._completion(tokens, request)
            if chat.prefill is not None:
                return self._completion(await self._llama.render(chat.messages) + chat.prefill, request)
        elif chat.prefill is not None:
            raise Rejected("this endpoint cannot begin a reply for the model", where=self._wire.where)
        body = self._settings(request)
        body["messages"] = [{"role": message.role, "content": message.content} for message in chat.messages]
        if request.logprobs:
            body["logprobs"] = True
        if request.json_schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": request.json_schema},
            }
        return f"{self._base}/chat/completions", body

    def _completion(self, prompt: str | list[int], request: Request) -> tuple[str, dict[str, Any]]:
        body = self._settings(request)
        body["prompt"] = prompt
        body["max_tokens"] = request.decoding.max_tokens
        if request.logprobs:
            body["logprobs"] = 1
        if request.json_schema is not None and self._is_llama:
            body["json_schema"] = request.json_schema
        return f"{self._base}/completions", body

    async def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._wire.post(url, body)
        except Rejected as error:
            if not self._renames_limit(body, error):
                raise
            return await self._wire.post(url, body)

    async def _events(self, url: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        for is_last in (False, True):
            try:
                async with aclosing(self._wire.events(url, body)) as events:
                    async for event in events:
                        is_last = True  # what began is not begun again
                        yield event
                return
            except Rejected as error:
                if is_last or not self._renames_limit(body, error):
                    raise

    def _renames_limit(self, body: dict[str, Any], error: Rejected) -> bool:
        """Return whether a chat is worth another try: newer hosted models know the limit on tokens by another name only, and say so."""
        if "messages" not in body or self._limit_name not in body or "max_completion_tokens" not in error.what:
            return False
        body["max_completion_tokens"] = body.pop(self._limit_name)
        self._limit_name = "max_completion_tokens"
        return True

    def _settings(self, request: Request) -> dict[str, Any]:
        decoding = request.decoding
        settings: dict[str, Any] = {
            "model": self._model,
            "temperature": decoding.temperature,
            "seed": decoding.seed,
            "stream": False,
        }
        if isinstance(request.body, Chat):
            settings[self._limit_name] = decoding.max_tokens
        if decoding.stop:
            settings["stop"] = list(decoding.stop)
        if self._is_llama:
            settings |= neutral_samplers(decoding)
        elif (
            decoding.temperature > 0
        ):  # greedy decoding has nothing to cut, and some APIs refuse both settings together
            settings["top_p"] = 1.0 if decoding.top_p is None else decoding.top_p
            if decoding.top_k is not None:
                settings["top_k"] = decoding.top_k
        return settings

    async def _find_access(self) -> Access:
        notes = [await self._find_server()]
        completion, why = await self._find_completion()
        self._is_llama = await self._llama.is_there()
        prefill = completion and self._is_llama
        notes.append("raw completion works" if completion else f"no weights access: no raw completion ({why})")
        if prefill:
            notes.append("replies can be begun through llama.cpp's template")
        elif completion:
            notes.append("replies cannot be begun: the server does not render its template for us")
        return Access(chat=True, completion=completion, prefill=prefill, note="; ".join(note for note in notes if note))

    async def _find_server(self) -> str:
        """Return a note on the model list. Raises `ProviderError` when there is no server or the key is refused."""
        try:
            status, _, content = await within(FIRST_WORD_TIMEOUT_S, self._wire.exchange("GET", f"{self._base}/models"))
        except Transient as error:
            raise ProviderError(
                error.detail, where=self._wire.where, do="start the server, or check the address and the network"
            ) from error
        if status in (401, 403):
            said = self._wire.message(content)
            raise ProviderError(f"the key was refused ({status}: {said})", where=self._wire.where, do=KEY_ADVICE)
        return ""

    async def _find_completion(self) -> tuple[bool, str]:
        """Return whether raw completion works, and why not."""
        body = {"model": self._model, "prompt": "1, 2, 3,", "max_tokens": 1, "temperature": 0.0, "stream": False}
        try:
            answer = await within(PROBE_TIMEOUT_S, self._wire.post(f"{self._base}/completions", body))
            text = answer["choices"][0]["text"]
        except (ProviderError, Transient) as error:
            return False, error.what if isinstance(error, ProviderError) else error.detail
        except (KeyError, IndexError, TypeError):
            return False, "no text came"
        return isinstance(text, str), "no text came"


def _read(answer: dict[str, Any], began_s: float, asked_at: float) -> Answer:
    """Return the answer in a response. Raises `KeyError`, `IndexError`, `TypeError`, `AttributeError` when there is none."""
    choice = answer["choices"][0]
    usage = answer.get("usage") or {}
    return Answer(
        text=_text(choice),
        finish=_word(choice.get("finish_reason")),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        seconds=time.perf_counter() - began_s,
        asked_at=asked_at,
        logprobs=_logprobs(choice.get("logprobs")),
    )


def _piece(event: dict[str, Any]) -> Piece:
    """Return what one event of a stream says; one that only counts says nothing."""
    if not event["choices"]:
        return Piece("")
    choice = event["choices"][0]
    said = {"message": choice["delta"]} if isinstance(choice.get("delta"), dict) else choice
    text = _text(said) if "message" in said or said.get("text") is not None else ""
    return Piece(text, _word(choice.get("finish_reason")))


def _text(choice: dict[str, Any]) -> str:
    """Return what was said. A model that refuses to fill a schema says so in `refusal`, and that is what it said."""
    if "message" not in choice:
        text = choice["text"]
    else:
        text = choice["message"].get("content") or choice["message"].get("refusal") or ""
    if isinstance(text, list):
        text = "".join(part.get("text", "") for part in text)
    if not isinstance(text, str):
        raise TypeError("an answer's text is text")
    return text


def _logprobs(found: Any) -> tuple[float, ...] | None:
    if not isinstance(found, dict):
        return None
    if isinstance(found.get("content"), list):  # chat, and llama.cpp everywhere
        values = [token.get("logprob") for token in found["content"]]
    else:  # the older form of raw completion
        values = found.get("token_logprobs") or []
    numbers = tuple(float(value) for value in values if isinstance(value, int | float))
    return numbers if numbers and len(numbers) == len(values) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None
