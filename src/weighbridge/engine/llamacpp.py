"""GGUF files in process: one llama.cpp server a file (xllamacpp), on the loopback address, with continuous batching.

The server runs in threads of this process and listens on a port that the system picks. It is asked like any other llama.cpp
server (`endpoint.py`); only its life is here. An answer is all that the model said: llama.cpp is told not to take a model's
reasoning out of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from weighbridge.engine.endpoint import EndpointProvider
from weighbridge.engine.provider import Access, Piece, Rejected
from weighbridge.engine.questions import Answer, Chat, Request
from weighbridge.errors import EngineError

if TYPE_CHECKING:
    from xllamacpp import Server

SLOTS = 4
CONTEXT_TOKENS = 4096  # per slot: a prompt and its answer


class LlamaCppProvider:
    """Answers from the GGUF file at `path`, with a LoRA `adapter` (GGUF) applied if there is one.

    `chat_template` says whether the file has one: without it there is no chat, and llama.cpp's stand-in (ChatML) is not used. The
    model is loaded by the first `access` or `ask`. Same request, same answer as far as llama.cpp gives it: what shares a batch, and
    what of the prompt is already in the cache, can move the last bits of a score and with them, rarely, a token.
    """

    def __init__(
        self,
        path: Path,
        adapter: Path | None,
        subject: str,
        chat_template: bool,
        *,
        slots: int = SLOTS,
        context_tokens: int = CONTEXT_TOKENS,
    ) -> None:
        self.subject = subject
        self.concurrency = (slots, slots)
        self._path, self._adapter, self._chat_template = path, adapter, chat_template
        self._slots, self.context_tokens = slots, slots * context_tokens
        self._server: Server | None = None
        self._door: EndpointProvider | None = None
        self._changing = asyncio.Lock()
        self._closed = False

    def __repr__(self) -> str:
        return f"LlamaCppProvider({str(self._path)!r})"

    async def access(self) -> Access:
        """Load the model if need be, and say what can be asked. Raises `EngineError` with the path when it cannot be loaded."""
        await self._ready()
        template = "chat template in the file" if self._chat_template else "no chat template in the file"
        adapter = f", adapter {self._adapter.name}" if self._adapter else ""
        return Access(
            chat=self._chat_template,
            completion=True,
            prefill=self._chat_template,
            note=f"weights at hand: llama.cpp in process{adapter}; {template}",
        )

    async def ask(self, request: Request) -> Answer:
        """Return the model's answer, or raise as `Provider` says."""
        if isinstance(request.body, Chat) and not self._chat_template:
            raise Rejected("the file has no chat template", where=str(self._path))
        door = await self._ready()
        return await door.ask(request)

    async def stream(self, request: Request) -> AsyncGenerator[Piece]:
        """Yield the model's answer piece by piece, or raise as `ask` does."""
        if isinstance(request.body, Chat) and not self._chat_template:
            raise Rejected("the file has no chat template", where=str(self._path))
        door = await self._ready()
        async with aclosing(door.stream(request)) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        """End the server and its threads. May be called twice; a model that is being loaded is waited for."""
        async with self._changing:
            self._closed = True
            door, self._door = self._door, None
            if door is not None:
                await door.close()
            server, self._server = self._server, None
            if server is not None:
                # Dropping the last reference ends the server and joins its threads: not on the event loop.
                holder = [server]
                del server
                await asyncio.to_thread(holder.clear)

    async def _ready(self) -> EndpointProvider:
        async with self._changing:
            if self._closed:
                raise EngineError("asked after it was closed", where=str(self._path))
            if self._door is None:
                address = await self._loaded()
                door = EndpointProvider(
                    f"{address}/v1", self._path.name, subject=self.subject, concurrency=self.concurrency, llama=True
                )
                try:
                    await self._check_adapter(door, address)
                except BaseException:
                    await door.close()
                    raise
                self._door = door
            return self._door

    async def _loaded(self) -> str:
        """Start the server and return its address. A load cannot be broken off: a cancelled one is waited for, and ended by `close`."""
        loading = asyncio.ensure_future(asyncio.to_thread(self._load))
        try:
            return await asyncio.shield(loading)
        except asyncio.CancelledError:
            await asyncio.wait([loading])
            loading.exception()
            raise

    def _load(self) -> str:
        if not self._path.is_file():
            raise EngineError("no such file", where=str(self._path), do="check the path")
        with _threads_that_soon_sleep():
            import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(self._path)
        params.port = 0
        params.n_parallel = self._slots
        params.n_ctx = self.context_tokens
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _cores()
        params.cache_ram_mib = (
            0  # keeps old prompts' states in up to 8 GiB of memory; a prompt comes back at once or never
        )
        params.verbosity = -1
        params.ui = False
        params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
        if self._adapter is not None:
            lora = xllamacpp.CommonAdapterLoraInfo()
            lora.path, lora.scale = str(self._adapter), 1.0
            params.lora_adapters = [lora]
        try:
            self._server = xllamacpp.Server(params)
            return str(self._server.listening_address)
        except (RuntimeError, OSError, MemoryError) as error:
            raise EngineError(
                "llama.cpp cannot load this model" + (f" with the adapter {self._adapter}" if self._adapter else ""),
                where=str(self._path),
                do="the file may be damaged, its architecture unknown to this llama.cpp, the memory too small"
                + (", or the adapter made for another model" if self._adapter else ""),
            ) from error

    async def _check_adapter(self, door: EndpointProvider, address: str) -> None:
        """Make sure that what is asked is the model with its adapter, as its identity says."""
        _, _, content = await door.exchange("GET", f"{address}/lora-adapters")
        applied = [entry.get("scale") for entry in orjson.loads(content)]
        if applied != ([1.0] if self._adapter else []):
            raise EngineError("llama.cpp did not apply the adapter", where=str(self._adapter or self._path))


@contextmanager
def _threads_that_soon_sleep() -> Iterator[None]:
    """Have llama.cpp's threads (OpenMP) spin only briefly while they wait for each other; OpenMP reads the wish when it is loaded.

    By default they spin for long, and where another program wants a core too, each waits for one that is not running. Four
    short answers at once (SmolLM2, 2 cores), in tokens a second, by default, with this, and without any spinning: beside one or
    two other programs 7 to 12, 14 to 35, 20 to 37; alone 57, 56, 53. The user's own settings are left alone.
    """
    name = "GOMP_SPINCOUNT"
    ours = name not in os.environ and "OMP_WAIT_POLICY" not in os.environ
    if ours:
        os.environ[name] = "1000"
    try:
        yield
    finally:
        if ours:
            del os.environ[name]


def _cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
