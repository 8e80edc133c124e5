"""Words that others wrote, made inert for what the public reads."""

from __future__ import annotations

import re

from weighbridge.subject.shown import shown

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$@^=-]|:(?=//))")  # ":" only where it would make a link
_LINE = 4000


def line(text: str) -> str:
    """Return text on one line, with every character that cannot be seen written out.

    >>> line("a\\n b\\x00")
    'a b\\\\x00'
    """
    return shown(" ".join(text.split()), _LINE)


def markdown(text: str) -> str:
    """Return text as Markdown that reads as it is and opens nothing; its lines stay lines of their own.

    >>> print(markdown("<b>*x*"))
    \\<b\\>\\*x\\*
    """
    return "  \n".join(
        _SPECIAL.sub(r"\\\1", line(part)).replace("www.", "www\\.") for part in text.splitlines() if part.strip()
    )
