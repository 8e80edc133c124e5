"""Finds the relatives of a model among very many: words that share 15 of 16 bits are candidates, candidates are compared exactly.

The bits of a fingerprint are random projections already, so parts of them are the hashes (Indyk and Motwani 1998): 16 places that survive most changes, seven keys of 16 bits each,
looked up with every one of the bits flipped too. What was added last is searched exactly until the tables are made again.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
_FORMAT = "weighbridge-lineage-index-2"
_NAME = np.dtype("S64")
_MAX_FILE_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Near:
    """A model that may be kin: over the `bits` that both have in the index, the share that differs. Compare whole with `relate`."""

    name: str
    differing: float
    bits: int


@dataclass(frozen=True)
class _State:
    """What a search sees. Rows from `size` on belong to a later state, so that adding disturbs nobody."""

    names: npt.NDArray[np.bytes_]
    words: Words
    has: npt.NDArray[np.bool_]
    size: int
    indexed: int  # rows before it are in the tables
    tables: tuple[tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]], ...]


def _empty(room: int) -> tuple[npt.NDArray[np.bytes_], Words, npt.NDArray[np.bool_]]:
    return np.zeros(room, _NAME), np.zeros((room, _WORDS), np.uint64), np.zeros((room, _WORDS), np.bool_)


class Index:
    """Fingerprints by name, in memory: some 210 bytes each and 450 of tables. Any number of threads may search while one adds.

    >>> index = Index()
    >>> index.add("parent", Fingerprint({place: 3**40 * (at + 1) % 2**64 for at, place in enumerate(PLACES)}))
    >>> index.search(Fingerprint({place: 3**40 * (at + 1) % 2**64 ^ 5 for at, place in enumerate(PLACES)}))
    [Near(name='parent', differing=0.03125, bits=1024)]
    """

    def __init__(self) -> None:
        self._state = _State(*_empty(1024), 0, 0, ())
        self._adding = threading.Lock()

    def __len__(self) -> int:
        return self._state.size

    @property
    def is_behind(self) -> bool:
        """Whether so much was added since the tables were made that searches would gain by `make_tables`."""
        state = self._state
        return state.size - state.indexed > max(_TAIL, state.indexed // 8)

    def add(self, name: str, mark: Fingerprint) -> None:
        """Add one. The same name twice is two entries. Raises `UsageError` where it has fewer than 8 of the 16 places."""
        words, has = row_of(mark)
        if has.sum() * 64 < LEAST_BITS:
            raise UsageError("the fingerprint has too few places to be found by", where=name)
        self.add_rows([name], words[None], has[None])

    def add_rows(
        self,
        names: Sequence[str] | npt.NDArray[np.bytes_],
        words: Words,
        has: npt.NDArray[np.bool_],
        *,
        later: bool = False,
    ) -> None:
        """Add many: `words` and `has` of shape (names, 16), in the order of `PLACES`; names of 1 to 64 ASCII letters.

        `later`: do not make the tables now; until `make_tables` these are searched exactly.
        """
        if words.shape != (len(names), _WORDS) or has.shape != words.shape:
            raise UsageError(f"words and presence are not of shape ({len(names)}, {_WORDS})")
        if not isinstance(names, np.ndarray):
            if not all(0 < len(name) <= _NAME.itemsize and name.isascii() for name in names):
                raise UsageError(f"a name in the index has 1 to {_NAME.itemsize} ASCII letters")
            names = np.array(names, _NAME)
        with self._adding:
            state = self._state
            size = state.size + len(names)
            arrays = (state.names, state.words, state.has)
            if size > len(state.words):
                wider = _empty(max(size, state.size + state.size // 2, 1024))
                for old, new in zip(arrays, wider, strict=True):
                    new[: state.size] = old[: state.size]
                arrays = wider
            for array, rows in zip(arrays, (names, words, has), strict=True):
                array[state.size : size] = rows
            self._state = _State(*arrays, size, state.indexed, state.tables)
        if not later and self.is_behind:
            self.make_tables()

    def make_tables(self) -> None:
        """Make the tables of all that is here now. Searches and additions go on meanwhile."""
        seen = self._state
        tables = _tables(seen.words[: seen.size], seen.has[: seen.size])
        with self._adding:
            now = self._state
            self._state = _State(now.names, now.words, now.has, now.size, seen.size, tables)

    def search(self, mark: Fingerprint, most: int = 20, farthest: float = 0.35) -> list[Near]:
        """Return at most `most` that differ in less than `farthest` of the bits, the nearest first. Empty: none was found, which is no proof."""
        state = self._state
        words, has = row_of(mark)
        rows = None
        if state.indexed:
            rows = np.concatenate([_candidates(state, words, has), np.arange(state.indexed, state.size)])
        return _nearest(state, words, has, rows, most, farthest)

    def search_exactly(self, mark: Fingerprint, most: int = 20, farthest: float = 0.35) -> list[Near]:
        """Return what `search` would if it compared with every entry."""
        words, has = row_of(mark)
        return _nearest(self._state, words, has, None, most, farthest)

    def as_it_is(self) -> Index:
        """Return this index as it is now, at no cost: what is added later is not in its view. To read and save only, for they share memory."""
        still = Index()
        still._state = self._state
        return still

    def save(self, path: Path, about: Mapping[str, str | int] | None = None) -> None:
        """Write the entries beside `path` and rename; tables are made again on loading. `about`: what `load` gives back."""
        state = self._state
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with beside.open("xb") as file:
                np.savez(
                    file,
                    format=np.frombuffer(_FORMAT.encode(), np.uint8),
                    about=np.frombuffer(json.dumps(dict(about or {})).encode(), np.uint8),
                    names=state.names[: state.size],
                    words=state.words[: state.size].astype("<u8"),
                    has=state.has[: state.size],
                )
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, *, later: bool = False) -> Index:
        """Read what `save` wrote; no pickle is ever read. `later`: as for `add_rows`. Raises `EvidenceError` for anything else."""
        return cls.load_about(path, later=later)[0]

    @classmethod
    def load_about(cls, path: Path, *, later: bool = False) -> tuple[Index, dict[str, Any]]:
        """Return what `load` does, and what `save` was told about it."""
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(each.file_size for each in archive.infolist()) > _MAX_FILE_BYTES:
                    raise ValueError("it is too large")
            with np.load(path, allow_pickle=False) as data:
                if data["format"].tobytes() != _FORMAT.encode():
                    raise ValueError("it is of another format")
                about = json.loads(data["about"].tobytes())
                names, words, has = data["names"], data["words"], data["has"]
            if not isinstance(about, dict):
                raise ValueError("what is said about it is no object")
            if names.dtype != _NAME or names.ndim != 1 or words.dtype != np.dtype("<u8") or has.dtype != np.bool_:
                raise ValueError("its arrays are of other types")
            index = cls()
            index.add_rows(names, words.astype(np.uint64, copy=False), has, later=later)
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
        return index, about


def _tables(
    words: Words, has: npt.NDArray[np.bool_]
) -> tuple[tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]], ...]:
    tables = []
    for word in range(_WORDS):
        rows = np.flatnonzero(has[:, word]).astype(np.int32)
        values = words[:, word][rows]
        for shift in _SHIFTS:
            keys = _key(values, shift)
            starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << 16))])
            tables.append((rows[np.argsort(keys, kind="stable")], starts))
    return tuple(tables)


def _candidates(state: _State, words: Words, has: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    found = [np.zeros(0, np.int32)]
    for number, (rows, starts) in enumerate(state.tables):
        word, shift = number // len(_SHIFTS), _SHIFTS[number % len(_SHIFTS)]
        if not has[word]:
            continue
        keys = (_key(words[word : word + 1], shift)[0] ^ _FLIPS).astype(np.intp)
        for first, last in zip(starts[keys].tolist(), starts[keys + 1].tolist(), strict=True):
            if last > first:
                found.append(rows[first:last])
    return np.unique(np.concatenate(found)).astype(np.intp)


def _nearest(
    state: _State,
    words: Words,
    has: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.intp] | None,
    most: int,
    farthest: float,
) -> list[Near]:
    theirs = state.words[: state.size] if rows is None else state.words[rows]
    both = (state.has[: state.size] if rows is None else state.has[rows]) & has
    differing = np.where(both, np.bitwise_count(theirs ^ words), 0).sum(1, dtype=np.int64)
    bits = both.sum(1, dtype=np.int64) * 64
    share = differing / np.maximum(bits, 1)
    good = np.flatnonzero((bits >= LEAST_BITS) & (share < farthest))
    order = good[np.argsort(share[good], kind="stable")][:most]
    return [
        Near(state.names[at if rows is None else int(rows[at])].decode("ascii"), float(share[at]), int(bits[at]))
        for at in order.tolist()
    ]


def row_of(mark: Fingerprint) -> tuple[Words, npt.NDArray[np.bool_]]:
    """Return of a fingerprint what the index keeps: 16 words in the order of `PLACES`, and which of them there are."""
    has = np.array([place in mark.bits for place in PLACES])
    return np.array([mark.bits.get(place, 0) for place in PLACES], np.uint64), has


def _key(values: Words, shift: int) -> npt.NDArray[np.uint16]:
    return (values >> np.uint64(shift)).astype(np.uint16)
