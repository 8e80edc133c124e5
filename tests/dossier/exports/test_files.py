"""Reading what is exported and writing it: whole or not at all, and only what belongs together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.dossier.exports.examples import AT, ruling, thin
from tests.fakes.dossier_record import digest
from weighbridge.digests import digest_file
from weighbridge.dossier.exports.export import Export, Source, export_as
from weighbridge.dossier.exports.files import read_source, write_export
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.write import dossier_bytes, write_inspections
from weighbridge.errors import EvidenceError, UsageError

REPORT = {
    "subject": {"digest": None, "files": []},
    "components": [],
    "licences": [],
    "findings": [],
    "not_examined": [],
}


@pytest.fixture
def small(record: DossierRecord) -> DossierRecord:
    """A record that is quick to write."""
    return thin(record)


def _dossier(folder: Path, record: DossierRecord) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "dossier.json").write_bytes(dossier_bytes(record))
    return folder


def _rulings(path: Path, rulings: Sequence[Any]) -> Path:
    listed = [one.model_dump(mode="json", by_alias=True) for one in rulings]
    path.write_text(json.dumps({"schema": "weighbridge.check/1", "rulings": listed}), encoding="utf-8")
    return path


def test_the_record_and_what_was_said_of_its_files_are_read(small: DossierRecord, tmp_path: Path) -> None:
    """`inspection.json` is taken when it is the one that the dossier names."""
    named = write_inspections(tmp_path / "d", [("a model", small.candidate.identity, REPORT)])
    source = read_source(_dossier(tmp_path / "d", small.model_copy(update={"inspection": named})))
    assert source.record.inspection == named
    assert source.inspection is not None
    assert set(source.inspection) == {small.candidate.identity}


def test_another_dossiers_inspection_is_refused(small: DossierRecord, tmp_path: Path) -> None:
    """A report that is not the named one is evidence of something else."""
    write_inspections(tmp_path / "d", [("a model", small.candidate.identity, REPORT)])
    record = small.model_copy(update={"inspection": digest("another")})
    with pytest.raises(EvidenceError, match="not the inspection"):
        read_source(_dossier(tmp_path / "d", record))


def test_rulings_are_read_from_what_check_prints(small: DossierRecord, tmp_path: Path) -> None:
    """Both `check --json` and a ruling in a file of its own are understood."""
    folder, found = _dossier(tmp_path / "d", small), ruling(small)
    one = tmp_path / "one.json"
    one.write_text(json.dumps(found.model_dump(mode="json", by_alias=True)), encoding="utf-8")
    assert read_source(folder, [_rulings(tmp_path / "all.json", [found]), one]).rulings == (found, found)


def test_a_ruling_on_another_dossier_is_refused(small: DossierRecord, tmp_path: Path) -> None:
    """Rulings belong to the exact dossier that they were made on."""
    other = ruling(small).model_copy(update={"dossier": digest("another")})
    with pytest.raises(EvidenceError, match="of another dossier"):
        read_source(_dossier(tmp_path / "d", small), [_rulings(tmp_path / "r.json", [other])])


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", "[[]]", '{"schema": "weighbridge.check/1", "rulings": 3}', "{", "null"]
)
def test_what_are_no_rulings_are_refused(text: str, small: DossierRecord, tmp_path: Path) -> None:
    """A damaged or foreign file is an error with its place, never no rulings."""
    (tmp_path / "r.json").write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceError, match=r"r\.json"):
        read_source(_dossier(tmp_path / "d", small), [tmp_path / "r.json"])


def test_a_file_that_is_not_there_is_the_callers_mistake(small: DossierRecord, tmp_path: Path) -> None:
    """A missing file of rulings is a usage error."""
    with pytest.raises(UsageError, match="cannot be read"):
        read_source(_dossier(tmp_path / "d", small), [tmp_path / "none.json"])


def test_files_and_log_are_written_together(small: DossierRecord, tmp_path: Path) -> None:
    """Every file is there with the digest that the log gives, the log comes last, and nothing else is left."""
    source = Source(small)
    export = export_as("eval-results", source, at=AT)
    paths = write_export("eval-results", source, export, tmp_path / "out", at=AT)
    assert paths[-1] == tmp_path / "out" / "eval-results.log.json"
    log = json.loads(paths[-1].read_bytes())
    assert {name: digest_file(tmp_path / "out" / name) for name in log["files"]} == log["files"]
    assert sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file()) == sorted(paths)


def test_all_files_or_none(small: DossierRecord, tmp_path: Path) -> None:
    """A folder where a file should go stops the export before any file is in its place."""
    source = Source(small)
    export = export_as("csv", source, at=AT)
    (tmp_path / "out" / "costs.csv").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"costs\.csv is a folder|cannot be written"):
        write_export("csv", source, export, tmp_path / "out", at=AT)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["costs.csv"]


def test_numbers_of_an_earlier_weighing_do_not_stay_beside_new_ones(small: DossierRecord, tmp_path: Path) -> None:
    """Files of an earlier export go, but not those that somebody changed, and nothing outside the folder."""
    source = Source(small)
    (tmp_path / "outside.json").write_bytes(b"1")
    first = Export({"a.json": b"1", "b.json": b"1", "c.json": b"1"}, {}, ())
    out = tmp_path / "out"
    *_, log = write_export("avid", source, first, out, at=AT)
    (out / "b.json").write_bytes(b"2")
    told = json.loads(log.read_bytes())
    told["files"]["../outside.json"] = told["files"]["a.json"]
    log.write_text(json.dumps(told), encoding="utf-8")
    write_export("avid", source, Export({"c.json": b"3"}, {}, ()), out, at=AT)
    assert {path.name: path.read_bytes() for path in out.glob("?.json")} == {"b.json": b"2", "c.json": b"3"}
    assert (tmp_path / "outside.json").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"files": 1}', '{"files": {"a": 1}}', '{"files": [["a", "b"]]}'])
def test_a_foreign_log_removes_nothing(text: str, small: DossierRecord, tmp_path: Path) -> None:
    """A file that only has the log's name is replaced and not obeyed."""
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "avid.log.json").write_text(text, encoding="utf-8")
    write_export("avid", Source(small), Export({}, {}, ()), tmp_path, at=AT)
    assert (tmp_path / "a").exists()


def test_without_a_file_of_rulings_the_terms_beside_the_dossier_go_along(small: DossierRecord, tmp_path: Path) -> None:
    """`terms.json` is what the dossier's own page shows: an export of the dossier has it too."""
    folder = _dossier(tmp_path / "d", small)
    found = read_source(folder, [_rulings(tmp_path / "r.json", [ruling(small)])]).rulings
    (folder / "terms.json").write_text(
        json.dumps([one.model_dump(mode="json", by_alias=True) for one in found]), "utf-8"
    )
    assert read_source(folder).rulings == found
