"""The tables as they are now, one module for each part. What made them, step by step, is in `migrations`.

Every key is a digest or a name, never a number that a database gives out: so a copy of the rows is the registry, on either database. Texts that
are looked up by their beginning compare by code point on both. Times are texts of one width in UTC, so that they sort.
"""

from weighbridge.registry.tables import accounts, findings, lineage, rates, ratings, workbench  # noqa: F401  the catalogue is whole
from weighbridge.registry.tables.columns import Instant, metadata
from weighbridge.registry.tables.published import (
    answers,
    audit,
    blobs,
    label_key,
    name_key,
    publication_files,
    publications,
    revocations,
    signers,
    supersessions,
    weights,
)

REVISION = "0009"
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")
"""The steps in order. A database at a step that is not here was written by a newer version."""

__all__ = [
    "REVISION",
    "REVISIONS",
    "Instant",
    "answers",
    "audit",
    "blobs",
    "label_key",
    "metadata",
    "name_key",
    "publication_files",
    "publications",
    "revocations",
    "signers",
    "supersessions",
    "weights",
]
