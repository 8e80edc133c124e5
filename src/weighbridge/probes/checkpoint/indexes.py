"""Looks across files: do the shards that an index names exist, and do they hold what it says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, Finding, NotExamined

_PART = re.compile(r"(.*?)[-.](\d{5})-of-(\d{5})(\.[\w.]+)\Z")


def examine_indexes(files: Sequence[Examined]) -> tuple[list[Finding], list[NotExamined], set[str]]:
    """Return what indexes and the numbers in shards' names say that is not so, and the files that hold raw values for others."""
    findings: list[Finding] = []
    left: list[NotExamined] = []
    here = {file.path: file for file in files if "!" not in file.path}
    for file in here.values():
        data = file.metadata.get("json")
        if file.path.endswith(".index.json") and "json" in file.metadata:
            _index(file, data, here, findings, left)
        elif file.path.rsplit("/", 1)[-1] == "adapter_config.json" and isinstance(data, dict):
            _adapter(file, data, here, findings)
    _numbered(here, findings, left)
    return findings, left, _external(here, findings, left)


def _folder(path: str) -> str:
    return path.rsplit("/", 1)[0] + "/" if "/" in path else ""


def _index(
    file: Examined, data: object, here: dict[str, Examined], findings: list[Finding], left: list[NotExamined]
) -> None:
    places = data.get("weight_map") if isinstance(data, dict) else None
    if not isinstance(places, dict) or not all(isinstance(value, str) for value in places.values()):
        findings.append(found("index.damaged", file.path, "weight_map", "no map from tensors to files"))
        return
    folder = _folder(file.path)
    by_shard: dict[str, set[str]] = {}
    for tensor, shard in places.items():
        by_shard.setdefault(str(shard), set()).add(str(tensor))
    for shard, tensors in sorted(by_shard.items()):
        parts = shard.replace("\\", "/").split("/")
        if ".." in parts or shard.startswith(("/", "\\", "~")) or "://" in shard or shard[1:2] == ":":
            findings.append(found("index.path", file.path, shard, "names a file outside of the model's directory"))
            continue
        found_file = here.get(folder + shard)
        if found_file is None:
            message = f"{len(tensors):,} tensors are said to be in {shard}, which is not here"
            findings.append(found("index.missing-shard", file.path, shard, message))
            left.append(NotExamined(folder + shard, "a shard that is not here"))
            continue
        if found_file.format != "safetensors" or found_file.not_examined:  # torch's names are paths in a pickle
            continue
        holds = {region.tensor for region in found_file.regions} | set(found_file.metadata.get("empty_tensors", ()))
        if missing := sorted(tensors - holds):
            message = f"{len(missing):,} tensors are said to be in {shard} and are not, such as {missing[0]}"
            findings.append(found("index.missing-tensor", file.path, shard, message))
        if extra := sorted(holds - tensors):
            message = f"{shard} holds {len(extra):,} tensors that the index does not name there, such as {extra[0]}"
            findings.append(found("index.unlisted-tensor", file.path, shard, message))


def _numbered(here: dict[str, Examined], findings: list[Finding], left: list[NotExamined]) -> None:
    """Files numbered "-00001-of-00003" must all be there."""
    groups: dict[tuple[str, str, int], set[int]] = {}
    for path in here:
        if match := _PART.match(path):
            groups.setdefault((match[1], match[4], int(match[3])), set()).add(int(match[2]))
    indexed = {file.rsplit("/", 1)[0] if "/" in file else "" for file in here if file.endswith(".index.json")}
    for (stem, ending, total), numbers in groups.items():
        if _folder(stem).rstrip("/") in indexed or total > 100_000:
            continue
        first = 0 if 0 in numbers else 1
        if missing := sorted(set(range(first, total + first)) - numbers):
            path = f"{stem}-{missing[0]:05d}-of-{total:05d}{ending}"
            findings.append(
                found("index.missing-shard", path, "file", f"{len(missing):,} of {total:,} parts are not here")
            )
            left.append(NotExamined(path, "a part that is not here"))


def _adapter(file: Examined, data: dict[str, object], here: dict[str, Examined], findings: list[Finding]) -> None:
    weights = here.get(_folder(file.path) + "adapter_model.safetensors")
    if weights is None:
        return
    names = {region.tensor for region in weights.regions}
    for name in sorted(names):
        if ".lora_A." in name and name.replace(".lora_A.", ".lora_B.") not in names:
            findings.append(found("index.half-adapter", weights.path, name, "has no lora_B to go with it"))
    base = data.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        findings.append(
            found("index.no-base", file.path, "base_model_name_or_path", "does not say which model it belongs to")
        )


def _external(here: dict[str, Examined], findings: list[Finding], left: list[NotExamined]) -> set[str]:
    """ONNX models name files beside them that hold their values: return those that are here."""
    values: set[str] = set()
    for file in here.values():
        for location, end in file.metadata.get("external_data", {}).items():
            path = _folder(file.path) + str(location).removeprefix("./")
            if path in here:
                values.add(path)
                if here[path].format == "unknown":
                    here[path].format = "onnx values"
                if here[path].size_bytes < end:
                    message = (
                        f"values are said to be up to byte {end:,} of {location!r}, which has {here[path].size_bytes:,}"
                    )
                    findings.append(found("onnx.size", file.path, str(location), message))
            else:
                message = f"its values are said to be in {location!r}, which is not here"
                findings.append(found("index.missing-shard", file.path, str(location), message))
                left.append(NotExamined(path, "values that are not here"))
    return values
