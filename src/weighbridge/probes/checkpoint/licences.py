"""Which licences a model names, in its metadata and by its licence texts, and whether these agree."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, Finding

# The hub's names (docs of its model cards) and other spellings -> SPDX. What has no SPDX id is written LicenseRef-, as SPDX asks.
_SPDX = {
    "apache-2.0": "Apache-2.0", "mit": "MIT", "bsd": "BSD-3-Clause", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause",
    "bsl-1.0": "BSL-1.0", "cc0-1.0": "CC0-1.0", "cc-by-4.0": "CC-BY-4.0", "cc-by-3.0": "CC-BY-3.0", "cc-by-2.0": "CC-BY-2.0",
    "cc-by-sa-4.0": "CC-BY-SA-4.0", "cc-by-sa-3.0": "CC-BY-SA-3.0", "cc-by-nc-4.0": "CC-BY-NC-4.0", "cc-by-nc-3.0": "CC-BY-NC-3.0",
    "cc-by-nc-sa-4.0": "CC-BY-NC-SA-4.0", "cc-by-nc-nd-4.0": "CC-BY-NC-ND-4.0", "cc-by-nd-4.0": "CC-BY-ND-4.0", "gpl-2.0": "GPL-2.0-only",
    "gpl-3.0": "GPL-3.0-only", "gpl-3.0-or-later": "GPL-3.0-or-later", "gpl": "GPL-3.0-only", "lgpl-2.1": "LGPL-2.1-only", "lgpl-3.0": "LGPL-3.0-only",
    "agpl-3.0": "AGPL-3.0-only", "mpl-2.0": "MPL-2.0", "unlicense": "Unlicense", "isc": "ISC", "zlib": "Zlib", "epl-2.0": "EPL-2.0",
    "artistic-2.0": "Artistic-2.0", "wtfpl": "WTFPL", "ms-pl": "MS-PL", "ofl-1.1": "OFL-1.1", "odbl": "ODbL-1.0", "pddl": "PDDL-1.0",
    "cdla-permissive-1.0": "CDLA-Permissive-1.0", "cdla-permissive-2.0": "CDLA-Permissive-2.0", "cdla-sharing-1.0": "CDLA-Sharing-1.0",
    "etalab-2.0": "etalab-2.0", "eupl-1.1": "EUPL-1.1", "eupl-1.2": "EUPL-1.2", "ncsa": "NCSA", "postgresql": "PostgreSQL", "ecl-2.0": "ECL-2.0",
    "lppl-1.3c": "LPPL-1.3c", "afl-3.0": "AFL-3.0", "osl-3.0": "OSL-3.0", "gfdl": "GFDL-1.3-only", "openmdw-1.0": "OpenMDW-1.0",
}  # fmt: skip
_TEXT_NAMES = re.compile(r"(?:^|/)(?:LICEN[CS]E|COPYING|UNLICENSE|NOTICE)[^/]*\Z", re.IGNORECASE)
_WHOLE = re.compile(
    r"(?:LICEN[CS]E|COPYING|UNLICENSE)(?:\.(?:txt|md|rst))?\Z", re.IGNORECASE
)  # of the whole; others are of parts
_UNSTATED = frozenset({"unknown", "other", "none", "n/a", "tbd"})
_EXPRESSION = re.compile(r"[A-Za-z0-9.+-]+(?:\s+(?:AND|OR|WITH)\s+[A-Za-z0-9.+()-]+)+\Z")


@dataclass(frozen=True)
class LicenceFound:
    """A licence: SPDX expression (`LicenseRef-...` for what has no id; None: a text that is not known), its own name, where, by what."""

    expression: str | None
    name: str
    path: str
    kind: str  # "metadata" or "text"


def spdx(name: str) -> str:
    """Return the SPDX expression for a licence's name.

    >>> spdx("apache-2.0"), spdx("llama3.1"), spdx("MIT OR Apache-2.0")
    ('Apache-2.0', 'LicenseRef-llama3.1', 'MIT OR Apache-2.0')
    """
    known = _SPDX.get(name.strip().lower())
    if known:
        return known
    if name in _SPDX.values() or _EXPRESSION.match(name.strip()):
        return name.strip()
    return "LicenseRef-" + (re.sub(r"[^A-Za-z0-9.-]+", "-", name.strip()).strip("-")[:60] or "unnamed")


def examine_licences(files: Sequence[Examined]) -> tuple[list[LicenceFound], list[Finding]]:
    """Return the licences in metadata and texts, and a finding where a text is another licence than the metadata names."""
    licences: list[LicenceFound] = []
    for file in files:
        if "!" not in file.path:
            licences += _metadata(file)
            if file.content is not None and _TEXT_NAMES.search(file.path) and "notice" not in file.path.lower():
                licences.append(_text(file))
    return licences, _conflicts(licences)


def _metadata(file: Examined) -> Iterator[LicenceFound]:
    name = file.path.rsplit("/", 1)[-1]
    if isinstance(value := file.metadata.get("general.license"), str) and value:
        yield LicenceFound(spdx(value), value, file.path, "metadata")
    data = file.metadata.get("json")
    if name in ("config.json", "package.json") and isinstance(data, dict) and isinstance(data.get("license"), str):
        yield LicenceFound(spdx(data["license"]), data["license"], file.path, "metadata")
    if name.lower() == "readme.md" and file.content is not None:
        front = front_matter(file.content)
        stated = front.get("license")
        for each in stated if isinstance(stated, list) else [stated]:
            if isinstance(each, str) and each:
                own = front.get("license_name") if each == "other" else None
                label = own if isinstance(own, str) and own else each
                yield LicenceFound(spdx(label), label, file.path, "metadata")


def front_matter(content: bytes) -> dict[str, Any]:
    """Return the metadata block at the beginning of a model card, {} where there is none that can be read."""
    text = content[: 1 << 16].decode("utf-8", "replace").lstrip("\ufeff")
    match = re.match(r"---[ \t]*\r?\n(.*?)\r?\n---", text, re.DOTALL)
    if not match or ("&" in match[1] and "*" in match[1]):
        return {}
    import yaml

    try:
        data = yaml.load(match[1], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _text(file: Examined) -> LicenceFound:
    """Match a licence's text. identify compares with the texts of the common licences, by edit distance."""
    content = file.content or b""
    name = file.path.rsplit("/", 1)[-1]
    expression: str | None = None
    try:
        from identify.identify import license_id
    except ImportError:
        return LicenceFound(None, name, file.path, "text")
    if len(content) < 200_000:
        with tempfile.NamedTemporaryFile(suffix=".txt") as copy:
            copy.write(content)
            copy.flush()
            try:
                expression = license_id(copy.name)
            except (ValueError, UnicodeDecodeError):
                expression = None
    if expression in ("GPL-3.0", "GPL-2.0", "LGPL-3.0", "LGPL-2.1", "AGPL-3.0"):
        expression += "-only"
    return LicenceFound(expression, name if expression is None else expression, file.path, "text")


def _conflicts(licences: Sequence[LicenceFound]) -> list[Finding]:
    """A text and a name that differ. "Or later" and "only" have the same text; a licence with no id has no text to compare with."""
    named = [each for each in licences if each.kind == "metadata" and each.name.strip().lower() not in _UNSTATED]
    texts = [each for each in licences if each.kind == "text" and each.expression and _WHOLE.match(each.path)]
    findings = []
    stated = {_family(each.expression or "") for each in named}
    for text in texts:
        if stated and _family(text.expression or "") not in {
            part for each in stated for part in re.split(r"\s+(?:AND|OR|WITH)\s+", each)
        }:
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
    return expression.removesuffix("-only").removesuffix("-or-later")
