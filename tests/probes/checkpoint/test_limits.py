"""The child process in which files are read: whatever happens in it, the caller goes on and knows why."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from weighbridge.probes.checkpoint.limits import ChildDied, Limits, Say, run_limited


def test_what_the_child_says_is_heard_in_order() -> None:
    """Messages arrive whole and in order, long ones and odd characters too."""
    heard: list[dict[str, Any]] = []
    said = [{"a": 1}, {"b": "x" * 300_000}, {"c": "é\n😀\x00"}]

    def work(say: Say) -> None:
        for message in said:
            say(message)

    run_limited(work, heard.append, Limits())
    assert heard == said


def _hoards(say: Say) -> None:
    say({"holds": len(bytearray(3 << 30))})


def _hangs(say: Say) -> None:
    time.sleep(60)


def _spins(say: Say) -> None:
    while True:
        pass


def _crashes(say: Say) -> None:
    os.abort()


def _fails(say: Say) -> None:
    raise ValueError("a mistake of ours")


def _exits(say: Say) -> None:
    os._exit(0)


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (_hoards, "more memory"),
        (_hangs, "longer than"),
        (_spins, "longer than"),
        (_crashes, "SIGABRT"),
        (_fails, "a mistake of ours"),
        (_exits, "ended with code 0"),
    ],
)
def test_a_child_that_does_not_finish_is_named_with_the_reason(work: Any, why: str) -> None:
    """Too much memory, too much time, a crash, an exception, a silent exit: each within seconds, and none passes for done."""
    began = time.monotonic()
    with pytest.raises(ChildDied, match=why):
        run_limited(work, lambda _: None, Limits(memory_bytes=1 << 30, time_s=1.5))
    assert time.monotonic() - began < 10


def test_an_error_where_messages_are_heard_ends_the_child() -> None:
    """When the caller is interrupted, no child is left behind."""

    def work(say: Say) -> None:
        say({"pid": os.getpid()})
        time.sleep(60)

    pids: list[int] = []

    def hear(message: dict[str, Any]) -> None:
        pids.append(message["pid"])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_limited(work, hear, Limits())
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
