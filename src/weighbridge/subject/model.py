"""What is weighed. A subject *is* its digest; a name is a label; an endpoint has no digest and says so."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from weighbridge.digests import Digest


class SubjectKind(StrEnum):
    """Where the model was found."""

    GGUF = "gguf"  # one GGUF file, perhaps with an adapter
    HF_DIRECTORY = "hf directory"  # a Hugging Face model directory (safetensors or torch)
    ENDPOINT = "endpoint"  # an OpenAI-compatible address
    INSPECT = "inspect"  # an Inspect provider
    SEARCH = "search"  # existing technology: a full-text index over a folder of documents
    RECORDED = "recorded"  # answers made elsewhere: people with ordinary tools, another lab


class FoundFile(BaseModel):
    """One file of the subject: path relative to its root, size in bytes, digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str
    size_bytes: int = Field(ge=0)
    digest: Digest


class Component(BaseModel):
    """A part of the subject, e.g. "model parameters" or "adapter", its files and its licence as found (None: not found)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    files: tuple[FoundFile, ...] = ()
    licence: str | None = None


class Subject(BaseModel):
    """What is weighed, as found. `identity` goes into every record.

    `digest` is None exactly for endpoints and Inspect providers. For a single model file it is the file's own SHA-256; for a
    directory, and for several files, OpenSSF Model Signing's root digest (`subject.roots`); for a search it covers the documents and
    the parameters of the search; for recorded answers it is the file's.
    `chat_template`: True or False as found in the files, None where it cannot be told (endpoints).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: SubjectKind
    reference: Annotated[str, Field(description="as the user gave it, without secrets")]
    label: str
    digest: Digest | None
    components: tuple[Component, ...] = ()
    architecture: str | None = None
    parameters: int | None = None
    quantisation: str | None = None
    chat_template: bool | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_model(self) -> bool:
        """Whether this is a model at all: search and recorded answers are what a model is compared with."""
        return self.kind not in (SubjectKind.SEARCH, SubjectKind.RECORDED)

    @property
    def identity(self) -> str:
        """The digest, or `endpoint:URL#model` / `inspect:NAME` for what has none."""
        return self.digest or self.reference_identity

    @property
    def reference_identity(self) -> str:
        """What names a subject that has no digest."""
        prefix = "" if self.reference.startswith("inspect:") else "endpoint:"
        return prefix + self.reference
