"""Which files a path stands for, and what about them is wrong before a byte is read."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path

from weighbridge.errors import UsageError
from weighbridge.probes.checkpoint.catalogue import found, shown
from weighbridge.probes.checkpoint.report import Finding, NotExamined
from weighbridge.subject.model_files import Entry, Trouble, is_utf8, list_entries
from weighbridge.subject.roots import of_named_files, root_of


@dataclass
class Listing:
    """`files` maps each path as it is reported to where its bytes are, in order.

    Of a directory, `names` maps those that count towards its digest to their names there, and `whole` is whether nothing that
    counts is missing from them.
    """

    root: Path
    files: dict[str, Path] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    not_examined: list[NotExamined] = field(default_factory=list)
    names: dict[str, str] | None = None
    whole: bool = True

    def digest(self, digests: dict[str, str]) -> str | None:
        """Return the subject's digest from those of its files, by path as reported; None when not all of them are there."""
        if self.names is None:
            return of_named_files(digests) if digests and len(digests) == len(self.files) else None
        if not self.whole or not self.names or not digests.keys() >= self.names.keys():
            return None
        return root_of({name: digests[path] for path, name in self.names.items()})


def list_files(path: Path) -> Listing:
    """Return the files below `path`, in order of path, or the one file that it is.

    A link is followed where it stays in the directory or leads into the hub cache that the directory belongs to; one that leads
    elsewhere is a finding and is not read. A signature is read, and does not count towards the digest. Raises `UsageError` when there
    is nothing at `path`, `SubjectError` when it cannot be listed.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path), do="check the path") from error
    if not stat.S_ISDIR(mode):
        listing = Listing(path.parent)
        if stat.S_ISREG(mode):
            listing.files[_reported(path.name, listing)] = path
        else:
            listing.not_examined.append(NotExamined(_reported(path.name, listing), Trouble.SPECIAL.value))
        return listing
    listing = Listing(path, names={})
    for entry in list_entries(path):
        _add(listing, entry)
    if not listing.files and not listing.not_examined:
        listing.not_examined.append(NotExamined("", "the directory holds no files"))
    return listing


def _add(listing: Listing, entry: Entry) -> None:
    assert listing.names is not None
    name = _reported(entry.name, listing)
    if not entry.is_signature and (entry.trouble is not None or not is_utf8(entry.name)):
        listing.whole = False
    if entry.trouble is None:
        listing.files[name] = entry.place
        if not entry.is_signature:
            listing.names[name] = entry.name
    elif entry.trouble is Trouble.OUT:
        message = "leads out of the model's directory: what is loaded is not in it"
        listing.findings.append(found("file.link-out", name, "link", message))
        listing.not_examined.append(NotExamined(name, "a link out of the directory is not followed"))
    else:
        listing.not_examined.append(NotExamined(name, entry.trouble.value))


def _reported(name: str, listing: Listing) -> str:
    """Return a file's name in one harmless line. Two files must not be taken for one because their names are written out alike."""
    plain = shown(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"), 4096)
    reported, number = plain, 1
    while reported in listing.files:
        number += 1
        reported = f"{plain} ({number})"
    return reported
