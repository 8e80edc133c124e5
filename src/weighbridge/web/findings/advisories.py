"""Advisories: pages, exports and feeds."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from weighbridge.dossier.svg import Plots
from weighbridge.errors import UsageError
from weighbridge.findings.advisory import Advisory
from weighbridge.findings.avid import avid
from weighbridge.findings.feed import feed
from weighbridge.findings.files import advisory_text, parse
from weighbridge.findings.osv import osv
from weighbridge.protocol.vocabulary import Category
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.disclosing.advisories import (
    advisories_seen,
    advisory_from,
    advisory_seen,
    advisory_to_edit,
    public_advisories,
    save_advisory,
    timeline,
)
from weighbridge.registry.disclosing.reach import adoption
from weighbridge.registry.disclosing.records import day_of
from weighbridge.web.door import NOBODY, Who
from weighbridge.web.findings.figure import difference_in_words, rate_in_words, retest_figure
from weighbridge.web.findings.telling import reading, telling
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.problems import Problem
from weighbridge.web.registry.fresh import OPEN, fresh
from weighbridge.web.registry.things import Thing, closed_model, whole_digest
from weighbridge.web.site import Here, Site
from weighbridge.web.who import Known, needs

router = APIRouter(include_in_schema=False)

PER_PAGE = 50
ATOM = "application/atom+xml; charset=utf-8"
Maintainer = Annotated[Who, Depends(needs(Role.MAINTAINER))]
_OFTEN = [Depends(limited("advisories", per_minute=30))]


@router.get("/advisories.atom")
def feed_of_all(request: Request, site: Here) -> Response:
    """Return the feed of all advisories."""
    return _feed(request, site, None)


@router.get("/weights/{hex64}/advisories.atom")
def feed_of_one(request: Request, site: Here, hex64: str) -> Response:
    """Return the feed of the advisories that list a digest: an empty one where none does."""
    return _feed(request, site, Thing(whole_digest(hex64)))


@router.get("/closed/{provider}/{name}/advisories.atom")
def feed_of_closed(request: Request, site: Here, provider: str, name: str) -> Response:
    """Return the feed of the advisories about a closed model: an empty one where there is none."""
    return _feed(request, site, closed_model(provider, name))


@router.get("/advisories")
def listed(
    request: Request, site: Here, who: Known, number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1
) -> Response:
    """Return the list of those that the reader may read."""
    with reading(site) as connection:
        found, total = advisories_seen(connection, who, site.clock(), limit=PER_PAGE, offset=PER_PAGE * (number - 1))
    pages = -(-total // PER_PAGE)
    return page(request, "findings/advisories.html", found=found, total=total, number=number, pages=pages)


@router.get("/advisories/new")
def new(
    request: Request, site: Here, who: Maintainer, finding: Annotated[tuple[str, ...], Query(max_length=100)] = ()
) -> Response:
    """Return an advisory of findings as a text to edit."""
    with reading(site) as connection:
        made = advisory_from(connection, finding, publisher=site.settings.publisher, reader=who, at=site.clock())
    return _edit(request, advisory_text(made), None)


@router.get("/advisories/{advisory}/edit")
def edit(request: Request, site: Here, who: Maintainer, advisory: str) -> Response:
    """Return an advisory as a text to edit."""
    with reading(site) as connection:
        found = advisory_to_edit(connection, advisory, reader=who, at=site.clock())
    return _edit(request, advisory_text(found), advisory)


@router.post("/advisories/save", dependencies=_OFTEN)
def save(request: Request, site: Here, who: Maintainer, text: Annotated[str, Form(max_length=300_000)]) -> Response:
    """Save the advisory, or return the text with what is wrong."""
    try:
        found = parse(text.replace("\r\n", "\n"), "advisory.yaml")
        if not isinstance(found, Advisory):
            raise UsageError("a finding, not an advisory", do="hand findings in on their own page")
        with telling():
            save_advisory(site.store, found, reader=who)
    except UsageError as error:
        problems: tuple[str, ...] = getattr(error, "problems", (f"{error.what}; {error.do}",))
        if Category.CHILD_SEXUAL_EXPLOITATION.value in text:  # nothing of it is written again, not even into the form
            raise Problem(422, "not saved, and nothing of it was stored", reasons=problems) from None
        return _edit(request, text, None, problems=problems, status=422)
    return RedirectResponse(f"/advisories/{found.id}", 303)


@router.get("/advisories/{advisory}.osv.json")
def as_osv(request: Request, site: Here, advisory: str) -> Response:
    """Return it as an OSV record, once anybody may read it."""
    return _export(request, site, advisory, "osv")


@router.get("/advisories/{advisory}.avid.json")
def as_avid(request: Request, site: Here, advisory: str) -> Response:
    """Return it as an AVID report, once anybody may read it."""
    return _export(request, site, advisory, "avid")


@router.get("/advisories/{advisory}")
def one(
    request: Request,
    site: Here,
    who: Known,
    advisory: str,
    version: Annotated[int | None, Query(ge=1, le=10_000)] = None,
) -> Response:
    """Return one advisory."""
    with reading(site) as connection:
        found = advisory_seen(connection, advisory, who, site.clock(), version=version)
        events = timeline(connection, found)
        adopted = adoption(connection, found.advisory, site.clock())
    plots = Plots()
    record = found.advisory
    return page(
        request,
        "findings/advisory.html",
        found=found,
        advisory=record,
        events=events,
        adoption=adopted,
        rate_in_words=rate_in_words,
        difference_in_words=difference_in_words,
        standings=[(each, record.status_of(each.digest)) for each in record.digests],
        figures=[retest_figure(each.retest, plots) if each.retest is not None else None for each in record.mitigations],
    )


def _edit(
    request: Request, text: str, advisory: str | None, *, problems: tuple[str, ...] = (), status: int = 200
) -> Response:
    return page(request, "findings/edit.html", status=status, text=text, advisory=advisory, problems=problems)


def _export(request: Request, site: Site, advisory: str, form: str) -> Response:
    with reading(site) as connection:
        now = site.clock()
        found = advisory_seen(connection, advisory, NOBODY, now).advisory
    rendered = (osv if form == "osv" else avid)(found, on=day_of(now))
    body = json.dumps(rendered, ensure_ascii=False, indent=1).encode()
    return fresh(request, body, "application/json", headers=OPEN)


def _feed(request: Request, site: Site, thing: Thing | None) -> Response:
    settings = site.settings
    title, path = f"Advisories by {settings.publisher}", ""
    digest, closed = None, None
    if thing is not None:
        digest, closed = thing.digest, None if thing.digest is not None else (thing.provider, thing.name)
        title, path = f"{title} about {digest or '/'.join(closed or ())}", thing.path
    with reading(site) as connection:
        now = site.clock()
        found = public_advisories(connection, now, digest=digest, closed=closed)
    address = f"{settings.origin}{path}/advisories.atom"
    pages = f"{settings.origin}/advisories/"
    body = feed(found, title=title, publisher=settings.publisher, on=day_of(now), url=address, pages=pages)
    return fresh(request, body, ATOM, headers=OPEN)
