"""`weighbridge publish`."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.exit_codes import MET, NOT_MET
from weighbridge.cli.place import TOKEN, registry_of, token_from
from weighbridge.cli.saying import say, told, told_json
from weighbridge.errors import UsageError
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.registry.asked import Published
    from weighbridge.registry.upload import Upload

    HandIn = Callable[[Upload], Published]

_PATH = click.Path(path_type=Path)


@click.command(name="publish")
@click.argument("dossier", type=_PATH, metavar="DOSSIER")
@click.option(
    "--to", "server", metavar="URL", help="The server: https://NAME. Default: what WEIGHBRIDGE_REGISTRY says."
)
@click.option("--db", metavar="URL", help="Instead of a server, its database: sqlite:///FILE, postgresql://...")
@click.option(
    "--token-file", type=_PATH, metavar="FILE", help="Holds your token for the server. Default: WEIGHBRIDGE_TOKEN."
)
@click.option(
    "--trust",
    type=_PATH,
    metavar="FILE",
    help="With --db: a signer's public key that this registry trusts from now on.",
)
@click.option("--trust-as", metavar="NAME", help="The trusted signer's name, for people.")
@click.option("--closed", metavar="PROVIDER/NAME", help="A closed model's names: states it, signed with --key, first.")
@click.option("--key", type=_PATH, metavar="FILE", help="Your private key (PEM), for --closed.")
@click.option(
    "--valid-for", type=int, metavar="DAYS", default=183, show_default=True, help="How long that statement holds."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    dossier: Path,
    server: str | None,
    db: str | None,
    token_file: Path | None,
    trust: Path | None,
    trust_as: str | None,
    closed: str | None,
    key: Path | None,
    valid_for: int,
    as_json: bool,
) -> int:
    """Publish a signed dossier in a registry, whole or not at all.

    Only what verifies is taken; a signer whose key the registry does not trust is marked "signer not known here". The same dossier again
    changes nothing. Exit codes: 0 it is there, 1 it does not verify, 2 usage, 4 the server or the database fails.
    """
    from weighbridge.registry.problems import NotAdmitted
    from weighbridge.registry.upload import read_folder

    place = registry_of(server, db, "--to")
    if (closed is None) != (key is None):
        raise UsageError("a closed model's statement needs both", where="--closed", do="give --closed and --key")
    if (trust is None) != (trust_as is None):
        raise UsageError("a trusted key has a name", where="--trust", do="give --trust and --trust-as")
    if trust is not None and place.server is not None:
        raise UsageError(
            "a server's keys are trusted on its page of signers", where="--trust", do=f"open {place.server}/signers"
        )
    if token_file is not None and place.server is None:
        raise UsageError("a database asks for no token", where="--token-file", do="leave it out, or give --to")
    dossier = dossier.parent if dossier.name == "dossier.json" else dossier
    read_folder(dossier)  # what is no dossier reaches no server and makes no database
    hand_in = (
        _to_server(place.server, token_file)
        if place.server is not None
        else _to_database(place.db or "", trust, trust_as or "")
    )
    if closed is not None and key is not None:
        _state_closed(dossier, closed, key, valid_for)
    try:
        found = hand_in(read_folder(dossier))
    except NotAdmitted as refused:
        click.echo(f"NOT PUBLISHED: {shown(str(dossier), 4096)}", err=True)
        for reason in refused.reasons[:50]:
            click.echo(f"  {shown(reason, 1000)}", err=True)
        return NOT_MET
    said = _lines(found)
    if place.server is not None:
        said.append(f"  page    {place.server}/publications/{found.publication.removeprefix('sha256:')}")
    say(told_json(found) if as_json else told(said))
    return MET


def _to_server(url: str, token_file: Path | None) -> HandIn:
    """Return what hands a dossier in at a server. Raises `UsageError` when there is no token."""
    from weighbridge.registry.remote import Server

    server = Server(url, token_from(token_file))
    if server.token is None:
        raise UsageError(
            "publishing at a server needs a token", where=url, do=f"put it into {TOKEN}, or give --token-file"
        )
    return server.publish


def _to_database(db: str, trust: Path | None, trust_as: str) -> HandIn:
    """Return what hands a dossier in here. A key to trust is read before anything is opened."""
    from weighbridge.dossier.statements.keys import read_public_key
    from weighbridge.registry.problems import need_extra

    need_extra()
    public = read_public_key(trust) if trust is not None else None

    def hand_in(upload: Upload) -> Published:
        from weighbridge.registry.publishing import publish
        from weighbridge.registry.publishing import trust as trust_key
        from weighbridge.registry.store import open_store

        by = f"{getpass.getuser()} by the command line"
        store = open_store(db)
        try:
            if public is not None:
                trust_key(store, public, name=trust_as, by=by)
            return publish(store, upload, by=by)
        finally:
            store.close()

    return hand_in


def _state_closed(dossier: Path, closed: str, key: Path, valid_for: int) -> None:
    """Sign the statement about a closed model, and put it beside the dossier, unless one holds there already."""
    from weighbridge import __version__
    from weighbridge.cli.sign import _private
    from weighbridge.digests import digest_bytes
    from weighbridge.dossier.statements.envelope import sign
    from weighbridge.dossier.statements.folder import write_statements
    from weighbridge.dossier.write import read_dossier
    from weighbridge.registry.closed import state_closed
    from weighbridge.registry.upload import read_folder

    provider, _, name = closed.partition("/")
    record, upload = read_dossier(dossier), read_folder(dossier)
    if record.candidate.digest is not None:
        raise UsageError("this model has a digest", where="--closed", do="sign the dossier with `weighbridge sign`")
    if upload.statements:
        raise UsageError("the dossier has statements already", where="--closed", do="publish it without --closed")
    now = datetime.now(UTC)
    payload = state_closed(
        {each: digest_bytes(data) for each, data in upload.bound.items()},
        provider=provider,
        name=name,
        weighed_at=record.made_at.replace(microsecond=0),
        made_by=f"weighbridge {__version__}",
        now=now,
        valid_for=timedelta(days=valid_for),
    )
    file = f"{now:%Y%m%dT%H%M%SZ}-closed-{digest_bytes(payload)[7:19]}.dsse.json"
    write_statements(dossier, {file: sign(payload, [_private(key)])})


def _lines(found: Published) -> list[str]:
    lines = [f"{'PUBLISHED' if found.is_new else 'HERE ALREADY'}: {found.publication}", f"  about   {found.subject}"]
    known = "" if found.signer_known else "SIGNER NOT KNOWN HERE: "
    return [*lines, f"  signer  {known}{shown(found.signer, 200)}"]
