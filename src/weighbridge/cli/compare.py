"""`weighbridge compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weighbridge.cli.exit_codes import COULD_NOT, MET, NOT_MET, UNDECIDED
from weighbridge.cli.saying import say
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.analysis.comparisons import Judged
    from weighbridge.assessment.comparing import Side


@click.command(name="compare")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option(
    "--margin", default=0.05, show_default=True, help="A difference of rates smaller than this does not matter."
)
@click.option("--alpha", default=0.05, show_default=True, help="The error allowed to each verdict.")
@click.option(
    "--rung", type=click.Choice(["hosted", "api", "weights"]), help="Of dossiers: which rung (default: the most open)."
)
@click.option("--exactly", is_flag=True, help="Speak of exactly these prompts, not of prompts like these.")
@click.option(
    "--seed", type=int, help="Draws the order in which prompts count (default: the dossier's own, in which it stopped)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def command(
    a: Path, b: Path, margin: float, alpha: float, rung: str | None, exactly: bool, seed: int | None, as_json: bool
) -> int:
    """Compare graded answers to the same prompts, A minus B: two dossiers, or files of graded answers.

    Files are JSON lines with `prompt_id`, `category` and `value` (0 to 1, null: not measured). Exit codes: 0 no material increase,
    1 material increase, 3 undecided, 4 nothing measured.
    """
    from weighbridge.analysis.recorded import compare_recorded
    from weighbridge.assessment.comparing import read_side, same_grader
    from weighbridge.protocol.model import Judgement
    from weighbridge.protocol.vocabulary import Rung, Verdict

    judgement = Judgement.model_construct(
        **Judgement().model_dump() | {"margin": margin, "alpha": alpha, "estimand": _estimand(exactly)}
    )
    _check(judgement.margin, judgement.alpha)
    chosen = Rung(rung) if rung else None
    one, other = read_side(a, chosen), read_side(b, chosen)
    same_grader(one, other)
    found = compare_recorded(one.answers, other.answers, judgement, seed=_seed(seed, one, other))
    say(_as_json(found, one, other, margin, alpha, exactly) if as_json else _as_text(found, one, other, margin))
    whole = found["all"]
    if not whole.measured:
        return COULD_NOT
    return {
        Verdict.NO_MATERIAL_INCREASE: MET,
        Verdict.MATERIAL_INCREASE: NOT_MET,
        Verdict.UNDECIDED: UNDECIDED,
    }[whole.verdict]


def _seed(given: int | None, *sides: Side) -> int:
    """Return the seed asked for, else that of the first dossier: in another order a dossier that stopped early has holes at once."""
    from weighbridge.protocol.model import AssessmentProtocol

    own = [side.seed for side in sides if side.seed is not None]
    return given if given is not None else own[0] if own else AssessmentProtocol().seed


def _estimand(exactly: bool) -> str:
    return "exactly these prompts" if exactly else "prompts like these"


def _check(margin: float, alpha: float) -> None:
    from weighbridge.analysis.sequential import Design

    Design(margin, alpha, 1)


def _row(judged: Judged) -> dict[str, Any]:
    from weighbridge.evidence.records import Estimate, Measure

    estimate = judged.estimate()
    row: dict[str, Any] = {"verdict": judged.verdict.value, "decided_after": judged.decided_after}
    if isinstance(estimate, Estimate):
        row["estimate"] = estimate.model_dump(mode="json")
        row["judged"] = judged.whatever_is_missing(estimate, Measure.HARM).model_dump(mode="json")
        more = judged.more_needed()
        row["prompts_needed"] = len(judged.taken) + more if more else None
    else:
        row["estimate"] = {"kind": "not measured", "reason": estimate.reason.value, "detail": estimate.detail}
        row["judged"] = row["prompts_needed"] = None
    row["log_e_no_increase"] = judged.running.log_e_no_increase if judged.measured else None
    row["log_e_increase"] = judged.running.log_e_increase if judged.measured else None
    return row


def _as_json(found: dict[str, Judged], one: Side, other: Side, margin: float, alpha: float, exactly: bool) -> str:
    return json.dumps(
        {
            "a": {"label": one.label, "grader": one.grader, "rung": one.rung, "prompts": len(one.answers)},
            "b": {"label": other.label, "grader": other.grader, "rung": other.rung, "prompts": len(other.answers)},
            "margin": margin,
            "alpha": alpha,
            "estimand": _estimand(exactly),
            "verdict": found["all"].verdict.value,
            "comparisons": {scope: _row(judged) for scope, judged in found.items()},
        }
    )


def _as_text(found: dict[str, Judged], one: Side, other: Side, margin: float) -> str:
    from weighbridge.dossier.printing import print_difference
    from weighbridge.evidence.records import Estimate, Measure

    alike = one.label == other.label
    sides = [
        f"{shown(side.label, 60)}{f' ({shown(side.identity, 15)})' if alike and side.identity else ''}"
        f"{f' on {side.rung.value}' if side.rung else ''}"
        for side in (one, other)
    ]
    lines = [f"{sides[0]} minus {sides[1]}, in points; margin {margin * 100:g}", ""]
    width = max(len(scope) for scope in found)
    for scope, judged in found.items():
        estimate = judged.estimate()
        name = shown(scope, 60).ljust(width)
        if not isinstance(estimate, Estimate):
            lines.append(f"{name}  not measured: {estimate.reason.value}")
            continue
        printed = print_difference(judged.whatever_is_missing(estimate, Measure.HARM), margin)
        words = judged.verdict.value
        if judged.decided_after is not None:
            words += f", after {judged.decided_after}"
        elif more := judged.more_needed():
            words += f", about {len(judged.taken) + more} prompts would settle it"
        value = print_difference(estimate, margin).value
        lines.append(f"{name}  {value:>6} ({printed.interval}, {printed.n})  {words}")
    absent = len(one.answers.keys() ^ other.answers.keys())
    if absent:
        lines += ["", f"{absent} prompts are only on one side: they count as missing, both ways."]
    return "\n".join(lines)
