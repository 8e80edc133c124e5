"""Many who ask at once: together, each their own answer, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from tests.registry.databases import NOW, opened
from weighbridge.digests import digest_bytes
from weighbridge.registry.desk import Desk
from weighbridge.registry.problems import RegistryError
from weighbridge.registry.quick import Rendered
from weighbridge.registry.store import Driver, Store

DIGESTS = [digest_bytes(str(number).encode()) for number in range(100)]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Store]:
    with opened(f"sqlite:///{tmp_path / 'desk.db'}") as store:
        yield store


class Between:
    """Stands before what answers, and does something first."""

    def __init__(self, desk: Desk, first: Callable[[Sequence[str]], None]) -> None:
        self._notices, self._first = desk._notices, first
        desk._notices = self  # type: ignore[assignment]

    def several(self, driver: Driver, digests: Sequence[str], at: datetime) -> list[Rendered]:
        self._first(digests)
        return self._notices.several(driver, digests, at)


def test_those_who_ask_at_once_are_asked_for_together_and_each_gets_their_own(here: Store) -> None:
    desk, asked = Desk(here, lambda: NOW), []
    Between(desk, lambda digests: asked.append(len(digests)))

    async def ask_all() -> list[bytes]:
        found = await asyncio.gather(*(desk.notice(each) for each in DIGESTS))
        return [each.notice.at(each.at) for each in found]

    answers = asyncio.run(ask_all())
    assert sum(asked) == len(DIGESTS) and len(asked) < 10
    for digest, answer in zip(DIGESTS, answers, strict=True):
        assert f'"asked":"{digest}"'.encode() in answer


def test_one_that_takes_long_holds_nobody_else_up_and_is_told_in_time(here: Store) -> None:
    """The event loop goes on, others are answered by another thread, and afterwards all is as before."""
    desk, gate = Desk(here, lambda: NOW, within_s=0.5), threading.Event()
    Between(desk, lambda digests: gate.wait(5) if DIGESTS[0] in digests else None)  # type: ignore[arg-type,func-returns-value]

    async def ask_both() -> None:
        began = time.monotonic()
        slow = asyncio.ensure_future(desk.notice(DIGESTS[0]))
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        await desk.notice(DIGESTS[1])
        assert time.monotonic() - began < 0.4
        with pytest.raises(RegistryError, match="the database does not answer"):
            await slow
        assert time.monotonic() - began < 2
        gate.set()
        await desk.notice(DIGESTS[0])

    asyncio.run(ask_both())


def test_a_connection_that_died_is_given_up_and_the_question_asked_once_more(here: Store) -> None:
    """When it fails on a new connection too, who asked is told."""
    desk = Desk(here, lambda: NOW)
    failures = [False, True, False, True, True]

    def fail(_: Sequence[str]) -> None:
        if failures.pop(0):
            raise RegistryError("gone", where="here", do="wait")

    Between(desk, fail)

    async def ask_thrice() -> None:
        await desk.notice(DIGESTS[0])
        await desk.notice(DIGESTS[1])
        with pytest.raises(RegistryError, match="gone"):
            await desk.notice(DIGESTS[2])

    asyncio.run(ask_thrice())
    assert failures == []
