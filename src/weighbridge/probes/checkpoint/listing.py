"""Which files a path stands for, and what about them is wrong before a byte is read."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from weighbridge.errors import SubjectError, UsageError
from weighbridge.probes.checkpoint.catalogue import found, shown
from weighbridge.probes.checkpoint.report import Finding, NotExamined

MAX_FILES = 100_000
# As OpenSSF Model Signing leaves them out of a model: the version control's own, at the top.
IGNORED_AT_TOP = frozenset({".git", ".gitattributes", ".github", ".gitignore"})


@dataclass
class Listing:
    """`files` maps each path as it is reported to where its bytes are."""

    root: Path
    files: dict[str, Path] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    not_examined: list[NotExamined] = field(default_factory=list)


def list_files(path: Path) -> Listing:
    """Return the files below `path`, in order of path, or the one file that it is.

    A link is followed where it stays in the directory or leads into the hub cache that the directory belongs to; one that leads
    elsewhere is a finding and is not read. Raises `UsageError` when there is nothing at `path`, `SubjectError` when it cannot be listed.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path), do="check the path") from error
    listing = Listing(path if stat.S_ISDIR(mode) else path.parent)
    if not stat.S_ISDIR(mode):
        _add(listing, path.name, path)
        return listing
    root = path.resolve()
    folders = [path]
    entries: list[tuple[str, Path]] = []
    while folders:
        folder = folders.pop()
        try:
            inside = list(os.scandir(folder))
        except OSError as error:
            name = folder.relative_to(path).as_posix()
            listing.not_examined.append(NotExamined(shown(name), f"the folder cannot be listed ({error.strerror})"))
            continue
        for entry in inside:
            if folder == path and entry.name in IGNORED_AT_TOP:
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            else:
                entries.append((Path(entry.path).relative_to(path).as_posix(), Path(entry.path)))
        if len(entries) > MAX_FILES:
            raise SubjectError(f"more than {MAX_FILES:,} files", where=str(path), do="name the model's own directory")
    for name, file in sorted(entries):
        target = _followed(file, root, name, listing) if file.is_symlink() else file
        if target is not None:
            _add(listing, name, target)
    return listing


def _followed(link: Path, root: Path, name: str, listing: Listing) -> Path | None:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        listing.not_examined.append(NotExamined(shown(name), "a link that leads nowhere"))
        return None
    allowed = [root]
    if root.parent.name == "snapshots":
        allowed.append(root.parent.parent / "blobs")
    if not any(target.is_relative_to(folder) for folder in allowed):
        listing.findings.append(
            found(
                "file.link-out", shown(name), "link", "leads out of the model's directory: what is loaded is not in it"
            )
        )
        listing.not_examined.append(NotExamined(shown(name), "a link out of the directory is not followed"))
        return None
    if target.is_dir():
        listing.not_examined.append(NotExamined(shown(name), "a link to a folder is not followed"))
        return None
    return target


def _add(listing: Listing, name: str, file: Path) -> None:
    """Add a regular file; anything else is not examined. Names that are not UTF-8 are written out."""
    name = shown(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"), 4096)
    try:
        mode = file.stat().st_mode
    except OSError as error:
        listing.not_examined.append(NotExamined(name, f"cannot be read ({error.strerror})"))
        return
    if stat.S_ISREG(mode):
        listing.files[name] = file
    else:
        listing.not_examined.append(NotExamined(name, "neither a file nor a folder"))
