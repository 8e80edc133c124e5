"""`weighbridge restore`."""

from __future__ import annotations

from pathlib import Path

import click

from weighbridge.cli.exit_codes import MET
from weighbridge.cli.saying import say


@click.command(name="restore")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--db", required=True, metavar="URL", help="An empty place: sqlite:///FILE, postgresql://...")
def command(file: Path, db: str) -> int:
    """Fill an empty database with a backup, whole or not at all; it may be another kind of database than the backup came from.

    Exit codes: 0 restored and checked, 2 usage (the place is not empty), 4 the backup is damaged or of a newer version.
    """
    from weighbridge.registry.problems import need_extra

    need_extra()
    from weighbridge.registry.backup import restore

    found = restore(file, db)
    say(
        f"restored {found.rows['publications']:,} publications, {found.rows['blobs']:,} files\n"
        f"  audit log of {found.head.entries:,} entries, the last {found.head.digest}"
    )
    return MET
