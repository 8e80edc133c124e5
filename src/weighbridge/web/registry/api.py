"""Look-ups for programs. That of exact weights, which is asked for most, is `web.quick`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from weighbridge.registry.lookup import MIN_PREFIX, candidates, digest_asked
from weighbridge.registry.notices import Notice
from weighbridge.web.problems import documented
from weighbridge.web.registry.notices import as_json
from weighbridge.web.registry.things import closed_model
from weighbridge.web.site import Here

router = APIRouter(prefix="/api/v1", tags=["registry"])

_NOTICE: dict[int | str, dict[str, Any]] = {
    200: {"model": Notice, "description": "The notice"},
    304: {"description": "Nothing has changed"},
}


class CandidateAnswer(BaseModel):
    """A digest that begins as asked: whether it is a root digest or one weight file's, and what it belongs to."""

    digest: str
    is_root: bool
    label: str


class Candidates(BaseModel):
    """The digests that begin as asked, at most 100."""

    schema_: Literal["weighbridge.candidates/1"] = Field("weighbridge.candidates/1", alias="schema")
    asked: str
    candidates: tuple[CandidateAnswer, ...]


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
    listed = tuple(CandidateAnswer(digest=each.digest, is_root=each.is_root, label=each.label) for each in found)
    return Candidates(schema="weighbridge.candidates/1", asked=asked, candidates=listed)
