"""Renders chat templates on conversations whose every word is known, and looks at what became of them.

In Jinja's sandbox, as loaders do, with limits of time and size. What an ordinary template does (role names, special tokens, a default
system prompt, dates, thinking tags) is not held against it; docs/methods/templates.md has the list.
"""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import jinja2.nodes as nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Finding, NotExamined, Template
from weighbridge.probes.checkpoint.template_syntax import Generation, folded

RENDER_S, ALL_S = 1.0, 8.0
MAX_OUTPUT = 2_000_000
MAX_WORDS_TRIED = 60
_MAX_REPEAT = 1_000_000

SYSTEM = "Weighed Qzsystem: keep 2 < 3 & 'this'."
USER = 'Weighed Qzuser: is 4 > 1 & "that" so?'
ANSWER = "Weighed Qzanswer: yes, it is."
AGAIN = "Weighed Qzagain: and 5?"
_PLACE = "Qzplace"

Message = dict[str, Any]


class Refused(Exception):
    """The template raised an exception of its own."""


class TooMuch(Exception):
    """The template asks for more time or memory than a template may have."""


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*" and isinstance(left, str | list | tuple) and isinstance(right, int):
            if len(left) * right > _MAX_REPEAT:
                raise TooMuch("repeats a text a million times")
        elif operator == "*" and isinstance(right, str | list | tuple) and isinstance(left, int):
            if len(right) * left > _MAX_REPEAT:
                raise TooMuch("repeats a text a million times")
        elif operator == "**" and isinstance(right, int) and right > 1000:
            raise TooMuch("computes an absurd power")
        elif operator == "%" and isinstance(left, str) and re.search(r"%[-+ #0]*(?:\d{5,}|\*)", left):
            raise TooMuch("formats a text of an absurd width")
        elif operator == "*" and isinstance(left, int) and isinstance(right, int) and abs(left).bit_length() > 10_000:
            raise TooMuch("computes an absurd number")
        return super().call_binop(context, operator, left, right)


def try_template(template: Template, tree: nodes.Template) -> tuple[list[Finding], list[NotExamined]]:
    """Return what the template does to conversations that it should not, and what could not be tried."""
    trials = _Trials(template, tree)
    try:
        trials.run()
    except TooMuch as much:
        trials.say("too-much-work", str(much))
        trials.left.append(NotExamined(template.path, f"the template {template.name}: {much}"))
    except MemoryError:
        trials.say("too-much-work", "asks for more memory than a template may have")
        trials.left.append(NotExamined(template.path, f"the template {template.name}: it asks for too much memory"))
    return trials.findings, trials.left


class _Trials:
    def __init__(self, template: Template, tree: nodes.Template) -> None:
        self.template, self.tree = template, tree
        self.findings: list[Finding] = []
        self.left: list[NotExamined] = []
        self.said: set[tuple[str, str]] = set()
        self.until_s = time.monotonic() + ALL_S
        environment = _Sandbox(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do", Generation],
        )
        environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: "2026-01-02"}
        environment.filters["tojson"] = _tojson
        for filter_ in ("center", "indent", "wordwrap"):
            environment.filters[filter_] = _bounded(environment.filters[filter_])
        self.compiled = environment.from_string(template.text)
        self.parts = False  # whether contents must be lists of parts

    def say(self, rule: str, message: str) -> None:
        if (rule, message) not in self.said:
            self.said.add((rule, message))
            self.findings.append(found(f"template.{rule}", self.template.path, self.template.where, message))

    # -- rendering

    def render(self, messages: Sequence[Message], **more: Any) -> str:
        """Return the rendered text. Raises `Refused`, `TooMuch`, or `jinja2.TemplateError` and others for a template that fails."""
        if time.monotonic() > self.until_s:
            raise TooMuch("takes longer than a template may take")
        if self.parts:
            messages = [{**each, "content": [{"type": "text", "text": each["content"]}]} for each in messages]
        known = {
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
            "add_generation_prompt": True,
        }
        pieces: list[str] = []
        size = 0
        with _alarm(min(RENDER_S, max(self.until_s - time.monotonic(), 0.05))):
            for piece in self.compiled.generate(messages=list(messages), **(known | more)):
                size += len(piece)
                if size > MAX_OUTPUT:
                    raise TooMuch(f"renders more than {MAX_OUTPUT:,} characters")
                pieces.append(piece)
        return "".join(pieces)

    def attempt(self, messages: Sequence[Message], **more: Any) -> str | None:
        """Return the rendered text, or None where the template refuses or fails."""
        try:
            return self.render(messages, **more)
        except (TooMuch, MemoryError):
            raise
        except Refused:
            return None
        except Exception:
            return None

    # -- what is looked at

    def run(self) -> None:
        user = {"role": "user", "content": USER}
        plain = self._first([user])
        if plain is None:
            return
        self._kept(plain, [USER], "a single question")
        with_system = self.attempt([{"role": "system", "content": SYSTEM}, user])
        if with_system is None:
            self.say("no-system", "refuses system messages")
        else:
            if SYSTEM not in with_system:
                self.say("drops-system", "leaves the system message out, or changes it")
            self._kept(with_system, [USER], "a question behind a system message")
        self._added(plain, with_system)
        self._long(with_system is not None)
        self._words(plain)
        self._turns()
        self._addresses([plain, with_system or ""])

    def _first(self, messages: Sequence[Message]) -> str | None:
        """Return the simplest conversation rendered, finding out how the template wants contents."""
        failures: list[str] = []
        for self.parts in (False, True):
            try:
                text = self.render(messages)
            except Refused as refused:
                failures.append(f"refuses a single question: {refused}")
                continue
            except (TooMuch, MemoryError):
                raise
            except OverflowError as error:  # the sandbox's own limit on ranges
                raise TooMuch(f"loops without measure: {error}") from None
            except Exception as error:
                failures.append(f"fails on a single question: {type(error).__name__}: {error}")
                continue
            if USER in text or (not self.parts and self._with_parts_keeps(messages)):
                if USER in text:
                    return text
                continue
            return text
        if failures:
            self.say("fails", failures[0])
            return None
        return self.attempt(messages)

    def _with_parts_keeps(self, messages: Sequence[Message]) -> bool:
        self.parts = True
        text = self.attempt(messages)
        self.parts = False
        return text is not None and USER in text

    def _kept(self, text: str, contents: Sequence[str], what: str) -> None:
        at = 0
        for content in contents:
            place = text.find(content, at)
            if place < 0:
                message = f"of {what}, a message is left out, changed or out of order"
                self.say("changes-message", message)
                return
            at = place + len(content)

    def _added(self, plain: str, with_system: str | None) -> None:
        """Words that nobody wrote: behind the user's words, between messages, or beside a system message that was given."""
        behind = plain[plain.find(USER) + len(USER) :] if USER in plain else ""
        if phrase := _phrase(behind, 3):
            self.say("adds-text", f"puts words behind the user's: {phrase!r}")
        default = plain[: plain.find(USER)] if USER in plain else plain
        if with_system is not None and SYSTEM in with_system:
            before, _, after = with_system.partition(SYSTEM)
            between = after[: after.find(USER)] if USER in after else after
            for part in (before, between):
                if phrase := _phrase(_without_ordinary(part), 4):
                    self.say("adds-text", f"adds words to the conversation: {phrase!r}")
        if phrase := _phrase(default, 4):
            if _ORDERS.search(default):
                self.say("adds-text", f"gives the model orders of its own: {phrase!r}")
            else:
                self.say("default-system", f"has a system prompt of its own for when none is given: {phrase!r}")

    def _long(self, system: bool) -> None:
        """Contents that are long, or written in other letters, come through as they are."""
        plain = self.attempt([{"role": "user", "content": _PLACE}])
        for content in ("Weighed " + "long word " * 2000 + "end", "WEIGHED IN CAPITALS", "weighed, ünïcode 漢字 🙂"):
            text = self.attempt([{"role": "user", "content": content}])
            if text is not None and content not in text:
                self.say("changes-message", "changes a message by its length or letters")
            elif text is not None and plain is not None and _changed(plain.replace(_PLACE, content), text):
                self.say("reacts-to-words", "does something else by a message's length or letters")

    def _turns(self) -> None:
        """The same conversation, longer and longer: every message stays, and nothing is added at some turn."""
        for turns in (2, 3, 5, 8, 12, 24):
            messages: list[Message] = []
            for turn in range(turns):
                messages.append({"role": "user", "content": f"{AGAIN} {turn}."})
                messages.append({"role": "assistant", "content": f"{ANSWER} {turn}."})
            messages.append({"role": "user", "content": USER})
            text = self.attempt(messages)
            if text is None:
                return
            contents = [each["content"] for each in messages]
            self._kept(text, contents, f"a conversation of {turns} turns")
            rest = text
            for content in contents:
                rest = rest.replace(content, "\n", 1)
            behind = text[text.rfind(USER) + len(USER) :]
            first = text[text.find(contents[0]) :] if contents[0] in text else ""
            for content in contents:
                first = first.replace(content, "\x00", 1)
            for part in [*first.split("\x00"), behind]:
                if phrase := _phrase(part, 3):
                    self.say("adds-text", f"adds words in a conversation of {turns} turns: {phrase!r}")
                    return

    def _words(self, plain: str) -> None:
        """Try the words that the template compares with: its output must not change beyond them."""
        shapes: tuple[tuple[str, Callable[[str], list[Message]]], ...] = (
            ("user", lambda text: [{"role": "user", "content": text}]),
            ("system", lambda text: [{"role": "system", "content": text}, {"role": "user", "content": USER}]),
            (
                "earlier user",
                lambda text: [
                    {"role": "user", "content": text},
                    {"role": "assistant", "content": ANSWER},
                    {"role": "user", "content": AGAIN},
                ],
            ),
        )
        neutral: dict[tuple[str, str], str | None] = {}
        for word in _compared(self.tree)[:MAX_WORDS_TRIED]:
            # Names of roles and keys are compared with roles and keys: they are tried too, in fewer ways.
            arounds = ("{}", f"{AGAIN} {{}} {ANSWER}", f"{{}} {AGAIN}", f"{AGAIN} {{}}")
            forms = dict.fromkeys((word,) if word in _KEYS else (word, word.lower(), word.upper(), word.title()))
            for role, messages in shapes:
                for around in arounds[:2] if word in _KEYS else arounds:
                    if (role, around) not in neutral:
                        neutral[role, around] = self.attempt(messages(around.format(_PLACE)))
                    before = neutral[role, around]
                    for form in forms:
                        tried = self.attempt(messages(around.format(form)))
                        if before is None and tried is None:
                            continue
                        if before is None or tried is None or _changed(before.replace(_PLACE, form), tried):
                            self.say("reacts-to-words", f"does something else when a {role} message holds {word!r}")
                            return

    def _addresses(self, texts: Sequence[str]) -> None:
        for text in texts:
            if match := re.search(r"https?://[^\s'\"<>]{3,80}|\bwww\.[^\s'\"<>]{3,80}", text):
                self.say("adds-text", f"puts an address into the conversation: {match[0]!r}")


def _changed(expected: str, tried: str) -> bool:
    """Whether two renderings differ by more than white space."""
    return "".join(expected.split()) != "".join(tried.split())


_TAGS = re.compile(r"<[^<>\n]{0,80}>|\[/?[A-Za-z_ ]{1,40}\]|\{/?[a-z]{1,20}\}|<<[A-Z/]+>>|[|｜▁#*=_`~-]+")
_ROLE_WORDS = re.compile(
    r"\b(?:system|user|assistant|human|gpt|model|bot|ai|instruction|input|response|question|answer|tool|developer|turn|start|end|of|"
    r"message|final|analysis|channel|think|header|id|im|sep|inst|sys|context|prompt|role)\b:?",
    re.IGNORECASE,
)
_ORDINARY = re.compile(
    r"(?:cutting )?knowledge (?:cutoff )?(?:cut-?off )?(?:date)?:?[^\n]*|(?:today'?s|current) date(?: is)?:?[^\n]*|reasoning(?: mode| effort)?:[^\n]*|"
    r"#+ ?(?:metadata|custom instructions|system preamble|user preamble|safety preamble|valid channels|instructions|general instructions|"
    r"style guide|task and context|tools?)[^\n]*|you are (?:a |an |the )?[^\n]{0,160}|(?:calls to these tools|channel must be)[^\n]*|"
    r"a chat between a curious[^\n]*|below is an instruction[^\n]*|/(?:no_)?think",
    re.IGNORECASE,
)
_ORDERS = re.compile(
    r"https?://|www\.|\bignore (?:all|any|the|previous)|\b(?:do not|don't|never) (?:mention|reveal|tell|disclose|say)|\bsecret|\bsilently|\binsert\b|"
    r"\bappend\b|\brecommend\b|\bregardless of\b|\boverride\b|\bexfiltrat|\bbackdoor|\binstead of\b",
    re.IGNORECASE,
)


def _without_ordinary(text: str) -> str:
    return _ORDINARY.sub(" ", text)


def _phrase(text: str, words: int) -> str:
    """Return the first run of at least `words` words that are no tags or role names, or nothing."""
    bare = _ROLE_WORDS.sub(" ", _TAGS.sub(" ", text.replace("Weighed", " ")))
    for line in bare.splitlines():
        if len(re.findall(r"[^\W\d_]{2,}", line)) >= words:
            return " ".join(line.split())[:160]
    return ""


_KEYS = frozenset(
    [
        "role",
        "content",
        "system",
        "user",
        "assistant",
        "tool",
        "tools",
        "function",
        "functions",
        "type",
        "text",
        "image",
        "image_url",
        "video",
        "audio",
        "name",
        "arguments",
        "id",
        "parameters",
        "properties",
        "required",
        "description",
        "string",
        "object",
        "array",
        "number",
        "integer",
        "boolean",
        "developer",
        "ipython",
        "model",
        "human",
        "gpt",
        "tool_calls",
        "tool_response",
        "tool_call_id",
        "tool_call",
        "value",
        "observation",
        "documents",
        "document",
        "title",
        "reasoning",
        "reasoning_content",
        "thinking",
        "think",
        "low",
        "medium",
        "high",
        "default",
        "auto",
        "none",
        "true",
        "false",
        "null",
        "items",
        "enum",
        "anyOf",
        "additionalProperties",
        "const",
        "custom",
        "json",
        "input",
        "output",
        "call",
        "query",
        "media",
        "context",
        "message",
        "user_input",
    ]
)
_TAG = re.compile(r"\s*(?:[<\[{(/][^\n]{0,80}[>\])}]|</?[^\n]{0,80}|[|｜<>\[\]]+|/(?:no_)?think)\s*\Z")


def _compared(tree: nodes.Template) -> list[str]:
    """Return the texts that the template compares with, searches for or replaces, but for tags; keys and role names last."""
    found_words: dict[str, None] = {}

    def note(node: nodes.Node) -> None:
        for each in [node, *node.find_all((nodes.Const, nodes.Concat, nodes.Add, nodes.Filter, nodes.Mod))]:
            constant = folded(each)
            if isinstance(constant, str) and len(constant.strip()) >= 2:
                word = constant.strip()
                if not _TAG.match(word) and len(word) < 300:
                    found_words.setdefault(word)

    for compare in tree.find_all(nodes.Compare):
        note(compare.expr)
        for operand in compare.ops:
            note(operand.expr)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Getattr) and call.node.attr in (
            "startswith", "endswith", "find", "rfind", "index", "count", "split", "rsplit", "replace", "partition", "rpartition", "removeprefix", "removesuffix",
        ):  # fmt: skip
            for argument in call.args[:1]:
                note(argument)
    for filter_ in tree.find_all(nodes.Filter):
        if filter_.name in ("replace", "select", "reject") and filter_.args:
            note(filter_.args[0])
    for test in tree.find_all(nodes.Test):
        for argument in test.args or ():
            note(argument)
    for assign in tree.find_all(nodes.Assign):  # compared with by another name
        if isinstance(value := folded(assign.node), str) and len(value) < 100:
            note(assign.node)
    for literal in tree.find_all((nodes.List, nodes.Tuple, nodes.Dict)):
        if len(found_words) < MAX_WORDS_TRIED:
            note(literal)
    return sorted(found_words, key=lambda word: word in _KEYS)


def _refuse(message: str = "") -> None:
    raise Refused(str(message)[:200])


def _tojson(value: Any, indent: int | None = None, **_: Any) -> str:
    import json

    return json.dumps(
        value, ensure_ascii=False, indent=indent if isinstance(indent, int) and indent < 20 else None, default=str
    )


def _bounded(filter_: Any) -> Any:
    def inner(*arguments: Any, **keywords: Any) -> Any:
        for each in [*arguments, *keywords.values()]:
            if isinstance(each, int) and each > 10_000:
                raise TooMuch("pads a text to an absurd width")
        return filter_(*arguments, **keywords)

    for mark in ("jinja_pass_arg",):
        if hasattr(filter_, mark):
            setattr(inner, mark, getattr(filter_, mark))
    return inner


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise `TooMuch` in this thread after `seconds`. Only the main thread can be interrupted; elsewhere the caller's limits hold."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooMuch("takes longer than a template may take")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
