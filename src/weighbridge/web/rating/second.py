"""The second rater's queue, blind, and how far raters agree."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from weighbridge.dossier.untrusted import visible
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.rating import Judgement, NotInQueue, State, agreement, claim_next, look_blind, rate_blind
from weighbridge.registry.tagging import Choices
from weighbridge.web.door import Who
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.problems import Problem
from weighbridge.web.rating.said import judged
from weighbridge.web.site import Here
from weighbridge.web.who import needs

router = APIRouter(prefix="/rating")

Tester = Annotated[Who, Depends(needs(Role.TESTER))]
MOST_SHOWN = 100_000
_OFTEN = [Depends(limited("ratings", per_minute=120))]


@router.get("")
def overview(request: Request, site: Here, who: Tester) -> Response:
    """Return how far raters agree, what they differ in, and the way into the queue."""
    with site.store.reading() as connection:
        found = agreement(connection, site.store.clock(), rater=who.by, role=who.role)
    return page(request, "rating/agreement.html", found=found, states=list(State)[1:])


@router.post("/next", dependencies=_OFTEN)
def next_one(site: Here, who: Tester) -> Response:
    """Give whoever asks the next answer to rate."""
    return _to(claim_next(site.store, rater=who.by, role=who.role))


@router.get("/answers/{side}")
def one(request: Request, site: Here, who: Tester, side: str) -> Response:
    """Return an answer to rate: not whose it is, nor what was said of it."""
    with site.store.reading() as connection:
        try:
            found = look_blind(connection, site.store.clock(), side, rater=who.by, role=who.role)
        except NotInQueue as error:
            raise Problem(404, error.what, do=error.do) from None
    return page(
        request,
        "rating/rate.html",
        found=found,
        asked=[visible(each, MOST_SHOWN) for each in found.asked],
        before=[(visible(words, MOST_SHOWN), visible(said, MOST_SHOWN)) for words, said in found.before],
        prefill=visible(found.prefill, MOST_SHOWN),
        answer=visible(found.text, MOST_SHOWN),
        choices=Choices(),
    )


@router.post("/answers/{side}", dependencies=_OFTEN)
def give(site: Here, who: Tester, side: str, said: Annotated[Judgement, Depends(judged)]) -> Response:
    """Keep a second rater's word, and go on with the next answer."""
    try:
        return _to(rate_blind(site.store, side, said, rater=who.by, role=who.role))
    except NotInQueue as error:
        raise Problem(404, error.what, do=error.do) from None


def _to(side: str | None) -> Response:
    return RedirectResponse(f"/rating/answers/{side}" if side else "/rating", 303)
