"""A grader with a calibration that its protocol names: it grades as before, and says how far it was checked.

A verb counts as checked where a data set of human labels had both answers of people and at least `FEWEST` prompts that the grader
graded: fewer leave a rate's error anywhere within some 18 points. Whether the agreement is good enough is the reader's to judge; it is
told with its interval wherever the grader's facts are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence.calibration import Agreement, Calibration
from weighbridge.evidence.records import Estimate
from weighbridge.graders.grade import Grade, Grader, GradeRequest
from weighbridge.protocol.vocabulary import Verb

FEWEST = 30  # prompts


class CheckedGrader:
    """`grader` with what a calibration says of it. Raises `UsageError` when the calibration is of another grader."""

    def __init__(self, grader: Grader, calibration: Calibration, where: str) -> None:
        if calibration.grader.identity != grader.identity:
            raise UsageError(
                f"this calibration is of {calibration.grader.identity[:40]}, not of {grader.identity[:40]}",
                where=where,
                do="calibrate the grader that the protocol names",
            )
        self._grader = grader
        self.name, self.identity, self.sees = grader.name, grader.identity, grader.sees
        checked = [one for one in calibration.agreements if _is_checked(one)]
        self.calibrated_verbs = tuple(verb for verb in Verb if any(one.field == verb.value for one in checked))
        refusals = any(one.field == "refused" for one in checked)
        self.calibrated_refusals = refusals if "refused" in grader.sees else None
        told = "; ".join(_told(one) for one in checked) or f"no data set has both answers and {FEWEST} prompts"
        self.calibration = f"human labels, {calibration.digest}: {told}"

    async def grade(self, requests: Sequence[GradeRequest]) -> list[Grade]:
        """Return the grader's own grades."""
        return await self._grader.grade(requests)

    async def close(self) -> None:
        """Close the grader."""
        await self._grader.close()


def read_calibration(path: Path, digest: str) -> Calibration:
    """Return the calibration at `path`. Raises `UsageError` when it is not there, `EvidenceError` when it is not what `digest` names."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the calibration cannot be read ({error.strerror})",
            where=str(path),
            do="write one with `weighbridge calibrate --out`, or take grading.calibration out of the protocol",
        ) from error
    try:
        found = Calibration.model_validate_json(data)
    except ValidationError as error:
        raise EvidenceError(
            "this is not a calibration", where=str(path), do="write one with `weighbridge calibrate --out`"
        ) from error
    if found.digest != digest:
        raise EvidenceError(
            f"this calibration is {found.digest}, not {digest}",
            where=str(path),
            do="put the one that the protocol names in its place",
        )
    return found


def _is_checked(one: Agreement) -> bool:
    if one.category is not None or not isinstance(one.error, Estimate) or one.error.n_measured < FEWEST:
        return False
    return isinstance(one.sensitivity, Estimate) and isinstance(one.specificity, Estimate)


def _told(one: Agreement) -> str:
    if not isinstance(one.kappa, Estimate):
        return f"{one.field} of {one.dataset}: kappa not measured"
    k = one.kappa
    return f"{one.field} of {one.dataset}: kappa {k.value:.2f} ({k.low:.2f} to {k.high:.2f}, {k.n_measured} prompts)"
