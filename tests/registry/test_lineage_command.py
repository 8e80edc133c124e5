"""`weighbridge lineage` asks about a digest, or about a model on disk whose fingerprint it computes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from tests.probes.checkpoint.weights.planted import fine_tuned, transformer
from tests.registry.databases import Clock
from tests.registry.descents import plant, report
from weighbridge.cli.lineage import command
from weighbridge.errors import UsageError
from weighbridge.registry.store import Store


def test_a_path_and_a_digest_are_asked_about(store: Store, url: str, clock: Clock, tmp_path: Path) -> None:
    """A fine-tune on disk finds its published parent; a digest finds what is published; neither asks for what is not there."""
    from safetensors.numpy import save_file

    clock.now -= timedelta(days=365)
    base = transformer(1)
    parent = plant(store, "The Parent", report(base)).subject
    plant(store, "stranger", report(transformer(2)))
    file = tmp_path / "tuned.safetensors"
    save_file({name: np.ascontiguousarray(values) for name, values in fine_tuned(base, 3, 0.1).items()}, file)
    said = CliRunner().invoke(command, [str(file), "--db", url], standalone_mode=False)
    assert said.return_value == 0 and "KIN OF tuned.safetensors: 1 found among 2 models" in said.output
    assert "The Parent" in said.output and "fine-tuned or merged" in said.output and "99 % or more" in said.output
    as_json = CliRunner().invoke(command, [parent, "--db", url, "--json"], standalone_mode=False)
    assert as_json.return_value == 0 and json.loads(as_json.output)["compared"] == 1
    nothing = CliRunner().invoke(command, ["ab" * 32, "--db", url], standalone_mode=False)
    assert nothing.return_value == 4 and nothing.output.startswith("NOT MEASURED")
    assert isinstance(CliRunner().invoke(command, ["abcdef012345", "--db", url]).exception, UsageError)
    (tmp_path / "small.safetensors").write_bytes(file.read_bytes()[:0])
    small = CliRunner().invoke(command, [str(tmp_path / "small.safetensors"), "--db", url])
    assert isinstance(small.exception, UsageError)
