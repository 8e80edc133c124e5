"""The audit log, for maintainers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.trail import AT_ONCE, KINDS, check_trail, read_trail
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.site import Here
from weighbridge.web.who import needs

router = APIRouter(include_in_schema=False)


@router.get("/audit", dependencies=[Depends(needs(Role.MAINTAINER)), Depends(limited("audit", 60))])
def audit_page(
    request: Request,
    site: Here,
    before: Annotated[int | None, Query(ge=0, le=2**31)] = None,
    kind: Annotated[str | None, Query(max_length=40)] = None,
    check: bool = False,
) -> Response:
    """Show the audit log, newest first, and whether every entry follows from the one before."""
    with site.store.reading() as connection:
        trail = read_trail(connection, before=before, kind=kind or None)
        # Of a short log it is always said; a long one is read through when somebody asks.
        checked = check_trail(connection) if check or trail.count <= AT_ONCE else None
    return page(request, "accounts/audit.html", trail=trail, checked=checked, kind=kind or "", kinds=KINDS)
