"""The sandbox in which chat templates are rendered: Jinja's own, as loaders use it, with limits, and with a note of what it refused."""

from __future__ import annotations

import datetime
import json
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from weighbridge.probes.checkpoint.template_syntax import INNER, Generation

TODAY = datetime.datetime(2026, 1, 2, 12, 0, tzinfo=datetime.UTC)
_MAX_REPEAT = 1_000_000
_MAX_LENGTH = 4_000_000
_MAX_WIDTH = 10_000
_WIDE_METHODS = frozenset({"zfill", "ljust", "rjust", "center", "expandtabs"})
_WIDE_FILTERS = ("center", "indent", "wordwrap", "batch", "slice", "truncate")


class Refused(Exception):
    """The template raised an exception of its own."""


class TooMuch(Exception):
    """The template asks for more time or memory than a template may have."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Renders templates. `reached` are the inner attributes that they reached for and did not get; `now` is what they take for today."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do", Generation],
        )
        self.reached: set[str] = set()
        self.now = TODAY
        self.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: self.now.strftime(str(form)[:200])}
        self.filters["tojson"] = _tojson
        for name in _WIDE_FILTERS:
            self.filters[name] = _bounded(self.filters[name])

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        safe = super().is_safe_attribute(obj, attr, value)
        if not safe and (attr.startswith("_") or attr in INNER):  # lists that cannot be changed here are harmless
            self.reached.add(attr[:60])
        return safe

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*" and isinstance(left, str | list | tuple) and isinstance(right, int):
            if len(left) * right > _MAX_REPEAT:
                raise TooMuch("repeats a text a million times")
        elif operator == "*" and isinstance(right, str | list | tuple) and isinstance(left, int):
            if len(right) * left > _MAX_REPEAT:
                raise TooMuch("repeats a text a million times")
        elif operator == "+" and isinstance(left, str | list) and isinstance(right, str | list):
            if len(left) + len(right) > _MAX_LENGTH:
                raise TooMuch("makes a text or list of millions of parts")
        elif operator == "**" and isinstance(right, int) and right > 1000:
            raise TooMuch("computes an absurd power")
        elif operator == "%" and isinstance(left, str) and re.search(r"%[-+ #0]*(?:\d{5,}|\*)", left):
            raise TooMuch("formats a text of an absurd width")
        elif operator == "*" and isinstance(left, int) and isinstance(right, int) and abs(left).bit_length() > 10_000:
            raise TooMuch("computes an absurd number")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, *arguments: Any, **keywords: Any) -> Any:
        text, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(text, str):
            if name in _WIDE_METHODS and any(isinstance(each, int) and each > _MAX_WIDTH for each in arguments):
                raise TooMuch("pads a text to an absurd width")
            if name in ("format", "format_map") and re.search(r":[^{}]*\d{5,}", text):
                raise TooMuch("formats a text of an absurd width")
        return super().call(context, obj, *arguments, **keywords)


def _refuse(message: str = "") -> None:
    raise Refused(str(message)[:200])


def _tojson(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(
        value, ensure_ascii=False, indent=indent if isinstance(indent, int) and indent < 20 else None, default=str
    )


def _bounded(filter_: Any) -> Any:
    def inner(*arguments: Any, **keywords: Any) -> Any:
        for each in [*arguments, *keywords.values()]:
            if isinstance(each, int) and each > _MAX_WIDTH:
                raise TooMuch("asks a filter for an absurd width or number")
        return filter_(*arguments, **keywords)

    for mark in ("jinja_pass_arg",):
        if hasattr(filter_, mark):
            setattr(inner, mark, getattr(filter_, mark))
    return inner


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TooMuch` in this thread after `seconds` of processor time, so that a busy machine accuses nobody.

    Only the main thread can be interrupted; elsewhere the caller's limits hold.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooMuch("takes longer than a template may take")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
