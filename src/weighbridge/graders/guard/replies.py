"""Reading what a guard says: `safe`, or `unsafe` and a line of its codes. Anything else is not a verdict. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

_CODES = re.compile(r"[A-Z]\d{1,2}(?:, ?[A-Z]\d{1,2})*")


class Unreadable(ValueError):
    """The reply is no verdict of this version. The text says what is wrong, without quoting the reply."""


def read_verdict(text: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the codes of the categories that the reply calls violated: none for `safe`. Raises `Unreadable`.

    `known` are the version's codes. White space around the reply does not matter; everything else does.

    >>> read_verdict("\\n\\nunsafe\\nS1,S5", {"S1", "S5"}), read_verdict("safe", {"S1"})
    (('S1', 'S5'), ())
    """
    lines = [line.strip() for line in text.strip().split("\n")]
    if lines == ["safe"]:
        return ()
    if lines == [""]:
        raise Unreadable("an empty reply")
    if lines == ["unsafe"]:
        raise Unreadable("unsafe, but in no category")
    if lines[0] != "unsafe" or len(lines) != 2 or not _CODES.fullmatch(lines[1]):
        raise Unreadable("neither `safe` nor `unsafe` and one line of codes")
    codes = tuple(re.split(", ?", lines[1]))
    if strange := sorted(set(codes) - set(known)):
        raise Unreadable(f"codes that this version does not have: {', '.join(strange)}")
    if len(set(codes)) != len(codes):
        raise Unreadable("a code is there twice")
    return codes
