"""The records as they are now: the newest version of a finding or an advisory, and the day from which an advisory may be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time

from sqlalchemy import Connection, select, update

from weighbridge.findings.advisory import Advisory
from weighbridge.findings.finding import Finding
from weighbridge.registry.tables.findings import (
    advisories,
    advisory_findings,
    advisory_versions,
    finding_versions,
    findings,
)


def day_of(at: datetime) -> date:
    """Return the day of a time in UTC: embargoes end at its beginning."""
    return at.astimezone(UTC).date()


def current_finding(connection: Connection, handle: str) -> Finding:
    """Return the newest version of a finding that is there."""
    versions, heads = finding_versions.c, findings.c
    asked = select(versions.record).join(
        findings, (heads.handle == versions.finding) & (heads.version == versions.number)
    )
    return Finding.model_validate_json(connection.execute(asked.where(heads.handle == handle)).scalar_one())


def advisory_version(connection: Connection, advisory: str, number: int | None = None) -> Advisory:
    """Return a version of an advisory that is there, the newest if `number` is None, with its findings' days as they are now."""
    versions = advisory_versions.c
    asked = select(versions.record).where(versions.advisory == advisory)
    if number is None:
        newest = select(advisories.c.version).where(advisories.c.id == advisory).scalar_subquery()
        asked = asked.where(versions.number == newest)
    else:
        asked = asked.where(versions.number == number)
    found = Advisory.model_validate_json(connection.execute(asked).scalar_one())
    return _on_days(found, _days(connection, [advisory]).get(advisory, {}))


def newest_advisories(connection: Connection, ids: Sequence[str]) -> list[Advisory]:
    """Return the newest versions of advisories that are there, in the order of `ids`, with two questions however many they are."""
    versions, heads = advisory_versions.c, advisories.c
    asked = (
        select(heads.id, versions.record)
        .join(advisories, (heads.id == versions.advisory) & (heads.version == versions.number))
        .where(heads.id.in_(ids))
    )
    records = {row.id: Advisory.model_validate_json(row.record) for row in connection.execute(asked)}
    days = _days(connection, ids)
    return [_on_days(records[each], days.get(each, {})) for each in ids]


def _days(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, date | None]]:
    """Return, for each advisory, the days of the findings that it was saved with, by their digests."""
    asked = (
        select(advisory_findings.c.advisory, findings.c.digest, findings.c.public_from)
        .join(findings, advisory_findings.c.finding == findings.c.handle)
        .where(advisory_findings.c.advisory.in_(ids))
    )
    found: dict[str, dict[str, date | None]] = {}
    for row in connection.execute(asked):
        day = None if row.public_from is None else date.fromisoformat(row.public_from)
        found.setdefault(row.advisory, {})[row.digest] = day
    return found


def _on_days(advisory: Advisory, days: Mapping[str, date | None]) -> Advisory:
    """Return an advisory with the days of the findings that it was saved with, and with no time before its own day.

    A finding that is not in the registry keeps the day that the advisory says. Without the second, a feed's reader would be told in May of something new
    in February.
    """
    if days:
        told = tuple(
            one.model_copy(update={"public_from": days[one.digest]}) if one.digest in days else one
            for one in advisory.findings
        )
        advisory = advisory.model_copy(update={"findings": told})
    day = advisory.public_from
    if day is None or day <= day_of(advisory.published_at):
        return advisory
    least = datetime.combine(day, time(), UTC)
    times = {
        "published_at": least,
        "modified_at": max(least, advisory.modified_at),
        "withdrawn_at": None if advisory.withdrawn_at is None else max(least, advisory.withdrawn_at),
    }
    return advisory.model_copy(update=times)


def settle(connection: Connection, advisory: str) -> date | None:
    """Note from which day an advisory may be read, and return it; None: no such day is known. For use whenever it, or a finding of it, changed."""
    now = advisory_version(connection, advisory)
    day = now.public_from
    if day is not None:
        day = max(day, day_of(now.published_at))
    changes = {"public_from": None if day is None else day.isoformat()}
    connection.execute(update(advisories).where(advisories.c.id == advisory).values(**changes))
    return day
