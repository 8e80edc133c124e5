"""Tags on the sides of a turn: one's own, with a finding's draft where one can be made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from weighbridge.errors import UsageError
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.conversations import NotThere, reveal
from weighbridge.registry.rating import Judgement
from weighbridge.registry.tagging import Tagged, Tags, Words, save_draft, tag, tagged, tags_in
from weighbridge.web.door import Who
from weighbridge.web.limits import limited
from weighbridge.web.pages import fragment, page
from weighbridge.web.problems import Problem
from weighbridge.web.rating.said import judged
from weighbridge.web.site import Here, Site
from weighbridge.web.who import needs

router = APIRouter(prefix="/workbench/sides/{side}/tags")

Tester = Annotated[Who, Depends(needs(Role.TESTER))]
IN_PLACE = "x-in-place"
"""The header by which a script asks for the part of the page alone."""


@router.get("")
def show(request: Request, site: Here, who: Tester, side: str) -> Response:
    """Return one's own tag on a side."""
    found, tags = _found(site, who, side)
    if IN_PLACE in request.headers:
        text = fragment("rating/tag_part.html", found=found, tags=tags, csrf=who.csrf or "")
        return HTMLResponse(text, headers={"Cache-Control": "no-store"})
    return page(request, "rating/tagged.html", found=found, tags=tags)


@router.post("", dependencies=[Depends(limited("tags", per_minute=120))])
def put(
    request: Request,
    site: Here,
    who: Tester,
    side: str,
    said: Annotated[Judgement, Depends(judged)],
    finding: Annotated[bool, Form()] = False,
    title: Annotated[str, Form(max_length=200)] = "",
    summary: Annotated[str, Form(max_length=4000)] = "",
    is_provider: Annotated[bool, Form()] = False,
) -> Response:
    """Keep a tag, and save a finding of it where one is asked for and can be made. The tag is kept before a blind conversation is revealed for it."""
    found, _ = _found(site, who, side)
    tag(site.store, side, said, reader=who)
    if finding and said.harmful:
        if found.conversation.hidden:
            with site.store.writing() as connection:
                reveal(connection, site.store.clock(), found.conversation.id, by=who.by)
        words = Words(title=title, summary=summary, is_provider=is_provider)
        try:
            save_draft(site.store, side, words, reader=who)
        except UsageError:
            if _found(site, who, side)[0].why_not is None:
                raise
    if IN_PLACE in request.headers:
        return show(request, site, who, side)
    return RedirectResponse(f"/workbench/sides/{side}/tags", 303)


def _found(site: Site, who: Who, side: str) -> tuple[Tagged, Tags]:
    with site.store.reading() as connection:
        try:
            found = tagged(connection, site.store.clock(), side, reader=who)
        except NotThere as error:
            raise Problem(404, error.what, do=error.do) from None
        return found, tags_in(connection, found.conversation.id, reader=who)
