"""`weighbridge lookup`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from weighbridge.cli.exit_codes import COULD_NOT, MET
from weighbridge.cli.place import registry_of
from weighbridge.cli.reading import reading
from weighbridge.cli.saying import say, told, told_json
from weighbridge.errors import UsageError
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.cli.place import Place
    from weighbridge.evidence.records import EstimateOrNot
    from weighbridge.registry.asked import Candidates
    from weighbridge.registry.notices import Notice, Noticed

_WHOLE = len("sha256:") + 64


@click.command(name="lookup")
@click.argument("asked", metavar="DIGEST_OR_PATH", required=False)
@click.option(
    "--at", "server", metavar="URL", help="The server: https://NAME. Default: what WEIGHBRIDGE_REGISTRY says."
)
@click.option("--db", metavar="URL", help="Instead of a server, its database: sqlite:///FILE, postgresql://...")
@click.option("--closed", metavar="PROVIDER/NAME", help="Look for a closed model by its names instead.")
@click.option("--as-of", metavar="TIME", help="With --db: as of this time (2026-11-26T12:00Z), not now.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    asked: str | None, server: str | None, db: str | None, closed: str | None, as_of: str | None, as_json: bool
) -> int:
    """Say what was published about exactly these weights: by root digest, by one weight file's digest, or by the model itself.

    A model's files are read here, and only their digest is asked about. The first 12 hexadecimal digits are enough; when several digests begin
    so, they are listed. Exit codes: 0 something is published, 2 usage, 4 nothing is, or the server or the database fails.
    """
    from weighbridge.registry.asked import digest_asked

    if (asked is None) == (closed is None):
        raise UsageError("what is looked for?", where="DIGEST_OR_PATH", do="give a digest, a path, or --closed")
    place = registry_of(server, db, "--at")
    if as_of is not None and place.server is not None:
        raise UsageError("a server answers as of now", where="--as-of", do="leave it out, or give --db")
    now = _time(as_of) if as_of else datetime.now(UTC)
    digest = _digest(asked, now) if asked is not None and Path(asked).exists() else asked and digest_asked(asked)
    with _looking(place, now) as looking:
        if closed is not None:
            provider, _, name = closed.partition("/")
            found = looking.closed_notice(provider, name)
        else:
            whole = str(digest)
            if len(whole) < _WHOLE:
                several = looking.candidates(whole)
                if len(several.candidates) != 1:
                    said = told_json(several) if as_json else _listed(several)
                    say(said)
                    return MET if several.candidates else COULD_NOT
                whole = several.candidates[0].digest
            found = looking.notice(whole)
    say(told_json(found) if as_json else _as_text(found))
    return MET if found.entries else COULD_NOT


class _Looking(Protocol):
    """What answers, here or elsewhere."""

    def notice(self, digest: str) -> Notice: ...
    def closed_notice(self, provider: str, name: str) -> Notice: ...
    def candidates(self, asked: str) -> Candidates: ...


@contextmanager
def _looking(place: Place, now: datetime) -> Iterator[_Looking]:
    """Yield a server, or a database that is read."""
    if place.server is not None:
        from weighbridge.registry.remote import Server

        yield Server(place.server)
        return
    from weighbridge.registry.problems import need_extra

    need_extra()
    from weighbridge.registry.lookup import Looking
    from weighbridge.registry.store import open_store

    store = open_store(place.db or "", create=False)
    try:
        with store.reading() as connection:
            yield Looking(connection, now)
    finally:
        store.close()


def _digest(path: str, now: datetime) -> str:
    from weighbridge.subject.model_digest import digest_model

    file = Path(path)
    with reading(file) as told:
        found = digest_model(file, now=now, progress=lambda what, done, total: told(done, total))
    return found.file_digest or found.root_digest


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError("not a time", where="--as-of", do="write it as 2026-11-26T12:00Z") from None


def _listed(found: Candidates) -> str:
    if not found.candidates:
        return f"NOT MEASURED: {found.asked}...\n  nothing that begins so is published here"
    kinds = {True: "root", False: "file"}
    lines = [f"  {each.digest}  {kinds[each.is_root]}  {shown(each.label)}" for each in found.candidates]
    return told([f"{len(found.candidates)} digests begin with {found.asked}: ask for one of them", *lines])


def _as_text(found: Notice) -> str:
    lines = [f"{found.answer.value.upper()}: {shown(found.asked, 300)}", f"  {found.because}"]
    for each in found.entries:
        lines += _entry(each)
    return told(lines)


def _entry(each: Noticed) -> list[str]:
    from weighbridge.registry.notices import NotCompared

    facts = each.facts
    known = "" if each.signer_known else "SIGNER NOT KNOWN HERE: "
    lines = [
        f"- {facts.weighed_at:%Y-%m-%d} {facts.answer.value} ({each.stands.value}) {shown(facts.label)}, {each.match.value}",
        f"    benchmark  {shown(facts.benchmark.name)} {shown(facts.benchmark.version)}, {facts.contrast.value}",
        f"    grader     {shown(facts.grader.name)}",
        f"    signer     {known}{shown(each.signer, 200)}, until {each.valid_until:%Y-%m-%d}",
        f"    about      {each.root}"
        + ("" if each.provider is None else f": {shown(each.provider)} {shown(each.name or '')}"),
    ]
    for one in facts.comparisons:
        if isinstance(one, NotCompared):
            lines.append(f"    {one.contrast.value}: {one.why}")
        else:
            sides = f"on {one.rung.value} against {shown(one.baseline)} on {one.baseline_rung.value}"
            lines.append(f"    {one.contrast.value} ({one.aggregate}) {sides}: {one.answer.value}")
    for rung in facts.rungs:
        lines.append(f"    harm on {rung.rung.value}: {_rate(rung.mean)}; worst of its techniques: {_rate(rung.worst)}")
    if each.revoked is not None:
        lines.append(f"    revoked    by {shown(each.revoked.by)}: {shown(each.revoked.reason, 500)}")
    lines += [f"    answer     {shown(one.by)}: {shown(one.text, 500)}" for one in each.answers]
    return lines


def _rate(found: EstimateOrNot) -> str:
    from weighbridge.evidence.records import NotMeasured

    if isinstance(found, NotMeasured):
        return str(found)
    return f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%}, {found.n_measured} of {found.n_planned} prompts)"
