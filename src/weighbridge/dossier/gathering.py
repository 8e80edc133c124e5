"""Everything that a ruling may read of a dossier, from its folder: the record, and what people and other tools put beside it.

    dossier.json        what was weighed
    inspection.json     what reading the model's files said, whose counts the record repeats
    components.json     which components of the release were found
    attestations.yaml   who says that which document exists
    openness.yaml       what the provider decided on each component, and why
    imported/           what other tools measured
    recourse.jsonl      contested decisions

The one place of the rulings that reads files. What is not there is no evidence; what is there and broken is an error, never "not there".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from pydantic_core import from_json

from weighbridge.digests import digest_bytes, digest_file
from weighbridge.dossier.facts import facts_of
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.untrusted import one_line
from weighbridge.dossier.write import DOSSIER_FILE, read_dossier
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence.attestations import (
    ATTESTATIONS_FILE,
    Attestation,
    Attestations,
    Status,
    load_attestations,
    no_evidence,
    standing,
)
from weighbridge.evidence.elsewhere import ElsewhereResult, MadeElsewhere
from weighbridge.evidence.importers.kept import Imported, of_tool, read_imported
from weighbridge.evidence.openness import (
    FOUND_FILE,
    OPENNESS_FILE,
    Inventory,
    Openness,
    load_openness,
    make_inventory,
    openness_sources,
    openness_values,
    parse_found,
)
from weighbridge.evidence.records import Measured, NotMeasured
from weighbridge.recourse.values import recourse_values
from weighbridge.standards.cel.values import Between
from weighbridge.standards.facts import Fact, Facts, Said, Testimony, in_future
from weighbridge.standards.facts import Path as Name
from weighbridge.subject.components import FoundComponents, found_in_record, sealed

INSPECTION_FILE = "inspection.json"
RECOURSE_FILE = "recourse.jsonl"


@dataclass(frozen=True)
class Gathered:
    """A dossier's record, its digest, all evidence for rulings, and the inventory of its components."""

    record: DossierRecord
    digest: str
    facts: Facts
    inventory: Inventory


def gather(dossier: Path, at: datetime, *, use: str | None = None) -> Gathered:
    """Return the evidence in and beside the dossier at `dossier` (its folder, or its dossier.json). `use`: the one that is declared.

    Raises `UsageError`, `EvidenceError` or the error of the file that is wrong.
    """
    record = read_dossier(dossier)
    folder = dossier if dossier.is_dir() else dossier.parent
    digest = digest_file(folder / DOSSIER_FILE if dossier.is_dir() else dossier)
    inventory = make_inventory(_found_components(folder, record), _declared(folder, at))
    known: dict[Name, Fact] = {}
    absent: dict[Name, str] = {}
    for path, fact in chain(
        _components(inventory), _imported(read_imported(folder)), _recourse(folder / RECOURSE_FILE, at)
    ):
        if isinstance(fact, Fact):
            known[path] = fact
        else:
            absent[path] = fact
    attested = tuple(_testimonies(folder, record.candidate.identity, use))
    inspected = _inspected(folder, record)
    facts = facts_of(record, digest, others=known, why_absent=absent, attested=attested, inspected=inspected)
    return Gathered(record, digest, facts, inventory)


def check_beside(folder: Path) -> None:
    """Raise the error of whatever lies in a dossier's folder beside the record and cannot be read; nothing when all can, or there is none.

    For before a weighing: hours of asking must not end at a slip in a file that was there from the beginning.
    """
    if (folder / ATTESTATIONS_FILE).exists():
        load_attestations(folder / ATTESTATIONS_FILE)
    if (folder / OPENNESS_FILE).exists():
        load_openness(folder / OPENNESS_FILE)
    read_imported(folder)


def found_components(dossier: Path) -> FoundComponents:
    """Return which components of the release were found, by the dossier at `dossier`. Raises as `gather` does."""
    return _found_components(dossier if dossier.is_dir() else dossier.parent, read_dossier(dossier))


def _found_components(folder: Path, record: DossierRecord) -> FoundComponents:
    """Return what was found of the release. What the dossier binds and is not there, or not as it was, counts as nothing found.

    Only a dossier that never looked may fall back on its own record: otherwise losing a find that two licences disagree could improve one.
    """
    path = folder / FOUND_FILE
    if record.components is None:
        if path.exists():
            return sealed(record.candidate.identity, (), [f"the dossier does not name the {FOUND_FILE} beside it"])
        return found_in_record(record.candidate)
    try:
        data = path.read_bytes()
    except OSError:
        return sealed(record.candidate.identity, (), [f"{FOUND_FILE} is not beside the dossier"])
    if digest_bytes(data) != record.components:
        raise EvidenceError("is not the one that the dossier names", where=str(path), do="weigh the model again")
    return parse_found(data.decode(), str(path))


def _inspected(folder: Path, record: DossierRecord) -> bool:
    """Return whether the inspection that the dossier binds is here. Raises `EvidenceError` when it, or what the record says of it, was changed."""
    if record.inspection is None:
        return False
    path = folder / INSPECTION_FILE
    try:
        data = path.read_bytes()
    except OSError:
        return False
    if digest_bytes(data) != record.inspection:
        raise EvidenceError("is not the one that the dossier names", where=str(path), do="weigh the model again")
    if _counts(data, record.candidate.identity, path) != [
        (Counter({name: number for name, number in one.findings.items() if number}), one.not_examined)
        for one in record.files_read
        if one.subject == record.candidate.identity
    ]:
        what = f"files_read is not what {INSPECTION_FILE} says"
        raise EvidenceError(what, where=str(folder / DOSSIER_FILE), do="weigh the model again")
    return True


def _counts(data: bytes, subject: str, path: Path) -> list[tuple[Counter[str], int]]:
    """Return of a subject the findings by severity and how many things were not examined, for each report on it."""
    try:
        return [
            (Counter(str(one["severity"]) for one in each["report"]["findings"]), len(each["report"]["not_examined"]))
            for each in from_json(data)["subjects"]
            if each["identity"] == subject and each["report"] is not None
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise EvidenceError(
            "is not an inspection of this version", where=str(path), do="weigh the model again"
        ) from error


def _declared(folder: Path, at: datetime) -> Openness | None:
    """Return what the provider decided. Decisions that are dated after the ruling are none yet."""
    path = folder / OPENNESS_FILE
    if not path.exists():
        return None
    found = load_openness(path)
    return None if in_future(found.date, at) else found


_SAID_ONLY_WHEN_SO = ("reason_given", "risk_weighed")  # that nothing is written is no evidence, least of all of "no"


def _components(inventory: Inventory) -> Iterator[tuple[Name, Fact | str]]:
    values, sources = openness_values(inventory), openness_sources(inventory)
    for key, source in sources.items():
        path = ("component", *key.split("."))
        value = values.get(key)
        if value is None:
            yield path, one_line(source, 300)
        elif value is False and path[-1] in _SAID_ONLY_WHEN_SO:
            what = "no reason (why)" if path[-1] == "reason_given" else "no risk (risk_weighed)"
            yield path, one_line(f"{what} is written there ({source})", 300)
        else:
            shown = ("yes" if value else "no") if isinstance(value, bool) else one_line(value, 200)
            yield path, Fact(value, shown, one_line(source, 300))


def _recourse(log: Path, at: datetime) -> Iterator[tuple[Name, Fact | str]]:
    found = recourse_values(log, at=at)
    for name, value in found.known.items():
        shown = ("yes" if value else "no") if isinstance(value, bool) else f"{value:g}"
        yield tuple(name.split(".")), Fact(value, shown, RECOURSE_FILE)
    for name, why in found.absent.items():
        yield tuple(name.split(".")), why if log.exists() else f"there is no {RECOURSE_FILE} beside the dossier"


_SAID = {
    Status.DONE: Said.DONE,
    Status.IN_PROGRESS: Said.IN_PROGRESS,
    Status.NOT_DONE: Said.NOT_DONE,
    Status.WAIVED: Said.WAIVED,
    Status.NOT_APPLICABLE: Said.NOT_APPLICABLE,
}


def _testimonies(folder: Path, subject: str, use: str | None) -> Iterator[Testimony]:
    path = _attestations_file(folder, use)
    if path is None:
        return
    found: Attestations = load_attestations(path)
    other = found.not_of(subject, use)
    for one in found.attestations:
        yield Testimony(
            document=one.document,
            requirement=one.requirement,
            said=_SAID[one.status],
            who=one_line(one.who, 80),
            role=one_line(one.role, 80),
            independent=one.independent,
            made_on=one.at,
            valid_until=one.until,
            source=f"{ATTESTATIONS_FILE}: {one.document}",
            why=_why(one),
            refused=other or no_evidence(one, standing(one, path.parent)),
        )


def _attestations_file(folder: Path, use: str | None) -> Path | None:
    """Return the file of attestations: beside the dossier, or where `weighbridge accountability` began one for the use."""
    places = [folder / ATTESTATIONS_FILE, *([folder / "accountability" / use / ATTESTATIONS_FILE] if use else [])]
    found = [path for path in places if path.exists()]
    if len(found) > 1:
        raise UsageError(
            "there are two files of attestations", where=" and ".join(map(str, found)), do="keep one of them"
        )
    return found[0] if found else None


def _why(one: Attestation) -> str:
    parts = [one.why] if one.why else []
    if one.waived_by:
        parts.append(f"waived by {one.waived_by} until {one.waived_until}")
    return one_line("; ".join(parts), 400)


def _imported(imported: tuple[Imported, ...]) -> Iterator[tuple[Name, Fact | str]]:
    """Yield what other tools measured, by tool. Two files of one tool that give one name two values give it none."""
    for tool in dict.fromkeys(one.entry.tool for one in imported):
        found = of_tool(imported, tool)
        if isinstance(found, NotMeasured):
            yield ("elsewhere", tool.value, "present"), str(found)
            continue
        files = ", ".join(one_line(one.file, 80) for one in found)
        yield ("elsewhere", tool.value, "present"), Fact(True, files, f"imported: {files}", _made(found), tool.value)
        values: dict[str, list[tuple[MadeElsewhere, ElsewhereResult]]] = {}
        for record in found:
            for result in record.results:
                values.setdefault(f"{result.name}/{result.metric}", []).append((record, result))
        for name, several in values.items():
            yield ("elsewhere", tool.value, "result", name), _one(several)


def _one(several: list[tuple[MadeElsewhere, ElsewhereResult]]) -> Fact | str:
    record, result = several[0]
    outcome = result.outcome
    if len(several) > 1 and any(other.outcome != outcome for _, other in several):
        return f"{len(several)} imported results of this name differ"
    if not isinstance(outcome, Measured):
        return str(outcome)
    low = high = outcome.value
    if result.interval is not None:  # it need not hold the value: both are what the tool says
        low, high = min(low, result.interval.low), max(high, result.interval.high)
    n = f", n {result.n}" if result.n is not None else ", n not told"
    model = f" of {one_line(result.subject_named, 60)}" if result.subject_named else ""
    shown = f"{outcome.value:g} {one_line(outcome.unit, 20)} ({low:g} to {high:g}{n}){model}"
    return Fact(Between(low, high), shown, f"imported: {one_line(record.file, 80)}", _made([record]), record.tool.value)


def _made(records: list[MadeElsewhere] | tuple[MadeElsewhere, ...]) -> datetime:
    """Return the age of the oldest: when the tool says that it was made, else when it was imported."""
    return min(_with_zone(one.made_at or one.imported_at) for one in records)


def _with_zone(moment: datetime) -> datetime:
    """Return a time that may lack its zone, as other tools write it: UTC is what most of them mean."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
