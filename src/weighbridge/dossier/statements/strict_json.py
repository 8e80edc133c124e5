"""JSON that nobody vouches for: within bounds, each key once, and in its one canonical form (RFC 8785)."""

from __future__ import annotations

import json
from typing import Any

from weighbridge.dossier.statements.failures import Failure, Refused

MAX_BYTES = 32 << 20
MAX_DEPTH = 48
# A JSON of many small values takes fifty times its size in memory. The largest terms (every standard) have some 30,000.
MAX_MARKS = 1_000_000


class _Twice(ValueError):
    """A key that occurs twice in one object."""


def read_canonical(data: bytes, what: str) -> Any:
    """Return the JSON value in `data`, which must be its canonical form to the last byte. Raises `Refused`; `what` names it there.

    >>> read_canonical(b'{"a":1}', "it")
    {'a': 1}
    """
    value = read_bounded(data, what)
    try:
        import rfc8785

        canonical = rfc8785.dumps(value)
    except (ValueError, UnicodeError):  # an infinity, an integer that is not exact everywhere, half a surrogate pair
        canonical = b""
    if canonical != data:
        raise Refused(Failure.NOT_CANONICAL, f"{what} is not in the one form that canonical JSON allows")
    return value


def read_bounded(data: bytes, what: str) -> Any:
    """Return the JSON value in `data`. Raises `Refused` when it is too large, too deep, not JSON, or says a key twice."""
    if len(data) > MAX_BYTES:
        raise Refused(Failure.TOO_LARGE, f"{what} has more than {MAX_BYTES:,} bytes")
    if sum(data.count(mark) for mark in (b",", b"[", b"{", b":")) > MAX_MARKS:
        raise Refused(Failure.TOO_LARGE, f"{what} has more than {MAX_MARKS:,} values")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise Refused(Failure.TOO_DEEP, f"{what} is nested more than {MAX_DEPTH} deep") from None
    except _Twice:
        raise Refused(Failure.DUPLICATE_KEYS, f"{what} says a key twice in one object") from None
    except ValueError:  # not UTF-8, not JSON, a number with too many digits
        raise Refused(Failure.NOT_JSON, f"{what} is not valid JSON") from None
    _check_depth(value, what)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _check_depth(value: Any, what: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        inside: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inside += each.values()
            elif isinstance(each, list):
                inside += each
        level = [each for each in inside if isinstance(each, (dict, list))]
        if not level:
            return
    raise Refused(Failure.TOO_DEEP, f"{what} is nested more than {MAX_DEPTH} deep")
