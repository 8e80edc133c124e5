"""The second law on bytes: whatever is deleted in or beside a dossier, its facts are fewer or wider, or it is refused."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes.dossier_record import dossier_record
from weighbridge.digests import digest_bytes, digest_file
from weighbridge.dossier.facts import facts_of
from weighbridge.dossier.gathering import gather
from weighbridge.dossier.record import DossierRecord, FilesRead
from weighbridge.dossier.write import write_components, write_dossier
from weighbridge.errors import WeighbridgeError
from weighbridge.evidence.importers.kept import import_into
from weighbridge.standards.cel.values import Between
from weighbridge.standards.facts import Facts
from weighbridge.subject.components import find_components

DIGEST = "sha256:" + "7" * 64
NOW = datetime(2026, 11, 26, tzinfo=UTC)
IMPORTABLE = Path(__file__).parents[1] / "evidence" / "importers" / "data" / "modelscan.json"
Place = tuple[str | int, ...]


def no_more(before: Facts, after: Facts, what: object) -> None:
    """Hold that `after` knows nothing that `before` did not: no new name, no other value, no narrower bounds, no new signature."""
    for path, fact in after.known.items():
        assert path in before.known, (what, path)
        earlier = before.known[path].value
        if isinstance(fact.value, Between) and isinstance(earlier, Between):
            assert fact.value.low <= earlier.low, (what, path)
            assert fact.value.high >= earlier.high, (what, path)
        else:
            assert fact.value == earlier, (what, path)
    refused = {one.source for one in before.attested if one.refused is not None}
    for said in after.attested:
        assert said.source in {one.source for one in before.attested}, what
        assert said.refused is not None or said.source not in refused, what


@cache
def record() -> DossierRecord:
    made = dossier_record(per_cell=1)
    read = FilesRead(subject=made.candidate.identity, findings={"high": 1, "info": 2}, not_examined=0, tensors=3)
    return made.model_copy(update={"files_read": (read,)})


@cache
def data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record().model_dump_json(by_alias=True))
    return found


@cache
def before() -> Facts:
    return facts_of(record(), DIGEST)


def places(node: Any, at: Place = ()) -> Iterator[Place]:
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, inner in steps:
        yield (*at, step)
        yield from places(inner, (*at, step))


@cache
def kinds() -> tuple[tuple[Place, ...], ...]:
    """Every place of the dossier, those together that differ only in the numbers of lists' items."""
    found: dict[Place, list[Place]] = {}
    for place in places(data()):
        found.setdefault(tuple(step if isinstance(step, str) else 0 for step in place), []).append(place)
    return tuple(map(tuple, found.values()))


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_no_key_and_no_item_taken_out_of_a_dossier_gives_a_fact_or_narrows_one(seed: int) -> None:
    chance = random.Random(seed)
    fewer = copy.deepcopy(data())
    place = chance.choice(chance.choice(kinds()))
    node: Any = fewer
    for step in place[:-1]:
        node = node[step]
    del node[place[-1]]
    try:
        after = facts_of(DossierRecord.model_validate_json(json.dumps(fewer)), DIGEST)
    except (ValidationError, WeighbridgeError):
        return  # what no longer is a dossier gets no ruling
    no_more(before(), after, place)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dossier with everything that a ruling may read beside it."""
    folder, model = tmp_path_factory.mktemp("dossier"), tmp_path_factory.mktemp("model")
    (model / "README.md").write_text(
        "---\nlicense: apache-2.0\n---\n# A card\n" + "It answers in English. " * 60, "utf-8"
    )
    identity = record().candidate.identity
    components = write_components(folder, find_components({"README.md": model / "README.md"}, subject=identity))
    findings = [{"severity": name} for name in ("high", "info", "info")]
    report = {"identity": identity, "report": {"findings": findings, "not_examined": []}}
    inspection = json.dumps({"subjects": [report]}).encode()
    (folder / "inspection.json").write_bytes(inspection)
    made = record().model_copy(update={"components": components, "inspection": digest_bytes(inspection)})
    write_dossier(folder, made, "")
    import_into(folder, IMPORTABLE, now=NOW)
    (folder / "review.md").write_text("we looked", "utf-8")
    (folder / "plan.md").write_text("changed since", "utf-8")
    entry = (
        '- {{document: {0}, status: done, file: {0}.md, digest: "{1}", who: Ada, role: auditor, at: "2026-11-01"}}\n'
    )
    (folder / "attestations.yaml").write_text(
        "schema: weighbridge.attestations/1\nattestations:\n"
        + entry.format("review", digest_file(folder / "review.md"))
        + entry.format("plan", DIGEST),
        "utf-8",
    )
    (folder / "openness.yaml").write_text(
        f"schema: weighbridge.openness/1\nsubject: {json.dumps(identity)}\ndecided_by: {{organisation: O, role: R}}\n"
        'date: "2026-11-25"\ncomponents:\n'
        "  training_code:\n    decision: withheld\n    why: not ours to give\n"
        '  datasets:\n    decision: released\n    where: "https://example.org/data"\n    licence: CC-BY-4.0\n    why: open\n',
        "utf-8",
    )
    return folder


def test_no_file_taken_away_from_beside_a_dossier_gives_a_fact_or_narrows_one(folder: Path, tmp_path: Path) -> None:
    whole = gather(folder, NOW).facts
    assert len(whole.attested) == 2
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(files) >= 8
    for number, file in enumerate(files):
        fewer = tmp_path / str(number)
        shutil.copytree(folder, fewer)
        (fewer / file).unlink()
        try:
            after = gather(fewer, NOW).facts
        except WeighbridgeError:
            continue
        no_more(whole, after, file)


@pytest.mark.parametrize("name", ["openness.yaml", "attestations.yaml"])
def test_no_line_taken_out_of_what_people_wrote_gives_a_fact_or_narrows_one(
    folder: Path, tmp_path: Path, name: str
) -> None:
    whole = gather(folder, NOW).facts
    lines = (folder / name).read_text("utf-8").splitlines(keepends=True)
    fewer = tmp_path / "fewer"
    shutil.copytree(folder, fewer)
    for number, line in enumerate(lines):
        (fewer / name).write_text("".join([*lines[:number], *lines[number + 1 :]]), "utf-8")
        try:
            after = gather(fewer, NOW).facts
        except WeighbridgeError:
            continue
        no_more(whole, after, line)
