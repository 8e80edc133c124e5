"""A model's kin, as a page and as JSON."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from weighbridge.dossier.svg import Plots
from weighbridge.registry.kin import lineage_of, search
from weighbridge.registry.lineage.declared import Standing
from weighbridge.registry.lineage.marks import NotMeasured, unpack_mark
from weighbridge.registry.lineage.published import Model
from weighbridge.registry.lineage.told import LineageTold, tell
from weighbridge.web.limits import limited
from weighbridge.web.lineage.figure import figure, lack_in_words
from weighbridge.web.lineage.tree import tree_of
from weighbridge.web.pages import page
from weighbridge.web.problems import Problem, documented
from weighbridge.web.registry.things import Hex64, whole_digest
from weighbridge.web.site import Here

router = APIRouter()

MOST_FINGERPRINT = 16_000  # letters of base64
_PER_MINUTE, _LIKE_PER_MINUTE = 120, 20  # a fingerprint from outside may be made to cost seconds
_MARKS = {
    Standing.CONFIRMED: "met",
    Standing.CONTRADICTED: "not-met",
    Standing.NOT_SHOWN: "not-shown",
    Standing.NOT_MEASURED: "not-measured",
}


@router.get("/weights/{hex64}/lineage", dependencies=[Depends(limited("lineage", _PER_MINUTE))])
def lineage_page(request: Request, site: Here, hex64: Hex64) -> Response:
    """Return the page of a model's kin."""
    digest = whole_digest(hex64)
    with site.store.reading() as connection:
        found = lineage_of(connection, digest, site.clock())
    told, tree = tell(found), tree_of(found)
    return page(
        request,
        "lineage/lineage.html",
        asked=digest,
        lineage=told,
        tree=tree,
        figure=figure(tree, Plots()) if len(tree.rows) + len(tree.beside) > 1 else None,
        marks=_MARKS,
        share=lack_in_words,
    )


@router.get(
    "/api/v1/lineage/{hex64}",
    tags=["lineage"],
    responses=documented(404, 422, 429, 503),
    dependencies=[Depends(limited("lineage", _PER_MINUTE))],
)
def lineage_json(site: Here, hex64: Hex64) -> LineageTold:
    """Return the kin of exact weights."""
    digest = whole_digest(hex64)
    with site.store.reading() as connection:
        return tell(lineage_of(connection, digest, site.clock()))


@router.get(
    "/api/v1/lineage",
    tags=["lineage"],
    responses=documented(400, 404, 422, 429, 503),
    dependencies=[Depends(limited("lineage like", _LIKE_PER_MINUTE))],
)
def lineage_like(
    site: Here,
    fingerprint: Annotated[
        str,
        Query(description="a fingerprint (wbf1) as JSON, zlib, base64url", min_length=8, max_length=MOST_FINGERPRINT),
    ],
    file: Annotated[
        list[str] | None,
        Query(description="SHA-256 of a weight file, 64 hexadecimal digits; at most 20", max_length=20),
    ] = None,
) -> LineageTold:
    """Return the kin of a model that need not be published, by its fingerprint. Nothing is kept of it."""
    try:
        packed = base64.urlsafe_b64decode(fingerprint.encode("ascii") + b"=" * (-len(fingerprint) % 4))
    except (ValueError, binascii.Error):
        raise Problem(
            400, "the fingerprint is not base64url", do="`weighbridge lineage` sends it as it should be"
        ) from None
    mark = unpack_mark(packed, None)
    if isinstance(mark, NotMeasured):
        raise Problem(400, "not a fingerprint of this version", do="`weighbridge lineage` sends it as it should be")
    files = frozenset(whole_digest(each) for each in file or ())
    with site.store.reading() as connection:
        return tell(search(connection, Model("", "", None, (mark,), files=files), site.clock()))
