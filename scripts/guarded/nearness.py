"""When two prompts are "the same": token-set Jaccard over the words that carry the topic."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

NEAR = 0.6  # at this similarity and above, one prompt is a near-duplicate of the other
LINKED = 0.4  # at this similarity and above, two prompts stay on one side of the split

# Grammar, and the frames that requests come in ("write a step-by-step guide on how to ..."): they carry no topic, and with
# them every order would be like every other order.
_FRAME_WORDS = """
a an the to of in on for from with by at as and or but if so than that this these those it its is are was were be been
    am do does did done how what which who whom whose why when where can could should would will shall may might must i me my
    mine myself you your we our us they them their he him his she her someone somebody anyone anybody people person one any
    some all more most very just also too not no without into out up about over
    write create make develop give provide show explain teach tell describe list outline draft compose design suggest say
    state agree confirm help please want need going plan best way ways good idea right step guide tutorial instruction
    detailed detail
"""
_FRAME = frozenset(_FRAME_WORDS.split())


def topic_words(text: str) -> frozenset[str]:
    """Return the words of `text` that carry its topic, in lower case and without a plural s.

    >>> sorted(topic_words("How do I kill the background processes?"))
    ['background', 'kill', 'process']
    """
    words = re.findall(r"[^\W_]+", text.lower().replace("'s ", " ").replace("’s ", " "))
    stems = (re.sub(r"(?<=[^s])s$|(?<=ss)es$", "", word) if len(word) > 3 else word for word in words)
    return frozenset(stem for stem in stems if stem not in _FRAME and len(stem) > 1)


class Nearness:
    """Texts that were met, by the words that carry their topic.

    >>> met = Nearness(["How do I kill a process?"])
    >>> met.nearest("Kill the background process!")
    0.6666666666666666
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._sizes: list[int] = []
        self._by_word: dict[str, list[int]] = defaultdict(list)
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        words = topic_words(text)
        for word in words:
            self._by_word[word].append(len(self._sizes))
        self._sizes.append(len(words))

    def similarities(self, text: str) -> dict[int, float]:
        """Return the Jaccard index, in (0, 1], of `text` and each text met that shares a word with it, by number."""
        words = topic_words(text)
        shared = Counter(number for word in words for number in self._by_word.get(word, ()))
        return {number: both / (len(words) + self._sizes[number] - both) for number, both in shared.items()}

    def nearest(self, text: str) -> float:
        """Return the highest Jaccard index of `text` and any text met, 0.0 when none shares a word with it."""
        return max(self.similarities(text).values(), default=0.0)


def distinct(texts: Sequence[str]) -> list[int]:
    """Return the indices of `texts` that are left when each near-duplicate of an earlier one is dropped."""
    kept: list[int] = []
    met = Nearness()
    for index, text in enumerate(texts):
        if topic_words(text) and met.nearest(text) < NEAR:
            kept.append(index)
            met.add(text)
    return kept


def clusters(texts: Sequence[str], together: Iterable[tuple[int, int]] = ()) -> list[int]:
    """Return for each text the index of the first text of its cluster: texts linked at `LINKED`, directly or by others.

    Pairs of indices in `together` are linked whatever their words.
    """
    parent = list(range(len(texts)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    def link(index: int, other: int) -> None:
        first, second = sorted((root(index), root(other)))
        parent[second] = first

    met = Nearness()
    for index, text in enumerate(texts):
        for other, likeness in met.similarities(text).items():
            if likeness >= LINKED:
                link(index, other)
        met.add(text)
    for index, other in together:
        link(index, other)
    return [root(index) for index in range(len(texts))]
