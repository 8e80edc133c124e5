"""The weights as `inspect` reports them, from files on disk: read in the limited child, judged, marked and compared."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.probes.checkpoint.weights.planted import Model, fine_tuned, stored, transformer
from tests.subject.gguf_writer import MODEL, gguf
from weighbridge.probes.checkpoint.inspection import inspect_path
from weighbridge.probes.checkpoint.report import Report
from weighbridge.subject.demo import DEMO_MODELS
from weighbridge.subject.references import GGUFLocation, resolve

DOWN = "model.layers.7.mlp.down_proj.weight"


def write(path: Path, model: Model, dtype: str = "bf16") -> Path:
    """Write the model as a safetensors file."""
    header: dict[str, Any] = {}
    data = b""
    for name, values in model.items():
        raw = stored(values, dtype)
        header[name] = {
            "dtype": dtype.upper(),
            "shape": list(values.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def worse_than_info(report: Report) -> list[str]:
    return [finding["rule"] for finding in report.findings if finding["severity"] != "info"]


def test_an_ordinary_file_is_measured_whole_and_clean(tmp_path: Path) -> None:
    """Every tensor has its numbers, nothing is found, and the fingerprint covers 61 places."""
    model = transformer(1)
    report = inspect_path(write(tmp_path / "model.safetensors", model))
    assert (worse_than_info(report), report.not_examined) == ([], [])
    assert (report.tensors["count"], report.tensors["not_measured"]) == (len(model), 0)
    numbers = {each["tensor"]: each for each in report.tensors["each"]}
    assert numbers[DOWN]["deviation"] == pytest.approx(float(model[DOWN].std()), rel=1e-3)
    assert report.fingerprint is not None
    assert len(report.fingerprint["bits"]) == 61


def test_a_damaged_file_says_where(tmp_path: Path) -> None:
    """A NaN in one tensor is a finding of severity medium at that tensor."""
    model = transformer(1)
    model[DOWN][3, 4] = np.nan
    report = inspect_path(write(tmp_path / "model.safetensors", model, "f32"))
    assert [(each["rule"], each["severity"], each["where"]) for each in report.findings] == [
        ("weights.nan", "medium", DOWN)
    ]


def test_another_model_is_named_by_its_digest_and_compared(tmp_path: Path) -> None:
    """`--against` says what the one is to the other, and which weights the other are."""
    model = transformer(1)
    base = write(tmp_path / "base.safetensors", model)
    tuned = write(tmp_path / "tuned.safetensors", fine_tuned(model, 2, 0.05, ["q_proj"]))
    report = inspect_path(tuned, against=base)
    assert report.against is not None
    assert report.against["verdict"] == "a fine-tune"
    assert report.against["identical"] == len(model) - 12
    assert report.against["digest"] == inspect_path(base).subject["digest"]


def test_vocabularies_that_were_only_counted_are_not_called_the_same(tmp_path: Path) -> None:
    """Long arrays of a GGUF file are counted, not kept: equal counts are "not compared", never "same"."""
    paths = []
    for name, first in (("a", "x"), ("b", "y")):
        keys = MODEL | {"tokenizer.ggml.tokens": [first, *["t"] * 5000], "tokenizer.ggml.pre": "p"}
        (tmp_path / f"{name}.gguf").write_bytes(gguf(keys))
        paths.append(tmp_path / f"{name}.gguf")
    against = inspect_path(paths[0], against=paths[1]).against
    assert against is not None
    assert "tokenizer.ggml.tokens" not in against["tokenizer"]["same"]
    assert "tokenizer.ggml.pre" in against["tokenizer"]["same"]


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(DEMO_MODELS))
def test_real_models_are_not_accused(name: str) -> None:
    """Of each real model all tensors are measured, and nothing worse than information is said."""
    location = resolve(f"demo:{name}", environ=os.environ).location
    assert isinstance(location, GGUFLocation)
    report = inspect_path(location.path)
    assert (worse_than_info(report), report.not_examined) == ([], [])
    assert report.tensors["not_measured"] == 0
    assert report.fingerprint is not None
