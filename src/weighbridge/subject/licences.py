"""Licences by name: is it open, and is it meant for this kind of content? The two tests of the Model Openness Framework, three-valued.

Open: approved by OSI, libre by FSF, on the framework's list of open-data licences, or OpenMDW-1.0. An unknown name is not known to be open or
not: None. Lists are in `licences.yaml`; what they are and where they come from is in `docs/methods/openness.md`. Names are untrusted text: bounded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from weighbridge.subject.shown import shown

MAX_NAME_LENGTH = 500
MAX_NESTING = 20
MAX_TEXT_BYTES = 1 << 17  # the longest known licence has some 35 KB
UNLICENSED = "unlicensed"  # the framework's own word for a component without a licence
_MAX_OTHER_WORDS = 40  # a title, and who holds the copyright
_MAX_BEGINNINGS = 20  # of one licence in a text; beyond that it is no licence
_EXPRESSION = re.compile(r"LicenseRef-[A-Za-z0-9.-]+|[A-Za-z0-9.:+()-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.:+()-]+)+")
_NO_LICENCE = frozenset({UNLICENSED, "none", "all rights reserved", "proprietary"})


class ContentKind(StrEnum):
    """What a component is made of: the framework asks for licences by kind."""

    CODE = "code"
    DATA = "data"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a licence is open and fits a kind of content; None: not known. `reason` says why, in words.

    `fits` is known only of what is open. Open and not fitting passes in the framework, conditionally.
    """

    open: bool | None
    fits: bool | None
    reason: str

    @property
    def conditional(self) -> bool | None:
        """Whether it is open, but meant for another kind; None where that is not known."""
        return None if self.open is None or (self.open and self.fits is None) else self.open and not self.fits


@dataclass(frozen=True)
class _Lists:
    ids: Mapping[str, str]  # lower case to the id as it is written
    osi: frozenset[str]
    fsf: frozenset[str]
    exceptions: frozenset[str]
    data: tuple[str, ...]
    open_data: tuple[str, ...]
    document: tuple[str, ...]
    any_kind: frozenset[str]
    not_open: tuple[tuple[tuple[str, ...], str], ...]
    aliases: Mapping[str, str]
    texts: Mapping[str, tuple[tuple[str, int, str], ...]]


def judge(name: str, kind: ContentKind) -> Judgement:
    """Return whether the licence `name`, an SPDX id or expression or as a hub writes it, is open and fits `kind`.

    OR is the receiver's choice, so one open licence is enough; AND needs all; WITH adds a permission, and must name a known exception.

    >>> judge("Apache-2.0 OR LicenseRef-ours", ContentKind.CODE).open, judge("MIT AND CC-BY-NC-4.0", ContentKind.CODE).open
    (True, False)
    >>> weights = judge("apache-2.0", ContentKind.DATA)
    >>> weights.open, weights.fits, weights.conditional
    (True, False, True)
    """
    return _plain(name, kind) or _Expression(name, kind).whole() or _unknown(name)


def licence_id(name: str) -> str:
    """Return a licence's name as the SPDX list writes it, else as it is given, fit to be shown.

    >>> licence_id("apache-2.0"), licence_id("Some Terms")
    ('Apache-2.0', 'Some Terms')
    """
    lists = _lists()
    lower = " ".join(name.lower().split())
    known = lists.aliases.get(lower) or lists.ids.get(lower)
    return known or shown(" ".join(name.split()), MAX_NAME_LENGTH)


def same_licence(first: str, second: str) -> bool:
    """Return whether two names are of the same licence, as far as spelling goes."""
    return licence_id(first).lower() == licence_id(second).lower()


def distinct_licences(names: Iterable[str]) -> list[str]:
    """Return the licences that differ. "Only" and "or later" have the same text, so a text does not contradict either; the fuller name stands.

    >>> distinct_licences(["GPL-3.0", "gpl-3.0-or-later"]), distinct_licences(["MIT", "mit", "ISC"])
    (['GPL-3.0-or-later'], ['MIT', 'ISC'])
    """
    found: dict[str, None] = dict.fromkeys(licence_id(name) for name in names)
    return [name for name in found if f"{name}-only" not in found and f"{name}-or-later" not in found]


def spdx_expression(name: str) -> str:
    """Return the SPDX expression for a licence's name, an expression or as a hub writes it; `LicenseRef-...` for what has no id, as SPDX asks.

    >>> spdx_expression("apache-2.0"), spdx_expression("llama3.1"), spdx_expression("mit OR apache-2.0")
    ('Apache-2.0', 'LicenseRef-llama3.1', 'MIT OR Apache-2.0')
    """
    lists = _lists()
    plain = " ".join(name.split())
    known = lists.aliases.get(plain.lower()) or lists.ids.get(plain.lower())
    if known is not None:
        return known
    if len(plain) <= MAX_NAME_LENGTH and _EXPRESSION.fullmatch(plain):
        return re.sub(r"[^\s()]+", lambda word: lists.ids.get(word[0].lower(), word[0]), plain)
    return "LicenseRef-" + (re.sub(r"[^A-Za-z0-9.-]+", "-", plain).strip("-")[:60] or "unnamed")


def recognise_text(text: str) -> str | None:
    """Return the id of the licence that `text` is, word for word; None for any other text.

    Only titles and names of holders, some 40 words, may stand beside it: a licence with an added condition is another licence. Terms that
    are known not to be open are recognised by their headings, since nothing follows from them but that.
    """
    words = " ".join(re.findall(r"[a-z0-9]+", text[:MAX_TEXT_BYTES].lower()))
    if len(text) > MAX_TEXT_BYTES:
        return _not_open_heading(words)
    for name, spans in _lists().texts.items():
        left = _without(words, spans[0])
        if left is None:
            continue
        for span in spans[1:]:
            shorter = _without(left, span)
            left = left if shorter is None else shorter
        if len(left.split()) <= _MAX_OTHER_WORDS:
            return name
    return _not_open_heading(words)


def _not_open_heading(words: str) -> str | None:
    head = " ".join(words[:2_000].split()[:40])
    for pattern, name in (
        (r"\bllama (\d+(?: \d+)?) (?:version release date|community license)", "llama{}"),
        (r"\bgemma terms of use\b", "gemma"),
        (r"\bopenrail(?: [ms]| \d|\b)", "openrail"),
        (r"\b(?:bigscience|creativeml|bigcode)(?: \w+){0,2} rail\b", "openrail"),
    ):
        if found := re.search(pattern, head):
            return name.format(*(group.replace(" ", ".") for group in found.groups()))
    return None


def _without(words: str, span: tuple[str, int, str]) -> str | None:
    """Return `words` (joined by a space) without the span, or None where it is not among them."""
    begins, count, sha256 = span
    at = -1
    for _ in range(_MAX_BEGINNINGS):
        at = words.find(begins, at + 1)
        if at < 0:
            break
        inside = words[at:].split(" ", count)[:count]
        if words[at - 1 : at] in ("", " ") and hashlib.sha256(" ".join(inside).encode()).hexdigest() == sha256:
            return words[:at] + words[at + len(" ".join(inside)) + 1 :]
    return None


def _plain(name: str, kind: ContentKind) -> Judgement | None:
    """Return the judgement of one name that is not an expression, or None when it is not known."""
    lists = _lists()
    lower = " ".join(name.lower().split())
    if len(name) > MAX_NAME_LENGTH:
        return _unknown(name)
    if lower in _NO_LICENCE:
        return Judgement(False, None, "no licence is given: all rights are kept")
    known = lists.aliases.get(lower) or lists.ids.get(lower)
    if known is not None:
        lists_it_is_on = [
            words
            for words, on in (
                ("approved by OSI", known in lists.osi),
                ("libre by FSF", known in lists.fsf),
                ("an open-data licence", _matches(known, lists.open_data) or _matches(known, lists.data)),
                ("open for models as a whole", known in lists.any_kind),
            )
            if on
        ]
        if lists_it_is_on:
            fits = known in lists.any_kind or _fits(known, kind, lists)
            meant = "" if fits else f"; not meant for {kind.value}" + ("s" if kind is ContentKind.DOCUMENT else "")
            return Judgement(True, fits, f"{known}: {', '.join(lists_it_is_on)}{meant}")
    is_expression = re.search(r"[()]| (?:and|or|with) ", lower) is not None
    for patterns, why in lists.not_open:
        if not is_expression and _matches(lower, patterns):
            return Judgement(False, None, f"{known or shown(name)}: {why}")
    if known is not None:
        return Judgement(False, None, f"{known}: on none of the lists of open licences")
    return None


def _fits(known: str, kind: ContentKind, lists: _Lists) -> bool:
    if kind is ContentKind.CODE:
        content = known.startswith(("CC-", "CC0-", "GFDL-", "CDLA-", "ODbL-", "ODC-", "PDDL-", "OGL-", "C-UDA-"))
        return known in lists.osi or (known in lists.fsf and not content)
    return _matches(known, lists.document if kind is ContentKind.DOCUMENT else (*lists.data, *lists.open_data))


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _unknown(name: str) -> Judgement:
    return Judgement(None, None, f"{shown(name)}: a name that is on no list")


class _Expression:
    """An SPDX licence expression, read by recursive descent: OR binds least, then AND, then WITH."""

    def __init__(self, text: str, kind: ContentKind) -> None:
        self._kind = kind
        self._words = re.findall(r"[()]|[^\s()]+", text) if len(text) <= MAX_NAME_LENGTH else []
        self._at = self._depth = 0

    def whole(self) -> Judgement | None:
        """Return the judgement of the whole, or None when it is not an expression."""
        if not self._words or (len(self._words) == 1 and not self._words[0].endswith("+")):
            return None
        found = self._either()
        return found if self._at == len(self._words) else None

    def _next(self, *expected: str) -> bool:
        if self._at < len(self._words) and self._words[self._at] in expected:
            self._at += 1
            return True
        return False

    def _either(self) -> Judgement | None:
        parts = [self._both()]
        while self._next("OR", "or"):
            parts.append(self._both())
        known = [part for part in parts if part is not None]
        return None if len(known) < len(parts) else _any_of(known)

    def _both(self) -> Judgement | None:
        parts = [self._one()]
        while self._next("AND", "and"):
            parts.append(self._one())
        known = [part for part in parts if part is not None]
        return None if len(known) < len(parts) else _all_of(known)

    def _one(self) -> Judgement | None:
        if self._next("("):
            self._depth += 1
            inner = self._either() if self._depth <= MAX_NESTING else None
            self._depth -= 1
            return inner if self._next(")") else None
        if self._at >= len(self._words) or not re.fullmatch(r"[A-Za-z0-9.:-]+\+?", self._words[self._at]):
            return None
        name = self._words[self._at]
        if name.lower() in ("and", "or", "with"):
            return None
        self._at += 1
        found = _plain(name, self._kind) or _plain(name.removesuffix("+"), self._kind) or _unknown(name)
        if not self._next("WITH", "with"):
            return found
        if self._at >= len(self._words) or self._words[self._at] in ("(", ")"):
            return None
        exception = self._words[self._at]
        self._at += 1
        if exception.lower() in _lists().exceptions or found.open is not True:
            return Judgement(found.open, found.fits, f"{found.reason}, with {shown(exception)}")
        return _unknown(f"{name} WITH {exception}")


def _any_of(parts: list[Judgement]) -> Judgement:
    """Of licences to choose from, the best: open and fitting, then open, then not known, then not open."""
    if len(parts) == 1:
        return parts[0]
    order = [(True, True), (True, None), (True, False), (None, None), (False, None)]
    best = min(parts, key=lambda part: order.index((part.open, part.fits)))
    return Judgement(best.open, best.fits, " or ".join(part.reason for part in parts))


def _all_of(parts: list[Judgement]) -> Judgement:
    if len(parts) == 1:
        return parts[0]
    open_ = _and(part.open for part in parts)
    fits = _and(part.fits for part in parts) if open_ else None
    return Judgement(open_, fits, "; and ".join(part.reason for part in parts))


def _and(values: Iterable[bool | None]) -> bool | None:
    seen = list(values)
    return False if False in seen else None if None in seen else True


def known_ids() -> tuple[str, ...]:
    """Return every id of the SPDX list that is known here."""
    return tuple(_lists().ids.values())


@cache
def _lists() -> _Lists:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    told: dict[str, Any] = yaml.load(files("weighbridge.subject").joinpath("licences.yaml").read_text("utf-8"), loader)  # noqa: S506
    osi, fsf, neither = (told[name].split() for name in ("osi_approved", "fsf_libre", "neither"))
    return _Lists(
        ids={name.lower(): name for name in (*osi, *fsf, *neither)},
        osi=frozenset(osi),
        fsf=frozenset(fsf),
        exceptions=frozenset(told["exceptions"].lower().split()),
        data=tuple(told["data"].split()),
        open_data=tuple(told["open_data"].split()),
        document=tuple(told["document"].split()),
        any_kind=frozenset(told["any_kind"].split()),
        not_open=tuple((tuple(entry["names"].split()), _marked(entry)) for entry in told["not_open"]),
        aliases=told["aliases"],
        texts={name: tuple(_spans(spans)) for name, spans in told["texts"].items()},
    )


def _marked(entry: Mapping[str, str]) -> str:
    """Return why a licence is not open, with its mark where nobody read its text."""
    return entry["why"] + (" (not checked)" if entry["provenance"] == "not checked" else "")


def _spans(spans: list[dict[str, Any]]) -> Iterator[tuple[str, int, str]]:
    for span in spans:
        yield span["begins"], span["words"], span["sha256"]
