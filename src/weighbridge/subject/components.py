"""The record of a release's components as found in a model's files, sealed. Format: docs/formats/openness.md.

What is found, and how, is `subject.release_files`; this is what of it goes into a dossier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from weighbridge.digests import Digest, digest_json
from weighbridge.errors import SubjectError
from weighbridge.subject.gguf import read_gguf
from weighbridge.subject.model import Subject, SubjectKind
from weighbridge.subject.model_files import model_files
from weighbridge.subject.release_files import (
    ABOUT,
    About,
    Claim,
    ComponentId,
    Framework,
    GgufSays,
    Part,
    claim,
    find_release,
    joined,
    note_of,
    rule_of,
)
from weighbridge.subject.shown import shown

__all__ = [
    "ABOUT",
    "LISTED_FILES",
    "About",
    "ComponentFound",
    "ComponentId",
    "FoundComponents",
    "Framework",
    "LicenceClaim",
    "find_components",
    "find_in",
    "found_in_record",
    "sealed",
]

LISTED_FILES = 50


class LicenceClaim(BaseModel):
    """What one place in the files says of a licence: the `name` as it is written there, fit to be shown, and the place."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1, max_length=600)
    source: str = Field(min_length=1, max_length=600)


class ComponentFound(BaseModel):
    """One component as found: its files (the first `LISTED_FILES` of `file_count`), and the licence that holds for all of them.

    `licence` None: no place says one, or not for every file, or two places disagree; `licence_note` says which. `note` says what the find amounts to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    component: ComponentId
    files: tuple[str, ...] = Field(min_length=1, max_length=LISTED_FILES)
    file_count: int = Field(ge=1)
    licence: str | None = None
    claims: tuple[LicenceClaim, ...] = ()
    disagree: bool = False
    licence_note: str = ""
    note: str = ""


class FoundComponents(BaseModel):
    """Everything that was found in one subject's files. One record: `seal` covers all of it, so nothing can be taken out unseen.

    `complete` False: not every file was looked into, so what is not listed may be there all the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_: Literal["weighbridge.components/1"] = Field(default="weighbridge.components/1", alias="schema")
    subject: str = Field(min_length=1, max_length=500)
    components: tuple[ComponentFound, ...] = ()
    passed_over: tuple[str, ...] = ()
    complete: bool
    seal: Digest

    @model_validator(mode="after")
    def _whole(self) -> FoundComponents:
        if self.seal != _seal(self.subject, self.components, self.passed_over, self.complete):
            raise ValueError("the seal does not fit: the record was changed since the files were read")
        if len({found.component for found in self.components}) < len(self.components):
            raise ValueError("a component is there twice")
        return self

    def find(self, component: ComponentId) -> ComponentFound | None:
        """Return a component as found, or None: not found here."""
        return next((found for found in self.components if found.component is component), None)


def sealed(
    subject: str,
    components: Iterable[ComponentFound] = (),
    passed_over: Iterable[str] = (),
    *,
    complete: bool = True,
) -> FoundComponents:
    """Return the record of what was found in the files of `subject` (its identity). Nothing at all, for an endpoint."""
    order = list(ComponentId)
    parts = tuple(sorted(components, key=lambda found: order.index(found.component)))
    over = tuple(passed_over)
    return FoundComponents(
        subject=subject,
        components=parts,
        passed_over=over,
        complete=complete,
        seal=_seal(subject, parts, over, complete),
    )


def _seal(subject: str, components: tuple[ComponentFound, ...], passed_over: tuple[str, ...], complete: bool) -> str:
    return digest_json([subject, [found.model_dump(mode="json") for found in components], list(passed_over), complete])


def find_in(place: Path, *, subject: str, adapter: Path | None = None) -> FoundComponents:
    """Return the components in a model directory or a GGUF file; `subject` is its identity.

    Raises `SubjectError` as `model_files` does, `OSError` when files cannot be read.
    """
    if place.is_dir():
        return find_components(model_files(place), subject=subject)
    files = {place.name: place}
    if adapter is not None:
        files[f"adapter/{adapter.name}"] = adapter
    return find_components(files, subject=subject)


def find_components(files: Mapping[str, Path], *, subject: str) -> FoundComponents:
    """Return the components in `files` (name with slashes: where its bytes are) of the subject with this identity."""
    release = find_release({name: _OnDisk(place) for name, place in files.items()})
    return sealed(subject, map(_record, release.parts), release.passed_over[:LISTED_FILES])


@dataclass(frozen=True)
class _OnDisk:
    """A file that is read where it lies."""

    place: Path

    @property
    def size_bytes(self) -> int:
        return self.place.stat().st_size

    def head(self, limit: int) -> bytes:
        with self.place.open("rb") as file:
            return file.read(limit)

    def gguf(self) -> GgufSays | None:
        try:
            gguf = read_gguf(self.place)
        except SubjectError:
            return None
        return GgufSays(gguf.licence, bool(gguf.architecture), gguf.text("tokenizer.ggml.model") is not None)


def _record(part: Part) -> ComponentFound:
    return ComponentFound(
        component=part.component,
        files=tuple(shown(name, 400) for name in part.files[:LISTED_FILES]),
        file_count=len(part.files),
        licence=joined(part.licences) if part.licences else None,
        claims=tuple(map(_claim, part.claims[:LISTED_FILES])),
        disagree=part.disagree,
        licence_note=part.licence_note,
        note=part.note,
    )


def _claim(told: Claim) -> LicenceClaim:
    return LicenceClaim(name=told.name, source=told.source)


def found_in_record(subject: Subject) -> FoundComponents:
    """Return what a subject's own record says of its components, for when its files are not at hand: names, sizes and licences as recorded.

    Code, documents and data are passed over: whether they are more than a name, only their content tells. A directory's licence is not told, since
    the record holds the card's word alone. So it never says more than `find_in` does.
    """
    parts: dict[ComponentId, list[str]] = defaultdict(list)
    licences: dict[str, str] = {}
    for part in subject.components:
        for file in part.files:
            component, check = rule_of(file.path)
            if component is not None and check in ("weights", "something") and file.size_bytes:
                parts[component].append(file.path)
                if part.licence:
                    licences[file.path] = part.licence
    if subject.architecture and (names := parts.get(ComponentId.PARAMETERS_FINAL)):
        parts[ComponentId.ARCHITECTURE] = names[:1]
    return sealed(
        subject.identity,
        [
            _recorded(component, names, licences, whole=subject.kind is SubjectKind.GGUF)
            for component, names in parts.items()
        ],
        ["code, documents and data: the model's files were not at hand"],
        complete=not subject.is_model or subject.kind in (SubjectKind.ENDPOINT, SubjectKind.INSPECT),
    )


def _recorded(component: ComponentId, names: list[str], licences: Mapping[str, str], *, whole: bool) -> ComponentFound:
    claims = {
        licence: _claim(claim(licence, "the subject's record")) for name in names if (licence := licences.get(name))
    }
    told = whole and len(claims) == 1 and all(name in licences for name in names)
    return ComponentFound(
        component=component,
        files=tuple(shown(name, 400) for name in names[:LISTED_FILES]),
        file_count=len(names),
        licence=next(iter(claims.values())).name if told else None,
        claims=tuple(claims.values())[:LISTED_FILES],
        licence_note="" if told else "the files that may say a licence were not at hand",
        note=note_of(ComponentId.ARCHITECTURE, "config") if component is ComponentId.ARCHITECTURE else "",
    )
