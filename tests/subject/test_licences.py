"""Licences: which are open, which fit, and what is not known of the others."""

from __future__ import annotations

import doctest
import re
import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.subject import licences
from weighbridge.subject.licences import (
    ContentKind,
    judge,
    known_ids,
    licence_id,
    recognise_text,
    same_licence,
    spdx_expression,
)

CODE, DATA, DOCUMENT = ContentKind
MIT = """\
MIT License

Copyright (c) 2026 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to
deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or
sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE.
"""


ISC = """\
ISC License

Copyright (c) 2026, Somebody

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN
CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
"""


@pytest.mark.parametrize(
    ("name", "kind", "is_open", "fits"),
    [
        ("Apache-2.0", CODE, True, True),
        ("apache-2.0", DOCUMENT, True, True),
        ("Apache-2.0", DATA, True, False),
        ("MIT", DATA, True, False),
        ("CC-BY-4.0", DOCUMENT, True, True),
        ("CC-BY-4.0", DATA, True, True),
        ("cc-by-4.0", CODE, True, False),
        ("CDLA-Permissive-2.0", DATA, True, True),
        ("CDLA-Permissive-2.0", CODE, True, False),
        ("OpenMDW-1.0", CODE, True, True),
        ("OpenMDW-1.0", DATA, True, True),
        ("CC0-1.0", DATA, True, True),
        ("odbl", DATA, True, True),
        ("CC-BY-NC-4.0", DATA, False, None),
        ("cc-by-nc-sa-4.0", DATA, False, None),
        ("CC-BY-ND-4.0", DOCUMENT, False, None),
        ("llama3.2", DATA, False, None),
        ("gemma", DATA, False, None),
        ("bigscience-bloom-rail-1.0", DATA, False, None),
        ("creativeml-openrail-m", DATA, False, None),
        ("openrail", DATA, False, None),
        ("unlicensed", CODE, False, None),
        ("Unlicense", CODE, True, True),
        ("Beerware", CODE, False, None),
        ("other", CODE, None, None),
        ("Somebody's terms", CODE, None, None),
        ("LicenseRef-ours", CODE, None, None),
        ("", CODE, None, None),
    ],
)
def test_a_licence_is_open_by_lists_and_fits_by_kind(
    name: str, kind: ContentKind, is_open: bool | None, fits: bool | None
) -> None:
    """Each of the framework's tests answers yes, no, or not known."""
    judged = judge(name, kind)
    assert (judged.open, judged.fits) == (is_open, fits), judged.reason


@pytest.mark.parametrize(
    ("expression", "is_open", "fits"),
    [
        ("Apache-2.0 OR MIT", True, True),
        ("MIT AND Apache-2.0", True, True),
        ("MIT AND CC-BY-NC-4.0", False, None),
        ("MIT OR CC-BY-NC-4.0", True, True),
        ("MIT AND LicenseRef-ours", None, None),
        ("CC-BY-NC-4.0 AND LicenseRef-ours", False, None),
        ("CC-BY-NC-4.0 OR LicenseRef-ours", None, None),
        ("MIT OR LicenseRef-ours", True, True),
        ("CC-BY-4.0 OR MIT", True, True),
        ("CC-BY-4.0 AND MIT", True, False),
        ("MIT OR Apache-2.0 AND CC-BY-NC-4.0", True, True),
        ("(MIT OR Apache-2.0) AND CC-BY-NC-4.0", False, None),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True, True),
        ("GPL-2.0-only WITH no-such-exception", None, None),
        ("CC-BY-NC-4.0 WITH no-such-exception", False, None),
        ("Apache-2.0+", True, True),
        ("mit or apache-2.0", True, True),
        ("MIT OR", None, None),
        ("OR MIT", None, None),
        ("MIT Apache-2.0", None, None),
        ("(MIT", None, None),
        ("MIT)", None, None),
        ("MIT WITH", None, None),
        ("(" * 200 + "MIT" + ")" * 200, None, None),
        ("MIT AND " * 100 + "MIT", None, None),
    ],
)
def test_expressions_are_read_with_their_precedence(expression: str, is_open: bool | None, fits: bool | None) -> None:
    """OR takes the best, AND needs all, and what is no expression is not known."""
    judged = judge(expression, CODE)
    assert (judged.open, judged.fits) == (is_open, fits), judged.reason


SAMPLES = ("MIT", "CC-BY-4.0", "CC-BY-NC-4.0", "LicenseRef-x")


def test_and_and_or_follow_the_three_valued_tables() -> None:
    """Every pair of open, not open and not known gives what Kleene's tables say."""
    value = {name: judge(name, CODE).open for name in SAMPLES}
    for first, second in product(SAMPLES, repeat=2):
        pair = {value[first], value[second]}
        both = False if False in pair else None if None in pair else True
        either = True if True in pair else None if None in pair else False
        assert judge(f"{first} AND {second}", CODE).open is both
        assert judge(f"{first} OR {second}", CODE).open is either


@given(st.text(max_size=600), st.sampled_from(ContentKind))
def test_no_text_breaks_the_reader(text: str, kind: ContentKind) -> None:
    """Any text has a judgement, and only what is open has a fit."""
    judged = judge(text, kind)
    assert judged.fits is None or judged.open is True
    assert recognise_text(text) is None or licence_id(text)


@given(
    st.lists(st.sampled_from(["MIT", "AND", "OR", "WITH", "(", ")", "CC-BY-NC-4.0", "x", "Apache-2.0+"]), max_size=12)
)
def test_an_expression_without_an_open_licence_is_never_open(words: list[str]) -> None:
    """Nothing is open unless an open licence is in it."""
    judged = judge(" ".join(words), CODE)
    assert judged.open is not True or {"MIT", "Apache-2.0+"} & set(words)


def test_every_id_of_the_list_is_known_by_any_spelling() -> None:
    """Whatever its case, an id that is on the list has an answer."""
    ids = known_ids()
    assert len(ids) == 740
    for name in ids:
        assert judge(name.lower(), CODE).open is not None
        assert licence_id(name.upper()) == name


def test_the_installed_list_of_another_package_holds_no_id_that_we_lack() -> None:
    """The ids agree with those that `packaging` ships, which has an older version of the same list."""
    spdx = pytest.importorskip("packaging.licenses._spdx")
    ours = {name.lower() for name in known_ids()}
    assert not set(spdx.LICENSES) - ours


def test_a_licence_text_is_recognised_word_for_word() -> None:
    """The text of a licence is the licence; the same text with a condition added is not."""
    assert recognise_text(MIT) == "MIT"
    assert recognise_text(MIT.replace("\n", "  \n ").upper()) == "MIT"
    assert recognise_text(MIT.replace("without restriction", "for research")) is None
    assert recognise_text(MIT + "\nNobody may use the Software for money. " * 10) is None
    assert recognise_text("Apache License") is None
    assert recognise_text(ISC) == "ISC"
    assert recognise_text(ISC.replace("with or without fee", "without fee")) is None


def test_a_text_of_many_false_beginnings_is_read_in_no_time() -> None:
    """Whatever repeats a licence's first words is told apart soon."""
    began = time.process_time()
    for beginning in (
        "gnu general public license version 3 29 june ",
        "permission to use copy modify and or distribute this ",
    ):
        assert recognise_text(beginning * 2_000) is None
    assert time.process_time() - began < 1


@given(st.text(max_size=60))
def test_any_name_has_an_spdx_expression(name: str) -> None:
    """Whatever a file names as its licence comes out in the signs that an expression may have."""
    assert re.fullmatch(r"[A-Za-z0-9.:+()\- ]+", spdx_expression(name))


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("cc-by-nc-4.0", "CC-BY-NC-4.0"),
        ("gpl-3.0", "GPL-3.0"),
        ("odbl", "ODbL-1.0"),
        ("bsd", "LicenseRef-bsd"),  # a family, not a licence
        ("LicenseRef-ours", "LicenseRef-ours"),
        ("(MIT OR ISC) AND Zlib", "(MIT OR ISC) AND Zlib"),
        ("Gemma Terms of Use", "LicenseRef-Gemma-Terms-of-Use"),
        ("  ", "LicenseRef-unnamed"),
    ],
)
def test_names_become_spdx_expressions(name: str, expression: str) -> None:
    """What has an id gets it, what has none is written as SPDX asks, and no family is taken for one of its licences."""
    assert spdx_expression(name) == expression


def test_terms_that_are_not_open_are_recognised_by_their_heading() -> None:
    """A heading is enough to know that terms restrict uses."""
    assert recognise_text("LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\nLlama 3.2 Version Release Date: ...") == "llama3.2"
    assert recognise_text("Gemma Terms of Use\n\nLast modified") == "gemma"
    assert recognise_text("BigScience RAIL License v1.0\ndated") == "openrail"
    assert judge("llama3.2", DATA).open is False


def test_a_reason_that_nobody_checked_says_so() -> None:
    """The mark of a claim goes wherever its reason is shown."""
    assert "(not checked)" in judge("llama3.2", DATA).reason
    assert "(not checked)" not in judge("gemma", DATA).reason


def test_names_of_one_licence_are_the_same_whatever_the_spelling() -> None:
    """Case and the hub's abbreviations make no conflict."""
    assert same_licence("apache-2.0", "Apache License 2.0")
    assert not same_licence("mit", "mit-0")


def test_the_examples_run() -> None:
    """What the docstrings show is what happens."""
    assert doctest.testmod(licences).failed == 0
