"""The kin of a model among all that is published: likely parents and derivatives, and what became of what its card says.

    kin_of(store or connection, digest, at) -> tuple[Kin, ...]        lineage_of(...) -> Lineage, all that a page says

Told by the fingerprint, by weight files in common, and by declarations, which are held against both. A model without a fingerprint is "not measured", never
unrelated. Only publications by signers that the registry knows, and that nobody revoked, make kin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, or_, select, union

from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint
from weighbridge.registry.lineage.declared import Checked, Standing, check_declared
from weighbridge.registry.lineage.keeping import short_key, unpack_mark
from weighbridge.registry.lineage.kept import kept
from weighbridge.registry.lineage.marks import Mark, NotMeasured
from weighbridge.registry.lineage.naming import Name, merged_from, name_relation
from weighbridge.registry.lineage.relation import Related, probability, relate
from weighbridge.registry.lineage.traits import Traits, unpack_traits
from weighbridge.registry.store import Store
from weighbridge.registry.tables import label_key, publications, revocations, weights
from weighbridge.registry.tables.lineage import declared, marks, traits

MOST_NEAR = 50  # candidates by fingerprint that are compared whole
MOST_OTHERS = 200  # by files in common, and by declarations
MOST_BETWEEN = 16  # kin that a model may be looked for between
_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class Direction(StrEnum):
    """What the other model is to the one that was asked about."""

    PARENT = "parent"
    DERIVATIVE = "derivative"
    NOT_KNOWN = "kin, direction not known"


class Because(StrEnum):
    """What a direction rests on."""

    DECLARED = "declared"
    FILES = "one holds the other's file and more"
    STORED = "one is stored more coarsely, or has been pruned"
    DATES = "the parent was published here first, and nothing nearer was"  # a hint, no proof
    NOTHING = "nothing tells"


@dataclass(frozen=True, slots=True)
class Kin:
    """One model beside the one that was asked about.

    `relation`: what was done, as far as seen. `probability` of kinship in [0, 1], in a search among all models here; `differing`: share of the bits
    that differ. `is_kin`: shown, by the fingerprint or by a file in common. `declared`: what became of a declaration between the two. `same_file`: a weight
    file is in both, byte for byte. `merged_with`: root digests of the other parents of a merge.
    """

    digest: str
    label: str
    published_at: datetime
    relation: Name
    probability: float | NotMeasured
    differing: float | NotMeasured
    is_kin: bool
    direction: Direction
    because: Because
    declared: Standing
    declared_reason: str
    same_file: bool
    merged_with: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """A name that a model says it was made from; `digest`: the publication here that it was held against, None when there is none."""

    name: str
    standing: Standing
    reason: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Edge:
    """From a parent to what was made from it, both root digests."""

    parent: str
    child: str
    because: Because


@dataclass(frozen=True, slots=True)
class Lineage:
    """All that is known of one model's kin. `measured`: how many models its fingerprint was compared with; or why it was not.

    `left_out`: models there was no room for. `signer_known` False: the fingerprint is as a signer who is not known here gave it.
    """

    digest: str
    label: str
    at: datetime
    measured: int | NotMeasured
    left_out: int
    signer_known: bool
    kin: tuple[Kin, ...]
    declared: tuple[Declared, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Asked:
    """A model to find the kin of. `root` None: it is not published here. `files`: digests of its weight files."""

    label: str
    marks: tuple[Mark, ...]
    traits: Traits | None = None
    root: str | None = None
    files: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    published_at: datetime | None = None
    signer_known: bool = True


@dataclass(frozen=True)
class _Model:
    root: str
    label: str
    labels: frozenset[str]
    published_at: datetime
    marks: tuple[Mark, ...]
    envelopes: tuple[str, ...]
    files: frozenset[str]


@dataclass(frozen=True)
class _Pair:
    """A candidate beside what was asked about. `ours` says that it was made from `model`, `theirs` the other way round."""

    model: _Model
    found: Related | NotMeasured
    name: Name
    derivative: str | None
    same_file: bool
    ours: Checked | None
    theirs: Checked | None

    @property
    def is_kin(self) -> bool:
        return self.same_file or (isinstance(self.found, Related) and self.found.match)


def kin_of(where: Store | Connection, digest: str, at: datetime) -> tuple[Kin, ...]:
    """Return the kin of the model `digest` (its root digest, or one weight file's), the most probable first; none where none was found.

    Those with `is_kin` False are only declared: not shown, or contradicted. For what should reach derivatives take `is_kin` and any `direction` but
    `PARENT`: where the direction is not known it may be one.
    """
    return lineage_of(where, digest, at).kin


def lineage_of(where: Store | Connection, digest: str, at: datetime) -> Lineage:
    """Return all that is known of the kin of a model at a time. `digest`: its root digest, or one weight file's."""
    if isinstance(where, Store):
        with where.reading() as connection:
            return lineage_of(connection, digest, at)
    asked = _asked(where, digest, at)
    if asked is None:
        reason = NotMeasured("nothing about these weights is published here")
        return Lineage(digest, "", at, reason, 0, True, (), (), ())
    return search(where, asked, at)


def search(connection: Connection, asked: Asked, at: datetime) -> Lineage:
    """Return what is known of the kin of a model, published or not."""
    ours = [mark for mark in asked.marks if isinstance(mark, Fingerprint)]
    lacking = next(
        (mark for mark in asked.marks if isinstance(mark, NotMeasured)), NotMeasured("it has no fingerprint")
    )
    near: dict[str, None] = {}
    measured: int | NotMeasured = lacking
    left_out = 0
    for mark in ours:
        searched = kept(connection).search(connection, mark, MOST_NEAR)
        near |= dict.fromkeys("sha256:" + one.name for one in searched.near)
        measured, left_out = max(0, searched.compared - (asked.root is not None)), searched.left_out
    sharing = _sharing(connection, asked)
    parents = {name: _named(connection, name) for name in asked.names}
    own = {asked.label} if asked.root is not None else set()
    children = _declaring(connection, own)
    roots = dict.fromkeys([*near, *sharing, *(root for each in parents.values() for root in each), *children])
    roots.pop(asked.root or "", None)
    models = _models(connection, list(roots), at)
    prior = 1 / max(2, measured if isinstance(measured, int) else 2)
    pairs = []
    for model in models.values():
        says = any(model.root in each for each in parents.values())
        pairs.append(_pair(connection, asked, model, says_ours=says, says_theirs=model.root in children))
    pairs = [pair for pair in pairs if pair.is_kin or pair.ours is not None or pair.theirs is not None]
    pairs.sort(key=_rank)
    edges = _edges(asked, pairs)
    between = _between(asked, ours, pairs)
    kin = tuple(_kin(asked, pair, edges, between, prior) for pair in pairs)
    told = tuple(
        _declared(name, [pair for pair in pairs if pair.model.root in found]) for name, found in parents.items()
    )
    digest = asked.root or ""
    return Lineage(digest, asked.label, at, measured, left_out, asked.signer_known, kin, told, edges)


def _asked(connection: Connection, digest: str, at: datetime) -> Asked | None:
    """Return what is published about a digest: by known signers, else by others."""
    table = publications.c
    by_file = select(weights.c.envelope).where(weights.c.digest == digest)
    roots = select(table.root).where(or_(table.root == digest, table.envelope.in_(by_file)), table.root.is_not(None))
    found = list(dict.fromkeys(connection.execute(roots.order_by(table.published_at)).scalars()))
    if not found:
        return None
    root = digest if digest in found else found[0]
    for known in (True, False):
        model = _models(connection, [root], at, known=known).get(root)
        if model is not None:
            break
    else:
        return None
    names = select(declared.c.name).where(declared.c.envelope.in_(model.envelopes)).order_by(declared.c.name)
    return Asked(
        label=model.label,
        marks=model.marks,
        traits=_traits(connection, model),
        root=root,
        files=model.files,
        names=tuple(dict.fromkeys(connection.execute(names).scalars())),
        published_at=model.published_at,
        signer_known=known,
    )


def _models(connection: Connection, roots: Sequence[str], at: datetime, *, known: bool = True) -> dict[str, _Model]:
    """Return what was published of `roots` until `at`, and not revoked by then."""
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
        .limit(10_000)
    )
    rows: dict[str, list[tuple[str, str, datetime, bytes | None, str | None]]] = {}
    for envelope, root, label, published, mark, reason in connection.execute(asked):
        rows.setdefault(root, []).append((envelope, label, published, mark, reason))
    envelopes = [row[0] for each in rows.values() for row in each]
    owner = {row[0]: root for root, each in rows.items() for row in each}
    files: dict[str, set[str]] = {}
    for start in range(0, len(envelopes), 500):
        batch = envelopes[start : start + 500]
        held = select(weights.c.envelope, weights.c.digest).where(weights.c.envelope.in_(batch)).limit(100_000)
        for envelope, digest in connection.execute(held):
            files.setdefault(owner[envelope], set()).add(digest)
    return {
        root: _Model(
            root=root,
            label=each[-1][1],
            labels=frozenset(row[1] for row in each),
            published_at=each[0][2],
            marks=_distinct(unpack_mark(row[3], row[4]) for row in each),
            envelopes=tuple(row[0] for row in each),
            files=frozenset(files.get(root, ())),
        )
        for root, each in rows.items()
    }


def _distinct(found: Iterable[Mark]) -> tuple[Mark, ...]:
    kept_: list[Mark] = []
    for mark in found:
        if mark not in kept_ and len(kept_) < 8:
            kept_.append(mark)
    return tuple(kept_)


def _traits(connection: Connection, model: _Model) -> Traits | None:
    asked = (
        select(traits.c.data).where(traits.c.envelope.in_(model.envelopes[:100])).order_by(traits.c.envelope).limit(1)
    )
    data = connection.execute(asked).scalar()
    return None if data is None else unpack_traits(data)


def _sharing(connection: Connection, asked: Asked) -> list[str]:
    """Return the roots of what has a weight file in common with what was asked about, or is one."""
    digests = sorted({*asked.files, *([asked.root] if asked.root else [])})[:500]
    by_file = select(weights.c.envelope).where(weights.c.digest.in_(digests))
    table = publications.c
    found = select(table.root).where(or_(table.envelope.in_(by_file), table.root.in_(digests)))
    return list(connection.execute(found.distinct().limit(MOST_OTHERS)).scalars())


def _named(connection: Connection, name: str) -> list[str]:
    """Return the roots of what is published under a declared name: by its label, or by a digest."""
    table = publications.c
    if found := _HEX.fullmatch(name.strip().lower()):
        digest = "sha256:" + found[1]
        by_file = select(weights.c.envelope).where(weights.c.digest == digest)
        which = or_(table.root == digest, table.envelope.in_(by_file))
    else:
        which = table.label_key.in_(sorted({label_key(name), short_key(name)}))
    asked = select(table.root).where(which, table.root.is_not(None), table.signer_known.is_(True))
    return list(connection.execute(asked.distinct().limit(MOST_OTHERS)).scalars())


def _declaring(connection: Connection, labels: Iterable[str]) -> set[str]:
    """Return the roots of what says that it was made from a model of one of these labels."""
    keys = sorted({label_key(label) for label in labels})
    by_name = select(declared.c.envelope).where(declared.c.name_key.in_(keys))
    by_short = select(declared.c.envelope).where(declared.c.short_key.in_(keys))
    table = publications.c
    asked = select(table.root).where(table.envelope.in_(union(by_name, by_short)), table.signer_known.is_(True))
    return set(connection.execute(asked.distinct().limit(MOST_OTHERS)).scalars())


def _pair(connection: Connection, asked: Asked, model: _Model, *, says_ours: bool, says_theirs: bool) -> _Pair:
    found, mine, there = _nearest(asked.marks, model.marks)
    same_file = bool(asked.files & model.files)
    name, derivative = Name.NONE, None
    if isinstance(found, Related) and found.match:
        named = name_relation(found, asked.traits, _traits(connection, model))
        name, derivative = named.name, named.derivative
    if same_file:
        if asked.files > model.files:
            name, derivative = Name.ADAPTER if len(asked.files) - len(model.files) == 1 else Name.SAME_FILE, "one"
        elif model.files > asked.files:
            name, derivative = Name.ADAPTER if len(model.files) - len(asked.files) == 1 else Name.SAME_FILE, "other"
        else:
            name, derivative = Name.SAME_FILE, None
    shared = Checked(Standing.CONFIRMED, "a weight file is in both, byte for byte", found) if same_file else None
    ours = (shared or check_declared(mine, there)) if says_ours else None
    theirs = (shared or check_declared(there, mine)) if says_theirs else None
    return _Pair(model, found, name, derivative, same_file, ours, theirs)


def _nearest(ours: Sequence[Mark], theirs: Sequence[Mark]) -> tuple[Related | NotMeasured, Mark, Mark]:
    """Return how two models are related by those of their marks that are nearest, and these. Evaluators may differ."""
    best: tuple[Related | NotMeasured, Mark, Mark] | None = None
    for mine in ours:
        for there in theirs:
            found = relate(mine, there)
            if best is None or _strength(found) > _strength(best[0]):
                best = found, mine, there
    if best is None:
        lacking = NotMeasured("the model has no fingerprint")
        return lacking, lacking, lacking
    return best


def _strength(found: Related | NotMeasured) -> tuple[bool, float]:
    return (found.match, found.z) if isinstance(found, Related) else (False, -1e9)


def _rank(pair: _Pair) -> tuple[bool, float, str]:
    return not pair.is_kin, pair.found.differing if isinstance(pair.found, Related) else 1.0, pair.model.root


def _edges(asked: Asked, pairs: Sequence[_Pair]) -> tuple[Edge, ...]:
    """Return who was made from whom, one edge each: by declaration, files, how it is stored, or dates."""
    me = asked.root or ""
    edges = []
    for pair in (pair for pair in pairs if pair.is_kin):
        root = pair.model.root
        if pair.ours is not None and pair.theirs is None:
            edges.append(Edge(root, me, Because.DECLARED))
        elif pair.theirs is not None and pair.ours is None:
            edges.append(Edge(me, root, Because.DECLARED))
        elif pair.derivative is not None:
            because = Because.FILES if pair.same_file else Because.STORED
            edges.append(Edge(root, me, because) if pair.derivative == "one" else Edge(me, root, because))
    return (*edges, *_by_dates(asked, pairs, edges))


def _by_dates(asked: Asked, pairs: Sequence[_Pair], edges: Sequence[Edge]) -> list[Edge]:
    """Return an edge to each model that has none from what is nearest to it of all that was published before it."""
    if asked.published_at is None:
        return []
    me = asked.root or ""
    dated = {pair.model.root: (pair.model.published_at, _first(pair.model.marks)) for pair in pairs if pair.is_kin}
    dated[me] = (asked.published_at, _first(asked.marks))
    oriented = {edge.child for edge in edges} | {edge.parent for edge in edges if edge.child == me}
    found = []
    for child, (day, mark) in dated.items():
        if child in oriented or mark is None:
            continue
        earlier = {
            root: _distance(mark, other)
            for root, (before, other) in dated.items()
            if root != child and before < day and other is not None
        }
        if earlier:
            nearest = min(earlier, key=lambda root: (earlier[root], dated[root][0], root))
            found.append(Edge(nearest, child, Because.DATES))
    return found


def _first(found: Sequence[Mark]) -> Fingerprint | None:
    return next((mark for mark in found if isinstance(mark, Fingerprint)), None)


def _distance(one: Fingerprint, other: Fingerprint) -> float:
    shared = [(word, other.bits[place]) for place, word in one.bits.items() if place in other.bits]
    return sum((a ^ b).bit_count() for a, b in shared) / (64 * len(shared)) if shared else 1.0


def _between(asked: Asked, ours: Sequence[Fingerprint], pairs: Sequence[_Pair]) -> dict[str, tuple[str, str]]:
    """Return, by root digest, the two models that each of what was asked about and its kin lies between, if any."""
    known = {pair.model.root: mark for pair in pairs if pair.is_kin and (mark := _first(pair.model.marks)) is not None}
    known = dict(list(known.items())[:MOST_BETWEEN])
    if not ours:
        return {}
    me = asked.root or ""
    whole = {me: ours[0], **known}
    found = {}
    for child, mark in whole.items():
        others = {root: other for root, other in whole.items() if root != child}
        if (parents := merged_from(mark, others)) is not None and (child == me or me in parents):
            found[child] = parents
    return found


def _kin(asked: Asked, pair: _Pair, edges: Sequence[Edge], between: dict[str, tuple[str, str]], prior: float) -> Kin:
    me, root = asked.root or "", pair.model.root
    direction, because = _direction(me, root, edges)
    name, with_ = pair.name, tuple[str, ...]()
    if name in (Name.NOT_KNOWN, Name.FINE_TUNED, Name.SAME_VALUES):
        for child, parents in between.items():
            if {child, *parents} >= {me, root} and child in (me, root):
                name, with_ = Name.MERGED, tuple(one for one in parents if one not in (me, root))
                direction = Direction.PARENT if child == me else Direction.DERIVATIVE
    said = pair.ours or pair.theirs
    is_measured = isinstance(pair.found, Related)
    declared_pair = said is not None
    return Kin(
        digest=root,
        label=pair.model.label,
        published_at=pair.model.published_at,
        relation=name,
        probability=probability(pair.found.z, 0.5 if declared_pair else prior)
        if isinstance(pair.found, Related)
        else pair.found,
        differing=pair.found.differing if isinstance(pair.found, Related) else pair.found,
        is_kin=pair.is_kin,
        direction=direction if pair.is_kin or not is_measured else Direction.NOT_KNOWN,
        because=because,
        declared=said.standing if said is not None else Standing.NOT_DECLARED,
        declared_reason=said.reason if said is not None else "neither says so",
        same_file=pair.same_file,
        merged_with=with_,
    )


def _direction(me: str, root: str, edges: Sequence[Edge]) -> tuple[Direction, Because]:
    """Return what `root` is to `me`: an ancestor, a descendant, or neither as far as is known."""
    parents: dict[str, list[Edge]] = {}
    for edge in edges:
        parents.setdefault(edge.child, []).append(edge)
    for start, goal, direction in ((me, root, Direction.PARENT), (root, me, Direction.DERIVATIVE)):
        seen, ways = {start}, [(start, Because.NOTHING)]
        while ways:
            at, weakest = ways.pop()
            for edge in parents.get(at, ()):
                because = max(weakest, edge.because, key=_WEAKNESS.index)
                if edge.parent == goal:
                    return direction, because
                if edge.parent not in seen:
                    seen.add(edge.parent)
                    ways.append((edge.parent, because))
    return Direction.NOT_KNOWN, Because.NOTHING


_WEAKNESS = (Because.NOTHING, Because.FILES, Because.DECLARED, Because.STORED, Because.DATES)


def _declared(name: str, pairs: Sequence[_Pair]) -> Declared:
    """Return what became of one name: of several models under it, the one that bears it out counts."""
    order = (Standing.CONFIRMED, Standing.NOT_SHOWN, Standing.NOT_MEASURED, Standing.CONTRADICTED)
    checked = [(pair.ours, pair.model.root) for pair in pairs if pair.ours is not None]
    if not checked:
        return Declared(name, Standing.NOT_MEASURED, "no model of this name is published here by a known signer", None)
    best, root = min(checked, key=lambda one: (order.index(one[0].standing), one[1]))
    return Declared(name, best.standing, best.reason, root)
