"""How the reading of files is seen: one line on a terminal, once it takes a moment. Light to import."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from weighbridge.subject.shown import shown

_SHOWN_AFTER_S = 1.5
_EVERY_S = 0.5


def amount(size_bytes: int) -> str:
    """Return a number of bytes for people.

    >>> amount(999), amount(1500), amount(2_000_000_000)
    ('999 bytes', '1.5 kB', '2.00 GB')
    """
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


@contextmanager
def reading(path: Path) -> Iterator[Callable[[int, int | None], None]]:
    """Yield what is told how many bytes are read, and how many there are in all (None: not known)."""
    began = last = time.monotonic()
    name, wide = shown(path.name or str(path), 32), 0  # the line must fit, or each would be a new one

    def told(read: int, total: int | None) -> None:
        nonlocal last, wide
        now = time.monotonic()
        if not sys.stderr.isatty() or now - began < _SHOWN_AFTER_S or now - last < _EVERY_S:
            return
        last = now
        rate = read / max(now - began, 1e-3)
        text = f"{name}: {amount(read)}, {amount(int(rate))}/s"
        if total is not None:
            left_s = (total - read) / rate if rate else 0.0
            text = f"{name}: {amount(read)} of {amount(total)}, {amount(int(rate))}/s, {left_s:.0f} s left"
        sys.stderr.write("\r" + text.ljust(wide))
        sys.stderr.flush()
        wide = max(wide, len(text))

    try:
        yield told
    finally:
        if wide:
            sys.stderr.write("\r" + " " * wide + "\r")
            sys.stderr.flush()
