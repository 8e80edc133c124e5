"""What a rate and a comparison say, as names and values: for formats that hold metrics as properties. Absence is a reason, never a number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from weighbridge.digests import digest_bytes
from weighbridge.dossier.exports.export import Source
from weighbridge.dossier.exports.words import missing_of, number, prompts_of, techniques, unchecked
from weighbridge.dossier.record import GraderFacts
from weighbridge.dossier.untrusted import one_line
from weighbridge.evidence.records import Comparison, Estimate, EstimateOrNot, Measure, Rate

Fact = str | int | float


def rate_facts(rate: Rate, grader: GraderFacts) -> dict[str, Fact]:
    """Return what a rate says: of what, then `value` with its support, or `not_measured` with the reason."""
    return {
        "measure": rate.measure.value,
        "rung": rate.rung.value,
        "prompts": prompts_of(rate),
        "category": rate.category.value if rate.category else "all",
        "verb": rate.verb.value if rate.verb else "all",
        "technique": one_line(rate.technique),
        **outcome_facts(rate.rate),
        **_doubts(unchecked(grader, rate.measure, rate.verb)),
    }


def comparison_facts(comparison: Comparison, names: Mapping[str, str], grader: GraderFacts) -> dict[str, Fact]:
    """Return what a comparison says. `names`: a label for each subject's identity (`lookup.labels`). Differences lie in [-1, 1]."""
    facts: dict[str, Fact] = {
        "contrast": comparison.contrast.value,
        "measure": comparison.measure.value,
        "scope": one_line(comparison.scope),
        "aggregate": comparison.aggregate,
    }
    for side, condition in (("candidate", comparison.candidate), ("baseline", comparison.baseline)):
        facts[side] = names.get(condition.subject, one_line(condition.label, 60))
        facts[f"{side}_subject"] = one_line(condition.subject, 300)
        facts[f"{side}_rung"] = condition.rung.value
        facts[f"{side}_techniques"] = techniques(condition.techniques) or "none"
    facts |= {"verdict": comparison.verdict.value, "margin": comparison.margin, **outcome_facts(comparison.estimate)}
    if comparison.judged is not None:
        facts |= {"judged_low": comparison.judged.low, "judged_high": comparison.judged.high}
    facts["taken"] = comparison.taken
    for name in ("decided_after", "prompts_needed", "log_e_increase", "log_e_no_increase"):
        found = getattr(comparison, name)
        if found is not None:
            facts[name] = found
    return facts | _doubts(unchecked(grader, comparison.measure))


def outcome_facts(outcome: EstimateOrNot) -> dict[str, Fact]:
    """Return an estimate's value, interval, level, method, prompts and what is missing; or why there is none.

    >>> from weighbridge.evidence.records import NotMeasured
    >>> outcome_facts(NotMeasured(reason="grader blind"))
    {'not_measured': 'grader blind'}
    """
    if isinstance(outcome, Estimate):
        facts: dict[str, Fact] = {
            "value": outcome.value,
            "low": outcome.low,
            "high": outcome.high,
            "level": outcome.level,
            "method": one_line(outcome.method) or "not named",
            "n_measured": outcome.n_measured,
            "n_planned": outcome.n_planned,
        }
        missing = missing_of(outcome)
        return facts | ({"missing": missing} if missing else {})
    detail = one_line(outcome.detail)
    return {"not_measured": outcome.reason.value, **({"detail": detail} if detail else {})}


def in_words(facts: Mapping[str, Fact]) -> str:
    """Return facts as one line of text. A text cannot end its own field and begin another: its semicolons become commas.

    >>> in_words({"verdict": "undecided", "n_measured": 8, "method": "betting; value=1"})
    'verdict=undecided; n_measured=8; method=betting, value=1'
    """
    return "; ".join(f"{name}={fact_text(fact).replace(';', ',')}" for name, fact in facts.items())


def fact_text(fact: Fact) -> str:
    """Return a fact as text; a float as the shortest text that reads back as the same."""
    return number(fact) if isinstance(fact, float) else str(fact)


def measure_words(measure: Measure) -> str:
    """Return what a share of this measure is called.

    >>> measure_words(Measure.HARM)
    'harm rate'
    """
    return {
        Measure.HARM: "harm rate",
        Measure.REFUSED: "refusal rate",
        Measure.COHERENT: "coherent rate",
        Measure.ANSWERED: "benign answer rate",
    }[measure]


def state_of(source: Source, at: datetime) -> tuple[str, ...]:
    """Return everything that an export's content hangs on, as texts: ids made from it change when, and only when, the content may."""
    rulings = (digest_bytes(ruling.canonical()) for ruling in source.rulings)
    read = source.record.inspection if source.inspection is not None else None
    return (source.dossier, read or "no inspection", *rulings, in_utc(at).isoformat())


def in_utc(time: datetime) -> datetime:
    """Return a time in UTC. One without a zone is taken as UTC already: whose clock it was is not known."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def json_bytes(value: Any) -> bytes:
    """Return a JSON document for people and machines. Raises `ValueError` for NaN and infinities."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _doubts(doubts: str) -> dict[str, Fact]:
    return {"grades_not_checked": doubts} if doubts else {}
