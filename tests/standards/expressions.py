"""Random conditions over a few names, and random evidence of them: for the laws and for comparing with another implementation."""

from __future__ import annotations

from hypothesis import strategies as st

from weighbridge.standards.cel.values import Between

TRUTHS = ("t.a", "t.b", "t.c")
NUMBERS = ("n.a", "n.b")
TEXTS = ("s.a", "s.b")
LISTS = ("l.a",)
_WORDS = ("x", "y", "xy")

_numbers = st.sampled_from(["0.0", "0.5", "1.5", "2.0", *NUMBERS])
_sums = st.recursive(
    _numbers,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda it: f"({it[0]} {it[1]} {it[2]})"),
    max_leaves=3,
)
_texts = st.sampled_from([*TEXTS, *(f'"{word}"' for word in _WORDS)])
_comparing = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
_atoms = st.one_of(
    st.sampled_from([*TRUTHS, "true", "false"]),
    st.tuples(_sums, _comparing, _sums).map(" ".join),
    st.tuples(_texts, _comparing, _texts).map(" ".join),
    st.tuples(_texts, st.sampled_from(["contains", "startsWith", "endsWith"]), _texts).map(
        lambda it: f"{it[0]}.{it[1]}({it[2]})"
    ),
    _texts.map(lambda text: f'{text} in ["x", "y"]'),
    _texts.map(lambda text: f"{text} in l.a"),
    st.sampled_from(["all", "exists", "exists_one"]).map(lambda macro: f'l.a.{macro}(i, i == "x" || i == s.a)'),
    _texts.map(lambda text: f"size({text}) < 2"),
    st.just('l.a.filter(i, i != "y").map(i, i + "!").exists(j, j == "x!")'),
)
conditions = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda it: f"({it[0]} {it[1]} {it[2]})"),
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner, inner).map(
            lambda it: f"({it[0]} {it[1]} {it[2]} {it[1]} {it[3]})"
        ),
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner, inner).map(lambda it: f"({it[0]} ? {it[1]} : {it[2]})"),
    ),
    max_leaves=8,
)


def _bounds(pair: tuple[float, float]) -> Between:
    return Between(min(pair), max(pair))


_ends = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
exact_evidence = st.fixed_dictionaries(
    {name: st.booleans() for name in TRUTHS}
    | dict.fromkeys(NUMBERS, _ends)
    | {name: st.sampled_from(_WORDS) for name in TEXTS}
    | {name: st.lists(st.sampled_from(_WORDS), max_size=3) for name in LISTS}
)
bounded_evidence = st.fixed_dictionaries(
    {name: st.booleans() for name in TRUTHS}
    | {name: st.tuples(_ends, _ends).map(_bounds) for name in NUMBERS}
    | {name: st.sampled_from(_WORDS) for name in TEXTS}
    | {name: st.lists(st.sampled_from(_WORDS), max_size=3) for name in LISTS}
)
