"""Imports beside a dossier: added whole or not at all, once a file, and never better for the loss of one."""

from __future__ import annotations

import errno
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evidence.importers.files import DATA, NOW, TOOL_OF
from weighbridge.digests import digest_bytes
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence.elsewhere import MadeElsewhere, Tool
from weighbridge.evidence.importers import kept
from weighbridge.evidence.importers.kept import import_into, index_digest, of_tool, read_imported
from weighbridge.evidence.records import NotMeasured

SMALL = [name for name in TOOL_OF if (DATA / name).stat().st_size < 50_000]
LATER = NOW + timedelta(days=1)


@pytest.fixture
def dossier(tmp_path: Path) -> Path:
    folder = tmp_path / "dossier"
    folder.mkdir()
    (folder / "dossier.json").write_bytes(b"{}")
    return folder


def files(dossier: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (dossier / "imported").iterdir() if path.name != ".lock"}


def test_added(dossier: Path) -> None:
    """An import is a record named by its file's digest, and an entry that is chained to the one before."""
    first = import_into(dossier, DATA / "garak.report.jsonl", now=NOW)
    second = import_into(dossier, DATA / "modelscan.json", now=LATER)
    assert first.how == second.how == "new"
    assert (
        first.path.name == first.record.file_digest[7:23] + ".json"
        and first.path.read_bytes() == first.record.canonical()
    )
    one, two = read_imported(dossier)
    assert (one.record, two.record) == (first.record, second.record)
    assert one.entry.previous is None and two.entry.previous == digest_bytes(one.entry.canonical())
    assert (two.entry.name, two.entry.tool, two.entry.imported_at) == ("modelscan.json", Tool.MODELSCAN, LATER)
    assert of_tool((one, two), Tool.GARAK) == (first.record,)
    assert index_digest(dossier) == digest_bytes((dossier / "imported" / "index.json").read_bytes())


def test_once(dossier: Path, tmp_path: Path) -> None:
    """The same file, under any name and at any time, is there once and changes nothing."""
    first = import_into(dossier, DATA / "lm_eval.json", now=NOW)
    before = files(dossier)
    other = Path(shutil.copy(DATA / "lm_eval.json", tmp_path / "copy.json"))
    again = import_into(dossier, other, now=LATER)
    assert again.how == "there already" and again.record == first.record and files(dossier) == before


def test_never_imported(dossier: Path) -> None:
    """Without imports there is nothing, and of each tool "not measured"."""
    assert read_imported(dossier) == () and index_digest(dossier) is None
    assert isinstance(of_tool((), Tool.GARAK), NotMeasured)


def test_nothing_of_a_bad_file(dossier: Path, tmp_path: Path) -> None:
    """A file that is refused leaves no trace."""
    bad = tmp_path / "bad.json"
    bad.write_bytes(b"{")
    with pytest.raises(UsageError):
        import_into(dossier, bad, now=NOW)
    assert not (dossier / "imported").exists()


def test_no_dossier(tmp_path: Path) -> None:
    """A folder without a dossier is refused, and stays as it was."""
    with pytest.raises(UsageError, match="holds no dossier"):
        import_into(tmp_path, DATA / "lm_eval.json", now=NOW)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fails", [0, 1])
def test_a_full_disk(dossier: Path, monkeypatch: pytest.MonkeyPatch, fails: int) -> None:
    """When the record or the list cannot be written, all stays as it was."""
    import_into(dossier, DATA / "lm_eval.json", now=NOW)
    before, write, calls = files(dossier), kept._write, iter(range(9))

    def full(path: Path, data: bytes) -> None:
        if next(calls) == fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(kept, "_write", full)
    with pytest.raises(UsageError, match="No space left"):
        import_into(dossier, DATA / "modelscan.json", now=NOW)
    assert files(dossier) == before and len(read_imported(dossier)) == 1


def test_killed_between(dossier: Path) -> None:
    """A run that was killed between record and list leaves a record that the list does not name: nothing counts until it is
    imported again."""
    import_into(dossier, DATA / "lm_eval.json", now=NOW)
    index = (dossier / "imported" / "index.json").read_bytes()
    import_into(dossier, DATA / "modelscan.json", now=NOW)
    (dossier / "imported" / "index.json").write_bytes(index)
    (only,) = read_imported(dossier)
    assert only.record is None and "does not name" in str(only.problem)
    assert import_into(dossier, DATA / "modelscan.json", now=NOW).how == "new"
    assert all(each.record for each in read_imported(dossier))


def test_lost_and_restored(dossier: Path) -> None:
    """A record that was lost or changed is said to be so, and comes back as it was when its file is imported again."""
    added = import_into(dossier, DATA / "garak.report.jsonl", now=NOW)
    data = added.path.read_bytes()
    for damage, problem in (
        (lambda: added.path.unlink(), "missing"),
        (lambda: added.path.write_bytes(data.replace(b"0.5", b"0.1")), "changed"),
        (lambda: added.path.write_bytes(b""), "changed"),
    ):
        damage()
        (found,) = read_imported(dossier)
        assert found.record is None and problem in str(found.problem)
        assert import_into(dossier, DATA / "garak.report.jsonl", now=LATER).how == "restored"
        assert added.path.read_bytes() == data


def test_losing_the_worse_of_two(dossier: Path) -> None:
    """With the worse report of a tool lost, the better one does not count either; other tools' results stay."""
    worse = import_into(dossier, DATA / "modelscan.json", now=NOW)
    import_into(dossier, DATA / "modelscan-clean.json", now=NOW)
    import_into(dossier, DATA / "lm_eval.json", now=NOW)
    worse.path.unlink()
    imported = read_imported(dossier)
    gone = of_tool(imported, Tool.MODELSCAN)
    assert isinstance(gone, NotMeasured) and "modelscan.json: its record is missing" in gone.detail
    assert len(of_tool(imported, Tool.LM_EVAL)) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("cut", [0, 1])
def test_an_entry_cut_out(dossier: Path, cut: int) -> None:
    """With an entry cut out of the list, with its record or without, nothing counts, and nothing is added to such a list."""
    for name in ("modelscan.json", "modelscan-clean.json", "lm_eval.json"):
        import_into(dossier, DATA / name, now=NOW)
    path = dossier / "imported" / "index.json"
    index = json.loads(path.read_bytes())
    entry = index["entries"].pop(cut)
    path.write_text(json.dumps(index))
    (dossier / "imported" / (entry["file_digest"][7:23] + ".json")).unlink()
    found = read_imported(dossier)
    assert all(each.record is None for each in found)
    assert all(isinstance(of_tool(found, tool), NotMeasured) for tool in Tool)
    with pytest.raises(EvidenceError, match="list was changed"):
        import_into(dossier, DATA / "promptfoo.json", now=NOW)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"format": "weighbridge.imported/2"}', b'{"entries": [{}]}'])
def test_a_list_that_is_none(dossier: Path, data: bytes) -> None:
    """A list that cannot be read is an error, never "nothing was imported"; so is one that is not there beside records."""
    import_into(dossier, DATA / "lm_eval.json", now=NOW)
    path = dossier / "imported" / "index.json"
    path.write_bytes(data)
    with pytest.raises(EvidenceError, match=r"index\.json"):
        read_imported(dossier)
    path.unlink()
    with pytest.raises(EvidenceError, match="records lie beside it"):
        read_imported(dossier)


def test_links(dossier: Path, tmp_path: Path) -> None:
    """Links in a dossier that somebody else made lead nowhere: nothing is read or written through them."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (dossier / "imported").symlink_to(outside)
    with pytest.raises(UsageError, match="symbolic link"):
        import_into(dossier, DATA / "lm_eval.json", now=NOW)
    assert not list(outside.iterdir())
    (dossier / "imported").unlink()
    (dossier / "imported").mkdir()
    (dossier / "imported" / ".index.json.part").symlink_to(outside / "target")
    added = import_into(dossier, DATA / "lm_eval.json", now=NOW)
    assert not list(outside.iterdir())
    shutil.move(added.path, outside / "record")
    added.path.symlink_to(outside / "record")
    (found,) = read_imported(dossier)
    assert found.record is None and "symbolic link" in str(found.problem)


def test_another_tool(dossier: Path, tmp_path: Path) -> None:
    """A file counts once, for one tool."""
    both = json.loads((DATA / "modelscan.json").read_text()) | json.loads((DATA / "lm_eval.json").read_text())
    path = tmp_path / "both.json"
    path.write_text(json.dumps(both))
    import_into(dossier, path, Tool.MODELSCAN, now=NOW)
    with pytest.raises(UsageError, match="imported already, as modelscan"):
        import_into(dossier, path, Tool.LM_EVAL, now=NOW)


def _counting(dossier: Path) -> dict[Tool, tuple[MadeElsewhere, ...]]:
    """What counts, by tool; nothing where the list itself cannot be read."""
    try:
        imported = read_imported(dossier)
    except EvidenceError:
        return {}
    found = {tool: of_tool(imported, tool) for tool in Tool}
    return {tool: records for tool, records in found.items() if not isinstance(records, NotMeasured)}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dossier with several imports of several tools."""
    folder = tmp_path_factory.mktemp("full")
    (folder / "dossier.json").write_bytes(b"{}")
    for name in SMALL:
        import_into(folder, DATA / name, now=NOW)
    return folder


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_losing_never_helps(full: Path, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Law 2: whatever records, entries or bytes are taken away, each tool's results are those that they were, or absent."""
    folder = tmp_path_factory.mktemp("losing")
    shutil.copytree(full / "imported", folder / "imported")
    (folder / "dossier.json").write_bytes(b"{}")
    before = _counting(folder)
    assert len(before) >= 4
    path = folder / "imported" / "index.json"
    index = json.loads(path.read_bytes())
    number = len(index["entries"])
    lost = data.draw(st.sets(st.integers(0, number - 1), max_size=3), label="records")
    for each in sorted(lost):
        (folder / "imported" / (index["entries"][each]["file_digest"][7:23] + ".json")).unlink()
    cut = data.draw(st.sets(st.integers(0, number - 2), max_size=2), label="entries, not the last")
    index["entries"] = [entry for place, entry in enumerate(index["entries"]) if place not in cut]
    if cut:
        path.write_text(json.dumps(index))
    if data.draw(st.booleans(), label="bytes"):
        victim = data.draw(st.sampled_from(sorted(each.name for each in (folder / "imported").glob("*.json"))))
        content = (folder / "imported" / victim).read_bytes()
        at = data.draw(st.integers(0, len(content) - 1))
        (folder / "imported" / victim).write_bytes(content[:at] + content[at + 1 :])
    after = _counting(folder)
    assert all(before[tool] == records for tool, records in after.items())
    if lost or cut:
        assert after != before
    shutil.rmtree(folder)
