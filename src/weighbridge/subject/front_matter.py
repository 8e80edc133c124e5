"""The metadata block at the head of a Markdown text, as model cards have it: YAML between two lines of dashes. Untrusted: bounded, data only.

Light to import: `inspect` starts fast.
"""

from __future__ import annotations

import re
from typing import Any

MAX_LENGTH = 1 << 16  # characters of the block; a longer one is not read
_SHALLOW = 200  # levels; the C loader was seen to follow thousands
_INDICATOR = re.compile(r"[-?:](?=\s|\Z)")
_OPENS = re.compile(r"\ufeff?---[ \t]*(?=\n)")
_ANCHOR = re.compile(r"(?:^|[\s\[{,])&[^\s\[\]{},]", re.MULTILINE)
_ALIAS = re.compile(r"(?:^|[\s\[{,])\*[^\s\[\]{},]", re.MULTILINE)


def front_matter(text: str) -> dict[str, Any]:
    """Return the metadata block at the head of a Markdown text; empty when there is none that can be read.

    A block whose parts stand for each other (anchors and aliases) is not read: a few lines of it can unfold to more than any memory holds.

    >>> front_matter("---\\nlicense: mit\\n---\\n# Card\\n")
    {'license': 'mit'}
    >>> front_matter("---\\na: &a [x]\\nb: [*a, *a]\\n---\\n")
    {}
    """
    block, _ = split_front_matter(text[:MAX_LENGTH])
    if not block or (_ANCHOR.search(block) and _ALIAS.search(block)):
        return {}
    import yaml

    # The C loader is ten times as fast, and deep nesting overflows its stack: that ends the process, where Python's ends in an error.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader) if _is_shallow(block) else yaml.SafeLoader
    try:
        value = yaml.load(block, Loader=loader)  # noqa: S506 - safe loaders, both
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_shallow(block: str) -> bool:
    """Whether nothing in it can be nested deeply: a level needs a bracket, or an indicator or a column on one of its lines."""
    if block.count("[") + block.count("{") > _SHALLOW:
        return False
    return all(len(line) - len(line.lstrip()) + len(_INDICATOR.findall(line)) < _SHALLOW for line in block.splitlines())


def split_front_matter(text: str) -> tuple[str, str]:
    """Return the block without its dashes ("" where there is none) and the text below it, both with plain line ends.

    >>> split_front_matter("---\\r\\nlicense: mit\\r\\n---\\r\\n# Card")
    ('\\nlicense: mit', '\\n# Card')
    """
    text = text.replace("\r\n", "\n")
    opens = _OPENS.match(text)
    if opens is None or (end := text.find("\n---", opens.end())) < 0:
        return "", text
    return text[opens.end() : end], text[end + 4 :]
