"""`weighbridge gate`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from weighbridge.cli.saying import say


@click.command(name="gate")
@click.argument("dossier", type=click.Path(path_type=Path))
@click.option("--stage", required=True, metavar="STAGE", help="research, gated or open, or a level of --standard.")
@click.option("--standard", "name", default="release-stages", show_default=True, metavar="NAME_OR_FILE", help="The stages; a provider's own are a file with levels.")  # fmt: skip
@click.option("--model-type", metavar="TYPE", help="How capable it is: narrow, general or frontier.")
@click.option("--declare", multiple=True, metavar="NAME=VALUE", help="Anything else that the standard asks about.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="Rule as of this time (UTC), not of now.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    dossier: Path,
    stage: str,
    name: str,
    model_type: str | None,
    declare: tuple[str, ...],
    at: datetime | None,
    as_json: bool,
) -> int:
    """Say whether the evidence supports a release stage, the most open stage that it does support, and what lacks.

    Exit codes, for CI: 0 the stage is supported, 1 the evidence is against it, 2 usage, 3 not shown.
    """
    import json
    from datetime import UTC

    from weighbridge.cli.ruled import SHAPES, code_of, requirement, wrapped
    from weighbridge.dossier.gathering import gather
    from weighbridge.dossier.ruled import chosen, rulings_of
    from weighbridge.errors import UsageError
    from weighbridge.standards.context import declare as declaration
    from weighbridge.standards.rulings import Ruling, Strength

    now = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    standard = chosen([name])[0]
    stages = [level.id for level in standard.levels]
    if stage not in stages:
        raise UsageError(
            "no such stage", where=stage, do=f"one of {', '.join(stages) or 'none: the standard has no levels'}"
        )
    context = declaration(release=None, model_type=model_type, others=declare)
    if stage in ("closed", "research", "gated", "open"):
        context["release"] = stage
    found = rulings_of([standard], gather(dossier, now).facts, context, at=now)[0]
    level = next((one for one in found.levels if one.level == stage), None)
    if level is None:  # the standard does not apply at all
        say(f"{found.ruling.value}: {found.because}")
        return code_of([found.ruling])
    lacking = [one for one in found.requirements if one.requirement in level.lacks]
    code = code_of([level.ruling])
    if as_json:
        said = {
            "schema": "weighbridge.gate/1",
            "stage": stage,
            "ruling": level.ruling.value,
            "most_open_supported": found.reached,
            "lacks": [one.model_dump(mode="json") for one in lacking],
            "standard": found.standard,
            "standard_digest": found.standard_digest,
            "subject": found.subject,
            "dossier": found.dossier,
            "at": found.at.isoformat(),
            "exit_code": code,
        }
        say(json.dumps(said, ensure_ascii=False, indent=1))
        return code
    most = next((one.title for one in found.levels if one.level == found.reached), "none")
    say(wrapped(f"{SHAPES[level.ruling]} {level.title}: {level.ruling.value}", 0, 4))
    say(wrapped(f"most open stage that the evidence supports: {most}", 4, 6))
    for note in found.notes:
        say(wrapped(f"note: {note}", 4, 6))
    for one in lacking:
        say("\n".join(requirement(one)))
    beside = [
        one for one in found.requirements if one.strength is Strength.RECOMMENDED and one.ruling is Ruling.NOT_MET
    ]
    for one in beside:  # does not decide, and a release lead wants to know it
        say("\n".join(requirement(one)))
    return code
