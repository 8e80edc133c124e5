"""Asks what a policy wants asked: from the store first, then from providers, as fast as each of them likes.

The policy decides the order; the asker decides only when. One task, the pump, talks to the policy and hands questions to
workers; each provider has its own lane of workers, window, spacing and breaker. An answer is stored by the worker that got it,
before anything else happens to it, so that whatever ends a run loses nothing that was answered. An error never becomes
text: a question that got no answer gets a `Failure` with its reason, is not stored, and is asked again by the next run.

An empty answer is a fact about the subject, and not worth asking twice: it is stored, and delivered as
`Failure(EMPTY_ANSWER)`, now and whenever it comes out of the store. See `docs/methods/asking.md`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from weighbridge.engine.breaker import Breaker
from weighbridge.engine.pace import RETRY_AFTER_MOST_S, Spacing, Window, backoff_s
from weighbridge.engine.policy import Policy
from weighbridge.engine.provider import PlacedProvider, Provider, Transient
from weighbridge.engine.questions import Answer, Failure, Question, Reply
from weighbridge.engine.store import Answers
from weighbridge.errors import EngineError, ProviderError
from weighbridge.evidence.records import Reason
from weighbridge.protocol.model import Asking

_AT_ONCE = 256  # replies that need no call, before other tasks get their turn


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, for a progress display. `calls` is what this asker has used of its budget so far.

    "settled": `reply` is final. "retry": a try failed for the reason in `detail`, and the question is tried again.
    `concurrency` is how many calls its provider is allowed at once now.
    """

    kind: Literal["settled", "retry"]
    question: Question
    reply: Reply | None
    from_store: bool
    calls: int
    concurrency: int
    detail: str = ""


@dataclass(slots=True)
class SubjectTally:
    """What asking one subject took. Token counts are None when the provider did not tell them for every answer.

    `calls` counts every try, `reused` replies from the store, `seconds` the time in which a question was outstanding.
    """

    calls: int = 0
    reused: int = 0
    failures: int = 0
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    seconds: float = 0.0

    def add_tokens(self, answer: Answer) -> None:
        """Count an answer that was called for."""
        self.prompt_tokens = _sum(self.prompt_tokens, answer.prompt_tokens)
        self.completion_tokens = _sum(self.completion_tokens, answer.completion_tokens)


@dataclass(frozen=True, slots=True)
class Tally:
    """What one run took, by subject."""

    by_subject: dict[str, SubjectTally] = field(default_factory=dict)

    def __getitem__(self, subject: str) -> SubjectTally:
        return self.by_subject.setdefault(subject, SubjectTally())


class Asker:
    """Asks questions of `providers` (by subject identity), keeping answers in `store`.

    `limits.budget` bounds the calls that this asker makes in its life, tries included; `spent` are calls made under the same
    budget before. Clock, sleep and jitter can be replaced by tests.

    >>> from weighbridge.engine.policy import InOrder
    >>> asker = Asker({}, {}, limits=Asking())  # type: ignore[arg-type]
    >>> asyncio.run(asker.run(InOrder([]))).by_subject
    {}
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        store: Answers,
        *,
        limits: Asking,
        observe: Callable[[Event], None] | None = None,
        spent: int = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.calls = spent
        self._store, self._limits, self._observe = store, limits, observe
        self._clock, self._sleep, self._draw = clock, sleep, draw
        self._lanes = {subject: _Lane(provider, limits, clock, sleep) for subject, provider in providers.items()}
        self._running = False

    async def run(self, policy: Policy) -> Tally:
        """Ask until the policy has nothing more to ask and nothing is outstanding; return what it took.

        Raises `ProviderError` when a provider turns out to be of no use, and what the store or the policy raise. A cancelled run
        raises `asyncio.CancelledError` after its calls are ended; what was answered is stored.
        """
        if self._running:
            raise RuntimeError("one run at a time")
        self._running = True
        pump = _Pump(self, policy)
        try:
            return await pump.run()
        finally:
            self._running = False
            await pump.end()

    @property
    def budget_spent(self) -> bool:
        """Whether no further call may be made."""
        return self._limits.budget is not None and self.calls >= self._limits.budget

    async def _ask(self, lane: _Lane, question: Question, tally: SubjectTally) -> Reply:
        """Return the reply to one question, after as many tries as are allowed and needed. An answer is in the store by then."""
        await lane.open()
        tries, failed = 0, ""
        while True:
            if not self.budget_spent:
                await lane.turn()
            if self.budget_spent:
                return _budget_spent(failed, tries)
            tries += 1
            tally.calls += 1
            self.calls += 1
            started_s = self._clock()
            try:
                async with asyncio.timeout(self._limits.timeout_s):
                    reply = await lane.ask(question)
            except TimeoutError:
                trouble = Transient(f"no answer within {self._limits.timeout_s:g} s", timed_out=True)
            except Transient as error:
                trouble = error
            except ProviderError as error:
                lane.breaker.failed(error)
                return Failure(Reason.PROVIDER_ERROR, error.what, tries)
            else:
                if isinstance(reply, Failure):
                    return reply
                self._store.put(question, reply)
                tally.add_tokens(reply)
                lane.answered(started_s)
                return _said(reply, tries)
            failed = trouble.detail
            lane.troubled(trouble, started_s)
            if tries >= self._limits.attempts:
                lane.breaker.gave_up(trouble)
                return Failure(Reason.TIMED_OUT if trouble.timed_out else Reason.PROVIDER_ERROR, failed, tries)
            self._tell("retry", question, None, detail=failed)
            await self._sleep(backoff_s(tries, trouble.retry_after_s, self._draw))

    def _tell(
        self,
        kind: Literal["settled", "retry"],
        question: Question,
        reply: Reply | None,
        *,
        from_store: bool = False,
        detail: str = "",
    ) -> None:
        if self._observe is not None:
            lane = self._lanes.get(question.subject)
            allowed = lane.window.allowed if lane else 0
            self._observe(Event(kind, question, reply, from_store, self.calls, allowed, detail))


class _Lane:
    """One provider, and the pace at which it is asked. Lives as long as the asker."""

    def __init__(
        self,
        provider: Provider,
        limits: Asking,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        start, limit = provider.concurrency
        self.provider = provider
        self._placed = provider if isinstance(provider, PlacedProvider) else None
        self.window = Window(start, min(limit, limits.concurrency))
        self.breaker = Breaker(provider.subject.removeprefix("endpoint:"), limits.attempts)
        self._spacing = Spacing(limits.requests_per_minute)
        self._held_until_s = float("-inf")
        self._clock, self._sleep = clock, sleep
        self._opening = asyncio.Lock()
        self._opened = False

    async def open(self) -> None:
        """Have the provider ready before the first call, so that loading a model does not count as answering slowly."""
        if not self._opened:
            async with self._opening:
                if not self._opened:
                    await self.provider.access()
                    self._opened = True

    async def ask(self, question: Question) -> Reply:
        """Return what the provider says. Raises what it raises."""
        if self._placed is not None:
            return await self._placed.reply(question)
        return await self.provider.ask(question.request)

    async def turn(self) -> None:
        """Wait until the next call may be made."""
        if (wait_s := self._spacing.wait_s(now_s=self._clock())) > 0:
            await self._sleep(wait_s)
        while (wait_s := self._held_until_s - self._clock()) > 0:
            await self._sleep(wait_s)

    def answered(self, started_s: float) -> None:
        """Hear that a call was answered just now."""
        self.window.answered(started_s=started_s, now_s=self._clock())
        self.breaker.answered()

    def troubled(self, trouble: Transient, started_s: float) -> None:
        """Hear that a call failed just now. What the server asked of one call it asks of all."""
        now_s = self._clock()
        if trouble.slow_down or trouble.timed_out:
            self.window.slow_down(started_s=started_s, now_s=now_s)
        if trouble.slow_down and trouble.retry_after_s is not None:
            self._held_until_s = max(self._held_until_s, now_s + min(trouble.retry_after_s, RETRY_AFTER_MOST_S))
        if trouble.timed_out:
            self.breaker.timed_out(trouble)


@dataclass(slots=True)
class _Crew:
    """The workers of one lane during one run."""

    lane: _Lane
    waiting: deque[Question] = field(default_factory=deque)
    idle: list[asyncio.Future[None]] = field(default_factory=list)
    outstanding: int = 0
    busy_since_s: float = 0.0

    @property
    def has_room(self) -> bool:
        return self.outstanding < self.lane.window.allowed


class _Pump:
    """One run: moves questions from the policy to the workers, and replies back."""

    def __init__(self, asker: Asker, policy: Policy) -> None:
        self._asker, self._policy = asker, policy
        self._tally = Tally()
        self._crews = {subject: _Crew(lane) for subject, lane in asker._lanes.items()}
        self._tasks: list[asyncio.Task[None]] = []
        self._replies: deque[tuple[Question, Reply]] = deque()
        self._held: Question | None = None  # came while its lane was full
        self._followers: dict[str, list[Question]] = {}  # questions outstanding, and others with the same key
        self._news = asyncio.Event()
        self._crash: BaseException | None = None

    async def run(self) -> Tally:
        while True:
            if self._crash is not None:
                raise self._crash
            while self._replies:
                self._deliver(*self._replies.popleft())
            if await self._fill() and not self._followers and not self._replies:
                return self._tally
            await self._news.wait()
            self._news.clear()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _fill(self) -> bool:
        """Hand out questions while there is room for them; return whether the policy has none for now."""
        without_call = 0
        while self._held is not None or self._any_room():
            question = self._held or self._policy.next_question()
            if question is None:
                return True
            crew = self._crew(question.subject)
            if question is not self._held:
                if self._settle_without_call(question):
                    without_call += 1
                    if without_call % _AT_ONCE == 0:
                        await asyncio.sleep(0)
                    continue
                self._followers[question.key] = []
            # A question whose lane is full waits, and no other is taken: choosing ahead is not the asker's to do.
            self._held = None if crew.has_room else question
            if self._held is not None:
                return False
            self._start(crew, question)
        return False

    def _any_room(self) -> bool:
        return not self._crews or any(crew.has_room for crew in self._crews.values())

    def _settle_without_call(self, question: Question) -> bool:
        """Settle a question that needs no call; return whether that was so."""
        key = question.key
        if (followers := self._followers.get(key)) is not None:
            followers.append(question)
            return True
        if (answer := self._asker._store.get(key)) is not None:
            self._tell(question, _said(answer, 0), from_store=True)
            return True
        if self._asker.budget_spent:
            self._tell(question, _budget_spent("", 0), from_store=False)
            return True
        return False

    def _start(self, crew: _Crew, question: Question) -> None:
        if crew.outstanding == 0:
            crew.busy_since_s = self._asker._clock()
        crew.outstanding += 1
        crew.waiting.append(question)
        while crew.idle:
            wake = crew.idle.pop()
            if not wake.done():
                wake.set_result(None)
                return
        self._tasks.append(asyncio.create_task(self._work(crew)))

    async def _work(self, crew: _Crew) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                while crew.waiting:
                    question = crew.waiting.popleft()
                    tally = self._tally[question.subject]
                    self._replies.append((question, await self._asker._ask(crew.lane, question, tally)))
                    self._news.set()
                wake = loop.create_future()
                crew.idle.append(wake)
                await wake
        except BaseException as error:
            self._crash = self._crash or error
            self._news.set()
            if not isinstance(error, Exception):  # cancelled, or the whole program is
                raise

    def _crew(self, subject: str) -> _Crew:
        if subject not in self._crews:
            raise EngineError("a question is meant for a subject that nobody opened", where=subject)
        return self._crews[subject]

    def _deliver(self, question: Question, reply: Reply) -> None:
        crew = self._crew(question.subject)
        crew.outstanding -= 1
        if crew.outstanding == 0:
            self._tally[question.subject].seconds += self._asker._clock() - crew.busy_since_s
        self._tell(question, reply, from_store=False)
        for follower in self._followers.pop(question.key):
            self._tell(follower, reply, from_store=isinstance(reply, Answer))

    def _tell(self, question: Question, reply: Reply, *, from_store: bool) -> None:
        tally = self._tally[question.subject]
        tally.reused += from_store
        tally.failures += isinstance(reply, Failure)
        self._policy.told(question, reply, from_store=from_store)
        self._asker._tell("settled", question, reply, from_store=from_store)


def _said(answer: Answer, calls: int) -> Reply:
    """Return an answer as it is delivered: nothing but white space is no answer."""
    if answer.text and not answer.text.isspace():
        return answer
    finish = f"the model stopped ({answer.finish})" if answer.finish else "the model stopped"
    return Failure(Reason.EMPTY_ANSWER, f"{finish} without a word", calls)


def _budget_spent(failed: str, tries: int) -> Failure:
    return Failure(Reason.BUDGET_SPENT, f"after a failed try: {failed}" if failed else "", tries)


def _sum(total: int | None, more: int | None) -> int | None:
    return None if total is None or more is None else total + more
