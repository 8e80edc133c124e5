"""One publication: what it says, what became of it, and its files. The files are a stranger's: nothing in them may run, or pass for ours."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from typing import BinaryIO

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from weighbridge.dossier.svg import Plots
from weighbridge.registry.latest import sizes_of
from weighbridge.registry.lookup import publication_of, read_blob
from weighbridge.registry.notices import Entry
from weighbridge.registry.publishing import signers_of
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.problems import Problem
from weighbridge.web.registry.fresh import is_held
from weighbridge.web.registry.things import Thing, whole_digest
from weighbridge.web.registry.views import view
from weighbridge.web.site import Here, Site

router = APIRouter(include_in_schema=False)

# The dossier's own pages. They load nothing and run nothing: what they need is inline styles and images.
READABLE = ("index.html", "datasheet.html", "terms.html")
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_NOTHING = "sandbox; default-src 'none'; frame-ancestors 'none'"
_KEPT = "public, max-age=3600"
_LARGE_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 18
_WAIT_S = 5.0
_OFTEN = [Depends(limited("files", per_minute=120))]
_AT_ONCE = threading.BoundedSemaphore(4)  # large files in memory; from then on they are on a disk


@router.get("/publications/{hex64}")
def publication(request: Request, site: Here, hex64: str, told: str = "") -> Response:
    """Return the page of one publication."""
    entry = found_publication(site, hex64)
    with site.store.reading() as connection:
        files = sizes_of(connection, entry.publication)
        names = {each.keyid: each.name for each in signers_of(connection)}
    thing = Thing(entry.root) if entry.provider is None else Thing(None, entry.provider, entry.name or "")
    seen = view(entry, entry.standing(site.clock()), names, Plots())
    return page(
        request,
        "registry/publication.html",
        view=seen,
        thing=thing,
        files=files,
        readable=READABLE,
        told=told,
    )


@router.get("/publications/{hex64}/files/{name:path}", dependencies=_OFTEN)
def file(request: Request, site: Here, hex64: str, name: str) -> Response:
    """Return one file, to be kept and not to be opened here."""
    filename = name.replace("/", "-")
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Content-Security-Policy": _NOTHING}
    return _file(request, site, hex64, name, "application/octet-stream", headers)


@router.get("/publications/{hex64}/read/{name}", dependencies=_OFTEN)
def read(request: Request, site: Here, hex64: str, name: str) -> Response:
    """Return one of the dossier's own pages, in a box that it cannot leave."""
    if name not in READABLE:
        raise Problem(404, "this is no page of a dossier", do="download it from the publication's page")
    return _file(request, site, hex64, name, "text/html; charset=utf-8", {"Content-Security-Policy": SANDBOX})


def found_publication(site: Site, hex64: str) -> Entry:
    """Return a publication by the digits in an address. Raises `Problem` 404."""
    digest = whole_digest(hex64)
    with site.store.reading() as connection:
        entry = publication_of(connection, digest)
    if entry is None:
        raise Problem(404, "there is no such publication", do="look the weights up by their digest")
    return entry


def _file(request: Request, site: Site, hex64: str, name: str, media_type: str, headers: dict[str, str]) -> Response:
    digest = whole_digest(hex64)
    with site.store.reading() as connection:
        found = sizes_of(connection, digest).get(name)
    if found is None:
        raise Problem(404, "there is no such file", do="the publication's page lists what there is")
    blob, size = found
    tag = f'"{blob[7:39]}"'
    headers = {**headers, "ETag": tag, "Cache-Control": _KEPT, "Cross-Origin-Resource-Policy": "same-origin"}
    if is_held(request, tag):
        return Response(status_code=304, headers=headers)
    if size <= _LARGE_BYTES:
        with site.store.reading() as connection:
            return Response(read_blob(connection, blob), media_type=media_type, headers=headers)
    # A slow reader holds a file on a disk, not a file in memory.
    kept: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when it has been sent
    if not _AT_ONCE.acquire(timeout=_WAIT_S):  # a thread that waits for ever would be missed elsewhere
        kept.close()
        raise Problem(
            503, "many read large files at once", do="do the same in some seconds", headers={"Retry-After": "5"}
        )
    try:
        with site.store.reading() as connection:
            kept.write(read_blob(connection, blob))
    finally:
        _AT_ONCE.release()
    kept.seek(0)
    headers["Content-Length"] = str(size)
    return StreamingResponse(_blocks(kept), media_type=media_type, headers=headers)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while block := file.read(_BLOCK_BYTES):
            yield block
