"""How far an advisory reaches: what it says of a digest, of the files and the parents of it; and how many of the derivatives have the fix.

Lineage tells who came from whom, never who is affected: of a derivative that an advisory does not list, nothing is said but "under investigation".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from weighbridge.findings.advisory import Advisory, Status
from weighbridge.registry.disclosing.advisories import advisories_naming, may_read_early
from weighbridge.registry.disclosing.descendants import REACHING, files_of_roots
from weighbridge.registry.disclosing.readers import Reader
from weighbridge.registry.disclosing.records import day_of, newest_advisories
from weighbridge.registry.kin import Direction, Kin, kin_of, lineage_of
from weighbridge.registry.lineage.marks import NotMeasured
from weighbridge.registry.tables import name_key, publications, weights

_BATCH = 500


class How(StrEnum):
    """How an advisory concerns a digest."""

    LISTED = "it lists these weights"
    FILE = "it lists a file of these weights"
    WHOLE = "it lists weights that this file is part of"
    PARENT = "it is about a parent of these weights"
    KIN = "it is about kin of these weights, and which came first is not known"


@dataclass(frozen=True)
class Reach:
    """An advisory that concerns a digest. `status` is of the digest that was asked for: but for `LISTED` it is "under investigation".

    `listed`, `label`: what the advisory lists. `kin`: how that is related, for `PARENT` and `KIN`.
    """

    advisory: Advisory
    public: bool
    how: How
    status: str
    because: str
    listed: str
    label: str
    kin: Kin | None = None


@dataclass(frozen=True)
class Derivative:
    """A model made from one that an advisory lists as affected, as far as known. `kin` None: the advisory says so, and lineage here does not know it.

    `status`: by the advisory where it lists the derivative, else "under investigation". `has_fix`: it is the new weights of a mitigation; `retested`: with
    a re-test.
    """

    digest: str
    label: str
    kin: Kin | None
    status: str
    has_fix: bool
    retested: bool


@dataclass(frozen=True)
class Adoption:
    """How far a fix has come. `not_measured`: affected digests whose descendants are not known, and why; with all of them there, so is the whole."""

    derivatives: tuple[Derivative, ...]
    not_measured: tuple[tuple[str, str], ...]
    searched: int

    @property
    def is_measured(self) -> bool:
        """Whether anything is known at all: without it, no count stands for anything."""
        return self.searched > 0 or bool(self.derivatives)

    def count(self, what: str) -> int:
        """Return how many derivatives have the fix (`has_fix`), have it with a re-test (`retested`), or have a status."""
        if what in ("has_fix", "retested"):
            return sum(bool(getattr(each, what)) for each in self.derivatives)
        return sum(each.status == what for each in self.derivatives)


def advisories_about(connection: Connection, digest: str, at: datetime, who: Reader) -> tuple[Reach, ...]:
    """Return the advisories that concern a digest and that the reader may read: those that list it first, then by files, then by parents.

    Where there is none that the reader may read, lineage is not asked: neither the answer nor its time tells of those that may not be read yet.
    """
    if not advisories_naming(connection, None, who, at):
        return ()
    return _reached(connection, _near(connection, digest, at), at, who)


def advisories_about_closed(
    connection: Connection, provider: str, name: str, at: datetime, who: Reader
) -> tuple[Reach, ...]:
    """Return the advisories about a closed model that the reader may read: those that list a dossier about it."""
    asked = select(publications.c.dossier).where(publications.c.name_key == name_key(provider, name)).distinct()
    dossiers = connection.execute(asked.order_by(publications.c.dossier).limit(_BATCH)).scalars().all()
    found: dict[str, Reach] = {}
    for dossier in dossiers:
        for each in _reached(connection, [(How.LISTED, frozenset({dossier}), None)], at, who):
            found.setdefault(each.advisory.id, each)
    return tuple(found.values())


def adoption(connection: Connection, advisory: Advisory, at: datetime) -> Adoption:
    """Return the derivatives of what an advisory lists as affected, and which of them have the fix."""
    changed = {one.new_digest: one for one in advisory.mitigations if one.new_digest is not None}
    affected = [
        one for one in advisory.digests if advisory.status_of(one.digest).status in REACHING and one.derived is None
    ]
    found: dict[str, tuple[str, Kin | None]] = {}
    lacking: list[tuple[str, str]] = []
    for listed in affected:
        lineage = lineage_of(connection, listed.digest, at)
        if isinstance(lineage.measured, NotMeasured):
            lacking.append((listed.label, lineage.measured.reason))
        for each in lineage.kin:
            if each.is_kin and each.direction is Direction.DERIVATIVE:
                found.setdefault(each.digest, (each.label, each))
    for listed in advisory.digests:
        if listed.derived is not None:
            found.setdefault(listed.digest, (listed.label, None))
    derivatives = []
    for digest, (label, kin) in found.items():
        standing = advisory.status_of(digest)
        change = changed.get(digest)
        derivatives.append(
            Derivative(
                digest=digest,
                label=label,
                kin=kin,
                status=standing.shown if standing.status is not None else Status.UNDER_INVESTIGATION.value,
                has_fix=change is not None,
                retested=change is not None and change.retest is not None,
            )
        )
    return Adoption(tuple(derivatives), tuple(lacking), len(affected) - len(lacking))


def _reached(
    connection: Connection,
    near: Iterable[tuple[How, frozenset[str], Kin | None]],
    at: datetime,
    who: Reader,
) -> tuple[Reach, ...]:
    found: dict[str, Reach] = {}
    for how, named, kin in near:
        ids = [each for each in advisories_naming(connection, list(named), who, at) if each not in found]
        for advisory in newest_advisories(connection, ids):
            public = advisory.is_public(day_of(at))
            if not public and not may_read_early(connection, advisory.id, who, at):
                continue
            for listed in advisory.digests:
                if listed.digest not in named:
                    continue
                standing = advisory.status_of(listed.digest)
                if how is How.LISTED:
                    status, because = standing.shown, standing.because
                elif standing.status in REACHING:
                    status, because = Status.UNDER_INVESTIGATION.value, how.value
                else:
                    continue
                found[advisory.id] = Reach(advisory, public, how, status, because, listed.digest, listed.label, kin)
                break
    return tuple(found.values())


def _near(connection: Connection, digest: str, at: datetime) -> list[tuple[How, frozenset[str], Kin | None]]:
    """Return what is near a digest, the nearest first: the digests that an advisory may list."""
    near: list[tuple[How, frozenset[str], Kin | None]] = [(How.LISTED, frozenset({digest}), None)]
    if files := files_of_roots(connection, {digest}) - {digest}:
        near.append((How.FILE, files, None))
    by_file = select(weights.c.envelope).where(weights.c.digest == digest)
    roots = select(publications.c.root).where(publications.c.envelope.in_(by_file), publications.c.root.is_not(None))
    if wholes := frozenset(connection.execute(roots.distinct().limit(_BATCH)).scalars()) - {digest}:
        near.append((How.WHOLE, wholes, None))
    for each in kin_of(connection, digest, at):
        if not each.is_kin or each.direction is Direction.DERIVATIVE:
            continue
        how = How.PARENT if each.direction is Direction.PARENT else How.KIN
        near.append((how, frozenset({each.digest}) | files_of_roots(connection, {each.digest}), each))
    return sorted(near, key=lambda one: list(How).index(one[0]))
