"""`weighbridge openness`."""

from __future__ import annotations

from pathlib import Path

import click

from weighbridge.cli.saying import put, say


@click.group(name="openness")
def command() -> None:
    """Openness by component: what was found, what the provider decided and why, and three definitions over it.

    How open a release is, is the provider's decision; this makes it visible.
    """


@command.command(name="show")
@click.argument("dossier", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the inventory as JSON.")
def show(dossier: Path, as_json: bool) -> None:
    """Show the inventory of a dossier: each component with its licence, the decision on it, and what each definition says of it."""
    import json
    from dataclasses import asdict
    from datetime import UTC, datetime

    from weighbridge.cli.ruled import SHAPES, wrapped
    from weighbridge.dossier.gathering import gather
    from weighbridge.dossier.ruled import DEFINITIONS, by_component, chosen, rulings_of
    from weighbridge.dossier.untrusted import one_line
    from weighbridge.evidence.openness import openness_rows

    now = datetime.now(UTC)
    gathered = gather(dossier, now)
    rulings = rulings_of(chosen(DEFINITIONS), gathered.facts, {}, at=now)
    said = by_component(rulings)
    rows = openness_rows(gathered.inventory)
    if as_json:
        listed = [
            asdict(row)
            | {"id": component.value, "rulings": {name: [ruling.value for ruling in found] for name, found in said.get(component.value, {}).items()}}
            for component, row in zip(gathered.inventory.items, rows, strict=True)
        ]  # fmt: skip
        say(json.dumps(listed, ensure_ascii=False, indent=1))
        return
    if gathered.inventory.refused:
        say(wrapped(f"note: {gathered.inventory.refused}"))
    for component, row in zip(gathered.inventory.items, rows, strict=True):
        say(wrapped(f"{row.component} ({row.kind})", 0, 2))
        say(wrapped(f"found: {one_line(row.found)}; licence: {one_line(row.licence)} ({row.licence_verdict})", 4, 6))
        say(
            wrapped(
                f"decided: {row.decision}; why: {one_line(row.why, 400)}; risk weighed: {one_line(row.risk, 400)}", 4, 6
            )
        )
        for name, found in said.get(component.value, {}).items():
            say(wrapped(f"{name}: {', '.join(f'{SHAPES[ruling]} {ruling.value}' for ruling in found)}", 4, 6))
        for remark in row.remarks:
            say(wrapped(f"note: {one_line(remark, 400)}", 4, 6))
    for one in rulings:
        say(wrapped(f"{SHAPES[one.ruling]} {one.title}: {one.ruling.value}; {one.because}", 0, 4))


@command.command(name="new")
@click.argument("dossier", type=click.Path(path_type=Path))
@click.option("--organisation", default="YOUR ORGANISATION", show_default=True, help="Who decides.")
@click.option("--role", default="YOUR ROLE", show_default=True, help="In which role.")
@click.option("--out", type=click.Path(path_type=Path), help="Write it to this file (default: openness.yaml in the dossier); it must not exist yet.")  # fmt: skip
def new(dossier: Path, organisation: str, role: str, out: Path | None) -> None:
    """Begin openness.yaml: a place for each decision, with what was found of the component beside it."""
    from datetime import UTC, datetime

    from weighbridge.dossier.gathering import found_components
    from weighbridge.evidence.openness import OPENNESS_FILE, new_openness_text

    found = found_components(dossier)
    text = new_openness_text(found, organisation=organisation, role=role, today=datetime.now(UTC).date())
    path = out or (dossier if dossier.is_dir() else dossier.parent) / OPENNESS_FILE
    put(text, path)
    say(f"{path}: fill in what was decided, and why; `weighbridge openness show {dossier}` then shows it")
