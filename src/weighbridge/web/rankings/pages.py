"""Rankings for people."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.rankings.comparing import compare_two
from weighbridge.web.pages import page
from weighbridge.web.rankings.views import (
    Links,
    address_of_model,
    asking,
    choices,
    evaluator,
    figure_of,
    groups,
    mark_of_model,
    name_of,
    rows_of,
    two_groups,
    unit,
    with_interval,
)
from weighbridge.web.rankings.wanted import Hex64, Wanted, chosen, rankings_of, subject_asked
from weighbridge.web.site import Here

router = APIRouter(include_in_schema=False)


@router.get("/rankings")
def every(request: Request, site: Here) -> Response:
    """Return the page on which a ranking is chosen."""
    return page(request, "rankings/every.html", groups=groups(rankings_of(site).listed()))


@router.get("/rankings/compare")
def compare(
    request: Request,
    site: Here,
    a: Annotated[str, Query(max_length=300)] = "",
    b: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """Return two models side by side, or the form that asks which."""
    two = None
    if a.strip() and b.strip():
        with site.store.reading() as connection:
            two = compare_two(connection, subject_asked(a), subject_asked(b), site.clock())
    return page(
        request,
        "rankings/compare.html",
        a=a.strip(),
        b=b.strip(),
        two=two,
        groups=two_groups(two) if two is not None else [],
        address_of_model=address_of_model,
        mark_of_model=mark_of_model,
        asking=asking,
    )


@router.get("/rankings/{benchmark}/{grader}/{rung}")
def table(
    request: Request, site: Here, benchmark: Hex64, grader: Hex64, rung: Rung, wanted: Annotated[Wanted, Query()]
) -> Response:
    """Return a part of one ranking."""
    ranking, there = chosen(site, benchmark, grader, rung, wanted)
    found = rankings_of(site).page(ranking, wanted.asked(), site.clock())
    return page(
        request,
        "rankings/table.html",
        found=found,
        of=name_of(found.ranking),
        asking=asking(found.ranking),
        unit=unit(found.ranking.of),
        rows=rows_of(found),
        figure=figure_of(found) if found.rows else None,
        links=Links(request.url.path, wanted),
        wanted=wanted,
        choices=choices(there, ranking),
        address_of_model=address_of_model,
        mark_of_model=mark_of_model,
        with_interval=with_interval,
        evaluator=evaluator,
    )
