"""Findings: saved in versions. Disclosure goes on; what was found does not change.

What is held: nothing that was told, answered or withdrawn is taken back; what was public stays public; a provider's answer comes from an account that was
named as the author's; and that account cannot withdraw, nor can a finder who is the provider.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select, true, update

from weighbridge.digests import digest_bytes
from weighbridge.errors import UsageError
from weighbridge.findings.finding import Answer, Disclosure, Finding, Party, Person, Severity, State, Told, Withdrawal
from weighbridge.protocol.vocabulary import Category, Rung, Verb
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import note
from weighbridge.registry.disclosing import outbox
from weighbridge.registry.disclosing.readers import NotAllowed, Reader, not_there
from weighbridge.registry.disclosing.records import current_finding, day_of, settle
from weighbridge.registry.store import Store
from weighbridge.registry.tables.findings import (
    advisory_findings,
    finding_digests,
    finding_people,
    finding_versions,
    findings,
)

MAX_NAME = 200
INVITED, AUTHOR = "invited", "author"
_HANDLE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Saved:
    """What became of a finding that was handed in. `handle` names it here; `is_new` False: the same account had saved exactly this before."""

    handle: str
    version: int
    is_new: bool


@dataclass(frozen=True)
class Seen:
    """A finding as a reader may see it. `public`: whether anybody may. `mine`: whether this reader carries it on; `answers`: whether they answer for the model's author."""

    handle: str
    finding: Finding
    version: int
    saved_at: datetime
    changed_at: datetime
    public: bool
    mine: bool = False
    answers: bool = False


@dataclass(frozen=True)
class Sought:
    """What findings a list is of: None takes all."""

    category: Category | None = None
    verb: Verb | None = None
    severity: Severity | None = None
    rung: Rung | None = None
    digest: str | None = None


def save_finding(store: Store, finding: Finding, *, by: str) -> Saved:
    """Save a finding for the account `by`, or carry the disclosure of one on that it saved before; the same again changes nothing.

    Who may save is the caller's to check. Raises `UsageError` when it brings an answer or a withdrawal (they come from other accounts), takes back what was
    told, or holds back what is public.
    """
    now = store.clock()
    with store.writing() as connection:
        row = connection.execute(
            select(findings).where(findings.c.saved_by == by, findings.c.digest == finding.digest)
        ).first()
        if row is not None:
            old = current_finding(connection, row.handle)
            if old == finding:
                return Saved(row.handle, row.version, False)
            _refuse_unless_follows(old.disclosure, finding.disclosure, day_of(now))
            return Saved(row.handle, _add(connection, row, finding, by, now, what="disclosure"), False)
        if finding.disclosure.answers or finding.disclosure.withdrawn is not None:
            raise UsageError(
                "a new finding has no answer and is not withdrawn",
                where="disclosure",
                do="leave them out: whoever answers or withdraws does so from their own account",
            )
        return Saved(_insert(connection, finding, by, now), 1, True)


def tell(store: Store, handle: str, *, who: str, on: date, reader: Reader) -> None:
    """Note that somebody who can act was told on a day. A draft is "reported" from then on. Raises `UsageError`."""
    _refuse_future(on, store.clock())

    def told(old: Disclosure, today: date) -> Disclosure:
        state = State.REPORTED if old.state is State.DRAFT else old.state
        return _with(old, state=state, told=(*old.told, Told(who=who, on=on)))

    _carry_on(store, handle, reader, told)


def embargo(store: Store, handle: str, *, until: date, reader: Reader) -> None:
    """Set the first day on which anybody may read it, which comes by itself. Raises `UsageError` when nobody was told, or it is public."""

    def held(old: Disclosure, today: date) -> Disclosure:
        if until <= today:
            raise UsageError("is not a day to come", where="until", do="choose a later day, or make it public now")
        return _with(old, state=State.EMBARGOED, embargo_until=until)

    _carry_on(store, handle, reader, held)


def make_public(store: Store, handle: str, *, reader: Reader) -> None:
    """Let anybody read it from today on."""

    def public(old: Disclosure, today: date) -> Disclosure:
        return _with(old, state=State.PUBLIC, embargo_until=None, published_on=today)

    _carry_on(store, handle, reader, public)


def answer_finding(store: Store, handle: str, *, says: str | None, disputes: bool, role: str, reader: Reader) -> None:
    """Put the provider's answer beside a finding. It changes nothing else. Raises `NotAllowed` for whoever was not named as the author's."""
    with store.writing() as connection:
        now = store.clock()
        row = _readable(connection, handle, reader, now)
        if not _is_author(connection, handle, reader):
            raise NotAllowed(
                "answers come from the model's author, and you are not named as that",
                do="ask whoever saved the finding, or a maintainer, to name you",
            )
        old = current_finding(connection, handle)
        by = Person(name=reader.name or "", role=role, party=Party.FIRST)
        answer = Answer(by=by, on=day_of(now), disputes=disputes, says=says)
        new = _with(old.disclosure, answers=(*old.disclosure.answers, answer))
        _add(connection, row, _disclosed(old, new), reader.name or "", now, what="answered")


def withdraw(store: Store, handle: str, *, why: str | None, reader: Reader) -> None:
    """Take a finding back. What was public stays readable, and says so. Raises `NotAllowed` for the model's author, also when the author found it."""
    with store.writing() as connection:
        now = store.clock()
        row = _readable(connection, handle, reader, now)
        old = current_finding(connection, handle)
        is_maintainer = reader.role.covers(Role.MAINTAINER)
        is_finder = row.saved_by == reader.name and old.found_by.party is Party.THIRD
        if _is_author(connection, handle, reader) or not (is_finder or is_maintainer):
            raise NotAllowed(
                "the author of the model cannot close a finding, and you did not find it as somebody else",
                do="answer it, or ask a maintainer who is not the model's author to look",
            )
        if old.disclosure.state is State.WITHDRAWN:
            raise UsageError("is withdrawn already", where=handle, do="what was said once is not changed")
        today = day_of(now)
        by = Person(name=reader.name or "", role="finder" if is_finder else "maintainer", party=Party.THIRD)
        new = _with(
            old.disclosure,
            state=State.WITHDRAWN,
            embargo_until=None,
            published_on=old.disclosure.public_from if old.is_public(today) else None,
            withdrawn=Withdrawal(by=by, on=today, why=why),
        )
        _add(connection, row, _disclosed(old, new), reader.name or "", now, what="withdrawn")


def name_person(store: Store, handle: str, *, name: str, part: str, reader: Reader) -> None:
    """Let an account read a finding before its day: `invited` (a researcher), or `author` (of the model, who may answer). There is no way back.

    Whether there is such an account is neither checked nor told. Raises `UsageError`.
    """
    name = name.strip()
    if part not in (INVITED, AUTHOR) or not 0 < len(name) <= MAX_NAME or "\x00" in name:
        raise UsageError("needs an account's name, and whether they are invited or the author", do="write both")
    with store.writing() as connection:
        now = store.clock()
        row = _readable(connection, handle, reader, now)
        _refuse_unless_theirs(row, reader)
        if part == AUTHOR and name == reader.name:
            raise UsageError("you cannot name yourself as the model's author", do="ask a maintainer to do so")
        table = finding_people.c
        known = connection.execute(select(table.part).where(table.finding == handle, table.name == name)).scalar()
        if known in (part, AUTHOR):
            return
        values = {"part": part, "by": reader.name, "at": now}
        if known is None:
            connection.execute(insert(finding_people).values(finding=handle, name=name, **values))
        else:
            connection.execute(
                update(finding_people).where(table.finding == handle, table.name == name).values(**values)
            )
        note(connection, now, "disclosure", reader.name or "", None, {"finding": handle, "does": part})


def seen(connection: Connection, handle: str, reader: Reader, at: datetime) -> Seen:
    """Return a finding as it is now. Raises `NotThere` when there is none, or the reader may not know of it yet."""
    row = _readable(connection, handle, reader, at)
    return _seen(connection, row, reader, at)


def version_seen(connection: Connection, handle: str, number: int, reader: Reader, at: datetime) -> Finding:
    """Return an earlier version of a finding that the reader may read: earlier disclosure, the same finding. Raises `NotThere`."""
    _readable(connection, handle, reader, at)
    table = finding_versions.c
    record = connection.execute(select(table.record).where(table.finding == handle, table.number == number)).scalar()
    return Finding.model_validate_json(record) if record is not None else not_there("finding", handle)


def findings_seen(
    connection: Connection, sought: Sought, reader: Reader, at: datetime, *, limit: int = 50, offset: int = 0
) -> tuple[tuple[Seen, ...], int]:
    """Return findings that the reader may read, newest first, and how many there are in all. What may not be read is not counted."""
    which = [may_read(reader, day_of(at))]
    for name in ("category", "verb", "severity", "rung"):
        if (value := getattr(sought, name)) is not None:
            which.append(findings.c[name] == value.value)
    if sought.digest is not None:
        named = select(finding_digests.c.finding).where(finding_digests.c.digest == sought.digest)
        which.append(findings.c.handle.in_(named))
    total = connection.execute(select(func.count()).select_from(findings).where(*which)).scalar() or 0
    newest = (findings.c.saved_at.desc(), findings.c.handle)
    rows = connection.execute(select(findings).where(*which).order_by(*newest).limit(limit).offset(offset)).all()
    return tuple(_seen(connection, row, reader, at) for row in rows), total


def people(connection: Connection, handle: str, reader: Reader, at: datetime) -> tuple[tuple[str, str], ...]:
    """Return who may read a finding before its day, by name and part, to whoever carries it on; to others nobody."""
    row = _readable(connection, handle, reader, at)
    if not _is_theirs(row, reader):
        return ()
    table = finding_people.c
    rows = connection.execute(select(table.name, table.part).where(table.finding == handle).order_by(table.name))
    return tuple((each.name, each.part) for each in rows)


def may_read(reader: Reader, today: date) -> ColumnElement[bool]:
    """Return which findings a reader may read on a day, as a condition of a question to the database."""
    public = findings.c.public_from <= today.isoformat()
    if reader.name is None:
        return public
    if reader.role.covers(Role.MAINTAINER):
        return true()
    parts = (INVITED, AUTHOR) if reader.role.covers(Role.RESEARCHER) else (AUTHOR,)
    table = finding_people.c
    named = select(table.finding).where(table.name == reader.name, table.part.in_(parts))
    return or_(public, findings.c.saved_by == reader.name, findings.c.handle.in_(named))


def handles_of(connection: Connection, digests: list[str]) -> dict[str, str]:
    """Return the handles of findings by their digests: where several accounts saved the same, that of the first."""
    table = findings.c
    rows = connection.execute(
        select(table.digest, table.handle)
        .where(table.digest.in_(digests))
        .order_by(table.saved_at.desc(), table.handle.desc())
    )
    return {row.digest: row.handle for row in rows}


def _readable(connection: Connection, handle: str, reader: Reader, at: datetime) -> Row[Any]:
    if not _HANDLE.fullmatch(handle):
        not_there("finding", handle)
    # One question for "is it there" and "may it be read": both answers take the same path and the same time.
    asked = select(findings).where(findings.c.handle == handle, may_read(reader, day_of(at)))
    row = connection.execute(asked).first()
    return row if row is not None else not_there("finding", handle)


def _seen(connection: Connection, row: Row[Any], reader: Reader, at: datetime) -> Seen:
    versions = finding_versions.c
    newest = connection.execute(
        select(versions.record, versions.at).where(versions.finding == row.handle, versions.number == row.version)
    ).one()
    finding = Finding.model_validate_json(newest.record)
    return Seen(
        handle=row.handle,
        finding=finding,
        version=row.version,
        saved_at=row.saved_at,
        changed_at=newest.at,
        public=finding.is_public(day_of(at)),
        mine=_is_theirs(row, reader),
        answers=_is_author(connection, row.handle, reader),
    )


def _is_theirs(row: Row[Any], reader: Reader) -> bool:
    return reader.name is not None and (row.saved_by == reader.name or reader.role.covers(Role.MAINTAINER))


def _is_author(connection: Connection, handle: str, reader: Reader) -> bool:
    table = finding_people.c
    asked = select(table.part).where(table.finding == handle, table.name == reader.name, table.part == AUTHOR)
    return reader.name is not None and connection.execute(asked).first() is not None


def _refuse_unless_theirs(row: Row[Any], reader: Reader) -> None:
    if not _is_theirs(row, reader):
        raise NotAllowed("this is for whoever saved the finding, or a maintainer", do="ask one of them")


def _carry_on(store: Store, handle: str, reader: Reader, change: Callable[[Disclosure, date], Disclosure]) -> None:
    with store.writing() as connection:
        now = store.clock()
        row = _readable(connection, handle, reader, now)
        _refuse_unless_theirs(row, reader)
        old, today = current_finding(connection, handle), day_of(now)
        new = change(old.disclosure, today)
        _refuse_unless_follows(old.disclosure, new, today)
        _add(connection, row, _disclosed(old, new), reader.name or "", now, what="disclosure")


def _refuse_future(on: date, now: datetime) -> None:
    if on > day_of(now):
        raise UsageError("is a day to come", where="on", do="say when it was done")


def _refuse_unless_follows(old: Disclosure, new: Disclosure, today: date) -> None:
    """Raise `UsageError` when the disclosure does not go on from what it was."""
    if old.state is State.WITHDRAWN:
        raise UsageError("is withdrawn", where="disclosure", do="what was said once is not changed; save a new finding")
    if new.answers != old.answers or new.withdrawn != old.withdrawn:
        raise UsageError(
            "answers and withdrawals come from their own accounts",
            where="disclosure",
            do="leave answers as they are, and withdraw by its own form",
        )
    if new.told[: len(old.told)] != old.told:
        raise UsageError("somebody who was told is missing", where="disclosure.told", do="add to the list only")
    if old.public_from is not None and old.public_from <= today and new.public_from != old.public_from:
        raise UsageError(
            "is public, and what was read cannot be held back", where="disclosure", do="leave its day as it is"
        )
    if old.told and new.state is State.DRAFT:
        raise UsageError("was told already, so it is no draft", where="disclosure.state", do="leave the state as it is")


def _with(old: Disclosure, **changes: object) -> Disclosure:
    """Return a disclosure with changes, checked as a whole. Raises `UsageError` with every problem."""
    try:
        return Disclosure.model_validate(dict(old) | changes)
    except ValidationError as error:
        raise _told(error, "disclosure") from None


def _disclosed(old: Finding, disclosure: Disclosure) -> Finding:
    try:
        return Finding.model_validate(dict(old) | {"disclosure": disclosure})
    except ValidationError as error:
        raise _told(error, "finding") from None


def _told(error: ValidationError, where: str) -> UsageError:
    reasons = (
        f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return UsageError("; ".join(reasons), where=where, do="mend that and send it again")


def _insert(connection: Connection, finding: Finding, by: str, now: datetime) -> str:
    handle = secrets.token_hex(16)
    connection.execute(
        insert(findings).values(
            handle=handle,
            digest=finding.digest,
            saved_by=by,
            saved_at=now,
            version=0,
            category=finding.category.value,
            verb=finding.verb.value,
            severity=finding.severity.value,
            rung=finding.rung.value,
        )
    )
    rows = [{"digest": one.digest, "finding": handle} for one in finding.affected]
    connection.execute(insert(finding_digests), rows)
    row = connection.execute(select(findings).where(findings.c.handle == handle)).one()
    _add(connection, row, finding, by, now, what="saved")
    return handle


def _add(connection: Connection, row: Row[Any], finding: Finding, by: str, now: datetime, *, what: str) -> int:
    """Add a version, and let what follows from its day follow: in advisories, and for their followers."""
    number = int(row.version) + 1
    record = finding.model_dump_json(by_alias=True)
    day = finding.disclosure.public_from
    connection.execute(insert(finding_versions).values(finding=row.handle, number=number, record=record, by=by, at=now))
    changes = {"version": number, "public_from": None if day is None else day.isoformat()}
    connection.execute(update(findings).where(findings.c.handle == row.handle).values(**changes))
    of = {"finding": str(row.handle), "version": str(number), "record": digest_bytes(record.encode()), "does": what}
    note(connection, now, "finding" if what == "saved" else "disclosure", by, None, of)
    linked = select(advisory_findings.c.advisory).where(advisory_findings.c.finding == row.handle)
    for advisory in connection.execute(linked).scalars().all():
        settle(connection, advisory)
        outbox.announce(connection, advisory, now)
    return number
