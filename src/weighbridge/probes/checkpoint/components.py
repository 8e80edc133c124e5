"""The 17 components of the Model Openness Framework in the report's shape. They are found by `subject.release_files`, in what was read already."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from weighbridge.probes.checkpoint.report import Examined
from weighbridge.probes.checkpoint.source import FileSource
from weighbridge.subject.licences import spdx_expression
from weighbridge.subject.release_files import ComponentId, Framework, GgufSays, Release, find_release, joined

_LISTED = 50

# The Model Openness Tool's id and the framework's class, 3 being the least open (White et al., arXiv 2403.13784; the tool's list, 2024-12-15).
_TOOL = {
    ComponentId.ARCHITECTURE: (9, 3),
    ComponentId.PARAMETERS_FINAL: (10, 3),
    ComponentId.EVALUATION_RESULTS: (12, 3),
    ComponentId.MODEL_CARD: (13, 3),
    ComponentId.DATA_CARD: (14, 3),
    ComponentId.TECHNICAL_REPORT: (11, 3),
    ComponentId.SAMPLE_OUTPUTS: (20, 3),
    ComponentId.TRAINING_CODE: (7, 2),
    ComponentId.INFERENCE_CODE: (8, 2),
    ComponentId.EVALUATION_CODE: (18, 2),
    ComponentId.EVALUATION_DATA: (19, 2),
    ComponentId.SUPPORTING_LIBRARIES: (22, 2),
    ComponentId.DATASETS: (15, 1),
    ComponentId.PREPROCESSING_CODE: (16, 1),
    ComponentId.PARAMETERS_INTERMEDIATE: (24, 1),
    ComponentId.RESEARCH_PAPER: (21, 1),
    ComponentId.MODEL_METADATA: (17, 1),
}


@dataclass(frozen=True)
class Component:
    """A component: the tool's id, name, kind (code, data, document), class it belongs to, files (none: not found here), licence.

    `status` "not examined": not found among what was read, and a file with its name could not be read.
    """

    id: int
    name: str
    kind: str
    openness_class: int
    status: str  # "found", "not found" or "not examined"
    files: tuple[str, ...]
    licence: str | None


def look_into(files: Iterable[Examined], places: Mapping[str, Path], unread: Collection[str]) -> Release:
    """Return what a release's files hold, from what was kept of them; of the others the beginning is read again, never the whole.

    `places` maps names to where the bytes are; `unread` are names of files that could not be read.
    """
    return find_release({file.path: _Seen(file, places[file.path], file.path not in unread) for file in files})


@dataclass(frozen=True)
class _Seen:
    """A file as the probe has seen it."""

    examined: Examined
    place: Path
    was_read: bool

    @property
    def size_bytes(self) -> int:
        return self.examined.size_bytes

    def head(self, limit: int) -> bytes | None:
        if not self.was_read:
            return None
        if self.examined.content is not None:
            return self.examined.content[:limit]
        try:
            with FileSource(self.examined.path, self.place) as source:
                return source.read(0, limit)
        except OSError:
            return None

    def gguf(self) -> GgufSays | None:
        told = self.examined.metadata
        licence = told.get("general.license")
        return GgufSays(
            licence=licence if isinstance(licence, str) else None,
            names_architecture=bool(told.get("general.architecture")),
            has_tokenizer=isinstance(told.get("tokenizer.ggml.model"), str),
        )


def components_of(release: Release) -> list[Component]:
    """Return all 17 in the framework's order, found here or not, with the licence that holds for all files of each."""
    parts = {part.component: part for part in release.parts}
    told = []
    for component, (number, level) in _TOOL.items():
        part = parts.get(component)
        about = component.about
        told.append(
            Component(
                id=number,
                name=about.asked_by[Framework.MOF].removesuffix(" (optional)"),
                kind=about.kind.value,
                openness_class=level,
                status="found" if part else "not examined" if component in release.not_read else "not found",
                files=part.files[:_LISTED] if part else (),
                licence=joined(map(spdx_expression, part.licences)) if part and part.licences else None,
            )
        )
    return told
