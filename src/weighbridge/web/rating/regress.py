"""Findings that are asked again of the next version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from weighbridge.dossier.untrusted import visible
from weighbridge.graders.grade import GradeRequest
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.conversations import Named, NotYours
from weighbridge.registry.disclosing.readers import NotThere
from weighbridge.registry.regressions import (
    Asked,
    NoSuchRegression,
    Regression,
    answer_of,
    ask_regression,
    asked_of,
    begin_regression,
    find_regression,
    keep_grade,
    may_see,
    rate_again,
    regression_prompt_file,
    regressions_seen,
)
from weighbridge.web.door import Who
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.problems import Problem
from weighbridge.web.site import Here
from weighbridge.web.who import needs
from weighbridge.web.workbench.asking import Job, Workbench
from weighbridge.web.workbench.here import Bench

router = APIRouter(prefix="/regressions")

Tester = Annotated[Who, Depends(needs(Role.TESTER))]
MOST_SHOWN = 20_000
ON_A_PAGE = 20
_OFTEN = [Depends(limited("regressions", per_minute=60))]
_TURNS = [Depends(limited("workbench turns", per_minute=20))]


@dataclass(frozen=True)
class Listed:
    """A regression as it is shown. `answers`: with their texts, made safe to read; None where the reader may not see them."""

    regression: Regression
    prompts: dict[str, tuple[int, str]]
    answers: list[tuple[Asked, str | None]]


@router.get("")
def listed(
    request: Request, site: Here, bench: Bench, who: Tester, skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0
) -> Response:
    """Return what is asked again, of which version, and what became of it; the newest first, after `skip` of them."""
    with site.store.reading() as connection:
        now = site.store.clock()
        seen = regressions_seen(connection, now, who)
        found = [_listed(connection, now, each, who) for each in seen[skip : skip + ON_A_PAGE]]
    older = skip + ON_A_PAGE if len(seen) > skip + ON_A_PAGE else None
    return _page(request, bench, found, older=older, newer=skip > 0)


@router.get("/{name}")
def one(request: Request, site: Here, bench: Bench, who: Tester, name: str) -> Response:
    """Return one finding that is asked again."""
    with _told(), site.store.reading() as connection:
        now = site.store.clock()
        found = _listed(connection, now, find_regression(connection, now, name, who), who)
    return _page(request, bench, [found], older=None, newer=True)


@router.post("", dependencies=_OFTEN)
def begin(site: Here, who: Tester, finding: Annotated[str, Form(max_length=64)]) -> Response:
    """Make a finding a regression."""
    with _told():
        return _to(begin_regression(site.store, finding, reader=who))


@router.post("/file", dependencies=_OFTEN)
def take_out(site: Here, who: Tester) -> Response:
    """Return all prompts as a file that `weighbridge assess --prompts` asks."""
    data = regression_prompt_file(site.store, reader=who)
    headers = {"Content-Disposition": 'attachment; filename="regressions.jsonl"', "Cache-Control": "no-store"}
    return Response(data, media_type="application/jsonl", headers=headers)


@router.post("/{name}/ask", dependencies=_TURNS)
def ask(site: Here, bench: Bench, who: Tester, name: str, model: Annotated[str, Form(max_length=40)]) -> Response:
    """Ask a model the next prompt of a regression, in a conversation of its own."""
    offers = {offer.key: Named(offer.reference, offer.name) for offer in bench.shelf.offers}
    if model not in offers:
        raise Problem(422, "this model is not offered here", do="choose one of those listed")
    with _told(), site.store.writing() as connection:
        now = site.store.clock()
        found = find_regression(connection, now, name, who)
        made = ask_regression(connection, now, found, offers[model], reader=who, server=bench.server)
    if made is None:
        raise Problem(409, "this model was asked all of it", do="look at its answers, or choose another model")
    conversation, turn = made
    bench.ask(Job(conversation, turn, turn.sides, ()))
    return _to(name)


@router.post("/{name}/answers/{side}", dependencies=_OFTEN)
def rate(site: Here, who: Tester, name: str, side: str, fails: Annotated[bool, Form()]) -> Response:
    """Keep whether a person finds that an answer fails still."""
    with _told():
        rate_again(site.store, name, side, harmful=fails, reader=who)
    return _to(name)


@router.post("/{name}/answers/{side}/grade", dependencies=_OFTEN)
def grade(site: Here, who: Tester, name: str, side: str) -> Response:
    """Let the offline grader grade an answer."""
    from weighbridge.graders.offline.grader import OfflineGrader

    with _told(), site.store.reading() as connection:
        found, one = answer_of(connection, site.store.clock(), name, side, who)
    grader: OfflineGrader = site.parts.get("rating grader") or OfflineGrader()
    site.parts["rating grader"] = grader
    text = next(each.text for each in found.prompts if each.id == one.prompt)
    finding = found.finding
    asked = GradeRequest(
        id=side,
        prompt=text,
        answer=one.side.said,
        prefill=one.side.prefill,
        category=finding.category,
        verb=finding.verb,
    )
    [said] = grader.grade_pairs([asked])
    keep_grade(site.store, one.side, said, grader=grader.identity, by=who.by)
    return _to(name)


def _listed(connection: Connection, now: datetime, found: Regression, who: Who) -> Listed:
    sees = may_see(found, who)
    prompts = {one.id: (number, visible(one.text, MOST_SHOWN)) for number, one in enumerate(found.prompts, start=1)}
    asked = asked_of(connection, now, found)
    return Listed(found, prompts, [(one, visible(one.side.said, MOST_SHOWN) if sees else None) for one in asked])


def _page(request: Request, bench: Workbench, found: list[Listed], *, older: int | None, newer: bool) -> Response:
    names = {offer.reference: offer.name for offer in bench.shelf.offers}
    return page(
        request,
        "rating/regressions.html",
        found=found,
        offers=bench.shelf.offers,
        names=names,
        older=older,
        newer=newer,
    )


def _to(name: str) -> Response:
    return RedirectResponse(f"/regressions/{name}", 303)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (NoSuchRegression, NotThere) as error:
        raise Problem(404, error.what, do=error.do) from None
    except NotYours as error:
        raise Problem(403, error.what, do=error.do) from None
