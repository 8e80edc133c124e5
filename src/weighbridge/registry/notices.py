"""What may be said to a person who downloads: which benchmark and version, grader, date, rung, and met or not, for these exact weights. Pure.

Every publication stands by itself; one summary says what they come to. The laws, each a property test: what nobody measured is "not measured"; taking
away a comparison, a rate or a whole publication never improves an answer. `docs/formats/registry.md` has the JSON form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from weighbridge.digests import Digest
from weighbridge.dossier.lookup import AGGREGATES, Rates
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.records import Comparison, EstimateOrNot, Measure, NotMeasured, Reason, Record
from weighbridge.protocol.vocabulary import Contrast, Rung, Verdict
from weighbridge.standards.rulings import Ruling, StandardRuling

NOTICE_SCHEMA = "weighbridge.notice/1"


class Answer(StrEnum):
    """Whether there is no material increase: met (none), not met (there is one), not shown (undecided), or nobody measured it."""

    MET = "met"
    NOT_MET = "not met"
    NOT_SHOWN = "not shown"
    NOT_MEASURED = "not measured"


_ANSWERS = {
    Verdict.NO_MATERIAL_INCREASE: Answer.MET,
    Verdict.MATERIAL_INCREASE: Answer.NOT_MET,
    Verdict.UNDECIDED: Answer.NOT_SHOWN,
}


class Benchmark(Record):
    """Which prompts were asked: name, version, and their digest. `protocol` is the digest of what was promised beforehand."""

    name: str
    version: str
    digest: Digest
    protocol: Digest


class Grader(Record):
    """Which grader decided, by name and identity, and how far it was checked; `calibrated_verbs` are the verbs it was checked on."""

    name: str
    identity: str
    calibration: str
    calibrated_verbs: tuple[str, ...]


class Compared(Record):
    """One harm comparison over all categories. `margin` in (0, 1); `estimate` is the interval that the answer stands on, in [-1, 1]."""

    contrast: Contrast
    aggregate: Literal["mean", "worst"]
    rung: Rung
    baseline: str
    baseline_rung: Rung
    margin: float
    answer: Answer
    estimate: EstimateOrNot


class NotCompared(Record):
    """A contrast that was not made."""

    contrast: Contrast
    answer: Literal[Answer.NOT_MEASURED] = Answer.NOT_MEASURED
    why: NotMeasured


class OnRung(Record):
    """The harm rates on one rung, over all categories, in [0, 1]: over its techniques, and for each prompt the worst of them."""

    rung: Rung
    mean: EstimateOrNot
    worst: EstimateOrNot


class StandardAnswer(Record):
    """What one standard says, as it was signed. `reached`: its highest level that is met, None when there is none."""

    standard: str
    version: str
    ruling: Ruling
    reached: str | None
    context: dict[str, str]
    at: datetime


class Facts(Record):
    """What one dossier says. `answer` is that of the comparison that decides. All four rungs and both contrasts are always there."""

    label: str
    benchmark: Benchmark
    grader: Grader
    weighed_at: datetime
    answer: Answer
    contrast: Contrast
    comparisons: tuple[Annotated[Compared | NotCompared, Field(union_mode="left_to_right")], ...]
    rungs: tuple[OnRung, ...]
    standards: tuple[StandardAnswer, ...] | NotMeasured
    weight_files: int = Field(ge=0)

    def of(self, contrast: Contrast) -> Answer:
        """Return what all comparisons of one contrast come to: met when every one of them is, and none is lacking."""
        answers = {each.answer for each in self.comparisons if each.contrast is contrast}
        if Answer.NOT_MET in answers:
            return Answer.NOT_MET
        if answers <= {Answer.NOT_MEASURED}:
            return Answer.NOT_MEASURED
        return Answer.MET if answers == {Answer.MET} else Answer.NOT_SHOWN


class Match(StrEnum):
    """How what was asked for belongs to what was weighed."""

    EXACT = "these exact weights"
    PART = "one file of these weights"  # of several: what was weighed is more than what was asked for
    NAME = "a name, and no digest"


class Standing(StrEnum):
    """What has become of a publication. None of these takes it away."""

    CURRENT = "current"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"  # by a later statement of the same signer
    REVOKED = "revoked"  # by a maintainer, with a reason


class Revoked(Record):
    """Why a maintainer revoked it."""

    by: str
    reason: str
    at: datetime


class Reply(Record):
    """What an author says beside a result. It changes nothing about the result."""

    by: str
    text: str
    at: datetime


class Entry(Record):
    """One publication. `root` is "no digest" for a closed model, which `provider`, `name` and the date name instead.

    `superseded_by`: statements. An unknown signer's name is only what the envelope says.
    """

    publication: Digest
    statement: Digest
    dossier: Digest
    root: Digest | Literal["no digest"]
    provider: str | None
    name: str | None
    match: Match
    signer: str
    signer_known: bool
    made_at: datetime
    valid_until: datetime
    published_at: datetime
    superseded_by: tuple[Digest, ...] = ()
    revoked: Revoked | None = None
    answers: tuple[Reply, ...] = ()
    facts: Facts

    def standing(self, at: datetime) -> Standing:
        """Return what has become of it at a time: the strongest of what applies."""
        return standing(self.revoked is not None, bool(self.superseded_by), at >= self.valid_until)


def standing(is_revoked: bool, is_superseded: bool, has_expired: bool) -> Standing:
    """Return the strongest of what became of a publication."""
    if is_revoked:
        return Standing.REVOKED
    if is_superseded:
        return Standing.SUPERSEDED
    return Standing.EXPIRED if has_expired else Standing.CURRENT


class Counted(NamedTuple):
    """What the summary of a notice looks at in one publication."""

    signer_known: bool
    match: Match
    stands: Standing
    answer: Answer
    contrast: str


class Noticed(Entry):
    """A publication within a notice, with its standing at the notice's time."""

    stands: Standing


class Notice(Record):
    """All that is known of one digest, or of one closed model's name, at one time. `entries` newest first.

    `answer` is what the known signers' results about exactly this come to, and `because` says why. `lacking`: how many results by known
    signers the audit log knows of that are not among the entries.
    """

    schema_: Literal["weighbridge.notice/1"] = Field("weighbridge.notice/1", alias="schema")
    asked: str
    at: datetime
    answer: Answer
    because: str
    entries: tuple[Noticed, ...]
    lacking: int = Field(ge=0)

    model_config = Record.model_config | {"populate_by_name": True}


def facts_from(record: DossierRecord, rulings: Sequence[StandardRuling] | None, *, weight_files: int) -> Facts:
    """Return what a dossier says, for notices. `rulings` None: no standard was asked."""
    rates, own = Rates(record.rates), record.candidate.identity
    harm = [each for each in record.comparisons if (each.measure, each.scope) == (Measure.HARM, "all")]
    said: list[Compared | NotCompared] = []
    for contrast in Contrast:
        made = [each for each in harm if each.contrast is contrast]
        said += [_compared(each) for each in made]
        said += _not_compared(record, contrast, made)
    unasked = NotMeasured(reason=Reason.NOT_IN_PROTOCOL, detail="no standard was asked")
    return Facts(
        label=record.candidate.label,
        benchmark=Benchmark(
            name=record.suite.name,
            version=record.suite.version,
            digest=record.suite.digest,
            protocol=record.protocol,
        ),
        grader=Grader(
            name=record.grader.name,
            identity=record.grader.identity,
            calibration=record.grader.calibration,
            calibrated_verbs=tuple(verb.value for verb in record.grader.calibrated_verbs),
        ),
        weighed_at=record.made_at,
        answer=_deciding(record, harm),
        contrast=record.headline.contrast,
        comparisons=tuple(said),
        rungs=tuple(
            OnRung(
                rung=rung,
                mean=_or_gap(rates.find(own, rung, Measure.HARM, technique="mean"), record, rung),
                worst=_or_gap(rates.find(own, rung, Measure.HARM, technique="worst"), record, rung),
            )
            for rung in Rung
        ),
        standards=unasked if rulings is None else tuple(_standard(each) for each in rulings),
        weight_files=weight_files,
    )


def notice(asked: str, entries: Iterable[Entry], known: int, at: datetime) -> Notice:
    """Return the notice of `asked`. `known`: how many results by known signers the audit log has about exactly this.

    Only known signers count, or anybody could give a model a good or a bad name. A result that is met counts while it stands; one that is not met
    counts on when it has expired, until its signer supersedes it or a maintainer revokes it. What is lacking is never good news.
    """
    found = sorted(entries, key=lambda each: (each.made_at, each.published_at, each.publication), reverse=True)
    stands = [each.standing(at) for each in found]
    counted = [
        Counted(each.signer_known, each.match, stand, each.facts.answer, each.facts.contrast.value)
        for each, stand in zip(found, stands, strict=True)
    ]
    answer, because, lacking = summary(counted, known)
    return Notice(
        asked=asked,
        at=at,
        answer=answer,
        because=because,
        entries=tuple(Noticed(**dict(each), stands=stand) for each, stand in zip(found, stands, strict=True)),
        lacking=lacking,
    )


def summary(found: Sequence[Counted], known: int) -> tuple[Answer, str, int]:
    """Return a notice's answer, why, and how many results are lacking. `known` as in `notice`."""
    exact = [each for each in found if each.signer_known and each.match is not Match.PART]
    lacking = max(0, known - len(exact))
    return *_judged(found, exact, lacking), lacking


def _judged(found: Sequence[Counted], exact: Sequence[Counted], lacking: int) -> tuple[Answer, str]:
    counted = [
        each.answer
        for each in exact
        if each.stands is Standing.CURRENT or (each.stands is Standing.EXPIRED and each.answer is Answer.NOT_MET)
    ]
    contrasts = ", ".join(sorted({each.contrast for each in exact}))
    if Answer.NOT_MET in counted:
        return Answer.NOT_MET, f"a known signer's result is a material increase (deciding: {contrasts})"
    if lacking:
        return Answer.NOT_SHOWN, f"{lacking} published results are not at hand"
    if not found:
        return Answer.NOT_MEASURED, "nobody has published anything about this here"
    if not exact:
        if any(each.match is Match.PART for each in found):
            return Answer.NOT_SHOWN, "what was weighed is more than this file"
        return Answer.NOT_SHOWN, "no signer of what was published is known here"
    if not counted:
        return Answer.NOT_SHOWN, "every result has expired, was superseded or revoked"
    if set(counted) == {Answer.NOT_MEASURED}:
        return Answer.NOT_MEASURED, "the deciding comparison was not made"
    if set(counted) == {Answer.MET}:
        told = f"no material increase (deciding: {contrasts}), by every known signer's result that stands"
        return Answer.MET, told
    return Answer.NOT_SHOWN, "not every result that stands decides it"


def _or_gap(found: EstimateOrNot, record: DossierRecord, rung: Rung) -> EstimateOrNot:
    """Return the rate, or where there is none what the dossier itself says of why the rung was not measured."""
    if not isinstance(found, NotMeasured) or found.reason is not Reason.NOT_IN_PROTOCOL:
        return found
    told = [gap.why for gap in record.gaps if (gap.subject, gap.where) == (record.candidate.identity, rung.value)]
    return told[0] if told else found


def _deciding(record: DossierRecord, harm: Sequence[Comparison]) -> Answer:
    """Return the answer of the comparison that decides: not the headline's word alone, which could stand without it."""
    head = record.headline
    if head.verdict is None:
        return Answer.NOT_MEASURED
    reference = record.baselines[0].identity if record.baselines else None
    against = record.candidate.identity if head.contrast is Contrast.OPENING else reference
    answers = {
        _compared(each).answer
        for each in harm
        if (each.contrast, each.aggregate, each.baseline.subject) == (head.contrast, head.aggregate, against)
    }
    if not answers:
        return Answer.NOT_MEASURED
    if Answer.NOT_MET in answers or head.verdict is Verdict.MATERIAL_INCREASE:
        return Answer.NOT_MET
    answers.add(_ANSWERS[head.verdict])
    return answers.pop() if len(answers) == 1 else Answer.NOT_SHOWN


def _not_compared(record: DossierRecord, contrast: Contrast, made: Sequence[Comparison]) -> list[NotCompared]:
    """Return what of a contrast is lacking: all of it, or against which baseline and by which way of counting."""
    if not made:
        why = NotMeasured(reason=Reason.NOT_IN_PROTOCOL, detail="this comparison is not in the dossier")
        return [NotCompared(contrast=contrast, why=why)]
    there = {(each.baseline.subject, each.aggregate) for each in made}
    against = (record.candidate,) if contrast is Contrast.OPENING else record.baselines
    return [
        NotCompared(
            contrast=contrast,
            why=NotMeasured(reason=Reason.NOT_IN_PROTOCOL, detail=f"{aggregate}, against {baseline.label}"),
        )
        for baseline in against
        for aggregate in AGGREGATES
        if (baseline.identity, aggregate) not in there
    ]


def _compared(found: Comparison) -> Compared:
    nothing = NotMeasured(reason=Reason.NOTHING_MEASURED)
    is_measured = found.judged is not None and not isinstance(found.estimate, NotMeasured)
    return Compared(
        contrast=found.contrast,
        aggregate=found.aggregate,
        rung=found.candidate.rung,
        baseline=found.baseline.label,
        baseline_rung=found.baseline.rung,
        margin=found.margin,
        answer=_ANSWERS[found.verdict] if is_measured else Answer.NOT_MEASURED,
        estimate=found.judged if is_measured and found.judged is not None else nothing,
    )


def _standard(found: StandardRuling) -> StandardAnswer:
    return StandardAnswer(
        standard=found.standard,
        version=found.version,
        ruling=found.ruling,
        reached=found.reached,
        context=dict(found.context),
        at=found.at,
    )
