"""The task of the service that announces what became public and sends what waits, for as long as the service runs."""

from __future__ import annotations

import asyncio
import logging

from weighbridge.errors import WeighbridgeError
from weighbridge.registry.disclosing.delivery import deliver_due
from weighbridge.web.site import Site

IDLE_S = 5.0
FAILED_S = 30.0
_LOG = logging.getLogger("weighbridge.delivery")


async def deliver_forever(site: Site, *, idle_s: float = IDLE_S, failed_s: float = FAILED_S) -> None:
    """Deliver until cancelled. What fails is logged by its kind and tried again: nothing that waits is lost, since it lies in the database."""
    settings = site.settings
    while True:
        try:
            sent = await deliver_due(
                site.store, origin=settings.origin, allows_loopback=settings.allows_loopback_webhooks
            )
            wait_s = 0.0 if sent else idle_s
        except WeighbridgeError as error:
            _LOG.error("deliveries wait: %s", error.what)
            wait_s = failed_s
        except Exception as error:  # one message that cannot be made must not end all that come after it
            _LOG.error("deliveries wait: unexpected %s", type(error).__name__)
            wait_s = failed_s
        await asyncio.sleep(wait_s)
