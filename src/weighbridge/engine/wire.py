"""JSON over HTTP to one server, with every way that it can fail given its name.

What may pass is `Transient`; what concerns one request is `Rejected`; what concerns every request is `ProviderError`. Answers are
bounded in size, redirects are not followed (a key would go along), and the key appears in no message.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
import orjson

from weighbridge.engine.provider import Rejected, Transient
from weighbridge.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

RESPONSE_LIMIT_BYTES = 8 << 20
CONNECT_TIMEOUT_S = 15.0
_MESSAGE_LIMIT = 200
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
KEY_ADVICE = "set WEIGHBRIDGE_API_KEY or OPENAI_API_KEY to a key that this server takes"


class Wire:
    """A keep-alive connection pool to one server. `url` is only for messages; each call names its own address."""

    def __init__(self, url: str, *, key: str | None = None) -> None:
        self.where = _without_login(url)
        self._key = key
        self._session: aiohttp.ClientSession | None = None
        self._headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",
        }
        if key:
            self._headers["authorization"] = f"Bearer {key}"

    def __repr__(self) -> str:
        return f"Wire({self.where!r})"

    async def post(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON object that the server answers with. Raises `Transient`, `Rejected` or `ProviderError`."""
        status, headers, content = await self.exchange("POST", url, orjson.dumps(body))
        if status != HTTPStatus.OK:
            raise self._trouble(status, headers, content)
        try:
            answer = _parsed(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ProviderError(
                f"answered with {_kind(content)} where a JSON object was due",
                where=self.where,
                do="check that the address is that of an OpenAI-compatible API (it often ends in /v1)",
            )
        if "error" in answer and not answer.get("choices"):  # some gateways report failures with status 200
            raise self._trouble(_code(answer["error"]), headers, content)
        return answer

    async def exchange(self, method: str, url: str, data: bytes | None = None) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body, whatever the status. Raises `Transient` when there was no whole response."""
        session = self._open()
        with self._told():
            async with session.request(method, url, data=data, allow_redirects=False) as response:
                return response.status, response.headers, await self._content(response)

    async def events(self, url: str, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """Yield each JSON object of a stream of server-sent events, to its end; a server that does not stream sends one.

        Half of a surrogate pair in a text is kept: the other half may come with the next object. Closing the generator closes the connection, on which
        a server ends what it is doing. Raises `Transient`, `Rejected` or `ProviderError`, in the middle too.
        """
        session = self._open()
        # A connection of its own: llama.cpp closes one on which it has streamed, and the next request would run into that.
        sent, accept = orjson.dumps(body), {"accept": "text/event-stream, application/json", "connection": "close"}
        with self._told():
            async with session.request("POST", url, data=sent, headers=accept, allow_redirects=False) as response:
                try:
                    if response.status != HTTPStatus.OK:
                        raise self._trouble(response.status, response.headers, await self._content(response))
                    if response.content_type != "text/event-stream":
                        yield self._object(await self._content(response), response.headers)
                        return
                    async for data in self._data(response):
                        if data == b"[DONE]":
                            return
                        yield self._object(data, response.headers)
                finally:
                    response.close()

    async def _data(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
        """Yield what stands after `data:`, a line each: no server of this protocol breaks its JSON over lines."""
        line = bytearray()
        async for part in response.content.iter_any():
            start = 0
            while (end := part.find(b"\n", start)) >= 0:
                line += part[start:end]
                start = end + 1
                name, colon, value = bytes(line).partition(b":")
                line.clear()
                if colon and name in (b"data", b"error"):  # llama.cpp once called an error so
                    yield value.strip() if name == b"data" else b'{"error":' + value.strip() + b"}"
            line += part[start:]
            if len(line) > RESPONSE_LIMIT_BYTES:
                raise ProviderError(f"sent a line of more than {RESPONSE_LIMIT_BYTES >> 20} MiB", where=self.where)

    def _object(self, content: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        """Return one object of a stream. Raises what it says when it tells of an error."""
        try:
            found = _with_halves(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ProviderError(f"sent {_kind(content)} where a JSON object was due", where=self.where)
        if found.get("error") and not found.get("choices"):
            raise self._trouble(_code(found["error"]), headers, content)
        return found

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Give what goes wrong on the way its name."""
        try:
            yield
        except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError) as error:
            raise ProviderError(
                "its TLS certificate is not trusted",
                where=self.where,
                do="check the address, or the system's certificates",
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise Transient(f"no connection ({_reason(error)})") from error
        except TimeoutError as error:
            raise Transient("no connection in time", timed_out=True) from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError) as error:
            raise Transient("the connection was dropped") from error
        except aiohttp.InvalidURL as error:
            raise ProviderError(
                "not an address", where=self.where, do="http://HOST:PORT/v1#MODEL is the form"
            ) from error
        except (aiohttp.ClientError, ValueError) as error:  # a response that is not HTTP
            raise ProviderError(
                "what answers there does not speak HTTP", where=self.where, do="check the address and port"
            ) from error

    async def close(self) -> None:
        """Close all connections. May be called twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            host = urlsplit(self.where).hostname
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),  # the asker decides how many
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                # Looked up once, since aiohttp would search the environment on every call.
                trust_env=host not in _LOOPBACK and bool(getproxies()),
            )
        return self._session

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        length = response.content_length
        if length is not None and length <= RESPONSE_LIMIT_BYTES and "content-encoding" not in response.headers:
            return await response.read()
        parts, size = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > RESPONSE_LIMIT_BYTES:
                response.close()
                raise ProviderError(
                    f"sent more than {RESPONSE_LIMIT_BYTES >> 20} MiB for one short answer",
                    where=self.where,
                    do="check that the address is that of an OpenAI-compatible API",
                )
        return b"".join(parts)

    def _trouble(self, status: int, headers: Mapping[str, str], content: bytes) -> Exception:
        """Return what a status other than 200 means."""
        said = self.message(content)
        named = f"{status} {_phrase(status)}" + (f": {said}" if said else "")
        if status in (429, 503, 529):
            return Transient(named, retry_after_s=retry_after_s(headers), slow_down=True)
        if status == 408:
            return Transient(named, timed_out=True)
        if status in (409, 425) or (status >= 500 and status != 501):
            return Transient(named, retry_after_s=retry_after_s(headers))
        if status in (401, 403):
            what = "the key was refused" if self._key else "a key is needed"
            return ProviderError(f"{what} ({named})", where=self.where, do=KEY_ADVICE)
        if status in (404, 405, 501):
            return ProviderError(
                f"unknown model or path ({named})",
                where=self.where,
                do="check the address and the model's name after #",
            )
        if status == 402:
            return ProviderError(f"payment is needed ({named})", where=self.where, do="look at your account there")
        if 300 <= status < 400:
            target = _one_line(_without_login(headers.get("location", "elsewhere")))
            return ProviderError(f"redirects to {target}", where=self.where, do="give the final address")
        return Rejected(f"the request was rejected ({named})", where=self.where)

    def message(self, content: bytes) -> str:
        """Return the error message in a response body: one line, clipped, without control characters and without the key."""
        try:
            said = _error_text(_parsed(content))
        except ValueError:
            said = _kind(content) if _looks_like_html(content) else content[:2000].decode("utf-8", "replace")
        if self._key:
            said = said.replace(self._key, "[key]")
        return _one_line(said)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that `Retry-After` asks for (a number, or an HTTP date), or None.

    >>> retry_after_s({"Retry-After": "2.5"})
    2.5
    >>> retry_after_s({"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}, datetime(2026, 1, 1, tzinfo=UTC))
    30.0
    >>> retry_after_s({"Retry-After": "soon"}) is None
    True
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        # The one thing that servers send and orjson refuses: half of an emoji, cut by the limit on tokens.
        import json

        return json.loads(json.dumps(json.loads(content), ensure_ascii=False).encode("utf-8", "replace"))


def _with_halves(content: bytes) -> Any:
    """Return JSON, with half of an emoji as it is, and bytes that are no text replaced. Raises `ValueError`.

    >>> _with_halves(b'["\\\\ud83d"]')
    ['\\ud83d']
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        import json

        try:
            return json.loads(content.decode("utf-8", "replace"))
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _error_text(body: Any) -> str:
    for _ in range(3):
        if isinstance(body, dict):
            body = next((body[name] for name in ("error", "message", "detail") if body.get(name)), "")
    return body if isinstance(body, str) else str(orjson.dumps(body), "utf-8")


def _code(error: Any) -> int:
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 300 <= code < 600 else HTTPStatus.BAD_REQUEST


def _one_line(text: str) -> str:
    """Return text fit for one line of a terminal.

    >>> _one_line("no\\nsuch \\x1b[31mmodel")
    'no such [31mmodel'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _MESSAGE_LIMIT else line[: _MESSAGE_LIMIT - 3] + "..."


def _kind(content: bytes) -> str:
    if not content.strip():
        return "nothing"
    if _looks_like_html(content):
        title = re.search(rb"<title[^>]*>(.{1,200}?)</title>", content[:20_000], re.IGNORECASE | re.DOTALL)
        return "an HTML page" + (f" ({_one_line(title[1].decode('utf-8', 'replace'))})" if title else "")
    return "something else"


def _looks_like_html(content: bytes) -> bool:
    start = content[:200].lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<body"))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Unknown status"


def _reason(error: aiohttp.ClientConnectorError) -> str:
    cause = error.os_error
    text = cause.strerror or str(cause) or type(cause).__name__
    return _one_line(re.sub(r"^Connect call failed.*", "refused", text)).lower()


def _without_login(url: str) -> str:
    return re.sub(r"(?<=//)[^/@\s]*@", "", url)


async def within(seconds: float, exchange: Any) -> Any:
    """Await an exchange for so long at most. Raises `Transient` when time is up."""
    try:
        async with asyncio.timeout(seconds):
            return await exchange
    except TimeoutError as error:
        raise Transient(f"no answer within {seconds:g} s", timed_out=True) from error
