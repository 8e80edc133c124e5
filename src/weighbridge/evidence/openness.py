"""Openness: what a provider decided on each component and why, joined with what was found. Format: docs/formats/openness.md.

What was found in the files is decisive wherever it says anything; the provider's word fills what files do not show, and is bound to the subject's
identity. So nothing can be gained by taking either away: docs/methods/openness.md has the reasoning. Pure but for `load_openness`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from weighbridge.digests import Digest
from weighbridge.errors import EvidenceError, TypedFileError
from weighbridge.evidence.records import Record
from weighbridge.protocol.typed_files import TypedFile, is_toml, lines_of
from weighbridge.subject.components import ComponentFound, ComponentId, FoundComponents
from weighbridge.subject.licences import UNLICENSED, Judgement, judge, licence_id, same_licence

OPENNESS_FILE = "openness.yaml"
FOUND_FILE = "components.json"
UNDECLARED = "not declared"
MAX_FOUND_BYTES = 4 << 20
AS_KIND = "as kind"
AS_DISTRIBUTION = "as distribution"
NOT_STATED = "not stated"
FIELDS = (
    "released",
    "partly",
    "licence",
    "licence_open",
    "licence_fits",
    "conditional",
    "reason_given",
    "risk_weighed",
)
NOT_FOUND = "not found here"
NOT_LOOKED = "the model's files were not looked into"


class OpennessError(TypedFileError):
    """A provider's file of decisions is wrong."""

    def __init__(self, problems: Sequence[str], *, where: str | None = None) -> None:
        super().__init__(problems, where=where, do="docs/formats/openness.md explains every field")


class Decided(StrEnum):
    """What the provider decided on a component."""

    RELEASED = "released"
    PARTLY = "partly"
    WITHHELD = "withheld"
    PLANNED = "planned"
    NOT_APPLICABLE = "not applicable"

    @property
    def opens(self) -> bool:
        """Whether anything of the component is opened by it."""
        return self in (Decided.RELEASED, Decided.PARTLY)


def _place(text: str) -> str:
    if re.match(r"https://[^\s/]+", text):
        return text
    parts = text.split("/")
    if ".." in parts or text.startswith("/") or "\\" in text or ":" in text:
        raise ValueError("must be an address that begins with https://, or a path below the model's directory")
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Licence = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
Where = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]+$"), AfterValidator(_place)
]


class Risk(Record):
    """Which risk of opening a component was weighed, in words; `evidence` names a fact or a threat sheet that it stands on."""

    text: Text
    evidence: Name | None = None


class Decision(Record):
    """What was decided on one component.

    `where`: an https address, or a path within the model's directory. `licence`: an SPDX id or expression; "unlicensed"; "not stated"; or which of the
    licences for more than one component it takes: "as kind" (code, data, document) or "as distribution".
    """

    decision: Decided
    why: Text | None = None
    where: Where | None = None
    licence: Licence | None = None
    digest: Digest | None = None
    risk_weighed: Risk | None = None
    decided_on: date | None = None

    @model_validator(mode="after")
    def _whole(self) -> Decision:
        if self.decision.opens and self.licence is None:
            raise ValueError(
                f"what is {self.decision.value} needs a licence: an SPDX id, {AS_KIND}, {AS_DISTRIBUTION}, {UNLICENSED} or {NOT_STATED}"
            )
        if not self.decision.opens:
            extra = [name for name in ("licence", "where", "digest") if getattr(self, name) is not None]
            if extra:
                raise ValueError(f"what is {self.decision.value} has no {' or '.join(extra)}")
        return self


class DecidedBy(Record):
    """Who decided: an organisation, and the role of whoever spoke for it."""

    organisation: Name
    role: Name


class SharedLicences(Record):
    """Licences that components take by "as kind" or "as distribution"."""

    code: Licence | None = None
    data: Licence | None = None
    document: Licence | None = None
    distribution: Licence | None = None


class Openness(Record):
    """A provider's decisions on one subject. `criteria` names the standard that it goes by, when it has its own."""

    schema_: Literal["weighbridge.openness/1"] = Field(alias="schema")
    subject: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    decided_by: DecidedBy
    date: date
    criteria: Name | None = None
    licences: SharedLicences = SharedLicences()
    components: dict[ComponentId, Decision]

    model_config = Record.model_config | {"populate_by_name": True}

    @model_validator(mode="after")
    def _whole(self) -> Openness:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        for component, decision in self.components.items():
            if decision.decided_on is not None and decision.decided_on > self.date:
                yield f"components.{component}: decided_on ({decision.decided_on}) is after date ({self.date})"
            if decision.licence == AS_KIND and getattr(self.licences, component.about.kind.value) is None:
                yield f"components.{component}: licence {AS_KIND}, but licences.{component.about.kind} is not there"
            if decision.licence == AS_DISTRIBUTION and self.licences.distribution is None:
                yield f"components.{component}: licence {AS_DISTRIBUTION}, but licences.distribution is not there"
        for name in SharedLicences.model_fields:
            if getattr(self.licences, name) in (AS_KIND, AS_DISTRIBUTION):
                yield f"licences.{name}: must be a licence, not {getattr(self.licences, name)}"


_KIND = TypedFile("openness", Openness, OpennessError)


def load_openness(path: Path) -> Openness:
    """Return a provider's decisions from a YAML or TOML file. Raises `OpennessError` with all that is wrong, `UsageError` when it is not there."""
    return parse_openness(_KIND.read(path), str(path))


def parse_openness(text: str, where: str) -> Openness:
    """Return a provider's decisions from a text; `where` names it in errors. Raises `OpennessError`."""
    data = _KIND.parse(text, where)
    return _KIND.check(data, where=where, lines=dict if is_toml(text, where) else lambda: lines_of(text))


def found_text(found: FoundComponents) -> str:
    """Return the record of what was found, as JSON to keep beside a dossier (`components.json`)."""
    return json.dumps(found.model_dump(mode="json", by_alias=True), ensure_ascii=False, indent=1) + "\n"


def parse_found(text: str, where: str) -> FoundComponents:
    """Return the record that `found_text` wrote. Raises `EvidenceError` when it is damaged or anything was taken out of it."""
    if len(text) > MAX_FOUND_BYTES:
        raise EvidenceError(f"larger than {MAX_FOUND_BYTES:,} bytes", where=where, do="look into the model again")
    try:
        return FoundComponents.model_validate_json(text)
    except ValidationError as error:
        what = str(error.errors(include_url=False, include_input=False)[0]["msg"]).removeprefix("Value error, ")
        raise EvidenceError(what, where=where, do="look into the model again") from None


# ---- found and declared, joined


@dataclass(frozen=True)
class Item:
    """One component in the inventory. None: not known, and the text beside it says why; otherwise the text is the source.

    `remarks`: contradictions between what was found and what was declared, and what qualifies the find.
    """

    component: ComponentId
    found: ComponentFound | None
    decision: Decision | None
    released: bool | None
    released_from: str
    licence: str | None
    licence_from: str
    judgement: Judgement | None
    remarks: tuple[str, ...] = ()

    @property
    def licence_open(self) -> bool | None:
        """Whether the resolved licence is open; None: not known."""
        return self.judgement.open if self.judgement else None

    @property
    def licence_fits(self) -> bool | None:
        """Whether an open licence is meant for this kind of content; None: not known."""
        return self.judgement.fits if self.judgement else None


@dataclass(frozen=True)
class Inventory:
    """Every component of the vocabulary, in its order. `declared` None: no provider's file, or (`refused` says so) one of another subject."""

    subject: str
    items: Mapping[ComponentId, Item]
    declared: Openness | None = None
    refused: str | None = None
    passed_over: tuple[str, ...] = ()


def make_inventory(found: FoundComponents, declared: Openness | None = None) -> Inventory:
    """Return what was found and declared, component by component.

    `found` is always needed: a provider's word is read beside what the subject's files show, if only that there are none (`sealed(identity)`).
    """
    refused = None
    if declared is not None and declared.subject != found.subject:
        refused = f"{OPENNESS_FILE} speaks of another subject, so nothing in it counts"
        declared = None
    items = {
        component: _item(component, found.find(component), declared, refused, found.complete)
        for component in ComponentId
    }
    return Inventory(found.subject, items, declared, refused, found.passed_over)


def _item(
    component: ComponentId,
    found: ComponentFound | None,
    declared: Openness | None,
    refused: str | None,
    complete: bool,
) -> Item:
    decision = declared.components.get(component) if declared else None
    remarks: list[str] = []
    released, released_from = _released(found, decision, declared, refused, remarks, complete)
    licence, licence_from = _licence(component, found, decision, declared, refused, remarks, complete)
    judgement = judge(licence, component.about.kind) if licence is not None else None
    if found and found.note:
        remarks.append(found.note)
    return Item(component, found, decision, released, released_from, licence, licence_from, judgement, tuple(remarks))


def _said_by(declared: Openness) -> str:
    return f"{OPENNESS_FILE}: {declared.decided_by.organisation}, {declared.decided_by.role}, {declared.date}"


def _released(
    found: ComponentFound | None,
    decision: Decision | None,
    declared: Openness | None,
    refused: str | None,
    remarks: list[str],
    complete: bool,
) -> tuple[bool | None, str]:
    """Files that are found are released whatever was decided. Otherwise the decision says, and a release needs a place."""
    if found is not None:
        if decision is not None and not decision.decision.opens:
            remarks.append(f"declared {decision.decision.value}, yet found: {found.files[0]}")
        more = f" and {found.file_count - 1:,} more" if found.file_count > 1 else ""
        return True, f"{found.files[0]}{more}"
    if decision is None or declared is None:
        return None, refused or f"{NOT_FOUND}, and nothing was decided on it in {OPENNESS_FILE}"
    by = _said_by(declared)
    if decision.decision is Decided.NOT_APPLICABLE:
        return None, f"declared not applicable ({by})"
    if decision.decision is not Decided.RELEASED:
        return False, f"declared {decision.decision.value} ({by})"
    if decision.where is None:
        return None, f"declared released, but no place is given ({by})"
    if not decision.where.startswith("https://"):
        remarks.append(f"declared to be here as {decision.where}, where it was not found")
        return None, f"declared to be in the files, {NOT_FOUND} ({by})"
    if not complete:
        return None, f"declared to be at {decision.where}, but {NOT_LOOKED} ({by})"
    return True, f"declared to be at {decision.where}, which nobody looked into ({by})"


def _licence(
    component: ComponentId,
    found: ComponentFound | None,
    decision: Decision | None,
    declared: Openness | None,
    refused: str | None,
    remarks: list[str],
    complete: bool,
) -> tuple[str | None, str]:
    """What files say of their licence is decisive; where they say nothing, the provider's word is. Both are shown when they differ."""
    said, said_from = _declared_licence(component, decision, declared)
    if found is not None and (found.claims or found.licence_note):
        for claim in found.claims:
            # A licence that holds for some of the files only may well differ from the one that holds for all.
            if said is not None and not same_licence(claim.name, said) and not same_licence(found.licence or "", said):
                remarks.append(f"licence declared as {said}, found as {claim.name} ({claim.source})")
        if found.licence is not None:
            sources = dict.fromkeys(claim.source for claim in found.claims)
            return found.licence, ", ".join(list(sources)[:5]) + (", ..." if len(sources) > 5 else "")
        names = ", ".join(f"{claim.name} ({claim.source})" for claim in found.claims[:5])
        return None, (found.licence_note or "not resolved") + (f": {names}" if names else "")
    if said is not None and not complete:
        return None, f"declared as {said}, but {NOT_LOOKED}"
    if said is not None:
        return said, said_from
    if decision is not None:
        return None, said_from
    if found is not None:
        return None, refused or f"no licence was found for it, and none is declared in {OPENNESS_FILE}"
    return None, refused or f"{NOT_FOUND}, and nothing was decided on it in {OPENNESS_FILE}"


def _declared_licence(
    component: ComponentId, decision: Decision | None, declared: Openness | None
) -> tuple[str | None, str]:
    if decision is None or declared is None:
        return None, ""
    by = _said_by(declared)
    if decision.licence is None:
        return None, f"declared {decision.decision.value}, without a licence ({by})"
    if decision.licence == NOT_STATED:
        return None, f"no licence is stated ({by})"
    if decision.licence == AS_KIND:
        kind = component.about.kind.value
        return licence_id(getattr(declared.licences, kind)), f"the licence for {kind} ({by})"
    if decision.licence == AS_DISTRIBUTION:
        return licence_id(declared.licences.distribution or ""), f"the licence of the distribution ({by})"
    return licence_id(decision.licence), f"the component's own licence ({by})"


# ---- for rulings and for pages


def openness_values(inventory: Inventory) -> dict[str, bool | str]:
    """Return what is known, by `<component>.<field>`. A key that is not there is not known: `openness_sources` says why."""
    return {key: value for key, value, _ in _facts(inventory) if value is not None}


def openness_sources(inventory: Inventory) -> dict[str, str]:
    """Return for every key, known or not, the source in words, or why it is not known."""
    return {key: source for key, _, source in _facts(inventory)}


def _facts(inventory: Inventory) -> Iterator[tuple[str, bool | str | None, str]]:
    for component, item in inventory.items.items():
        for name, value, source in _fields(item, inventory):
            yield f"{component}.{name}", value, source


def _fields(item: Item, inventory: Inventory) -> Iterator[tuple[str, bool | str | None, str]]:
    yield "released", item.released, item.released_from
    decision, declared = item.decision, inventory.declared
    undecided = inventory.refused or f"nothing was decided on it in {OPENNESS_FILE}"
    by = _said_by(declared) if declared is not None and decision is not None else undecided
    yield "partly", None if decision is None else decision.decision is Decided.PARTLY, by
    none_given = item.licence is not None and item.licence.lower() == UNLICENSED
    yield "licence", None if none_given else item.licence, item.licence_from
    judged = item.judgement
    reason = f"{judged.reason} ({item.licence_from})" if judged else item.licence_from
    yield "licence_open", item.licence_open, reason
    yield "licence_fits", item.licence_fits, reason
    yield "conditional", judged.conditional if judged else None, reason
    yield "reason_given", None if decision is None else decision.why is not None, by
    yield "risk_weighed", None if decision is None else decision.risk_weighed is not None, by


@dataclass(frozen=True)
class OpennessRow:
    """One row of the table for pages: plain strings, not escaped; what is not there says so in words."""

    component: str
    kind: str
    asked_by: str
    found: str
    decision: str
    why: str
    risk: str
    licence: str
    licence_verdict: str
    where: str
    remarks: tuple[str, ...]


def openness_rows(inventory: Inventory) -> tuple[OpennessRow, ...]:
    """Return the inventory as a table, a row a component, in the vocabulary's order."""
    return tuple(_row(item) for item in inventory.items.values())


def _row(item: Item) -> OpennessRow:
    about, decision, judged = item.component.about, item.decision, item.judgement
    risk = decision.risk_weighed if decision else None
    return OpennessRow(
        component=about.label,
        kind=about.kind.value,
        asked_by=", ".join(f"{framework.value}: {name}" for framework, name in about.asked_by.items()) or "nobody",
        found=item.released_from if item.found else NOT_FOUND,
        decision=decision.decision.value if decision else UNDECLARED,
        why=(decision.why if decision else None) or "no reason given",
        risk=(risk.text + (f" ({risk.evidence})" if risk.evidence else "")) if risk else "not shown",
        licence=item.licence or "not shown",
        licence_verdict=_verdict(judged),
        where=(decision.where if decision else None) or ("in the model's files" if item.found else "no place given"),
        remarks=item.remarks,
    )


def _verdict(judged: Judgement | None) -> str:
    if judged is None or judged.open is None:
        return "not shown"
    if not judged.open:
        return "not open"
    return "open" if judged.fits else "open, conditional" if judged.fits is False else "open, fit not shown"


# ---- a file to begin with

_HEAD = """\
# What the provider decided on each component of this release, and why. weighbridge shows it beside what it found in the files.
# Every find is a proposal here: read each entry, change what is not so, and say why.
schema: weighbridge.openness/1

# The model that these decisions are on: its digest. Decisions on one model say nothing of another.
subject: {subject}

# Who decided: the organisation, and the role of whoever speaks for it.
decided_by: {{organisation: {organisation}, role: {role}}}
date: "{date}"

# The standard that you go by, if you have criteria of your own (`weighbridge standard new` writes one to begin with).
# criteria: our-openness

# Licences that components share. A component says `licence: as kind` or `licence: as distribution` to take one.
licences: {{}}
#   code: Apache-2.0
#   data: CDLA-Permissive-2.0
#   document: CC-BY-4.0
#   distribution: Apache-2.0

# For each component:
#   decision       released | partly | withheld | planned | not applicable
#   why            the reason, in your words
#   where          an address that begins with https://, or a path in the model's directory (released and partly)
#   licence        SPDX id or expression | as kind | as distribution | unlicensed | not stated (released and partly)
#   digest         sha256:... of what is there, if you want to bind it
#   risk_weighed   {{text: which risk of opening this was weighed, evidence: a fact's name or a threat sheet's id}}
#   decided_on     the date of this decision, in quotes, if it differs from the file's
components:
"""


def new_openness_text(found: FoundComponents, *, organisation: str, role: str, today: date) -> str:
    """Return an `openness.yaml` to begin with, filled from what was found. It loads as it is."""
    head = _HEAD.format(
        subject=json.dumps(found.subject),
        organisation=json.dumps(organisation, ensure_ascii=False),
        role=json.dumps(role, ensure_ascii=False),
        date=today.isoformat(),
    )
    here, others = [], []
    for component in ComponentId:
        part = found.find(component)
        title = f"  # {component.about.label} ({component.about.kind.value})"
        if part is None:
            others.append(f"{title}\n  # {component}:\n  #   decision:\n  #   why:\n")
            continue
        licence = json.dumps(part.licence or NOT_STATED, ensure_ascii=False)
        place = part.files[0] if _is_place(part.files[0]) else None
        where = f"    where: {json.dumps(place, ensure_ascii=False)}\n" if place else ""
        here.append(
            f"{title}: {part.file_count:,} found\n  {component}:\n    decision: released\n{where}    licence: {licence}\n    # why:\n"
        )
    if not here:
        head = head.removesuffix("components:\n") + "components: {}\n"
    text = head + "\n".join(here) + "\n  # ---- not found here: decide on what applies\n" + "\n".join(others)
    parse_openness(text, OPENNESS_FILE)
    return text


def _is_place(name: str) -> bool:
    try:
        _place(name)
    except ValueError:
        return False
    return len(name) <= 500 and name.isprintable()
