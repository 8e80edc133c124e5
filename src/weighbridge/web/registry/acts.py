"""What people do beside a result: maintainers trust keys and revoke, whoever is signed in answers. Nothing here lets an author close a result."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.publishing import answer, revoke, signers_of, trust_pem
from weighbridge.registry.rechecking import check_again
from weighbridge.web.door import Who
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.problems import Problem
from weighbridge.web.registry.publications import found_publication
from weighbridge.web.site import Here
from weighbridge.web.who import needs

router = APIRouter(include_in_schema=False)

MAX_ANSWERS = 10  # by one person beside one result: every notice repeats them

SignedIn = Annotated[Who, Depends(needs(Role.VISITOR))]
Tester = Annotated[Who, Depends(needs(Role.TESTER))]
Maintainer = Annotated[Who, Depends(needs(Role.MAINTAINER))]
_OFTEN = [Depends(limited("registry acts", per_minute=30))]


@router.get("/signers")
def signers(request: Request, site: Here) -> Response:
    """Return whose signatures are checked here."""
    with site.store.reading() as connection:
        found = signers_of(connection)
    return page(request, "registry/signers.html", signers=found)


@router.post("/signers", dependencies=_OFTEN)
def trust(site: Here, who: Maintainer, pem: Annotated[str, Form()], name: Annotated[str, Form()]) -> Response:
    """Trust a key from now on."""
    trust_pem(site.store, pem, name=name, by=who.by)
    return RedirectResponse("/signers", 303)


@router.post("/publications/{hex64}/revoke", dependencies=_OFTEN)
def revoke_one(site: Here, who: Maintainer, hex64: str, reason: Annotated[str, Form()]) -> Response:
    """Mark a publication as revoked, with a reason that everybody sees."""
    entry = found_publication(site, hex64)
    if entry.revoked is not None:
        raise Problem(409, "it is revoked already", do="what was said once is not changed")
    revoke(site.store, entry.publication, by=who.by, reason=reason)
    return _back(entry.publication)


@router.post("/publications/{hex64}/answer", dependencies=_OFTEN)
def answer_one(site: Here, who: SignedIn, hex64: str, text: Annotated[str, Form()]) -> Response:
    """Put words beside a result, under the name of whoever is signed in."""
    entry = found_publication(site, hex64)
    if sum(each.by == who.by for each in entry.answers) >= MAX_ANSWERS:
        told = f"you have answered {MAX_ANSWERS} times beside this result"
        raise Problem(409, told, do="say the rest on a page of your own, and let your last answer lead there")
    answer(site.store, entry.publication, by=who.by, text=text)
    return _back(entry.publication)


@router.post("/publications/{hex64}/check", dependencies=_OFTEN)
def check_one(site: Here, who: Tester, hex64: str) -> Response:
    """Check its signature again, with the keys that are trusted now."""
    entry = found_publication(site, hex64)
    found = check_again(site.store, entry.publication, by=who.by)
    if not found.signer_known:
        told = "its signer's key is not trusted here"
        raise Problem(409, told, do="a maintainer trusts a key on the page of signers")
    return _back(entry.publication)


def _back(publication: str) -> Response:
    return RedirectResponse(f"/publications/{publication.removeprefix('sha256:')}", 303)
