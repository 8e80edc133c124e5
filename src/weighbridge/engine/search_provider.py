"""Existing technology as a provider: a full-text index over a folder of documents. A prompt in, the best passages out.

No model is asked and no token is spent. A prompt of which no passage holds enough gets the answer that nothing was found: a
fact about this baseline, since whoever searches here gets no help. A folder that cannot be read is an error.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from weighbridge.digests import digest_bytes
from weighbridge.engine.document_text import passages_of
from weighbridge.engine.passage_index import Found, Passage, PassageIndex
from weighbridge.engine.provider import Access
from weighbridge.engine.questions import Answer, Chat, Request
from weighbridge.errors import EngineError
from weighbridge.subject.document_folder import MAX_FILE_BYTES
from weighbridge.subject.search_method import METHOD, NOTHING, PASSAGES

NOTHING_FOUND = "[No passage of these documents holds enough of what was asked.]"


class SearchProvider:
    """Searches the documents of `root`. `digests` has the digest of each, by path: what is searched is what was hashed."""

    concurrency = (1, 1)  # one index; a look-up takes milliseconds

    def __init__(self, root: Path, digests: Mapping[str, str], subject: str) -> None:
        self.subject = subject
        self._root, self._digests = root, digests
        self._index: PassageIndex | None = None
        self._lock = threading.Lock()  # a cancelled look-up goes on in its thread: closing waits for it

    async def access(self) -> Access:
        """Read the documents and index them, once; there is an interface to ask and nothing else.

        Raises `EngineError` when a document is not what it was when it was hashed, and when there is no full-text index.
        """
        index = await asyncio.to_thread(self._open)
        return Access(
            chat=True,
            completion=False,
            prefill=False,
            note=f"{len(index):,} passages; people use a search through its interface, so only `api` exists for it",
        )

    async def ask(self, request: Request) -> Answer:
        """Return the best passages, or that nothing was found."""
        began_s, asked_at = time.perf_counter(), time.time()
        prompt = request.body.messages[-1].content if isinstance(request.body, Chat) else request.body.prompt
        found = await asyncio.to_thread(self._search, prompt)
        text = written(found, request.decoding.max_tokens * METHOD.chars_per_token)
        return Answer(
            text=text or NOTHING_FOUND,
            finish=PASSAGES if text else NOTHING,
            prompt_tokens=None,
            completion_tokens=None,
            seconds=time.perf_counter() - began_s,
            asked_at=asked_at,
        )

    async def close(self) -> None:
        """Drop the index."""
        await asyncio.to_thread(self._close)

    def _open(self) -> PassageIndex:
        with self._lock:
            if self._index is None:
                index = PassageIndex(METHOD)
                try:
                    for name, digest in self._digests.items():
                        index.add(Passage(name, text) for text in self._passages(name, digest))
                except sqlite3.Error as error:
                    index.close()
                    raise EngineError(
                        f"the documents cannot be indexed ({error})",
                        where=str(self._root),
                        do="make room where temporary files are kept",
                    ) from error
                except BaseException:
                    index.close()
                    raise
                self._index = index
            return self._index

    def _passages(self, name: str, digest: str) -> Sequence[str]:
        try:
            with (self._root / name).open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise EngineError(
                f"a document cannot be read ({error.strerror})", where=str(error.filename), do="check its permissions"
            ) from error
        if digest_bytes(data) != digest:
            raise EngineError(
                "changed while it was being read", where=str(self._root / name), do="run again when nobody writes there"
            )
        return list(passages_of(name, data, METHOD.passage_chars))

    def _search(self, prompt: str) -> list[Found]:
        index = self._open()
        with self._lock:
            return index.best(prompt)

    def _close(self) -> None:
        with self._lock:
            if self._index is not None:
                self._index.close()
                self._index = None


def written(found: Sequence[Found], most_chars: int) -> str:
    """Return passages with the name of their document, best first, while they fit; the first is cut where it does not.

    The same words again, out of a copy of a document, are left out.
    """
    blocks: list[str] = []
    said: set[str] = set()
    left = most_chars
    for one in found:
        if one.passage.text in said:
            continue
        said.add(one.passage.text)
        block = f"{one.passage.text}\n({one.passage.source})"
        if blocks and len(block) + 2 > left:
            break
        blocks.append(block if len(block) <= left else _cut(one.passage.text, left))
        left -= len(blocks[-1]) + 2
    return "\n\n".join(blocks)


def _cut(text: str, most_chars: int) -> str:
    """Return the start of a text, cut between words where it can be."""
    if len(text) <= most_chars:
        return text
    space = text.rfind(" ", 1, most_chars + 1)
    return text[: space if space > 0 else most_chars]
