"""An authenticator in software: makes passkeys and signs with them as a phone would, and lies when it is told to."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text_of(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "===")


@dataclass
class Passkey:
    """What an authenticator keeps of one credential."""

    key: ec.EllipticCurvePrivateKey
    credential: bytes
    host: str
    handle: bytes
    count: int = 0


@dataclass
class Authenticator:
    """`origin`: the page that asks. `counts`: whether it has a signature counter. `flags`: what it says of its owner."""

    origin: str
    counts: bool = True
    flags: int = PRESENT | VERIFIED
    framed: bool = False
    passkeys: list[Passkey] = field(default_factory=list)

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """Make a passkey for what a page was told to ask; return the credential as a browser's script sends it."""
        assert options["authenticatorSelection"]["userVerification"] == "required"
        found = Passkey(
            ec.generate_private_key(ec.SECP256R1()),
            secrets.token_bytes(32),
            options["rp"]["id"],
            bytes_of(options["user"]["id"]),
        )
        self.passkeys.append(found)
        numbers = found.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        size = len(found.credential).to_bytes(2, "big")
        attested = bytes(16) + size + found.credential + cbor2.dumps(public)
        data = self._data(found, self.flags | ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"])
        return self._told(found, {"clientDataJSON": text_of(client), "attestationObject": text_of(attestation)})

    def sign(self, options: dict[str, Any], which: int = -1) -> dict[str, Any]:
        """Sign in with one of the passkeys."""
        assert options["userVerification"] == "required"
        found = self.passkeys[which]
        if self.counts:
            found.count += 1
        data = self._data(found, self.flags)
        client = self._client("webauthn.get", options["challenge"])
        signature = found.key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": text_of(client),
            "authenticatorData": text_of(data),
            "signature": text_of(signature),
            "userHandle": text_of(found.handle),
        }
        return self._told(found, response)

    def _data(self, passkey: Passkey, flags: int) -> bytes:
        return sha256(passkey.host.encode()).digest() + bytes([flags]) + passkey.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.framed}
        ).encode()

    def _told(self, passkey: Passkey, response: dict[str, str]) -> dict[str, Any]:
        name = text_of(passkey.credential)
        return {"id": name, "rawId": name, "type": "public-key", "response": response}
