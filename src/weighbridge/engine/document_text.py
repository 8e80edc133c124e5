"""Documents as passages of plain text. Tolerant: whatever the bytes are, text comes out, in time linear in their number.

`.html`: tags are dropped, with the content of scripts and styles. `.jsonl`: every text in each line. `.csv` and `.tsv`: the cells of a
row that hold letters. Everything else is read as text.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import orjson

_BLANK_LINE = re.compile(r"\n[ \t\r\f\v]*\n")
_UNSHOWN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")
_INLINE = frozenset(
    ("a", "abbr", "b", "cite", "code", "em", "font", "i", "kbd", "mark", "q", "s", "small", "span", "strong", "u")
)
_HIDDEN = {
    name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "template", "noscript", "svg", "math")
}
_CELL_CHARS = 1 << 20  # the csv module refuses longer cells; such a file is read as text


def passages_of(name: str, data: bytes, most_chars: int) -> Iterator[str]:
    """Yield the passages of a document called `name`, in order: at most `most_chars` characters each, none empty.

    Paragraphs stay whole where they fit, and short ones are joined.

    >>> list(passages_of("a.html", b"<h1>Tea</h1><p>Boil <b>water</b>.</p><script>x()</script>", 80))
    ['Tea Boil water.']
    """
    held = ""
    for paragraph in _paragraphs(PurePosixPath(name).suffix.lower(), _decoded(data)):
        text = " ".join(_UNSHOWN.sub(" ", paragraph).split())
        if not text:
            continue
        if held and len(held) + 1 + len(text) <= most_chars:
            held = f"{held} {text}"
            continue
        if held:
            yield held
        *whole, held = _pieces(text, most_chars)
        yield from whole
    if held:
        yield held


def _decoded(data: bytes) -> str:
    """Return the bytes as text: by a byte order mark, else as UTF-8, else as Windows-1252, which says something of any byte."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _paragraphs(suffix: str, text: str) -> Iterator[str]:
    if suffix in (".html", ".htm"):
        text = _without_tags(text)
    elif suffix == ".jsonl":
        yield from map(_texts_of_line, text.splitlines())
        return
    elif suffix in (".csv", ".tsv") and (rows := _rows(text, "\t" if suffix == ".tsv" else ",")) is not None:
        yield from rows
        return
    yield from _BLANK_LINE.split(text)


def _pieces(text: str, most_chars: int) -> list[str]:
    """Return a paragraph in pieces that fit, cut after a sentence, else between words, else anywhere. Never empty."""
    pieces = []
    start = 0
    while len(text) - start > most_chars:
        stop = start + most_chars
        cut = max(text.rfind(end, start + most_chars // 2, stop) for end in (". ", "! ", "? "))
        cut = cut + 1 if cut > 0 else text.rfind(" ", start + 1, stop + 1)
        cut = cut if cut > start else stop
        pieces.append(text[start:cut].strip())
        start = cut + (text[cut] == " ")
    pieces.append(text[start:])
    return pieces


def _without_tags(source: str) -> str:
    """Return the text of a page. One pass with `find`: a page of nothing but `<` costs no more than another."""
    parts: list[str] = []
    at = 0
    while (opens := source.find("<", at)) >= 0:
        parts.append(source[at:opens])
        if source.startswith("<!--", opens):
            closes = source.find("-->", opens + 4)
            at = closes + 3 if closes >= 0 else len(source)
            continue
        tag = _TAG.match(source, opens)
        if tag is None and not source.startswith(("<!", "<?"), opens):
            parts.append("<")  # less than, not a tag
            at = opens + 1
            continue
        name = tag[1].lower() if tag else ""
        if tag and name in _HIDDEN and source[opens + 1] != "/":
            hidden = _HIDDEN[name].search(source, opens)
            opens = hidden.start() if hidden else len(source)
        closes = source.find(">", opens)
        at = closes + 1 if closes >= 0 else len(source)
        parts.append("" if name in _INLINE else "\n\n")
    parts.append(source[at:])
    return html.unescape("".join(parts))


def _texts_of_line(line: str) -> str:
    """Return every text in one line of JSON; the line itself when it is not JSON."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    return "\n".join(_texts(value))


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value, in order. orjson reads at most 1,024 levels, so this ends."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting.extend(reversed(one.values()))
        elif isinstance(one, list):
            waiting.extend(reversed(one))


def _rows(text: str, delimiter: str) -> list[str] | None:
    """Return each row's cells that hold letters, or None when this is no table."""
    if len(text) > _CELL_CHARS and text.count("\n") < 2:
        return None
    before = csv.field_size_limit(_CELL_CHARS)
    try:
        return [
            " ".join(cell for cell in row if any(map(str.isalpha, cell)))
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        ]
    except csv.Error:
        return None
    finally:
        csv.field_size_limit(before)
