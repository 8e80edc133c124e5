"""Whether a bundle's signature is by whom the caller trusts: a public key, or a certificate under one of his roots.

Pure: keys, certificates and the time are passed in. Nothing is fetched, and the machine's own list of web authorities is never used:
it says who owns a web address, not who may sign a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from weighbridge.errors import UsageError
from weighbridge.subject.shown import shown
from weighbridge.subject.signing.bundle import BrokenBundle, Bundle, Method, UnknownKind, signed_bytes

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
MIN_RSA_BITS = 2048
MAX_ANCHORS = 1000
# Fulcio writes who signed in as extensions of its certificates (its "OID information"): issuer, and issuer before 2023.
_ISSUER_OIDS = ("1.3.6.1.4.1.57264.1.8", "1.3.6.1.4.1.57264.1.1")
# Extensions that may be critical: they are looked at here, or say nothing about whether a chain holds. Basic constraints, key
# usage, extended key usage, subject's other names, policies.
_UNDERSTOOD = {"2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17", "2.5.29.32"}
_NAME_CONSTRAINTS = "2.5.29.30"


class State(StrEnum):
    """What is known of a signature."""

    VERIFIED = "verified"
    FAILED = "failed"
    NOT_VERIFIED = "not verified"


@dataclass(frozen=True)
class Trust:
    """What the caller trusts, as the files hold it (PEM or DER); None: not given."""

    public_key: bytes | None = None
    certificates: bytes | None = None


@dataclass(frozen=True)
class Judged:
    """What is known of the envelope's signature. `signer` is verified only when `state` says so."""

    state: State
    reason: str
    signer: str | None = None


def judge(bundle: Bundle, trust: Trust, now: datetime) -> Judged:
    """Return whether the signature of `bundle` is by whom the caller trusts.

    Raises `BrokenBundle` or `UnknownKind` for keys and certificates in it that cannot be used, `UsageError` for the caller's own.
    """
    if bundle.method is Method.KEY:
        return _judge_key(bundle, trust)
    chain = [_certificate(der) for der in bundle.certificates]
    signer = f"{_name(chain[0])}, certificate sha256:{hashlib.sha256(bundle.certificates[0]).hexdigest()}"
    if not _is_signed_by(_certified_key(chain[0]), bundle):
        return Judged(State.FAILED, "the signature is not by the key in its own certificate", signer)
    if bundle.method is Method.SIGSTORE:
        reason = "keyless signatures need Sigstore's roots and log, which are not asked here: use model_signing"
        return Judged(State.NOT_VERIFIED, reason, _claimed(chain[0]))
    if trust.certificates is None:
        return Judged(State.NOT_VERIFIED, "signed with a certificate: give --trusted-certificates", signer)
    problem = chain_problem(chain, read_certificates(trust.certificates), now)
    if problem is not None:
        return Judged(State.FAILED, problem, signer)
    return Judged(State.VERIFIED, "the signature is by a certificate under one that you trust", signer)


def _judge_key(bundle: Bundle, trust: Trust) -> Judged:
    if trust.public_key is None:
        named = f" (of the key {shown(bundle.hint)})" if bundle.hint else ""
        return Judged(State.NOT_VERIFIED, f"signed with a key: give --public-key{named}")
    key = read_public_key(trust.public_key)
    name = fingerprint(key)
    signer = f"{CURVES[key.curve.name]} key sha256:{name}"
    if _is_signed_by(key, bundle):
        return Judged(State.VERIFIED, "the signature is by the key that you gave", signer)
    if bundle.hint and bundle.hint != name:
        return Judged(State.FAILED, f"made with another key ({shown(bundle.hint)}) than the one given")
    return Judged(State.FAILED, "the signature is not by the key that you gave, or what was signed has changed")


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """Return how bundles name a key: SHA-256, in hexadecimal, of its PEM text."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def read_public_key(data: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key in a file (PEM or DER). Raises `UsageError` when it is no public key of a curve that OMS knows."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

    if b"PRIVATE KEY" in data:
        raise UsageError("a private key", where="--public-key", do="give the public one, and keep this to yourself")
    load = load_pem_public_key if b"-----BEGIN" in data else load_der_public_key
    try:
        key = load(data)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError("not a public key", where="--public-key", do="give it in PEM") from None
    if (usable := _elliptic(key)) is None:
        raise UsageError("not a key that models are signed with", where="--public-key", do="P-256, P-384 or P-521")
    return usable


def read_certificates(data: bytes) -> list[x509.Certificate]:
    """Return the certificates in a PEM file. Raises `UsageError` when it holds none, or one that cannot be read."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        certificates = x509.load_pem_x509_certificates(data)
        if len(certificates) > MAX_ANCHORS:
            raise UsageError(
                f"more than {MAX_ANCHORS} certificates", where="--trusted-certificates", do="give your own"
            )
        return [_certificate(each.public_bytes(Encoding.DER)) for each in certificates]
    except ValueError:  # among them what `_certificate` raises
        raise UsageError("not certificates", where="--trusted-certificates", do="give them in PEM") from None


def chain_problem(chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], now: datetime) -> str | None:
    """Return why the first certificate of `chain` does not stand under one of `anchors` at `now`, or None when it does.

    Looked at (RFC 5280, section 6, without policies): signatures, validity, CA and its depth, use of keys. Raises `UnknownKind`
    when a certificate says something that must not be passed over and is not understood here. Nothing is asked about revocation.
    """
    leaf = chain[0]
    if not _may_sign(leaf):
        return "the certificate is not meant for signatures"
    if (problem := _own_problem(leaf, now)) is not None:
        return problem
    if leaf in anchors:
        return None
    current, unused, below = leaf, list(chain[1:]), 0
    while True:
        issuer = next((each for each in (*anchors, *unused) if _issued(each, current)), None)
        if issuer is None:
            return f"no certificate that you trust stands above {_name(current)}"
        if (problem := _own_problem(issuer, now) or _ca_problem(issuer, below)) is not None:
            return problem
        if issuer in anchors:
            return None
        unused.remove(issuer)
        current, below = issuer, below + 1


def _own_problem(certificate: x509.Certificate, now: datetime) -> str | None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    limits = {
        extension.oid.dotted_string: extension.critical and extension.oid.dotted_string not in _UNDERSTOOD
        for extension in certificate.extensions
    }
    if any(limits.values()) or _NAME_CONSTRAINTS in limits:
        raise UnknownKind(f"the certificate of {_name(certificate)} has limits that are not understood here")
    if now < certificate.not_valid_before_utc:
        return (
            f"the certificate of {_name(certificate)} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
        )
    if now > certificate.not_valid_after_utc:
        return f"the certificate of {_name(certificate)} expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return f"the certificate of {_name(certificate)} has a key of only {key.key_size} bits"
    return None


def _ca_problem(issuer: x509.Certificate, below: int) -> str | None:
    """Return why `issuer` may not issue certificates with `below` others between it and the signer's."""
    from cryptography import x509

    refused = f"{_name(issuer)} may not issue certificates"
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return refused
    if not constraints.ca or (constraints.path_length is not None and below > constraints.path_length):
        return refused
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
    return None if usage.key_cert_sign else refused


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        hash_algorithm = certificate.signature_hash_algorithm
        if issuer.subject != certificate.issuer or (hash_algorithm and hash_algorithm.name in ("md5", "sha1")):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _may_sign(leaf: x509.Certificate) -> bool:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        if leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            return True
    except x509.ExtensionNotFound:
        pass
    try:
        return ExtendedKeyUsageOID.CODE_SIGNING in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False


def _is_signed_by(key: ec.EllipticCurvePublicKey, bundle: Bundle) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    # Sigstore's algorithm registry pairs each curve with the hash of its size.
    algorithm = {"P-256": hashes.SHA256(), "P-384": hashes.SHA384(), "P-521": hashes.SHA512()}[CURVES[key.curve.name]]
    try:
        key.verify(bundle.signature, signed_bytes(bundle), ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def _elliptic(key: object) -> ec.EllipticCurvePublicKey | None:
    from cryptography.hazmat.primitives.asymmetric import ec

    return key if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES else None


def _certificate(der: bytes) -> x509.Certificate:
    """Return a certificate, whose parts can be read without an error from here on."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.extensions, certificate.subject, certificate.issuer, certificate.not_valid_after_utc  # noqa: B018
        certificate.public_key()
    except UnsupportedAlgorithm:
        raise UnknownKind("a certificate for a key of an unknown kind") from None
    except (ValueError, x509.DuplicateExtension):
        raise BrokenBundle("a certificate that cannot be read") from None
    return certificate


def _certified_key(leaf: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = _elliptic(leaf.public_key())
    if key is None:
        raise UnknownKind("a certificate for a key other than P-256, P-384 or P-521")
    return key


def _name(certificate: x509.Certificate) -> str:
    return shown(certificate.subject.rfc4514_string() or "(no name)")


def _claimed(leaf: x509.Certificate) -> str:
    """Return who a keyless certificate says has signed. Nobody has checked it."""
    from cryptography import x509

    names: list[str] = []
    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += alternative.get_values_for_type(x509.RFC822Name)
        names += alternative.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        pass
    who = ", ".join(shown(name, 200) for name in names[:3]) or _name(leaf)
    for oid in _ISSUER_OIDS:
        try:
            value = leaf.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value
        except x509.ExtensionNotFound:
            continue
        raw = value.value if isinstance(value, x509.UnrecognizedExtension) else b""
        # The newer extension is a DER text: a tag, a length below 128, the letters.
        issuer = raw[2:] if oid == _ISSUER_OIDS[0] and raw[:1] == b"\x0c" else raw
        return f"{who}, signed in at {shown(issuer.decode('utf-8', 'replace'), 200)}"
    return who
