"""A grader whose protocol names a calibration: it says how far it was checked, and never of another grader."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.assessment.test_calibrating import Said, answer, by_number, calibrated
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.graders.checked import CheckedGrader, read_calibration
from weighbridge.graders.opening import open_grader
from weighbridge.protocol.model import AssessmentProtocol, Grading
from weighbridge.protocol.vocabulary import Verb


async def test_checked_verbs_are_those_with_enough_labels_of_both_kinds() -> None:
    """Thirty prompts and both answers of people; one prompt fewer, or one kind alone, and the verb stays unchecked."""
    both = [answer(n, enable=float(n % 2), encourage=1.0) for n in range(30)]
    found = await calibrated(both, Said(lambda r: by_number(r).model_copy(update={"encourage": 1.0})))
    checked = CheckedGrader(Said(by_number), found, "x")
    assert checked.calibrated_verbs == (Verb.ENABLE,)
    assert checked.calibrated_refusals is False
    assert found.digest in checked.calibration and "enable of d: kappa 1.00" in checked.calibration
    fewer = CheckedGrader(Said(by_number), await calibrated(both[:29], Said(by_number)), "x")
    assert fewer.calibrated_verbs == () and "no data set" in fewer.calibration


async def test_it_grades_as_before() -> None:
    """Grades, name and identity are the grader's own."""
    grader = Said(by_number)
    checked = CheckedGrader(grader, await calibrated([answer(1, enable=1.0)], grader), "x")
    request = answer(2).request
    assert await checked.grade([request]) == await grader.grade([request])
    assert (checked.name, checked.identity, checked.sees) == (grader.name, grader.identity, grader.sees)


async def test_a_calibration_of_another_grader_or_of_other_content_is_refused(tmp_path: Path) -> None:
    """By the grader's identity, and by the digest that the protocol names."""
    found = await calibrated([answer(1, enable=1.0)], Said(by_number))
    with pytest.raises(UsageError, match="not of other"):
        CheckedGrader(Said(by_number, "other"), found, "calibration.json")
    path = tmp_path / "calibration.json"
    path.write_bytes(found.canonical() + b"\n")
    assert read_calibration(path, found.digest) == found
    with pytest.raises(EvidenceError, match="not sha256:0000"):
        read_calibration(path, "sha256:" + "0" * 64)
    path.write_text("{}")
    with pytest.raises(EvidenceError, match="not a calibration"):
        read_calibration(path, found.digest)
    with pytest.raises(UsageError, match="cannot be read"):
        read_calibration(tmp_path / "none.json", found.digest)
    with pytest.raises(UsageError, match="this calibration is of said"):
        path.write_bytes(found.canonical())
        async with open_grader("offline", environ={}, checked=(str(path), found.digest)):
            pass


def test_a_protocol_promises_a_calibration_by_digest() -> None:
    """Path and digest go together; the digest is part of the promise, the path is not."""
    digest = "sha256:" + "1" * 64
    with pytest.raises(ValueError, match="go together"):
        Grading(calibration="c.json")
    with pytest.raises(ValueError, match="go together"):
        Grading(calibration_digest=digest)
    here, there, other = (
        AssessmentProtocol(grading=Grading(calibration=path, calibration_digest=content))
        for path, content in (("a.json", digest), ("b/c.json", digest), ("a.json", "sha256:" + "2" * 64))
    )
    assert here.digest == there.digest != other.digest
