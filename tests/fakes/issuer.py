"""An OpenID Connect provider on this machine: signs people in without asking them, and lies when it is told to."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey


@dataclass
class Issuer:
    """`person`: who sits before the browser that comes. `now`: seconds, for the times in its tokens. `claims`, `header`, `key`: what a token says and is signed with instead of the truth."""

    address: str
    client: str = "weighbridge"
    person: str = "7"
    secret: str | None = "a secret of the client"
    now: float = field(default_factory=time.time)
    own_key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    key: Key | None = None
    says: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    raw_token: str | None = None
    takes_public_key_for_a_secret: bool = False

    def approve(self, address: str, subject: str) -> dict[str, str]:
        """Sign `subject` in at the address that a browser was sent to; return what the browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked | {"subject": subject}
        return {"code": code, "state": asked["state"]}

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": self.address + "/authorize",
            "token_endpoint": self.address + "/token",
            "jwks_uri": self.address + "/jwks",
        } | self.says

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return None
        verified = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        if verified != asked["code_challenge"]:
            return None
        if self.secret is not None:
            given = b64decode(authorization.removeprefix("Basic ")).decode()
            if given != f"{self.client}:{self.secret.replace(' ', '+')}":
                return None
        if self.raw_token is not None:
            return {"id_token": self.raw_token}
        claims = {
            "iss": self.address,
            "sub": asked["subject"],
            "aud": self.client,
            "iat": int(self.now),
            "exp": int(self.now) + 300,
            "nonce": asked["nonce"],
        } | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.takes_public_key_for_a_secret:
            return {"id_token": self._confused(claims)}
        header = {"alg": "RS256", "kid": "one"} | self.header
        return {"id_token": jwt.encode(header, claims, self.key or self.own_key, algorithms=[header["alg"]])}

    def _confused(self, claims: dict[str, Any]) -> str:
        parts = [
            urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=")
            for each in ({"alg": "HS256", "kid": "one"}, claims)
        ]
        secret = self.own_key.as_pem(private=False)
        parts.append(urlsafe_b64encode(hmac.new(secret, b".".join(parts), sha256).digest()).rstrip(b"="))
        return b".".join(parts).decode()


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Yield a provider that answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            if self.path == "/.well-known/openid-configuration":
                self._told(issuer.configuration())
            elif self.path == "/jwks":
                self._told({"keys": [issuer.own_key.as_dict(private=False)]})
            elif self.path.startswith("/authorize?"):
                brought = issuer.approve(self.path, issuer.person)
                back = parse_qs(urlsplit(self.path).query)["redirect_uri"][0]
                self.send_response(302)
                self.send_header("location", f"{back}?{urlencode(brought)}")
                self.send_header("content-length", "0")
                self.end_headers()
            else:
                self._told(None)

        def do_POST(self) -> None:
            issuer.asked.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._told(issuer.token(form, self.headers.get("authorization", "")))

        def _told(self, answer: dict[str, Any] | None) -> None:
            data = json.dumps(answer).encode()
            self.send_response(400 if answer is None else 200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()


def another_key() -> Key:
    """A key that is not the provider's, under the name of the one that is."""
    return ECKey.generate_key("P-256", {"kid": "one"})
