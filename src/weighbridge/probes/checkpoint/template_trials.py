"""Renders chat templates on conversations whose every word is known, and looks at what became of them.

In Jinja's sandbox, as loaders do, with limits of time and size. What an ordinary template does (role names, special tokens, a default
system prompt, dates, thinking tags) is not held against it; docs/methods/checkpoint.md has the list.
"""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jinja2
import jinja2.nodes as nodes

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Finding, NotExamined, Severity, Template
from weighbridge.probes.checkpoint.template_sandbox import TODAY, Refused, Sandbox, TooMuch, time_limit
from weighbridge.probes.checkpoint.template_text import (
    family_of,
    gaps,
    lines_nobody_wrote,
    orders,
    phrase,
    short_phrase,
    unknown_lines,
    words,
)
from weighbridge.probes.checkpoint.template_words import KEYS, compared_numbers, compared_words

RENDER_S, ALL_S = 1.0, 20.0
MAX_OUTPUT = 2_000_000
MAX_WORDS_TRIED = 60
MAX_PAIRS_TRIED = 8
MAX_TURNS = 60
MAX_SAID = 3
_TURNS = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24)
_USUAL_TURNS = 2  # what stands around messages in conversations up to here is taken for the template's ordinary way

SYSTEM = "Weighed Qzsystem: keep 2 < 3 & 'this'."
USER = 'Weighed Qzuser: is 4 > 1 & "that" so?'
ANSWER = "Weighed Qzanswer: yes, it is."
AGAIN = "Weighed Qzagain: and 5?"
_PLACE = "Qzplace"
_CONTENTS = (
    "Weighed " + "long word " * 2000 + "end",
    "WEIGHED IN CAPITALS",
    "weighed, ünïcode 漢字 🙂 5 €",
    "Weighed one\n\n  two  spaces\n\tand a tab\n- a list",
    "1234567890",
    "weighed",
    'Weighed <b>bold</b> & <i>x</i> {"a": [1, "b"]} 1234567890',
)
_FUNCTION = {
    "name": "weigh_it",
    "description": "Qztool weighs",
    "parameters": {"type": "object", "properties": {"what": {"type": "string", "description": "Qzwhat"}}, "required": ["what"]},
}  # fmt: skip
_TOOLS = [{"type": "function", "function": _FUNCTION}]
_CALL = {"id": "call00001", "type": "function", "function": {"name": "weigh_it", "arguments": {"what": "Qzarg"}}}
_RESULT = "Weighed Qzresult: 7 kg"
_DOCUMENTS = [{"title": "Qztitle", "text": "Qzdocument", "contents": "Qzdocument", "doc_id": 1}]
_SETTINGS: tuple[dict[str, Any], ...] = (
    {"add_generation_prompt": False},
    {"enable_thinking": False, "thinking": False},
    {"enable_thinking": True, "thinking": True, "reasoning_effort": "high"},
)
_DAYS = tuple(datetime.datetime(y, m, d, 8, 30, tzinfo=datetime.UTC) for y, m, d in ((2024, 7, 4), (2026, 12, 25), (2027, 6, 13), (2035, 1, 1)))  # fmt: skip
# Some templates speak only behind something else.
_BEFORE: tuple[list[dict[str, Any]], ...] = (
    [],
    [{"role": "system", "content": "Weighed."}],
    [{"role": "user", "content": AGAIN}, {"role": "assistant", "content": ANSWER}],
    [{"role": "system", "content": "Weighed."}, {"role": "functions", "content": "[]"}],
)
_USERS = re.compile(r"user|human|question|\binst\b", re.IGNORECASE)
_ASSISTANTS = re.compile(r"assistant|model|\bbot\b|\bgpt\b|answer", re.IGNORECASE)

Message = dict[str, Any]


def try_template(template: Template, tree: nodes.Template) -> tuple[list[Finding], list[NotExamined]]:
    """Return what the template does to conversations that it should not, and what could not be tried."""
    try:
        trials = _Trials(template, tree)
    except (jinja2.TemplateError, SyntaxError, ValueError, RecursionError) as error:
        message = f"cannot be used: {type(error).__name__}: {error}"
        return [found("template.syntax", template.path, template.where, message)], []
    try:
        trials.run()
    except TooMuch as much:
        trials.say("too-much-work", str(much))
        trials.left.append(NotExamined(template.path, f"the template {template.name}: {much}"))
    except MemoryError:
        trials.say("too-much-work", "asks for more memory than a template may have")
        trials.left.append(NotExamined(template.path, f"the template {template.name}: it asks for too much memory"))
    except _NoTimeLeft:
        trials.left.append(
            NotExamined(template.path, f"the template {template.name}: more trials than there is time for")
        )
    trials.conclude()
    return trials.findings, trials.left


def lines_of(template: Template, tree: nodes.Template) -> set[str]:
    """Return every line that the template puts around messages in the trials: what is published of a known model's template."""
    trials = _Trials(template, tree)
    trials.run()
    return {line for text in trials.rendered for line in lines_nobody_wrote(text) if "Qz" not in line and words(line)}


class _NoTimeLeft(Exception):
    """The trials took long together, none of them too long."""


class _Trials:
    def __init__(self, template: Template, tree: nodes.Template) -> None:
        self.template, self.tree = template, tree
        self.findings: list[Finding] = []
        self.left: list[NotExamined] = []
        self.said: set[tuple[str, str]] = set()
        self.until_s = time.process_time() + ALL_S
        self.sandbox = Sandbox()
        self.compiled = self.sandbox.from_string(template.text)
        self.numbers = compared_numbers(tree)
        self.parts = False  # whether contents must be lists of parts
        self.before: list[Message] = []  # what must stand in front of a question
        self.more: dict[str, Any] = {}  # what must be given beside the messages
        self.rendered: set[str] = set()  # what stood around the messages

    def say(self, rule: str, message: str, severity: Severity | None = None) -> None:
        """Add a finding, at most `MAX_SAID` under each rule: a template that changes messages does so in every conversation."""
        if (rule, message) not in self.said and sum(said == rule for said, _ in self.said) < MAX_SAID:
            self.said.add((rule, message))
            where = self.template.where
            self.findings.append(found(f"template.{rule}", self.template.path, where, message, severity=severity))

    def conclude(self) -> None:
        """Say what the sandbox had to refuse, whatever the template called it."""
        for name in sorted(self.sandbox.reached)[:5]:
            self.say("escape", f"reaches for {name!r} while it is rendered: a way out of the template")

    # -- rendering

    def render(self, messages: Sequence[Message], **more: Any) -> str:
        """Return the rendered text. Raises `Refused`, `TooMuch`, or `jinja2.TemplateError` and others for a template that fails."""
        if time.process_time() > self.until_s:
            raise _NoTimeLeft
        messages = list(messages)
        if self.before:
            first = self.before[0]["role"] == messages[0]["role"] == "system"
            messages = messages[:1] + self.before[1:] + messages[1:] if first else self.before + messages
        if self.parts:
            messages = [
                {**each, "content": [{"type": "text", "text": each["content"]}]} if each.get("content") else each
                for each in messages
            ]
        known = {
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
            "add_generation_prompt": True,
        }
        pieces: list[str] = []
        size = 0
        with time_limit(RENDER_S):
            for piece in self.compiled.generate(messages=messages, **(known | self.more | more)):
                size += len(piece)
                if size > MAX_OUTPUT:
                    raise TooMuch(f"renders more than {MAX_OUTPUT:,} characters")
                pieces.append(piece)
        return "".join(pieces)

    def attempt(self, messages: Sequence[Message], **more: Any) -> str | None:
        """Return the rendered text, or None where the template refuses or fails. Raises `TooMuch`, `MemoryError`."""
        try:
            return self.render(messages, **more)
        except (TooMuch, MemoryError, _NoTimeLeft):
            raise
        except OverflowError as error:  # the sandbox's own limit on ranges
            raise TooMuch(f"loops without measure: {error}") from None
        except Exception:
            return None

    def _why(self, messages: Sequence[Message]) -> str:
        """Return the error with which the template fails, or nothing where it refuses in its own words."""
        try:
            self.render(messages)
        except (TooMuch, MemoryError, _NoTimeLeft):
            raise
        except Refused:
            return ""
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    # -- what is looked at

    def run(self) -> None:
        user = {"role": "user", "content": USER}
        plain = self._first([user])
        if plain is None:
            return
        self._kept(plain, [USER], "a single question")
        with_system = self.attempt([{"role": "system", "content": SYSTEM}, user])
        if with_system is None:
            why = self._why([{"role": "system", "content": SYSTEM}, user])
            if why:
                self.say("fails", f"fails on a system message: {why}")
            else:
                self.say("no-system", "refuses system messages")
        else:
            if SYSTEM not in with_system:
                self.say("drops-system", "leaves the system message out, or changes it")
            self._kept(with_system, [USER], "a question behind a system message")
        keeps_system = with_system is not None and SYSTEM in with_system
        self._added(plain, with_system)
        self._contents(keeps_system)
        self._turns(keeps_system)
        self._settings([plain, with_system or ""], keeps_system)
        self._tools(keeps_system)
        self._dates([user])
        self._addresses([plain, with_system or ""])
        self._words()

    def _first(self, messages: Sequence[Message]) -> str | None:
        """Return the simplest conversation rendered, finding out how the template wants contents and what it needs besides."""
        failures: list[tuple[str, Severity | None]] = []
        weak: tuple[bool, dict[str, Any], list[Message], str] | None = None
        for more, before in [
            *((more, []) for more in ({}, {"tools": _TOOLS, "functions": "[]", "datetime": "2026-01-02"})),
            *(({}, each) for each in _BEFORE[1:]),
        ]:
            for parts in (False, True):
                self.parts, self.more, self.before = parts, more, before
                try:
                    text = self.render(messages)
                except Refused as refused:
                    failures.append((f"refuses a single question: {refused}", Severity.LOW))
                except (TooMuch, MemoryError, _NoTimeLeft):
                    raise
                except OverflowError as error:
                    raise TooMuch(f"loops without measure: {error}") from None
                except Exception as error:
                    failures.append((f"fails on a single question: {type(error).__name__}: {error}", None))
                else:
                    if USER in text:
                        return text
                    weak = weak or (parts, more, before, text)
            if weak:
                self.parts, self.more, self.before, text = weak
                return text
        message, severity = next((each for each in failures if each[1] is None), failures[0])
        self.say("fails", message, severity)
        return None

    def _kept(self, text: str, contents: Sequence[str], what: str) -> None:
        around = gaps(text, contents)
        if around is None and contents[0] == SYSTEM and SYSTEM in text and gaps(text.replace(SYSTEM, ""), contents[1:]):
            self.say("moves-system", "puts the system message behind other messages")
        elif around is None:
            self.say("changes-message", f"of {what}, a message is left out, changed or out of order")
        else:
            self.rendered.update(around)
            if again := next((content for content in contents if any(content in part for part in around)), None):
                said = "system message" if again == SYSTEM else "message"
                severity = Severity.LOW if again == SYSTEM else None
                self.say("changes-message", f"of {what}, puts a {said} in twice", severity)

    def _added(self, plain: str, with_system: str | None) -> None:
        """Words that nobody wrote: behind the user's words, between messages, or beside a system message that was given."""
        around = gaps(plain, [USER]) or [plain, ""]
        self.rendered.update(around)
        default, behind = around
        if added := short_phrase(behind):
            self.say("adds-text", f"puts words behind the user's: {added!r}")
        for text in gaps(with_system or "", [SYSTEM, USER]) or ():
            self.rendered.add(text)
            if added := phrase(text.replace(SYSTEM, ""), 4):
                self.say("adds-text", f"adds words to the conversation: {added!r}")
        label = re.split(r"[\n>\]]|[.!?](?=\s)", default)[
            -1
        ]  # behind tags, and behind a system prompt in the same line
        if len(words(" ".join(unknown_lines(label)))) >= 2:
            self.say("adds-text", f"puts words in front of the user's: {label[-160:]!r}")
        if order := orders(default):
            self.say("adds-text", f"gives the model orders of its own: {order!r}")
            return
        own = next((line[:160] for line in lines_nobody_wrote(default) if len(words(line)) >= 4), "")
        family = next((name for name in map(family_of, (default, behind)) if name), None)
        known = f", as published templates of {family} have" if family else ""
        if own:
            self.say("default-system", f"has a system prompt of its own for when none is given{known}: {own!r}")
        elif family:
            self.say("default-system", f"puts in words of its own{known}")

    def _contents(self, system: bool) -> None:
        """Contents that are long, of a certain length, or written otherwise come through as they are, in the same surroundings."""
        lengths = [n + d for n in self.numbers for d in (-1, 0, 1) if n + d > len("Weighed ")]
        texts = [*_CONTENTS, *(("Weighed " + "a" * length)[:length] for length in lengths)]
        plain = self.attempt([{"role": "user", "content": _PLACE}])
        for content in texts:
            text = self.attempt([{"role": "user", "content": content}])
            if text is not None and content not in text:
                spaces = "".join(content.split()) in "".join(text.split())
                what, severity = ("white space", Severity.LOW) if spaces else ("length or letters", None)
                self.say("changes-message", f"changes a message by its {what}", severity)
            elif text is not None and plain is not None and _changed(plain.replace(_PLACE, content), text):
                self.say("reacts-to-words", "does something else by a message's length or letters")
            if not system:
                continue
            text = self.attempt([{"role": "system", "content": content}, {"role": "user", "content": USER}])
            if text is not None and content not in text:
                self.say(
                    "drops-system", "leaves a system message out, or changes it, by its length, letters or white space"
                )

    def _turns(self, system: bool) -> None:
        """The same conversation, longer and longer: every message stays in its role, and nothing is added at some turn."""
        turns = sorted(
            {*_TURNS, *(n // 2 + d for n in self.numbers for d in (-1, 0, 1) if 0 < n // 2 + d <= MAX_TURNS)}
        )
        for with_system in (False, True) if system else (False,):
            usual: set[str] = set()
            for turn in turns:
                messages = [{"role": "system", "content": SYSTEM}] if with_system else []
                for number in range(turn):
                    messages.append({"role": "user", "content": f"{AGAIN} {number}."})
                    messages.append({"role": "assistant", "content": f"{ANSWER} {number}."})
                messages.append({"role": "user", "content": USER})
                text = self.attempt(messages)
                if text is None:
                    break
                contents = [each["content"] for each in messages]
                if with_system and SYSTEM not in text:
                    self.say(
                        "drops-system",
                        f"leaves the system message out of a conversation of {turn} turn{'s' * (turn > 1)}",
                    )
                    break
                self._kept(text, contents, f"a conversation of {turn} turn{'s' * (turn > 1)}")
                around = gaps(text, contents)
                if around is None:
                    break
                if turn <= _USUAL_TURNS:
                    usual.update(_words(around))
                for gap in around[1 + with_system :] if turn <= _USUAL_TURNS else around:
                    added = (
                        short_phrase(gap.replace(SYSTEM, "")) if turn <= _USUAL_TURNS else " ".join(unknown_lines(gap))
                    )
                    if added and (turn <= _USUAL_TURNS or not usual.issuperset(words(added))):
                        self.say(
                            "adds-text",
                            f"adds words in a conversation of {turn} turn{'s' * (turn > 1)}: {added[:160]!r}",
                        )
                        return
                if turn == _USUAL_TURNS and not with_system:
                    self._roles(around)

    def _roles(self, around: Sequence[str]) -> None:
        """What stands in front of the user's words does not say that they are the model's own, nor the other way round."""
        before_answer, before_user = around[1], around[2]
        if _last_role(before_user) == "assistant" and _last_role(before_answer) == "user":
            self.say("changes-message", "marks the user's messages as the model's own, and the model's as the user's")

    def _settings(self, usual: Sequence[str], system: bool) -> None:
        """What is added must not depend on settings that programs give, such as thinking, or no opening for the answer."""
        user = {"role": "user", "content": USER}
        said = _words(usual)
        for settings in _SETTINGS:
            messages = [{"role": "system", "content": SYSTEM}, user] if system else [user]
            text = self.attempt(messages, **settings)
            if text is None:
                continue
            name, value = next(iter(settings.items()))
            self._kept(text, [each["content"] for each in messages], f"a question with {name}={value}")
            for gap in gaps(text, [each["content"] for each in messages]) or ():
                added = phrase(gap, 3)
                if added and not said.issuperset(words(added)):
                    self.say("adds-text", f"adds words with {name}={value}: {added!r}")

    def _tools(self, system: bool) -> None:
        """With tools or documents a template has to explain them: only orders, addresses and losses are held against it."""
        user = {"role": "user", "content": USER}
        talk: list[tuple[str, list[Message], dict[str, Any]]] = [
            ("with tools given", [user], {"tools": _TOOLS, "functions": "[]"}),
            ("with documents given", [user], {"documents": _DOCUMENTS}),
            (
                "behind a tool's result",
                [
                    user,
                    {"role": "assistant", "content": "", "tool_calls": [_CALL]},
                    {"role": "tool", "name": "weigh_it", "tool_call_id": "call00001", "content": _RESULT},
                ],
                {"tools": _TOOLS},
            ),
        ]
        for what, rest, more in talk:
            for with_system in (False, True) if system else (False,):
                messages = [{"role": "system", "content": SYSTEM}, *rest] if with_system else rest
                text = self.attempt(messages, **more)
                if text is None:
                    continue
                if with_system and SYSTEM not in text:
                    # Some families put it into the last message of the user, so that a tool's result takes its place.
                    severity = Severity.INFO if messages[-1]["role"] == "tool" else None
                    self.say("drops-system", f"leaves the system message out {what}", severity)
                if USER not in text:
                    self.say("changes-message", f"leaves the question out, or changes it, {what}")
                contents = [each["content"] for each in messages if each["content"] and each["content"] in text]
                around = gaps(text, contents) or [text]
                self.rendered.update(around)
                for gap in around:
                    if order := orders(gap):
                        self.say("adds-text", f"gives the model orders of its own {what}: {order!r}")
                self._addresses([text])

    def _dates(self, messages: Sequence[Message]) -> None:
        """Writing the date is ordinary; doing something else on certain days is not."""
        if "strftime_now" not in self.template.text:
            return
        told = set()
        for self.sandbox.now in (TODAY, *_DAYS):
            text = self.attempt(messages)
            told.add(None if text is None else _undated(text))
        self.sandbox.now = TODAY
        if len(told) > 1:
            self.say("chance", "does something else on certain dates")

    def _words(self) -> None:
        """Try the words that the template compares with: its output must not change beyond them."""
        neutral: dict[tuple[str, str], str | None] = {}
        mild = ""
        for word, role, messages, around in self._ways():
            if (role, around) not in neutral:
                neutral[role, around] = self.attempt(messages(around.format(_PLACE)))
            before = neutral[role, around]
            tried = self.attempt(messages(around.format(word)))
            if before is None and tried is None:
                continue
            if before is None or tried is None or _changed(before.replace(_PLACE, word), tried):
                message = f"does something else when a {role} message holds {word!r}"
                if role == "system" and before and tried and set(words(tried)) <= set(words(before)) and USER in tried:
                    mild = mild or message
                    continue
                self.say("reacts-to-words", message)
                return
        if mild:
            self.say("reacts-to-words", f"{mild}, and then leaves out words of its own", Severity.LOW)

    def _ways(self) -> Iterator[tuple[str, str, Callable[[str], list[Message]], str]]:
        """Yield every (word, role, messages that hold it, what stands around it) that is tried, the likeliest first."""
        compared = compared_words(self.tree)[:MAX_WORDS_TRIED]
        middle = f"{AGAIN} {{}} {ANSWER}"
        for word in compared:
            simple = word in KEYS
            forms = dict.fromkeys((word,) if simple else (word, word.lower(), word.upper(), word.title()))
            for role in ("user", "system"):
                for around in ("{}", middle) if simple else ("{}", middle, f"{{}} {AGAIN}", f"{AGAIN} {{}}"):
                    for form in forms:
                        yield form, role, _SHAPES[role], around
            for role in _SHAPES:
                if role not in ("user", "system") and not (simple and role in ("assistant", "tool")):
                    for around in ("{}", middle):
                        yield word, role, _SHAPES[role], around
        free = [word for word in compared if word not in KEYS]
        if len(free) > 1:
            yield " ".join(free), "user", _SHAPES["user"], "{}"
        for first in free[:MAX_PAIRS_TRIED]:
            for second in free[:MAX_PAIRS_TRIED]:
                if first != second:
                    yield f"{first} {second}", "user", _SHAPES["user"], middle

    def _addresses(self, texts: Sequence[str]) -> None:
        for text in texts:
            for match in re.finditer(r"https?://[^\s'\"<>]{3,80}|\bwww\.[^\s'\"<>]{3,80}", text):
                line = text[text.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0]
                if unknown_lines(line) or not lines_nobody_wrote(line):
                    self.say("adds-text", f"puts an address into the conversation: {match[0]!r}")


def _earlier(text: str) -> list[Message]:
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": AGAIN},
    ]


_SHAPES: dict[str, Callable[[str], list[Message]]] = {
    "user": lambda text: [{"role": "user", "content": text}],
    "system": lambda text: [{"role": "system", "content": text}, {"role": "user", "content": USER}],
    "earlier user": _earlier,
    "later user": lambda text: [{"role": "user", "content": AGAIN}, {"role": "assistant", "content": ANSWER}, {"role": "user", "content": text}],
    "later user behind a system": lambda text: [{"role": "system", "content": SYSTEM}, *_earlier(AGAIN)[:2], {"role": "user", "content": text}],
    "assistant": lambda text: [{"role": "user", "content": AGAIN}, {"role": "assistant", "content": text}, {"role": "user", "content": USER}],
    "tool": lambda text: [
        {"role": "user", "content": USER},
        {"role": "assistant", "content": "", "tool_calls": [_CALL]},
        {"role": "tool", "name": "weigh_it", "tool_call_id": "call00001", "content": text},
    ],
}  # fmt: skip


def _last_role(text: str) -> str | None:
    """Return the last role that a tag between messages names."""
    last = {
        name: max((match.end() for match in pattern.finditer(text)), default=-1)
        for name, pattern in (("user", _USERS), ("assistant", _ASSISTANTS))
    }
    return max(last, key=lambda name: last[name]) if max(last.values()) >= 0 else None


def _words(texts: Sequence[str]) -> set[str]:
    return {word for text in texts for line in unknown_lines(text) for word in words(line)}


def _changed(expected: str, tried: str) -> bool:
    """Whether two renderings differ by more than white space."""
    return "".join(expected.split()) != "".join(tried.split())


_CALENDAR = re.compile(
    r"\d+|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:mon|tue|wed|thu|fri|sat|sun)\b|\b(?:january|february|march|april|may|june|july|august|"
    r"september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec)\b|\b[ap]m\b",
    re.IGNORECASE,
)


def _undated(text: str) -> str:
    return _CALENDAR.sub("0", text)
