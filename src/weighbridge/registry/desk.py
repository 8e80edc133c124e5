"""Notices for many who ask at once, on an event loop that never waits for the database.

    asker -> queue -> a thread, which takes all that have come and asks the database once -> the askers

While one thread asks, those who come gather, and are the next to be asked for together; when it takes long, another thread begins beside it. A thread
keeps its connection while there is work. Who asks waits for a bounded time, however the database hangs; when it was away and is back, the
first question finds the old connection dead and goes to a new one.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue

from weighbridge.registry.problems import RegistryError
from weighbridge.registry.quick import Notices, Rendered
from weighbridge.registry.store import Store

THREADS = 4
PATIENCE_S = 0.05  # after which another thread begins
MOST_AT_ONCE = 32
MOST_WAITING = 2_000
WITHIN_S = 5.0
IDLE_S = 10.0


@dataclass(frozen=True)
class Answered:
    """A notice, and the time it is of."""

    notice: Rendered
    at: datetime


@dataclass(frozen=True, eq=False)
class _Asker:
    digest: str
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Answered]
    until: float  # by the loop's clock


class Desk:
    """Answers for one registry, on one event loop."""

    def __init__(self, store: Store, clock: Callable[[], datetime], *, within_s: float = WITHIN_S) -> None:
        self._store, self._clock, self._within_s = store, clock, within_s
        self._notices = Notices(store)
        # All that follows is touched on the event loop alone, but for the work handed to the threads.
        self._come: list[_Asker] = []
        self._is_called = False
        self._waiting: deque[_Asker] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._out, self._most_out, self._last_out = 0, 1, 0.0
        self._patience: asyncio.TimerHandle | None = None
        self._work: SimpleQueue[list[_Asker]] = SimpleQueue()
        self._threads = 0
        self._counting = threading.Lock()  # of threads

    async def notice(self, digest: str) -> Answered:
        """Return the notice of a whole digest as of now. Raises `RegistryError`, after `within_s` seconds at the latest."""
        loop = asyncio.get_running_loop()
        asker = _Asker(digest, loop, loop.create_future(), loop.time() + self._within_s)
        waiting = self._waiting
        while waiting and waiting[0].answer.done():
            waiting.popleft()
        if len(waiting) >= MOST_WAITING:
            raise RegistryError(
                "too many ask the registry at once", where=self._store.where, do="do the same again in a moment"
            )
        waiting.append(asker)
        if self._timer is None:
            self._timer = loop.call_at(asker.until, self._late)
        self._come.append(asker)
        if self._out >= self._most_out:
            if self._patience is None:
                self._patience = loop.call_later(PATIENCE_S, self._wait_no_more, loop)
        elif not self._is_called:
            self._is_called = True
            loop.call_soon(self._hand_out)  # once the others who are here already have asked
        return await asker.answer

    def _wait_no_more(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let one more thread begin when what is out has been out for long."""
        self._patience = None
        if not self._come:
            return
        if loop.time() - self._last_out >= PATIENCE_S:
            self._most_out = min(self._most_out + 1, THREADS)
            self._hand_out()
        if self._come:
            self._patience = loop.call_later(PATIENCE_S, self._wait_no_more, loop)

    def _hand_out(self) -> None:
        """Give those who have come to a thread; while all are at work, those who come gather."""
        self._is_called = False
        while self._come and self._out < self._most_out:
            batch = [each for each in self._come[:MOST_AT_ONCE] if not each.answer.done()]
            del self._come[:MOST_AT_ONCE]
            if not batch:
                continue
            self._out += 1
            self._last_out = batch[0].loop.time()
            self._work.put(batch)
            with self._counting:
                if self._threads < self._out:
                    self._threads += 1
                    threading.Thread(target=self._serve, name="weighbridge notices", daemon=True).start()

    def _late(self) -> None:
        """Let those go who have waited for too long."""
        self._timer = None
        while self._waiting:
            asker = self._waiting[0]
            if not asker.answer.done():
                if asker.until > asker.loop.time():
                    self._timer = asker.loop.call_at(asker.until, self._late)
                    return
                problem = RegistryError(
                    "the database does not answer",
                    where=self._store.where,
                    do="check that it runs, and do the same again",
                )
                asker.answer.set_exception(problem)
            self._waiting.popleft()
        self._come = [each for each in self._come if not each.answer.done()]

    def _serve(self) -> None:
        """Work in a thread of its own until nobody has come for a while."""
        askers = self._next()
        while askers:
            askers = self._answer_on_one_connection(askers)

    def _answer_on_one_connection(self, askers: list[_Asker]) -> list[_Asker]:
        """Answer those and all who come after them. Return whom to go on with after a failure, nobody when there is nothing left to do."""
        is_used = False
        try:
            with self._store.driver() as driver, driver.plans_kept():
                while askers:
                    at = self._clock()
                    found = self._notices.several(driver, [each.digest for each in askers], at)
                    self._deliver(askers, [Answered(each, at) for each in found])
                    is_used = True
                    askers = self._next()
        except Exception as error:
            if is_used:
                return askers  # the connection may have died since: once more, on another one
            self._deliver(askers, error)
            askers = self._next()
        return askers

    def _next(self) -> list[_Asker]:
        while True:
            try:
                return self._work.get(timeout=IDLE_S)
            except Empty:
                with self._counting:
                    if self._work.empty():
                        self._threads -= 1
                        return []

    def _deliver(self, askers: Sequence[_Asker], answer: Sequence[Answered] | Exception) -> None:
        """Hand the answers over on the event loop, all at once."""

        def settle() -> None:
            self._out -= 1
            if self._out == 0:
                self._most_out = 1
            for number, asker in enumerate(askers):
                if asker.answer.done():  # gone, or told that it takes too long
                    continue
                if isinstance(answer, Exception):
                    asker.answer.set_exception(answer)
                else:
                    asker.answer.set_result(answer[number])
            self._hand_out()

        with suppress(RuntimeError):  # the loop has ended, and with it who asked
            askers[0].loop.call_soon_threadsafe(settle)
