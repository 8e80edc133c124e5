"""Personal data in free text, as far as patterns can see it. A text in which nothing is seen may still name somebody.

Seen: e-mail addresses, telephone and other long numbers, national identifiers (those of the US, the UK, Italy and Spain by their form, others where they
are long numbers), bank accounts (IBAN), internet addresses of machines, dates of birth, street addresses, and names after a title. Dates, years,
sections, case numbers such as 2026-000123 and amounts with thousands' commas are let through. Never seen: a name without a title, a nickname, or
what only somebody who knows the person would recognise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weighbridge.errors import UsageError
from weighbridge.recourse.entries import MAX_TEXT

_AT = r"\s?(?:@|[\[({]\s?at\s?[\])}]|\sat\s)\s?"
_DOT = r"\s?(?:\.|[\[({]\s?dot\s?[\])}]|\sdot\s)\s?"
_STREET = r"(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|square|court|crescent|close|place)\b"
_PATTERNS = (
    (
        "an e-mail address",
        re.compile(rf"(?<![\w.+-])[\w.+-]+{_AT}[\w-]+(?:{_DOT}[\w-]+)*{_DOT}[a-z]{{2,}}", re.IGNORECASE),
    ),
    ("a date of birth", re.compile(r"\b(?:born|birth|birthday|dob|d\.o\.b\.?)\b[^\n\d]{0,20}\d", re.IGNORECASE)),
    ("a bank account", re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,3})?\b")),
    ("a national identifier", re.compile(r"\b\d{3}[-\s]\d{2}[-\s]\d{4}\b")),  # US Social Security number
    ("a national identifier", re.compile(r"\b[A-Z]{2}\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]\b", re.IGNORECASE)),  # UK
    ("a national identifier", re.compile(r"\b[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]\b", re.IGNORECASE)),  # Italy
    ("a national identifier", re.compile(r"\b[XYZ]?\d{7,8}[-\s]?[A-Z]\b", re.IGNORECASE)),  # Spain
    (
        "an internet address",
        re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b", re.IGNORECASE),
    ),
    ("a street address", re.compile(rf"\b\d{{1,5}}[a-zA-Z]?,?\s(?:[A-Z][\w'-]+\s){{1,3}}(?i:{_STREET})")),
    ("a name", re.compile(r"\b(?:Mr|Mrs|Ms|Mx|Miss|Herrn?|Frau|Monsieur|Madame|Mme|Señora?|Sra?)\.?\s[^\W\d_]")),
)
_DATE = re.compile(
    r"(?<![\d.+/-])(?:(?:19|20)\d\d([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:19|20)\d\d)(?![\d/-])"
)
_NUMBERED = re.compile(r"(?<![\d.+/-])(?:19|20)\d\d[-/]\d{1,6}(?![\d/-])")  # a case's number within its year
_YEARS = re.compile(r"(?<![\d.+/-])(?:19|20)\d\d\s?[-–/]\s?(?:19|20)\d\d(?![\d/-])")
_SECTION = re.compile(
    r"(?:§{1,2}|\b(?:section|sec\.|rule|part|art\.|article|regulation|clause|CFR))\s?\d+(?:\.\d+)+", re.IGNORECASE
)
_DIGITS = re.compile(r"\+?\d(?:[\s().\-/–_]{0,3}\d)+")
_LONG = 7  # digits: shorter numbers are amounts, sections and years


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen, and at which character, counted from 1. Never the thing itself."""

    what: str
    at: int


def seen_in(text: str) -> tuple[Seen, ...]:
    """Return what looks like personal data in a text, in its order. Characters count in the text without its invisible ones, wide ones made narrow.

    >>> seen_in("Asked on 2026-03-04 about $1,250,000; call 0151 555 0199.")
    (Seen(what='a telephone or other long number', at=44),)
    """
    plain = _plain(text)
    found = {(match.start() + 1, what) for what, pattern in _PATTERNS for match in pattern.finditer(plain)}
    found |= {(at, "a telephone or other long number") for at in _long_numbers(plain)}
    return tuple(Seen(what, at) for at, what in sorted(found))


def refuse_personal_data(texts: Mapping[str, str], *, instead: str) -> None:
    """Raise `UsageError` naming each place where personal data is seen in `texts` (name -> text), without showing it.

    Also for a text of more than `MAX_TEXT` characters, which is not looked at.
    """
    long = [name for name, text in texts.items() if len(text) > MAX_TEXT]
    if long:
        raise UsageError(f"{', '.join(long)}: more than {MAX_TEXT:,} characters", do="shorten it")
    places = [f"{name}: {seen.what} at character {seen.at}" for name, text in texts.items() for seen in seen_in(text)]
    if places:
        more = f"; and {len(places) - 5} more" if len(places) > 5 else ""
        raise UsageError(f"personal data is seen in {'; '.join(places[:5])}{more}", do=instead)


def _plain(text: str) -> str:
    """Make look-alikes alike: compatibility forms folded, digits of all scripts to 0-9, invisible characters gone."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(
        str(unicodedata.decimal(letter)) if letter.isdecimal() else letter
        for letter in folded
        if unicodedata.category(letter) != "Cf"
    )


def _long_numbers(plain: str) -> Iterator[int]:
    """Yield where a run of digits, however it is spaced, is long, once dates, years, sections and case numbers are out of it."""
    without = plain
    for harmless in (_SECTION, _DATE, _YEARS, _NUMBERED):
        without = harmless.sub(lambda match: "x" * len(match[0]), without)
    for match in _DIGITS.finditer(without):
        if sum(letter.isdigit() for letter in match[0]) >= _LONG:
            yield match.start() + 1
