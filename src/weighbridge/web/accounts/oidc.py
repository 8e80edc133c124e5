"""An OpenID Connect provider: authorization code with PKCE, state and nonce; the ID token is believed only when all of it holds.

What comes from the provider is untrusted until its signature is checked: bounded in size and time, no redirects, algorithms from a list of ours.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weighbridge.registry.accounts.challenges import Challenge
from weighbridge.web.problems import Problem
from weighbridge.web.settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures by a key of the provider's own. Never `none`, and none whose key is a secret that others share."""

LEEWAY_S = 60

_MOST_BYTES = 1 << 20
_TIMEOUT = aiohttp.ClientTimeout(total=15)


class Discovered(BaseModel):
    """What a provider says of itself."""

    issuer: str = Field(max_length=500)
    authorization_endpoint: str = Field(max_length=2_000)
    token_endpoint: str = Field(max_length=2_000)
    jwks_uri: str = Field(max_length=2_000)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)

    model_config = ConfigDict(frozen=True, extra="ignore")


@dataclass(frozen=True)
class Client:
    """This service as the provider knows it. `secret` None: a public client, which PKCE alone protects."""

    issuer: str
    id: str
    secret: str | None
    back: str


def client_of(settings: Settings) -> Client:
    """Return this service as its provider knows it. Raises `Problem` 404 when there is no provider."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        raise Problem(404, "no provider signs people in here", do="sign in with a passkey")
    back = f"{settings.origin}/sign-in/provider/back"
    return Client(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, back)


async def discover(client: Client) -> Discovered:
    """Return what the provider says of itself. Raises `Problem` 502 when it does not answer, or names another issuer."""
    if not _is_safe(client.issuer, client.issuer):
        raise _wrong("its address is not https")
    told = await _asked("GET", client.issuer.rstrip("/") + "/.well-known/openid-configuration")
    try:
        found = Discovered.model_validate(told)
    except ValidationError:
        raise _wrong("its configuration is not one") from None
    if found.issuer != client.issuer:
        raise _wrong("it names another issuer than was asked")
    for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
        if not _is_safe(address, client.issuer):
            raise _wrong("an address of it is not https")
    return found


def authorization_address(client: Client, provider: Discovered, challenge: Challenge) -> str:
    """Return where a browser is sent to sign in."""
    asked = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": client.back,
        "scope": "openid",
        "state": challenge.challenge,
        "nonce": challenge.nonce,
        "code_challenge": _unpadded(hashlib.sha256(challenge.verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    joint = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return f"{provider.authorization_endpoint}{joint}{urlencode(asked)}"


async def subject_of(client: Client, provider: Discovered, challenge: Challenge, code: str, now: datetime) -> str:
    """Return the provider's name for whom it sent back with `code`. Raises `Problem` 502 when anything of the ID token does not hold."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.back,
        "code_verifier": challenge.verifier,
    }
    basic = "client_secret_basic" in provider.token_endpoint_auth_methods_supported
    headers = {}
    if client.secret is not None and basic:
        # RFC 6749, 2.3.1: both are form-encoded before they are joined.
        pair = urlencode({"": client.id})[1:] + ":" + urlencode({"": client.secret})[1:]
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form["client_id"] = client.id
        if client.secret is not None:
            form["client_secret"] = client.secret
    told = await _asked("POST", provider.token_endpoint, form, headers)
    id_token = told.get("id_token")
    if not isinstance(id_token, str):
        raise _wrong("it gave no ID token")
    return subject_in(id_token, await _asked("GET", provider.jwks_uri), client, challenge.nonce, now)


def subject_in(id_token: str, keys: Mapping[str, Any], client: Client, nonce: str, now: datetime) -> str:
    """Return the subject of an ID token that holds by one of the provider's `keys` (OpenID Connect Core 1.0, section 3.1.3.7).

    Raises `Problem` 502.
    """
    try:
        signing = [
            each for each in keys.get("keys", ()) if each.get("kty") != "oct" and each.get("use", "sig") == "sig"
        ]
        token = jwt.decode(id_token, KeySet.import_key_set({"keys": signing}), algorithms=ALGORITHMS)
        rules = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": client.issuer},
            aud={"essential": True, "value": client.id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        rules.validate(token.claims)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):  # the parsers' own, of hostile JSON
        raise _wrong("its ID token does not hold") from None
    audience, party, subject = token.claims["aud"], token.claims.get("azp"), token.claims["sub"]
    if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (None, client.id):
        raise _wrong("its ID token is for somebody else as well")
    if not 1 <= len(subject) <= 255:
        raise _wrong("it names nobody")
    return str(subject)


async def _asked(
    method: str, address: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.request(method, address, data=form, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise _wrong(f"it answered {answer.status}")
            body = b""
            async for block in answer.content.iter_chunked(1 << 16):
                body += block
                if len(body) > _MOST_BYTES:
                    raise _wrong("it answered too much")
        told = json.loads(body)
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise _wrong("it does not answer") from None
    except (ValueError, RecursionError):
        raise _wrong("its answer is no JSON") from None
    if not isinstance(told, dict):
        raise _wrong("its answer is no JSON object")
    return told


def _is_safe(address: str, issuer: str) -> bool:
    """Return whether an address is https, or on this machine as the issuer is (for development)."""
    return urlsplit(address).scheme == "https" or (_is_loopback(issuer) and _is_loopback(address))


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _wrong(why: str) -> Problem:
    return Problem(502, f"the provider cannot sign you in: {why}", do="try again, or sign in with a passkey")
