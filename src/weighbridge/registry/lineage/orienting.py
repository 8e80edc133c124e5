"""Who was made from whom, among models that are kin. Pure.

Likeness has no direction. What has: a declaration; a file held with more beside it; tensors that lie between two others'; coarser storage and zeros, which do not come
back; and, as a hint only, what was published first. Each model has the parents that the first of these gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint
from weighbridge.registry.lineage.naming import SPARSER, is_coarse, merged_from, zeros_in
from weighbridge.registry.lineage.traits import Traits

MOST_BETWEEN = 16  # models that one may be looked for between
MOST_NEAREST = 60  # models of which each may be the nearest to another


class Direction(StrEnum):
    """What the other model is to the one that was asked about."""

    PARENT = "parent"
    DERIVATIVE = "derivative"
    NOT_KNOWN = "kin, direction not known"


class Because(StrEnum):
    """What a direction rests on, the surest first."""

    FILES = "one holds the other's file and more"
    DECLARED = "it says so"
    BETWEEN = "a merge: its tensors lie between two models here"
    STORED = "one is stored more coarsely, or has been pruned"
    DATES = "the parent was published here first: a hint, no proof"
    NOTHING = "nothing tells"


@dataclass(frozen=True, slots=True)
class Edge:
    """From a parent to what was made from it, both root digests."""

    parent: str
    child: str
    because: Because


@dataclass(frozen=True, slots=True)
class Node:
    """One model among its kin. `made_from`: roots of those among them that it declares. `traits` None: its tensors were not measured."""

    root: str
    published_at: datetime | None
    mark: Fingerprint | None
    files: frozenset[str] = frozenset()
    made_from: frozenset[str] = frozenset()
    traits: Traits | None = None


def edges_among(nodes: Sequence[Node]) -> tuple[Edge, ...]:
    """Return who was made from whom, without any circle. `nodes`: all kin, the one that was asked about first, then the nearest first."""
    edges: list[Edge] = []
    ways = (
        lambda child: [(one.root, Because.FILES) for one in nodes if one.files and one.files < child.files],
        lambda child: [(root, Because.DECLARED) for root in sorted(child.made_from)],
        lambda child: [(root, Because.BETWEEN) for root in _between(child, nodes)],
        lambda child: _nearest_before(child, nodes[: MOST_NEAREST + 1]),
    )
    has_parent: set[str] = set()
    for way in ways:
        for child in nodes:
            if child.root in has_parent:
                continue
            for parent, because in way(child):
                if parent != child.root and not _descends(parent, child.root, edges):
                    edges.append(Edge(parent, child.root, because))
                    has_parent.add(child.root)
    return tuple(edges)


def descent(one: str, other: str, edges: Sequence[Edge]) -> Because | None:
    """Return what shows that `one` descends from `other`, the weakest of all steps between; None where nothing does."""
    seen, ways = {one}, [(one, Because.FILES)]
    while ways:
        at, weakest = ways.pop()
        for edge in edges:
            if edge.child == at:
                because = max(weakest, edge.because, key=_ORDER.index)
                if edge.parent == other:
                    return because
                if edge.parent not in seen:
                    seen.add(edge.parent)
                    ways.append((edge.parent, because))
    return None


_ORDER = tuple(Because)


def _descends(one: str, other: str, edges: Sequence[Edge]) -> bool:
    return descent(one, other, edges) is not None


def _between(child: Node, nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return the two that a model is a merge of."""
    near = {node.root: node.traits for node in nodes[: MOST_BETWEEN + 1] if node.traits is not None}
    if child.traits is None or child.root not in near:
        return ()
    return merged_from(child.traits, {root: each for root, each in near.items() if root != child.root}) or ()


def _is_before(one: Node, other: Node) -> bool:
    return one.published_at is not None and other.published_at is not None and one.published_at < other.published_at


def _nearest_before(child: Node, nodes: Sequence[Node]) -> list[tuple[str, Because]]:
    """Return the nearest of all that may be the parent by how they are stored, or by dates where that says nothing."""
    found = []
    for node in nodes:
        if node.root == child.root or node.mark is None or child.mark is None:
            continue
        stored = _may_be_made_from(child, node)
        if stored or (stored is None and _is_before(node, child)):
            because = Because.STORED if stored else Because.DATES
            found.append((_distance(child.mark, node.mark), _sortable(node.published_at), node.root, because))
    if not found:
        return []
    nearest = min(found)
    return [(nearest[2], nearest[3])]


def _may_be_made_from(child: Node, parent: Node) -> bool | None:
    """Return what storage says: True or False where it tells, None where it does not."""
    if child.traits is None or parent.traits is None:
        return None
    coarse = is_coarse(child.traits)
    if coarse != is_coarse(parent.traits):
        return coarse
    zeros, theirs = zeros_in(child.traits), zeros_in(parent.traits)
    if coarse or zeros is None or theirs is None or abs(zeros - theirs) < SPARSER:
        return None
    return zeros > theirs


def _distance(one: Fingerprint, other: Fingerprint) -> float:
    """Return the share of bits that differ over shared places, 1 where none is shared."""
    shared = [(word, other.bits[place]) for place, word in one.bits.items() if place in other.bits]
    return sum((a ^ b).bit_count() for a, b in shared) / (64 * len(shared)) if shared else 1.0


def _sortable(at: datetime | None) -> str:
    return "~" if at is None else at.isoformat()
