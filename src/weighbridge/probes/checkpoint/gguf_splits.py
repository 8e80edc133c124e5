"""Looks across GGUF files that say of themselves that they are parts of a split model: are all parts here."""

from __future__ import annotations

from collections.abc import Sequence

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, Finding, NotExamined

_MOST = 100_000


def examine_splits(files: Sequence[Examined]) -> tuple[list[Finding], list[NotExamined]]:
    """Return which parts are missing, by the numbers in the files themselves; those that are named by number, `indexes` looks for."""
    findings: list[Finding] = []
    left: list[NotExamined] = []
    parts: dict[tuple[str, int], set[int]] = {}
    first: dict[tuple[str, int], str] = {}
    for file in files:
        count, number = file.metadata.get("split.count"), file.metadata.get("split.no")
        if file.format != "gguf" or not isinstance(count, int) or not isinstance(number, int) or not 1 < count <= _MOST:
            continue
        group = (file.path.rpartition("/")[0], count)
        parts.setdefault(group, set()).add(number)
        first.setdefault(group, file.path)
    for group, numbers in parts.items():
        missing = sorted(set(range(group[1])) - numbers)
        if missing and "-of-" not in first[group]:
            message = f"{len(missing):,} of {group[1]:,} parts are not here, such as number {missing[0] + 1}"
            findings.append(found("index.missing-shard", first[group], "split.count", message))
            left.append(NotExamined(first[group], "parts of the model that are not here"))
    return findings, left
