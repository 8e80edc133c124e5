"""What `weighbridge finding show` prints. Every text of others is on one line and holds nothing that a terminal obeys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from weighbridge.evidence.records import Estimate, EstimateOrNot
from weighbridge.findings.advisory import Advisory
from weighbridge.findings.finding import Finding
from weighbridge.findings.mitigation import Mitigation
from weighbridge.findings.told import line


def finding_told(finding: Finding, today: date) -> Iterator[str]:
    """Yield the lines of a finding."""
    yield f"finding {finding.id}: {line(finding.name)}"
    yield f"  {finding.digest}"
    yield (
        f"  {finding.category.label}, {finding.verb.value}; severity {finding.severity.value}; "
        f"on the rung {finding.rung.value} ({finding.rung.label})"
    )
    yield f"  found by {line(finding.found_by.name)} ({line(finding.found_by.role)}, {finding.found_by.party.value} party) on {finding.found_on}"
    if finding.summary:
        yield f"  {line(finding.summary)}"
    for one in finding.affected:
        yield f"  affected: {line(one.label)}, {one.what.value} {one.digest}"
    made = finding.reproduce
    for word, entries in (("prompt", made.prompt_ids), ("asked", made.asks), ("step", made.steps)):
        yield from (f"  {word}: {line(entry)}" for entry in entries)
    yield from (
        f"  evidence: dossier {one.dossier}" + (f", observation {one.observation}" if one.observation else "")
        for one in finding.evidence
    )
    if not finding.evidence:
        yield "  evidence: not shown"
    yield f"  disclosure: {finding.disclosure.state.value}; {_readable(finding.disclosure.public_from, finding.is_public(today))}"
    yield from (f"  told: {line(one.who)} on {one.on}" for one in finding.disclosure.told)
    for answer in finding.disclosure.answers:
        said = f": {line(answer.says)}" if answer.says else ""
        yield f"  the provider ({line(answer.by.name)}, {answer.on}) {'disputes it' if answer.disputes else 'does not dispute it'}{said}"
    withdrawn = finding.disclosure.withdrawn
    if withdrawn is not None:
        why = f": {line(withdrawn.why)}" if withdrawn.why else ""
        yield f"  withdrawn by {line(withdrawn.by.name)} on {withdrawn.on}{why}"


def advisory_told(advisory: Advisory, today: date) -> Iterator[str]:
    """Yield the lines of an advisory, each digest with its status as the evidence supports it."""
    yield f"advisory {advisory.id}: {line(advisory.title)}"
    yield f"  {advisory.digest}"
    yield f"  by {line(advisory.publisher)}; severity {advisory.severity.value}; {_readable(advisory.public_from, advisory.is_public(today))}"
    yield f"  {line(advisory.summary)}"
    for finding in advisory.findings:
        yield f"  finding {finding.id}: {line(finding.title)} ({finding.category.label}, {finding.verb.value}, {finding.rung.value})"
    for one in advisory.digests:
        standing = advisory.status_of(one.digest)
        yield f"  {standing.shown}: {line(one.label)}, {one.what.value} {one.digest} ({standing.because})"
        if one.derived is not None:
            chance = "not measured" if one.derived.probability is None else f"{one.derived.probability:.2f}"
            yield f"    {one.derived.relation.value}, from {one.derived.of}; probability {chance}"
    for change in advisory.mitigations:
        yield from _mitigation(change)
    yield from (f"  {event.on}: {line(event.what)}" for event in advisory.timeline)
    yield from (f"  {one.kind}: {one.url}" for one in advisory.references)


def _mitigation(change: Mitigation) -> Iterator[str]:
    yield f"  mitigation ({change.level.value}) of {', '.join(change.findings)}: {line(change.changed or 'no text is carried')}"
    if change.retest is None:
        yield f"    {change.effect.value}"
        return
    retest = change.retest
    yield (
        f"    {change.effect.value}: harm {_rate(retest.before.rate)} before, {_rate(retest.after.rate)} after, on {retest.rung.value}; "
        f"re-tested by {line(retest.by.name)} ({retest.by.party.value} party) on {retest.on}"
    )


def _rate(rate: EstimateOrNot) -> str:
    if isinstance(rate, Estimate):
        return f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%})"
    return line(str(rate))


def _readable(day: date | None, public: bool) -> str:
    if public:
        return "anybody may read it"
    return "not public, and no day is known" if day is None else f"not public before {day}"
