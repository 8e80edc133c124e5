"""An answer in memory: whatever comes between storing and reading, nothing is lost, doubled, or added after its end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.registry.conversations import SideState, Update, storable
from weighbridge.web.workbench.asking import Live

acts = st.lists(
    st.text(max_size=6).map(lambda text: ("add", text))
    | st.sampled_from([("store", ""), ("begin store", ""), ("end store", ""), ("answering", ""), ("stop", "")]),
    max_size=30,
)


@given(acts, st.integers(0, 60))
def test_what_is_stored_and_what_is_read_is_what_came_before_the_end(acts: list[tuple[str, str]], offset: int) -> None:
    live, came, database, under_way = Live("s"), "", "", None
    states: list[SideState] = []

    def end(found: tuple[Update, int]) -> None:
        nonlocal database
        database += found[0].piece
        states.append(found[0].state)
        live.stored(*found, now_s=0.0)

    for act, text in acts:
        if act == "add":
            live.add(text)
            came += storable(text) if live.state.is_open else ""
        elif act == "answering":
            live.tell(SideState.ANSWERING, subject="sha256:x")
        elif act == "stop":
            live.tell(SideState.STOPPED, problem="stopped")
        elif act == "begin store" and under_way is None:
            under_way = live.due(0.0)
        elif act == "end store" and under_way is not None:
            end(under_way)
            under_way = None
        elif act == "store" and under_way is None and (found := live.due(0.0)) is not None:
            end(found)
        assert live.after(offset) == came[offset:]
        assert live.letters == len(came)
    if under_way is not None:
        end(under_way)
    if (found := live.due(0.0)) is not None:
        end(found)
    assert database == came
    assert live.is_over is (not live.state.is_open)
    assert states.count(SideState.STOPPED) <= 1 and SideState.STOPPED not in states[:-1]
    assert live.due(1e9) is None if live.is_over else live.due(1e9) is not None, (
        "a sign of life is due while it is open"
    )


def test_what_was_told_is_stored_once_also_when_more_is_told_meanwhile() -> None:
    live = Live("s")
    live.tell(SideState.ANSWERING, subject="sha256:x", technique="chat")
    first = live.due(0.0)
    assert first is not None and first[0].subject == "sha256:x"
    live.add("text")
    live.tell(SideState.ANSWERED, finish="stop")
    live.stored(*first, now_s=0.0)
    second = live.due(0.0)
    assert second is not None
    assert (second[0].piece, second[0].state, second[0].finish) == ("text", SideState.ANSWERED, "stop")
    live.tell(SideState.FAILED, problem="too late")
    live.stored(*second, now_s=0.0)
    assert live.is_over and live.state is SideState.ANSWERED and live.due(0.0) is None
