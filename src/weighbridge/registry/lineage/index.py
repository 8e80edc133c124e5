"""Finds the relatives of a model among very many: words that share 15 of 16 bits are candidates, candidates are compared exactly.

The bits of a fingerprint are random projections already, so parts of them are the hashes (Indyk and Motwani 1998): 16 places that survive most changes, seven keys of 16 bits each,
looked up with every one of the bits flipped too. What was added last is searched exactly until the tables are made again.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from weighbridge.errors import EvidenceError, UsageError
from weighbridge.probes.checkpoint.weights.fingerprint import LEAST_BITS, Fingerprint

Words = npt.NDArray[np.uint64]
PLACES = (
    "embedding",
    *(f"{layer}.{role}" for layer in range(3) for role in ("attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")),
)
_WORDS = len(PLACES)
_SHIFTS = range(0, 49, 8)  # where in a word the keys begin: seven, each overlapping the next by half
_FLIPS = np.array([0, *(1 << bit for bit in range(16))], np.uint16)
_TAIL = 4096  # added rows that are searched exactly before the tables are made again
_FORMAT = "weighbridge-lineage-index-1"
_MAX_FILE_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Near:
    """A model that may be kin: over the `bits` that both have in the index, the share that differs. Compare whole with `relate`."""

    name: str
    differing: float
    bits: int


class Index:
    """Fingerprints by name, in memory: some 150 bytes each and 450 of tables. Not for several threads that write.

    >>> index = Index()
    >>> index.add("parent", Fingerprint({place: 3**40 * (at + 1) % 2**64 for at, place in enumerate(PLACES)}))
    >>> index.search(Fingerprint({place: 3**40 * (at + 1) % 2**64 ^ 5 for at, place in enumerate(PLACES)}))
    [Near(name='parent', differing=0.03125, bits=1024)]
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._words: Words = np.zeros((1024, _WORDS), np.uint64)
        self._has: npt.NDArray[np.bool_] = np.zeros((1024, _WORDS), np.bool_)
        self._indexed = 0
        self._tables: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]] = []

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str, mark: Fingerprint) -> None:
        """Add one. The same name twice is two entries. Raises `UsageError` where it has fewer than 8 of the 16 places."""
        words, has = _row(mark)
        if has.sum() * 64 < LEAST_BITS:
            raise UsageError("the fingerprint has too few places to be found by", where=name)
        self.add_rows([name], words[None], has[None])

    def add_rows(self, names: Sequence[str], words: Words, has: npt.NDArray[np.bool_]) -> None:
        """Add many: `words` and `has` of shape (names, 16), in the order of `PLACES`."""
        if words.shape != (len(names), _WORDS) or has.shape != words.shape:
            raise UsageError(f"words and presence are not of shape ({len(names)}, {_WORDS})")
        size = len(self._names) + len(names)
        if size > len(self._words):
            room = max(size, 2 * len(self._words))
            for field in ("_words", "_has"):
                old = getattr(self, field)
                new = np.zeros((room, _WORDS), old.dtype)
                new[: len(self._names)] = old[: len(self._names)]
                setattr(self, field, new)
        self._words[len(self._names) : size], self._has[len(self._names) : size] = words, has
        self._names.extend(names)
        if size - self._indexed > max(_TAIL, self._indexed // 8):
            self._make_tables()

    def search(self, mark: Fingerprint, most: int = 20, farthest: float = 0.35) -> list[Near]:
        """Return at most `most` that differ in less than `farthest` of the bits, the nearest first. Empty: none was found, which is no proof."""
        words, has = _row(mark)
        rows = np.concatenate([self._candidates(words, has), np.arange(self._indexed, len(self))])
        return self._nearest(words, has, rows, most, farthest)

    def search_exactly(self, mark: Fingerprint, most: int = 20, farthest: float = 0.35) -> list[Near]:
        """Return what `search` would if it compared with every entry."""
        words, has = _row(mark)
        return self._nearest(words, has, None, most, farthest)

    def save(self, path: Path) -> None:
        """Write the entries beside `path` and rename; tables are made again on loading."""
        size = len(self)
        names = np.frombuffer(json.dumps(self._names).encode(), np.uint8)
        beside = path.with_name(path.name + ".part")
        try:
            with beside.open("wb") as file:
                np.savez(
                    file,
                    format=np.frombuffer(_FORMAT.encode(), np.uint8),
                    names=names,
                    words=self._words[:size].astype("<u8"),
                    has=self._has[:size],
                )
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Index:
        """Read what `save` wrote; no pickle is ever read. Raises `EvidenceError` for anything else."""
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(each.file_size for each in archive.infolist()) > _MAX_FILE_BYTES:
                    raise ValueError("it is too large")
            with np.load(path, allow_pickle=False) as data:
                if data["format"].tobytes() != _FORMAT.encode():
                    raise ValueError("it is of another format")
                names = json.loads(data["names"].tobytes())
                words, has = data["words"], data["has"]
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError("its names are no list of text")
            if words.dtype != np.dtype("<u8") or has.dtype != np.bool_:
                raise ValueError("its arrays are of other types")
            index = cls()
            index.add_rows(names, words.astype(np.uint64), has)
        except (
            OSError,
            ValueError,
            KeyError,
            MemoryError,
            OverflowError,
            RecursionError,
            zipfile.BadZipFile,
            UsageError,
        ) as error:
            raise EvidenceError(
                "this is no lineage index that can be read", where=str(path), do="make it again"
            ) from error
        return index

    def _make_tables(self) -> None:
        size = len(self)
        tables = []
        for word in range(_WORDS):
            rows = np.flatnonzero(self._has[:size, word]).astype(np.int32)
            values = self._words[:size, word][rows]
            for shift in _SHIFTS:
                keys = _key(values, shift)
                starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << 16))])
                tables.append((rows[np.argsort(keys, kind="stable")], starts))
        self._tables, self._indexed = tables, size

    def _candidates(self, words: Words, has: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
        found = [np.zeros(0, np.int32)]
        for number, (rows, starts) in enumerate(self._tables):
            word, shift = number // len(_SHIFTS), _SHIFTS[number % len(_SHIFTS)]
            if not has[word]:
                continue
            keys = (_key(words[word : word + 1], shift)[0] ^ _FLIPS).astype(np.intp)
            for first, last in zip(starts[keys].tolist(), starts[keys + 1].tolist(), strict=True):
                if last > first:
                    found.append(rows[first:last])
        return np.unique(np.concatenate(found)).astype(np.intp)

    def _nearest(
        self, words: Words, has: npt.NDArray[np.bool_], rows: npt.NDArray[np.intp] | None, most: int, farthest: float
    ) -> list[Near]:
        size = len(self)
        theirs = self._words[:size] if rows is None else self._words[rows]
        both = (self._has[:size] if rows is None else self._has[rows]) & has
        differing = np.where(both, np.bitwise_count(theirs ^ words), 0).sum(1, dtype=np.int64)
        bits = both.sum(1, dtype=np.int64) * 64
        share = differing / np.maximum(bits, 1)
        good = np.flatnonzero((bits >= LEAST_BITS) & (share < farthest))
        order = good[np.argsort(share[good], kind="stable")][:most]
        return [
            Near(self._names[at if rows is None else int(rows[at])], float(share[at]), int(bits[at]))
            for at in order.tolist()
        ]


def _row(mark: Fingerprint) -> tuple[Words, npt.NDArray[np.bool_]]:
    has = np.array([place in mark.bits for place in PLACES])
    return np.array([mark.bits.get(place, 0) for place in PLACES], np.uint64), has


def _key(values: Words, shift: int) -> npt.NDArray[np.uint16]:
    return (values >> np.uint64(shift)).astype(np.uint16)
