"""Who was made from whom: never in a circle, and never by likeness alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.registry_lineage.test_relation import made_up, moved
from weighbridge.registry.lineage.orienting import Because, Node, descent, edges_among

PARENT = made_up(1)
MARKS = [PARENT, *(moved(PARENT, 0.05 * seed, seed) for seed in range(1, 6))]
DAY = datetime(2026, 1, 1, tzinfo=UTC)
ROOTS = [f"r{number}" for number in range(6)]


@st.composite
def kin(draw: st.DrawFn) -> list[Node]:
    return [
        Node(
            root=root,
            published_at=draw(st.none() | st.integers(0, 4).map(lambda days: DAY + timedelta(days=days))),
            mark=draw(st.none() | st.just(MARKS[number])),
            files=draw(st.frozensets(st.sampled_from("abcd"), max_size=3)),
            made_from=draw(st.frozensets(st.sampled_from([each for each in ROOTS if each != root]), max_size=2)),
        )
        for number, root in enumerate(ROOTS)
    ]


@settings(max_examples=60, deadline=None)
@given(kin())
def test_nobody_descends_from_itself_and_every_edge_rests_on_something(nodes: list[Node]) -> None:
    """Whatever is declared, held or dated, however contradictory."""
    edges = edges_among(nodes)
    by_root = {node.root: node for node in nodes}
    for edge in edges:
        assert descent(edge.parent, edge.child, edges) is None
        parent, child = by_root[edge.parent], by_root[edge.child]
        if edge.because is Because.DECLARED:
            assert edge.parent in child.made_from
        elif edge.because is Because.FILES:
            assert parent.files and parent.files < child.files
        else:
            assert edge.because is Because.DATES
            assert parent.published_at is not None and child.published_at is not None
            assert parent.published_at < child.published_at


@settings(max_examples=25, deadline=None)
@given(kin())
def test_without_declarations_files_and_dates_no_direction_is_known(nodes: list[Node]) -> None:
    """Likeness alone orients nothing."""
    bare = [Node(root=node.root, published_at=None, mark=node.mark) for node in nodes]
    assert edges_among(bare) == ()
