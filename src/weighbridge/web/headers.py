"""What holds for every answer: nothing is loaded from elsewhere, nothing runs but our own files, nothing is guessed, nothing is framed."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)
_TLS = ("Strict-Transport-Security", "max-age=31536000")


class Headers:
    """Adds the headers. A route that sets one of its own (a card that others may frame) keeps it."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        added = (("Content-Security-Policy", POLICY), *_ALWAYS, *((_TLS,) if secure else ()))
        self._added = [(name.lower().encode(), value.encode()) for name, value in added]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = list(message.get("headers", ()))
                own = {name.lower() for name, _ in found}
                message["headers"] = found + [each for each in self._added if each[0] not in own]
            await send(message)

        await self._app(scope, receive, sent)
