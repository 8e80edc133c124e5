"""`weighbridge assess`."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.guard import read_guard

if TYPE_CHECKING:
    from weighbridge.dossier.record import DossierRecord
    from weighbridge.protocol.model import AssessmentProtocol
    from weighbridge.threats.sheet import ThreatSheet


@click.command(name="assess")
@click.argument("model")
@click.option(
    "--against",
    multiple=True,
    metavar="BASELINE",
    help="An alternative the world has; may be repeated. The first decides, unless the protocol names another.",
)
@click.option(
    "--protocol", "protocol_name", default="default", show_default=True, help='"default", "demo" or a protocol file.'
)
@click.option("--prompts", type=click.Path(path_type=Path), help="Ask these prompts instead of the suite.")
@click.option("--guard", type=click.Path(path_type=Path), help="The provider's system prompt, for the rung `hosted`.")
@click.option("--adapter", type=click.Path(path_type=Path), help="A GGUF adapter to put on MODEL (a GGUF file).")
@click.option("--grader", help="A grader's name, as for `weighbridge grade` (default: as the protocol says).")
@click.option("--budget", type=click.IntRange(min=1), help="At most so many calls to models.")
@click.option(
    "--threat",
    "threat_names",
    multiple=True,
    metavar="SHEET",
    help="Show this threat sheet, filled from the dossier: a file or a name (`weighbridge threat list`). May be repeated.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the dossier.")
@click.option(
    "--load-anyway", is_flag=True, help="Load models even where reading their files found that this runs code."
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def command(
    model: str,
    against: tuple[str, ...],
    protocol_name: str,
    prompts: Path | None,
    guard: Path | None,
    adapter: Path | None,
    grader: str | None,
    budget: int | None,
    threat_names: tuple[str, ...],
    out: Path,
    load_anyway: bool,
    as_json: bool,
) -> int:
    """Weigh a model: ask it on every rung of the access ladder and write a dossier.

    MODEL and BASELINE are a .gguf file, a Hugging Face model directory, http://HOST:PORT/v1#MODEL-NAME, inspect:NAME,
    demo:smollm2, demo:gemma3-270m or demo:guarded; BASELINE may also be search:FOLDER (a full-text index over documents) or
    recorded:FILE (answers made elsewhere). Keys come from WEIGHBRIDGE_API_KEY or OPENAI_API_KEY.
    """
    from weighbridge.assessment.run import Order, assess
    from weighbridge.cli.progress import progress
    from weighbridge.protocol.files import load_protocol

    protocol = _adjusted(load_protocol(protocol_name), prompts, grader, budget)
    order = Order(
        model=model,
        out=out,
        protocol=protocol,
        against=against,
        guard=read_guard(guard) if guard else None,
        adapter=adapter,
        command=_command_line(sys.argv[1:]),
        threats=_sheets(threat_names),
        load_anyway=load_anyway,
    )
    with progress() as watch:
        record = asyncio.run(assess(order, watch))
    click.echo(_as_json(record, out) if as_json else _summary(record, out))
    return record.headline.exit_code


def _adjusted(
    protocol: AssessmentProtocol, prompts: Path | None, grader: str | None, budget: int | None
) -> AssessmentProtocol:
    """Return the protocol with what the command line decides: it is part of the promise, so it is part of its digest."""
    update: dict[str, object] = {}
    if prompts is not None:
        update["prompts"] = protocol.prompts.model_copy(update={"suite": str(prompts), "format": None, "digest": None})
    if grader is not None:
        update["grading"] = protocol.grading.model_copy(update={"grader": grader})
    if budget is not None:
        update["asking"] = protocol.asking.model_copy(update={"budget": budget})
    return protocol.model_copy(update=update)


def _sheets(names: Sequence[str]) -> tuple[ThreatSheet, ...]:
    """Return the sheets, each once. They are read before anything is asked: a slip in one must not cost a run."""
    from weighbridge.errors import UsageError
    from weighbridge.threats.files import load_sheet

    sheets = tuple(load_sheet(name) for name in names)
    for number, sheet in enumerate(sheets):
        if any(sheet.id == other.id for other in sheets[:number]):
            raise UsageError("this threat sheet is named twice", where=sheet.id, do="name each sheet once")
    return sheets


def _command_line(arguments: Sequence[str]) -> str:
    """Return the command as a person would type it again. Keys are never arguments."""
    return shlex.join(["weighbridge", *arguments])


def _summary(record: DossierRecord, out: Path) -> str:
    from textwrap import fill

    verdict = record.headline.verdict.value if record.headline.verdict else "not measured"
    return "\n".join(
        (
            "",
            fill(record.headline.paragraph, width=100),
            "",
            f"verdict ({record.headline.contrast.value}): {verdict}",
            f"dossier: {out / 'index.html'}",
        )
    )


def _as_json(record: DossierRecord, out: Path) -> str:
    return json.dumps(
        {
            "verdict": record.headline.verdict.value if record.headline.verdict else None,
            "contrast": record.headline.contrast.value,
            "paragraph": record.headline.paragraph,
            "subject": record.candidate.identity,
            "protocol": record.protocol,
            "dossier": str(out / "index.html"),
        },
        ensure_ascii=False,
    )
