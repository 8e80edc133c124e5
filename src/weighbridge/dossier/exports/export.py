"""The frame of every export: what goes in, what comes out, and the tally of what was written and what could not be."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any

from pydantic import Field

from weighbridge.digests import digest_bytes
from weighbridge.dossier.exports.formats import FORMATS
from weighbridge.dossier.inspection import InspectionRecord
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.untrusted import one_line
from weighbridge.dossier.write import dossier_bytes
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Record
from weighbridge.standards.rulings import StandardRuling

EXPORT_LOG_SCHEMA = "weighbridge.export-log/1"
_NAMES = uuid.UUID("6b1f6f0e-9d0c-5a52-8f53-0f6f6f6a1d0e")  # the name space of our ids; any fixed one would do


class Kind(StrEnum):
    """The things that a dossier holds. An export writes each one or says why it could not."""

    HEADLINE = "headline"  # the deciding verdict and its paragraph
    RATE = "rate"
    COMPARISON = "comparison"
    GAP = "gap"
    RULING = "requirement ruling"
    BASELINE = "baseline"
    COMPONENT = "component"  # of the candidate and of the baselines
    SUITE = "prompts"  # which prompts were asked: name, version, digest, notes
    GRADER = "grader"  # which grader, and how far it may be trusted
    FILES_READ = "reading of files"
    THREAT = "threat sheet"
    COST = "cost"
    EXAMPLE = "example answer"
    NOTE = "note"
    RUN = "run"  # command and environment


class Dropped(Record):
    """What an export could not carry: `what` (a `Kind` for a thing left out whole, else words), why, how many of them."""

    what: str
    why: str
    count: int = Field(ge=1)


@dataclass(frozen=True)
class Source:
    """What is exported.

    `rulings`: what standards said of this dossier (none: nobody asked). `inspection`: what reading the files said, by the subject's
    identity (None: no files were read, or what was said is not at hand).
    """

    record: DossierRecord
    rulings: tuple[StandardRuling, ...] = ()
    inspection: Mapping[str, InspectionRecord] | None = None

    @cached_property
    def dossier(self) -> str:
        """The dossier's digest: that of its `dossier.json`."""
        return digest_bytes(dossier_bytes(self.record))

    def inventory(self) -> dict[Kind, int]:
        """Return how many things of each kind there are to export."""
        record = self.record
        subjects = (record.candidate, *record.baselines)
        return {
            Kind.HEADLINE: 1,
            Kind.RATE: len(record.rates),
            Kind.COMPARISON: len(record.comparisons),
            Kind.GAP: len(record.gaps),
            Kind.RULING: sum(len(ruling.requirements) for ruling in self.rulings),
            Kind.BASELINE: len(record.baselines),
            Kind.COMPONENT: sum(len(subject.components) for subject in subjects),
            Kind.SUITE: 1,
            Kind.GRADER: 1,
            Kind.FILES_READ: len(record.files_read),
            Kind.THREAT: len(record.threats),
            Kind.COST: len(record.costs),
            Kind.EXAMPLE: len(record.examples),
            Kind.NOTE: len(record.notes),
            Kind.RUN: 1,
        }


@dataclass(frozen=True)
class Export:
    """An export: its files by relative name, how many things of each kind they hold, and what they could not hold."""

    files: Mapping[str, bytes]
    written: Mapping[Kind, int]
    log: tuple[Dropped, ...]


class Tally:
    """Counts what a format writes and what it leaves out, so that nothing is left out in silence."""

    def __init__(self, source: Source) -> None:
        self._inventory = source.inventory()
        self._written: Counter[Kind] = Counter()
        self._whole: Counter[Kind] = Counter()
        self._dropped: Counter[tuple[str, str]] = Counter()

    def wrote(self, kind: Kind, count: int = 1) -> None:
        """Count things that are in the files."""
        self._written[kind] += count

    def drop(self, kind: Kind, why: str, count: int = 1) -> None:
        """Count things that are left out whole."""
        self._whole[kind] += count
        self._note(kind.value, why, count)

    def part(self, what: str, why: str, count: int = 1) -> None:
        """Count parts that are left out of things that are written, such as "method of a rate"."""
        self._note(what, why, count)

    def rest(self, kind: Kind, why: str) -> None:
        """Count all that are left of `kind`, if any, as left out."""
        self.drop(kind, why, self._inventory[kind] - self._written[kind] - self._whole[kind])

    def written(self, kind: Kind) -> int:
        """Return how many of `kind` are in the files so far."""
        return self._written[kind]

    @property
    def log(self) -> tuple[Dropped, ...]:
        """What was left out, in the order in which it was noted; the same thing for the same reason once, with its count."""
        return tuple(Dropped(what=what, why=why, count=count) for (what, why), count in self._dropped.items())

    def export(self, files: Mapping[str, bytes]) -> Export:
        """Return the export. Raises `AssertionError` when something was neither written nor dropped, or both: a mistake of ours."""
        for kind, count in self._inventory.items():
            told = self._written[kind] + self._whole[kind]
            if told != count:
                raise AssertionError(f"{kind.value}: {count} in the dossier, {told} written or dropped")
        return Export(
            files=dict(files), written={kind: self._written[kind] for kind in Kind if self._written[kind]}, log=self.log
        )

    def _note(self, what: str, why: str, count: int) -> None:
        if count:
            self._dropped[one_line(what), one_line(why, 400)] += count


def export_as(name: str, source: Source, *, at: datetime) -> Export:
    """Return the dossier in the format called `name`, one of `FORMATS`.

    `at` is the time that the export gives as its own; with the record's `made_at`, the same dossier gives the same bytes. Raises
    `UsageError` for another name.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no format {name[:60]!r}", where="--format", do=f"use one of {', '.join(FORMATS)}")
    made: Export = import_module(FORMATS[name][0]).export(source, at=at)
    if not all(map(is_inside, made.files)):
        raise AssertionError("an export's files are named relative to its folder")
    return made


def is_inside(name: str) -> bool:
    """Return whether a file's name is relative and stays within its folder.

    >>> is_inside(".eval_results/a.yaml"), is_inside("../a"), is_inside("/a")
    (True, False, False)
    """
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def log_record(name: str, source: Source, export: Export, *, at: datetime) -> dict[str, Any]:
    """Return the export's log as JSON types: `weighbridge.export-log/1`, described in docs/formats/exports.md."""
    return {
        "schema": EXPORT_LOG_SCHEMA,
        "format": name,
        "dossier": source.dossier,
        "made_by": one_line(source.record.made_by),
        "made_at": at.isoformat(),
        "files": {file: digest_bytes(data) for file, data in sorted(export.files.items())},
        "written": {kind.value: count for kind, count in export.written.items()},
        "dropped": [dropped.model_dump(mode="json") for dropped in export.log],
    }


def stable_uuid(*parts: str) -> str:
    """Return a version 5 UUID that depends on nothing but `parts` (digests and names of what it is of).

    >>> stable_uuid("a", "b") == stable_uuid("a", "b") != stable_uuid("ab")
    True
    """
    return str(uuid.uuid5(_NAMES, "\x1f".join(parts)))
