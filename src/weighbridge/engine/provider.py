"""The door between us and whatever answers: one interface, one file per implementation beside this one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from weighbridge.engine.questions import Answer, Question, Reply, Request
from weighbridge.errors import ProviderError


@dataclass(frozen=True, slots=True)
class Access:
    """What a provider lets us do, found out before the first question.

    `chat`: a chat interface that applies the model's own template. `completion`: raw completion without a template.
    `prefill`: the assistant's reply can be begun for it. `note`: one line on how this was found out, shown to people.
    `techniques`: the only ones there are on `weights`, by their name in the evidence; None: all that the rest allows.
    """

    chat: bool
    completion: bool
    prefill: bool
    note: str = ""
    techniques: Sequence[str] | None = None

    @property
    def weights(self) -> bool:
        """Whether the `weights` rung can be asked at all."""
        return self.completion or self.prefill


class Provider(Protocol):
    """Something that answers requests. Implementations make no retries and keep no order: the asker does that.

    `subject` is the identity that goes into every question: a digest, or `endpoint:URL#model` for what has none.
    `concurrency` is where adaptive concurrency starts and the most that helps (start, limit).
    """

    subject: str
    concurrency: tuple[int, int]

    async def access(self) -> Access:
        """Find out what can be asked. Raises `ProviderError` or `EngineError` when the provider cannot be used at all."""
        ...

    async def ask(self, request: Request) -> Answer:
        """Return the answer, or raise `Transient` (worth another try), `Rejected` (this request never will be answered) or
        `ProviderError` (none will be).
        """
        ...

    async def close(self) -> None:
        """Release everything: sockets, processes, memory. May be called twice."""
        ...


@runtime_checkable
class PlacedProvider(Protocol):
    """A provider that needs to know where in the plan a question belongs: it is asked by `reply` instead of `ask`."""

    async def reply(self, question: Question) -> Reply:
        """Return the answer, or a failure that says why there is none: a fact about this one question, never a reason to stop."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """Some more of an answer. `finish` comes with the last: why the model stopped."""

    text: str
    finish: str | None = None


@runtime_checkable
class StreamingProvider(Protocol):
    """A provider that gives an answer piece by piece. `streaming.stream` sets its bounds, and knows what to do with other providers."""

    def stream(self, request: Request) -> AsyncGenerator[Piece]:
        """Yield the answer to the same request as `ask` would send. Closing the generator ends the generation. Raises as `ask` does."""
        ...


class Rejected(ProviderError):
    """A provider will not answer this one request (too long, filtered, a setting it does not know); others may pass."""


class Transient(Exception):
    """An attempt failed in a way that may pass: 429, 5xx, a dropped connection, a time-out.

    `retry_after_s` is what the server asked for, if it did. `timed_out` marks time-outs; `slow_down` marks 429 and 503, on which
    the asker lowers its concurrency.
    """

    def __init__(
        self,
        detail: str,
        *,
        retry_after_s: float | None = None,
        timed_out: bool = False,
        slow_down: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail, self.retry_after_s = detail, retry_after_s
        self.timed_out, self.slow_down = timed_out, slow_down
