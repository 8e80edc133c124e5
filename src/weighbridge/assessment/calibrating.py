"""How far a grader may be trusted: grades labelled answers and compares, by data set, field and category.

Takes answers with human labels, and graders; gives a `Calibration`. With a second grader the drift between the two is found on the
same answers, labelled or not.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from weighbridge.analysis.agreement import (
    Rated,
    absolute_error,
    confusion,
    kappa,
    lean,
    sensitivity,
    specificity,
)
from weighbridge.evidence.calibration import Agreement, Calibration, GradeField, GraderIdentity, LabelFile
from weighbridge.evidence.records import Reason
from weighbridge.graders.grade import FIELDS, Grade, Grader
from weighbridge.graders.labels import Labelled
from weighbridge.protocol.vocabulary import Category, Verb

BATCH = 64
_VERBS = tuple(verb.value for verb in Verb)
Told = Callable[[int, int], None]
Grades = Mapping[str, Mapping[str, float | Reason]]
"""By answer's id and field: a value in [0, 1], or why there is none."""


async def grade_answers(answers: Sequence[Labelled], grader: Grader, told: Told | None = None) -> Grades:
    """Return what `grader` says of each answer, in every field that it was asked about.

    Verbs: those that an answer's line names, else the prompt's own, each graded on its own. `told` hears (done, in all).
    """
    wanted = [(one, verb) for one in answers for verb in _verbs(one)]
    found: dict[str, dict[str, float | Reason]] = {one.request.id: {} for one in answers}
    done = 0
    rest = iter(wanted)
    while batch := list(itertools.islice(rest, BATCH)):
        grades = await grader.grade([one.request.model_copy(update={"verb": verb}) for one, verb in batch])
        for (one, verb), grade in zip(batch, grades, strict=True):
            given = found[one.request.id]
            for field in ("refused", "coherent"):
                given.setdefault(field, _value(grade, field))
            if verb is not None:
                given[verb.value] = _value(grade, verb.value)
        done += len(batch)
        if told is not None:
            told(done, len(wanted))
    return found


def compare_with_people(
    answers: Sequence[Labelled],
    grades: Grades,
    grader: Grader,
    labels: Sequence[LabelFile],
    level: float,
    against: tuple[Grader, Grades] | None = None,
) -> Calibration:
    """Return how `grader` agrees with the labels, and with `against` (another grader and its grades) on the same answers."""
    by_people = _compare(answers, grades, lambda one, field: one.labels.get(field), level)
    drifts: list[Agreement] = []
    if against is not None:
        other = against[1]

        def reference(one: Labelled, field: str) -> float | None:
            value = other[one.request.id].get(field)
            return value if isinstance(value, float) else None

        drifts = list(_compare(answers, grades, reference, level))
    return Calibration(
        grader=_identity(grader),
        labels=tuple(labels),
        level=level,
        agreements=tuple(by_people),
        against=_identity(against[0]) if against is not None else None,
        drifts=tuple(drifts),
    )


def _compare(
    answers: Sequence[Labelled], grades: Grades, reference: Callable[[Labelled, str], float | None], level: float
) -> Iterator[Agreement]:
    """Yield an agreement for each data set and field that has a reference, and then for each of its categories."""
    groups: defaultdict[tuple[str, str, Category | None], list[Rated]] = defaultdict(list)
    for one in answers:
        for field in FIELDS:
            value = reference(one, field)
            if value is None:
                continue
            rated = Rated(one.unit, value, grades[one.request.id].get(field, Reason.GRADER_BLIND))
            for category in dict.fromkeys((None, one.request.category)):
                groups[one.dataset, field, category].append(rated)
    order = {category: place for place, category in enumerate((None, *Category))}
    for dataset, field, category in sorted(groups, key=lambda key: (key[0], FIELDS.index(key[1]), order[key[2]])):
        rated_answers = groups[dataset, field, category]
        yield Agreement(
            dataset=dataset,
            field=cast(GradeField, field),
            category=category,
            answers=len(rated_answers),
            confusion=confusion(rated_answers),
            sensitivity=sensitivity(rated_answers, level),
            specificity=specificity(rated_answers, level),
            kappa=kappa(rated_answers, level),
            error=absolute_error(rated_answers, level),
            lean=lean(rated_answers, level),
        )


def _verbs(one: Labelled) -> list[Verb | None]:
    named = [Verb(field) for field in _VERBS if field in one.labels]
    if one.request.verb is not None and one.request.verb not in named:
        named.append(one.request.verb)
    return [*named] or [None]


def _value(grade: Grade, field: str) -> float | Reason:
    if grade.failed:
        return Reason.GRADER_FAILED
    value: bool | float | None = getattr(grade, field)
    if value is not None:
        return float(value)
    return Reason.INCOHERENT if grade.coherent is False else Reason.GRADER_BLIND


def _identity(grader: Grader) -> GraderIdentity:
    return GraderIdentity(name=grader.name, identity=grader.identity)
