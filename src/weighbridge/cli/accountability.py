"""`weighbridge accountability`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.saying import say

if TYPE_CHECKING:
    from weighbridge.dossier.accountability.asked import UseFacts


@click.command(name="accountability")
@click.argument("dossier", type=click.Path(path_type=Path))
@click.option("--use", required=True, metavar="USE", help="What the model is used for (`weighbridge standard uses`).")
@click.option("--sector", required=True, type=click.Choice(["gov", "private"]), help="Who deploys it: gov, a public body; private, anybody else.")  # fmt: skip
@click.option("--attestations", type=click.Path(path_type=Path, dir_okay=False), help="Fill in what this file attests (default: attestations.yaml in --out, else beside the dossier).")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to (default: DOSSIER/accountability/USE).")  # fmt: skip
@click.option("--force", is_flag=True, help="Write over documents that somebody edited.")
def command(dossier: Path, use: str, sector: str, attestations: Path | None, out: Path | None, force: bool) -> None:
    """Write the documents that a high-standard use asks for, filled from a dossier where there is evidence.

    An impact assessment, a public notice, roles and sign-off, and a notice of recourse, with every blank marked; and attestations.yaml to
    begin with. Prints their paths, and how many blanks are left. What somebody edited is not written over.
    """
    from datetime import UTC, datetime

    from weighbridge.dossier.accountability.asked import Sector
    from weighbridge.dossier.accountability.files import write_accountability

    paths = write_accountability(
        dossier,
        _use(use),
        Sector.GOVERNMENT if sector == "gov" else Sector.PRIVATE,
        today=datetime.now(UTC).date(),
        out=out,
        attestations=attestations,
        force=force,
    )
    blanks = 0
    for path in paths:
        say(str(path))
        blanks += path.read_text("utf-8").count("TO BE COMPLETED BY:")
    click.echo(f"{blanks} blanks are left for people to complete", err=True)


def _use(use: str) -> UseFacts:
    """Return what the library says of the use, with how far that was checked. Raises `UsageError` for a use that is not in it."""
    from weighbridge.dossier.accountability.asked import UseFacts
    from weighbridge.standards.uses import NONE, find_use

    found = find_use(use)
    named = []
    if found.m_25_21 != NONE:
        named.append(f"OMB M-25-21, presumed high-impact ({found.m_25_21})")
    if found.annex_iii != NONE:
        named.append(f"EU AI Act, Annex III {found.annex_iii}")
    named += [*found.instruments, *(f"bans that may touch it: {one}" for one in found.prohibited)]
    mark = [f"[{found.provenance.value}]"] if named else []
    return UseFacts(found.id, found.title, (*named, *mark))
