"""A full-text index over passages: SQLite FTS5, ranked by BM25. The same passages give the same answers in the same order.

BM25: Robertson, Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond", as SQLite's `bm25()` has it (k1 1.2, b 0.75).
Ranking alone always finds something; whether it is about what was asked is told by `Found.share`.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weighbridge.errors import EngineError
from weighbridge.subject.search_method import SearchMethod

_WORD = re.compile(r"\w+")
MAX_WORDS = 64  # of a prompt; the rest is not looked for


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: `source` is the document's path in its folder."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that was found. `share`, in [0, 1], is how much of the prompt's weight its words hold."""

    passage: Passage
    share: float


class PassageIndex:
    """Passages in a private temporary database, which SQLite keeps in memory while it is small.

    Raises `EngineError` when this Python's SQLite has no full-text index.
    """

    def __init__(self, method: SearchMethod) -> None:
        self._method = method
        self._base = sqlite3.connect("", check_same_thread=False)
        self._counts: dict[str, int] = {}
        self._size = 0
        try:
            for table in ("passages", "looked_at"):
                self._base.execute(
                    f"CREATE VIRTUAL TABLE {table} USING fts5(text, source UNINDEXED, tokenize = '{method.tokenizer}')"
                )
        except sqlite3.OperationalError as error:
            self._base.close()
            raise EngineError(
                f"this Python's SQLite ({sqlite3.sqlite_version}) has no full-text index ({error})",
                where="search",
                do="use a Python whose SQLite is built with FTS5, as python.org's and the distributions' are",
            ) from error

    def add(self, passages: Iterable[Passage]) -> None:
        """Add passages, after those that are there."""
        self._counts.clear()
        with self._base:
            for one in passages:
                self._base.execute("INSERT INTO passages (source, text) VALUES (?, ?)", (one.source, one.text))
                self._size += 1

    def __len__(self) -> int:
        return self._size

    def close(self) -> None:
        """Drop the index. May be called twice."""
        self._base.close()

    def best(self, prompt: str) -> list[Found]:
        """Return the passages that hold at least `least_share` of the prompt, best first; none when there are none.

        A word's weight is log((N + 1) / (n + 0.5)) for n of N passages that hold it: a word that is everywhere weighs next to
        nothing, one that is nowhere the most. Ties keep the order in which passages were added.
        """
        weights = self._weights(prompt)
        held = [word for word in weights if self._count(word)]
        total = math.fsum(weights.values())
        if not held or total <= 0:
            return []
        candidates = self._candidates(held)
        hold = self._held(held, [passage.text for passage in candidates])
        found = [
            Found(passage, math.fsum(weights[word] for word in words) / total)
            for passage, words in zip(candidates, hold, strict=True)
        ]
        return [one for one in found if one.share >= self._method.least_share]

    def _candidates(self, words: Sequence[str]) -> list[Passage]:
        """Return the best passages by BM25, which gives a word that half of them hold next to nothing: those are left out."""
        half = self._size / 2
        telling = [word for word in words if self._count(word) < half] or words
        rows = self._base.execute(
            "SELECT source, text FROM passages WHERE passages MATCH ? ORDER BY bm25(passages), rowid LIMIT ?",
            (" OR ".join(map(_quoted, telling)), self._method.candidates),
        )
        return [Passage(source, text) for source, text in rows]

    def _held(self, words: Sequence[str], texts: Sequence[str]) -> list[list[str]]:
        """Return which of `words` each text holds, as the index reads them: a few texts in an index of their own are quick to ask."""
        hold: list[list[str]] = [[] for _ in texts]
        with self._base:
            self._base.executemany("INSERT INTO looked_at (rowid, text) VALUES (?, ?)", enumerate(texts))
            for word in words:
                rows = self._base.execute("SELECT rowid FROM looked_at WHERE looked_at MATCH ?", (_quoted(word),))
                for (number,) in rows:
                    hold[number].append(word)
            self._base.execute("DELETE FROM looked_at")
        return hold

    def _weights(self, prompt: str) -> dict[str, float]:
        words = list(dict.fromkeys(word.lower() for word in _WORD.findall(prompt)))[:MAX_WORDS]
        total = self._size
        return {word: max(0.0, math.log((total + 1) / (self._count(word) + 0.5))) for word in words}

    def _count(self, word: str) -> int:
        """Return how many passages hold the word."""
        if word not in self._counts:
            row = self._base.execute("SELECT count(*) FROM passages WHERE passages MATCH ?", (_quoted(word),))
            self._counts[word] = int(row.fetchone()[0])
        return self._counts[word]


def _quoted(word: str) -> str:
    return f'"{word}"'  # `_WORD` lets no quotation mark through; quoted, AND and NEAR are words too
