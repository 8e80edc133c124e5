"""Checking a publication's signature once more, when a key has come to be trusted."""

from __future__ import annotations

from weighbridge.errors import UsageError
from weighbridge.registry.asked import Published
from weighbridge.registry.lookup import files_of, read_blob
from weighbridge.registry.publishing import publish
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload
from weighbridge.subject.shown import shown


def check_again(store: Store, publication: str, *, by: str) -> Published:
    """Check a publication's signature once more, with the keys that are trusted now, and take the mark away when it is by one of them.

    It is what publishing the same files again does. Raises `UsageError` when there is no such publication, `NotAdmitted` when it does not hold now.
    """
    with store.reading() as connection:
        files = {name: read_blob(connection, blob) for name, blob in files_of(connection, publication).items()}
    if not files:
        raise UsageError("no such publication", where=shown(publication), do="`weighbridge lookup` lists them")
    return publish(store, Upload(files, publication), by=by)
