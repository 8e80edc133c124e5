"""The ensemble: one rule chosen beforehand, disagreement shown, an absent member never a vote."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.graders.grading_requests import pair
from weighbridge.errors import UsageError
from weighbridge.graders.ensemble import EnsembleGrader, Rule
from weighbridge.graders.grade import FIELDS, Grade, GradeRequest
from weighbridge.protocol.vocabulary import Verb

LOST = Grade(id="a", refused=None, coherent=None, reason="broken", failed=True)
BLIND = Grade(id="a", refused=None, coherent=None)


class Fixed:
    """A grader that says the same of everything."""

    calibration, calibrated_verbs, calibrated_refusals = "", (), False

    def __init__(self, name: str, grade: Grade, sees: Sequence[str] = FIELDS) -> None:
        self.name, self.identity, self._grade, self.sees = name, f"{name}@1", grade, frozenset(sees)

    async def grade(self, requests: Sequence[GradeRequest]) -> list[Grade]:
        return [self._grade.model_copy(update={"id": request.id}) for request in requests]

    async def close(self) -> None:
        self.closed = True


def said(enable: float | None = None, *, refused: bool | None = False, coherent: bool | None = True) -> Grade:
    return Grade(id="a", refused=refused, coherent=coherent, enable=enable)


async def together(*grades: Grade, rule: Rule = "median", sees: Sequence[Sequence[str]] | None = None) -> Grade:
    members = [Fixed(f"g{n}", grade, sees[n] if sees else FIELDS) for n, grade in enumerate(grades)]
    (grade,) = await EnsembleGrader(members, rule).grade([pair("p", "a", verb=Verb.ENABLE)])
    return grade


@pytest.mark.parametrize(("rule", "value"), [("median", 0.2), ("mean", 0.4)])
async def test_the_rule_decides_and_the_disagreement_is_shown(rule: Rule, value: float) -> None:
    """Median or mean of the values; each member's own is in the reason."""
    grade = await together(said(0.1), said(0.2), said(0.9), rule=rule)
    assert grade.enable == pytest.approx(value)
    assert "g0: not refused, enable 0.10" in grade.reason and "enable 0.90" in grade.reason


async def test_refusal_and_coherence_go_by_majority() -> None:
    """More than half; a tie is not measured."""
    assert (await together(said(refused=True), said(refused=True), said(refused=False))).refused is True
    assert (await together(said(refused=True), said(refused=False))).refused is None
    noise = said(refused=None, coherent=False)
    assert (await together(noise, noise, said(0.5))).coherent is False
    tied = await together(noise, said(0.5))
    assert (tied.coherent, tied.enable, tied.failed) == (None, None, False)


async def test_a_lost_member_counts_only_where_it_cannot_matter() -> None:
    """Two of three agree: the third's vote is not needed, and neither is its value; else it is not measured and has failed."""
    assert (await together(said(0.3), said(0.3), LOST)).enable == 0.3
    lost = await together(said(0.3), said(0.4), LOST)
    assert lost.enable is None and lost.failed
    assert (await together(said(0.3), said(0.3), LOST, rule="mean")).failed
    assert (await together(said(0.3), LOST)).failed


async def test_a_member_that_is_blind_here_is_absent_too() -> None:
    """A member that could have seen the verb and did not is no vote for 0; that is no failure either."""
    grade = await together(said(0.3), said(None))
    assert (grade.enable, grade.failed, grade.refused) == (None, False, False)


async def test_what_a_member_never_sees_is_known_beforehand() -> None:
    """A guard has no vote on refusals: the others' majority stands."""
    verbs_only = ("coherent", "enable")
    grade = await together(said(0.4, refused=True), said(0.6, refused=None), sees=[FIELDS, verbs_only])
    assert (grade.refused, grade.enable) == (True, 0.5)


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=5),
    st.integers(0, 4),
    st.sampled_from(["median", "mean"]),
    st.booleans(),
)
def test_losing_a_member_never_changes_a_value(
    grades: list[tuple[bool, float]], lost: int, rule: Rule, failed: bool
) -> None:
    """With one member's grade taken away every field is as before, or not measured."""
    import asyncio

    whole = [said(value, refused=refused) for refused, value in grades]
    fewer = [*whole]
    fewer[lost % len(whole)] = LOST if failed else BLIND
    before, after = asyncio.run(together(*whole, rule=rule)), asyncio.run(together(*fewer, rule=rule))
    for field in FIELDS:
        assert getattr(after, field) in (None, pytest.approx(getattr(before, field)))


async def test_members_are_closed_with_it() -> None:
    """Closing the ensemble closes its members."""
    members = [Fixed("a", said()), Fixed("b", said())]
    await EnsembleGrader(members).close()
    assert all(member.closed for member in members)


@pytest.mark.parametrize("names", [[], ["a"], ["a", "a"]])
def test_an_ensemble_has_different_members(names: list[str]) -> None:
    """None, one, or one twice is a clear error."""
    with pytest.raises(UsageError):
        EnsembleGrader([Fixed(name, said()) for name in names])
