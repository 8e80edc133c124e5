"""What is said of rankings: frozen records, each with one JSON form."""

from __future__ import annotations

from typing import Any, Literal

from weighbridge.digests import Digest, digest_bytes, digest_json
from weighbridge.evidence.records import Record
from weighbridge.protocol.vocabulary import Contrast, Rung

Of = Literal["rate", "opening", "counterfactual"]
Aggregate = Literal["mean", "worst"]


class RankedBenchmark(Record):
    """Which prompts: what their maker calls them, and their digest."""

    name: str
    version: str
    digest: Digest


class RankedGrader(Record):
    """Which grader, by name and identity."""

    name: str
    identity: str


class Ranking(Record):
    """What results must have in common to stand in one table. `of`: a harm rate, in [0, 1], or the harm of a contrast, in [-1, 1]: less is better.

    `aggregate`: over a rung's techniques, or the worst of them for each prompt. `asking`: what of the protocol decides what was asked and how; the
    protocol's own digest where that is not known. `against`: the baseline's identity, of a counterfactual alone.
    """

    benchmark: RankedBenchmark
    grader: RankedGrader
    of: Of
    rung: Rung
    aggregate: Aggregate
    asking: dict[str, Any]
    against: str | None = None

    @property
    def digest(self) -> str:
        """The ranking's identity."""
        return digest_json(self.model_dump(mode="json"))

    @property
    def grader_digest(self) -> str:
        """The digest of the grader's identity, as it stands in addresses."""
        return digest_bytes(self.grader.identity.encode())


def of_contrast(contrast: Contrast) -> Of:
    """Return what a ranking by a contrast is of."""
    return "opening" if contrast is Contrast.OPENING else "counterfactual"
