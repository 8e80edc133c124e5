"""Which licences a model names, in its metadata and by its licence texts, and whether these agree. Names and texts are known to `subject.licences`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, Finding
from weighbridge.subject.front_matter import MAX_LENGTH, front_matter
from weighbridge.subject.licences import spdx_expression
from weighbridge.subject.release_files import Release, licences_of_card

_WHOLE = re.compile(
    r"(?:LICEN[CS]E|COPYING|UNLICENSE)(?:\.(?:txt|md|rst))?\Z", re.IGNORECASE
)  # of the whole; others are of parts
_UNSTATED = frozenset({"unknown", "other", "none", "n/a", "tbd"})
_FAMILIES = frozenset(
    {"bsd", "gpl", "lgpl", "agpl", "gfdl", "cc"}
)  # hubs' names for several licences: any of them fits


@dataclass(frozen=True)
class LicenceFound:
    """A licence: SPDX expression (`LicenseRef-...` for what has no id; None: a text that is not known), its own name, where, by what."""

    expression: str | None
    name: str
    path: str
    kind: str  # "metadata" or "text"


def examine_licences(files: Sequence[Examined], release: Release) -> tuple[list[LicenceFound], list[Finding]]:
    """Return the licences in metadata and texts, and a finding where a text is another licence than the metadata names."""
    licences: list[LicenceFound] = []
    for file in files:
        licences += _metadata(file, release)
        if file.path in release.texts:
            licences.append(_text(file.path, release.texts[file.path]))
    return licences, _conflicts(licences)


def _metadata(file: Examined, release: Release) -> Iterator[LicenceFound]:
    names: list[object] = [file.metadata.get("general.license")]
    data = file.metadata.get("json")
    if file.path.rsplit("/", 1)[-1] in ("config.json", "package.json") and isinstance(data, dict):
        names.append(data.get("license"))
    if file.path == "README.md":
        names += licences_of_card(release.card)
    elif file.path.lower().endswith("/readme.md") and file.content is not None:
        names += licences_of_card(front_matter(file.content[: 4 * MAX_LENGTH].decode("utf-8", "replace")))
    for name in names:
        if isinstance(name, str) and name:
            yield LicenceFound(spdx_expression(name), name, file.path, "metadata")


def _text(path: str, known: str | None) -> LicenceFound:
    if known is None:
        return LicenceFound(None, path.rsplit("/", 1)[-1], path, "text")
    return LicenceFound(spdx_expression(known), known, path, "text")


def _conflicts(licences: Sequence[LicenceFound]) -> list[Finding]:
    """A text and a name that differ. "Or later" and "only" have the same text; two licences without an id may be one under two names."""
    named = [each for each in licences if each.kind == "metadata" and each.name.strip().lower() not in _UNSTATED]
    texts = [each for each in licences if each.kind == "text" and each.expression and _WHOLE.match(each.path)]
    findings = []
    stated = {_family(part) for each in named for part in re.split(r"\s+(?:AND|OR|WITH)\s+", each.expression or "")}
    for text in texts:
        if stated and not any(_may_be(_family(text.expression or ""), name) for name in stated):
            others = ", ".join(sorted({each.expression or each.name for each in named}))
            message = f"the text is that of {text.expression}, the metadata says {others}"
            findings.append(found("licence.conflict", text.path, "text", message))
    by_file: dict[str, set[str]] = {}  # one file that names several offers a choice, or says which part is under which
    for each in named:
        by_file.setdefault(each.path, set()).add(_family(each.expression or ""))
    if len({frozenset(each) for each in by_file.values()}) > 1:
        families = sorted(set().union(*by_file.values()))
        message = "the metadata of different files names different licences: " + ", ".join(families)
        findings.append(found("licence.several", named[0].path, "metadata", message))
    return findings


def _family(expression: str) -> str:
    return expression.strip("()").removesuffix("-only").removesuffix("-or-later")


def _may_be(text: str, name: str) -> bool:
    """Whether a text's licence may be the one that is named."""
    if name.startswith("LicenseRef-"):
        own = name.removeprefix("LicenseRef-").lower()
        return text.startswith("LicenseRef-") or (own in _FAMILIES and text.lower().startswith(own + "-"))
    return text == name
