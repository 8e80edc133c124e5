"""What the registry holds of models that may be kin: read in a few questions through indexes. Only by known signers, and not revoked, unless asked otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, union

from weighbridge.registry.lineage.keeping import short_key
from weighbridge.registry.lineage.marks import Mark, unpack_mark
from weighbridge.registry.lineage.traits import Traits, unpack_traits
from weighbridge.registry.tables import label_key, publications, revocations, weights
from weighbridge.registry.tables.lineage import declared, marks, traits

MOST = 100  # models that one question gives, the first by digest
MOST_PUBLICATIONS = 10_000  # of all models that are asked about at once
MOST_MARKS = 8  # different ones of one model: evaluators may disagree
MOST_FILES = 500
_BATCH = 500
_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True)
class Model:
    """One model, as it is published: `root` and `published_at` are "" and None for one that is not.

    `files`: digests of its weight files. `names`: what it says that it was made from.
    """

    root: str
    label: str
    published_at: datetime | None
    marks: tuple[Mark, ...]
    traits: Traits | None = None
    files: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()

    def is_called(self, name: str) -> bool:
        """Whether a declared name may mean this model: by its label, or by a digest."""
        if found := _HEX.fullmatch(name.strip().lower()):
            return "sha256:" + found[1] in {self.root, *self.files}
        return label_key(self.label) in (label_key(name), short_key(name))


def models_of(connection: Connection, roots: Sequence[str], at: datetime, *, known: bool = True) -> dict[str, Model]:
    """Return what was published of each root digest until `at` and not revoked by then; by known signers, or by others."""
    table = publications.c
    revoked = select(revocations.c.envelope).where(revocations.c.at <= at)
    asked = (
        select(table.envelope, table.root, table.label, table.published_at, marks.c.mark, marks.c.reason)
        .join(marks, marks.c.envelope == table.envelope, isouter=True)
        .where(
            table.root.in_(roots),
            table.signer_known.is_(known),
            table.published_at <= at,
            table.envelope.not_in(revoked),
        )
        .order_by(table.published_at, table.envelope)
        .limit(MOST_PUBLICATIONS)
    )
    rows: dict[str, list[tuple[str, str, datetime, bytes | None, str | None]]] = {}
    owner = {}
    for envelope, root, label, published, mark, reason in connection.execute(asked):
        rows.setdefault(root, []).append((envelope, label, published, mark, reason))
        owner[envelope] = root
    files: dict[str, set[str]] = {}
    names: dict[str, dict[str, None]] = {}
    packed: dict[str, bytes] = {}
    for start in range(0, len(owner), _BATCH):
        batch = list(owner)[start : start + _BATCH]
        held = select(weights.c.envelope, weights.c.digest).where(weights.c.envelope.in_(batch))
        for envelope, digest in connection.execute(held):
            files.setdefault(owner[envelope], set()).add(digest)
        said = select(declared.c.envelope, declared.c.name).where(declared.c.envelope.in_(batch))
        for envelope, name in connection.execute(said.order_by(declared.c.name)):
            names.setdefault(owner[envelope], {})[name] = None
        for row in connection.execute(_one_traits(batch)):
            packed.setdefault(owner[row.envelope], row.data)
    return {
        root: Model(
            root=root,
            label=each[-1][1],
            published_at=each[0][2],
            marks=_distinct(unpack_mark(row[3], row[4]) for row in each),
            traits=unpack_traits(packed[root]) if root in packed else None,
            files=frozenset(files.get(root, ())),
            names=tuple(names.get(root, ())),
        )
        for root, each in rows.items()
    }


def root_of_digest(connection: Connection, digest: str) -> str | None:
    """Return the root digest of what a digest, its own or one weight file's, is published as: of several the first, None where there is none."""
    table = publications.c
    if connection.execute(select(table.root).where(table.root == digest).limit(1)).first():
        return digest
    by_file = select(weights.c.envelope).where(weights.c.digest == digest)
    asked = select(table.root).where(table.envelope.in_(by_file), table.root.is_not(None))
    found: str | None = connection.execute(asked.order_by(table.published_at, table.root).limit(1)).scalar()
    return found


def sharing_files(connection: Connection, files: Iterable[str]) -> list[str]:
    """Return the roots of what has one of these weight files, or is one."""
    digests = sorted(files)[:MOST_FILES]
    by_file = select(weights.c.envelope).where(weights.c.digest.in_(digests))
    table = publications.c
    which = or_(table.envelope.in_(by_file), table.root.in_(digests))
    return _roots(connection, select(table.root).where(which, table.signer_known.is_(True)))


def called(connection: Connection, name: str) -> list[str]:
    """Return the roots of what is published under a declared name: by its label, or by a digest."""
    if found := _HEX.fullmatch(name.strip().lower()):
        return sharing_files(connection, ["sha256:" + found[1]])
    table = publications.c
    which = table.label_key.in_(sorted({label_key(name), short_key(name)}))
    return _roots(connection, select(table.root).where(which, table.root.is_not(None), table.signer_known.is_(True)))


def declaring(connection: Connection, label: str) -> list[str]:
    """Return the roots of what says that it was made from a model of this label."""
    key = label_key(label)
    by_name = select(declared.c.envelope).where(declared.c.name_key == key)
    by_short = select(declared.c.envelope).where(declared.c.short_key == key)
    table = publications.c
    return _roots(
        connection, select(table.root).where(table.envelope.in_(union(by_name, by_short)), table.signer_known.is_(True))
    )


def _one_traits(envelopes: Sequence[str]) -> Select[Any]:
    """Ask for the traits of each model among `envelopes`, once each: weighings of one model say the same of its tensors."""
    first = (
        select(publications.c.root, traits.c.envelope)
        .join(publications, publications.c.envelope == traits.c.envelope)
        .where(traits.c.envelope.in_(envelopes))
        .subquery()
    )
    one = select(func.min(first.c.envelope)).group_by(first.c.root)
    return select(traits.c.envelope, traits.c.data).where(traits.c.envelope.in_(one))


def _roots(connection: Connection, asked: Select[Any]) -> list[str]:
    return [
        root
        for root in connection.execute(asked.distinct().order_by(publications.c.root).limit(MOST)).scalars()
        if root
    ]


def _distinct(found: Iterable[Mark]) -> tuple[Mark, ...]:
    kept: list[Mark] = []
    for mark in found:
        if mark not in kept and len(kept) < MOST_MARKS:
            kept.append(mark)
    return tuple(kept)
