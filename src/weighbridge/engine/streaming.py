"""An answer while it comes: the same request as `ask` sends, in pieces of text, within bounds.

A provider that streams is a `StreamingProvider`; of any other the whole answer is one piece. What is too long, or does not end, is cut and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from weighbridge.engine.provider import Piece, Provider, StreamingProvider, Transient
from weighbridge.engine.questions import Request
from weighbridge.errors import EngineError


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is taken of an answer, and how long it is waited for. The first piece may need a long prompt to be read."""

    letters: int = 200_000
    first_piece_s: float = 300.0
    piece_s: float = 60.0
    answer_s: float = 900.0


BOUNDS = Bounds()


class AnswerCut(EngineError):
    """An answer went on beyond the bounds: what came before is what there is of it."""


class AnswerStream:
    """The pieces of an answer, in order. `finish`: why the model stopped, once it has said so.

    Close it (`contextlib.aclosing`) when it is left early: that ends the generation on the server.
    """

    def __init__(self, pieces: AsyncGenerator[Piece], bounds: Bounds) -> None:
        self.finish: str | None = None
        self._texts = self._bounded(pieces, bounds)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        return await anext(self._texts)

    async def aclose(self) -> None:
        """End the generation. May be called twice."""
        await self._texts.aclose()

    async def _bounded(self, pieces: AsyncGenerator[Piece], bounds: Bounds) -> AsyncGenerator[str]:
        clock, letters, held = asyncio.get_running_loop().time, 0, ""
        end_s, wait_s = clock() + bounds.answer_s, bounds.first_piece_s
        try:
            while True:
                try:
                    async with asyncio.timeout_at(min(clock() + wait_s, end_s)):
                        piece = await anext(pieces)
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    if clock() >= end_s:
                        raise AnswerCut(f"cut: it was still coming after {bounds.answer_s:g} seconds") from None
                    raise Transient(f"nothing more came within {wait_s:g} s", timed_out=True) from None
                self.finish = piece.finish or self.finish
                text, held = _whole_letters(held + piece.text)
                letters += len(text)
                if letters > bounds.letters:
                    if kept := text[: len(text) - (letters - bounds.letters)]:
                        yield kept
                    raise AnswerCut(f"cut at {bounds.letters:,} letters, and more was coming")
                if text:
                    wait_s = bounds.piece_s
                    yield text
            if held:
                yield "\ufffd"
        finally:
            await pieces.aclose()


def stream(provider: Provider, request: Request, bounds: Bounds = BOUNDS) -> AnswerStream:
    """Return a provider's answer to a request, piece by piece; nothing is asked before the first is.

    While it comes it raises as `Provider.ask` does (`Transient`, `Rejected`, `ProviderError`, `EngineError`), or `AnswerCut`.
    """
    if isinstance(provider, StreamingProvider):
        return AnswerStream(provider.stream(request), bounds)
    patient = Bounds(bounds.letters, bounds.answer_s, bounds.piece_s, bounds.answer_s)
    return AnswerStream(_in_one_piece(provider, request), patient)


async def _in_one_piece(provider: Provider, request: Request) -> AsyncGenerator[Piece]:
    answer = await provider.ask(request)
    yield Piece(answer.text, answer.finish)


def _whole_letters(text: str) -> tuple[str, str]:
    r"""Return a text with its surrogate pairs joined and lone halves replaced, and the half at its end that may yet find its other.

    >>> _whole_letters("a\ud83d"), _whole_letters("\ud83d\ude00!"), _whole_letters("\ude00")
    (('a', '\ud83d'), ('😀!', ''), ('�', ''))
    """
    if text.isascii():
        return text, ""
    held = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
    text = text[: len(text) - len(held)]
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), held
