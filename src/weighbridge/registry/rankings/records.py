"""What is said of rankings: frozen records, each with one JSON form."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

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


By = Literal["model", "result"]
Sort = Literal["rank", "rate", "label", "evaluator", "prompts"]
Kind = Literal["any", "open", "closed"]

MOST_ROWS = 500


class Asked(Record):
    """Which part of a table is asked for, in which order. None of it changes a rank.

    `by` model: one row each, placed by the worst that known signers found. `by` result: each publication by itself. `find`: letters of the label.
    `evaluator`: a signer. `after`: the publication after which the list of what was not measured goes on.
    """

    by: By = "model"
    sort: Sort = "rank"
    descending: bool = False
    find: str = Field(default="", max_length=100)
    kind: Kind = "any"
    evaluator: str | None = Field(default=None, max_length=200)
    page: int = Field(default=1, ge=1, le=1_000_000)
    rows: int = Field(default=50, ge=1, le=MOST_ROWS)
    after: Digest | None = None


class Listed(Record):
    """A ranking that can be shown, and how many results of known signers it has, at most 1,000 counted."""

    ranking: Ranking
    digest: Digest
    grader_digest: Digest
    results: int = Field(ge=1)


class Named(Record):
    """A model: `subject` is its root digest, or `closed:` and its name; a closed one has no digest."""

    subject: str
    label: str
    is_closed: bool


class Result(Record):
    """One publication's value: as it was signed, with the interval at its own `level`. `n_lost`: planned, needed and not measured."""

    publication: Digest
    signer: str
    evaluator: str
    value: float
    low: float
    high: float
    level: float
    n_planned: int
    n_measured: int
    n_lost: int
    protocol: Digest
    calibrated: tuple[str, ...]
    valid_until: datetime


class Placed(Record):
    """One row of a table: the ranks that the intervals leave possible, `best` to `worst`, and the interval, which holds together with all others.

    `results`: on how many it stands; `result` is the one that places it. `by_expired`: one that has expired counts against it, for its signer has
    not taken its place.
    """

    best: int = Field(ge=1)
    worst: int = Field(ge=1)
    model: Named
    value: float
    low: float
    high: float
    results: int = Field(ge=1)
    by_expired: bool
    result: Result


class Aside(Record):
    """A result that gives its model no rank, and why."""

    model: Named
    result: Result
    why: str


class Unmeasured(Record):
    """A model that the registry knows of and that nobody measured here, and why."""

    model: Named
    why: str


class RankingPage(Record):
    """A part of a table at one time. With chance at least 1 - `alpha` all intervals and all ranges of ranks hold at once.

    `among`: for how many intervals that is made sure. `ranked`: rows in all; `matching`: of those, what was asked for. `protocols`: how many different
    ones the ranked results were made by. `asides_more`, `unmeasured_after`: there is more than is shown.
    """

    schema_: Literal["weighbridge.ranking/1"] = Field("weighbridge.ranking/1", alias="schema")
    ranking: Ranking
    digest: Digest
    at: datetime
    alpha: float
    among: int
    asked: Asked
    ranked: int
    matching: int
    pages: int
    rows: tuple[Placed, ...]
    protocols: int
    evaluators: dict[str, str]
    asides: tuple[Aside, ...]
    asides_more: bool
    unmeasured: tuple[Unmeasured, ...]
    unmeasured_after: Digest | None

    model_config = Record.model_config | {"populate_by_name": True}


class Side(Record):
    """What was found of one of two models: over all known signers' results, the worst."""

    kind: Literal["measured"] = "measured"
    value: float
    low: float
    high: float
    n_measured: int
    n_lost: int
    results: int
    evaluators: tuple[str, ...]


class NoSide(Record):
    """Why nothing is shown of one of two models."""

    kind: Literal["not measured", "not shown"]
    why: str


SideOrNot = Annotated[Side | NoSide, Field(discriminator="kind")]


Says = Literal["a is lower", "b is lower", "cannot be told apart", "not shown", "not measured"]


class SideBySide(Record):
    """One ranking's values of two models, and whether they can be told apart."""

    ranking: Ranking
    digest: Digest
    grader_digest: Digest
    a: SideOrNot
    b: SideOrNot
    says: Says


class Two(Record):
    """Two models side by side under everything that either was weighed by. With chance at least 1 - `alpha` every interval here holds."""

    schema_: Literal["weighbridge.two/1"] = Field("weighbridge.two/1", alias="schema")
    a: Named
    b: Named
    at: datetime
    alpha: float
    among: int
    rows: tuple[SideBySide, ...]

    model_config = Record.model_config | {"populate_by_name": True}
