"""A workbench that asks nobody: a test says what was answered."""

from __future__ import annotations

from weighbridge.registry.conversations import Conversation, SideState, Update, flush
from weighbridge.registry.store import Store
from weighbridge.web.workbench.asking import Job
from weighbridge.web.workbench.models import Offer

DIGEST = "sha256:" + "b" * 64


class FakeShelf:
    """Two models that are never loaded."""

    offers = (Offer("demo:guarded"), Offer("demo:smollm2"))


class FakeBench:
    """Keeps what it is to ask."""

    shelf = FakeShelf()
    server = "1" * 32

    def __init__(self, store: Store) -> None:
        self.jobs: list[Job] = []
        self._store = store

    def ask(self, job: Job) -> None:
        self.jobs.append(job)

    def answer(self, text: str, subject: str = DIGEST) -> str:
        """Answer what was asked last; return the side."""
        job = self.jobs[-1]
        with self._store.writing() as connection:
            done = [Update(side.id, text, SideState.ANSWERED, subject, "template") for side in job.sides]
            flush(connection, self._store.clock(), self.server, done)
        return job.sides[0].id

    def doing(self, conversation: Conversation) -> str:
        """Nothing is being done."""
        return ""

    def close(self) -> None:
        """Nothing runs."""
