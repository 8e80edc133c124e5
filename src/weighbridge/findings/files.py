"""Files of findings and advisories: YAML or TOML in, checked records out, with every problem at once and its line; templates; an advisory from findings."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from weighbridge.errors import TypedFileError, UsageError
from weighbridge.findings.advisory import (
    ADVISORY_SCHEMA,
    NO_TEXT_SUMMARY,
    NO_TEXT_TITLE,
    Advisory,
    Listed,
    Status,
    about,
)
from weighbridge.findings.finding import CSAM_ROUTE, FINDING_SCHEMA, Finding
from weighbridge.protocol.typed_files import Lines, TypedFile, is_toml, lines_of
from weighbridge.protocol.vocabulary import Category
from weighbridge.subject.shown import shown


class FindingError(TypedFileError):
    """A file of a finding or an advisory is wrong."""

    def __init__(self, problems: Sequence[str], *, where: str | None = None) -> None:
        super().__init__(
            problems,
            where=where,
            do="`weighbridge finding new ID` prints a finding with every field explained, "
            "and `weighbridge finding advisory` makes an advisory",
        )


_FINDING = TypedFile("finding", Finding, FindingError)
_ADVISORY = TypedFile("advisory", Advisory, FindingError)


def load(path: Path) -> Finding | Advisory:
    """Return the finding or the advisory in a file: its `schema` says which.

    Raises `FindingError` with all that is wrong in the file, each with its line, `UsageError` when there is no such file.
    """
    return parse(_FINDING.read(path), str(path))


def parse(text: str, where: str) -> Finding | Advisory:
    """Return what a file's text describes; `where` names it in errors and, by its suffix, says which form it has.

    A file that says that material of child sexual abuse is involved is refused before anything else in it is read.
    """
    data = _FINDING.parse(text, where)
    schema = data.get("schema") if isinstance(data, dict) else None
    lines: Lines = partial(toml_lines, text) if is_toml(text, where) else partial(lines_of, text)
    if schema == ADVISORY_SCHEMA:
        return _ADVISORY.check(data, where=where, lines=lines)
    if isinstance(data, dict) and data.get("csam_involved", False) is not False:
        raise FindingError([f"csam_involved: {CSAM_ROUTE}"], where=where)
    if isinstance(data, dict) and schema != FINDING_SCHEMA:
        told = f'must be "{FINDING_SCHEMA}" or "{ADVISORY_SCHEMA}"'
        raise _FINDING.refused({"schema": told}, where, lines)
    return _FINDING.check(data, where=where, lines=lines)


def load_finding(path: Path) -> Finding:
    """Return the finding in a file. Raises as `load`, and `UsageError` when it is an advisory."""
    found = load(path)
    if not isinstance(found, Finding):
        raise UsageError("an advisory, not a finding", where=str(path), do="give a file of a finding")
    return found


def new_finding_text(finding_id: str, *, today: date) -> str:
    """Return a finding to begin with, as YAML in which every field is explained. It loads as it is. Raises `FindingError` for an id that cannot be one."""
    text = files("weighbridge.findings").joinpath("new.yaml").read_text("utf-8")
    text = text.replace("{{id}}", json.dumps(finding_id)).replace("{{today}}", today.isoformat())
    parse(text, shown(finding_id))
    return text


def advisory_of(findings: Sequence[Finding], *, id: str, publisher: str, at: datetime) -> Advisory:
    """Return an advisory of findings to begin with: every digest that one of them affects is affected, and nothing was changed yet.

    Raises `UsageError` when two findings have one id, `FindingError` for an id or a publisher that cannot be one.
    """
    ids = [one.id for one in findings]
    if len(set(ids)) < len(ids):
        raise UsageError("two findings have one id", where=id, do="give each finding an id of its own")
    affected = {one.digest: one for finding in findings for one in finding.affected}
    bare = any(one.category is Category.CHILD_SEXUAL_EXPLOITATION for one in findings)
    try:
        return Advisory(
            schema="weighbridge.advisory/1",
            id=id,
            publisher=publisher,
            title=NO_TEXT_TITLE if bare else findings[0].name,
            summary=NO_TEXT_SUMMARY if bare else "\n".join(one.summary or one.name for one in findings)[:4000],
            published_at=at,
            modified_at=at,
            findings=tuple(about(one) for one in findings),
            digests=tuple(
                Listed(digest=one.digest, what=one.what, label=one.label, declared=Status.AFFECTED)
                for one in affected.values()
            ),
            credits=() if bare else tuple(dict.fromkeys(one.found_by.name for one in findings)),
        )
    except ValidationError as error:
        told = [
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise FindingError(told, where=shown(id)) from None


def advisory_text(advisory: Advisory) -> str:
    """Return an advisory as YAML that reads back as it is. An advisory that may not be read yet says so in its first line."""
    import yaml

    day = advisory.public_from
    head = "# An advisory. docs/formats/findings.md explains every field.\n"
    if day is None:
        head += "# NOT PUBLIC: a finding of it is not public and has no date. Renderings for the public leave it out.\n"
    else:
        head += f"# Not before {day}: renderings for the public leave it out until then.\n"
    plain = _without_nothing(advisory.model_dump(mode="json", by_alias=True))
    return head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)


def _without_nothing(value: Any) -> Any:
    """Leave out what is None or empty: what is not there is not told, and every such field has that default."""
    if isinstance(value, dict):
        return {key: _without_nothing(inner) for key, inner in value.items() if inner is not None and inner != []}
    return [_without_nothing(inner) for inner in value] if isinstance(value, list) else value


def toml_lines(text: str) -> dict[str, int]:
    """Return the line of each place in a TOML text that could be read, such as `affected[1].digest`; counted from 1.

    Keys inside an inline table or list have the line of what holds them.

    >>> toml_lines('id = "a"\\n[[affected]]\\nwhat = "root"\\n[affected.hub]\\nname = 1\\n')
    {'id': 1, 'affected[0]': 2, 'affected[0].what': 3, 'affected[0].hub': 4, 'affected[0].hub.name': 5}
    """
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    section, quote = "", ""
    for number, line in enumerate(text.splitlines(), start=1):
        if quote:
            quote = "" if quote in line else quote
        elif header := re.match(r"\s*(\[\[?)\s*([\w.\"' -]+?)\s*\]\]?\s*(#.*)?$", line):
            *above, last = (part.strip(" \"'") for part in header[2].split("."))
            section = ""
            for part in above:
                section = _joined(section, part)
                section += f"[{counts[section]}]" if section in counts else ""
            section = _joined(section, last)
            if header[1] == "[[":
                counts[section] = counts.get(section, -1) + 1
                section += f"[{counts[section]}]"
            found[section] = number
        elif entry := re.match(r"\s*([\w.\"'-]+)\s*=(.*)$", line):
            found.setdefault(_joined(section, re.sub("[\"']", "", entry[1])), number)
            for mark in ('"""', "'''"):
                if entry[2].count(mark) % 2:
                    quote = mark
    return found


def _joined(place: str, step: str) -> str:
    return f"{place}.{step}" if place else step
