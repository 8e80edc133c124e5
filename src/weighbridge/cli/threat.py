"""`weighbridge threat`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.saying import put, say

if TYPE_CHECKING:
    from weighbridge.threats.scores import ScoredSheet


@click.group(name="threat")
def command() -> None:
    """Threat sheets: one misuse in six steps, the fourth filled from a dossier.

    SHEET is a sheet's file (YAML or TOML) or the name of one that ships: `weighbridge threat list`.
    """


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_sheets(as_json: bool) -> None:
    """List the sheets that ship, one for each vector of Kapoor et al. 2024."""
    import json

    from weighbridge.threats.files import shipped_sheets

    sheets = shipped_sheets()
    if as_json:
        rows = [
            {"id": one.id, "vector": one.vector.value, "reach": one.reach.value, "title": one.title} for one in sheets
        ]
        say(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        say("\n".join(f"{one.id:<17} {one.vector.label:<31} measures {one.reach.value}" for one in sheets))


@command.command(name="new")
@click.argument("sheet_id", metavar="[ID]", required=False)
@click.option("--vector", metavar="NAME", help="Begin with the sheet that ships for this vector, not with a blank one.")
@click.option("--out", type=click.Path(path_type=Path), help="Write it to this file, which must not exist yet.")
def new(sheet_id: str | None, vector: str | None, out: Path | None) -> None:
    """Print a sheet to begin with, every field explained: a blank one, or one that ships."""
    from datetime import UTC, datetime

    from weighbridge.errors import UsageError
    from weighbridge.threats.files import new_sheet_text

    if sheet_id is None and vector is None:
        raise UsageError(
            "a new sheet needs a name", do="`weighbridge threat new ID`, or --vector NAME for a sheet that ships"
        )
    today = datetime.now(UTC).date()
    put(new_sheet_text(sheet_id or vector or "", vector, today=today), out)


@command.command(name="fill")
@click.argument("sheet")
@click.argument("dossier", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write it to this file (may be SHEET itself).")
def fill_sheet(sheet: str, dossier: Path, out: Path | None) -> None:
    """Fill a sheet's fourth step from a dossier's comparisons, and print it or write it to a file.

    DOSSIER is a dossier's folder or its dossier.json. Everything else in the sheet, comments too, stays as it is.
    """
    from weighbridge.dossier.threat_sheets import weighing_of
    from weighbridge.dossier.write import read_dossier
    from weighbridge.errors import UsageError
    from weighbridge.protocol.typed_files import is_toml
    from weighbridge.threats.files import filled_text, load_sheet
    from weighbridge.threats.filling import fill
    from weighbridge.threats.scores import scored

    filled = fill(load_sheet(sheet), weighing_of(read_dossier(dossier)))
    text, toml = filled_text(sheet, filled)
    if out is not None and is_toml(text, str(out)) != toml:
        form = "TOML" if toml else "YAML"
        raise UsageError(f"the sheet is {form}", where=str(out), do=f"give --out the suffix of a {form} file")
    put(text, out, over=True)
    if out is not None:
        step = scored(filled).scores[3]
        say(f"step 4: {step.score.value} ({step.because}); written to {out}")


@command.command(name="show")
@click.argument("sheet")
@click.option("--json", "as_json", is_flag=True, help="Print the sheet and its scores as JSON.")
def show(sheet: str, as_json: bool) -> None:
    """Print a sheet with its six scores, for people."""
    import json
    from datetime import UTC, datetime

    from weighbridge.cli.threat_told import told
    from weighbridge.dossier.threat_sheets import sheet_view
    from weighbridge.threats.files import load_sheet
    from weighbridge.threats.scores import scored

    found = scored(load_sheet(sheet))
    if as_json:
        say(json.dumps(_plain(found), ensure_ascii=False, indent=1))
    else:
        say("\n".join(told(sheet_view(found), expired=found.sheet.expired(datetime.now(UTC)))))


def _plain(found: ScoredSheet) -> dict[str, object]:
    return found.model_dump(mode="json", by_alias=True)
