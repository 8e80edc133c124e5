"""Keys that statements and models are signed with: ECDSA P-256 and P-384, Ed25519, in PEM.

A key is named by the SHA-256 of its public part (DER, SubjectPublicKeyInfo). ECDSA signs the hash of its curve's size, as in Sigstore's
registry of algorithms; Ed25519 signs the bytes themselves.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAX_KEY_BYTES = 64 << 10
PASSWORD_VARIABLE = "WEIGHBRIDGE_KEY_PASSWORD"  # noqa: S105 - the name of the variable, not its value

AskPassword = Callable[[], str | None]
"""Asked for the password of an encrypted key; None: nobody can be asked."""


class KeyKind(StrEnum):
    """The kinds of keys that sign."""

    ED25519 = "ed25519"
    P256 = "p256"
    P384 = "p384"


class KeyProblem(StrEnum):
    """What is wrong with a key file."""

    UNREADABLE = "unreadable"
    NOT_A_FILE = "not-a-file"
    OPEN_TO_OTHERS = "open-to-others"
    OPEN_FOLDER = "open-folder"
    NOT_A_KEY = "not-a-key"
    PUBLIC_KEY = "public-key"
    PRIVATE_KEY = "private-key"
    WRONG_KIND = "wrong-kind"
    NEEDS_PASSWORD = "needs-password"  # noqa: S105
    WRONG_PASSWORD = "wrong-password"  # noqa: S105
    EXISTS = "exists"


class KeyRefused(UsageError):
    """A key file cannot be used. `problem` says which way."""

    def __init__(self, problem: KeyProblem, what: str, *, where: str, do: str) -> None:
        self.problem = problem
        super().__init__(what, where=where, do=do)


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies. `keyid` is `sha256:...` over its DER form."""

    kind: KeyKind
    keyid: str
    key: EllipticCurvePublicKey | Ed25519PublicKey

    def is_signed(self, data: bytes, signature: bytes) -> bool:
        """Return whether `signature` over `data` is by this key."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey

        try:
            if isinstance(self.key, EllipticCurvePublicKey):
                self.key.verify(signature, data, ECDSA(_hash_of(self.kind)))
            else:
                self.key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class PrivateKey:
    """A key that signs."""

    public: PublicKey
    key: EllipticCurvePrivateKey | Ed25519PrivateKey

    def sign(self, data: bytes) -> bytes:
        """Return the signature over `data`: DER for ECDSA, 64 bytes for Ed25519."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey

        if isinstance(self.key, EllipticCurvePrivateKey):
            return self.key.sign(data, ECDSA(_hash_of(self.public.kind)))
        return self.key.sign(data)


def read_private_key(path: Path, ask: AskPassword = lambda: None) -> PrivateKey:
    """Return the private key in `path`. Raises `KeyRefused`.

    Whoever can read the file can sign in its owner's name, so one that others can read, or that others can put another in place
    of, is refused. A link is followed; what it leads to must hold.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data, where = _read(path, private=True), str(path)
    if b"PUBLIC KEY" in data and b"PRIVATE KEY" not in data:
        raise KeyRefused(
            KeyProblem.PUBLIC_KEY, "a public key, which cannot sign", where=where, do="give the private one"
        )
    try:
        try:
            key = load_pem_private_key(data, None)
        except TypeError:  # it is encrypted
            password = ask()
            if not password:
                raise KeyRefused(
                    KeyProblem.NEEDS_PASSWORD,
                    "the key is encrypted and no password was given",
                    where=where,
                    do=f"set {PASSWORD_VARIABLE}, or run it on a terminal",
                ) from None
            try:
                key = load_pem_private_key(data, password.encode())
            except ValueError:
                raise KeyRefused(
                    KeyProblem.WRONG_PASSWORD,
                    "the key does not open with this password",
                    where=where,
                    do="check the password",
                ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefused(
            KeyProblem.NOT_A_KEY,
            "not a private key in PEM",
            where=where,
            do="make one with `weighbridge sign --new-key`",
        ) from None
    return private_key(key, where)


def private_key(key: object, where: str = "key") -> PrivateKey:
    """Return `key` (of the `cryptography` library) as one that signs. Raises `KeyRefused` for other kinds."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if isinstance(key, EllipticCurvePrivateKey | Ed25519PrivateKey):
        return PrivateKey(public_key(key.public_key(), where), key)
    raise _wrong_kind(key, where)


def read_public_key(path: Path) -> PublicKey:
    """Return the public key in `path`. Raises `KeyRefused`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data, where = _read(path, private=False), str(path)
    if b"PRIVATE KEY" in data:
        raise KeyRefused(
            KeyProblem.PRIVATE_KEY, "a private key", where=where, do="give the public one, and keep this to yourself"
        )
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefused(
            KeyProblem.NOT_A_KEY, "not a public key in PEM", where=where, do="give the signer's .pub file"
        ) from None
    return public_key(key, where)


def public_key(key: object, where: str = "key") -> PublicKey:
    """Return `key` (of the `cryptography` library) as one that verifies. Raises `KeyRefused` for other kinds."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in _CURVES:
        kind = _CURVES[key.curve.name]
    elif isinstance(key, Ed25519PublicKey):
        kind = KeyKind.ED25519
    else:
        raise _wrong_kind(key, where)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(kind, "sha256:" + hashlib.sha256(der).hexdigest(), key)


def new_key(path: Path, kind: KeyKind, password: str | None = None) -> PublicKey:
    """Make a key pair: `path` (readable by its owner only, encrypted when there is a password) and `path`.pub. Raises `KeyRefused`.

    Nothing is ever overwritten: a key that is gone cannot be had again.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key: EllipticCurvePrivateKey | Ed25519PrivateKey
    if kind is KeyKind.ED25519:
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key(ec.SECP256R1() if kind is KeyKind.P256 else ec.SECP384R1())
    locked: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    beside = path.with_name(path.name + ".pub")
    if os.path.lexists(beside):
        raise _exists(beside)
    _write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked), 0o600)
    try:
        _write_new(beside, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    except KeyRefused:
        path.unlink()
        raise
    return public_key(key.public_key())


_CURVES = {"secp256r1": KeyKind.P256, "secp384r1": KeyKind.P384}


def _hash_of(kind: KeyKind):  # type: ignore[no-untyped-def]  # the library's types are imported when used
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256() if kind is KeyKind.P256 else hashes.SHA384()


def _read(path: Path, *, private: bool) -> bytes:
    where = str(path)
    try:
        real = path.resolve(strict=True)
        # Opened without waiting: a pipe would wait for ever. Looked at once it is open, so that it is the file that is read.
        with os.fdopen(os.open(real, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise KeyRefused(KeyProblem.NOT_A_FILE, "not a file", where=where, do="give a key file in PEM")
            if private:
                _check_private(found.st_mode, real, where)
            data = file.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise KeyRefused(
            KeyProblem.UNREADABLE, f"cannot be read ({error.strerror})", where=where, do="check the path"
        ) from error
    except RuntimeError:  # a link that leads to itself
        raise KeyRefused(KeyProblem.UNREADABLE, "a link that leads nowhere", where=where, do="check the path") from None
    if len(data) > MAX_KEY_BYTES:
        raise KeyRefused(
            KeyProblem.NOT_A_KEY,
            f"more than {MAX_KEY_BYTES:,} bytes, larger than any key",
            where=where,
            do="give a key",
        )
    return data


def _check_private(mode: int, real: Path, where: str) -> None:
    if mode & 0o077:
        raise KeyRefused(
            KeyProblem.OPEN_TO_OTHERS,
            f"others may use this private key (its mode is {stat.S_IMODE(mode):04o})",
            where=where,
            do=f"run: chmod 600 {real}",
        )
    folder = real.parent.stat().st_mode
    if folder & 0o002 and not folder & stat.S_ISVTX:
        raise KeyRefused(
            KeyProblem.OPEN_FOLDER,
            "anybody may put another key in its place, as its folder is open to all",
            where=where,
            do=f"run: chmod o-w {real.parent}",
        )


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise KeyRefused(
            KeyProblem.UNREADABLE, f"cannot be written ({error.strerror})", where=str(path), do="choose another place"
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _exists(path: Path) -> KeyRefused:
    return KeyRefused(
        KeyProblem.EXISTS, "is there already and is never overwritten", where=str(path), do="choose another name"
    )


def _wrong_kind(key: object, where: str) -> KeyRefused:
    named = type(key).__name__.removeprefix("_").removesuffix("PrivateKey").removesuffix("PublicKey")
    return KeyRefused(
        KeyProblem.WRONG_KIND,
        f"a key of a kind that is not used here ({named})",
        where=where,
        do="use ECDSA P-256 or P-384, or Ed25519: `weighbridge sign --new-key FILE` makes one",
    )
