"""The hub's evaluation results, checked by huggingface_hub's own parser."""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from huggingface_hub import EvalResultEntry
from huggingface_hub._eval_results import eval_result_entries_to_yaml, parse_eval_result_entries

from tests.dossier.exports.examples import AT, thin
from weighbridge.dossier.exports.eval_results import task_id
from weighbridge.dossier.exports.export import Export, Kind, Source, export_as
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.records import Estimate


def _entries(export: Export) -> Iterator[EvalResultEntry]:
    for name, data in export.files.items():
        assert name.startswith(".eval_results/")
        found = yaml.safe_load(data)
        parsed = parse_eval_result_entries(found)
        assert eval_result_entries_to_yaml(parsed) == found  # nothing in the file that the library does not know
        yield from parsed


def test_every_measured_rate_of_the_candidate_is_an_entry(record: DossierRecord) -> None:
    """Value, interval, prompts and grader of each are in an entry of their own; every other rate is in the log."""
    record = thin(record)
    export = export_as("eval-results", Source(record), at=AT)
    entries = {(one.task_id, "benign" in (one.notes or "")): one for one in _entries(export)}
    found = 0
    for rate in record.rates:
        entry = entries.get((task_id(rate), rate.benign))
        if isinstance(rate.rate, Estimate) and rate.subject == record.candidate.identity:
            found += 1
            assert entry is not None
            assert entry.value == rate.rate.value
            assert f"interval {rate.rate.low!r} to {rate.rate.high!r}; level={rate.rate.level!r}" in str(entry.notes)
            assert f"n={rate.rate.n_measured} of {rate.rate.n_planned} prompts" in str(entry.notes)
            assert record.grader.identity in str(entry.notes)
    assert found == len(entries) == export.written[Kind.RATE]
    assert found + sum(one.count for one in export.log if one.what == Kind.RATE.value) == len(record.rates)


def test_an_entry_never_names_a_benchmark_that_nobody_registered(record: DossierRecord) -> None:
    """The data set's owner says that it is unregistered, there is no revision and no token, and the log says what that means."""
    record = thin(record)
    export = export_as("eval-results", Source(record), at=AT)
    for entry in _entries(export):
        assert entry.dataset_id.startswith("unregistered/")
        assert (entry.dataset_revision, entry.verify_token, entry.source_url) == (None, None, None)
    assert [one.count for one in export.log if one.what == "registered benchmark"] == [export.written[Kind.RATE]]


def test_grades_that_nobody_checked_are_marked_in_the_notes(gappy_record: DossierRecord) -> None:
    """A harm rate by an uncalibrated grader says so in its entry."""
    gappy_record = thin(gappy_record)
    notes = [
        str(one.notes)
        for one in _entries(export_as("eval-results", Source(gappy_record), at=AT))
        if one.task_id.startswith("harm.")
    ]
    assert notes
    assert all("not checked against human labels" in note for note in notes)


def test_nothing_measured_makes_no_file(empty_record: DossierRecord) -> None:
    """Without numbers there is no file of results, and the log has all rates and all comparisons."""
    export = export_as("eval-results", Source(empty_record), at=AT)
    assert export.files == {}
    counts = {
        kind: sum(one.count for one in export.log if one.what == kind.value) for kind in (Kind.RATE, Kind.COMPARISON)
    }
    assert counts == {Kind.RATE: len(empty_record.rates), Kind.COMPARISON: len(empty_record.comparisons)}


def test_task_names_are_distinct(record: DossierRecord) -> None:
    """No two measured rates of the candidate over the same kind of prompts share a task."""
    record = thin(record)
    mine = [
        rate for rate in record.rates if rate.subject == record.candidate.identity and isinstance(rate.rate, Estimate)
    ]
    names: set[tuple[str, bool]] = {(task_id(rate), rate.benign) for rate in mine}
    assert len(names) == len(mine)
