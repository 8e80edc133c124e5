"""`weighbridge check`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.saying import say

if TYPE_CHECKING:
    from weighbridge.standards.rulings import StandardRuling


@click.command(name="check")
@click.argument("dossier", type=click.Path(path_type=Path))
@click.option("--standard", "names", multiple=True, metavar="NAME_OR_FILE", help="A standard that ships, or a file; may be repeated. Without it: all that bear on what is declared.")  # fmt: skip
@click.option("--release", metavar="TYPE", help="How the model is released: closed, api, research, gated or open.")
@click.option("--model-type", metavar="TYPE", help="How capable it is: narrow, general or frontier.")
@click.option("--use", metavar="USE", help="What it is used for (`weighbridge standard uses`).")
@click.option("--sector", "sectors", multiple=True, metavar="gov|private", help="Who deploys it. Given twice, both stand side by side.")  # fmt: skip
@click.option(
    "--declare",
    multiple=True,
    metavar="NAME=VALUE",
    help="Anything else that a standard asks about, also one of your own; may be repeated (`weighbridge standard names` lists them: context...).",
)
@click.option("--at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="Rule as of this time (UTC), not of now.")  # fmt: skip
@click.option("--all", "whole", is_flag=True, help="Show every requirement, also those that are met.")
@click.option(
    "--page", is_flag=True, help="Write terms.html and terms.json into the dossier: the page of these rulings."
)
@click.option("--json", "as_json", is_flag=True, help="Print the rulings as JSON.")
def command(
    dossier: Path,
    names: tuple[str, ...],
    release: str | None,
    model_type: str | None,
    use: str | None,
    sectors: tuple[str, ...],
    declare: tuple[str, ...],
    at: datetime | None,
    whole: bool,
    as_json: bool,
    page: bool,
) -> int:
    """Rule on a dossier by standards: how open, which stage, which use, and what would change each ruling.

    What lies beside the dossier is read too: attestations.yaml, openness.yaml, recourse.jsonl, and what was imported.
    Exit codes: 0 all met (or not applicable), 1 something is not met, 2 usage, 3 something is not shown.
    """
    from datetime import UTC

    from weighbridge.cli.ruled import code_of, side_by_side, summary, told, topics
    from weighbridge.dossier.gathering import gather
    from weighbridge.dossier.ruled import bearing, chosen, rulings_of, terms_of
    from weighbridge.dossier.terms import write_terms
    from weighbridge.standards.comparison import side_by_side as by_topic
    from weighbridge.standards.context import declare as declaration
    from weighbridge.standards.rulings import Ruling
    from weighbridge.standards.standard import Subject

    now = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    contexts = [
        declaration(release=release, model_type=model_type, use=use, sector=sector, others=declare)
        for sector in (dict.fromkeys(sectors) or (None,))
    ]
    gathered = gather(dossier, now, use=str(contexts[0]["use"]) if use else None)
    standards = chosen(names) if names else bearing(contexts)
    found = [rulings_of(standards, gathered.facts, context, at=now) for context in contexts]
    everything = [one for rulings in found for one in rulings]
    if page:
        folder = dossier if dossier.is_dir() else dossier.parent
        written = write_terms(folder, terms_of(gathered, standards, contexts, at=now))
        click.echo(f"written: {written}", err=True)
    if as_json:
        say(_as_json(everything))
        return code_of(one.ruling for one in everything)
    if len(everything) > 1:
        say("\n".join(summary(everything)) + "\n")
    for rulings in found:
        for one in rulings:
            if len(contexts) > 1 and one.ruling is Ruling.NOT_APPLICABLE and not whole:
                continue  # asked of the other side
            say("\n".join(told(one, whole=whole)) + "\n")
    if len(contexts) == 2:
        labels = [str(context["sector"]) for context in contexts]
        about_use = {one.id for one in standards if one.about is Subject.USE}
        sides = [[one for one in rulings if one.standard in about_use] for rulings in found]
        rows = topics(by_topic(*sides), *labels)
        say("\n".join(side_by_side("Side by side, by topic", rows, *labels)) + "\n")
    return code_of(one.ruling for one in everything)


def _as_json(rulings: list[StandardRuling]) -> str:
    import json

    return json.dumps(
        {"schema": "weighbridge.check/1", "rulings": [one.model_dump(mode="json", by_alias=True) for one in rulings]},
        ensure_ascii=False,
        indent=1,
    )
