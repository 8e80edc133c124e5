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
@click.option(
    "--declare",
    multiple=True,
    metavar="NAME=VALUE",
    help="Anything else that the standard asks about; may be repeated (`weighbridge standard names` lists them: context...).",
)
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

    Exit codes, for CI: 0 the stage is supported, 1 the evidence is against it, 2 usage, 3 not shown, or the standard does not apply.
    """
    import json
    from datetime import UTC

    from weighbridge.cli.exit_codes import UNDECIDED
    from weighbridge.cli.ruled import SHAPES, code_of, requirement, worst_first, wrapped
    from weighbridge.dossier.gathering import gather
    from weighbridge.dossier.ruled import chosen, rulings_of
    from weighbridge.errors import UsageError
    from weighbridge.standards.context import declare as declaration
    from weighbridge.standards.rulings import Ruling, Strength
    from weighbridge.subject.shown import shown

    now = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    standard = chosen([name])[0]
    stages = [level.id for level in standard.levels]
    if stage not in stages:
        do = (
            f"one of {', '.join(stages)}"
            if stages
            else f"{standard.id} has no levels: rule on it with `weighbridge check`"
        )
        raise UsageError("no such stage", where=shown(stage), do=do)
    context = declaration(release=None, model_type=model_type, others=declare)
    if stage in ("closed", "research", "gated", "open"):
        context["release"] = stage
    found = rulings_of([standard], gather(dossier, now).facts, context, at=now)[0]
    level = next((one for one in found.levels if one.level == stage), None)
    ruling = level.ruling if level else found.ruling  # without levels the standard does not apply at all
    lacking = worst_first(one for one in found.requirements if level and one.requirement in level.lacks)
    code = code_of([ruling]) if level else UNDECIDED  # what does not apply supports no stage
    if as_json:
        said = {
            "schema": "weighbridge.gate/1",
            "stage": stage,
            "ruling": ruling.value,
            "because": found.because,
            "most_open_supported": found.reached,
            "lacks": [one.model_dump(mode="json") for one in lacking],
            "notes": list(found.notes),
            "standard": found.standard,
            "standard_digest": found.standard_digest,
            "subject": found.subject,
            "dossier": found.dossier,
            "at": found.at.isoformat(),
            "exit_code": code,
        }
        say(json.dumps(said, ensure_ascii=False, indent=1))
        return code
    if level is None:
        say(wrapped(f"{SHAPES[ruling]} {ruling.value}: {found.because}, so it supports no stage", 0, 4))
        return code
    counts = [f"{count} {each.value}" for each in Ruling if (count := sum(one.ruling is each for one in lacking))]
    answer = {
        Ruling.MET: "met: the evidence supports it",
        Ruling.NOT_MET: "not met: the evidence is against it",
    }.get(ruling, "not shown: the evidence does not support it yet")
    most = next((one.title for one in found.levels if one.level == found.reached), "none")
    say(wrapped(f"{SHAPES[ruling]} {level.title}: {answer}", 0, 4))
    say(wrapped(f"most open stage that the evidence supports: {most}", 4, 6))
    for note in found.notes:
        say(wrapped(f"note: {note}", 4, 6))
    if lacking:
        say(wrapped(f"what lacks, of all that it takes: {', '.join(counts)}", 4, 6))
    for one in lacking:
        say("\n".join(requirement(one)))
    beside = [
        one for one in found.requirements if one.strength is Strength.RECOMMENDED and one.ruling is Ruling.NOT_MET
    ]
    if beside:
        say(wrapped("beside that, recommended only, which does not decide:", 4, 6))
    for one in beside:
        say("\n".join(requirement(one)))
    return code
