"""Look-ups for programs. That of exact weights, which is asked for most, is `web.quick`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from weighbridge.digests import Digest
from weighbridge.evidence.records import Record
from weighbridge.registry.asked import MIN_PREFIX, Candidates, digest_asked
from weighbridge.registry.latest import sizes_of
from weighbridge.registry.lookup import candidates
from weighbridge.registry.notices import Entry, Notice
from weighbridge.web.problems import documented
from weighbridge.web.registry.notices import as_json
from weighbridge.web.registry.publications import found_publication
from weighbridge.web.registry.things import Hex64, closed_model
from weighbridge.web.site import Here

router = APIRouter(prefix="/api/v1", tags=["registry"])

_NOTICE: dict[int | str, dict[str, Any]] = {
    200: {"model": Notice, "description": "The notice"},
    304: {"description": "Nothing has changed"},
}


class StoredFile(Record):
    """One file of a publication: its name, digest and size, and where its bytes are."""

    name: str
    digest: Digest
    size_bytes: int
    address: str


class FoundPublication(Record):
    """One publication, as a notice has it, and its files."""

    schema_: Literal["weighbridge.publication/1"] = Field("weighbridge.publication/1", alias="schema")
    entry: Entry
    files: tuple[StoredFile, ...]

    model_config = Record.model_config | {"populate_by_name": True}


@router.get("/publications/{hex64}", responses=documented(404, 422, 503))
def publication(site: Here, hex64: Hex64) -> FoundPublication:
    """Return one publication: what it says, what became of it, and where its files are."""
    entry = found_publication(site, hex64)
    with site.store.reading() as connection:
        sizes = sizes_of(connection, entry.publication)
    where = f"{site.settings.origin}/publications/{entry.publication.removeprefix('sha256:')}/files"
    files = tuple(
        StoredFile(name=name, digest=digest, size_bytes=size, address=f"{where}/{name}")
        for name, (digest, size) in sizes.items()
    )
    return FoundPublication(entry=entry, files=files)


@router.get("/closed/{provider}/{name}", responses={**_NOTICE, **documented(404, 422, 503)})
def closed_notice(request: Request, site: Here, provider: str, name: str) -> Response:
    """Return the notice of a closed model: of a name, and of no digest."""
    thing = closed_model(provider, name)
    with site.store.reading() as connection:
        found = thing.notice(connection, site)
    return as_json(request, found)


@router.get("/candidates", responses=documented(400, 422, 503))
def digests(
    site: Here,
    prefix: Annotated[str, Query(description=f"{MIN_PREFIX} to 64 hexadecimal digits, with or without `sha256:`")],
) -> Candidates:
    """Return the digests that begin so."""
    asked = digest_asked(prefix)
    with site.store.reading() as connection:
        found = candidates(connection, asked)
    return Candidates(asked=asked, candidates=tuple(found))
