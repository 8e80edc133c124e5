"""Findings for people: the list, one of them, a form for a new one, and what carries a disclosure on."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from weighbridge.errors import UsageError
from weighbridge.findings.files import parse
from weighbridge.findings.finding import CSAM_ROUTE, Finding, Severity
from weighbridge.protocol.typed_files import MAX_FILE_BYTES
from weighbridge.protocol.vocabulary import Category, Rung, Verb
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.asked import digest_asked
from weighbridge.registry.disclosing.advisories import advisories_of_finding
from weighbridge.registry.disclosing.findings import (
    Sought,
    answer_finding,
    embargo,
    findings_seen,
    make_public,
    name_person,
    people,
    save_finding,
    seen,
    tell,
    version_seen,
    withdraw,
)
from weighbridge.registry.disclosing.prompts import regression_file
from weighbridge.registry.disclosing.records import day_of
from weighbridge.registry.rating import backing_of
from weighbridge.web.door import Who
from weighbridge.web.findings.forms import FindingForm, reasons
from weighbridge.web.findings.telling import chosen, reading, telling
from weighbridge.web.limits import limited
from weighbridge.web.pages import page
from weighbridge.web.problems import Problem
from weighbridge.web.site import Here, Site
from weighbridge.web.who import Known, needs

router = APIRouter(include_in_schema=False)

PER_PAGE = 50
SignedIn = Annotated[Who, Depends(needs(Role.VISITOR))]
Tester = Annotated[Who, Depends(needs(Role.TESTER))]
_OFTEN = [Depends(limited("findings", per_minute=30))]
_CHOICES: dict[str, Any] = {
    "categories": list(Category),
    "verbs": list(Verb),
    "severities": list(Severity),
    "rungs": list(Rung),
}


@router.get("/findings")
def listed(
    request: Request,
    site: Here,
    who: Known,
    category: str = "",
    verb: str = "",
    severity: str = "",
    rung: str = "",
    digest: str = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """Return the list of those that the reader may read."""
    sought = Sought(
        category=chosen(Category, category),
        verb=chosen(Verb, verb),
        severity=chosen(Severity, severity),
        rung=chosen(Rung, rung),
        digest=_whole(digest) if digest.strip() else None,
    )
    with reading(site) as connection:
        found, total = findings_seen(
            connection, sought, who, site.clock(), limit=PER_PAGE, offset=PER_PAGE * (number - 1)
        )
    asked = {"category": category, "verb": verb, "severity": severity, "rung": rung, "digest": digest.strip()}
    return page(
        request,
        "findings/list.html",
        found=found,
        total=total,
        number=number,
        pages=-(-total // PER_PAGE),
        asked=asked,
        **_CHOICES,
    )


@router.get("/findings/new")
def new(request: Request, site: Here, who: Tester, digest: str = "", label: str = "") -> Response:
    """Return the form."""
    return _form(request, site, FindingForm(digest=digest[:71], label=label[:200], name=who.name or "", role="tester"))


@router.post("/findings/new", dependencies=_OFTEN)
def save(request: Request, site: Here, who: Tester, form: Annotated[FindingForm, Form()]) -> Response:
    """Save what was typed, or return the form with what is wrong."""
    if form.csam != "no":
        told = CSAM_ROUTE if form.csam == "yes" else "say whether material of child sexual abuse is involved"
        raise Problem(422, told, do="nothing of it was stored")
    try:
        finding = form.finding(day_of(site.clock()))
    except ValidationError as error:
        if form.carries_no_text:
            raise Problem(422, "not saved, and nothing of it was stored", reasons=reasons(error)) from None
        return _form(request, site, form, status=422, problems=reasons(error))
    return _to(save_finding(site.store, finding, by=who.by).handle)


@router.post("/findings/upload", dependencies=_OFTEN)
def upload(site: Here, who: Tester, file: UploadFile) -> Response:
    """Save the finding in a file, or carry the disclosure of one that the same account saved before on."""
    finding = parse(text_of(file), shown_name(file))
    if not isinstance(finding, Finding):
        raise Problem(422, "an advisory, not a finding", do="a maintainer hands advisories in on their own page")
    return _to(save_finding(site.store, finding, by=who.by).handle)


@router.get("/findings/{handle}")
def one(
    request: Request, site: Here, who: Known, handle: str, version: Annotated[int | None, Query(ge=1, le=10_000)] = None
) -> Response:
    """Return one finding."""
    with reading(site) as connection:
        now = site.clock()
        found = seen(connection, handle, who, now)
        finding = found.finding if version is None else version_seen(connection, handle, version, who, now)
        named = people(connection, handle, who, now)
        advisories = advisories_of_finding(connection, handle, who, now)
        backing = backing_of(connection, handle)
    return page(
        request,
        "findings/finding.html",
        found=found,
        finding=finding,
        version=version or found.version,
        named=named,
        advisories=advisories,
        backing=backing,
        today=day_of(now),
    )


@router.get("/findings/{handle}/regression.jsonl")
def regression(site: Here, who: Known, handle: str) -> Response:
    """Return the prompts that ask it again."""
    with reading(site) as connection:
        found = seen(connection, handle, who, site.clock())
    try:
        text = regression_file(found.finding)
    except UsageError as error:
        raise Problem(409, error.what, do=error.do) from None
    headers = {"Content-Disposition": f'attachment; filename="regression-{handle}.jsonl"', "Cache-Control": "no-store"}
    return Response(text, media_type="application/jsonl", headers=headers)


@router.post("/findings/{handle}/told", dependencies=_OFTEN)
def told(
    site: Here, who: SignedIn, handle: str, person: Annotated[str, Form(max_length=200)], on: Annotated[date, Form()]
) -> Response:
    """Note who was told."""
    with telling():
        tell(site.store, handle, who=person, on=on, reader=who)
    return _to(handle)


@router.post("/findings/{handle}/embargo", dependencies=_OFTEN)
def hold(site: Here, who: SignedIn, handle: str, until: Annotated[date, Form()]) -> Response:
    """Set the day on which it becomes public by itself."""
    with telling():
        embargo(site.store, handle, until=until, reader=who)
    return _to(handle)


@router.post("/findings/{handle}/publish", dependencies=_OFTEN)
def publish(site: Here, who: SignedIn, handle: str) -> Response:
    """Make it public today."""
    with telling():
        make_public(site.store, handle, reader=who)
    return _to(handle)


@router.post("/findings/{handle}/people", dependencies=_OFTEN)
def name(
    site: Here, who: SignedIn, handle: str, person: Annotated[str, Form()], part: Annotated[str, Form()]
) -> Response:
    """Let somebody read it before its day."""
    with telling():
        name_person(site.store, handle, name=person, part=part, reader=who)
    return _to(handle)


@router.post("/findings/{handle}/answer", dependencies=_OFTEN)
def answer(
    site: Here,
    who: SignedIn,
    handle: str,
    role: Annotated[str, Form(max_length=200)],
    says: Annotated[str, Form(max_length=5000)] = "",
    disputes: Annotated[str, Form()] = "",
) -> Response:
    """Put the answer of the model's author beside it."""
    with telling():
        answer_finding(site.store, handle, says=says.strip() or None, disputes=disputes == "yes", role=role, reader=who)
    return _to(handle)


@router.post("/findings/{handle}/withdraw", dependencies=_OFTEN)
def take_back(site: Here, who: SignedIn, handle: str, why: Annotated[str, Form(max_length=5000)] = "") -> Response:
    """Withdraw it."""
    with telling():
        withdraw(site.store, handle, why=why.strip() or None, reader=who)
    return _to(handle)


def text_of(file: UploadFile) -> str:
    """Return the text of a typed file that was handed in. Raises `Problem` 413, 422."""
    content = file.file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise Problem(413, f"larger than the {MAX_FILE_BYTES:,} bytes that such a file may have", do="send less")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(422, "not UTF-8 text", do="send a YAML or TOML file") from None


def shown_name(file: UploadFile) -> str:
    """Return the name of a file that was handed in: only whether it is TOML or YAML is taken from it."""
    return "upload.toml" if (file.filename or "").lower().endswith(".toml") else "upload.yaml"


def _whole(text: str) -> str:
    digest = digest_asked(text)
    if len(digest) != 71:
        raise Problem(422, "not a whole digest", do="give all 64 hexadecimal digits")
    return digest


def _form(
    request: Request, site: Site, form: FindingForm, *, status: int = 200, problems: tuple[str, ...] = ()
) -> Response:
    today = day_of(site.clock())
    return page(request, "findings/new.html", status=status, form=form, problems=problems, today=today, **_CHOICES)


def _to(handle: str) -> Response:
    return RedirectResponse(f"/findings/{handle}", 303)
