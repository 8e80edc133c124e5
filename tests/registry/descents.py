"""Published models of known descent: signed dossiers with what `inspect` says of made-up weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from tests.dossier.statements import made
from tests.probes.checkpoint.weights.planted import Model, measured
from tests.registry.databases import NOW, model, weighed
from weighbridge.digests import digest_bytes
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.errors import EvidenceError
from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint, fingerprint
from weighbridge.probes.checkpoint.weights.statistics import as_json
from weighbridge.registry.asked import Published
from weighbridge.registry.audit import last_entry, note
from weighbridge.registry.lineage.keeping import Marked, count_mark, declared_by, write_mark
from weighbridge.registry.lineage.marks import Mark, NotMeasured, read_mark
from weighbridge.registry.lineage.traits import read_traits
from weighbridge.registry.publishing import publish
from weighbridge.registry.store import Store
from weighbridge.registry.tables import label_key, publications, weights
from weighbridge.registry.upload import Upload, read_folder
from weighbridge.subject.model import Subject
from weighbridge.subject.roots import root_of


def report(weights: Model, dtype: str = "f32") -> dict[str, Any]:
    """What `inspect` says of weights stored as `dtype`."""
    found = measured(weights, dtype)
    mark = fingerprint(found)
    each = [as_json(one) for one in found]
    return {"fingerprint": None if mark is None else mark.as_json(), "tensors": {"count": len(each), "each": each}}


def of_mark(mark: Fingerprint) -> dict[str, Any]:
    """A report that says nothing but a fingerprint."""
    return {"fingerprint": mark.as_json()}


def dossier(folder: Path, key: PrivateKey, subject: Subject, said: Mapping[str, Any] | None, **more: Any) -> Upload:
    """A signed dossier of `subject`, with `said` as what reading its files said; None: nothing was read."""
    record = weighed().model_copy(update={"candidate": subject})
    folder.mkdir(parents=True, exist_ok=True)
    if said is not None:
        whole = {"subject": {"digest": subject.digest, "files": []}, **said}
        subjects = [{"label": subject.label, "identity": subject.identity, "report": whole}]
        data = json.dumps({"schema": "weighbridge.inspection/1", "subjects": subjects}).encode()
        (folder / "inspection.json").write_bytes(data)
        record = record.model_copy(update={"inspection": digest_bytes(data)})
    made.write(folder, record, terms=True)
    made.sign(folder, key, more.pop("now", NOW), **more)
    return read_folder(folder)


def plant(
    store: Store,
    words: str,
    said: Mapping[str, Any] | None,
    *,
    made_from: str | None = None,
    subject: Subject | None = None,
) -> Published:
    """Put the rows in that publishing puts in, without a dossier: its files are never looked at when kin are sought."""
    subject = subject or model(words)
    files = {each.path: each.digest for part in subject.components for each in part.files}
    root, now = root_of(files), store.clock()
    envelope = digest_bytes(f"{words}{now}".encode())
    if said is None:
        mark: Mark = NotMeasured("its dossier holds no inspection of the files")
    else:
        try:
            mark = read_mark(said.get("fingerprint"))
        except EvidenceError:
            mark = NotMeasured("its fingerprint is damaged")
    names = () if made_from is None else declared_by(subject.model_copy(update={"notes": (noted(made_from),)}))
    row = {
        **dict.fromkeys(("envelope", "statement", "dossier"), envelope),
        **dict.fromkeys(("weighed_at", "made_at", "valid_until", "published_at"), now),
        "root": root,
        "label": subject.label,
        "label_key": label_key(subject.label),
        "signer": "s",
        "facts": "{}",
    }
    with store.writing() as connection:
        connection.execute(insert(publications).values(signer_known=True, **row))
        connection.execute(insert(weights), [{"digest": each, "envelope": envelope} for each in set(files.values())])
        write_mark(connection, envelope, root, Marked(mark, read_traits((said or {}).get("tensors")), names))
        note(connection, now, "published", "test", root, {"publication": envelope})
        count_mark(connection, envelope, last_entry(connection))
    return Published(publication=envelope, subject=root, signer="s", signer_known=True, new=True)


def noted(made_from: str) -> str:
    return f"made from {made_from}, as its card says"


def put_model(
    store: Store,
    folder: Path,
    key: PrivateKey,
    words: str,
    said: Mapping[str, Any] | None,
    *,
    made_from: str | None = None,
    subject: Subject | None = None,
    by: str = "test",
) -> Published:
    """Publish a model labelled `words`, which says that it was made from `made_from`."""
    subject = subject or model(words)
    if made_from is not None:
        subject = subject.model_copy(update={"notes": (noted(made_from),)})
    now = store.clock()
    return publish(
        store, dossier(folder / digest_bytes(f"{words}{now}".encode())[7:19], key, subject, said, now=now), by=by
    )
