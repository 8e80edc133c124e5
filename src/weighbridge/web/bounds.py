"""What holds for every request: a host that is ours, a body that is not too long."""

from __future__ import annotations

from collections.abc import Collection

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weighbridge.web.problems import Problem, answer

UPLOADS = ("/api/v1/publications", "/publish", "/rating/labels")
"""Where a longer body may come."""


class Bounds:
    """Refuses a foreign `Host` (400), which a rebound DNS name would send, and a body that is too long (413)."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], most_bytes: int, upload_most_bytes: int) -> None:
        self._app, self._hosts = app, hosts
        self._most, self._upload_most = most_bytes, upload_most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host = length = ""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1")
            elif name == b"content-length":
                length = value.decode("latin-1")
        if _without_port(host) not in self._hosts:
            problem = Problem(
                400, "this service is not known by that name", do="ask it by its own name (--origin, --host-name)"
            )
            await answer(Request(scope), problem)(scope, receive, send)
            return
        most = self._upload_most if scope["path"] in UPLOADS else self._most
        if length.isdigit() and int(length) > most:
            await _too_long(scope, most)(scope, receive, send)
            return
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        await self._counted(scope, receive, send, most)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        read, started, over = 0, False, False

        async def received() -> Message:
            nonlocal read, over
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > most:
                    over = True
                    return {"type": "http.disconnect"}
            return message

        async def sent(message: Message) -> None:
            nonlocal started
            if over and not started:
                return  # what the route makes of the cut body is nobody's business
            started = True
            await send(message)

        try:
            await self._app(scope, received, sent)
        except Exception:
            if not over:
                raise
        if over and not started:
            await _too_long(scope, most)(scope, receive, send)


def _too_long(scope: Scope, most: int) -> ASGIApp:
    return answer(Request(scope), Problem(413, f"more than {most:,} bytes were sent", do="send less"))


def _without_port(host: str) -> str:
    """Return a host's name.

    >>> _without_port("127.0.0.1:8000"), _without_port("[::1]:8000"), _without_port("example.org")
    ('127.0.0.1', '::1', 'example.org')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
