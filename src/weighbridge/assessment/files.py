"""The files of the models to be weighed, read before any of them is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from weighbridge.assessment.watch import Watch
from weighbridge.dossier.datasheet import Reports
from weighbridge.errors import SubjectError
from weighbridge.probes.checkpoint.inspection import inspect_files
from weighbridge.probes.checkpoint.listing import Listing, list_files
from weighbridge.probes.checkpoint.report import Severity
from weighbridge.subject.components import FoundComponents, find_in
from weighbridge.subject.locations import DirectoryLocation, GGUFLocation
from weighbridge.subject.references import Resolved


def inspect_models(models: Sequence[Resolved], watch: Watch) -> Reports:
    """Return what is in each model's files: label, identity, report (None for an endpoint, which has none here).

    Documents and recorded answers are no model's files: they are read as text and never loaded.
    """
    reports = []
    for model in models:
        subject, report = model.subject, None
        if not subject.is_model:
            continue
        if (listing := _listing(model)) is not None:

            def told(read: int, total: int, label: str = subject.label) -> None:
                watch.fetching(f"reading the files of {label}", read, total)

            report = asdict(inspect_files(listing, told=told))
        reports.append((subject.label, subject.identity, report))
    return reports


def components_of(model: Resolved) -> FoundComponents | None:
    """Return which components of a release lie in a model's files, and under which licences; None for what has no files here."""
    location, identity = model.location, model.subject.identity
    if isinstance(location, DirectoryLocation):
        return find_in(location.path, subject=identity)
    if isinstance(location, GGUFLocation):
        return find_in(location.path, subject=identity, adapter=location.adapter)
    return None


def refuse_critical(reports: Reports) -> None:
    """Raise `SubjectError` when loading one of the models would run code."""
    for label, _, report in reports:
        critical = [each for each in report["findings"] if each["severity"] == Severity.CRITICAL] if report else []
        if critical:
            first = critical[0]
            more = f" (and {len(critical) - 1} more)" if len(critical) > 1 else ""
            raise SubjectError(
                f"not loaded: {first['rule']} in {first['path']}: {first['message']}{more}",
                where=label,
                do="datasheet.html says what to do about each; --load-anyway loads it all the same",
            )


def _listing(model: Resolved) -> Listing | None:
    location = model.location
    if isinstance(location, DirectoryLocation):
        return list_files(location.path)
    if isinstance(location, GGUFLocation):
        names = [found.path for part in model.subject.components for found in part.files]
        return Listing(location.path.parent, {name: _place(name, location) for name in sorted(names)})
    return None


def _place(name: str, location: GGUFLocation) -> Path:
    """Return where a file of the subject lies: `model/` and `adapter/` are how subjects of several files name them."""
    if name.startswith("adapter/") and location.adapter is not None:
        return location.adapter
    return location.path.parent / name.removeprefix("model/")
