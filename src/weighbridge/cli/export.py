"""`weighbridge export`."""

from __future__ import annotations

from pathlib import Path

import click

from weighbridge.cli.saying import say
from weighbridge.dossier.exports.formats import FORMATS

INSPECT = "inspect"
SHOWN = 12  # reasons printed; all of them are in the log
_HELP = "; ".join(f"{name}: {words.rstrip('.')}" for name, (_, words) in FORMATS.items())


@click.command(name="export")
@click.argument("dossier", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    type=click.Choice([INSPECT, *FORMATS]),
    required=True,
    help=f"inspect: Inspect AI logs; {_HELP}.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder to write to (default: DOSSIER/exports/FORMAT; for inspect DOSSIER/logs/inspect).",
)
@click.option(
    "--rulings",
    type=click.Path(path_type=Path),
    multiple=True,
    help="What `weighbridge check DOSSIER --json` printed, for formats that carry rulings; may be repeated. Default: DOSSIER/terms.json.",
)
def command(dossier: Path, format_name: str, out: Path | None, rulings: tuple[Path, ...]) -> None:
    """Write a dossier's evidence in another tool's format.

    Prints the files' paths. What the format cannot carry is told on standard error and, whole, in NAME.log.json beside the files.
    """
    if format_name == INSPECT:
        _inspect(dossier, out, rulings)
        return
    from weighbridge.dossier.exports.export import export_as
    from weighbridge.dossier.exports.files import read_source, write_export

    source = read_source(dossier, rulings)
    at = source.record.made_at  # and not now: the same dossier gives the same bytes
    export = export_as(format_name, source, at=at)
    folder = dossier if dossier.is_dir() else dossier.parent
    for path in write_export(format_name, source, export, out or folder / "exports" / format_name, at=at):
        say(str(path))
    written = ", ".join(f"{count:,} x {kind.value}" for kind, count in export.written.items())
    click.echo(f"written: {written or 'nothing that the format can carry'}", err=True)
    for dropped in export.log[:SHOWN]:
        click.echo(f"left out: {dropped.count:,} x {dropped.what}: {dropped.why}", err=True)
    if len(export.log) > SHOWN:
        click.echo(f"left out: and {len(export.log) - SHOWN} more reasons in {format_name}.log.json", err=True)


def _inspect(dossier: Path, out: Path | None, rulings: tuple[Path, ...]) -> None:
    from weighbridge.dossier.inspect_log import export_inspect

    if rulings:
        raise click.UsageError("Inspect logs carry no rulings: leave --rulings out")
    for path in export_inspect(dossier, out or dossier / "logs" / "inspect"):
        say(str(path))
