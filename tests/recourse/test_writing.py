"""Entries are on the disk or not there at all, whoever else writes and whatever kills the writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.recourse.logs import Clock, a_log
from weighbridge.digests import digest_bytes
from weighbridge.errors import UsageError
from weighbridge.recourse import log as log_module
from weighbridge.recourse.cases import cases_of
from weighbridge.recourse.contests import open_contest
from weighbridge.recourse.entries import Mended
from weighbridge.recourse.log import beside, read_log
from weighbridge.recourse.values import recourse_values

WRITER = """
import sys
from datetime import date
from pathlib import Path
from weighbridge.recourse.contests import open_contest
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(count):
    case = f"{name}-{number}"
    open_contest(path, case=case, decision="d", decided_on=date(2026, 3, 1), facts="A text. " * 50)
    print(case, flush=True)
"""


def _writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    """Two processes that begin one log and add fifty contests each end with all hundred, in one chain."""
    path = tmp_path / "log.jsonl"
    writers = [_writer(path, name, 50) for name in ("one", "two")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = {case.reference for case in cases_of(read_log(path).entries)}
    assert found == {f"{name}-{number}" for name in ("one", "two") for number in range(50)}
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()


@pytest.mark.parametrize("wait_s", [0.0, 0.003, 0.011, 0.037])
def test_what_was_written_survives_a_kill(tmp_path: Path, wait_s: float) -> None:
    """Whenever a writer is killed, every entry that it told of is in the log, and the next writer goes on."""
    path = tmp_path / "log.jsonl"
    writer = _writer(path, "one", 10_000)
    assert writer.stdout is not None
    told = [writer.stdout.readline().strip() for _ in range(5)]
    time.sleep(wait_s)
    os.kill(writer.pid, signal.SIGKILL)
    told += writer.stdout.read().split()
    writer.wait(10)
    writer.stdout.close()
    open_contest(path, case="after", decision="d", decided_on=Clock().at.date(), facts="f")
    log = read_log(path)
    assert {*told, "after"} <= {case.reference for case in cases_of(log.entries)}
    assert log.chain.torn == b""
    assert log.noted == len(log.entries)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.999, 1.0])
def test_a_torn_line_is_put_aside_and_told(tmp_path: Path, share: float) -> None:
    """What a write left that did not finish is no entry, spoils no fact, and is kept beside the log under its digest."""
    clock = Clock()
    path = a_log(tmp_path / "log.jsonl", clock)
    whole, head = path.read_bytes(), beside(path, "head.json").read_bytes()
    open_contest(path, case="torn", decision="d", decided_on=clock().date(), facts="f", clock=clock)
    line = path.read_bytes()[len(whole) : -1]
    torn = line[: max(1, round(share * len(line)))]
    path.write_bytes(whole + torn)
    beside(path, "head.json").write_bytes(head)

    assert read_log(path).chain.torn == torn
    assert recourse_values(path, at=clock()).known["recourse.contested"] == 3
    open_contest(path, case="next", decision="d", decided_on=clock().date(), facts="f", clock=clock)
    log = read_log(path)
    mended = log.entries[7]
    assert isinstance(mended, Mended)
    assert (mended.size, mended.digest) == (len(torn), digest_bytes(torn))
    assert beside(path, "torn-7").read_bytes() == torn
    assert {case.reference for case in cases_of(log.entries)} == {"case-1", "case-2", "case-3", "next"}


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails in the middle is taken back, and said."""
    clock = Clock()
    path = a_log(tmp_path / "log.jsonl", clock)
    before, real = path.read_bytes(), os.write
    calls = iter([0])

    def half(handle: int, data: bytes) -> int:
        if next(calls, None) is None:
            raise OSError(28, "No space left on device")
        return real(handle, bytes(data)[:20])

    monkeypatch.setattr(log_module.os, "write", half)
    with pytest.raises(UsageError, match="No space left"):
        open_contest(path, case="full", decision="d", decided_on=clock().date(), facts="f", clock=clock)
    assert path.read_bytes() == before


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    """The log and its head are readable by whoever keeps them, and by nobody else."""
    path = a_log(tmp_path / "log.jsonl")
    assert {oct(file.stat().st_mode & 0o777) for file in (path, beside(path, "head.json"))} == {"0o600"}
