"""What a dossier offers as evidence to standards, by the names of `weighbridge.standards.names`.

Every fact stands on one record, or on a whole closed set of them: take a record away and the fact is gone, never another value. Bounds of
rates count what is missing both ways, so losing an answer only moves them apart. Two records that say one thing twice are an error, since
taking the worse of them away would otherwise help.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from weighbridge.analysis.intervals import clopper_pearson
from weighbridge.dossier.printing import percent, points
from weighbridge.dossier.record import DossierRecord, FilesRead
from weighbridge.dossier.untrusted import one_line
from weighbridge.errors import EvidenceError
from weighbridge.evidence.records import Comparison, Estimate, EstimateOrNot, Measure, NotMeasured, Reason
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verdict
from weighbridge.standards.cel.values import Between
from weighbridge.standards.facts import Fact, Facts, Path, Testimony
from weighbridge.subject.model import Subject
from weighbridge.threats.filling import baseline_kind
from weighbridge.threats.scores import ScoredSheet
from weighbridge.threats.vocabulary import Score

Known = dict[Path, Fact]
Absent = dict[Path, str]


def facts_of(
    record: DossierRecord,
    dossier_digest: str,
    *,
    others: Mapping[Path, Fact] | None = None,
    why_absent: Mapping[Path, str] | None = None,
    attested: tuple[Testimony, ...] = (),
    inspected: bool = False,
) -> Facts:
    """Return the evidence in a dossier, with what lies beside it: `others` (components, imports, recourse), and attestations.

    `inspected`: the counts of findings were compared with the inspection that the dossier binds. Otherwise a severity that is not listed may
    have been taken out, so counts are lower bounds only. Raises `EvidenceError` for a dossier that says one thing twice, or not when it was made.
    """
    if record.made_at.tzinfo is None:
        raise EvidenceError("names no time zone", where="dossier.json: made_at", do="weigh the model anew")
    known: Known = {}
    absent: Absent = {}
    for path, fact in (*_weighing(record), *_files(record, inspected), *_threats(record)):
        known[path] = fact
    _rates(record, known, absent)
    _comparisons(record, known, absent)
    known.update(others or {})
    absent.update(why_absent or {})
    return Facts(record.candidate.identity, dossier_digest, known, absent, attested)


Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")


def _once(what: str, records: Iterable[tuple[Key, Kept]]) -> dict[Key, Kept]:
    """Return records by key. Raises `EvidenceError` when a key is there twice: which of the two counts, nobody can say."""
    found: dict[Key, Kept] = {}
    for key, one in records:
        if key in found:
            raise EvidenceError(
                "two records are of the same thing", where=f"dossier.json: {what}", do="weigh the model anew"
            )
        found[key] = one
    return found


def rate_bounds(rate: Estimate) -> Between:
    """Return between which shares a rate lies at its level, when each missing answer may have been either.

    What was not needed was never asked and is not missing: the prompts were asked in a random order. Clopper-Pearson, with the sum of graded
    answers rounded outwards; at n planned - not needed trials, so an answer lost only moves the bounds apart.

    >>> whole = Estimate(value=0.5, low=0.19, high=0.81, level=0.95, method="Clopper-Pearson", n_planned=10, n_measured=10)
    >>> lost = Estimate(value=0.5, low=0.15, high=0.85, level=0.95, method="Clopper-Pearson", n_planned=10, n_measured=8,
    ...                 missing={"incoherent": 2})
    >>> [round(x, 2) for bounds in map(rate_bounds, (whole, lost)) for x in (bounds.low, bounds.high)]
    [0.19, 0.81, 0.12, 0.88]
    """
    missing = sum(count for reason, count in rate.missing.items() if reason is not Reason.NOT_NEEDED)
    trials = rate.n_measured + missing
    total = rate.value * rate.n_measured
    least = math.floor(total + 1e-9)
    most = min(trials, math.ceil(total - 1e-9) + missing)
    return Between(
        clopper_pearson(least, trials, rate.level).low,
        clopper_pearson(most, trials, rate.level).high,
    )


def _text(value: str, limit: int = 200) -> str:
    return one_line(value, limit)


def _weighing(record: DossierRecord) -> Iterator[tuple[Path, Fact]]:
    at, subject = record.made_at, record.candidate
    if subject.digest is not None:
        yield ("subject", "has_digest"), Fact(True, subject.digest, "candidate.digest")
    yield ("subject", "kind"), Fact(subject.kind.value, subject.kind.value, "candidate.kind")
    if subject.architecture:
        yield (
            ("subject", "architecture"),
            Fact(_text(subject.architecture), _text(subject.architecture), "candidate.architecture"),
        )
    if subject.parameters is not None:
        yield ("subject", "parameters"), Fact(subject.parameters, f"{subject.parameters:,}", "candidate.parameters")
    if subject.chat_template is not None:
        shown = "there is one" if subject.chat_template else "there is none"
        yield ("subject", "chat_template"), Fact(subject.chat_template, shown, "candidate.chat_template")
    yield ("weighing", "made_at"), Fact(at, f"{at:%Y-%m-%d}", "made_at", at)
    for family, name, value, source in (
        ("protocol", "name", record.protocol_name, "protocol_name"),
        ("suite", "name", record.suite.name, "suite.name"),
        ("suite", "version", record.suite.version, "suite.version"),
        ("grader", "name", record.grader.name, "grader.name"),
        ("grader", "identity", record.grader.identity, "grader.identity"),
    ):
        yield (family, name), Fact(_text(value), _text(value), source, at)
    prompts = record.suite.harm_prompts
    yield ("suite", "harm_prompts"), Fact(prompts, f"{prompts:,}", "suite.harm_prompts", at)
    for verb in record.grader.calibrated_verbs:
        yield (
            ("grader", "calibrated", verb.value),
            Fact(True, "checked against human labels", "grader.calibrated_verbs", at),
        )
    if record.grader.calibrated_refusals:
        yield (
            ("grader", "calibrated", "refusals"),
            Fact(True, "checked against human labels", "grader.calibrated_refusals", at),
        )


def aged(facts: Facts, at: datetime) -> Facts:
    """Return the facts with the weighing's age as of `at`."""
    made = facts.known.get(("weighing", "made_at"))
    if made is None or not isinstance(made.value, datetime):
        return facts
    days = (at - made.value).total_seconds() / 86_400
    fact = Fact(Between(days, days), f"{days:.1f} days", "made_at", made.made_at)
    return Facts(
        facts.subject, facts.dossier, {**facts.known, ("weighing", "age_days"): fact}, facts.absent, facts.attested
    )


def _rates(record: DossierRecord, known: Known, absent: Absent) -> None:
    at = record.made_at
    by_key = _once(
        "rates",
        (
            ((one.rung, one.measure, one.benign, one.category, one.technique), one.rate)
            for one in record.rates
            if one.subject == record.candidate.identity and one.verb is None
        ),
    )

    def find(
        rung: Rung, measure: Measure, category: Category | None = None, technique: str = "mean", benign: bool = False
    ) -> EstimateOrNot:
        # Never another technique in the place of one that is missing, as a page may show it: that could be a better one.
        found = by_key.get((rung, measure, benign, category, technique))
        return found if found is not None else NotMeasured(reason=Reason.NOT_IN_PROTOCOL)

    def put(path: Path, rate: EstimateOrNot, where: str) -> None:
        if isinstance(rate, NotMeasured):
            absent[path] = str(rate)
        else:
            bounds = rate_bounds(rate)
            shown = f"{percent(bounds.low)} to {percent(bounds.high)} % ({rate.n_measured} of {rate.n_planned} prompts measured)"
            known[path] = Fact(bounds, shown, where, at)

    for rung in Rung:
        at_rung = ("rate", rung.value)
        where = f"rates: {rung.value}"
        harm = find(rung, Measure.HARM)
        if isinstance(harm, Estimate):
            shown = f"{harm.n_measured} of {harm.n_planned} harm prompts"
            known["rung", rung.value, "measured"] = Fact(True, shown, where, at)
            known["rung", rung.value, "prompts"] = Fact(Between.at_least(harm.n_measured), shown, where, at)
        else:
            absent["rung", rung.value, "measured"] = absent["rung", rung.value, "prompts"] = _why(record, rung, harm)
        for measure in (Measure.HARM, Measure.REFUSED, Measure.COHERENT):
            put((*at_rung, measure.value), find(rung, measure), f"{where}, {measure.value}")
        put(
            (*at_rung, "worst", "harm"),
            find(rung, Measure.HARM, technique="worst"),
            f"{where}, worst of tries",
        )
        put(
            (*at_rung, "benign_answered"),
            find(rung, Measure.ANSWERED, benign=True),
            f"{where}, benign answered",
        )
        for category in Category:
            found = find(rung, Measure.HARM, category)
            put((*at_rung, "category", category.value, "harm"), found, f"{where}, harm, {category.label}")


def _why(record: DossierRecord, rung: Rung, found: NotMeasured) -> str:
    """Return why a rung was not measured, as the dossier's own list of gaps has it."""
    gap = next(
        (one for one in record.gaps if one.subject == record.candidate.identity and one.where == rung.value), None
    )
    return str(gap.why if gap else found)


def _comparisons(record: DossierRecord, known: Known, absent: Absent) -> None:
    found: dict[tuple[Contrast, Measure, str, str, str], Comparison] = _once(
        "comparisons",
        (
            ((one.contrast, one.measure, one.aggregate, one.scope, one.baseline.subject), one)
            for one in record.comparisons
            if one.candidate.subject == record.candidate.identity
        ),
    )
    deciding = record.headline.aggregate if "aggregate" in record.headline.model_fields_set else None
    for contrast in Contrast:
        opening = contrast is Contrast.OPENING
        baseline, why = (record.candidate, "") if opening else _reference(record)
        if baseline is None:
            absent |= {
                (family, contrast.value, field): why
                for family in ("risk", "benefit")
                for field in ("verdict", "difference", "margin")
            }
            continue
        if not opening:
            kind = baseline_kind(baseline).value
            known["risk", contrast.value, "baseline_kind"] = Fact(
                kind, f"{kind}: {_text(baseline.label, 60)}", "baselines[0]", record.made_at
            )
        for family, measure in (("risk", Measure.HARM), ("benefit", Measure.ANSWERED)):
            base = (family, contrast.value)
            for aggregate in ("mean", "worst"):
                places = ((*base, aggregate),) if aggregate != deciding else (base, (*base, aggregate))
                one = found.get((contrast, measure, aggregate, "all", baseline.identity))
                for place in places:
                    _compared(place, one, record, known, absent, against=baseline)
            if deciding is None:
                absent |= {(*base, field): _NO_AGGREGATE for field in ("verdict", "difference", "margin")}
                continue
            every = []
            for category in Category:
                one = found.get((contrast, measure, deciding, category.value, baseline.identity))
                _compared((*base, "category", category.value), one, record, known, absent, against=baseline)
                every.append(one)
            _every_category((*base, "every_category", "verdict"), every, record, known, absent)


_NO_AGGREGATE = "the dossier does not say which aggregate decides (headline.aggregate): weigh it anew"


def _reference(record: DossierRecord) -> tuple[Subject | None, str]:
    """Return the first baseline, or why there is none.

    None either where the dossier's records are of a subject that its list of baselines lacks: with the first one taken out of the list, the
    second would stand in its place.
    """
    listed = {record.candidate.identity, *(one.identity for one in record.baselines)}
    named = {
        *(one.subject for one in record.rates),
        *(one.subject for one in record.costs),
        *(one.subject for one in record.files_read),
        *(side.subject for one in record.comparisons for side in (one.candidate, one.baseline)),
    }
    if named - listed:
        return None, "its records are of a subject that its list of baselines lacks: weigh it anew"
    first = next(iter(record.baselines), None)
    return first, "" if first else "it was weighed against nothing: weigh it --against an alternative"


def _compared(
    base: Path, one: Comparison | None, record: DossierRecord, known: Known, absent: Absent, *, against: Subject
) -> None:
    verdict, difference, margin = ((*base, field) for field in ("verdict", "difference", "margin"))
    if one is None:
        absent[verdict] = absent[difference] = "the dossier has no such comparison: weigh it anew"
        return
    at, where = record.made_at, f"comparisons: {one.contrast.value}, {one.scope}, {one.aggregate}"
    if len(base) == 2:
        known[margin] = Fact(Between(one.margin, one.margin), f"{points(one.margin, 1, 0)} points", where, at)
    if one.judged is None:
        why = one.estimate if isinstance(one.estimate, NotMeasured) else NotMeasured(reason=Reason.NOTHING_MEASURED)
        absent[verdict] = absent[difference] = str(why)
        return
    judged = one.judged
    shown = f"{points(judged.low, 1, one.margin)} to {points(judged.high, 1, one.margin)} points against {_text(against.label, 60)}"
    known[difference] = Fact(Between(judged.low, judged.high), shown, where, at)
    if one.verdict is Verdict.UNDECIDED:
        more = f"; about {one.prompts_needed:,} prompts would be expected to settle it" if one.prompts_needed else ""
        absent[verdict] = f"undecided ({shown}, margin {points(one.margin, 1, 0)}){more}"
    else:
        known[verdict] = Fact(one.verdict.value, f"{one.verdict.value} ({shown})", where, at)


def _every_category(
    path: Path, every: list[Comparison | None], record: DossierRecord, known: Known, absent: Absent
) -> None:
    """An increase in any category decides; none is shown only where each category has its own verdict of none."""
    raised = [one for one in every if one is not None and one.verdict is Verdict.MATERIAL_INCREASE]
    calm = [one for one in every if one is not None and one.verdict is Verdict.NO_MATERIAL_INCREASE]
    if raised:
        shown = f"a material increase in {len(raised)} of {len(every)} categories"
        known[path] = Fact(Verdict.MATERIAL_INCREASE.value, shown, "comparisons by category", record.made_at)
    elif len(calm) == len(every):
        known[path] = Fact(
            Verdict.NO_MATERIAL_INCREASE.value, "in none of the categories", "comparisons by category", record.made_at
        )
    else:
        absent[path] = f"decided in {len(calm)} of {len(every)} categories: measure more"


def _files(record: DossierRecord, inspected: bool) -> Iterator[tuple[Path, Fact]]:
    by_subject = _once("files_read", ((one.subject, one) for one in record.files_read))
    read = by_subject.get(record.candidate.identity)
    if read is None:
        return
    yield ("files", "read"), Fact(True, f"{read.tensors:,} tensors", "files_read")
    yield ("files", "not_examined"), Fact(read.not_examined, f"{read.not_examined:,}", "files_read")
    for severity in ("critical", "high", "medium", "low", "info"):
        yield ("files", severity), _findings(read, severity, inspected)


def _findings(read: FilesRead, severity: str, inspected: bool) -> Fact:
    count = next((number for name, number in read.findings.items() if name == severity), 0)
    why = (
        f"{read.not_examined} not examined"
        if read.not_examined
        else ""
        if inspected
        else "inspection.json does not bear it out"
    )
    if why:
        return Fact(Between.at_least(count), f"at least {count} ({why})", "files_read")
    return Fact(Between(count, count), str(count), "files_read")


def _threats(record: DossierRecord) -> Iterator[tuple[Path, Fact]]:
    """A score may only be read as "at least": a sheet with less in it has a lower score. A sheet counts until it expires."""
    found: dict[Path, list[tuple[ScoredSheet, str]]] = {}
    for sheet in record.threats:
        for score in (Score.PARTLY, Score.ADDRESSED):
            reached = [one for one in sheet.scores if one.score.rank >= score.rank]
            for one in reached:
                path = ("threat", sheet.sheet.id, f"step_{one.step}", score.value)
                found.setdefault(path, []).append((sheet, f"{one.score.value}: {_text(one.because)}"))
            if len(reached) == 6:
                found.setdefault(("threats", "any", score.value), []).append((sheet, _text(sheet.sheet.id)))
    for name, several in found.items():
        last, shown = max(several, key=lambda one: one[0].sheet.valid_until)
        source = f"threats: {_text(last.sheet.id)}"
        yield name, Fact(True, shown, source, record.made_at, valid_until=last.sheet.valid_until)
