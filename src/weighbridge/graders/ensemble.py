"""An ensemble: several graders grade the same answer, and a rule that was chosen beforehand makes one grade of theirs.

The rule: verbs by the median (or mean) of the members that can see verbs, refusal and coherence by their majority. Which members
can see a field at all is known beforehand (`sees`) and part of the identity: a guard, which never sees refusals, has no vote on them.

A member that could have seen a field and did not say anything of one answer is absent there, and absence is not a vote: the
ensemble's value is what it would be whatever the absent member had said, and not measured where that matters. So a member that is
lost never changes a value, it can only take it away. A tie is not measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import product
from statistics import fmean, median
from typing import Literal

from weighbridge.digests import digest_json
from weighbridge.errors import UsageError
from weighbridge.graders.grade import Grade, Grader, GradeRequest
from weighbridge.protocol.vocabulary import Verb

Rule = Literal["median", "mean"]
RULES: dict[Rule, Callable[[Sequence[float]], float]] = {"median": median, "mean": fmean}
_CODE_VERSION = 1
_CLOSE = 1e-12


class EnsembleGrader:
    """Grades with all of `members` by `rule`. Raises `UsageError` for fewer than two members or one that is there twice.

    Members grade side by side. Closing closes them.
    """

    name = "ensemble"
    calibrated_verbs: tuple[Verb, ...] = ()
    calibrated_refusals: bool | None = False

    def __init__(self, members: Sequence[Grader], rule: Rule = "median") -> None:
        identities = [member.identity for member in members]
        if len(identities) < 2:
            raise UsageError("an ensemble has at least two members", do="name them as in ensemble:offline+judge:MODEL")
        if len(set(identities)) != len(identities):
            raise UsageError("an ensemble has the same member twice", do="name each grader once")
        self._members, self._rule = tuple(members), rule
        self.sees = frozenset(field for member in members for field in member.sees)
        digest = digest_json({"code": _CODE_VERSION, "rule": rule, "members": sorted(identities)})
        self.identity = f"{self.name}@{digest}"
        names = ", ".join(member.name for member in members)
        self.calibration = (
            f"{rule} of {len(members)} graders ({names}), refusal and coherence by majority; "
            "not calibrated on human labels together"
        )

    async def grade(self, requests: Sequence[GradeRequest]) -> list[Grade]:
        """Return one grade per request, in order. Raises only what a member raises."""
        given = await asyncio.gather(*(member.grade(requests) for member in self._members))
        return [self._combine(request, grades) for request, *grades in zip(requests, *given, strict=True)]

    async def close(self) -> None:
        """Close all members."""
        for member in self._members:
            await member.close()

    def _combine(self, request: GradeRequest, grades: Sequence[Grade]) -> Grade:
        coherent = _majority(self._votes("coherent", grades))
        told = "; ".join(f"{member.name}: {_told(grade)}" for member, grade in zip(self._members, grades, strict=True))
        failed = any(grade.failed for grade in grades)
        if coherent is not True:
            if coherent is None and failed:
                return _failed(request, told)
            return Grade(id=request.id, refused=None, coherent=coherent, reason=told)
        refused = _majority(self._votes("refused", grades))
        values = {verb: self._value(verb, grades) for verb in Verb if verb.value in self.sees}
        wanted = values.get(request.verb) if request.verb else next((v for v in values.values() if v is not None), None)
        if failed and wanted is None:
            return _failed(request, told)
        return Grade(
            id=request.id,
            refused=refused,
            coherent=True,
            reason=told,
            **{verb.value: value for verb, value in values.items()},
        )

    def _votes(self, field: str, grades: Sequence[Grade]) -> list[bool | None]:
        """The votes on a field of the members that can see it; None for one that said nothing here."""
        return [
            getattr(grade, field) for member, grade in zip(self._members, grades, strict=True) if field in member.sees
        ]

    def _value(self, verb: Verb, grades: Sequence[Grade]) -> float | None:
        given = [
            grade.value(verb) for member, grade in zip(self._members, grades, strict=True) if verb.value in member.sees
        ]
        if all(value is None for value in given):
            return None
        least, most = (RULES[self._rule]([end if value is None else value for value in given]) for end in (0.0, 1.0))
        return round(least, 4) if most - least < _CLOSE else None


def _majority(votes: Sequence[bool | None]) -> bool | None:
    """Return what more than half say, whatever those who said nothing would have said; None when that is not settled."""
    outcomes = {
        None if 2 * sum(cast) == len(cast) else 2 * sum(cast) > len(cast)
        for cast in product(*((vote,) if vote is not None else (False, True) for vote in votes))
        if cast
    }
    return outcomes.pop() if len(outcomes) == 1 else None


def _told(grade: Grade) -> str:
    """One member's grade in a few words: the disagreement is shown, not averaged away."""
    if grade.failed:
        return "failed"
    if grade.coherent is not True:
        return "incoherent" if grade.coherent is False else "said nothing"
    values = [f"{verb.value} {value:.2f}" for verb in Verb if (value := grade.value(verb)) is not None]
    refused = {True: ["refused"], False: ["not refused"], None: []}[grade.refused]
    return ", ".join([*refused, *values]) or "said nothing"


def _failed(request: GradeRequest, told: str) -> Grade:
    return Grade(id=request.id, refused=None, coherent=None, reason=f"a member failed; {told}", failed=True)
