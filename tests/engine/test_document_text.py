"""Documents become passages of plain text, whatever their bytes are, in time linear in their number."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.engine.document_text import passages_of


def text_of(name: str, data: bytes, most_chars: int = 400) -> list[str]:
    """Return a document's passages."""
    return list(passages_of(name, data, most_chars))


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", b"One.\n\nTwo.", ["One. Two."]),
        ("a.txt", "Caf\u00e9".encode("utf-16"), ["Caf\u00e9"]),
        ("a.txt", b"\xef\xbb\xbfCaf\xc3\xa9", ["Caf\u00e9"]),
        ("a.txt", b"Caf\xe9", ["Caf\u00e9"]),
        ("a.txt", b"\x1b[31mred\x07 \xe2\x80\xaeturned", ["[31mred turned"]),
        ("a.txt", b"  \n\n\t", []),
        ("a.md", b"# Tea\n\nBoil *water*.", ["# Tea Boil *water*."]),
        ("a.HTML", b"<p>a<b>b</b> &lt;c&gt;<br>d<!-- no --><script>no()</script><style>no</style>", ["ab <c> d"]),
        ("a.htm", b"1 < 2 <unclosed", ["1 < 2"]),
        ("a.html", b"<script>never closed", []),
        ("a.jsonl", b'{"a": ["x", {"b": "y", "n": 3}]}\nnot json\n', ["x y not json"]),
        ("a.csv", b'name,price\n"Tea, green",3\n', ["name price Tea, green"]),
        ("a.tsv", b"a b\t7\tc\n", ["a b c"]),
    ],
)
def test_each_kind_gives_its_text(name: str, data: bytes, expected: list[str]) -> None:
    """Tags, numbers without words, scripts and control characters are gone; words stay."""
    assert text_of(name, data) == expected


def test_long_paragraphs_are_cut_after_sentences_else_between_words_else_anywhere() -> None:
    """Nothing is lost, and no passage is longer than allowed."""
    assert text_of("a.txt", b"One two three four. Five six.", 20) == ["One two three four.", "Five six."]
    assert text_of("a.txt", b"aaaa bbbb cccc dddd", 10) == ["aaaa bbbb", "cccc dddd"]
    assert text_of("a.txt", b"x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


@given(st.binary(max_size=400), st.sampled_from(["a.txt", "a.html", "a.csv", "a.jsonl", "a.tsv"]))
def test_any_bytes_give_short_passages(data: bytes, name: str) -> None:
    """No document is an error; every passage is one line, not empty, and short enough."""
    for passage in text_of(name, data, 40):
        assert 0 < len(passage) <= 40
        assert passage == " ".join(passage.split())


@given(st.text(alphabet="ab. \n", max_size=300), st.integers(min_value=2, max_value=50))
def test_no_letter_is_lost(text: str, most_chars: int) -> None:
    """Passages together hold every letter of a text, in order."""
    assert "".join("".join(text_of("a.txt", text.encode(), most_chars)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("name", "unit"),
    [("a.html", b"<"), ("a.html", b"<!--"), ("a.html", b"<script>"), ("a.html", b"&"), ("a.html", b"<a "), ("a.txt", b"x"),
     ("a.txt", b" \n"), ("a.csv", b'"'), ("a.csv", b","), ("a.jsonl", b"["), ("a.jsonl", b"[\n")],
)  # fmt: skip
def test_hostile_documents_take_no_longer_than_others(name: str, unit: bytes) -> None:
    """A megabyte made to be slow (tags, comments or quotes that never end, deep nesting) takes seconds at most."""
    started_s = time.process_time()
    text_of(name, unit * (1_000_000 // len(unit)))
    assert time.process_time() - started_s < 10
