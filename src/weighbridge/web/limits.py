"""How often something may be asked for, by whom: a moving window of one minute, kept in this process.

    @router.post("/sign-in", dependencies=[Depends(limited("sign-in", per_minute=20))])

Who is signed in has a window of their own, and everybody else shares that of their network's address. Two servers on one database count apart.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Awaitable, Callable
from typing import cast

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from weighbridge.web.problems import Problem
from weighbridge.web.site import Site, site
from weighbridge.web.who import who

_MOST_KEYS = 10_000
_FORGET_EVERY_S = 10.0  # while more addresses than that come, looking through them must not be what each request costs


class Limits:
    """The windows of one service."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._windows = MovingWindowRateLimiter(self._storage)
        self._forgot_at = -math.inf

    def hit(self, name: str, key: str, per_minute: int) -> float | None:
        """Count one; return None when it may be, else in how many seconds it may be."""
        now = time.monotonic()
        if len(self._storage.events) > _MOST_KEYS and now - self._forgot_at > _FORGET_EVERY_S:
            self._forgot_at = now
            self._forget()
        item = RateLimitItemPerMinute(per_minute)
        if self._windows.hit(item, name, key):
            return None
        return max(self._windows.get_window_stats(item, name, key).reset_time - time.time(), 0.0)

    def _forget(self) -> None:
        """Drop windows in which nothing is: the library keeps their keys, and there are as many addresses as somebody likes to use."""
        for key in list(self._storage.events):
            with self._storage.locks[key]:
                if not self._storage.events.get(key):
                    self._storage.events.pop(key, None)


def limited(name: str, per_minute: int) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that lets `per_minute` requests of one person or address through in any minute. Raises `Problem` 429 for more.

    Routes with the same `name` share a window.
    """

    async def checked(request: Request) -> None:
        found = await who(request)
        key = f"user {found.name}" if found.name is not None else f"address {network_of(request)}"
        wait_s = _limits(site(request)).hit(name, key, per_minute)
        if wait_s is not None:
            seconds = max(math.ceil(wait_s), 1)
            raise Problem(
                429,
                f"more than {per_minute} of these in a minute",
                do=f"wait {seconds} seconds and do the same again",
                headers={"Retry-After": str(seconds)},
            )

    return checked


def network_of(request: Request) -> str:
    """Return from where a request comes: an IPv4 address, or the first 64 bits of an IPv6 one, which is what one subscriber has."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if address.version == 6:
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _limits(found: Site) -> Limits:
    # On the event loop, so that nobody else makes them meanwhile.
    if "limits" not in found.parts:
        found.parts["limits"] = Limits()
    return cast(Limits, found.parts["limits"])
