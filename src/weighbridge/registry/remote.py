"""A registry behind an address: publishing there and looking up there, as if it were here. Only digests and what was signed are sent, never weights.

What a server answers is a stranger's: it is bounded in size and time, no redirect is followed (a token would go with it), and what is not an answer
of a weighbridge is told as that.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import TypeAdapter, ValidationError

from weighbridge.errors import UsageError
from weighbridge.evidence.records import Record
from weighbridge.registry.asked import Candidates, Published
from weighbridge.registry.lineage.told import LineageTold
from weighbridge.registry.notices import Notice
from weighbridge.registry.problems import NotAdmitted, RegistryError, UploadRefused
from weighbridge.registry.upload import MAX_ARCHIVE_BYTES, Upload, write_archive
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES = 64 << 20
MAX_TOKEN = 1_000
_CONNECT_S = 10.0
_SILENCE_S = 60.0
_LOOK_UP_S = 60.0
_PUBLISH_S = 1_800.0
_BLOCK_BYTES = 1 << 18
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PROBLEM = "application/problem+json"

Answer = TypeVar("Answer", bound=Record)
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Answered:
    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True)
class _Told:
    """What a problem says, as far as it is one."""

    detail: str = ""
    do: str = ""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Server:
    """A weighbridge that serves at `url`. `token`: whose it is may write there."""

    url: str
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raises `UsageError` for what is no address, and for a token that would travel in the clear."""
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host, parts = None, urlsplit("")
        if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment or parts.username:
            raise UsageError(
                "not a server's address", where=shown(self.url, 300), do="write https://NAME or http://127.0.0.1:8000"
            )
        if self.token is not None and parts.scheme == "http" and host not in _LOOPBACK:
            raise UsageError(
                "the token would travel in the clear, for anybody on the way to read", where=self.url, do="use https://"
            )
        is_word = self.token is None or (self.token.isascii() and self.token.isprintable() and " " not in self.token)
        if not is_word or len(self.token or "") > MAX_TOKEN:
            raise UsageError("not a token", where="token", do="give it as the server printed it, on one line")

    def publish(self, upload: Upload) -> Published:
        """Hand a signed dossier in. Raises `NotAdmitted` with the server's reasons, `UsageError`, `UploadRefused`, `RegistryError`."""
        if self.token is None:
            raise UsageError(
                "publishing needs a token", where=self.url, do="put it into WEIGHBRIDGE_TOKEN, or give --token-file"
            )
        with tempfile.TemporaryFile() as file:
            write_archive(upload, file)
            size = file.tell()
            if size > MAX_ARCHIVE_BYTES:
                raise UploadRefused(
                    f"more than {MAX_ARCHIVE_BYTES:,} bytes",
                    where=upload.where,
                    do="publish what was signed, and nothing else",
                )
            found = _run(self._sent(file, size))
        if found.status in (200, 201):
            return self._read(found, Published)
        if found.status == 422 and (told := _told(found)).reasons:
            raise NotAdmitted(told.reasons, where=upload.where)
        raise self._refused(found)

    def notice(self, digest: str) -> Notice:
        """Return the notice of exactly these weights (`sha256:...`), as of now. Raises `RegistryError`."""
        return self._get(f"/api/v1/notices/{digest.removeprefix('sha256:')}", Notice)

    def closed_notice(self, provider: str, name: str) -> Notice:
        """Return the notice of a closed model, as of now. Raises `RegistryError`, `UsageError`."""
        return self._get(f"/api/v1/closed/{quote(provider, safe='')}/{quote(name, safe='')}", Notice)

    def candidates(self, asked: str) -> Candidates:
        """Return the digests that begin with `asked` (`sha256:...`). Raises `RegistryError`, `UsageError`."""
        return self._get(f"/api/v1/candidates?{urlencode({'prefix': asked})}", Candidates)

    def lineage(self, digest: str) -> LineageTold:
        """Return the kin of exactly these weights (`sha256:...`). Raises `RegistryError`, `UsageError`."""
        return self._get(f"/api/v1/lineage/{digest.removeprefix('sha256:')}", LineageTold)

    def lineage_like(self, fingerprint: str, files: Sequence[str]) -> LineageTold:
        """Return the kin of a model that need not be published. `fingerprint`: packed, as base64url. Raises `RegistryError`, `UsageError`."""
        asked = [("fingerprint", fingerprint), *(("file", each.removeprefix("sha256:")) for each in files)]
        return self._get(f"/api/v1/lineage?{urlencode(asked)}", LineageTold)

    def _get(self, path: str, kind: type[Answer]) -> Answer:
        found = _run(self._asked(path))
        if found.status != 200:
            raise self._refused(found)
        return self._read(found, kind)

    def _read(self, found: _Answered, kind: type[Answer]) -> Answer:
        try:
            return kind.model_validate_json(found.body)
        except ValidationError:
            raise self._no_weighbridge() from None

    async def _asked(self, path: str) -> _Answered:
        return await self._request("GET", path, None, {}, _LOOK_UP_S)

    async def _sent(self, file: BinaryIO, size: int) -> _Answered:
        file.seek(0)
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/zip",
            "Content-Length": str(size),
        }
        return await self._request("POST", "/api/v1/publications", file, headers, _PUBLISH_S)

    async def _request(
        self, method: str, path: str, file: BinaryIO | None, headers: Mapping[str, str], within_s: float
    ) -> _Answered:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=within_s, sock_connect=_CONNECT_S, sock_read=None if file else _SILENCE_S)
        sent = {"Accept": "application/json", "User-Agent": "weighbridge", **headers}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.request(
                    method, self.url.rstrip("/") + path, data=file, headers=sent, allow_redirects=False
                ) as answer,
            ):
                return _Answered(answer.status, answer.content_type, await self._body(answer))
        except TimeoutError:
            raise RegistryError(
                f"the server did not answer within {within_s:g} seconds", where=self.url, do="try again later"
            ) from None
        except aiohttp.ClientConnectorError as error:
            raise RegistryError(
                f"the server is not there ({_short(error)})", where=self.url, do="check the address, and that it runs"
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RegistryError(
                f"the connection failed ({_short(error)})", where=self.url, do="check the address, and try again"
            ) from None

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for block in answer.content.iter_chunked(_BLOCK_BYTES):
            body += block
            if len(body) > MAX_ANSWER_BYTES:
                raise RegistryError(
                    f"the server answers with more than {MAX_ANSWER_BYTES:,} bytes",
                    where=self.url,
                    do="check the address",
                )
        return bytes(body)

    def _refused(self, found: _Answered) -> UsageError | RegistryError:
        """Return what a refusal means: whoever asks must act (their token, their digest), or the server's operator."""
        if 300 <= found.status < 400:
            return RegistryError("the server leads elsewhere", where=self.url, do="give the address that it leads to")
        if found.media_type != _PROBLEM:
            return self._no_weighbridge()
        told = _told(found)
        what = f"the server refuses ({found.status}): {shown(told.detail or 'it says no more', 500)}"
        do = shown(told.do, 500) or "ask the server's operator"
        if found.status in (401, 403):
            return UsageError(what, where=self.url, do=do)
        if found.status == 413:
            return UploadRefused(what, where=self.url, do=do)
        if 400 <= found.status < 500 and found.status not in (408, 429):
            return UsageError(what, where=self.url, do=do)
        return RegistryError(what, where=self.url, do=do)

    def _no_weighbridge(self) -> RegistryError:
        told = "what answers there is no weighbridge, or one of another version"
        return RegistryError(told, where=self.url, do="check the address")


def _run(asked: Coroutine[None, None, _Result]) -> _Result:
    return asyncio.run(asked)


def _told(found: _Answered) -> _Told:
    try:
        return TypeAdapter(_Told).validate_json(found.body) if found.media_type == _PROBLEM else _Told()
    except ValidationError:
        return _Told()


def _short(error: BaseException) -> str:
    return shown(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)
