"""Published models of known descent: signed dossiers with what `inspect` says of made-up weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.dossier.statements import made
from tests.probes.checkpoint.weights.planted import Model, measured
from tests.registry.databases import NOW, model, weighed
from weighbridge.digests import digest_bytes
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint, fingerprint
from weighbridge.probes.checkpoint.weights.statistics import as_json
from weighbridge.registry.publishing import Published, publish
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload, read_folder
from weighbridge.subject.model import Subject


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
        subject = subject.model_copy(update={"notes": (f"made from {made_from}, as its card says",)})
    now = store.clock()
    return publish(
        store, dossier(folder / digest_bytes(f"{words}{now}".encode())[7:19], key, subject, said, now=now), by=by
    )
