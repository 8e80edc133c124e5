"""Which of the 17 components of the Model Openness Framework are among the files, and under which licence.

Source: White et al., arXiv 2403.13784; the Model Openness Tool's list (2024-12-15). Class 3 is the least open. Only files are looked at: what
is not found here may be published elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from weighbridge.probes.checkpoint.licences import LicenceFound, front_matter
from weighbridge.probes.checkpoint.report import Examined

_WEIGHTS = frozenset({"safetensors", "gguf", "torch zip", "torch legacy", "torchscript", "keras v3", "keras h5", "hdf5", "saved model", "tensorflow checkpoint", "tensorflow graph", "onnx", "flax msgpack", "pickle"})  # fmt: skip

# id of the tool, name, kind, class, how its files are recognised by path
COMPONENTS: tuple[tuple[int, str, str, int, str], ...] = (
    (9, "Model architecture", "code", 3, r"(?:^|/)(?:modeling_\w+\.py|config\.json|model\.py)\Z"),
    (10, "Model parameters (final)", "data", 3, ""),
    (12, "Evaluation results", "document", 3, r"(?:^|/)(?:\.eval_results/.*|eval(?:uation)?[_-]?results?\.\w+|results\.json|eval\.yaml)\Z"),
    (13, "Model card", "document", 3, r"(?:^|/)(?:README\.md|model[_-]?card\.\w+)\Z"),
    (14, "Data card", "document", 3, r"(?:^|/)(?:data(?:set)?[_-]?card\.\w+|DATA\.md|datasheet\.\w+)\Z"),
    (11, "Technical report", "document", 3, r"(?:^|/)[^/]*(?:technical[_-]?report|whitepaper)[^/]*\.(?:pdf|md|tex)\Z"),
    (20, "Sample model outputs", "document", 3, r"(?:^|/)(?:sample|example)s?[_-]?(?:outputs?|generations?)[^/]*\Z"),
    (7, "Training code", "code", 2, r"(?:^|/)(?:train\w*\.(?:py|sh)|finetune\w*\.py|pretrain\w*\.py|trainer\.py)\Z"),
    (8, "Inference code", "code", 2, r"(?:^|/)(?:inference\w*\.py|generate\w*\.py|handler\.py|predict\w*\.py|run\w*\.py)\Z"),
    (18, "Evaluation code", "code", 2, r"(?:^|/)(?:eval\w*\.(?:py|sh)|benchmark\w*\.py)\Z"),
    (19, "Evaluation data", "data", 2, r"(?:^|/)(?:eval|test)[_-]?(?:data|set)[^/]*\Z"),
    (22, "Supporting libraries and tools", "code", 2, r"(?:^|/)(?:requirements\.txt|environment\.ya?ml|pyproject\.toml|setup\.py|Dockerfile)\Z"),
    (15, "Datasets", "data", 1, r"(?:^|/)(?:data(?:sets?)?/.*|[^/]*\.(?:parquet|arrow)|train\.(?:jsonl?|csv))\Z"),
    (16, "Data preprocessing code", "code", 1, r"(?:^|/)(?:preprocess\w*\.py|prepare_data\w*\.py|tokenize\w*\.py|data_prep\w*\.py)\Z"),
    (24, "Model parameters (intermediate)", "data", 1, r"(?:^|/)(?:checkpoint-\d+|step[_-]?\d+|epoch[_-]?\d+)/"),
    (21, "Research paper", "document", 1, r"(?:^|/)[^/]*paper[^/]*\.(?:pdf|tex)\Z"),
    (17, "Model metadata", "data", 1, r"(?:^|/)(?:(?:config|generation_config|tokenizer_config|special_tokens_map)\.json)\Z"),
)  # fmt: skip


@dataclass(frozen=True)
class ComponentFound:
    """A component: the tool's id, name, kind (code, data, document), class it belongs to, files (none: not found here), licence."""

    id: int
    name: str
    kind: str
    openness_class: int
    status: str  # "found" or "not found"
    files: tuple[str, ...]
    licence: str | None


def find_components(files: Sequence[Examined], licences: Sequence[LicenceFound]) -> list[ComponentFound]:
    """Return all 17 in the tool's order, with files found and the licence that the distribution names."""
    paths = [(file.path, file.format) for file in files if "!" not in file.path]
    general = next((each.expression for each in licences if each.kind == "metadata"), None)
    general = general or next((each.expression for each in licences if each.kind == "text" and each.expression), None)
    card = next((front_matter(f.content) for f in files if f.path.lower() == "readme.md" and f.content is not None), {})
    found = []
    for number, name, kind, level, pattern in COMPONENTS:
        if number == 10:
            mine = [path for path, format_ in paths if format_ in _WEIGHTS and not re.search(COMPONENTS[14][4], path)]
        else:
            mine = [path for path, _ in paths if re.search(pattern, path, re.IGNORECASE)]
        if number == 12 and card.get("model-index"):
            mine.append("README.md")
        own = next((each.expression for each in licences if each.path in mine and each.expression), None)
        status = "found" if mine else "not found"
        found.append(
            ComponentFound(number, name, kind, level, status, tuple(mine[:50]), (own or general) if mine else None)
        )
    return found
