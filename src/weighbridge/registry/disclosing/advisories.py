"""Advisories: saved in versions by maintainers, read by anybody from the day on which all their findings may be."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select, true, update

from weighbridge.digests import digest_bytes
from weighbridge.errors import UsageError
from weighbridge.findings.advisory import Advisory, Event
from weighbridge.findings.files import advisory_of
from weighbridge.findings.finding import Finding
from weighbridge.protocol.vocabulary import Category
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import note
from weighbridge.registry.disclosing import outbox
from weighbridge.registry.disclosing.findings import handles_of, may_read, seen
from weighbridge.registry.disclosing.readers import NotThere, Reader, needs_maintainer, not_there
from weighbridge.registry.disclosing.records import advisory_version, current_finding, day_of, newest_advisories, settle
from weighbridge.registry.store import Store
from weighbridge.registry.tables import name_key, publications
from weighbridge.registry.tables.findings import (
    advisories,
    advisory_digests,
    advisory_findings,
    advisory_versions,
    findings,
)

MAX_FEED = 200
_MOST_DIGESTS = 10_000
_ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+")
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that is taken for another


@dataclass(frozen=True)
class SeenAdvisory:
    """An advisory as a reader may see it. `public`: whether anybody may. `handles`: where its findings are, by their ids, those that this reader may read."""

    advisory: Advisory
    version: int
    newest: int
    public: bool
    handles: dict[str, str]


def new_advisory_id(at: datetime) -> str:
    """Return an id for an advisory. It is drawn, since a counter's gaps would tell of those that may not be read yet.

    >>> new_advisory_id(datetime(2026, 11, 26))[:8]
    'WB-2026-'
    """
    return f"WB-{at.year}-" + "".join(secrets.choice(_LETTERS) for _ in range(8))


def advisory_from(
    connection: Connection, handles: Sequence[str], *, publisher: str, reader: Reader, at: datetime
) -> Advisory:
    """Return an advisory of findings to begin with. Raises `NotThere`, `UsageError`."""
    if not handles:
        raise UsageError("no finding was chosen", where="findings", do="choose at least one")
    found = [seen(connection, handle, reader, at).finding for handle in handles]
    return advisory_of(found, id=new_advisory_id(at), publisher=publisher, at=at.replace(microsecond=0))


def save_advisory(store: Store, advisory: Advisory, *, reader: Reader) -> int:
    """Save an advisory, or a new version of it, and return the version's number; the same again changes nothing.

    When it may be read already, followers' rows are written in the same transaction. Raises `NotAllowed`, and `UsageError` when a version does not follow
    from the one before, or the findings that it names are not those that are here.
    """
    by = needs_maintainer(reader)
    _refuse_unnameable(advisory)
    record = advisory.model_dump_json(by_alias=True)
    with store.writing() as connection:
        now = store.clock()
        row = connection.execute(select(advisories).where(advisories.c.id == advisory.id)).first()
        number = 1
        if row is None:
            values = {"version": 1, "told": 0, "reached": 0, "public_from": None, "saved_at": now}
            connection.execute(insert(advisories).values(id=advisory.id, **values))
        else:
            old = _stored(connection, advisory.id, row.version)
            if old == advisory:
                return int(row.version)
            _refuse_unless_follows(old, advisory)
            number = row.version + 1
        connection.execute(
            insert(advisory_versions).values(advisory=advisory.id, number=number, record=record, by=by, at=now)
        )
        connection.execute(update(advisories).where(advisories.c.id == advisory.id).values(version=number))
        _link(connection, advisory)
        of = {"advisory": advisory.id, "version": str(number), "record": digest_bytes(record.encode())}
        note(connection, now, "advisory", by, None, of)
        day, today = settle(connection, advisory.id), day_of(now)
        if (
            row is not None
            and row.public_from is not None
            and row.public_from <= today.isoformat()
            and (day is None or day > today)
        ):
            raise UsageError(
                "is public, and this version names a finding that is not",
                where=advisory.id,
                do="make another advisory of that finding: what was read cannot be held back",
            )
        outbox.announce(connection, advisory.id, now)
    return number


def advisory_seen(
    connection: Connection, advisory: str, reader: Reader, at: datetime, *, version: int | None = None
) -> SeenAdvisory:
    """Return an advisory as it is now, or an earlier version of it. Raises `NotThere` when there is none, or the reader may not know of it yet."""
    if len(advisory) > 60 or not _ID.fullmatch(advisory):
        not_there("advisory", advisory)
    # One question for "is it there" and "may it be read": both answers take the same path and the same time.
    row = connection.execute(select(advisories).where(advisories.c.id == advisory, _perhaps_read(reader, at))).first()
    is_public = row is not None and row.public_from is not None and row.public_from <= day_of(at).isoformat()
    if row is None or not (is_public or may_read_early(connection, advisory, reader, at)):
        return not_there("advisory", advisory)
    if version is not None and not 1 <= version <= row.version:
        return not_there("version", str(version))
    found = advisory_version(connection, advisory, version)
    if is_public and not found.is_public(day_of(at)) and not may_read_early(connection, advisory, reader, at):
        return not_there("version", str(version))
    return SeenAdvisory(
        advisory=found,
        version=version or row.version,
        newest=row.version,
        public=is_public,
        handles=_handles_seen(connection, found, reader, at),
    )


def advisory_to_edit(connection: Connection, advisory: str, *, reader: Reader, at: datetime) -> Advisory:
    """Return the newest version as it was saved, with a time of change that a version after it may have. Raises `NotThere`, `NotAllowed`."""
    needs_maintainer(reader)
    newest = advisory_seen(connection, advisory, reader, at).newest
    old = _stored(connection, advisory, newest)
    changed = max(at.replace(microsecond=0), old.modified_at + timedelta(seconds=1))
    return old.model_copy(update={"modified_at": changed})


def advisories_seen(
    connection: Connection, reader: Reader, at: datetime, *, digest: str | None = None, limit: int = 50, offset: int = 0
) -> tuple[tuple[SeenAdvisory, ...], int]:
    """Return advisories that the reader may read, those not public yet first, then the newest; and how many there are in all."""
    which = [] if digest is None else [advisories.c.id.in_(_ids_naming(digest))]
    rows: list[Row[Any]] = []
    if reader.name is not None:
        held = [
            *which,
            func.coalesce(advisories.c.public_from, "9999") > day_of(at).isoformat(),
            _perhaps_read(reader, at),
        ]
        early = connection.execute(select(advisories).where(*held).order_by(advisories.c.saved_at.desc())).all()
        rows = [row for row in early if may_read_early(connection, row.id, reader, at)]
    public = [*which, advisories.c.public_from <= day_of(at).isoformat()]
    total = len(rows) + (connection.execute(select(func.count()).select_from(advisories).where(*public)).scalar() or 0)
    rest = max(0, limit - len(rows[offset : offset + limit]))
    if rest:
        newest = (advisories.c.public_from.desc(), advisories.c.saved_at.desc(), advisories.c.id)
        asked = select(advisories).where(*public).order_by(*newest).limit(rest).offset(max(0, offset - len(rows)))
        rows = [*rows[offset : offset + limit], *connection.execute(asked).all()]
    else:
        rows = rows[offset : offset + limit]
    return tuple(_seen(connection, row, reader, at) for row in rows), total


def advisories_naming(
    connection: Connection, digests: Sequence[str] | None, reader: Reader, at: datetime
) -> tuple[str, ...]:
    """Return the ids of advisories that may be read and list one of `digests` (None: whether there is any at all), the newest first."""
    which: list[Any] = []
    if digests is not None:
        which.append(
            advisories.c.id.in_(
                select(advisory_digests.c.advisory).where(advisory_digests.c.digest.in_(digests[:_MOST_DIGESTS]))
            )
        )
    which.append(_perhaps_read(reader, at))
    newest = (advisories.c.saved_at.desc(), advisories.c.id)
    asked = select(advisories.c.id).where(*which).order_by(*newest).limit(1 if digests is None else MAX_FEED)
    return tuple(connection.execute(asked).scalars())


def advisories_of_finding(connection: Connection, handle: str, reader: Reader, at: datetime) -> tuple[Advisory, ...]:
    """Return the advisories of a finding that the reader may read."""
    which = (advisory_findings.c.finding == handle, _perhaps_read(reader, at))
    asked = (
        select(advisories.c.id).join(advisory_findings, advisory_findings.c.advisory == advisories.c.id).where(*which)
    )
    found = []
    for each in connection.execute(asked.order_by(advisories.c.id)).scalars().all():
        with suppress(NotThere):
            found.append(advisory_seen(connection, each, reader, at).advisory)
    return tuple(found)


def public_advisories(
    connection: Connection, at: datetime, *, digest: str | None = None, closed: tuple[str, str] | None = None
) -> list[Advisory]:
    """Return the newest advisories that anybody may read, at most 200: what a feed holds. `digest`: those that list it; `closed`: those that list a
    dossier about a closed model, by provider and name.
    """
    which = [advisories.c.public_from <= day_of(at).isoformat()]
    if digest is not None:
        which.append(advisories.c.id.in_(_ids_naming(digest)))
    if closed is not None:
        dossiers = select(publications.c.dossier).where(publications.c.name_key == name_key(*closed))
        listing = select(advisory_digests.c.advisory).where(advisory_digests.c.digest.in_(dossiers))
        which.append(advisories.c.id.in_(listing))
    newest = (advisories.c.public_from.desc(), advisories.c.saved_at.desc(), advisories.c.id)
    ids = connection.execute(select(advisories.c.id).where(*which).order_by(*newest).limit(MAX_FEED)).scalars().all()
    return newest_advisories(connection, ids)


def timeline(connection: Connection, found: SeenAdvisory) -> tuple[Event, ...]:
    """Return what happened on which day: what the advisory tells, and what its findings' disclosure does, as far as this reader may read them."""
    advisory = found.advisory
    events = list(advisory.timeline)
    for handle in found.handles.values():
        events += _events(current_finding(connection, handle))
    events.append(
        Event(
            on=day_of(advisory.published_at),
            what="the advisory was published" if found.public else "the advisory is to be published",
        )
    )
    if advisory.withdrawn_at is not None:
        events.append(Event(on=day_of(advisory.withdrawn_at), what="the advisory was withdrawn"))
    return tuple(sorted(dict.fromkeys(events), key=lambda one: one.on))


def _events(finding: Finding) -> Iterable[Event]:
    disclosure = finding.disclosure
    bare = finding.category is Category.CHILD_SEXUAL_EXPLOITATION
    yield Event(on=finding.found_on, what=f"found by {finding.found_by.name}")
    for told in disclosure.told:
        yield Event(on=told.on, what=f"{told.who} was told")
    if disclosure.public_from is not None:
        yield Event(on=disclosure.public_from, what="the finding may be read by anybody")
    for answer in disclosure.answers:
        yield Event(on=answer.on, what=f"{answer.by.name} {'disputes it' if answer.disputes else 'answered'}")
    if disclosure.withdrawn is not None:
        why = f": {disclosure.withdrawn.why}" if disclosure.withdrawn.why and not bare else ""
        yield Event(on=disclosure.withdrawn.on, what=f"{disclosure.withdrawn.by.name} withdrew the finding{why}"[:4000])


def _perhaps_read(reader: Reader, at: datetime) -> ColumnElement[bool]:
    """Return what a reader may read for sure (it is public), or perhaps: they may read one of its findings, or are a maintainer."""
    public = advisories.c.public_from <= day_of(at).isoformat()
    if reader.name is None:
        return public
    if reader.role.covers(Role.MAINTAINER):
        return true()
    theirs = (
        select(advisory_findings.c.advisory)
        .join(findings, findings.c.handle == advisory_findings.c.finding)
        .where(may_read(reader, day_of(at)), func.coalesce(findings.c.public_from, "9999") > day_of(at).isoformat())
    )
    return or_(public, advisories.c.id.in_(theirs))


def _ids_naming(digest: str) -> Any:
    return select(advisory_digests.c.advisory).where(advisory_digests.c.digest == digest)


def _seen(connection: Connection, row: Row[Any], reader: Reader, at: datetime) -> SeenAdvisory:
    found = advisory_version(connection, row.id)
    public = row.public_from is not None and row.public_from <= day_of(at).isoformat()
    return SeenAdvisory(found, row.version, row.version, public, _handles_seen(connection, found, reader, at))


def may_read_early(connection: Connection, advisory: str, reader: Reader, at: datetime) -> bool:
    """Return whether somebody may read an advisory before its day: a maintainer, and whoever may read every finding of it."""
    if reader.name is None:
        return False
    if reader.role.covers(Role.MAINTAINER):
        return True
    found = advisory_version(connection, advisory)
    return len(_handles_seen(connection, found, reader, at)) == len(found.findings)


def _handles_seen(connection: Connection, advisory: Advisory, reader: Reader, at: datetime) -> dict[str, str]:
    linked = select(advisory_findings.c.finding).where(advisory_findings.c.advisory == advisory.id)
    found: dict[str, str] = {}
    by_digest = {one.digest: one.id for one in advisory.findings}
    for handle in connection.execute(linked).scalars():
        with suppress(NotThere):
            one = seen(connection, handle, reader, at).finding
            if one.digest in by_digest:
                found[by_digest[one.digest]] = handle
    return found


def _stored(connection: Connection, advisory: str, number: int) -> Advisory:
    table = advisory_versions.c
    asked = select(table.record).where(table.advisory == advisory, table.number == number)
    return Advisory.model_validate_json(connection.execute(asked).scalar_one())


def _refuse_unnameable(advisory: Advisory) -> None:
    """Raise `UsageError` for numbers that have no canonical form, and times that are no day in UTC: no rendering could be made."""
    times = (advisory.published_at, advisory.modified_at, advisory.withdrawn_at or advisory.modified_at)
    try:
        _ = [advisory.digest, *map(day_of, times)]
    except (ValueError, OverflowError):
        raise UsageError("holds a number or a time out of range", where=advisory.id, do="mend it") from None


def _refuse_unless_follows(old: Advisory, new: Advisory) -> None:
    """Raise `UsageError` when a version does not go on from the one before."""
    if (new.publisher, new.published_at) != (old.publisher, old.published_at):
        raise UsageError("publisher and published_at stay what they were", where=new.id, do="write them as they are")
    if new.modified_at <= old.modified_at:
        raise UsageError(
            f"modified_at must be after the version before ({old.modified_at.isoformat()})", where=new.id, do="set it"
        )
    if old.withdrawn_at is not None and new.withdrawn_at != old.withdrawn_at:
        raise UsageError("is withdrawn, and stays so", where=new.id, do="publish another advisory")
    known = {(one.id, one.digest) for one in new.findings}
    if any((one.id, one.digest) not in known for one in old.findings):
        # An advisory of fewer findings asks less of a fix.
        raise UsageError(
            "a finding that it was about is missing", where=new.id, do="leave it in, or withdraw the advisory"
        )
    listed = {one.digest for one in new.digests}
    if any(one.digest not in listed for one in old.digests):
        raise UsageError("a digest that it listed is missing", where=new.id, do="list it with the status it has now")


def _link(connection: Connection, advisory: Advisory) -> None:
    """Note which digests and findings it names. A finding is linked once: one that somebody saves later cannot take its place."""
    table = advisory_digests.c
    there = set(connection.execute(select(table.digest).where(table.advisory == advisory.id)).scalars())
    if rows := [{"digest": one.digest, "advisory": advisory.id} for one in advisory.digests if one.digest not in there]:
        connection.execute(insert(advisory_digests), rows)
    linked = select(advisory_findings.c.finding).where(advisory_findings.c.advisory == advisory.id)
    known = {current_finding(connection, handle).digest for handle in connection.execute(linked).scalars().all()}
    wanted = [one.digest for one in advisory.findings if one.digest not in known]
    for handle in handles_of(connection, wanted).values():
        connection.execute(insert(advisory_findings).values(advisory=advisory.id, finding=handle))
