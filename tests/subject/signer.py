"""Signs model directories for tests, as the specification says, and in ways that it forbids."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"

Key = ec.EllipticCurvePrivateKey


def new_key(curve: ec.EllipticCurve | None = None) -> Key:
    return ec.generate_private_key(curve or ec.SECP256R1())


def public_pem(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def statement(root: Path, **changes: Any) -> dict[str, Any]:
    """Return the statement of the files below `root` (no folders); `changes` replace parts of its predicate."""
    resources = [
        {"name": path.name, "algorithm": "sha256", "digest": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(root.iterdir())
        if path.is_file() and path.name != "model.sig"
    ]
    predicate = {
        "resources": resources,
        "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
        **changes,
    }
    raw = b"".join(bytes.fromhex(resource["digest"]) for resource in predicate["resources"])
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": hashlib.sha256(raw).hexdigest()}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": predicate,
    }


def sign(said: Any, key: Key, material: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a bundle in which `key` signs the statement `said`; by default the key's hint is its material."""
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    kind = b"application/vnd.in-toto+json"
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    algorithm = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
    hint = hashlib.sha256(public_pem(key)).hexdigest()
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": material or {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind.decode(),
            "signatures": [{"sig": base64.b64encode(key.sign(encoded, ec.ECDSA(algorithm))).decode(), "keyid": ""}],
        },
    }


def chain_material(*certificates: x509.Certificate) -> dict[str, Any]:
    return {"x509CertificateChain": {"certificates": [raw_bytes(each) for each in certificates]}}


def raw_bytes(certificate: x509.Certificate) -> dict[str, str]:
    return {"rawBytes": base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()}


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def certificate(
    name: str,
    key: Key,
    issuer: str,
    issuer_key: Key,
    *,
    ca: bool = False,
    starts: datetime.datetime = NOW - DAY,
    ends: datetime.datetime = NOW + DAY,
    may_sign: bool = True,
    path_length: int | None = None,
    more: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> x509.Certificate:
    """Return a certificate for `name`, issued by `issuer`."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        .add_extension(
            x509.KeyUsage(may_sign and not ca, False, False, False, False, ca, False, False, False), critical=True
        )
    )
    for extension, critical in more:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())
