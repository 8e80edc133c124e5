"""Handing in a dossier: as an archive from a program, or in a form from a person. It is bounded, held on a disk, and taken whole or not at all."""

from __future__ import annotations

import asyncio
import tempfile
from typing import Annotated, Any, BinaryIO, cast

import anyio
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from weighbridge.errors import WeighbridgeError
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.asked import Published
from weighbridge.registry.publishing import publish
from weighbridge.registry.upload import MAX_ARCHIVE_BYTES, MAX_FILE_BYTES, MAX_UPLOAD_BYTES, read_archive
from weighbridge.web.door import Who
from weighbridge.web.limits import limited
from weighbridge.web.pages import hex_of, page
from weighbridge.web.problems import Problem, ProblemDetails, documented, problem_of
from weighbridge.web.site import Here, Site
from weighbridge.web.who import Known, needs

router = APIRouter()

_MEDIA_TYPES = ("application/zip", "application/octet-stream")
_MOST_AT_ONCE = 16  # archives on their way; each takes room on a disk
_UNPACKED_AT_ONCE = 2  # each may take a few hundred megabytes of memory
_UPLOAD_LASTS_S = 600.0
_PER_MINUTE = 60

Tester = Annotated[Who, Depends(needs(Role.TESTER))]


@router.post(
    "/api/v1/publications",
    status_code=201,
    response_model=Published,
    responses={
        200: {"model": Published, "description": "It was here already"},
        **documented(400, 401, 403, 408, 413, 415, 422, 429, 503, 507),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A ZIP archive of a signed dossier's files",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
    dependencies=[Depends(limited("publish", per_minute=_PER_MINUTE))],
    tags=["registry"],
)
async def publish_archive(request: Request, site: Here, who: Tester) -> Response:
    """Publish a signed dossier, whole or not at all. The same one again changes nothing."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _MEDIA_TYPES:
        raise Problem(415, "a dossier is published as a ZIP archive", do="send it as application/zip")
    work = _work(site)
    if work.on_their_way >= _MOST_AT_ONCE:
        raise Problem(
            429, "many are publishing at once", do="do the same in some seconds", headers={"Retry-After": "5"}
        )
    work.on_their_way += 1
    try:
        with _room() as file:
            await _received(request, file)
            found = await _published(site, file, who)
    finally:
        work.on_their_way -= 1
    where = {"Location": f"/publications/{hex_of(found.publication)}"}
    return JSONResponse(found.model_dump(mode="json", by_alias=True), 201 if found.is_new else 200, where)


@router.get("/publish", include_in_schema=False)
def publish_form(request: Request, who: Known) -> Response:
    """Return the form."""
    return page(request, "registry/publish.html", **_form(who), problem=None)


@router.post("/publish", include_in_schema=False, dependencies=[Depends(limited("publish", per_minute=_PER_MINUTE))])
async def publish_by_form(request: Request, site: Here, who: Tester) -> Response:
    """Publish what a person chose; tell each reason when it is not taken."""
    form = await request.form(max_files=1, max_fields=10)
    given = form.get("archive")
    try:
        if not isinstance(given, UploadFile) or not given.filename:
            raise Problem(422, "no archive was chosen", do="choose the ZIP archive of a signed dossier")
        found = await _published(site, given.file, who)
    except (Problem, WeighbridgeError) as error:
        problem = error if isinstance(error, Problem) else problem_of(error)
        if problem.status >= 500:
            raise
        details = ProblemDetails(
            title="Not published", status=problem.status, detail=problem.what, do=problem.do, reasons=problem.reasons
        )
        return page(request, "registry/publish.html", status=problem.status, **_form(who), problem=details)
    finally:
        await form.close()
    told = "published" if found.is_new else "here-already"
    return RedirectResponse(f"/publications/{hex_of(found.publication)}?told={told}", 303)


class _Work:
    """What this process has in hand."""

    def __init__(self) -> None:
        self.on_their_way = 0
        self.unpacking = anyio.CapacityLimiter(_UNPACKED_AT_ONCE)


def _work(site: Site) -> _Work:
    found: _Work = site.parts.setdefault("publishing", _Work())
    return found


def _room() -> BinaryIO:
    """Return a file for an archive, which is gone when it is closed. Raises `Problem` 507."""
    try:
        return cast(BinaryIO, tempfile.TemporaryFile())
    except OSError:
        raise _full() from None


def _full() -> Problem:
    what = "there is no room here to take the archive"
    return Problem(507, what, do="tell the operator, and send it again later")


async def _received(request: Request, file: BinaryIO) -> None:
    """Write the body to `file` as it comes. Raises `Problem` 400, 408, 413, 507."""
    size = 0
    try:
        async with asyncio.timeout(_UPLOAD_LASTS_S):
            async for block in request.stream():
                size += len(block)
                if size > MAX_ARCHIVE_BYTES:
                    raise Problem(
                        413,
                        f"more than {MAX_ARCHIVE_BYTES:,} bytes",
                        do="publish what `weighbridge sign` signed, and nothing else",
                    )
                if block:
                    await run_in_threadpool(file.write, block)
            await run_in_threadpool(file.flush)
    except TimeoutError:
        raise Problem(408, "the archive took too long to come", do="send it over a faster line") from None
    except ClientDisconnect:  # told to nobody, and no fault of ours
        raise Problem(400, "the archive did not come whole", do="send it again") from None
    except OSError:
        raise _full() from None


async def _published(site: Site, file: BinaryIO, who: Who) -> Published:
    return await anyio.to_thread.run_sync(_publish, site, file, who.by, limiter=_work(site).unpacking)


def _publish(site: Site, file: BinaryIO, by: str) -> Published:
    return publish(site.store, read_archive(file), by=by)


def _form(who: Who) -> dict[str, Any]:
    bounds = {"archive": MAX_ARCHIVE_BYTES >> 20, "file": MAX_FILE_BYTES >> 20, "all": MAX_UPLOAD_BYTES >> 20}
    return {"may": who.name is not None and who.may(Role.TESTER), "bounds": bounds}
