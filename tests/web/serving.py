"""A real `weighbridge serve`, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Served:
    """`link`: the one-time link of a first start, None at a later one."""

    process: subprocess.Popen[str]
    origin: str
    link: str | None
    said: Path

    def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as Ctrl-C does; return its exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


@contextmanager
def serving(url: str, folder: Path, *more: str, port: int = 0, wait_s: float = 60) -> Iterator[Served]:
    """Yield a service over the registry at `url` that answers; what it says goes into `folder`."""
    said = folder / f"serve-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", "weighbridge", "serve", "--db", url, "--port", str(port), *more]
    with said.open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, text=True, start_new_session=True, env=_environment()
        )
    served = Served(process, "", None, said)
    try:
        _wait(served, command, wait_s)
        yield served
    finally:
        if process.poll() is None:
            served.kill()


def _wait(served: Served, command: Sequence[str], wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        text = served.said.read_text()
        if served.process.poll() is not None:
            raise AssertionError(f"{' '.join(command)} ended with {served.process.returncode}: {text}")
        if found := re.search(r"serves (\S+)", text):
            served.origin = found[1]
            link = re.search(r"^\s+(http\S+)$", text, re.MULTILINE)
            served.link = link[1] if link else None
            if _answers(served.origin):
                return
        time.sleep(0.1)
    raise AssertionError(f"it does not answer: {served.said.read_text()}")


def _answers(origin: str) -> bool:
    try:
        with urllib.request.urlopen(origin + "/healthz", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError):
        return False


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("WEIGHBRIDGE_TOKEN")}
