"""Reads a fingerprint that somebody published: bounded, strict, and "not measured" where there is none."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weighbridge.errors import EvidenceError
from weighbridge.probes.checkpoint.weights.fingerprint import MAX_LAYERS, ROLES, VERSION, Fingerprint

MAX_PLACES = MAX_LAYERS * len(ROLES) + len(ROLES)
_MAX_BYTES = 1 << 20
_PLACE = re.compile(rf"(?:(?:0|[1-9][0-9]{{0,4}})\.)?(?:{'|'.join(ROLES)})", re.ASCII)
_WORD = re.compile(r"[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """There is no fingerprint to compare, and why."""

    reason: str


Mark = Fingerprint | NotMeasured


def read_mark(data: Mapping[str, Any] | None) -> Mark:
    """Return the fingerprint that `inspect` wrote, `NotMeasured` where it is null or of a version that is not known here.

    Raises `EvidenceError` where it says it is of this version and is not well formed.

    >>> read_mark(None)
    NotMeasured(reason='the model has no fingerprint')
    >>> read_mark({"version": "wbf1", "bits": {"0.ffn_up": "262d0608c51cd1b8"}}).bits["0.ffn_up"]
    2750861582129746360
    """
    if data is None:
        return NotMeasured("the model has no fingerprint")
    if not isinstance(data, Mapping):
        raise _damaged("it is no object")
    if data.get("version") != VERSION:
        return NotMeasured(f"its fingerprint is of another version than {VERSION}")
    bits = data.get("bits")
    if not isinstance(bits, Mapping) or len(bits) > MAX_PLACES:
        raise _damaged(f"`bits` is no object of at most {MAX_PLACES} places")
    for place, word in bits.items():
        if not isinstance(place, str) or not _PLACE.fullmatch(place):
            raise _damaged("a place is none of those in the format")
        if not isinstance(word, str) or not _WORD.fullmatch(word):
            raise _damaged("the bits of a place are not 16 lower-case hexadecimal digits")
    return Fingerprint({place: int(word, 16) for place, word in bits.items()}) if bits else NotMeasured("it is empty")


def pack_mark(mark: Fingerprint) -> bytes:
    """Return a fingerprint as deflated JSON."""
    return zlib.compress(json.dumps(mark.as_json(), separators=(",", ":")).encode(), 6)


def unpack_mark(data: bytes | None, reason: str | None) -> Mark:
    """Return a fingerprint as it was kept; "not measured", with why, where there is none."""
    if data is None:
        return NotMeasured(reason or "the model has no fingerprint")
    try:
        return read_mark(json.loads(zlib.decompressobj().decompress(data, _MAX_BYTES)))
    except (ValueError, zlib.error, EvidenceError):
        return NotMeasured("its fingerprint is damaged")


def _damaged(what: str) -> EvidenceError:
    return EvidenceError(what, where="fingerprint", do="make it again with `weighbridge inspect --json`")
