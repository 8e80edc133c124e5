"""Untrusted texts of many lines, made safe to read."""

from __future__ import annotations

from weighbridge.subject.shown import shown

MOST_LETTERS = 100_000


def readable(text: str) -> str:
    r"""Return a text with its lines, and what cannot be seen written out.

    >>> readable("one\n\x1b[31mtwo\u202e")
    'one\n\\x1b[31mtwo\\u202e'
    """
    clipped = text[:MOST_LETTERS]
    lines = "\n".join(shown(line, MOST_LETTERS) for line in clipped.splitlines())
    left = len(text) - len(clipped)
    return f"{lines}\n[{left:,} letters more are not shown]" if left else lines
