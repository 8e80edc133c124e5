"""Which model stands under which: rows of a tree, each once, parents above what was made from them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from weighbridge.registry.kin import Kin, Lineage
from weighbridge.registry.lineage.orienting import Because, Edge

MOST_ROWS = 24
MOST_DEPTH = 6
SHOWN = (Because.FILES, Because.DECLARED)  # what an unbroken line stands for: somebody says so, or the bytes do


@dataclass(frozen=True)
class Row:
    """One model. `kin` None: the one that was asked about. `above`: the row of its parent, None for a row without one. `others`: labels of further parents."""

    label: str
    kin: Kin | None
    depth: int
    above: int | None
    because: Because
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tree:
    """`rows`: those whose place is known, in order. `beside`: kin of no known place. `more`: how many are in the table alone."""

    rows: tuple[Row, ...]
    beside: tuple[Kin, ...]
    more: int


def tree_of(found: Lineage) -> Tree:
    """Return the tree of a model and its kin."""
    kin = {each.digest: each for each in found.kin if each.is_kin}
    me = found.digest or ""
    parents: dict[str, list[Edge]] = {}
    children: dict[str, list[str]] = {}
    for edge in found.edges:
        parents.setdefault(edge.child, []).append(edge)
        children.setdefault(edge.parent, []).append(edge.child)
    placed = {me} | parents.keys() | children.keys()
    rows: list[Row] = []
    where: dict[str, int] = {}

    def walk(root: str, depth: int, above: int | None) -> Iterator[None]:
        if root in where or len(rows) >= MOST_ROWS:
            return
        where[root] = len(rows)
        edges = parents.get(root, [])
        label = kin[root].label if root in kin else found.label
        others = tuple(kin[edge.parent].label if edge.parent in kin else found.label for edge in edges[1:])
        because = edges[0].because if edges and above is not None else Because.NOTHING
        rows.append(Row(label, kin.get(root), min(depth, MOST_DEPTH), above, because, others))
        mine = where[root]
        for child in children.get(root, []):
            if parents[child][0].parent == root:  # under its first parent only
                yield from walk(child, depth + 1, mine)

    for root in [me, *kin]:
        top = root
        seen = {top}
        while parents.get(top) and parents[top][0].parent not in seen:
            top = parents[top][0].parent
            seen.add(top)
        if root in placed:
            list(walk(top, 0, None))
    if not rows:
        rows.append(Row(found.label, None, 0, None, Because.NOTHING))
    beside = tuple(each for digest, each in kin.items() if digest not in placed)
    room = max(0, MOST_ROWS - len(rows))
    left = len([root for root in placed if root not in where]) + max(0, len(beside) - room)
    return Tree(tuple(rows), beside[:room], left)
