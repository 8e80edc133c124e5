"""What lineage keeps of a publication: its fingerprint, its tensors' traits and what it says it was made from, read from the files that were signed.

Only marks by known signers come to count in searches, so that a stranger's dossier makes nobody kin; and the same mark of the same weights once, so
that many weighings of one model do not crowd out its kin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select, update

from weighbridge.dossier.record import DossierRecord
from weighbridge.errors import EvidenceError
from weighbridge.probes.checkpoint.weights.fingerprint import LEAST_BITS, Fingerprint
from weighbridge.registry.lineage.index import row_of
from weighbridge.registry.lineage.marks import Mark, NotMeasured, pack_mark, read_mark
from weighbridge.registry.lineage.traits import Traits, read_traits
from weighbridge.registry.tables import label_key
from weighbridge.registry.tables.lineage import declared, marks, traits
from weighbridge.subject.model import Subject

MOST_NAMES = 20
MAX_NAME = 200

# How `subject.directory` and `subject.model_file` note what a card or a file declares.
_MADE_FROM = re.compile(r"made from (.{1,5000}), as (?:its card|the file) says")


@dataclass(frozen=True)
class Marked:
    """What a dossier says of a model's descent. `traits`: None where no tensors were read. `declared`: names of what it was made from."""

    mark: Mark
    traits: Traits | None
    declared: tuple[str, ...]


def marked_in(files: Mapping[str, bytes]) -> Marked:
    """Return what the files of a dossier, `dossier.json` and `inspection.json`, say of its candidate. What is damaged is not measured."""
    data = files.get("dossier.json")
    if data is None:
        return Marked(NotMeasured("its dossier is not at hand"), None, ())
    candidate = DossierRecord.model_validate_json(data).candidate
    names = declared_by(candidate)
    if "inspection.json" not in files:
        return Marked(NotMeasured("its dossier holds no inspection of the files"), None, names)
    report = _report(files["inspection.json"], candidate.identity)
    if report is None:
        return Marked(NotMeasured("its inspection does not tell of these weights"), None, names)
    try:
        mark = read_mark(report.get("fingerprint"))
    except EvidenceError:
        mark = NotMeasured("its fingerprint is damaged")
    return Marked(mark, read_traits(report.get("tensors")), names)


def declared_by(subject: Subject) -> tuple[str, ...]:
    """Return the names of what a model says that it was made from: its card's `base_model`, or its file's.

    >>> from weighbridge.subject.model import SubjectKind
    >>> notes = ("made from some-lab/base, as its card says", "no chat template: a base model, or one that lost it")
    >>> declared_by(Subject(kind=SubjectKind.HF_DIRECTORY, reference=".", label="m", digest=None, notes=notes))
    ('some-lab/base',)
    """
    found: dict[str, None] = {}
    for note in subject.notes[:100]:
        if said := _MADE_FROM.fullmatch(note):
            found |= dict.fromkeys(name.strip()[:MAX_NAME] for name in said[1].split(", ") if name.strip())
    return tuple(found)[:MOST_NAMES]


def write_mark(connection: Connection, envelope: str, root: str, found: Marked) -> None:
    """Write a publication's rows within the caller's transaction. They count in no search until `count_mark`."""
    mark = found.mark
    if isinstance(mark, Fingerprint):
        kept: dict[str, object] = {"words": packed_words(mark), "mark": pack_mark(mark)}
    else:
        kept = {"reason": mark.reason}
    connection.execute(insert(marks).values(envelope=envelope, root=root, **kept))
    if found.traits is not None:
        connection.execute(insert(traits).values(envelope=envelope, data=found.traits.pack()))
    if found.declared:
        rows = [
            {"envelope": envelope, "name": name, "name_key": label_key(name), "short_key": short_key(name)}
            for name in found.declared
        ]
        connection.execute(insert(declared), rows)


def count_mark(connection: Connection, envelope: str, entry: int) -> None:
    """Let a publication's mark count, from the audit log's `entry` on, once its signer is known."""
    table = marks.c
    row = connection.execute(select(table.root, table.words).where(table.envelope == envelope)).first()
    if row is None or row.words is None:
        return
    same = select(table.envelope).where(
        table.root == row.root, table.entry.is_not(None), table.words == row.words, table.envelope != envelope
    )
    if connection.execute(same.limit(1)).first() is None:
        connection.execute(update(marks).where(table.envelope == envelope).values(entry=entry))


def short_key(name: str) -> str:
    """Return the key of a declared name without its owner.

    >>> short_key("Some-Lab/Big-Model")
    'big-model'
    """
    return label_key(name.rstrip("/").rpartition("/")[2])


def packed_words(mark: Fingerprint) -> bytes | None:
    """Return what the index searches, 16 words and which of them there are, 130 bytes; None where there are too few."""
    words, has = row_of(mark)
    if has.sum() * 64 < LEAST_BITS:
        return None
    return words.astype("<u8").tobytes() + np.packbits(has, bitorder="little").tobytes()


def _report(data: bytes, identity: str) -> Mapping[str, Any] | None:
    from pydantic_core import from_json

    try:
        held = from_json(data, allow_inf_nan=False)
    except (ValueError, RecursionError):
        return None
    subjects = held.get("subjects") if isinstance(held, dict) else None
    for each in subjects if isinstance(subjects, list) else ():
        if isinstance(each, dict) and each.get("identity") == identity and isinstance(each.get("report"), dict):
            return dict(each["report"])
    return None
