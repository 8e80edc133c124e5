"""DSSE v1.0 envelopes: the bytes that were signed, as they are, and who signed them.

An envelope file here is canonical JSON and nothing else. Plain DSSE allows any spelling; one spelling means that no byte of the file can
change unseen. A signature's `keyid` must be the key's own name for the same reason.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weighbridge.dossier.statements.failures import Failure, Problem, Refused
from weighbridge.dossier.statements.keys import PrivateKey, PublicKey
from weighbridge.dossier.statements.strict_json import read_canonical
from weighbridge.subject.shown import shown

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_SIGNATURES = 16


@dataclass(frozen=True)
class Signature:
    """One signature: who is said to have made it, and its bytes."""

    keyid: str
    value: bytes


@dataclass(frozen=True)
class Envelope:
    """What an envelope holds. `digest` names the statement in it, whoever signs it: SHA-256 of the payload."""

    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def digest(self) -> str:
        """The statement's name."""
        return "sha256:" + hashlib.sha256(self.payload).hexdigest()


@dataclass(frozen=True)
class Signed:
    """A payload, and what is known of its signature: `signer` who it is by when that was checked, else `problem` why not."""

    payload: bytes
    signer: str | None
    problem: Problem | None

    @property
    def digest(self) -> str:
        """The statement's name."""
        return "sha256:" + hashlib.sha256(self.payload).hexdigest()


def encoded(payload: bytes) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding.

    >>> encoded(b"{}")
    b'DSSEv1 28 application/vnd.in-toto+json 2 {}'
    """
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def sign(payload: bytes, keys: Sequence[PrivateKey]) -> bytes:
    """Return the envelope of `payload`, signed with each of `keys`."""
    signatures = [
        {"keyid": key.public.keyid, "sig": base64.b64encode(key.sign(encoded(payload))).decode()} for key in keys
    ]
    held = {"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE, "signatures": signatures}
    # ASCII only and no numbers: sorted keys without spaces are RFC 8785's form.
    return json.dumps(held, sort_keys=True, separators=(",", ":")).encode()


def read_envelope(data: bytes) -> Envelope:
    """Return what is in an envelope file. Raises `Refused`."""
    held = read_canonical(data, "the envelope")
    if not isinstance(held, dict) or set(held) != {"payload", "payloadType", "signatures"}:
        raise Refused(Failure.NOT_AN_ENVELOPE, "it does not have the three parts of a DSSE envelope and nothing else")
    if held["payloadType"] != PAYLOAD_TYPE:
        raise Refused(Failure.UNKNOWN_PAYLOAD, f"the envelope holds {shown(str(held['payloadType']))}")
    listed = held["signatures"]
    if not isinstance(listed, list) or len(listed) > MAX_SIGNATURES:
        raise Refused(
            Failure.NOT_AN_ENVELOPE, f"the envelope does not have a list of up to {MAX_SIGNATURES} signatures"
        )
    if not listed:
        raise Refused(Failure.UNSIGNED, "the envelope has no signature")
    signatures = []
    for each in listed:
        if not isinstance(each, dict) or set(each) != {"keyid", "sig"} or not isinstance(each["keyid"], str):
            raise Refused(Failure.NOT_AN_ENVELOPE, "a signature is not a keyid and a sig")
        signatures.append(Signature(each["keyid"], _decoded(each["sig"], "a signature")))
    return Envelope(_decoded(held["payload"], "the payload"), tuple(signatures))


def check_envelope(envelope: Envelope, keys: Sequence[PublicKey]) -> Signed:
    """Return whether one of `keys` signed the envelope: one good signature is enough, and is named."""
    if not keys:
        told = "nobody's signature was checked, as no key was given"
        return Signed(envelope.payload, None, Problem(Failure.NO_KEY, told))
    by_name = {key.keyid: key for key in keys}
    data = encoded(envelope.payload)
    tried = [(by_name[each.keyid], each) for each in envelope.signatures if each.keyid in by_name]
    for key, signature in tried:
        if key.is_signed(data, signature.value):
            return Signed(envelope.payload, f"{key.kind.value} key {key.keyid}", None)
    if tried:
        told = f"the signature said to be by the key {tried[0][0].keyid} is not by it over these bytes"
        return Signed(envelope.payload, None, Problem(Failure.BAD_SIGNATURE, told))
    named = ", ".join(shown(each.keyid) or "(no name)" for each in envelope.signatures[:3])
    return Signed(envelope.payload, None, Problem(Failure.WRONG_KEY, f"signed by {named}, none of which you gave"))


def _decoded(text: Any, what: str) -> bytes:
    """Return a base64 value, written in its one way: the last letter's unused bits must be zero."""
    try:
        value = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        value = None
    if value is None or base64.b64encode(value).decode() != text:
        raise Refused(Failure.NOT_CANONICAL, f"{what} is not base64 in its one form")
    return value
