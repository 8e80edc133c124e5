"""Where a subject lies: all that the engine needs to open it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from weighbridge.subject.recorded import Recording


@dataclass(frozen=True)
class GGUFLocation:
    """A GGUF file (of a split model its first part), and the adapter to apply to it."""

    path: Path
    adapter: Path | None = None


@dataclass(frozen=True)
class DirectoryLocation:
    """A Hugging Face model directory."""

    path: Path


@dataclass(frozen=True)
class EndpointLocation:
    """An OpenAI-compatible endpoint. `base_url` has no trailing slash; `api_key` never shows in a repr."""

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class InspectLocation:
    """An Inspect provider's model, e.g. "openai/gpt-4o"."""

    name: str


@dataclass(frozen=True)
class SearchLocation:
    """A folder of documents, and the digest that each document had when the subject was described."""

    root: Path
    digests: Mapping[str, str]


@dataclass(frozen=True)
class RecordedLocation:
    """Recorded answers, as they were read."""

    recording: Recording


Location = GGUFLocation | DirectoryLocation | EndpointLocation | InspectLocation | SearchLocation | RecordedLocation
