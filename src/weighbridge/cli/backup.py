"""`weighbridge backup`."""

from __future__ import annotations

from pathlib import Path

import click

from weighbridge.cli.exit_codes import MET
from weighbridge.cli.saying import say
from weighbridge.subject.shown import shown


@click.command(name="backup")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--db", required=True, metavar="URL", help="The registry's database: sqlite:///FILE, postgresql://...")
def command(file: Path, db: str) -> int:
    """Write a whole registry to one file, as it is at one moment, while others read and publish.

    Every stored file and the audit log are checked on the way. Exit codes: 0 written, 2 usage, 4 the registry is damaged or fails.
    """
    from weighbridge.registry.problems import need_extra

    need_extra()
    from weighbridge.registry.backup import back_up
    from weighbridge.registry.store import open_store

    store = open_store(db, create=False)
    try:
        found = back_up(store, file)
    finally:
        store.close()
    say(
        f"{shown(str(file), 4096)}: {found.rows['publications']:,} publications, {found.rows['blobs']:,} files\n"
        f"  audit log of {found.head.entries:,} entries, the last {found.head.digest}"
    )
    return MET
