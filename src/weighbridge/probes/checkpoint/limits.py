"""Runs a reader in a child process with limits of memory and time, so that no file can take the caller down.

The child is a fork: it starts in milliseconds and has the code, not the caller's future. It answers in JSON lines, since nothing that a
reader of hostile files says is unpickled.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, NoReturn

Say = Callable[[dict[str, Any]], None]
Work = Callable[[Say], None]

_MAX_LINE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use. `memory_bytes` is address space beyond what the process has when it starts."""

    memory_bytes: int = 2 << 30
    time_s: float = 120.0
    temporary_file_bytes: int = 2 << 30


class ChildDied(Exception):
    """The child ended without finishing. The message says how."""


def run_limited(work: Work, hear: Say, limits: Limits) -> None:
    """Run `work(say)` in a child and hand each thing it says to `hear`, in order. Raises `ChildDied`.

    What `work` raises ends the child; its traceback comes in the message. `KeyboardInterrupt` here ends the child too.
    """
    ours, theirs = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        os.close(ours)
        _child(work, theirs, limits)
    os.close(theirs)
    try:
        finished, why = _listen(ours, hear, time.monotonic() + limits.time_s)
    except BaseException:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        raise
    finally:
        os.close(ours)
    if why:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if not finished:
        raise ChildDied(why or _how(status))


def _child(work: Work, pipe: int, limits: Limits) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    code = 1
    try:
        gc.freeze()
        _limit(limits)
        with os.fdopen(pipe, "wb") as out:
            lock = Lock()

            def say(message: dict[str, Any]) -> None:
                line = json.dumps(message, ensure_ascii=True, allow_nan=False).encode() + b"\n"
                with lock:
                    out.write(line)
                    out.flush()

            try:
                work(say)
                say({"end": True})
                code = 0
            except MemoryError:
                say({"died": "it asks for more memory than a reader may have"})
            except Exception:
                say({"died": "the reader failed: " + traceback.format_exc(limit=-3)})
    finally:
        os._exit(code)


def _limit(limits: Limits) -> None:
    """Bound this process. A limit that the system does not let us set is left: the parent's clock still runs."""
    wanted = {
        resource.RLIMIT_AS: _address_space() + limits.memory_bytes,
        resource.RLIMIT_CPU: int(limits.time_s * (os.cpu_count() or 1)) + 1,
        resource.RLIMIT_FSIZE: limits.temporary_file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for which, value in wanted.items():
        _, hard = resource.getrlimit(which)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        try:
            resource.setrlimit(which, (value, hard))
        except (ValueError, OSError):
            continue


def _address_space() -> int:
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - not a file of anybody's
            return int(statm.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 1 << 30


def _listen(pipe: int, hear: Say, deadline_s: float) -> tuple[bool, str]:
    """Return whether the child finished, and why not where it said so or was too slow."""
    kept = bytearray()
    while True:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return False, "it takes longer than a reader may take"
        if not select.select([pipe], [], [], min(left_s, 1.0))[0]:
            continue
        data = os.read(pipe, 1 << 20)
        if not data:
            return False, ""
        kept += data
        if len(kept) > _MAX_LINE_BYTES:
            return False, "its report is too long"
        *lines, rest = kept.split(b"\n")
        kept = bytearray(rest)
        for line in lines:
            message = json.loads(line)
            if message.get("end"):
                return True, ""
            if "died" in message:
                return False, message["died"]
            hear(message)


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return "it takes longer than a reader may take"
        return f"the reader was ended by {signal.Signals(number).name}"
    return f"the reader ended with code {os.waitstatus_to_exitcode(status)}"
