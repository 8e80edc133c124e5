"""Our mapping to the tags of AVID's taxonomy, and the parts that every AVID report has. Shared by findings and dossiers.

After AVID's data models (avidtools 0.1.2 and 0.3.2). The mapping is ours, which every report says: AVID has reviewed none of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weighbridge.protocol.vocabulary import Category

DATA_VERSION = "0.3.1"  # what avidtools 0.3.2 writes in its own connectors
TAXONOMY_VERSION = "0.2"
LANGUAGE = "eng"
MARK = "The tags of the AVID taxonomy in this report are a mapping made by weighbridge, not by AVID."
BYPASS = "S0400: Model Bypass"

# Ours, not AVID's: the categories that have a tag of their own; the others are P0400.
_SAFETY = "P0400: Safety"
_BY_CATEGORY = {
    Category.VIOLENT_CRIMES: "P0402: Physical safety",
    Category.INDISCRIMINATE_WEAPONS: "P0402: Physical safety",
    Category.NON_VIOLENT_CRIMES: "P0403: Socioeconomic safety",
    Category.SELF_HARM: "P0401: Psychological Safety",
    Category.HATE: "E0301: Toxicity",
    Category.ELECTIONS: "E0402: Generative Misinformation",
    Category.DEFAMATION: "E0402: Generative Misinformation",
}
_DOMAINS = {"S": "Security", "E": "Ethics", "P": "Performance"}


def category_tag(category: Category | None) -> str:
    """Return the tag of a harm category; None stands for all of them.

    >>> category_tag(Category.HATE), category_tag(None)
    ('E0301: Toxicity', 'P0400: Safety')
    """
    return _SAFETY if category is None else _BY_CATEGORY.get(category, _SAFETY)


def in_order(tags: Iterable[str]) -> list[str]:
    """Return tags of the effect view in AVID's order: security, ethics, performance."""
    return sorted(set(tags), key=lambda tag: ("SEP".index(tag[0]), tag))


def impact(tags: list[str]) -> dict[str, Any]:
    """Return a report's `impact` for tags of the effect view."""
    return {
        "avid": {
            "vuln_id": None,  # avidtools 0.1.2 wants the key; AVID gives the value
            "risk_domain": [domain for letter, domain in _DOMAINS.items() if any(tag[0] == letter for tag in tags)],
            "sep_view": tags,
            "lifecycle_view": ["L05: Evaluation"],
            "taxonomy_version": TAXONOMY_VERSION,
        }
    }


def text(value: str) -> dict[str, Any]:
    """Return words as AVID writes them."""
    return {"lang": LANGUAGE, "value": value}


def reference(label: str, digest: str) -> dict[str, Any]:
    """Return a reference by digest (RFC 6920): what is named so cannot move, and has no address."""
    return {"type": "source", "label": f"{label}, {digest}", "url": f"nih:sha-256;{digest.removeprefix('sha256:')}"}
