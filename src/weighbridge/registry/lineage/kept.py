"""The index of all published fingerprints, in memory, current with the database, and on disk so that a restart is quick.

Built at first use; before each search the rows of the audit log's later entries are added, whoever wrote them. What is on disk is taken only when the
registry's audit log has the very entry that the file ends with, so a file of another registry, or of another past of this one, is made again.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, Engine, func, select

from weighbridge.digests import digest_bytes
from weighbridge.errors import EvidenceError
from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint
from weighbridge.registry.lineage.index import PLACES, Index, Near
from weighbridge.registry.tables import audit
from weighbridge.registry.tables.lineage import marks

MOST_MODELS = 4_000_000  # in memory: at some 660 bytes each 2.6 GB
LEAST_SAVED = 20_000  # fewer are read from the database in less time than anybody notices
_ROW_BYTES = len(PLACES) * 8 + len(PLACES) // 8
_BATCH = 20_000
_LOG = logging.getLogger("weighbridge.registry.lineage")


@dataclass(frozen=True)
class Searched:
    """What a search found, by root digest, the nearest first; among how many models; and how many there was no room for."""

    near: tuple[Near, ...]
    compared: int
    left_out: int


@dataclass
class Kept:
    """The index of one database. Any number of threads may search; none of them writes to the database."""

    where: Path | None = None  # the file that it is saved in; None: nowhere
    most: int = MOST_MODELS
    left_out: int = 0
    index: Index = field(default_factory=Index)
    _entry: int = -1  # of the audit log, up to which rows are in
    _head: str = ""  # the digest of that entry
    _saved: int = 0
    _refreshing: threading.Lock = field(default_factory=threading.Lock)
    _working: threading.Lock = field(default_factory=threading.Lock)

    def search(self, connection: Connection, mark: Fingerprint, most: int, farthest: float = 0.35) -> Searched:
        """Return what is near to `mark` among all that `connection` sees."""
        extra = None
        if connection.get_execution_options().get("weighbridge_writes"):
            # What is not yet committed may never be: it is looked at, and not kept. What is on disk was committed.
            with self._refreshing:
                if self._entry < 0:
                    self._load(connection)
            extra = Index()
            for names, rows in _rows(connection, self._entry):
                _add(extra, names, rows)
        else:
            self.refresh(connection)
        near = self.index.search(mark, most, farthest)
        if extra is not None:
            near = sorted([*near, *extra.search(mark, most, farthest)], key=lambda one: one.differing)[:most]
        return Searched(tuple(near), len(self.index) + (len(extra) if extra else 0), self.left_out)

    def refresh(self, connection: Connection) -> None:
        """Add what was published since."""
        if _last(connection) <= self._entry:
            return
        with self._refreshing:
            if self._entry < 0:
                self._load(connection)
            last = _last(connection)
            if last > self._entry:  # else another thread was first, or all of it was in the file
                for names, rows in _rows(connection, self._entry):
                    room = max(0, self.most - len(self.index))
                    self.left_out += max(0, len(names) - room)
                    _add(self.index, names[:room], rows[:room])
                self._entry, self._head = last, _head(connection, last)
        self._work_behind()

    def settle(self) -> None:
        """Wait until the tables are made and the file is written."""
        with self._working:
            pass

    def _load(self, connection: Connection) -> None:
        if self.where is None or not self.where.exists():
            return
        try:
            index, about = Index.load_about(self.where, later=True)
        except EvidenceError:
            return
        entry, head = about.get("entry"), about.get("head")
        if type(entry) is int and head and _head(connection, entry) == head and len(index) <= self.most:
            self.index, self._entry, self._head, self._saved = index, entry, str(head), len(index)

    def _work_behind(self) -> None:
        """Make tables and save, beside the searches, which are exact meanwhile."""
        grown = len(self.index) - self._saved > max(LEAST_SAVED, self._saved // 8)
        if not (self.index.is_behind or (grown and self.where)) or not self._working.acquire(blocking=False):
            return
        threading.Thread(target=self._work, name="lineage index", daemon=True).start()

    def _work(self) -> None:
        try:
            with self._refreshing:
                seen = self.index.as_it_is()
                about: dict[str, str | int] = {"entry": self._entry, "head": self._head}
            if self.where is not None and len(seen) - self._saved > max(LEAST_SAVED, self._saved // 8):
                self.where.parent.mkdir(parents=True, exist_ok=True)
                seen.save(self.where, about)
                self._saved = len(seen)
        except OSError as error:
            # Without the file the next start takes longer, and nothing else.
            _LOG.warning("the lineage index could not be saved: %s", error.strerror or type(error).__name__)
        finally:
            if self.index.is_behind:
                self.index.make_tables()
            self._working.release()


def kept(connection: Connection) -> Kept:
    """Return the index of the database that `connection` is of, made at first use."""
    engine = connection.engine
    with _making:
        found = _all.get(engine)
        if found is None:
            found = _all[engine] = Kept(_place(connection))
        return found


_all: WeakKeyDictionary[Engine, Kept] = WeakKeyDictionary()
_making = threading.Lock()


def _place(connection: Connection) -> Path | None:
    """Return the file: beside SQLite's, else in the user's cache by the registry's own name."""
    url = connection.engine.url
    if url.get_backend_name() == "sqlite":
        path = url.database
        return None if path in (None, "", ":memory:") else Path(str(path) + ".lineage.npz")
    line = connection.execute(select(audit.c.line).where(audit.c.number == 0)).scalar()
    if line is None:
        return None
    log = str(json.loads(line).get("log", ""))
    if not log.isalnum():
        return None
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "weighbridge" / "lineage" / f"{log}.npz"


def _last(connection: Connection) -> int:
    found = connection.execute(select(func.max(marks.c.entry))).scalar()
    return -1 if found is None else found


def _head(connection: Connection, entry: int) -> str:
    line = connection.execute(select(audit.c.line).where(audit.c.number == entry)).scalar()
    return "" if line is None else digest_bytes(line.encode())


def _rows(connection: Connection, after: int) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Yield (roots, packed words) of the marks that came to count after an entry."""
    asked = select(marks.c.root, marks.c.words).where(marks.c.entry > after).order_by(marks.c.entry)
    for batch in connection.execute(asked, execution_options={"yield_per": _BATCH}).partitions():
        whole = [(root[-64:].encode(), words) for root, words in batch if words and len(words) == _ROW_BYTES]
        yield [root for root, _ in whole], [words for _, words in whole]


def _add(index: Index, names: list[bytes], rows: list[bytes]) -> None:
    packed = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, _ROW_BYTES)
    words = np.ascontiguousarray(packed[:, : len(PLACES) * 8]).view("<u8")
    has = np.unpackbits(packed[:, len(PLACES) * 8 :], axis=1, bitorder="little").astype(np.bool_)
    index.add_rows(np.array(names, "S64"), words, has, later=True)
