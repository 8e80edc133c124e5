"""The log is only ever added to: every other change shows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recourse.logs import Clock, a_log
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.recourse.chain import read_chain
from weighbridge.recourse.contests import open_contest, respond
from weighbridge.recourse.entries import Outcome
from weighbridge.recourse.log import beside, read_log, renew_head
from weighbridge.recourse.values import NAMES, recourse_values

FOLDER = Path(tempfile.mkdtemp())
LOG = a_log(FOLDER / "log.jsonl")
WHOLE = LOG.read_bytes()
HEAD = beside(LOG, "head.json").read_bytes()
LINES = WHOLE.splitlines(keepends=True)
AT = Clock().at.replace(year=2027)


def _damaged(data: bytes, head: bytes = HEAD) -> Path:
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    path = folder / "log.jsonl"
    path.write_bytes(data)
    beside(path, "head.json").write_bytes(head)
    return path


def _is_found(data: bytes) -> None:
    path = _damaged(data)
    with pytest.raises(EvidenceError):
        read_log(path)
    values = recourse_values(path, at=AT)
    assert values.known == {}
    assert len(values.absent) == len(NAMES)


def test_a_whole_log_is_whole() -> None:
    """Every entry follows from the one before, and the head file names the last."""
    log = read_log(LOG)
    assert (len(log.entries), log.noted, log.chain.torn) == (7, 7, b"")
    assert read_log(LOG, head=log.chain.digests[3]).since_anchor == 3


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_found(place: int, change: int) -> None:
    """Whichever byte is changed, in whichever way, the log is not whole, and no fact is left."""
    data = bytearray(WHOLE)
    data[place] ^= change
    _is_found(bytes(data))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_removed_moved_repeated_and_foreign_entries_are_found(data: st.DataObject) -> None:
    """Whatever is done to the order and the number of lines shows, at the end too."""
    lines = data.draw(st.lists(st.sampled_from([*LINES, *_other().splitlines(keepends=True)]), max_size=9))
    if lines != LINES:
        _is_found(b"".join(lines))


def _other() -> bytes:
    path = FOLDER / "other.jsonl"
    return path.read_bytes() if path.exists() else a_log(path).read_bytes()


@pytest.mark.parametrize("cut", range(0, len(WHOLE), 37))
def test_a_log_that_is_cut_off_anywhere_is_found(cut: int) -> None:
    """Taking the end away, within a line or between two, never yields facts: the head file names what is gone."""
    _is_found(WHOLE[:cut])


def test_an_anchor_finds_what_the_head_file_cannot(tmp_path: Path) -> None:
    """Who removes the last entries and the head file is found by a digest that was kept elsewhere, and by nothing else."""
    anchor = read_log(LOG).chain.head
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(LINES[:-1]))
    assert read_log(path).noted is None
    with pytest.raises(EvidenceError, match="does not hold the entry of the anchor"):
        read_log(path, head=anchor)
    assert recourse_values(path, at=AT).known == {}
    assert "is not beside the log" in recourse_values(path, at=AT).absent["recourse.contested"]


def test_an_anchor_does_not_replace_the_head_file(tmp_path: Path) -> None:
    """Entries after the anchor could be gone, so without the head file there is no fact, whatever anchor holds."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(LINES[:-1]))
    early = read_log(LOG).chain.digests[2]
    assert read_log(path, head=early).since_anchor == 3
    assert recourse_values(path, at=AT, head=early).known == {}
    assert recourse_values(LOG, at=AT, head=early).known["recourse.contested"] == 3
    assert recourse_values(LOG, at=AT, head="sha256:" + "0" * 64).known == {}


def test_a_link_leads_to_the_same_log(tmp_path: Path) -> None:
    """Whoever comes by a link reads the same head, waits for the same lock and leaves the link a link."""
    (tmp_path / "real").mkdir()
    clock = Clock()
    path, link = a_log(tmp_path / "real" / "log.jsonl", clock), tmp_path / "link.jsonl"
    link.symlink_to(path)
    path.write_bytes(path.read_bytes() + b"torn")
    respond(link, case="case-3", outcome=Outcome.UPHELD, reviewer="judge", reasons="r", clock=clock)
    assert link.is_symlink()
    assert read_log(path).noted == read_log(link).noted == 9
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["link.jsonl"]


def test_nothing_is_added_to_a_log_that_may_lack_its_end(tmp_path: Path) -> None:
    """Without its head file a log takes no entry, since a new head would hide what is gone; an anchor gives it a head again."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(WHOLE)
    with pytest.raises(EvidenceError, match=r"head file .* is gone"):
        respond(path, case="case-3", outcome=Outcome.UPHELD, reviewer="judge", reasons="r")
    with pytest.raises(EvidenceError):
        renew_head(path, "sha256:" + "0" * 64)
    renew_head(path, read_log(path).chain.digests[4])
    respond(path, case="case-3", outcome=Outcome.UPHELD, reviewer="judge", reasons="r")
    assert read_log(path).noted == 8


def test_a_log_that_is_gone_does_not_begin_anew(tmp_path: Path) -> None:
    """A removed log is not replaced by an empty one in silence: its head file speaks."""
    path = tmp_path / "log.jsonl"
    beside(path, "head.json").write_bytes(HEAD)
    with pytest.raises(EvidenceError, match="the log is gone"):
        open_contest(path, case="a", decision="d", decided_on=Clock().at.date(), facts="f", clock=Clock())


def test_an_entry_after_the_head_is_whole(tmp_path: Path) -> None:
    """A crash between an entry and its head loses nothing: the entry is there, and the next one brings the head up."""
    clock = Clock()
    path = a_log(tmp_path / "log.jsonl", clock)
    before = beside(path, "head.json").read_bytes()
    respond(path, case="case-3", outcome=Outcome.UPHELD, reviewer="judge", reasons="r", clock=clock)
    beside(path, "head.json").write_bytes(before)
    assert len(read_log(path).entries) == 8
    assert recourse_values(path, at=AT).known["recourse.decided"] == 3
    open_contest(path, case="case-4", decision="d", decided_on=clock().date(), facts="f", clock=clock)
    assert read_log(path).noted == 9


def test_a_head_file_that_is_nonsense_or_anothers_is_refused() -> None:
    """A head file is taken as it is or not at all."""
    for head in (
        b"",
        b"{}",
        HEAD.replace(b'"entries":7', b'"entries":6'),
        HEAD.replace(b'"entries":7', b'"entries":99'),
    ):
        with pytest.raises(EvidenceError):
            read_log(_damaged(WHOLE, head))
    other = FOLDER / "other.jsonl"
    _other()
    with pytest.raises(EvidenceError):
        read_log(_damaged(WHOLE, beside(other, "head.json").read_bytes()))


def test_a_contest_has_one_opening_and_one_outcome(tmp_path: Path) -> None:
    """What was decided is not decided again, and nobody answers what was never asked."""
    clock = Clock()
    path = a_log(tmp_path / "log.jsonl", clock)
    size = path.stat().st_size
    for case, said in (("case-1", "has its outcome"), ("case-9", "no contest case-9")):
        with pytest.raises(UsageError, match=said):
            respond(path, case=case, outcome=Outcome.UPHELD, reviewer="judge", reasons="r", clock=clock)
    day = clock().date()
    with pytest.raises(UsageError, match="opened already"):
        open_contest(path, case="case-1", decision="d", decided_on=day, facts="f", clock=clock)
    with pytest.raises(UsageError, match="the decision comes before its contest"):
        open_contest(
            path, case="x", decision="d", decided_on=day, received_on=day.replace(day=1), facts="f", clock=clock
        )
    with pytest.raises(UsageError, match="the decision comes before its contest"):
        open_contest(
            path, case="x", decision="d", decided_on=day, received_on=day.replace(year=2027), facts="f", clock=clock
        )
    assert path.stat().st_size == size


def test_a_clock_that_went_back_is_refused(tmp_path: Path) -> None:
    """Time taken is counted from the clock: one that is far behind the last entry writes nothing, a little behind is no matter."""
    clock = Clock()
    path = a_log(tmp_path / "log.jsonl", clock)
    clock.pass_days(-0.001)
    respond(path, case="case-3", outcome=Outcome.PENDING, reviewer=None, reasons="r", clock=clock)
    clock.pass_days(-1)
    with pytest.raises(UsageError, match="the clock says"):
        respond(path, case="case-3", outcome=Outcome.UPHELD, reviewer="judge", reasons="r", clock=clock)


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"{}\n", b"[" * 100_000 + b"\n", b"\xff\n", b'{"kind":"begun"}\n', b"x" * 600_000 + b"\n"]
)
def test_what_is_no_log_is_refused(data: bytes) -> None:
    """Hostile bytes are an error that names the line, never a crash."""
    with pytest.raises(EvidenceError):
        read_chain(data, "log")
