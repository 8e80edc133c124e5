"""Recorded answers as a provider: what somebody else's people, tools or models answered to the same prompts. Nothing is asked."""

from __future__ import annotations

import time

from weighbridge.engine.provider import Access, Rejected
from weighbridge.engine.questions import Answer, Chat, Failure, Question, Reply, Request
from weighbridge.evidence.records import Reason
from weighbridge.protocol.vocabulary import Rung
from weighbridge.subject.recorded import CHAT, RecordedAnswer, Recording

NOT_RECORDED = "no answer is recorded for this prompt"


class RecordedProvider:
    """Gives the answers of `recording`. A prompt without one is not measured: nobody knows what its answer would have been."""

    concurrency = (64, 64)

    def __init__(self, recording: Recording, subject: str) -> None:
        self.subject = subject
        self._recording = recording

    async def access(self) -> Access:
        """Say what is recorded: `api`, and on `weights` the techniques that occur."""
        techniques = self._recording.techniques
        return Access(
            chat=True,
            completion=bool(techniques),
            prefill=bool(techniques),
            techniques=techniques,
            note=f"{len(self._recording.answers):,} recorded answers"
            + (f"; recorded on `weights`: {', '.join(techniques)}" if techniques else "; none on `weights`"),
        )

    async def reply(self, question: Question) -> Reply:
        """Return the answer recorded for the question's place, or why there is none."""
        found = self._recording.find(
            question.item, _prompt(question.request), question.rung, question.technique, question.trial
        )
        if found is None:
            return Failure(Reason.PROVIDER_ERROR, NOT_RECORDED)
        if found.text is None:
            return Failure(Reason.PROVIDER_ERROR, "recorded as not measured")
        return _answer(found.text)

    async def ask(self, request: Request) -> Answer:
        """Return the first answer recorded on `api` for the request's text. Raises `Rejected` when there is none."""
        found: RecordedAnswer | None = self._recording.find("", _prompt(request), Rung.API, CHAT, 0)
        if found is None or found.text is None:
            raise Rejected(NOT_RECORDED, where=str(self._recording.path))
        return _answer(found.text)

    async def close(self) -> None:
        """Nothing to release."""


def _prompt(request: Request) -> str:
    return request.body.messages[-1].content if isinstance(request.body, Chat) else request.body.prompt


def _answer(text: str) -> Answer:
    """An answer seen now: when it was made is not known, nor what it cost."""
    return Answer(
        text=text, finish="recorded", prompt_tokens=None, completion_tokens=None, seconds=0.0, asked_at=time.time()
    )
