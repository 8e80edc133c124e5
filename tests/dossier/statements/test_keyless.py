"""Keyless signatures, with a fake in sigstore's place: the path through our code, and what is said when it cannot be had."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.dossier.statements import made
from weighbridge.dossier.statements import keyless
from weighbridge.dossier.statements.envelope import PAYLOAD_TYPE
from weighbridge.dossier.statements.failures import Failure, Problem
from weighbridge.dossier.statements.folder import look_at, read_statements
from weighbridge.dossier.statements.signing import sign_dossier
from weighbridge.dossier.statements.verification import Held, State, verify_dossier
from weighbridge.errors import MissingExtra, UsageError

WHO, ISSUER = "lead@example.com", "https://issuer.example.com"


class FakeBundle:
    def __init__(self, payload: bytes) -> None:
        self.payload = payload

    def to_json(self) -> str:
        signature = {"sig": base64.b64encode(b"fake").decode()}
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "dsseEnvelope": {
                    "payload": base64.b64encode(self.payload).decode(),
                    "payloadType": PAYLOAD_TYPE,
                    "signatures": [signature],
                },
            }
        )


class FakeSigner:
    """Signs whatever it is given."""

    def sign_dsse(self, input_: bytes, /) -> FakeBundle:
        return FakeBundle(input_)


def fake_check(data: bytes, identity: str, issuer: str) -> tuple[str, bytes]:
    """Takes every signature for one by `WHO`."""
    if (identity, issuer) != (WHO, ISSUER):
        raise ValueError("somebody else")
    held = json.loads(data)["dsseEnvelope"]
    return held["payloadType"], base64.b64decode(held["payload"])


@pytest.fixture
def signed(dossier: Path) -> Path:
    sign_dossier(
        dossier,
        lambda payload: keyless.sealed(FakeSigner(), payload, bytes),
        suffix=keyless.SUFFIX,
        made_by="weighbridge 0.1.0",
        now=made.NOW,
        valid_for=made.TERM,
    )
    return dossier


def held(dossier: Path, *arguments: Any) -> dict[str, Held]:
    return {name: keyless.hold_bundle(data, *arguments) for name, data in read_statements(dossier).items()}


def test_a_keyless_signature_by_the_one_who_was_named(signed: Path) -> None:
    """A bundle that sigstore takes for the named identity's verifies, and says whose it is."""
    report = verify_dossier(held(signed, WHO, ISSUER, fake_check), now=made.NOW, dossier=look_at(signed))
    assert report.state is State.VERIFIED and WHO in (report.statements[0].signer or "")


def test_somebody_else(signed: Path) -> None:
    """A bundle by another is a bad signature."""
    report = verify_dossier(held(signed, "x", ISSUER, fake_check), now=made.NOW, dossier=look_at(signed))
    assert report.state is State.FAILED
    assert report.statements[0].problems[0].failure is Failure.BAD_SIGNATURE


def test_nobody_was_named(signed: Path) -> None:
    """A keyless signature without a name to look for is not checked, and that is no success."""
    report = verify_dossier(held(signed, None, None, fake_check), now=made.NOW, dossier=look_at(signed))
    assert report.state is State.NOT_CHECKED
    assert report.statements[0].problems[0].failure is Failure.NOT_CHECKED


def test_what_was_verified_must_be_what_is_shown(signed: Path) -> None:
    """A library that verified other bytes than those in the bundle is not believed."""
    for each in held(signed, WHO, ISSUER, lambda *_: (PAYLOAD_TYPE, b"other")).values():
        assert isinstance(each, Problem) and each.failure is Failure.BAD_SIGNATURE


@pytest.mark.parametrize("data", [b"{", b'{"mediaType":1,"dsseEnvelope":{}}', b'{"dsseEnvelope":{"payload":"%"}}'])
def test_what_is_no_bundle(data: bytes) -> None:
    """A bundle that is none is told, not raised."""
    assert isinstance(keyless.hold_bundle(data, WHO, ISSUER, fake_check), Problem)


def test_the_library_itself_refuses_a_fake(signed: Path) -> None:
    """The real check takes no fake, whatever state the machine's network and roots are in."""
    pytest.importorskip("sigstore")
    data = next(iter(read_statements(signed).values()))
    found = keyless.hold_bundle(data, WHO, ISSUER)
    assert isinstance(found, Problem) or found.signer is None


def test_offline_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """When sigstore cannot be reached the error says so, and what works offline."""
    models = pytest.importorskip("sigstore.models")

    def unreachable() -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(models.ClientTrustConfig, "production", unreachable)
    with pytest.raises(UsageError, match="offline, sign with --key"), keyless.online():
        pass


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the error says what to install."""
    monkeypatch.setitem(sys.modules, "sigstore", None)
    with pytest.raises(MissingExtra, match="weighbridge\\[sigstore\\]"), keyless.online():
        pass
