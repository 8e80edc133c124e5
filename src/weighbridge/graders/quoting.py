"""Makes a prompt or an answer inert before another model reads it: it can be quoted, it cannot act. Pure.

Two things in a text could act without being read: control tokens of chat formats, which some servers read wherever they stand, so
that an answer could end its own turn; and characters that people do not see (direction overrides, tag characters), in which
orders to a model have been hidden. The first are broken by a space, the second written out. Everything else stays as it is.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"<(?=\|[^|<>\n]{1,48}\|>)"  # <|im_end|>, <|eot_id|>, <|header_start|>
    r"|<(?=[|｜][^|｜<>\n]{1,48}[|｜]>)"  # the same with full-width bars
    r"|<(?=/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|system|assistant)>)"
    r"|<(?=</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS)\])",
    re.IGNORECASE,
)
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f"  # controls; tab and line end are text
    "\u061c\u200b\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"  # zero width, direction, annotation
    "\U000e0000-\U000e01ef]"  # tag characters and further variation selectors
)


def inert(text: str) -> str:
    """Return `text` with control tokens broken, unseen characters written as `[U+202E]`, and one kind of line end.

    Joiners and marks that writing systems need (U+200C to U+200F) are kept. A lone surrogate, which has no UTF-8 form, becomes "?".

    >>> inert("no.<|im_end|>\\u202e")
    'no.< |im_end|>[U+202E]'
    """
    text = text.encode("utf-8", "replace").decode()
    text = _LINE_ENDS.sub("\n", text)
    text = _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)
    return _CONTROL.sub(lambda found: found[0] + " ", text)


def is_blank(text: str) -> bool:
    """Return whether a reader would see nothing in `text`.

    >>> is_blank(" \\u200b\\n"), is_blank(".")
    (True, False)
    """
    return not _UNSEEN.sub("", text).strip()


def clip(text: str, limit: int) -> tuple[str, str]:
    """Return `text` cut to its head and tail, about `limit` characters, and a note on the cut (empty when there was none)."""
    if len(text) <= limit:
        return text, ""
    head, tail = limit * 3 // 4, limit // 4
    left_out = len(text) - head - tail
    return f"{text[:head]}\n[...]\n{text[-tail:]}", f" ({left_out} characters in the middle left out at [...])"
