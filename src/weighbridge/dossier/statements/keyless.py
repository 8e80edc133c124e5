"""Statements signed without a key of one's own, by sigstore: a certificate for minutes, and an entry in a public log.

Optional (the extra `sigstore`), and imported only when used. Signing needs the network; verifying needs sigstore's roots as the library
last kept them. Names of people go into a public log for ever: that is sigstore's point, and the signer's decision.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from weighbridge.dossier.statements.envelope import PAYLOAD_TYPE, Signed
from weighbridge.dossier.statements.failures import Failure, Problem, Refused
from weighbridge.dossier.statements.strict_json import read_bounded
from weighbridge.dossier.statements.verification import Held
from weighbridge.errors import MissingExtra, UsageError, WeighbridgeError
from weighbridge.subject.shown import shown

SUFFIX = ".sigstore.json"


class _Bundle(Protocol):
    def to_json(self) -> str: ...


class Signer(Protocol):
    """What signs: sigstore's own, or a fake."""

    def sign_dsse(self, input_: Any, /) -> _Bundle:
        """Return the bundle of a statement."""


Check = Callable[[bytes, str, str], tuple[str, bytes]]
"""Verifies a bundle by an identity and its issuer; returns the payload's type and bytes, and raises for whatever does not hold."""


def sealed(signer: Signer, payload: bytes, wrap: Callable[[bytes], Any]) -> bytes:
    """Return the bundle of `payload`. `wrap` makes the library's statement of it."""
    return signer.sign_dsse(wrap(payload)).to_json().encode()


@contextmanager
def online() -> Iterator[Callable[[bytes], bytes]]:
    """Yield what makes the bundle of a payload, after its caller has proved who he is (a browser, or the CI job's own token).

    Raises `MissingExtra` without the library, `UsageError` when sigstore cannot be reached or does not know the caller.
    """
    try:
        from sigstore import dsse, models, oidc, sign
    except ImportError:
        raise MissingExtra("sigstore", "keyless signing needs the sigstore library") from None
    try:
        trust = models.ClientTrustConfig.production()
        token = oidc.detect_credential()
        who = oidc.IdentityToken(token) if token else oidc.Issuer(trust.signing_config.get_oidc_url()).identity_token()
        with sign.SigningContext.from_trust_config(trust).signer(who) as signer:
            yield lambda payload: sealed(signer, payload, dsse.Statement)
    except WeighbridgeError:  # the caller's own, while he signs
        raise
    except Exception as error:  # the library's, its HTTP client's and TUF's errors have no common base
        raise UsageError(
            f"sigstore could not be used ({type(error).__name__})",
            where="--sigstore",
            do="keyless signing needs the network and somebody who signs in; offline, sign with --key FILE",
        ) from error


def is_bundle(data: bytes) -> bool:
    """Return whether a file says that it is a sigstore bundle."""
    return data.lstrip()[:1] == b"{" and b'"dsseEnvelope"' in data and b'"mediaType"' in data


def payload_in(data: bytes) -> bytes:
    """Return the payload in a bundle, unverified. Raises `Refused`."""
    held = read_bounded(data, "the bundle")
    envelope = held.get("dsseEnvelope") if isinstance(held, dict) else None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("payload"), str):
        raise Refused(Failure.NOT_AN_ENVELOPE, "the bundle holds no DSSE envelope")
    if envelope.get("payloadType") != PAYLOAD_TYPE:
        raise Refused(Failure.UNKNOWN_PAYLOAD, f"the bundle holds {shown(str(envelope.get('payloadType')))}")
    try:
        return base64.b64decode(envelope["payload"], validate=True)
    except (binascii.Error, ValueError):
        raise Refused(Failure.NOT_AN_ENVELOPE, "the bundle's payload is not base64") from None


def hold_bundle(data: bytes, identity: str | None, issuer: str | None, check: Check | None = None) -> Held:
    """Return what a bundle holds and whether `identity`, known to `issuer`, signed it. Told, not raised."""
    try:
        payload = payload_in(data)
    except Refused as refused:
        return refused.problem
    if not identity or not issuer:
        told = "a keyless signature, and nobody said whose it should be"
        return Signed(payload, None, Problem(Failure.NOT_CHECKED, told))
    try:
        kind, signed = (check or _check_with_library)(data, identity, issuer)
    except ImportError:
        told = "a keyless signature, and the sigstore library is not installed"
        return Signed(payload, None, Problem(Failure.NOT_CHECKED, told))
    except Exception as error:  # whatever the library says of a stranger's file, it does not hold
        told = f"sigstore does not take it for a signature by {shown(identity)} ({type(error).__name__})"
        return Signed(payload, None, Problem(Failure.BAD_SIGNATURE, told))
    if kind != PAYLOAD_TYPE or signed != payload:
        return Problem(Failure.BAD_SIGNATURE, "what sigstore verified is not what the bundle shows")
    return Signed(payload, f"{shown(identity)}, known to {shown(issuer)}", None)


def _check_with_library(data: bytes, identity: str, issuer: str) -> tuple[str, bytes]:
    from sigstore.models import Bundle
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity

    verifier = Verifier.production(offline=True)
    return verifier.verify_dsse(Bundle.from_json(data), Identity(identity=identity, issuer=issuer))
