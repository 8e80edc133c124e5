from __future__ import annotations

import time
from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.standards.expressions import LISTS, NUMBERS, TEXTS, TRUTHS, bounded_evidence, conditions, exact_evidence
from weighbridge.standards.cel.checking import Kind, Named, Names, compiled
from weighbridge.standards.cel.evaluation import Known, evaluate, truth
from weighbridge.standards.cel.explaining import deciding
from weighbridge.standards.cel.syntax import MAX_LENGTH, CelError, parse
from weighbridge.standards.cel.values import Between, Unknown

NAMES = Names(
    {tuple(name.split(".")): Named(Kind.TRUTH) for name in TRUTHS}
    | {tuple(name.split(".")): Named(Kind.NUMBER) for name in NUMBERS}
    | {tuple(name.split(".")): Named(Kind.TEXT) for name in TEXTS}
    | {tuple(name.split(".")): Named(Kind.LIST) for name in LISTS}
    | {("v", "verdict"): Named(Kind.TEXT, frozenset({"yes", "no"})), ("o", "*", "p"): Named(Kind.TRUTH)},
    "evidence",
)


def known_of(evidence: dict[str, Any]) -> Known:
    def find(path: tuple[str, ...]) -> Any:
        name = ".".join(path)
        return evidence.get(name, Unknown(absent=frozenset({name})))

    return find


def value(text: str, **evidence: Any) -> Any:
    return evaluate(parse(text), known_of({name.replace("_", "."): given for name, given in evidence.items()}))


# ---- the same values as the reference implementation --------------------------------------------------------------------------


_ENV = cel.NewEnv(variables={name: cel.Type.Map(cel.Type.STRING, cel.Type.DYN) for name in "tnsl"})


def reference(text: str, evidence: dict[str, Any]) -> Any:
    """Return what Google's implementation says, None for an error."""
    nested: dict[str, dict[str, Any]] = {"t": {}, "n": {}, "s": {}, "l": {}}
    for name, given_value in evidence.items():
        family, last = name.split(".")
        nested[family][last] = given_value
    found = _ENV.compile(text).eval(data=nested)
    return None if "ERROR" in str(found.type()) or found.type() == cel.Type.ERROR else found.plain_value()


@given(conditions, exact_evidence)
@settings(max_examples=500, deadline=None)
def test_with_all_evidence_there_a_condition_has_the_value_that_the_reference_implementation_gives_it(
    text: str, evidence: dict[str, Any]
) -> None:
    ours = truth(evaluate(parse(text), known_of(evidence)))
    expected = reference(text, evidence)
    if isinstance(ours, Unknown):
        # The only difference: we refuse to divide by 0, where IEEE 754 gives an infinity.
        assert expected is None or ours.faults
        assert all("divides by" in fault for fault in ours.faults)
    else:
        assert ours == expected


@given(conditions, exact_evidence, st.sets(st.sampled_from([*TRUTHS, *NUMBERS, *TEXTS, *LISTS])))
@settings(max_examples=400, deadline=None)
def test_where_evidence_is_missing_a_condition_is_unknown_exactly_where_the_reference_finds_no_such_key(
    text: str, evidence: dict[str, Any], gone: set[str]
) -> None:
    left = {name: one for name, one in evidence.items() if name not in gone}
    ours, expected = truth(evaluate(parse(text), known_of(left))), reference(text, left)
    if isinstance(ours, bool):
        assert ours == expected
    elif not ours.faults:
        assert expected is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 == 7", True),
        ("7 / 2 == 3 && -7 / 2 == -3 && 7 % -2 == 1 && -7 % 2 == -1", True),
        ("1.5 < 2", True),
        ("1 == 1.0", True),
        ('"a" + "b" == "ab"', True),
        (r'"\u00e9\n\x41\101" == "é\nAA"', True),
        (r"r'\n' == '\\n'", True),
        ('"""a"b""" == "a\\"b"', True),
        ("[1, 2, 3][1] == 2", True),
        ("[1, 2,].all(x, x > 0)", True),
        ("[1, 2].map(x, x > 1, x * 10) == [20]", True),
        ('timestamp("2026-01-02T00:00:00Z") - timestamp("2026-01-01T00:00:00Z") == duration("24h")', True),
        ('duration("1h30m") > duration("89m")', True),
        ("int('12') == 12 && string(1.5) == '1.5' && double('2') == 2.0", True),
        ("true ? false : true", False),
        ("!!true", True),
        ("--1 == 1", True),
        ("0x10 == 16 // a comment", True),
        ("1e3 == 1000.0 && .5 == 0.5", True),
        ("null == null", True),
    ],
)
def test_a_condition_over_constants_has_its_value(text: str, expected: bool) -> None:
    assert evaluate(parse(text), known_of({})) is expected


# ---- the laws ---------------------------------------------------------------------------------------------------------------


@given(conditions, bounded_evidence, st.sets(st.sampled_from([*TRUTHS, *NUMBERS, *TEXTS, *LISTS])))
@settings(max_examples=500, deadline=None)
def test_evidence_taken_away_never_turns_a_condition_into_another_truth(
    text: str, evidence: dict[str, Any], gone: set[str]
) -> None:
    expression = parse(text)
    before = truth(evaluate(expression, known_of(evidence)))
    after = truth(evaluate(expression, known_of({name: one for name, one in evidence.items() if name not in gone})))
    assert isinstance(after, Unknown) or after == before


@given(
    conditions, bounded_evidence, st.dictionaries(st.sampled_from(NUMBERS), st.tuples(st.floats(0, 2), st.floats(0, 2)))
)
@settings(max_examples=500, deadline=None)
def test_wider_bounds_never_turn_a_condition_into_another_truth(
    text: str, evidence: dict[str, Any], wider: dict[str, tuple[float, float]]
) -> None:
    expression = parse(text)
    before = truth(evaluate(expression, known_of(evidence)))
    widened = evidence | {
        name: Between(evidence[name].low - less, evidence[name].high + more) for name, (less, more) in wider.items()
    }
    after = truth(evaluate(expression, known_of(widened)))
    assert isinstance(after, Unknown) or after == before


@given(conditions, bounded_evidence)
@settings(max_examples=300, deadline=None)
def test_a_number_within_the_bounds_never_contradicts_what_the_bounds_decided(
    text: str, evidence: dict[str, Any]
) -> None:
    expression = parse(text)
    bounded = truth(evaluate(expression, known_of(evidence)))
    for end in ("low", "high"):
        exact = evidence | {name: getattr(evidence[name], end) for name in NUMBERS}
        found = truth(evaluate(expression, known_of(exact)))
        assert isinstance(bounded, Unknown) or isinstance(found, Unknown) or found == bounded


@given(conditions, bounded_evidence)
@settings(max_examples=300, deadline=None)
def test_what_is_said_to_decide_does_decide(text: str, evidence: dict[str, Any]) -> None:
    expression = parse(text)
    whole = truth(evaluate(expression, known_of(evidence)))
    parts = deciding(expression, known_of(evidence))
    assert parts
    for part, one in parts:
        again = truth(evaluate(parse(part), known_of(evidence)))
        assert again == one
        assert not isinstance(whole, bool) or isinstance(one, bool)


def test_evidence_that_does_not_decide_is_named_and_told_from_evidence_that_is_missing() -> None:
    found = value("n.a < 1.0 && t.a", n_a=Between(0.5, 1.5))
    assert found == Unknown(absent=frozenset({"t.a"}), undecided=frozenset({"n.a"}))


# ---- bounds -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "(" * 200 + "true" + ")" * 200,
        "!" * 2000 + "true",
        "-" * 2000 + "1 == 1",
        "1" + " + 1" * 999 + " == 0",
        "a" + ".b" * 1500,
        "a" + "[0]" * 1000,
        "[" * 1500 + "]" * 1500,
        "t" + " ? t : t" * 400,
        "x" * (MAX_LENGTH + 1),
    ],
)
def test_an_expression_that_is_too_deep_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(CelError):
        parse(text)


def test_hundreds_of_alternatives_are_one_operation() -> None:
    assert evaluate(parse(" || ".join(["t"] * 790)), lambda path: False) is False


EXPLODING = (
    "[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, [0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, a + b + c + d >= 0))))",
    "[0]" + ".map(a, [a, a])" * 40 + " == [0]" + ".map(a, [a, a])" * 40,
    "[0] in [0]" + ".map(a, [a, a])" * 40,
    '["x"]' + ".map(a, a + a)" * 3 + ".map(a, [a, a, a, a, a, a, a, a, a])" * 6 + " == []",
)


@pytest.mark.parametrize("text", EXPLODING)
def test_an_expression_that_may_explode_is_refused_before_it_begins(text: str) -> None:
    began = time.process_time()
    found = evaluate(parse(text), known_of({}))
    assert isinstance(found, Unknown)
    assert "steps" in next(iter(found.faults))
    assert "steps" in str(compiled(text, Names({}, "evidence"))[1][0])
    assert time.process_time() - began < 0.5


def test_evidence_taken_away_from_an_expression_that_takes_too_long_does_not_bring_it_to_its_end() -> None:
    """A bound on the steps really taken would: the first part is not even begun without `t.a`, and the second is true."""
    thirty = "[" + ",".join("1" * 30) + "]"
    heavy = parse(f"(t.a ? {thirty}.all(a, {thirty}.all(b, {thirty}.all(c, a == b))) : false) || t.b")
    for known in ({"t.a": True, "t.b": True}, {"t.b": True}):
        assert isinstance(evaluate(heavy, known_of(known)), Unknown)


def test_text_that_doubles_itself_is_bounded() -> None:
    doubled = '["x"]' + ".map(a, a + a)" * 30 + '.all(a, a == "x")'
    found = evaluate(parse(doubled), known_of({}))
    assert isinstance(found, Unknown)
    assert "parts" in next(iter(found.faults))


@given(st.text(max_size=60) | st.text(alphabet="ab.()[]{}!&|<>=+-*/%?:,\"'\\0x1 ", max_size=60))
@settings(max_examples=2000, deadline=None)
def test_any_text_is_a_condition_or_an_error_with_its_column(text: str) -> None:
    try:
        expression = parse(text)
    except CelError as error:
        assert error.column >= 1
    else:
        evaluate(expression, lambda path: Unknown(absent=frozenset({path[0]})))


# ---- what authors are told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t.aa", "column 1: there is no evidence called t.aa; did you mean t.a"),
        ("t.a && n.aa < 1.0", "column 8: there is no evidence called n.aa"),
        ("t", "column 1: t is only the beginning of a name: t.a, t.b, t.c"),
        ('n.a < "x"', "column 5: compares a number with text"),
        ("t.a && n.a", "column 8: && is for true or false, not a number"),
        ("n.a + 1.0", "column 1: is a number, and must be true or false"),
        ("has(t.a)", "has() is refused: a ruling must never get better when evidence is missing"),
        ("sise(s.a) > 1", "there is no function sise(); did you mean size()?"),
        ('v.verdict == "yess"', "v.verdict is never 'yess'; did you mean 'yes'?"),
        ("l.a.all(x, n.a)", "all() asks something that is true or false, not a number"),
        ("s.a.all(x, true)", "all() is for lists, not text"),
        ("{1: 2} == {}", "maps are not used in conditions"),
        ("1u == 1u", "unsigned numbers are not used"),
        ("t.a &", "unexpected '&'"),
        ('s.a == "x', "a string that is not closed"),
        ("t.a ||", "ends too early"),
        ("(t.a", "expected ')', found the end"),
    ],
)
def test_a_mistake_is_told_with_its_column_and_what_was_meant(text: str, said: str) -> None:
    _, problems = compiled(text, NAMES)
    assert any(said in str(problem) for problem in problems), [str(problem) for problem in problems]


def test_all_mistakes_of_a_condition_are_told_at_once() -> None:
    _, problems = compiled("t.x && t.y && n.z < 1.0", NAMES)
    assert [problem.column for problem in problems] == [1, 8, 15]


def test_a_name_with_any_step_in_it_is_a_name() -> None:
    assert compiled('o["what/ever"].p && o.that.p', NAMES)[1] == []


@given(conditions)
@settings(max_examples=300, deadline=None)
def test_a_condition_that_is_right_has_no_problems(text: str) -> None:
    assert compiled(text, NAMES)[1] == []
