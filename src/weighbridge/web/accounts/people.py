"""Users, for maintainers: add, give a role, keep out, let in again, give a new one-time link."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from weighbridge.registry.accounts.links import address, make_link
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.sessions import end_sessions
from weighbridge.registry.accounts.users import NAME, add_user, change_role, disable, enable, list_users, maintainers
from weighbridge.web.accounts.guards import in_person, is_fresh, just_now
from weighbridge.web.door import Who
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.site import Here, Site

router = APIRouter(include_in_schema=False)

Maintainer = Annotated[Who, Depends(just_now(Role.MAINTAINER))]
_OFTEN = [Depends(limited("users", 60))]


@router.get("/users")
def users_page(request: Request, site: Here, who: Annotated[Who, Depends(in_person(Role.MAINTAINER))]) -> Response:
    """Show all users."""
    return _users(request, site, who)


@router.post("/users", dependencies=_OFTEN)
def user_added(
    request: Request,
    site: Here,
    who: Maintainer,
    name: Annotated[str, Form(max_length=40)],
    role: Annotated[Role, Form()],
) -> Response:
    """Add a user and show their one-time link this once."""
    with site.store.writing() as connection:
        now = site.store.clock()
        user = add_user(connection, now, name.strip(), role, by=who.by)
        secret = make_link(connection, now, user.name, by=who.by)
    return _users(request, site, who, invited=user.name, link=address(site.settings.origin, secret))


@router.post("/users/{name}/link", dependencies=_OFTEN)
def user_linked(request: Request, site: Here, who: Maintainer, name: str) -> Response:
    """Show a new one-time link for a user this once: for one whose link ran out, or whose passkeys are lost."""
    with site.store.writing() as connection:
        secret = make_link(connection, site.store.clock(), name, by=who.by)
    return _users(request, site, who, invited=name, link=address(site.settings.origin, secret))


@router.post("/users/{name}/role", dependencies=_OFTEN)
def role_changed(site: Here, who: Maintainer, name: str, role: Annotated[Role, Form()]) -> Response:
    """Give a user another role."""
    with site.store.writing() as connection:
        change_role(connection, site.store.clock(), name, role, by=who.by)
    # Who gave up being one may not see the page that they came from.
    return RedirectResponse("/account" if name == who.name and role is not Role.MAINTAINER else "/users", 303)


@router.post("/users/{name}/disable", dependencies=_OFTEN)
def user_disabled(site: Here, who: Maintainer, name: str) -> Response:
    """Keep a user out from now on."""
    with site.store.writing() as connection:
        disable(connection, site.store.clock(), name, by=who.by)
    return RedirectResponse("/" if name == who.name else "/users", 303)


@router.post("/users/{name}/enable", dependencies=_OFTEN)
def user_enabled(site: Here, who: Maintainer, name: str) -> Response:
    """Let a user in again."""
    with site.store.writing() as connection:
        enable(connection, site.store.clock(), name, by=who.by)
    return RedirectResponse("/users", 303)


@router.post("/users/{name}/sign-out", dependencies=_OFTEN)
def user_signed_out(site: Here, who: Maintainer, name: str) -> Response:
    """End all sessions of a user."""
    with site.store.writing() as connection:
        end_sessions(connection, site.store.clock(), name, by=who.by)
    return RedirectResponse("/users", 303)


def _users(request: Request, site: Site, who: Who, invited: str | None = None, link: str | None = None) -> Response:
    with site.store.reading() as connection:
        found = list_users(connection, site.store.clock())
        able = maintainers(connection)
    only = able[0] if len(able) == 1 else None
    return page(
        request,
        "accounts/users.html",
        users=found,
        only=only,
        fresh=is_fresh(who, site),
        invited=invited,
        link=link,
        name_form=NAME,
        roles=list(Role),
    )
