"""An advisory as an OSV record (schema 1.7.5, 21 January 2026).

OSV knows no ecosystem for model weights, and a package without one is not valid. So versions on a hub are ranges of git commits, with the package URL in
`affected[].database_specific`; digests are in the record's own `database_specific`. OSV's severity is a CVSS vector, which nobody gave: ours is there too.
"""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import Any

from weighbridge.findings.advisory import Advisory, Hub, Status
from weighbridge.findings.public import digest_facts, mitigation_facts, paragraphs, refuse_early, utc
from weighbridge.findings.told import line

OSV_VERSION = "1.7.5"


def osv(advisory: Advisory, *, on: date) -> dict[str, Any]:
    """Return the record, of JSON types. Raises `UsageError` when the advisory may not be read on that day."""
    refuse_early(advisory, on)
    record: dict[str, Any] = {
        "schema_version": OSV_VERSION,
        "id": f"x_{advisory.id}",  # x_: a database that OSV's own does not gather
        "modified": utc(max(advisory.modified_at, advisory.withdrawn_at or advisory.modified_at)),
        "published": utc(advisory.published_at),
        "summary": line(advisory.title),
        "details": "\n\n".join(paragraphs(advisory)),
        "affected": _affected(advisory),
        "references": [{"type": one.kind.upper(), "url": one.url} for one in advisory.references],
        "credits": [{"name": line(name), "type": "FINDER"} for name in advisory.credits],
        "database_specific": {
            "publisher": line(advisory.publisher),
            "severity": advisory.severity.value,
            "advisory": advisory.digest,
            "findings": [
                {
                    "id": one.id,
                    "digest": one.digest,
                    "category": one.category.value,
                    "verb": one.verb.value,
                    "severity": one.severity.value,
                    "rung": one.rung.value,
                }
                for one in advisory.findings
            ],
            "digests": [fact | {"label": line(fact["label"])} for fact in digest_facts(advisory)],
            "mitigations": [mitigation_facts(change) for change in advisory.mitigations],
        },
    }
    if advisory.withdrawn_at is not None:
        record["withdrawn"] = utc(advisory.withdrawn_at)
    return record


def _affected(advisory: Advisory) -> list[dict[str, Any]]:
    """Return one entry for each repository with a version that is affected. A fix is one that was shown to be."""
    placed: list[tuple[Hub, Status | None]] = [
        (one.hub, advisory.status_of(one.digest).status) for one in advisory.digests if one.hub is not None
    ]
    found: list[dict[str, Any]] = []
    for repo, group in groupby(sorted(placed, key=lambda one: one[0].repo), key=lambda one: one[0].repo):
        ones = list(group)
        affected = list(dict.fromkeys(hub.commit for hub, status in ones if status is Status.AFFECTED))
        fixed = list(
            dict.fromkeys(hub.commit for hub, status in ones if status is Status.FIXED and hub.commit not in affected)
        )
        if not affected:
            continue
        events = [{"introduced": commit} for commit in affected]
        events += [{"fixed": commit} for commit in fixed] or [{"last_affected": commit} for commit in affected]
        found.append(
            {
                "ranges": [{"type": "GIT", "repo": repo, "events": events}],
                "versions": affected,
                "database_specific": {"purls": sorted({hub.purl for hub, status in ones if status is Status.AFFECTED})},
            }
        )
    return found
