"""What in a rendered conversation nobody wrote: its lines, without tags and role names, and without what published templates are known to say."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

# A tag has at most two words: more than that in angles or brackets is told to the model as any other text is.
_TAGS = re.compile(
    r"<[^<>\s]{0,80}(?: [^<>\s]{0,40})?>|\[/?[A-Za-z_]{1,40}(?: [A-Za-z_]{1,40})?\]|\{/?[a-z]{1,20}\}|<<[A-Z/]+>>|[|｜▁#*=_`~-]+"
)
_ROLE_WORDS = re.compile(
    r"\b(?:system|user|assistant|human|gpt|model|bot|ai|instruction|input|response|question|answer|tool|developer|turn|start|end|of|"
    r"message|final|analysis|channel|think|header|id|im|sep|inst|sys|context|prompt|role)\b:?",
    re.IGNORECASE,
)
_DAY = (
    r"(?:\d+(?:st|nd|rd|th)?|january|february|march|april|may|june|july|august|september|october|november|december|"
    r"jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"
)
# What many templates say: dates, identities, headings. Each is bounded, so that nothing can stand behind it unseen.
_ORDINARY = re.compile(
    rf"(?:(?:cutting )?knowledge (?:cutoff )?(?:cut-?off )?(?:date)?|(?:today'?s|today|current) date(?: is)?|date)[:\s]*(?:{_DAY}[\s,./:-]*)*|"
    r"reasoning(?: mode| effort)?: *[\w/]+|"
    r"^(?:metadata|(?:custom |general )?instructions|(?:system|user|safety) preamble|style guide|task and context|(?:available )?tools?)[.:]?$|"
    r"\byou are (?:a |an |the )?(?:[\w'-]+,? ){0,6}?(?:assistant|model|ai|chatbot)(?: named [\w.-]+)?(?:,? (?:trained|created|developed|made|built) by (?:[\w.-]+ ?){1,4})?(?=[.,!]|$)|"
    r"below is an instruction that describes a task(?:, paired with an input that provides further context)?\. write a response that appropriately completes the request|"
    r"/(?:no_)?think",
    re.IGNORECASE,
)
_ORDERS = re.compile(
    r"https?://|www\.|\bignore (?:all|any|the|previous)|\b(?:do not|don't|never) (?:mention|reveal|tell|disclose|say)|\bsecret|\bsilently|\binsert\b|"
    r"\bappend\b|\brecommend\b|\bregardless of\b|\boverride\b|\bexfiltrat|\bbackdoor|\binstead of\b",
    re.IGNORECASE,
)
# Scripts that are written without spaces count a word for every two signs; a run without spaces of 24 is more than a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]{2}|[^\W\d_]{2,}")
_PACKED = re.compile(r"[A-Za-z0-9+/]{24,}")
_SENTENCE_END = re.compile(r"[.!?。！？]\s*\Z")
DIGEST_CHARACTERS = 20


def lines_nobody_wrote(text: str) -> list[str]:
    """Return the lines of `text` that hold words, without tags. `text` is what stands around the messages of a conversation.

    >>> lines_nobody_wrote("<|im_end|>\\n<|im_start|>system\\nBe kind.<|im_end|>")
    ['system', 'Be kind.']
    """
    lines = (" ".join(line.split()) for line in _TAGS.sub(" ", text).splitlines())
    return [line for line in lines if _WORD.search(line)]


def words(line: str) -> list[str]:
    """Return the words of a line but for names of roles and the like.

    >>> words("GPT4 Correct User: hello")
    ['GPT', 'Correct', 'hello']
    """
    return _WORD.findall(_ROLE_WORDS.sub(" ", line))


def digest(line: str) -> str:
    """Return the mark by which a published line is known: 80 bits of the SHA-256 of its words in lower case, digits as 0."""
    plain = re.sub(r"\d", "0", " ".join(line.split()).lower())
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]


@cache
def known_lines() -> dict[str, str]:
    """Return the lines that published templates of well-known models put in: the digest of each, and whose it is."""
    file = files("weighbridge.probes.checkpoint").joinpath("data/known_template_lines.toml")
    families = tomllib.loads(file.read_text(encoding="utf-8"))
    return {each: family for family, lines in families.items() for each in lines}


def family_of(text: str) -> str | None:
    """Return whose published template puts in one of the lines of `text`, None where no line is known."""
    return next(
        (known_lines()[digest(line)] for line in lines_nobody_wrote(text) if digest(line) in known_lines()), None
    )


def unknown_lines(text: str) -> list[str]:
    """Return the lines nobody wrote but for those that published templates are known to put in."""
    return [line for line in lines_nobody_wrote(text) if digest(line) not in known_lines()]


def phrase(text: str, at_least: int) -> str:
    """Return the first unknown line of at least `at_least` words beyond role names, dates, identities and headings; or nothing."""
    return next((line[:160] for line in unknown_lines(text) if len(words(_ORDINARY.sub(" ", line))) >= at_least), "")


def short_phrase(text: str) -> str:
    """Return the first unknown line that is more than a label: a sentence of one word, or two words without a colon; or nothing."""
    for line in unknown_lines(text):
        count = len(words(_ORDINARY.sub(" ", line)))
        if (
            count >= 3
            or _PACKED.search(line)
            or (count and _SENTENCE_END.search(line))
            or (count == 2 and not line.endswith(":"))
        ):
            return line[:160]
    return ""


def orders(text: str) -> str:
    """Return the first unknown line that orders the model to act behind the user's back, or gives an address; or nothing."""
    return next((line[:160] for line in unknown_lines(text) if _ORDERS.search(line)), "")


def gaps(text: str, contents: Sequence[str]) -> list[str] | None:
    """Return what stands before, between and behind `contents` in `text`; None where one of them is not there in its place.

    >>> gaps("<a>x<b>y<c>", ["x", "y"]), gaps("x", ["x", "y"])
    (['<a>', '<b>', '<c>'], None)
    """
    parts, at = [], 0
    for content in contents:
        place = text.find(content, at)
        if place < 0:
            return None
        parts.append(text[at:place])
        at = place + len(content)
    return [*parts, text[at:]]
