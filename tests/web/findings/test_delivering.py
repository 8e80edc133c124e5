"""The task of the service: it delivers while the service runs, goes on after a failure, and ends when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.registry.test_following import begin, published, receiving, rows
from weighbridge.registry.disclosing import outbox
from weighbridge.registry.problems import RegistryError
from weighbridge.registry.store import Store
from weighbridge.web.findings.delivering import deliver_forever
from weighbridge.web.site import Site


async def until(done: Callable[[], bool], site: Site) -> None:
    """Run the task until something is done."""
    task = asyncio.create_task(deliver_forever(site, idle_s=0.02, failed_s=0.02))
    for _ in range(500):
        if done():
            break
        await asyncio.sleep(0.02)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.done() and done()


def test_it_delivers_what_is_published_and_outlives_a_database_that_fails(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.settings = replace(site.settings, allows_loopback_webhooks=True)
    failures = [RegistryError("gone", where="x", do="wait"), ValueError("a bug")]
    real = outbox.claim

    def claim(store: Store, *, limit: int) -> list[outbox.Claimed]:
        if failures:
            raise failures.pop()
        return real(store, limit=limit)

    monkeypatch.setattr(outbox, "claim", claim)
    with receiving() as receiver:
        begin(store, receiver.url)
        published(store)
        asyncio.run(until(lambda: rows(store)[0].state == "delivered", site))
        assert len(receiver.got) == 1
