"""Grading beside asking: answers are graded as they come, and some are kept without their text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from weighbridge.assessment.watch import Watch
from weighbridge.engine.questions import Answer, Question
from weighbridge.engine.store import AnswerStore
from weighbridge.graders.grade import Grade, Grader
from weighbridge.graders.passages import grade_of_nothing, grade_of_passages
from weighbridge.graders.store import GradeStore
from weighbridge.probes.harms.probe import Trial, grade_request
from weighbridge.protocol.vocabulary import Category
from weighbridge.subject.search_method import NOTHING

GRADE_BATCH = 16

# The text of an answer to a prompt of this category is graded and then forgotten: only its verdict is kept.
WITHHELD = frozenset({Category.CHILD_SEXUAL_EXPLOITATION})
WITHHELD_TEXT = "[withheld: only the verdict is kept]"


class WithheldAnswers:
    """An answer store that writes no text for some questions. Same interface as `AnswerStore`.

    Their text is kept in memory until it is graded. A withheld answer that was stored but never graded (a killed run) is
    asked again: without its text there is nothing to grade.
    """

    def __init__(self, store: AnswerStore, withheld: Iterable[str], graded: Callable[[str], bool]) -> None:
        self._store, self._withheld, self._graded = store, frozenset(withheld), graded
        self._memory: dict[str, Answer] = {}

    def get(self, key: str) -> Answer | None:
        if key in self._withheld and not self._graded(key):
            return self._memory.get(key)
        return self._store.get(key)

    def put(self, question: Question, answer: Answer) -> None:
        key = question.key
        if key in self._withheld:
            self._memory[key] = answer
            answer = replace(answer, text=WITHHELD_TEXT, logprobs=None)
        self._store.put(question, answer)


class Grading:
    """Grades answers in batches while others are still being asked.

    Grades already in the store are used as they are. `run` ends when `finish` was called and all is graded. `searches` are the
    subjects that answer with passages out of documents (`graders.passages`).
    """

    def __init__(
        self,
        grader: Grader,
        store: GradeStore,
        trials: Mapping[str, Trial],
        watch: Watch,
        searches: Collection[str] = (),
    ) -> None:
        self._grader, self._store, self._trials, self._watch = grader, store, trials, watch
        self._searches = frozenset(searches)
        self._waiting: asyncio.Queue[tuple[str, Answer]] = asyncio.Queue()
        self._failed: Exception | None = None
        self.grades: dict[str, Grade] = {}

    def is_graded(self, key: str) -> bool:
        """Whether this grader has graded the answer at `key` before."""
        return self._store.get(key, self._grader.identity) is not None

    def add(self, key: str, answer: Answer) -> None:
        """Have the answer at `key` graded. Raises what made grading stop, so that asking stops too."""
        if self._failed is not None:
            raise self._failed
        if (known := self._store.get(key, self._grader.identity)) is not None:
            self.grades[key] = known
        else:
            self._waiting.put_nowait((key, answer))

    async def caught_up(self, running: asyncio.Task[None]) -> None:
        """Wait until all that was added is graded by `running`, the task of `run`. Raises what made grading stop."""
        waiting = asyncio.create_task(self._waiting.join())
        try:
            await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._failed is not None:
            raise self._failed

    async def run(self) -> None:
        """Grade what is added, in batches."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < GRADE_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                await self._grade(batch)
            except Exception as error:
                self._failed = error
                raise
            for _ in batch:
                self._waiting.task_done()

    async def _grade(self, batch: Sequence[tuple[str, Answer]]) -> None:
        if not batch:
            return
        grades = {key: grade_of_nothing(key) for key, answer in batch if self._found_nothing(key, answer)}
        rest = [(key, answer) for key, answer in batch if key not in grades]
        requests = [grade_request(self._trials[key], answer) for key, answer in rest]
        for (key, _), grade in zip(rest, await self._grader.grade(requests) if requests else (), strict=True):
            grades[key] = grade_of_passages(grade) if self._is_search(key) else grade
        for key, grade in grades.items():
            self._store.put(key, self._grader.identity, grade)
            self.grades[key] = grade
        self._watch.graded(len(self.grades), len(self.grades) + self._waiting.qsize())

    def _is_search(self, key: str) -> bool:
        return self._trials[key].subject in self._searches

    def _found_nothing(self, key: str, answer: Answer) -> bool:
        return self._is_search(key) and answer.finish == NOTHING
