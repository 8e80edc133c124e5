"""Makes model directories as they lie on hubs: one with everything, one with weights alone."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.subject.hub_directory import make_directory, write_json
from tests.subject.test_licences import MIT

PROSE = (
    "This text says in whole sentences what was done, with which data, by whom, and where it falls short of what was hoped. "
    * 5
)
CARD = f"""---
license: apache-2.0
model-index:
- name: tiny
  results:
  - task: {{type: text-generation}}
    dataset: {{type: arc, name: ARC}}
    metrics:
    - {{type: acc, value: 0.41}}
---
# Tiny

{PROSE}
"""


def make_full_release(root: Path) -> Path:
    """Return `root`, filled with a release that holds every component that files can show."""
    make_directory(root, card=CARD)
    weights = (root / "model.safetensors").read_bytes()
    for name in ("checkpoint-500/model.safetensors", "base/model.safetensors", "adapter_model.safetensors"):
        _write(root / name, weights)
    with zipfile.ZipFile(root / "optimizer.pt", "w") as archive:
        archive.writestr("data.pkl", b"state")
    with zipfile.ZipFile(root / "tiny-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("tiny/__init__.py", b"x = 1\n")
    for name in (
        "modeling_tiny.py",
        "train.py",
        "generate.py",
        "evaluate.py",
        "benchmarks/run.py",
        "scripts/prepare_data.py",
    ):
        _write(root / name, b"# SPDX-License-Identifier: MIT\nimport sys\n")
    for name in (
        "DATA_CARD.md",
        "data_information.md",
        "technical_report.md",
        "HARDWARE.md",
        "docs/usage.md",
    ):
        _write(root / name, f"# Title\n\n{PROSE}\n".encode())
    for name in ("data/train-00000.jsonl", "data/test.jsonl", "data/sft.jsonl", "sample_outputs.jsonl"):
        _write(root / name, b'{"text": "one row"}\n')
    _write(root / "data/LICENSE-DATA", b"SPDX-License-Identifier: CDLA-Permissive-2.0\n")
    _write(root / "paper.pdf", b"%PDF-1.7\n...")
    _write(root / "requirements.txt", b"numpy\n")
    _write(root / "openapi.yaml", b"openapi: 3.1.0\n")
    _write(root / ".eval_results/arc.yaml", b"- value: 0.41\n")
    write_json(root / "model_metadata.json", {"name": "tiny"})
    return root


def make_weights_only(root: Path) -> Path:
    """Return `root`, filled with weights, what loads them, and names without content."""
    make_directory(root, card="---\nlicense: llama3.2\n---\n# Tiny\n\n[More Information Needed]\n")
    for name in ("train.py", "data/train.jsonl", "paper.pdf", "eval_results.json", "optimizer.pt"):
        _write(root / name, b"")
    _write(root / "evaluate.py", b"# to come\n")
    _write(root / "technical_report.pdf", b"<html>not found</html>")
    return root


def licensed(root: Path, text: str = MIT) -> Path:
    """Return `root` with this text as its LICENSE."""
    (root / "LICENSE").write_text(text, "utf-8")
    return root


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
