"""Passkeys: WebAuthn's registration and sign-in, checked by the library `webauthn` and by what it leaves to us.

What it leaves: that the user whom an authenticator names is the passkey's, that the signature counter is looked at only once the signature holds, that the
page was not framed, that a challenge is answered once (`challenges`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, delete, func, insert, select, update
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from weighbridge.digests import digest_bytes
from weighbridge.errors import UsageError
from weighbridge.registry.accounts.challenges import Challenge, use_challenge
from weighbridge.registry.accounts.users import User, read_user
from weighbridge.registry.audit import note
from weighbridge.registry.tables.accounts import identities, passkeys, users

MOST = 20
NAME_LETTERS = 60

_ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_TIMEOUT_MS = 180_000


class Response(BaseModel):
    """What an authenticator made, in base64url. What belongs to the other ceremony is left out."""

    clientDataJSON: str = Field(max_length=4_096)  # noqa: N815  WebAuthn's names
    attestationObject: str | None = Field(None, max_length=32_768)  # noqa: N815
    authenticatorData: str | None = Field(None, max_length=4_096)  # noqa: N815
    signature: str | None = Field(None, max_length=4_096)
    userHandle: str | None = Field(None, max_length=128)  # noqa: N815

    model_config = ConfigDict(extra="ignore", strict=True)


class Credential(BaseModel):
    """A public key credential as a browser's `toJSON()` writes it."""

    id: str = Field(max_length=1_400)
    rawId: str = Field(max_length=1_400)  # noqa: N815
    type: str = Field(max_length=20)
    response: Response

    model_config = ConfigDict(extra="ignore", strict=True)

    def told(self) -> dict[str, Any]:
        """Return it as the library takes it."""
        return self.model_dump(exclude_none=True)


@dataclass(frozen=True)
class Place:
    """Where passkeys are good: the origin, and its host as WebAuthn's relying party. `title`: for people, in the browser's question."""

    origin: str
    host: str
    title: str


@dataclass(frozen=True)
class Passkey:
    """One passkey of a user. `digest` names it; `used_at` None: not since it was added."""

    digest: str
    user: str
    name: str
    backed_up: bool
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True)
class NewPasskey:
    """A passkey that was checked and is nobody's yet."""

    digest: str
    credential: bytes
    public_key: bytes
    sign_count: int
    backed_up: bool


def list_passkeys(connection: Connection, user: str) -> list[Passkey]:
    """Return a user's passkeys, oldest first."""
    asked = select(passkeys).where(passkeys.c.user == user).order_by(passkeys.c.created_at, passkeys.c.digest)
    return [
        Passkey(row.digest, row.user, row.name, row.backed_up, row.created_at, row.used_at)
        for row in connection.execute(asked)
    ]


def creation_options(place: Place, challenge: Challenge, there: Sequence[bytes]) -> dict[str, Any]:
    """Return what a browser is asked in order to make a passkey. `there`: credentials that the user has, of which no second one is made."""
    options = generate_registration_options(
        rp_id=place.host,
        rp_name=place.title,
        user_name=challenge.user,
        user_id=bytes.fromhex(challenge.handle),
        challenge=challenge.value,
        timeout=_TIMEOUT_MS,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in there],
        supported_pub_key_algs=_ALGORITHMS,
    )
    told: dict[str, Any] = json.loads(options_to_json(options))
    return told


def request_options(place: Place, challenge: Challenge) -> dict[str, Any]:
    """Return what a browser is asked in order to sign in with any passkey that it has for this place."""
    options = generate_authentication_options(
        rp_id=place.host,
        challenge=challenge.value,
        timeout=_TIMEOUT_MS,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    told: dict[str, Any] = json.loads(options_to_json(options))
    return told


def credentials_of(connection: Connection, user: str) -> list[bytes]:
    """Return the ids of a user's credentials."""
    return list(connection.execute(select(passkeys.c.credential).where(passkeys.c.user == user)).scalars())


def check_new(place: Place, challenge: Challenge, credential: Credential) -> NewPasskey:
    """Return the passkey that a browser made for this challenge. Raises `UsageError` when anything of it does not hold."""
    try:
        found = verify_registration_response(
            credential=credential.told(),
            expected_challenge=challenge.value,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
        _not_framed(credential)
        # Without attestation nobody has used the key yet: one that is none would be found at the first sign-in, too late.
        decoded_public_key_to_cryptography(decode_credential_public_key(found.credential_public_key))
    except Exception:  # hostile bytes make the parsers below raise whatever they like
        raise _refused() from None
    return NewPasskey(
        digest_bytes(found.credential_id),
        found.credential_id,
        found.credential_public_key,
        found.sign_count,
        found.credential_backed_up,
    )


def add_passkey(
    connection: Connection, now: datetime, user: str, new: NewPasskey, challenge: Challenge, *, name: str, by: str
) -> None:
    """Give a user the passkey that was made for `challenge`. Raises `UsageError` when it is somebody's, there are too many, or the name is none."""
    use_challenge(connection, now, challenge)
    name = name.strip()
    if not 1 <= len(name) <= NAME_LETTERS or not name.isprintable():
        raise UsageError(f"a passkey's name has 1 to {NAME_LETTERS} letters, in one line", do="write it again")
    if connection.execute(select(passkeys.c.user).where(passkeys.c.digest == new.digest)).first():
        raise UsageError("this passkey is registered already", do="use another one")
    if len(credentials_of(connection, user)) >= MOST:
        raise UsageError(f"a user has at most {MOST} passkeys", do="remove one first")
    connection.execute(
        insert(passkeys).values(
            digest=new.digest,
            user=user,
            name=name,
            credential=new.credential,
            public_key=new.public_key,
            sign_count=new.sign_count,
            backed_up=new.backed_up,
            created_at=now,
            used_at=None,
        )
    )
    note(connection, now, "passkey added", by, None, {"user": user, "passkey": new.digest})


def remove_passkey(connection: Connection, now: datetime, user: str, digest: str, *, by: str) -> None:
    """Take a passkey away. Raises `UsageError` for the last way in that its user has."""
    if not connection.execute(
        select(passkeys.c.digest).where(passkeys.c.digest == digest, passkeys.c.user == user)
    ).first():
        raise UsageError("there is no such passkey", do="reload the page")
    ways = sum(
        connection.execute(select(func.count()).select_from(table).where(table.c.user == user)).scalar() or 0
        for table in (passkeys, identities)
    )
    if ways < 2:
        raise UsageError("this is the last way to sign in", do="add another passkey first")
    connection.execute(delete(passkeys).where(passkeys.c.digest == digest))
    note(connection, now, "passkey removed", by, None, {"user": user, "passkey": digest})


@dataclass(frozen=True)
class Asserted:
    """A passkey whose signature holds. `sign_count`: how often it was used, by its own account."""

    digest: str
    user: User
    sign_count: int


def check_sign_in(connection: Connection, place: Place, challenge: Challenge, credential: Credential) -> Asserted:
    """Return whose passkey signed the challenge. Raises `UsageError`, the same for a passkey that is not known and one whose signature is false."""
    try:
        digest = digest_bytes(base64url_to_bytes(credential.rawId))
        kept = _kept(connection, digest)
        if kept is None or credential.response.userHandle is None:
            raise _refused()
        # The counter is compared below, behind the signature: before it, anybody could make one look stolen.
        found = verify_authentication_response(
            credential=credential.told(),
            expected_challenge=challenge.value,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            credential_public_key=kept.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
        _not_framed(credential)
        if base64url_to_bytes(credential.response.userHandle) != bytes.fromhex(kept.handle):
            raise _refused()
    except Exception:  # as above
        raise _refused() from None
    user = read_user(connection, kept.user)
    if user.disabled_at is not None:
        raise UsageError("this user is disabled", do="ask a maintainer")
    return Asserted(digest, user, found.new_sign_count)


def use_passkey(connection: Connection, now: datetime, asserted: Asserted, challenge: Challenge) -> bool:
    """Count a sign-in; return False when the passkey's counter has gone back, which is noted: then two authenticators hold its key.

    Raises `UsageError` when the challenge was answered before, or the passkey or its user went meanwhile.
    """
    use_challenge(connection, now, challenge)
    kept = _kept(connection, asserted.digest)
    if kept is None or read_user(connection, kept.user).disabled_at is not None:
        raise _refused()
    if (asserted.sign_count or kept.sign_count) and asserted.sign_count <= kept.sign_count:
        of = {"user": kept.user, "passkey": asserted.digest}
        note(connection, now, "passkey refused", kept.user, None, of)
        return False
    changes = {"sign_count": asserted.sign_count, "used_at": now}
    connection.execute(update(passkeys).where(passkeys.c.digest == asserted.digest).values(**changes))
    return True


@dataclass(frozen=True)
class _Kept:
    public_key: bytes
    sign_count: int
    user: str
    handle: str


def _kept(connection: Connection, digest: str) -> _Kept | None:
    asked = select(passkeys.c.public_key, passkeys.c.sign_count, passkeys.c.user, users.c.handle)
    row = connection.execute(
        asked.join(users, users.c.name == passkeys.c.user).where(passkeys.c.digest == digest)
    ).first()
    return None if row is None else _Kept(*row)


def _not_framed(credential: Credential) -> None:
    """Refuse what was signed inside another site's frame."""
    if parse_client_data_json(base64url_to_bytes(credential.response.clientDataJSON)).cross_origin:
        raise _refused()


def _refused() -> UsageError:
    return UsageError("this passkey's answer does not hold", do="begin again; if it stays so, use another passkey")
