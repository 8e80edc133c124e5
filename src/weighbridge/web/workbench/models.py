"""The models that a workbench offers: loaded on first use, one at a time, a few at most, and unloaded when nobody uses them."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from urllib.parse import urlsplit

from weighbridge.digests import digest_bytes
from weighbridge.engine.opening import open_provider
from weighbridge.engine.provider import Access, Provider
from weighbridge.errors import EngineError, UsageError, WeighbridgeError
from weighbridge.protocol.model import Asking
from weighbridge.subject.locations import DirectoryLocation, GGUFLocation
from weighbridge.subject.manifest import Progress
from weighbridge.subject.references import resolve

DEMO = ("demo:guarded", "demo:smollm2")
"""What is offered when the operator names no model: small, and fetched on first use."""
MOST_LOCAL = 2
IDLE_S = 600.0


@dataclass(frozen=True)
class Offer:
    """A model that may be asked. `key` names it in a form; a reference may be a path, which is the operator's business."""

    reference: str

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits."""
        return digest_bytes(self.reference.encode()).removeprefix("sha256:")[:12]

    @property
    def name(self) -> str:
        """What people read."""
        return name_of(self.reference)


class ModelState(StrEnum):
    """How far a model is."""

    NOT_LOADED = "not loaded"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Told:
    """How far a model is, for people. `how_far` lies in [0, 1], None where it cannot be known. `problem` and `advice`: why it failed."""

    state: ModelState
    doing: str = ""
    how_far: float | None = None
    problem: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Opened:
    """A model that was found. Nothing is loaded before the provider's first `access`. `chat_template`: what its files say."""

    provider: Provider
    chat_template: bool | None
    is_local: bool


@dataclass(frozen=True)
class Ready:
    """A model that can be asked. `guard`: its provider's system prompt, where the operator gave one."""

    provider: Provider
    access: Access
    chat_template: bool | None
    guard: str | None


@dataclass
class _Place:
    """One model on the shelf. `told` is read by other threads, so it is only ever replaced."""

    offer: Offer
    told: Told = field(default_factory=lambda: Told(ModelState.NOT_LOADED))
    ready: Ready | None = None
    is_local: bool = False
    users: int = 0
    used_at_s: float = 0.0


Opener = Callable[[str, Progress], Opened]


def open_model(reference: str, progress: Progress) -> Opened:
    """Find a model, as `weighbridge assess` would; fetching and hashing are told. Raises as `resolve` does."""
    resolved = resolve(reference, environ=os.environ, progress=progress)
    provider = open_provider(resolved, Asking(), os.environ)
    is_local = isinstance(resolved.location, GGUFLocation | DirectoryLocation)
    return Opened(provider, resolved.subject.chat_template, is_local)


class Shelf:
    """The models of one service. Everything but `told` belongs to one event loop.

    `guard` is the system prompt of the first model's provider. Whoever needs several models gets all of them or waits for all of them, so that two
    conversations never wait for each other's.
    """

    def __init__(
        self,
        references: Sequence[str],
        *,
        guard: str | None = None,
        opener: Opener = open_model,
        most_local: int = MOST_LOCAL,
    ) -> None:
        self.offers = tuple(Offer(each) for each in dict.fromkeys(references or DEMO))
        self._places = {offer.reference: _Place(offer) for offer in self.offers}
        self._guard, self._opener, self._most_local = guard, opener, most_local
        self._changing = asyncio.Lock()
        self._freed = asyncio.Event()

    def told(self, reference: str) -> Told:
        """Return how far a model is. May be called from any thread."""
        place = self._places.get(reference)
        return place.told if place else Told(ModelState.FAILED, problem="this model is no longer offered here")

    @asynccontextmanager
    async def hold(self, references: Sequence[str]) -> AsyncIterator[Mapping[str, Ready | WeighbridgeError]]:
        """Yield each model, loaded and staying so for as long as this lasts, or what is wrong with it."""
        wanted = tuple(dict.fromkeys(references))
        held: dict[str, Ready | WeighbridgeError] = {}
        try:
            if all(each in self._places and self._places[each].ready for each in wanted):
                for each in wanted:
                    held[each] = self._take(self._places[each])
            else:
                async with self._changing:
                    for each in wanted:
                        held[each] = await self._found(each, wanted)
            yield held
        finally:
            for each, found in held.items():
                if isinstance(found, Ready):
                    self._places[each].users -= 1
                    self._places[each].used_at_s = time.monotonic()
            self._freed.set()

    async def unload_idle(self, idle_s: float = IDLE_S) -> None:
        """Let go of models that nobody has used for so long."""
        if self._changing.locked():
            return
        async with self._changing:
            for place in self._places.values():
                if place.ready and not place.users and time.monotonic() - place.used_at_s >= idle_s:
                    await self._unload(place)

    async def close(self) -> None:
        """Let go of all."""
        async with self._changing:
            for place in self._places.values():
                await self._unload(place)

    def _take(self, place: _Place) -> Ready:
        assert place.ready is not None
        place.users += 1
        return place.ready

    async def _found(self, reference: str, wanted: Sequence[str]) -> Ready | WeighbridgeError:
        place = self._places.get(reference)
        if place is None:
            return UsageError("this model is no longer offered here", do="begin a conversation with one that is")
        try:
            if place.ready is None:
                await self._load(place, wanted)
            return self._take(place)
        except WeighbridgeError as error:
            place.told = Told(ModelState.FAILED, problem=error.what, advice=error.do or "try again")
            return error
        except Exception as error:  # a library's: its text may be anything
            place.told = Told(
                ModelState.FAILED, problem=f"it cannot be loaded ({type(error).__name__})", advice="try again"
            )
            return EngineError(place.told.problem, do=place.told.advice)

    async def _load(self, place: _Place, wanted: Sequence[str]) -> None:
        def progress(doing: str, done: int, total: int | None) -> None:
            place.told = Told(ModelState.LOADING, doing, done / total if total else None)

        place.told = Told(ModelState.LOADING, "looking for it")
        opened = await _in_a_thread_of_its_own(lambda: self._opener(place.offer.reference, progress))
        try:
            if opened.is_local:
                await self._make_room(wanted)
            place.told = Told(ModelState.LOADING, "loading it")
            access = await opened.provider.access()
        except BaseException:
            await opened.provider.close()
            raise
        guard = self._guard if place.offer == self.offers[0] else None
        place.ready, place.is_local = Ready(opened.provider, access, opened.chat_template, guard), opened.is_local
        place.told = Told(ModelState.READY)

    async def _make_room(self, wanted: Sequence[str]) -> None:
        """Unload until one more local model may be loaded; wait for one that is still used. What is `wanted` now is not unloaded."""
        while True:
            self._freed.clear()
            loaded = [place for place in self._places.values() if place.ready and place.is_local]
            if len(loaded) < self._most_local:
                return
            idle = [place for place in loaded if not place.users and place.offer.reference not in wanted]
            if idle:
                await self._unload(min(idle, key=lambda place: place.used_at_s))
            else:
                await self._freed.wait()

    async def _unload(self, place: _Place) -> None:
        ready, place.ready = place.ready, None
        if ready is not None:
            place.told = Told(ModelState.NOT_LOADED)
            await ready.provider.close()


async def _in_a_thread_of_its_own(find: Callable[[], Opened]) -> Opened:
    """Return what `find` returns. Fetching may take minutes and cannot be broken off: the thread is one that the program's end does not wait for."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Opened] = loop.create_future()

    def told(opened: Opened | None, error: BaseException | None) -> None:
        if found.done():
            return
        if error is not None:
            found.set_exception(error)
        elif opened is not None:
            found.set_result(opened)

    def work() -> None:
        opened: Opened | None = None
        failed: BaseException | None = None
        try:
            opened = find()
        except BaseException as error:
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(told, opened, failed)

    threading.Thread(target=work, name="weighbridge-finding", daemon=True).start()
    return await found


def name_of(reference: str) -> str:
    """Return what people read of a reference: no path, no address but its host.

    >>> [name_of(each) for each in ("demo:guarded", "/models/a/tiny.gguf", "http://user:word@127.0.0.1:80/v1#mistral")]
    ['demo:guarded', 'tiny.gguf', 'mistral at 127.0.0.1:80']
    """
    if reference.lower().startswith(("http://", "https://")):
        parts = urlsplit(reference)
        return f"{parts.fragment} at {parts.netloc.rpartition('@')[2]}"
    if reference.startswith(("demo:", "inspect:")):
        return reference
    kind, colon, path = reference.partition(":")
    if colon and kind in ("search", "recorded"):
        return f"{kind}:{PurePath(path).name}"
    return PurePath(reference).name
