"""From labelled answers and a grader to a calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jsonschema
import pytest

from tests.shared_data import shared_data
from weighbridge.assessment.calibrating import compare_with_people, grade_answers
from weighbridge.evidence.calibration import Calibration
from weighbridge.evidence.records import Estimate, NotMeasured, Reason
from weighbridge.evidence.schemas import generated_schema, published_schema
from weighbridge.graders.grade import FIELDS, Grade, GradeRequest
from weighbridge.graders.labels import Labelled
from weighbridge.protocol.vocabulary import Category, Verb


class Said:
    """A grader that says what a function makes of a request; keeps the verbs that it was asked for."""

    calibration, calibrated_verbs, calibrated_refusals, sees = "", (), False, frozenset(FIELDS)

    def __init__(self, say: Callable[[GradeRequest], Grade], name: str = "said") -> None:
        self.say, self.name, self.identity, self.verbs = say, name, f"{name}@sha256:" + "0" * 64, []

    async def grade(self, requests: Sequence[GradeRequest]) -> list[Grade]:
        self.verbs += [request.verb for request in requests]
        return [self.say(request) for request in requests]

    async def close(self) -> None: ...


def answer(n: int, dataset: str = "d", category: Category | None = None, **labels: float) -> Labelled:
    request = GradeRequest(id=f"{dataset}{n}", prompt=f"p{n}", answer=f"{n}", category=category)
    return Labelled(request, dataset, f"{n}", labels=labels, asked=frozenset(labels))


def by_number(request: GradeRequest) -> Grade:
    """Even answers refused and harmless, odd ones neither."""
    even = int(request.answer) % 2 == 0
    return Grade(id=request.id, refused=even, coherent=True, enable=0.0 if even else 0.9)


async def calibrated(answers: list[Labelled], grader: Said, other: Said | None = None) -> Calibration:
    grades = await grade_answers(answers, grader)
    against = (other, await grade_answers(answers, other)) if other else None
    return compare_with_people(answers, grades, grader, [], 0.95, against)


async def test_agreement_by_data_set_field_and_category() -> None:
    """Each data set and field on its own, all categories together first, then each."""
    answers = [answer(n, refused=float(n % 2 == 0), enable=float(n % 2)) for n in range(20)]
    answers += [answer(n, "e", Category.HATE if n < 6 else Category.PRIVACY, refused=1.0) for n in range(10)]
    found = await calibrated(answers, Said(by_number))
    assert [(one.dataset, one.field, one.category) for one in found.agreements] == [
        ("d", "refused", None), ("d", "enable", None), ("e", "refused", None), ("e", "refused", Category.PRIVACY), ("e", "refused", Category.HATE)
    ]  # fmt: skip
    refused, enable, other, *_ = found.agreements
    assert isinstance(refused.kappa, Estimate) and refused.kappa.value == 1.0
    assert isinstance(enable.error, Estimate) and enable.error.value == pytest.approx(0.05)
    assert (other.confusion.true_yes, other.confusion.false_no) == (5, 5)
    assert isinstance(other.specificity, NotMeasured)


async def test_each_labelled_verb_is_graded_on_its_own() -> None:
    """A grader is asked once for each verb that people labelled, once without one for refusals alone."""
    grader = Said(by_number)
    await grade_answers([answer(1, enable=1.0, endorse=0.0), answer(2, refused=1.0)], grader)
    assert grader.verbs == [Verb.ENABLE, Verb.ENDORSE, None]


async def test_a_grader_that_fails_or_is_blind_is_counted_as_such() -> None:
    """Failed, blind and incoherent are missing by their reason, never 0."""

    def say(request: GradeRequest) -> Grade:
        n = int(request.answer)
        blind = Grade(id="", refused=None, coherent=True)
        return [
            Grade(id="", refused=None, coherent=None, failed=True),
            blind,
            Grade(id="", refused=None, coherent=False),
        ][n % 3]

    (found,) = (await calibrated([answer(n, enable=1.0) for n in range(9)], Said(say))).agreements
    assert found.confusion.yes_not_rated == 9
    assert isinstance(found.sensitivity, NotMeasured)
    mixed = await calibrated(
        [answer(n, enable=1.0) for n in range(9)], Said(lambda r: by_number(r) if r.answer != "3" else say(r))
    )
    error = mixed.agreements[0].error
    assert isinstance(error, Estimate) and error.missing == {Reason.GRADER_FAILED: 1}


async def test_drift_of_two_graders_on_the_same_answers() -> None:
    """The difference of grades, answer by answer, with no label needed; it leans to the grader that says more."""
    less = Said(lambda request: Grade(id="", refused=False, coherent=True, enable=0.25), "less")
    more = Said(lambda request: Grade(id="", refused=False, coherent=True, enable=0.75), "more")
    answers = [answer(n) for n in range(40)]
    answers = [Labelled(one.request.model_copy(update={"verb": Verb.ENABLE}), one.dataset, one.unit) for one in answers]
    found = await calibrated(answers, more, less)
    assert found.agreements == () and found.against is not None and found.against.name == "less"
    enable = next(one for one in found.drifts if one.field == "enable")
    assert isinstance(enable.lean, Estimate)
    assert enable.lean.value == pytest.approx(0.5) and enable.lean.low > 0.3


async def test_a_calibration_keeps_its_published_schema() -> None:
    """What is written fits the schema beside the records, and reads back as it was."""
    found = await calibrated([answer(n, "e", Category.HATE, refused=1.0) for n in range(3)], Said(by_number))
    import orjson

    written = orjson.loads(found.canonical())
    jsonschema.validate(written, published_schema("calibration"))
    assert published_schema("calibration") == generated_schema("calibration")
    assert Calibration.model_validate_json(found.canonical()) == found
    assert found.digest == Calibration.model_validate_json(found.canonical()).digest


@pytest.mark.slow
async def test_the_offline_grader_on_xstests_human_labels(tmp_path) -> None:
    """The measured agreement of docs/methods/graders.md, from the public data: 452 answers, kappa near 1 where it was trained."""
    import importlib
    import sys
    from pathlib import Path

    from weighbridge.graders.labels import read_labels
    from weighbridge.graders.offline.grader import OfflineGrader

    data = shared_data("xstest").parent
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
    try:
        script = importlib.import_module("label_files")
    finally:
        sys.path.pop(0)
    path = tmp_path / "xstest.jsonl"
    path.write_bytes(script.write_labels(script.once(script.xstest(data))))
    answers, facts = read_labels(path)
    grader = OfflineGrader()
    found = compare_with_people(answers, await grade_answers(answers, grader), grader, [facts], 0.95)
    assert facts.labelled == 452
    kappas = {one.dataset: one.kappa for one in found.agreements if one.category is None}
    assert all(isinstance(one, Estimate) and one.value > 0.95 and one.low > 0.85 for one in kappas.values())
