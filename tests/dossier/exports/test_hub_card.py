"""The model card that the hub reads, checked by huggingface_hub.

`ModelCard.validate()` asks the hub over the network and is not used; what is used parses the same block with the same classes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results

from tests.dossier.exports.examples import AT, poisoned
from weighbridge.dossier.card import render_card
from weighbridge.dossier.exports.export import Kind, Source, export_as
from weighbridge.dossier.exports.hub_card import FILE
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.records import Estimate


def test_the_card_is_the_dossiers_own(record: DossierRecord) -> None:
    """There is one renderer of cards, and README.md is its text."""
    assert export_as("hub-card", Source(record), at=AT).files == {FILE: render_card(record).encode()}


@pytest.mark.parametrize("name", ["record", "gappy_record", "lone_record"])
def test_the_hubs_library_reads_every_metric(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """huggingface_hub finds as many results as the export says it wrote, each with a number in [0, 1] and its interval."""
    record: DossierRecord = request.getfixturevalue(name)
    export = export_as("hub-card", Source(record), at=AT)
    (tmp_path / FILE).write_bytes(export.files[FILE])
    metadata = metadata_load(tmp_path / FILE)
    assert metadata is not None
    model, results = model_index_to_eval_results(metadata["model-index"])
    assert model == record.candidate.label
    assert len(results) >= export.written[Kind.RATE] > 0
    assert len(ModelCard.load(tmp_path / FILE).data.eval_results) == len(results)
    for result in results:
        assert result.metric_args["low"] <= result.metric_value <= result.metric_args["high"]
        assert result.metric_args["n_measured"] >= 1


def test_every_metric_is_a_rate_of_the_dossier(record: DossierRecord, tmp_path: Path) -> None:
    """Each value with its interval is that of a measured rate of the candidate, and there are as many such rates as were counted."""
    export = export_as("hub-card", Source(record), at=AT)
    (tmp_path / FILE).write_bytes(export.files[FILE])
    metadata = metadata_load(tmp_path / FILE)
    assert metadata is not None
    _, results = model_index_to_eval_results(metadata["model-index"])
    mine = Counter(
        (round(rate.rate.value, 4), round(rate.rate.low, 4), round(rate.rate.high, 4))
        for rate in record.rates
        if rate.subject == record.candidate.identity and isinstance(rate.rate, Estimate)
    )
    assert all(mine[one.metric_value, one.metric_args["low"], one.metric_args["high"]] for one in results)
    keys = {(one.dataset_config, one.metric_type, *sorted(map(str, one.metric_args.items()))) for one in results}
    assert len(keys) == len(results) == export.written[Kind.RATE]


def test_nothing_measured_makes_no_metric(empty_record: DossierRecord, tmp_path: Path) -> None:
    """A card without numbers has no model-index, and every rate is in the log as not measured."""
    export = export_as("hub-card", Source(empty_record), at=AT)
    (tmp_path / FILE).write_bytes(export.files[FILE])
    metadata = metadata_load(tmp_path / FILE)
    assert metadata is not None
    assert "model-index" not in metadata
    dropped = [one for one in export.log if one.what == Kind.RATE.value]
    assert sum(one.count for one in dropped) == len(empty_record.rates)
    assert all(one.why.startswith("not measured: ") for one in dropped)


def test_a_hostile_label_cannot_add_to_the_metadata(lone_record: DossierRecord, tmp_path: Path) -> None:
    """YAML in a model's name stays a name."""
    text = "x\n---\nlicense: mit\ntags: [trusted]\n---\n"
    export = export_as("hub-card", Source(poisoned(lone_record, text)), at=AT)
    (tmp_path / FILE).write_bytes(export.files[FILE])
    metadata = metadata_load(tmp_path / FILE)
    assert metadata is not None
    assert metadata["tags"] == ["weighbridge", "safety-evaluation", "open-weights"]
    assert metadata["license"] == "other"
    assert metadata["model-index"][0]["name"] == "x --- license: mit tags: [trusted] ---"
