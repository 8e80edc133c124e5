"""Opens a grader by the name that a protocol or a person gives it, with the models that it needs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.engine.policy import InOrder
from weighbridge.engine.questions import Question, Reply
from weighbridge.errors import UsageError
from weighbridge.graders.grade import Grader
from weighbridge.graders.judge.grader import Ask
from weighbridge.graders.loading import OpenModel, load_grader, parse_name
from weighbridge.protocol.model import Asking

if TYPE_CHECKING:
    from weighbridge.engine.asker import Asker


@asynccontextmanager
async def open_grader(
    name: str,
    *,
    environ: Mapping[str, str],
    limits: Asking | None = None,
    store: Path | None = None,
    checked: tuple[str, str] | None = None,
) -> AsyncIterator[Grader]:
    """Yield the grader called `name`, as `weighbridge.graders.loading` defines names, with any model references.

    `store` keeps what a model answered, so that nothing is judged twice; without it that is kept only while it is open.
    `checked`: path and digest of a calibration that says how far it may be trusted. Raises `UsageError` for an unknown name or a
    calibration of another grader, `EvidenceError` for one that is not what its digest names, and what opening a model raises.
    """
    calibration = None
    if checked is not None:
        from weighbridge.graders.checked import CheckedGrader, read_calibration

        calibration = read_calibration(Path(checked[0]), checked[1])
    async with _opened(name, environ, limits, store) as grader:
        yield (
            CheckedGrader(grader, calibration, checked[0])
            if calibration is not None and checked is not None
            else grader
        )


@asynccontextmanager
async def _opened(
    name: str, environ: Mapping[str, str], limits: Asking | None, store: Path | None
) -> AsyncIterator[Grader]:
    parsed = parse_name(name)
    references = list(parsed.models())
    if not references:
        grader = load_grader(parsed)
        try:
            yield grader
        finally:
            await grader.close()
        return

    from weighbridge.engine.asker import Asker
    from weighbridge.engine.opening import open_provider
    from weighbridge.engine.store import AnswerStore
    from weighbridge.subject.references import resolve

    limits = limits or Asking()
    async with AsyncExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="weighbridge-judge-"))
        answers = stack.enter_context(AnswerStore(store or Path(scratch) / "answers.jsonl"))
        models = {}
        for reference in references:
            resolved = resolve(reference, environ=environ)
            if not resolved.subject.is_model:
                raise UsageError(
                    "this is no model and cannot judge", where=reference, do="name a model after the colon"
                )
            provider = open_provider(resolved, limits, environ)
            stack.push_async_callback(provider.close)
            access = await provider.access()
            ask = _ask_through(Asker({provider.subject: provider}, answers, limits=limits))
            subject = resolved.subject
            models[reference] = OpenModel(ask, subject.identity, subject.label, raw=access.completion)
        yield load_grader(parsed, models)


def _ask_through(asker: Asker) -> Ask:
    """Return what asks `asker` a batch and waits for it. Members of an ensemble may share a model: one batch at a time."""
    turn = asyncio.Lock()

    async def ask(questions: Sequence[Question]) -> list[Reply]:
        policy = InOrder(questions)
        async with turn:
            await asker.run(policy)
        replies = {question.key: reply for question, reply in policy.replies}
        return [replies[question.key] for question in questions]

    return ask
