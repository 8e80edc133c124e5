"""Findings and advisories for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from weighbridge.errors import UsageError
from weighbridge.findings.advisory import Advisory
from weighbridge.findings.finding import Finding, Severity
from weighbridge.protocol.vocabulary import Category, Rung, Verb
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.disclosing.advisories import SeenAdvisory, advisories_seen, advisory_seen, save_advisory
from weighbridge.registry.disclosing.findings import (
    Seen,
    Sought,
    answer_finding,
    findings_seen,
    save_finding,
    seen,
    withdraw,
)
from weighbridge.registry.disclosing.prompts import regression_file
from weighbridge.registry.disclosing.reach import How, advisories_about
from weighbridge.registry.kin import Kin
from weighbridge.registry.lineage.marks import NotMeasured
from weighbridge.web.door import Who
from weighbridge.web.findings.telling import reading, telling
from weighbridge.web.limits import limited
from weighbridge.web.problems import Problem, documented
from weighbridge.web.registry.things import Hex64, whole_digest
from weighbridge.web.site import Here, Site
from weighbridge.web.who import Known, needs

router = APIRouter(prefix="/api/v1", tags=["findings"])

PER_PAGE = 50
SignedIn = Annotated[Who, Depends(needs(Role.VISITOR))]
Tester = Annotated[Who, Depends(needs(Role.TESTER))]
Maintainer = Annotated[Who, Depends(needs(Role.MAINTAINER))]
Handle = Annotated[str, Path(description="32 hexadecimal digits", json_schema_extra={"pattern": "^[0-9a-f]{32}$"})]
AdvisoryId = Annotated[str, Path(description="As `WB-2026-7KQ4M2XD`", max_length=60)]
DigestText = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]
_OFTEN = [Depends(limited("findings api", per_minute=120))]
_REFUSED = documented(400, 401, 403, 404, 422, 429, 503)


class FoundFinding(BaseModel):
    """A finding as it is now. `public`: whether anybody may read it."""

    handle: str
    address: str
    version: int
    saved_at: datetime
    changed_at: datetime
    public: bool
    finding: Finding


class FoundFindings(BaseModel):
    """A page of findings, newest first. `total` counts those that the asker may read."""

    total: int
    page: int
    findings: tuple[FoundFinding, ...]


class SavedFinding(BaseModel):
    """What became of a finding. `is_new` False: this account had saved it before, and its disclosure was carried on or is the same."""

    handle: str
    address: str
    version: int
    is_new: bool


class Answering(BaseModel):
    """The answer of the model's author."""

    role: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    disputes: bool
    says: Annotated[str, StringConstraints(min_length=1, max_length=4000)] | None = None


class Withdrawing(BaseModel):
    """Why a finding is taken back."""

    why: Annotated[str, StringConstraints(min_length=1, max_length=4000)] | None = None


class DigestStatus(BaseModel):
    """The status of a digest as the evidence supports it."""

    digest: str
    status: str
    because: str


class FoundAdvisory(BaseModel):
    """An advisory as it is now. `statuses`: what each digest's declared status comes to."""

    address: str
    version: int
    newest: int
    public: bool
    findings: dict[str, str] = Field(description="Handles of its findings by their ids")
    statuses: tuple[DigestStatus, ...]
    advisory: Advisory


class FoundAdvisories(BaseModel):
    """A page of advisories."""

    total: int
    page: int
    advisories: tuple[FoundAdvisory, ...]


class ReachedBy(BaseModel):
    """An advisory that concerns a digest. `status` is of the digest that was asked for. `probability`: of kinship with `listed`, where that is how."""

    advisory: str
    address: str
    title: str
    severity: Severity
    withdrawn: bool
    public: bool
    how: How
    status: str
    because: str
    listed: str
    probability: float | str


class Reaching(BaseModel):
    """The advisories that concern a digest. None: nobody published one, which says nothing about the weights."""

    digest: str
    advisories: tuple[ReachedBy, ...]


class SavedAdvisory(BaseModel):
    """What became of an advisory."""

    id: str
    address: str
    version: int


@router.post("/findings", status_code=201, dependencies=_OFTEN, responses=_REFUSED)
def save(site: Here, who: Tester, finding: Finding) -> SavedFinding:
    """Save a finding, or carry the disclosure of one on that this account saved before."""
    found = save_finding(site.store, finding, by=who.by)
    return SavedFinding(
        handle=found.handle, address=_at(site, found.handle), version=found.version, is_new=found.is_new
    )


@router.get("/findings", responses=documented(422, 503))
def listed(
    site: Here,
    who: Known,
    category: Category | None = None,
    verb: Verb | None = None,
    severity: Severity | None = None,
    rung: Rung | None = None,
    digest: DigestText | None = None,
    page: PageNumber = 1,
) -> FoundFindings:
    """Return findings that the asker may read."""
    sought = Sought(category, verb, severity, rung, digest)
    with reading(site) as connection:
        found, total = findings_seen(
            connection, sought, who, site.clock(), limit=PER_PAGE, offset=PER_PAGE * (page - 1)
        )
    return FoundFindings(total=total, page=page, findings=tuple(_finding(site, each) for each in found))


@router.get("/findings/{handle}", responses=documented(404, 422, 503))
def one(site: Here, who: Known, handle: Handle) -> FoundFinding:
    """Return one finding."""
    with reading(site) as connection:
        return _finding(site, seen(connection, handle, who, site.clock()))


@router.get(
    "/findings/{handle}/regression",
    response_class=Response,
    responses={200: {"content": {"application/jsonl": {}}}, **documented(404, 409, 422, 503)},
)
def regression(site: Here, who: Known, handle: Handle) -> Response:
    """Return the prompts that ask it again, as JSON lines for `weighbridge assess --prompts`."""
    with reading(site) as connection:
        found = seen(connection, handle, who, site.clock())
    try:
        text = regression_file(found.finding)
    except UsageError as error:
        raise Problem(409, error.what, do=error.do) from None
    return Response(text, media_type="application/jsonl")


@router.post("/findings/{handle}/answers", status_code=201, dependencies=_OFTEN, responses=_REFUSED)
def answer(site: Here, who: SignedIn, handle: Handle, answering: Answering) -> FoundFinding:
    """Put the answer of the model's author beside a finding."""
    with telling():
        answer_finding(
            site.store, handle, says=answering.says, disputes=answering.disputes, role=answering.role, reader=who
        )
    with reading(site) as connection:
        return _finding(site, seen(connection, handle, who, site.clock()))


@router.post("/findings/{handle}/withdrawal", status_code=201, dependencies=_OFTEN, responses=_REFUSED)
def take_back(site: Here, who: SignedIn, handle: Handle, withdrawing: Withdrawing) -> FoundFinding:
    """Withdraw a finding. The model's author cannot."""
    with telling():
        withdraw(site.store, handle, why=withdrawing.why, reader=who)
    with reading(site) as connection:
        return _finding(site, seen(connection, handle, who, site.clock()))


@router.get("/advisories", responses=documented(422, 503))
def advisories(site: Here, who: Known, digest: DigestText | None = None, page: PageNumber = 1) -> FoundAdvisories:
    """Return advisories that the asker may read. `digest`: those that list it."""
    with reading(site) as connection:
        found, total = advisories_seen(
            connection, who, site.clock(), digest=digest, limit=PER_PAGE, offset=PER_PAGE * (page - 1)
        )
    return FoundAdvisories(total=total, page=page, advisories=tuple(_advisory(site, each) for each in found))


@router.post("/advisories", status_code=201, dependencies=_OFTEN, responses=_REFUSED)
def save_one(site: Here, who: Maintainer, advisory: Advisory) -> SavedAdvisory:
    """Save an advisory, or a new version of it. It may be read from the day on which all its findings may be."""
    with telling():
        version = save_advisory(site.store, advisory, reader=who)
    return SavedAdvisory(id=advisory.id, address=f"{site.settings.origin}/advisories/{advisory.id}", version=version)


@router.get("/advisories/{advisory}", responses=documented(404, 422, 503))
def advisory(site: Here, who: Known, advisory: AdvisoryId) -> FoundAdvisory:
    """Return one advisory."""
    with reading(site) as connection:
        return _advisory(site, advisory_seen(connection, advisory, who, site.clock()))


@router.get("/weights/{hex64}/advisories", responses=documented(404, 422, 503))
def reaching(site: Here, who: Known, hex64: Hex64) -> Reaching:
    """Return the advisories that concern a digest: those that list it, its files or what it is a file of, and those on its parents, found by lineage."""
    digest = whole_digest(hex64)
    with reading(site) as connection:
        found = advisories_about(connection, digest, site.clock(), who)
    return Reaching(
        digest=digest,
        advisories=tuple(
            ReachedBy(
                advisory=each.advisory.id,
                address=f"{site.settings.origin}/advisories/{each.advisory.id}",
                title=each.advisory.title,
                severity=each.advisory.severity,
                withdrawn=each.advisory.withdrawn_at is not None,
                public=each.public,
                how=each.how,
                status=each.status,
                because=each.because,
                listed=each.listed,
                probability="not asked" if each.kin is None else _probability(each.kin),
            )
            for each in found
        ),
    )


def _probability(kin: Kin) -> float | str:
    return f"not measured: {kin.probability.reason}" if isinstance(kin.probability, NotMeasured) else kin.probability


def _at(site: Site, handle: str) -> str:
    return f"{site.settings.origin}/findings/{handle}"


def _finding(site: Site, found: Seen) -> FoundFinding:
    return FoundFinding(
        handle=found.handle,
        address=_at(site, found.handle),
        version=found.version,
        saved_at=found.saved_at,
        changed_at=found.changed_at,
        public=found.public,
        finding=found.finding,
    )


def _advisory(site: Site, found: SeenAdvisory) -> FoundAdvisory:
    record = found.advisory
    standings = ((each.digest, record.status_of(each.digest)) for each in record.digests)
    return FoundAdvisory(
        address=f"{site.settings.origin}/advisories/{record.id}",
        version=found.version,
        newest=found.newest,
        public=found.public,
        findings=found.handles,
        statuses=tuple(
            DigestStatus(digest=digest, status=each.shown, because=each.because) for digest, each in standings
        ),
        advisory=record,
    )
