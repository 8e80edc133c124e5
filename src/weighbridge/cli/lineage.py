"""`weighbridge lineage`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.exit_codes import COULD_NOT, MET
from weighbridge.cli.place import Place, registry_of
from weighbridge.cli.reading import reading
from weighbridge.cli.saying import say, told, told_json
from weighbridge.errors import UsageError
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.probes.checkpoint.report import Report
    from weighbridge.registry.lineage.told import KinTold, LineageTold

_WHOLE = len("sha256:") + 64
_MOST_FILES = 20


@click.command(name="lineage")
@click.argument("asked", metavar="DIGEST_OR_PATH")
@click.option(
    "--at", "server", metavar="URL", help="The server: https://NAME. Default: what WEIGHBRIDGE_REGISTRY says."
)
@click.option("--db", metavar="URL", help="Instead of a server, its database: sqlite:///FILE, postgresql://...")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(asked: str, server: str | None, db: str | None, as_json: bool) -> int:
    """Find the likely parents and derivatives of a model among all that is published: by its digest, or by the model itself.

    Of a PATH the fingerprint is computed here, and it and the files' digests are all that is sent. Exit codes: 0 its weights were compared,
    whatever was found, 2 usage, 4 they were not, or the server or the database fails.
    """
    place = registry_of(server, db, "--at")
    found = _of_path(Path(asked), place) if Path(asked).exists() else _of_digest(asked, place)
    say(told_json(found) if as_json else _as_text(found))
    return MET if isinstance(found.compared, int) else COULD_NOT


def _of_digest(asked: str, place: Place) -> LineageTold:
    from weighbridge.registry.asked import digest_asked

    digest = digest_asked(asked)
    if len(digest) < _WHOLE:
        raise UsageError("not a whole digest", where=shown(asked), do="`weighbridge lookup` finds it by its beginning")
    if place.server is not None:
        from weighbridge.registry.remote import Server

        return Server(place.server).lineage(digest)
    with _reading(place) as connection:
        from weighbridge.registry.kin import lineage_of
        from weighbridge.registry.lineage.told import tell

        return tell(lineage_of(connection, digest, datetime.now(UTC)))


def _of_path(path: Path, place: Place) -> LineageTold:
    from weighbridge.probes.checkpoint.inspection import inspect_path
    from weighbridge.registry.lineage.marks import NotMeasured, pack_mark, read_mark

    with reading(path) as told:
        report = inspect_path(path, told=told)
    mark = read_mark(report.fingerprint)
    files = sorted(_weight_files(report))
    if isinstance(mark, NotMeasured):
        raise UsageError(
            f"it cannot be compared: {mark.reason}",
            where=str(path),
            do="docs/formats/fingerprint.md says of what there is one",
        )
    if place.server is not None:
        from weighbridge.registry.remote import Server

        packed = base64.urlsafe_b64encode(pack_mark(mark)).rstrip(b"=").decode()
        found = Server(place.server).lineage_like(packed, files[:_MOST_FILES])
        return found.model_copy(update={"label": path.name})  # which was not sent
    with _reading(place) as connection:
        from weighbridge.registry.kin import search
        from weighbridge.registry.lineage.published import Model
        from weighbridge.registry.lineage.told import tell
        from weighbridge.registry.lineage.traits import read_traits

        model = Model("", path.name, None, (mark,), read_traits(report.tensors), frozenset(files))
        return tell(search(connection, model, datetime.now(UTC)))


@contextmanager
def _reading(place: Place) -> Iterator[Connection]:
    from weighbridge.registry.problems import need_extra

    need_extra()
    from weighbridge.registry.store import open_store

    store = open_store(place.db or "", create=False)
    try:
        with store.reading() as connection:
            yield connection
    finally:
        store.close()


def _weight_files(report: Report) -> set[str]:
    """Return the digests of the files that hold tensors."""
    paths = {each["path"] for each in report.tensors.get("each", ())}
    return {f"sha256:{file['sha256']}" for file in report.subject["files"] if file["path"] in paths and file["sha256"]}


def _as_text(found: LineageTold) -> str:
    about = shown(found.label) or (found.digest or "the model")
    if isinstance(found.compared, int):
        kin = sum(each.is_kin for each in found.kin)
        lines = [f"KIN OF {about}: {kin} found among {found.compared:,} models, by their weights"]
        if not kin:
            lines.append(
                "  which is no proof of independence: what was permuted, distilled or trained anew looks unrelated"
            )
    else:
        lines = [f"NOT MEASURED: {about}", f"  {found.compared.reason}"]
    if found.left_out:
        lines.append(f"  {found.left_out:,} further models were not compared: there was no room for them")
    if found.is_cut:
        lines.append("  there may be more kin than are listed here: the nearest come first")
    if not found.signer_known:
        lines.append("  SIGNER NOT KNOWN HERE: the fingerprint is as they gave it")
    for name in found.declared:
        against = f" (held against {name.digest})" if name.digest is not None else ""
        lines.append(f"  says it was made from {shown(name.name, 200)}: {name.standing.value}, {name.reason}{against}")
    for each in found.kin:
        lines += _kin(each)
    return told(lines)


def _kin(each: KinTold) -> list[str]:
    share = each.differing if isinstance(each.differing, float) else None
    measured = "a weight file is the same, byte for byte" if each.same_file else each.in_words
    lines = [
        f"- {each.direction.value}{'' if each.is_kin else ' (declared; not shown by the weights)'}: {shown(each.label)}",
        f"    digest      {each.digest}",
        f"    what        {each.relation.value}",
        f"    kinship     {measured}" + ("" if share is None else f"; {share:.1%} of the bits differ"),
        f"    direction   {each.because.value}",
    ]
    if each.declared.value != "not declared":
        lines.append(f"    declared    {each.declared.value}: {each.declared_reason}")
    return lines
