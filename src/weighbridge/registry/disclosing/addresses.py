"""Where a webhook may go: a public address over TLS, and no place that only this service can reach (server-side request forgery).

A name is looked up when a message is sent, every address that it has is held against the rule, and the connection goes to exactly those: a name that answers
otherwise a moment later changes nothing. Redirections are not followed.
"""

from __future__ import annotations

import asyncio
import re
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from weighbridge.errors import UsageError

MAX_URL = 500
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?(/[!-~]*)?")
_SHORT = re.compile(r"[0-9.]+")
_NAT64 = IPv6Network("64:ff9b::/96")
_DO = "give an https address that anybody can reach, without a name or password in it"


class AddressRefused(Exception):
    """A name leads, now, to an address where nothing is sent."""


def checked_url(url: str, *, allows_loopback: bool) -> str:
    """Return the address of a webhook when it may be one. `allows_loopback`: this machine is allowed too, also without TLS (for tests).

    Names are looked up when something is sent. Raises `UsageError`.

    >>> checked_url("https://example.org/hook?a=1", allows_loopback=False)
    'https://example.org/hook?a=1'
    """
    url = url.strip()
    if len(url) > MAX_URL or not _URL.fullmatch(url) or "#" in url or "\\" in url:
        raise UsageError("not an address for a webhook", where="url", do=_DO)
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise UsageError("the port is none", where="url", do=_DO)
    _refuse_short(host)
    literal = _literal(host)
    on_loopback = host == "localhost" or (literal is not None and literal.is_loopback)
    if literal is not None and not is_allowed(literal, allows_loopback=allows_loopback):
        raise UsageError("not a public address", where="url", do=_DO)
    if parts.scheme == "http" and not (allows_loopback and on_loopback):
        raise UsageError("what is sent would be readable on the way", where="url", do=_DO)
    return url


def refuse_literal(url: str, *, allows_loopback: bool) -> None:
    """Raise `AddressRefused` when an URL names an address, and not a public one: no name is looked up for it."""
    host = urlsplit(url).hostname or ""
    literal = _literal(host)
    if (literal is None and _SHORT.fullmatch(host)) or (
        literal is not None and not is_allowed(literal, allows_loopback=allows_loopback)
    ):
        raise AddressRefused


def _refuse_short(host: str) -> None:
    """Refuse `127.1` and `2130706433`: no address as it is written, but taken for one where it is connected to, and so looked up by nobody."""
    if _SHORT.fullmatch(host) and _literal(host) is None:
        raise UsageError("not a public address", where="url", do=_DO)


def is_allowed(address: IPv4Address | IPv6Address, *, allows_loopback: bool) -> bool:
    """Return whether something may be sent to an address: a public one, also when it lies within another.

    >>> [is_allowed(ip_address(each), allows_loopback=False) for each in ("8.8.8.8", "10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1")]
    [True, False, False, False]
    """
    if isinstance(address, IPv6Address) and (within := _within(address)) is not None:
        return is_allowed(within, allows_loopback=allows_loopback)
    if address.is_loopback:
        return allows_loopback
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


class PublicResolver(AbstractResolver):
    """Looks names up, and gives addresses only when every one of them is allowed."""

    def __init__(self, *, allows_loopback: bool) -> None:
        self._allows_loopback = allows_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises `AddressRefused`, `OSError` when it has none."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for of, _, protocol, _, place in found:
            address = _literal(str(place[0]))
            if address is None or not is_allowed(address, allows_loopback=self._allows_loopback):
                raise AddressRefused
            results.append(
                ResolveResult(
                    hostname=host,
                    host=str(place[0]),
                    port=port,
                    family=of,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )
        if not results:
            raise OSError("no address")
        return results

    async def close(self) -> None:
        """There is nothing to let go of."""


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _within(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or 1 < int(address) < 1 << 32:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
