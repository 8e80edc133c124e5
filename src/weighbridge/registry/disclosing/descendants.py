"""The descendants of what an advisory lists, by lineage."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select

from weighbridge.findings.advisory import Advisory, Status
from weighbridge.registry.kin import Direction, kin_of
from weighbridge.registry.tables import publications, weights

REACHING = (Status.AFFECTED, Status.UNDER_INVESTIGATION)
"""The statuses of a parent that reach its kin: one that is free of the failure says nothing of them."""
_BATCH = 500


def derived_from(connection: Connection, advisory: Advisory, at: datetime) -> frozenset[str]:
    """Return the digests, of roots and weight files, that an advisory reaches by lineage and does not list itself."""
    listed = {one.digest for one in advisory.digests}
    roots = {
        each.digest
        for one in advisory.digests
        if advisory.status_of(one.digest).status in REACHING
        for each in kin_of(connection, one.digest, at)
        if each.is_kin and each.direction is not Direction.PARENT
    }
    return frozenset(roots | files_of_roots(connection, roots)) - listed


def files_of_roots(connection: Connection, roots: Collection[str]) -> frozenset[str]:
    """Return the weight files of models by their root digests."""
    found: set[str] = set()
    ordered = sorted(roots)
    for start in range(0, len(ordered), _BATCH):
        asked = (
            select(weights.c.digest)
            .join(publications, publications.c.envelope == weights.c.envelope)
            .where(publications.c.root.in_(ordered[start : start + _BATCH]), publications.c.signer_known.is_(True))
        )
        found |= set(connection.execute(asked.distinct().limit(10_000)).scalars())
    return frozenset(found)
