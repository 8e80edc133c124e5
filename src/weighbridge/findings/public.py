"""What of an advisory the public may read, and the parts that its renderings share. Nothing is rendered before its day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from weighbridge.errors import UsageError
from weighbridge.findings.advisory import Advisory, Derivation
from weighbridge.findings.mitigation import Mitigation
from weighbridge.findings.told import markdown

NOT_YET = "may not be read by the public yet"


def refuse_early(advisory: Advisory, on: date) -> None:
    """Raise `UsageError`, which quotes nothing but the advisory's id, when it may not be read on that day."""
    if not advisory.is_public(on):
        raise UsageError(NOT_YET, where=advisory.id, do="wait until all its findings are public and it is published")


def utc(at: datetime) -> str:
    """Return a time as RFC 3339 in UTC, in whole seconds.

    >>> utc(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC))
    '2026-01-02T03:04:05Z'
    """
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def digest_facts(advisory: Advisory) -> list[dict[str, Any]]:
    """Return each digest with its status as the evidence supports it, worded for machines. What is absent is said to be."""
    facts: list[dict[str, Any]] = []
    for one in advisory.digests:
        standing = advisory.status_of(one.digest)
        fact: dict[str, Any] = {
            "digest": one.digest,
            "of": one.what.value,
            "label": one.label,
            "status": standing.shown,
            "because": standing.because,
        }
        if one.derived is not None:
            fact["derived"] = {
                "from": one.derived.of,
                "relation": one.derived.relation.value,
                "probability": _probability(one.derived),
            }
        facts.append(fact)
    return facts


def _probability(derived: Derivation) -> float | str:
    return "not measured" if derived.probability is None else derived.probability


def mitigation_facts(change: Mitigation) -> dict[str, Any]:
    """Return one mitigation: its level, what it is against and what its re-test shows."""
    return {
        "level": change.level.value,
        "findings": list(change.findings),
        "retest": change.effect.value,
        **({"new_digest": change.new_digest} if change.new_digest is not None else {}),
    }


def paragraphs(advisory: Advisory, words: Callable[[str], str] = markdown) -> Iterator[str]:
    """Yield what is said to people, in paragraphs. `words` makes what others wrote inert: `markdown`, or `line` for plain text."""
    if advisory.withdrawn_at is not None:
        yield f"Withdrawn on {utc(advisory.withdrawn_at)}."
    yield words(advisory.summary)
    for finding in advisory.findings:
        yield (
            f"Finding {words(finding.id)}: {words(finding.title)}. {finding.category.label}, {finding.verb.value}; "
            f"severity {finding.severity.value}; found on the rung {finding.rung.value}."
        )
    for digest in advisory.digests:
        standing = advisory.status_of(digest.digest)
        lineage = ""
        if digest.derived is not None:
            lineage = f" Derived ({digest.derived.relation.value}) from {digest.derived.of}, probability {_probability(digest.derived)}."
        yield f"{words(digest.label)} ({digest.what.value} {digest.digest}): {standing.shown}, {words(standing.because)}.{lineage}"
    for change in advisory.mitigations:
        said = words(change.changed) if change.changed else "no text is carried"
        yield f"Mitigation at the level of {change.level.value}: {said}. Re-test: {change.effect.value}."
    for event in advisory.timeline:
        yield f"{event.on}: {words(event.what)}"
