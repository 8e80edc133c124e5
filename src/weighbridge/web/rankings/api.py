"""Rankings for programs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.rankings.comparing import compare_two
from weighbridge.registry.rankings.records import Listed, RankingPage, Two
from weighbridge.web.problems import documented
from weighbridge.web.rankings.wanted import Hex64, Wanted, chosen, rankings_of, subject_asked
from weighbridge.web.site import Here

router = APIRouter(prefix="/api/v1/rankings", tags=["rankings"])


class RankingList(BaseModel):
    """The rankings there are, at most 500."""

    schema_: Literal["weighbridge.rankings/1"] = Field("weighbridge.rankings/1", alias="schema")
    rankings: tuple[Listed, ...]


@router.get("", responses=documented(503))
def every(site: Here) -> RankingList:
    """Return the rankings for which a signer that is known here measured something."""
    return RankingList(rankings=rankings_of(site).listed())


@router.get("/compare", responses=documented(400, 422, 503))
def two(
    site: Here,
    a: Annotated[str, Query(max_length=300, description="a root digest, or closed:PROVIDER/NAME")],
    b: Annotated[str, Query(max_length=300, description="another")],
) -> Two:
    """Return two models side by side, under everything that either was weighed by."""
    with site.store.reading() as connection:
        return compare_two(connection, subject_asked(a), subject_asked(b), site.clock())


@router.get("/{benchmark}/{grader}/{rung}", responses=documented(404, 422, 503))
def table(site: Here, benchmark: Hex64, grader: Hex64, rung: Rung, wanted: Annotated[Wanted, Query()]) -> RankingPage:
    """Return a part of one ranking. `benchmark`: the digest of the prompts; `grader`: that of the grader's identity."""
    ranking, _ = chosen(site, benchmark, grader, rung, wanted)
    return rankings_of(site).page(ranking, wanted.asked(), site.clock())
