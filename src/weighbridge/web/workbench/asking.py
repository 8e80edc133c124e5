"""What goes on while people read: models are asked, and what they say is stored about twice a second.

One thread with an event loop of its own asks, so that a model that is being loaded holds up no page. What came last is in memory (`Live`); what is in the
database is what a reload, another service, or a start after a kill goes on from. No text of anybody goes to a log.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

from weighbridge.engine.ladder import Step
from weighbridge.engine.provider import Provider, Transient
from weighbridge.engine.questions import Request
from weighbridge.engine.streaming import BOUNDS, AnswerCut, Bounds, stream
from weighbridge.engine.turns import turn_steps
from weighbridge.errors import WeighbridgeError
from weighbridge.evidence.records import NotMeasured, Reason
from weighbridge.protocol.model import Sampling
from weighbridge.registry.conversations import Conversation, Side, SideState, Turn, Update, flush, said_before, storable
from weighbridge.registry.store import Store
from weighbridge.web.workbench.models import ModelState, Ready, Shelf, Told

_LOG = logging.getLogger("weighbridge.web.workbench")
FLUSH_S = 0.5
BEAT_S = 3.0
IDLE_LOOK_S = 30.0
WAITS_S = (1.0, 3.0, None)  # before another try, when nothing came yet
MOST_WAIT_S = 20.0
MOST_AT_ONCE = 64
CLOSE_S = 10.0
ONE_CANNOT = "one of the two cannot be asked so, and to say which would tell them apart: neither was asked"
ONE_FAILED = "one of the two models cannot be used, and to say which would tell them apart: neither was asked"
_EMPTY = "an empty answer, which says nothing of what the model would do"


class Live:
    """An answer while it comes: the whole text, and how far it is. Safe between threads."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.is_over = False
        self.task: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self._stored, self._pieces, self._letters = "", list[str](), 0
        self._update, self._is_new, self._beat_at_s = Update(side, state=SideState.WAITING), True, 0.0

    def add(self, text: str) -> None:
        """Add what came."""
        text = storable(text)
        with self._lock:
            if self._update.state.is_open:
                self._pieces.append(text)
                self._letters += len(text)

    def tell(self, state: SideState, **more: Any) -> None:
        """Say how far it is, and what `Update` has besides. After the first end nothing counts any more."""
        with self._lock:
            if self._update.state.is_open:
                self._update = replace(self._update, state=state, **more)
                self._is_new = True

    @property
    def state(self) -> SideState:
        """How far it is."""
        return self._update.state

    @property
    def letters(self) -> int:
        """How many letters have come."""
        return self._letters

    def after(self, offset: int) -> str:
        """Return the text from a letter on."""
        with self._lock:
            if offset >= self._letters:
                return ""
            coming, stored = "".join(self._pieces), len(self._stored)
            return coming[offset - stored :] if offset >= stored else self._stored[offset:] + coming

    def due(self, now_s: float) -> tuple[Update, int] | None:
        """Return what is to be stored and how many pieces are in it; None when there is nothing, and no sign of life is due."""
        with self._lock:
            if self.is_over or not (self._pieces or self._is_new or now_s - self._beat_at_s >= BEAT_S):
                return None
            return replace(self._update, piece="".join(self._pieces)), len(self._pieces)

    def stored(self, update: Update, pieces: int, now_s: float) -> None:
        """Take note that an update is stored. When it was the end, the answer is over."""
        with self._lock:
            self._stored += update.piece
            del self._pieces[:pieces]
            self._beat_at_s = now_s
            if replace(update, piece="") == self._update:
                self._update, self._is_new = Update(self.side, state=update.state), False
                self.is_over = not update.state.is_open


@dataclass(frozen=True)
class Job:
    """Sides of one turn that are to be asked now. `earlier`: the turns before."""

    conversation: Conversation
    turn: Turn
    sides: tuple[Side, ...]
    earlier: tuple[Turn, ...]

    @property
    def letters(self) -> tuple[str, ...]:
        """The sides whose models it needs: of a hidden conversation both, so that what goes wrong tells nothing."""
        asked = {side.letter for side in self.sides}
        return tuple(each for each in self.conversation.letters if self.conversation.hidden or each in asked)

    @property
    def references(self) -> tuple[str, ...]:
        """The models of those sides, the candidate first whichever side it is on: the order in which they are loaded can be seen."""
        needed = {self.conversation.model(letter).reference for letter in self.letters}
        models = (self.conversation.candidate, self.conversation.baseline)
        return tuple(dict.fromkeys(each.reference for each in models if each is not None and each.reference in needed))


class Workbench:
    """All that runs for the workbench of one service. `server` names it in the database. Every public function may be called from any thread."""

    def __init__(self, store: Store, shelf: Shelf, *, bounds: Bounds = BOUNDS) -> None:
        self.shelf, self.server = shelf, secrets.token_hex(16)
        self._store, self._bounds = store, bounds
        self._lock, self._lives, self._is_closed = threading.Lock(), dict[str, Live](), False
        self._ended, self._flushing, self._at_once = asyncio.Event(), asyncio.Lock(), asyncio.Semaphore(MOST_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="weighbridge-workbench", daemon=True)
        self._thread.start()

    def ask(self, job: Job) -> None:
        """Begin to ask; the sides are in the database already."""
        with self._lock:
            self._lives |= {side.id: Live(side.id) for side in job.sides}
        self._loop.call_soon_threadsafe(self._start, self._turn(job, [self._lives[side.id] for side in job.sides]))

    def live(self, side: str) -> Live | None:
        """Return an answer that this service is asking for, until its end is stored."""
        return self._lives.get(side)

    def stop(self, side: str) -> bool:
        """End an answer and store what came; return whether it was this service's to end."""
        live = self.live(side)
        if live is None:
            return False
        live.tell(SideState.STOPPED, problem="stopped by whoever asked", advice="ask again")
        with suppress(TimeoutError):  # the database is slow: it is stored when that is done
            asyncio.run_coroutine_threadsafe(self._leave([live]), self._loop).result(CLOSE_S)
        return True

    def doing(self, conversation: Conversation) -> str:
        """Return how far the models of a conversation are, in words: the candidate first, whichever side it is on."""
        models = [conversation.candidate, *([conversation.baseline] if conversation.baseline else [])]
        return "; ".join(f"{model.name}: {_in_words(self.shelf.told(model.reference))}" for model in models)

    def close(self) -> None:
        """End all answers, marked as interrupted, and let go of the models. May be called twice."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        try:
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(CLOSE_S)
        except TimeoutError:
            _LOG.error("the workbench did not end within %g s", CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._start(self._keep_storing())
        self._loop.run_forever()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _close(self) -> None:
        lives = list(self._lives.values())
        for live in lives:
            live.tell(SideState.INTERRUPTED, problem="the service was ended before the answer did", advice="ask again")
        await self._leave(lives)
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.shelf.close()

    async def _leave(self, lives: Sequence[Live]) -> None:
        tasks = [live.task for live in lives if live.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._store_due()

    async def _turn(self, job: Job, lives: Sequence[Live]) -> None:
        try:
            async with self.shelf.hold(job.references) as models:
                await self._sides(job, lives, models)
        except Exception as error:  # not what was said: its text may hold anything
            _LOG.error("turn %s: %s", job.turn.id, type(error).__name__)
            for live in lives:
                live.tell(SideState.FAILED, problem=f"a fault of ours ({type(error).__name__})", advice="ask again")
        finally:
            self._ended.set()

    async def _sides(self, job: Job, lives: Sequence[Live], models: Mapping[str, Ready | WeighbridgeError]) -> None:
        plans = {letter: _plan(job, letter, models) for letter in job.letters}
        if job.conversation.hidden and (told := _told_of_both(plans.values())) is not None:
            for live in lives:
                live.tell(told[0], problem=told[1], advice="reveal which is which, or ask on another rung")
            return
        for side, live in zip(job.sides, lives, strict=True):
            plan = plans[side.letter]
            if isinstance(plan, WeighbridgeError):
                live.tell(SideState.FAILED, problem=plan.what, advice=plan.do or "ask again")
            elif live.state.is_open:
                model = models[job.conversation.model(side.letter).reference]
                assert isinstance(model, Ready)
                live.task = self._start(self._side(live, model.provider, plan[side.trial]))
        if tasks := [live.task for live in lives if live.task is not None]:
            await asyncio.wait(tasks)

    async def _side(self, live: Live, provider: Provider, step: Step) -> None:
        try:
            if isinstance(step.ask, NotMeasured):
                live.tell(
                    SideState.NOT_MEASURED, technique=step.technique, problem=_why(step.ask), advice=_advice(step.ask)
                )
                return
            async with self._at_once:
                told = {"subject": provider.subject, "technique": step.technique, "prefill": step.prefill}
                live.tell(SideState.ANSWERING, **told)
                await self._answer(live, provider, step.ask)
        except AnswerCut as error:
            live.tell(SideState.CUT, problem=error.what, advice="ask for less")
        except Transient as error:
            live.tell(SideState.FAILED, problem=error.detail, advice="ask again in a moment")
        except WeighbridgeError as error:
            live.tell(
                SideState.FAILED, problem=error.what, advice=error.do or "ask again, or begin another conversation"
            )
        except Exception as error:
            _LOG.error("side %s: %s", live.side, type(error).__name__)
            live.tell(SideState.FAILED, problem=f"a fault of ours ({type(error).__name__})", advice="ask again")
        finally:
            self._ended.set()

    async def _answer(self, live: Live, provider: Provider, request: Request) -> None:
        for wait_s in WAITS_S:
            try:
                async with aclosing(stream(provider, request, self._bounds)) as texts:
                    async for text in texts:
                        live.add(text)
            except Transient as error:
                if live.letters or wait_s is None:  # what has begun is not begun again
                    raise
                await asyncio.sleep(min(error.retry_after_s or wait_s, MOST_WAIT_S))
            else:
                if live.after(0).strip():
                    live.tell(SideState.ANSWERED, finish=texts.finish)
                else:
                    live.tell(SideState.NOT_MEASURED, finish=texts.finish, problem=_EMPTY, advice="ask in other words")
                return

    async def _keep_storing(self) -> None:
        looked_at_s = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(FLUSH_S):
                    await self._ended.wait()
            except TimeoutError:
                pass
            self._ended.clear()
            await self._store_due()
            if time.monotonic() - looked_at_s > IDLE_LOOK_S:
                looked_at_s = time.monotonic()
                self._start(self.shelf.unload_idle())

    async def _store_due(self) -> None:
        """Store what came. While the database fails it stays in memory, and is stored when it is back."""
        async with self._flushing:
            now_s = time.monotonic()
            due = [(live, *found) for live in list(self._lives.values()) if (found := live.due(now_s)) is not None]
            if not due:
                return
            try:
                lost = await asyncio.to_thread(self._stored, [update for _, update, _ in due])
            except Exception as error:
                _LOG.error("answers cannot be stored: %s", type(error).__name__)
                return
            for live, update, pieces in due:
                if live.side in lost:
                    live.is_over = True
                    if live.task is not None:
                        live.task.cancel()
                else:
                    live.stored(update, pieces, now_s)
            with self._lock:
                self._lives = {side: live for side, live in self._lives.items() if not live.is_over}

    def _stored(self, updates: Sequence[Update]) -> frozenset[str]:
        with self._store.writing() as connection:
            return flush(connection, self._store.clock(), self.server, updates)


def _plan(job: Job, letter: str, models: Mapping[str, Ready | WeighbridgeError]) -> Sequence[Step] | WeighbridgeError:
    """Return what is asked on a side, a step for each sample, or why its model cannot be used."""
    model, setting = models[job.conversation.model(letter).reference], job.turn.setting
    if isinstance(model, WeighbridgeError):
        return model
    return turn_steps(
        job.turn.text,
        said_before(job.earlier, job.turn.number, letter),
        rung=setting.rung,
        technique=setting.technique,
        opening=setting.opening,
        sampling=Sampling(
            temperature=setting.temperature, top_p=setting.top_p, top_k=setting.top_k, tries=setting.tries
        ),
        max_tokens=setting.max_tokens,
        seed=setting.seed,
        access=model.access,
        chat_template=model.chat_template,
        guard=model.guard,
    )


def _told_of_both(plans: Iterable[Sequence[Step] | WeighbridgeError]) -> tuple[SideState, str] | None:
    """Return what is told of both sides of a hidden conversation when one of them cannot be asked."""
    told = None
    for plan in plans:
        if isinstance(plan, WeighbridgeError):
            return SideState.FAILED, ONE_FAILED
        if any(isinstance(step.ask, NotMeasured) for step in plan):
            told = SideState.NOT_MEASURED, ONE_CANNOT
    return told


def _why(found: NotMeasured) -> str:
    return f"{found.reason.value}: {found.detail}" if found.detail else found.reason.value


def _advice(found: NotMeasured) -> str:
    if found.reason is Reason.NO_GUARD:
        return "choose the rung api, or let the operator start the service with the provider's system prompt"
    return "choose another rung or technique"


def _in_words(told: Told) -> str:
    share = f", {told.how_far:.0%}" if told.how_far is not None else ""
    if told.state is ModelState.FAILED:
        return f"{told.problem}; {told.advice}"
    return f"{told.doing}{share}" if told.doing else told.state.value
