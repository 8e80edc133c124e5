"""Reads a recourse log and checks that it is whole: each entry follows from the one before. Pure.

What is found: an entry that was changed, removed, put in, or put elsewhere. What cannot be found here: that the last entries are gone, since
nothing follows them. The head file and an anchor kept elsewhere find that (`log`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import ValidationError

from weighbridge.digests import digest_bytes
from weighbridge.errors import EvidenceError, UsageError, WeighbridgeError
from weighbridge.recourse.entries import ENTRY, Entry, Erased, Linked, Opened, Outcome, Responded

MAX_LINE_BYTES = 512 * 1024
RESTORE = "restore the log from a copy: entries are never changed, only added"


class Link(Protocol):
    """What any hash-chained log's entry has: which log, which place in it, when it was written."""

    @property
    def log(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def at(self) -> datetime: ...


def link_problem(entry: Link, previous: str | None, last: Link | None, head: str | None, place: int) -> str | None:
    """Return why `entry` does not follow from `last`, None when it does. Any log that is chained by digests is held to this.

    `previous` is the digest that `entry` names as the one before it (None: it names none, as the first does), `head` the digest of
    `last`'s line, and `place` how many entries there are before.
    """
    if entry.number != place:
        return f"entry {entry.number} stands where entry {place} belongs"
    if (previous is None) != (last is None):
        return "a log begins with its first entry, and with no other"
    if last is None:
        return None
    if entry.log != last.log:
        return "this entry is of another log"
    if previous != head:
        return "the entry before this one was changed, removed or put elsewhere"
    if entry.at < last.at:
        return "this entry is older than the one before it"
    return None


@dataclass
class Chain:
    """The entries so far, each with its digest. `torn`: what follows the last line feed, of a write that did not finish; never an entry."""

    where: str
    entries: list[Entry] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    torn: bytes = b""
    _open: dict[str, bool] = field(default_factory=dict)  # case -> whether it is still pending

    @property
    def head(self) -> str:
        """The digest of the last entry. It stands for the whole log up to there."""
        return self.digests[-1]

    def add(self, entry: Entry, line: bytes, error: type[WeighbridgeError] = UsageError) -> None:
        """Add an entry that follows the last one. Raises `error` when it does not; then nothing is added."""
        problem = self._problem(entry)
        if problem is not None:
            raise error(problem[0], where=self.where, do=problem[1])
        self.entries.append(entry)
        self.digests.append(digest_bytes(line))
        if isinstance(entry, Opened):
            self._open[entry.case] = True
        elif isinstance(entry, Responded) and entry.outcome is not Outcome.PENDING:
            self._open[entry.case] = False

    def _problem(self, entry: Entry) -> tuple[str, str] | None:
        last = self.entries[-1] if self.entries else None
        previous = entry.previous if isinstance(entry, Linked) else None
        problem = link_problem(entry, previous, last, self.head if last else None, len(self.entries))
        if problem is not None:
            return problem, RESTORE
        return self._case_problem(entry)

    def _case_problem(self, entry: Entry) -> tuple[str, str] | None:
        if isinstance(entry, Opened):
            if entry.case in self._open:
                return f"{entry.case} was opened already", "give each contest a reference of its own"
            latest = entry.at.date() + timedelta(days=1)  # somewhere it is tomorrow already
            if not entry.decided_on <= entry.received_on <= latest:
                return "the decision comes before its contest, and neither in the future", "check the two dates"
        elif isinstance(entry, Responded | Erased):
            if entry.case not in self._open:
                return f"no contest {entry.case} was opened", "`weighbridge recourse list` names them"
            if isinstance(entry, Responded) and not self._open[entry.case]:
                return (
                    f"{entry.case} has its outcome",
                    "open another contest: what was decided is not changed in the log",
                )
        return None


def read_chain(data: bytes, where: str) -> Chain:
    """Return the chain in a log's bytes. Raises `EvidenceError`, with the line, for the first entry that does not follow.

    Bytes after the last line feed are `torn`, whatever they are: only a finished write counts.
    """
    chain = Chain(where)
    end = data.rfind(b"\n") + 1
    chain.torn = data[end:]
    for number, line in enumerate(data[:end].split(b"\n")[:-1], start=1):
        chain.where = f"{where}, line {number}"
        chain.add(_entry(line, chain.where), line, EvidenceError)
    if not chain.entries:
        raise EvidenceError("no log begins here", where=where, do="restore it from a copy, or choose another --log")
    chain.where = where
    return chain


def _entry(line: bytes, where: str) -> Entry:
    if len(line) > MAX_LINE_BYTES:
        raise EvidenceError(f"longer than the {MAX_LINE_BYTES:,} bytes of an entry", where=where, do=RESTORE)
    try:
        entry = ENTRY.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise EvidenceError(f"not an entry ({first['msg']})", where=where, do=RESTORE) from None
    if entry.canonical() != line:
        raise EvidenceError("this entry is not as it was written", where=where, do=RESTORE)
    return entry
