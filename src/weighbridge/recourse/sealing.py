"""Texts that are encrypted at rest, each under a key of its own, and erased by deleting that key.

Each text is encrypted with a fresh 256-bit key (ChaCha20-Poly1305, RFC 8439). That key is wrapped for the recipient's X25519 public key: a fresh
X25519 key agrees on a secret (RFC 7748), HKDF-SHA256 (RFC 5869) makes the wrapping key of it, and ChaCha20-Poly1305 wraps. Wrapped keys lie in
`FILE.keys.json`, beside the log and not in it. So reading takes the log, the keys file and the recipient's private key; deleting a wrapped
key makes its text unreadable for everybody, and the log's chain, which holds the ciphertext, stays whole.

What is not hidden: that there is a text, its length, and when it was written. What deleting cannot reach: copies of the keys file made before.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydantic import Field, ValidationError

from weighbridge.digests import canonical_json
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence.records import Record
from weighbridge.recourse.entries import MAX_TEXT, Base64, KeyId, LogId, Plain, Sealed
from weighbridge.recourse.log import beside, replace_file

_PURPOSE = b"weighbridge.recourse-keys/1"
_MAX_KEYS_BYTES = 64 * 1024 * 1024
_ONCE = bytes(12)  # the nonce of a wrapping key, which is used once
_KEYS = "keys.json"
_MAKE_ONE = (
    "make a pair: openssl genpkey -algorithm X25519 -out key.pem; openssl pkey -in key.pem -pubout -out public.pem"
)


class Wrapped(Record):
    """A text's key, wrapped for one recipient. `ephemeral` is the public half of the key that was made for this alone."""

    ephemeral: Base64
    wrapped: Base64


class Keys(Record):
    """The wrapped keys of a log, by their ids. A key that is not here is erased."""

    schema_: Literal["weighbridge.recourse-keys/1"] = Field("weighbridge.recourse-keys/1", alias="schema")
    log: LogId
    keys: dict[KeyId, Wrapped] = Field(default_factory=dict)

    model_config = Record.model_config | {"populate_by_name": True}


def load_public_key(path: Path) -> X25519PublicKey:
    """Return an X25519 public key from a PEM file. Raises `UsageError` when it is none."""
    try:
        key = load_pem_public_key(_key_bytes(path))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError("not a public key in PEM", where=str(path), do=_MAKE_ONE) from None
    if not isinstance(key, X25519PublicKey):
        raise UsageError("not an X25519 public key", where=str(path), do=_MAKE_ONE)
    return key


def load_private_key(path: Path) -> X25519PrivateKey:
    """Return an X25519 private key from a PEM file that only its owner can read. Raises `UsageError` otherwise."""
    data = _key_bytes(path)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UsageError(
            "others may read this private key", where=str(path), do="chmod 600 it, and make a new one if anybody did"
        )
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError("not a private key in PEM without a passphrase", where=str(path), do=_MAKE_ONE) from None
    if not isinstance(key, X25519PrivateKey):
        raise UsageError("not an X25519 private key", where=str(path), do=_MAKE_ONE)
    return key


def read_keys(log: Path, log_id: str) -> Keys:
    """Return the keys beside a log, none when there is no keys file. Raises `EvidenceError` when it is damaged or another log's."""
    path = beside(log, _KEYS)
    try:
        with path.open("rb") as file:
            keys = Keys.model_validate_json(file.read(_MAX_KEYS_BYTES))
    except FileNotFoundError:
        return Keys(log=log_id)
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path), do="check its permissions") from error
    except ValidationError as error:
        raise EvidenceError("not a keys file", where=str(path), do="restore it from a copy") from error
    if keys.log != log_id:
        raise EvidenceError("these keys are of another log", where=str(path), do="put the right file there")
    return keys


def write_keys(log: Path, keys: Keys) -> None:
    """Write the keys beside a log, whole or not at all, readable by their owner only. The log must be held (`log.writing`)."""
    replace_file(beside(log, _KEYS), canonical_json(keys.model_dump(mode="json", by_alias=True)) + b"\n")


def seal(text: str, recipient: X25519PublicKey, *, log: str, case: str) -> tuple[Sealed, Wrapped]:
    """Return `text` sealed as a part of `case` in the log of this id, and its key, wrapped for `recipient`.

    Raises `UsageError` for a text that is empty or too long, and for a public key that agrees on no secret.
    """
    if not text.strip() or len(text) > MAX_TEXT:
        raise UsageError(f"a text has 1 to {MAX_TEXT:,} characters", do="shorten it")
    name, key, nonce = secrets.token_hex(16), ChaCha20Poly1305.generate_key(), secrets.token_bytes(12)
    sealed = ChaCha20Poly1305(key).encrypt(nonce, text.strip().encode(), _bound(log, case, name))
    own = X25519PrivateKey.generate()
    try:
        secret = own.exchange(recipient)
    except ValueError:
        raise UsageError("this public key cannot be used", do=_MAKE_ONE) from None
    ephemeral, theirs = own.public_key().public_bytes_raw(), recipient.public_bytes_raw()
    wrapped = _wrapper(secret, ephemeral, theirs).encrypt(_ONCE, key, name.encode())
    return Sealed(key=name, nonce=_text(nonce), sealed=_text(sealed)), Wrapped(
        ephemeral=_text(ephemeral), wrapped=_text(wrapped)
    )


def unseal(text: Plain | Sealed, keys: Keys, private: X25519PrivateKey, *, case: str) -> str | None:
    """Return a text in the clear; None when its key is erased.

    Raises `UsageError` when it was sealed for another key, `EvidenceError` when it was changed.
    """
    if isinstance(text, Plain):
        return text.text
    wrapped = keys.keys.get(text.key)
    if wrapped is None:
        return None
    try:
        ephemeral = base64.b64decode(wrapped.ephemeral)
        secret = private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        wrapper = _wrapper(secret, ephemeral, private.public_key().public_bytes_raw())
        key = wrapper.decrypt(_ONCE, base64.b64decode(wrapped.wrapped), text.key.encode())
    except (InvalidTag, ValueError):
        raise UsageError(
            f"a text of {case} was encrypted for another key", do="give --key the private key of --encrypt-for"
        ) from None
    try:
        bound = _bound(keys.log, case, text.key)
        return (
            ChaCha20Poly1305(key).decrypt(base64.b64decode(text.nonce), base64.b64decode(text.sealed), bound).decode()
        )
    except (InvalidTag, ValueError):
        raise EvidenceError(
            f"a text of {case} is not the one that was encrypted", do="restore the log from a copy"
        ) from None


def _wrapper(secret: bytes, ephemeral: bytes, recipient: bytes) -> ChaCha20Poly1305:
    info = _PURPOSE + ephemeral + recipient  # both public keys, so that the wrapping key is of this exchange alone
    return ChaCha20Poly1305(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret))


def _bound(log: str, case: str, key: str) -> bytes:
    """What the ciphertext is bound to, so that it cannot be moved to another case or log."""
    return canonical_json({"log": log, "case": case, "key": key})


def _key_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64 * 1024)
    except OSError as error:
        raise UsageError(f"the key cannot be read ({error.strerror})", where=str(path), do=_MAKE_ONE) from error


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
