"""Advisories as an Atom feed (RFC 4287). What may not be read yet leaves no trace in it: no entry, no count, no time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from xml.etree import ElementTree as ET  # writes only; nothing is parsed here

from weighbridge.errors import UsageError
from weighbridge.findings.advisory import Advisory
from weighbridge.findings.public import paragraphs, utc
from weighbridge.findings.told import line

ATOM = "http://www.w3.org/2005/Atom"
_SPACE = uuid.UUID("6a3b5f0e-54c5-5f0b-9c52-6c6f0d2b7a11")  # ours, drawn once: ids stay the same for ever


def feed(
    advisories: Iterable[Advisory],
    *,
    title: str,
    publisher: str,
    on: date,
    url: str | None = None,
    pages: str | None = None,
) -> bytes:
    """Return the feed as UTF-8 XML: one entry for each advisory that may be read on that day, the newest first.

    `url`: where the feed will lie. `pages`: where each advisory has a page, with its id added to it. The feed's time is that of its newest entry; of an
    empty feed, the beginning of `on`.
    Raises `UsageError` when two of these are the same advisory: an entry's id is its own.
    """
    public = sorted(
        (one for one in advisories if one.is_public(on)), key=lambda one: (_changed(one), one.id), reverse=True
    )
    names = [(one.publisher, one.id) for one in public]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError("given twice", where=twice[1], do="give the newest file of each advisory, and only that")
    root = ET.Element("feed", xmlns=ATOM)
    _put(root, "id", _urn("feed", publisher, title))
    _put(root, "title", line(title))
    _put(root, "updated", utc(_changed(public[0]) if public else datetime.combine(on, time(), UTC)))
    _put(ET.SubElement(root, "author"), "name", line(publisher))
    _put(root, "generator", "weighbridge")
    if url is not None:
        ET.SubElement(root, "link", rel="self", href=line(url))
    for one in public:
        entry = ET.SubElement(root, "entry")
        _put(entry, "id", _urn("advisory", one.publisher, one.id))
        _put(entry, "title", line(f"{one.id}: {one.title}" + (" (withdrawn)" if one.withdrawn_at else "")))
        _put(entry, "updated", utc(_changed(one)))
        _put(entry, "published", utc(one.published_at))
        _put(ET.SubElement(entry, "author"), "name", line(one.publisher))
        for category in dict.fromkeys(finding.category for finding in one.findings):
            ET.SubElement(entry, "category", term=category.value, label=category.label)
        if pages is not None:
            ET.SubElement(entry, "link", rel="alternate", type="text/html", href=pages + one.id)
        for reference in one.references:
            ET.SubElement(entry, "link", rel="related", href=reference.url)
        content = ET.SubElement(entry, "content", type="text")
        content.text = "\n\n".join(paragraphs(one, line))
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _changed(advisory: Advisory) -> datetime:
    return max(advisory.modified_at, advisory.withdrawn_at or advisory.modified_at)


def _put(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _urn(*parts: str) -> str:
    return uuid.uuid5(_SPACE, "\0".join(parts)).urn
