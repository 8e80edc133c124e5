"""An advisory as an AVID report of type Advisory, through the mapping that dossiers use."""

from __future__ import annotations

from datetime import UTC, date
from typing import Any

from weighbridge.findings import avid_tags
from weighbridge.findings.advisory import Advisory
from weighbridge.findings.public import paragraphs, refuse_early
from weighbridge.findings.told import line, markdown


def avid(advisory: Advisory, *, on: date) -> dict[str, Any]:
    """Return the report, of JSON types. Raises `UsageError` when the advisory may not be read on that day."""
    refuse_early(advisory, on)
    tags = avid_tags.in_order(avid_tags.category_tag(one.category) for one in advisory.findings)
    names = dict.fromkeys(line(one.label) for one in advisory.digests)
    return {
        "data_type": "AVID",
        "data_version": avid_tags.DATA_VERSION,
        "affects": {
            "developer": [],
            "deployer": [],
            "artifacts": [{"type": "Model", "name": name} for name in names],
        },
        "problemtype": {
            "classof": "LLM Evaluation",
            "type": "Advisory",
            "description": avid_tags.text(markdown(advisory.title)),
        },
        "references": [
            avid_tags.reference("weighbridge advisory", advisory.digest),
            *(avid_tags.reference(f"finding {one.id}", one.digest) for one in advisory.findings),
            *({"type": "source", "label": one.kind, "url": one.url} for one in advisory.references),
        ],
        "description": avid_tags.text("\n\n".join([*paragraphs(advisory), avid_tags.MARK])),
        "impact": avid_tags.impact(tags),
        "credit": [avid_tags.text(markdown(name)) for name in advisory.credits],
        "reported_date": advisory.published_at.astimezone(UTC).date().isoformat(),
    }
