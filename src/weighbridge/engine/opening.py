"""Opens what a reference resolved to. Nothing is loaded or asked before the provider's first `access`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from weighbridge.engine.provider import Provider
from weighbridge.protocol.model import Asking
from weighbridge.subject.locations import (
    DirectoryLocation,
    EndpointLocation,
    GGUFLocation,
    InspectLocation,
    RecordedLocation,
    SearchLocation,
)
from weighbridge.subject.references import Resolved

START = 16  # calls at once to an endpoint that nothing is known of yet


def open_provider(resolved: Resolved, limits: Asking, environ: Mapping[str, str]) -> Provider:
    """Return a provider for a resolved subject; close it when done.

    Raises `MissingExtra` when the subject needs an extra that is not installed. `limits.concurrency` caps what a hosted
    endpoint is asked at once; the key is in the resolved location, and `environ` is where Inspect's providers look.
    """
    subject, location = resolved.subject, resolved.location
    if isinstance(location, GGUFLocation):
        from weighbridge.engine.llamacpp import LlamaCppProvider

        return LlamaCppProvider(
            location.path, location.adapter, subject.identity, chat_template=subject.chat_template is not False
        )
    if isinstance(location, EndpointLocation):
        from weighbridge.engine.endpoint import EndpointProvider

        return EndpointProvider(
            location.base_url,
            location.model,
            api_key=location.api_key,
            subject=subject.identity,
            concurrency=(min(START, limits.concurrency), limits.concurrency),
        )
    if isinstance(location, DirectoryLocation):
        from weighbridge.engine.transformers_provider import TransformersProvider

        return TransformersProvider(location.path, subject.identity)
    if isinstance(location, InspectLocation):
        from weighbridge.engine.inspect_provider import InspectProvider

        return InspectProvider(location.name, subject.identity)
    if isinstance(location, SearchLocation):
        from weighbridge.engine.search_provider import SearchProvider

        return SearchProvider(location.root, location.digests, subject.identity)
    if isinstance(location, RecordedLocation):
        from weighbridge.engine.recorded_provider import RecordedProvider

        return RecordedProvider(location.recording, subject.identity)
    assert_never(location)
