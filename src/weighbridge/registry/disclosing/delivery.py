"""Sending what waits in the outbox: JSON, signed as Standard Webhooks has it (standardwebhooks.com), to public addresses only."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from datetime import datetime
from typing import Any

import aiohttp

from weighbridge.digests import canonical_json
from weighbridge.findings.public import utc
from weighbridge.findings.told import line
from weighbridge.registry.disclosing import outbox
from weighbridge.registry.disclosing.addresses import AddressRefused, PublicResolver, refuse_literal
from weighbridge.registry.disclosing.following import SECRET_PREFIX
from weighbridge.registry.disclosing.outbox import Claimed
from weighbridge.registry.store import Store

TIMEOUT_S = 15  # far below the lease, so that nobody else sends it meanwhile
_AT_ONCE = 50
_LOG = logging.getLogger("weighbridge.delivery")


async def deliver_due(store: Store, *, origin: str, allows_loopback: bool = False) -> int:
    """Announce what became readable, send what is due, and note what became of it; return how many were sent or tried.

    Raises `RegistryError` when the database fails: what was sent and not noted is sent again, by the same id.
    """
    await asyncio.to_thread(outbox.sweep, store)
    claimed = await asyncio.to_thread(outbox.claim, store, limit=_AT_ONCE)
    if not claimed:
        return 0
    connector = aiohttp.TCPConnector(
        resolver=PublicResolver(allows_loopback=allows_loopback), use_dns_cache=False, force_close=True
    )
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=jar) as session:
        sending = (_deliver(session, store, each, origin, allows_loopback) for each in claimed)
        await asyncio.gather(*sending)
    return len(claimed)


def body_of(claimed: Claimed, origin: str) -> bytes:
    """Return what is sent: canonical JSON, the same for every attempt."""
    advisory = claimed.advisory
    data: dict[str, Any] = {
        "advisory": advisory.id,
        "version": claimed.version,
        "url": f"{origin}/advisories/{advisory.id}",
        "title": line(advisory.title),
        "severity": advisory.severity.value,
        "modified": utc(advisory.modified_at),
        "because": claimed.because,
        **({"subject": claimed.subject} if claimed.subject else {}),
    }
    if claimed.because == "listed":
        standing = advisory.status_of(claimed.subject)
        data |= {"status": standing.shown, "status_because": standing.because}
    elif claimed.because == "kin":
        why = "the advisory is about a parent of these weights, or about kin of which it is not known who came first"
        data |= {"status": "under investigation", "status_because": why}
    kind = "advisory.withdrawn" if advisory.withdrawn_at is not None else "advisory.published"
    return canonical_json({"type": kind, "timestamp": utc(claimed.made_at), "data": data})


def signed_headers(message: str, secret: str, body: bytes, at: datetime) -> dict[str, str]:
    """Return the headers that sign a body: `webhook-id`, `webhook-timestamp` (seconds), `webhook-signature` (HMAC-SHA256 over all three)."""
    timestamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    said = b".".join((message.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
    return {"webhook-id": message, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


async def _deliver(
    session: aiohttp.ClientSession, store: Store, claimed: Claimed, origin: str, allows_loopback: bool
) -> None:
    status, outcome = await _post(session, store, claimed, origin, allows_loopback)
    delivered, ends = status is not None and 200 <= status < 300, status == 410
    await asyncio.to_thread(outbox.note_outcome, store, claimed, delivered=delivered, outcome=outcome, ends=ends)
    if not delivered:
        _LOG.info("%s: attempt %d: %s", claimed.message, claimed.attempt, outcome)


async def _post(
    session: aiohttp.ClientSession, store: Store, claimed: Claimed, origin: str, allows_loopback: bool
) -> tuple[int | None, str]:
    """Return the status of the answer, and what to tell the follower. Nothing of the answer is read."""
    try:
        body = body_of(claimed, origin)
    except ValueError:
        return None, "not sent: it cannot be written as JSON"
    headers = signed_headers(claimed.message, claimed.secret, body, store.clock())
    headers |= {"content-type": "application/json", "user-agent": "weighbridge"}
    try:
        refuse_literal(claimed.url, allows_loopback=allows_loopback)
        async with session.post(claimed.url, data=body, headers=headers, allow_redirects=False) as answer:
            return answer.status, f"answered {answer.status}"
    except AddressRefused:
        return None, "not sent: the address is not a public one"
    except TimeoutError:
        return None, f"no answer within {TIMEOUT_S} s"
    except aiohttp.ClientSSLError:
        return None, "not sent: no TLS, or a certificate that is not valid for the name"
    except aiohttp.ClientConnectorDNSError:
        return None, "not sent: the name has no address"
    except (aiohttp.ClientError, OSError, ValueError):
        return None, "not sent: the connection failed"
