"""The kin of a model among all that is published: likely parents and derivatives, and what became of what its card says.

    kin_of(store or connection, digest, at) -> tuple[Kin, ...]        lineage_of(...) -> Lineage, all that a page says

Told by the fingerprint, by weight files in common, and by declarations, which are held against both. A model without a fingerprint is "not measured", never
unrelated. Only publications by signers that the registry knows, and that nobody revoked, make kin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint
from weighbridge.registry.lineage.declared import Checked, Standing, check_declared
from weighbridge.registry.lineage.keeping import packed_words
from weighbridge.registry.lineage.kept import kept
from weighbridge.registry.lineage.marks import Mark, NotMeasured
from weighbridge.registry.lineage.naming import Name, name_relation
from weighbridge.registry.lineage.orienting import Because, Direction, Edge, Node, descent, edges_among
from weighbridge.registry.lineage.published import (
    MOST,
    Model,
    called,
    declaring,
    models_of,
    root_of_digest,
    sharing_files,
)
from weighbridge.registry.lineage.relation import Related, probability, relate
from weighbridge.registry.store import Store

__all__ = [
    "Because",
    "Declared",
    "Direction",
    "Edge",
    "Kin",
    "Lineage",
    "Name",
    "NotMeasured",
    "Standing",
    "kin_of",
    "lineage_of",
    "search",
    "warm",
]

MOST_NEAR = 200  # candidates by fingerprint that are compared whole
MOST_COMPARED = 400  # and by files and declarations
# No more is said than was measured: of so many pairs at either end, all, and none, were kin (docs/methods/lineage.md).
LEAST_SAID, MOST_SAID = 0.01, 0.99
EVEN = 0.5  # the probability before looking that two models are kin of which one declares the other


@dataclass(frozen=True, slots=True)
class Kin:
    """One model beside the one that was asked about.

    `relation`: what was done, as far as seen. `probability` of kinship in [0.01, 0.99] (beyond, nothing was measured), in a search among all models here; `differing`: share of the bits
    that differ, in [0, 1]. `is_kin`: shown, by the fingerprint or by a file in common. `because`: what the direction rests on. `declared`: what became of a
    declaration between the two. `same_file`: a weight file is in both, byte for byte.
    """

    digest: str
    label: str
    published_at: datetime | None
    relation: Name
    probability: float | NotMeasured
    differing: float | NotMeasured
    is_kin: bool
    direction: Direction
    because: Because
    declared: Standing
    declared_reason: str
    same_file: bool


@dataclass(frozen=True, slots=True)
class Declared:
    """A name that a model says it was made from; `digest`: the publication here that it was held against, None when there is none."""

    name: str
    standing: Standing
    reason: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """All that is known of one model's kin. `measured`: how many models its fingerprint was compared with; or why it was not.

    `digest` None: the model is not published here. `left_out`: models there was no room for. `is_cut`: there may be more kin than are given. `signer_known` False: the fingerprint is as a signer who is
    not known here gave it.
    """

    digest: str | None
    label: str
    at: datetime
    measured: int | NotMeasured
    left_out: int
    is_cut: bool
    signer_known: bool
    kin: tuple[Kin, ...]
    declared: tuple[Declared, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class _Pair:
    """A candidate beside what was asked about. `ours`: what became of our saying that we were made from it; `theirs`: the other way round."""

    model: Model
    found: Related | NotMeasured
    name: Name
    same_file: bool
    ours: Checked | None
    theirs: Checked | None

    @property
    def is_kin(self) -> bool:
        return self.same_file or (isinstance(self.found, Related) and self.found.match)


def kin_of(where: Store | Connection, digest: str, at: datetime) -> tuple[Kin, ...]:
    """Return the kin of the model `digest` (its root digest, or one weight file's), the nearest first; none where none was found.

    Those with `is_kin` False are only declared: not shown, or contradicted. For what should reach derivatives take `is_kin` and any `direction` but
    `PARENT`: where the direction is not known it may be one, and where it rests on `Because.DATES` it is a hint.
    """
    return lineage_of(where, digest, at).kin


def lineage_of(where: Store | Connection, digest: str, at: datetime) -> Lineage:
    """Return all that is known of the kin of a model at a time. `digest`: its root digest, or one weight file's."""
    if isinstance(where, Store):
        with where.reading() as connection:
            return lineage_of(connection, digest, at)
    root = root_of_digest(where, digest)
    for known in (True, False):
        if root is not None and (model := models_of(where, [root], at, known=known).get(root)) is not None:
            return search(where, model, at, signer_known=known)
    reason = NotMeasured("nothing about these weights is published here")
    return Lineage(None, "", at, reason, 0, False, True, (), (), ())


def warm(store: Store) -> None:
    """Make the index now, so that nobody's first search waits for it: for the start of a service, in a thread of its own."""
    with store.reading() as connection:
        kept(connection).refresh(connection)


def search(connection: Connection, asked: Model, at: datetime, *, signer_known: bool = True) -> Lineage:
    """Return what is known of the kin of a model, published or not."""
    near, measured, left_out = _near(connection, asked, is_in=bool(asked.root) and signer_known)
    parents = {name: called(connection, name) for name in asked.names}
    children = declaring(connection, asked.label) if asked.root else []
    sharing = sharing_files(connection, {*asked.files, *filter(None, [asked.root])})
    roots = dict.fromkeys([*near, *sharing, *(root for each in parents.values() for root in each), *children])
    roots.pop(asked.root, None)
    pairs = []
    is_cut = len(near) >= MOST_NEAR or len(sharing) >= MOST or len(children) >= MOST or len(roots) > MOST_COMPARED
    for model in models_of(connection, list(roots)[:MOST_COMPARED], at).values():
        says_ours = any(model.root in each for each in parents.values())
        pair = _pair(asked, model, says_ours=says_ours, says_theirs=model.root in children)
        if pair.is_kin or pair.ours is not None or pair.theirs is not None:
            pairs.append(pair)
    pairs.sort(key=_rank)
    edges = edges_among(_nodes([asked, *(pair.model for pair in pairs if pair.is_kin)]))
    prior = 1 / max(2, measured) if isinstance(measured, int) else EVEN
    told = tuple(
        _declared(name, [pair for pair in pairs if pair.model.root in found]) for name, found in parents.items()
    )
    kin = tuple(_kin(asked, pair, edges, prior) for pair in pairs)
    return Lineage(asked.root or None, asked.label, at, measured, left_out, is_cut, signer_known, kin, told, edges)


def _near(connection: Connection, asked: Model, *, is_in: bool) -> tuple[list[str], int | NotMeasured, int]:
    """Return the roots of what is near by fingerprint, among how many others (or why none were compared), and how many there was no room for."""
    measured: int | NotMeasured = NotMeasured("the model has no fingerprint")
    left_out, near = 0, dict[str, None]()
    for mark in asked.marks:
        if isinstance(mark, NotMeasured):
            measured = measured if isinstance(measured, int) else mark
        elif packed_words(mark) is None:
            reason = "its fingerprint has too few of the places that are searched by"
            measured = measured if isinstance(measured, int) else NotMeasured(reason)
        else:
            searched = kept(connection).search(connection, mark, MOST_NEAR)
            near |= dict.fromkeys("sha256:" + one.name for one in searched.near)
            measured, left_out = max(0, searched.compared - is_in), searched.left_out
    if measured == 0:  # nobody to compare with is no search that found nobody
        measured = NotMeasured(
            "no other model here has a fingerprint to compare with"
            if not left_out
            else "there was no room for the others"
        )
    return list(near), measured, left_out


def _pair(asked: Model, model: Model, *, says_ours: bool, says_theirs: bool) -> _Pair:
    found, mine, there = _nearest(asked.marks, model.marks)
    same_file = bool(asked.files & model.files)
    name = Name.NONE if isinstance(found, Related) else Name.NOT_MEASURED
    if same_file and asked.files != model.files:
        more, fewer = sorted((asked.files, model.files), key=len, reverse=True)
        name = Name.ADAPTER if fewer < more and len(more) - len(fewer) == 1 else Name.SAME_FILE
    elif isinstance(found, Related) and found.match:
        name = name_relation(found, asked.traits, model.traits)
    elif same_file:
        name = Name.SAME_FILE
    shared = Checked(Standing.CONFIRMED, "a weight file is in both, byte for byte", found) if same_file else None
    ours = (shared or check_declared(mine, there)) if says_ours else None
    theirs = (shared or check_declared(there, mine)) if says_theirs else None
    return _Pair(model, found, name, same_file, ours, theirs)


def _nearest(ours: Sequence[Mark], theirs: Sequence[Mark]) -> tuple[Related | NotMeasured, Mark, Mark]:
    """Return how two models are related by those of their marks that are nearest, and these: evaluators may disagree."""
    lacking = NotMeasured("the model has no fingerprint")
    pairs = [(relate(mine, there), mine, there) for mine in ours for there in theirs]
    return max(pairs, key=lambda pair: _strength(pair[0]), default=(lacking, lacking, lacking))


def _strength(found: Related | NotMeasured) -> tuple[bool, bool, float]:
    return (True, found.match, found.z) if isinstance(found, Related) else (False, False, 0.0)


def _rank(pair: _Pair) -> tuple[bool, float, str]:
    return not pair.is_kin, pair.found.differing if isinstance(pair.found, Related) else 1.0, pair.model.root


def _nodes(models: Sequence[Model]) -> list[Node]:
    return [
        Node(
            root=model.root,
            published_at=model.published_at,
            mark=next((mark for mark in model.marks if isinstance(mark, Fingerprint)), None),
            files=model.files,
            made_from=frozenset(
                one.root for one in models if one is not model and any(one.is_called(name) for name in model.names)
            ),
            traits=model.traits,
        )
        for model in models
    ]


def _kin(asked: Model, pair: _Pair, edges: Sequence[Edge], prior: float) -> Kin:
    me, root = asked.root, pair.model.root
    way, because = _direction(me, root, edges)
    if not pair.is_kin and pair.ours is not None and pair.ours.standing is not Standing.CONTRADICTED:
        way, because = Direction.PARENT, Because.DECLARED
    elif not pair.is_kin and pair.theirs is not None and pair.theirs.standing is not Standing.CONTRADICTED:
        way, because = Direction.DERIVATIVE, Because.DECLARED
    said = pair.ours or pair.theirs
    is_merge = any({edge.parent, edge.child} == {me, root} and edge.because is Because.BETWEEN for edge in edges)
    chance: float | NotMeasured = pair.found if isinstance(pair.found, NotMeasured) else 0.0
    if isinstance(pair.found, Related):
        said_of_it = probability(pair.found.z, EVEN if said is not None else prior)
        chance = min(max(said_of_it, LEAST_SAID), MOST_SAID)
    return Kin(
        digest=root,
        label=pair.model.label,
        published_at=pair.model.published_at,
        relation=Name.MERGED if is_merge and pair.name in _UNTOLD else pair.name,
        probability=chance,
        differing=pair.found.differing if isinstance(pair.found, Related) else pair.found,
        is_kin=pair.is_kin,
        direction=way,
        because=because,
        declared=said.standing if said is not None else Standing.NOT_DECLARED,
        declared_reason=said.reason if said is not None else "neither says so",
        same_file=pair.same_file,
    )


_UNTOLD = (Name.NOT_KNOWN, Name.FINE_TUNED, Name.SAME_VALUES)


def _direction(me: str, root: str, edges: Sequence[Edge]) -> tuple[Direction, Because]:
    """Return what `root` is to `me`: an ancestor, a descendant, or neither as far as is known."""
    for one, other, way in ((me, root, Direction.PARENT), (root, me, Direction.DERIVATIVE)):
        if (because := descent(one, other, edges)) is not None:
            return way, because
    return Direction.NOT_KNOWN, Because.NOTHING


def _declared(name: str, pairs: Sequence[_Pair]) -> Declared:
    """Return what became of one name: of several models under it, the one that bears it out counts."""
    order = (Standing.CONFIRMED, Standing.NOT_SHOWN, Standing.NOT_MEASURED, Standing.CONTRADICTED)
    checked = [(pair.ours, pair.model.root) for pair in pairs if pair.ours is not None]
    if not checked:
        reason = "no model of this name is published here by a known signer"
        return Declared(name, Standing.NOT_MEASURED, reason, None)
    best, root = min(checked, key=lambda one: (order.index(one[0].standing), one[1]))
    return Declared(name, best.standing, best.reason, root)
