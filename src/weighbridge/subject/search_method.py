"""How `search:FOLDER` looks for passages: the parameters that decide its answers, and so belong to its identity.

The engine reads them from here; a change of any of them, or of `version` for a change of code, is another subject.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class SearchMethod:
    """`passage_chars`: the longest passage, in characters. `candidates`: how many of the best by BM25 are looked at.

    `least_share`: a passage counts only when it holds at least this share, in [0, 1], of what the prompt says: its words, each
    weighed by how rare it is in the folder. `chars_per_token`: an answer is at most so many characters long for every token that
    a model may say.
    """

    version: int = 1
    index: str = "SQLite FTS5, BM25"
    tokenizer: str = "porter unicode61 remove_diacritics 2"
    passage_chars: int = 400
    candidates: int = 50
    least_share: float = 0.6
    chars_per_token: int = 4

    def parameters(self) -> dict[str, str | int | float]:
        """Return every parameter by name, for the digest."""
        return asdict(self)


METHOD = SearchMethod()

PASSAGES, NOTHING = "passages", "nothing found"
"""How an answer of a search ended, in its `finish`: it holds passages, or says that there are none."""
