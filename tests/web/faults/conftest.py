"""Real services over real databases, and a PostgreSQL that may be stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.registry.databases import POSTGRES

SCRIPT = Path(__file__).parents[3] / "scripts" / "postgres_for_tests.sh"


@dataclass
class Postgres:
    """A PostgreSQL of a test's own."""

    url: str
    folder: Path

    def stop(self) -> None:
        """Stop it at once, as a crash does."""
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        """Start it again where it was."""
        options = (self.folder / "data" / "postmaster.opts").read_text().split(None, 1)[1].replace('"', "'").strip()
        self._control("-t", "60", "-l", str(self.folder / "data" / "server.log"), "-o", options, "start")

    def freeze(self) -> None:
        """Let all of its processes stand still: connections stay open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for each in (postmaster, *map(int, children)):
            os.kill(each, what)

    def _control(self, *what: str) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
        owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*owner, str(programs[-1]), "-D", str(self.folder / "data"), "-w", *what]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    if not os.environ.get(POSTGRES) or shutil.which("runuser") is None:
        pytest.skip(f"{POSTGRES} is not set: there may be no PostgreSQL here")
    told = subprocess.run(["bash", str(SCRIPT), "start"], check=True, capture_output=True, text=True).stdout
    said = dict(line.removeprefix("export ").split("=", 1) for line in told.splitlines())
    found = Postgres(said[POSTGRES], Path(said[POSTGRES + "_FOLDER"]))
    try:
        yield found
    finally:
        with suppress(FileNotFoundError):  # it does not run
            found.thaw()
        subprocess.run(["bash", str(SCRIPT), "stop", str(found.folder)], check=True, capture_output=True)
