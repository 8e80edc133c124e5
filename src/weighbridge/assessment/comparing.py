"""`weighbridge compare`: two dossiers, or files of graded answers, or one of each, side by side. Nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weighbridge.analysis.answers import Answers, Shown, show
from weighbridge.analysis.recorded import ABSENT, Recorded
from weighbridge.assessment.stored import StoredDossier
from weighbridge.dossier.write import DOSSIER_FILE
from weighbridge.errors import UsageError
from weighbridge.evidence.graded_answers import read_graded_answers
from weighbridge.evidence.records import Measure
from weighbridge.protocol.vocabulary import Rung


@dataclass(frozen=True)
class Side:
    """One side of a comparison: `label` for people, `grader` that gave the grades (None: not said), `rung` (None: not said).

    `seed` is what drew the order in which a dossier's prompts were asked, None for a file. `identity`: the subject's, "" for a file.
    """

    label: str
    answers: Mapping[str, Recorded]
    grader: str | None = None
    rung: Rung | None = None
    seed: int | None = None
    identity: str = ""


def read_side(path: Path, rung: Rung | None) -> Side:
    """Return the graded answers of a dossier's candidate (folder or dossier.json), or those in a file.

    `rung`: for a dossier, which one; None is the most open one that was measured. Raises `UsageError` for a path that holds
    neither, and `EvidenceError` for a dossier whose evidence is not the one that it names.
    """
    folder = path.parent if path.name == DOSSIER_FILE else path
    if (folder / DOSSIER_FILE).is_file():
        return _dossier(folder, rung)
    return Side(
        path.name,
        {
            answer.prompt_id: Recorded(
                answer.category,
                answer.verb.value if answer.verb else "",
                answer.cluster,
                ABSENT if answer.value is None else Shown(answer.value, answer.value, answer.value),
            )
            for answer in read_graded_answers(path).values()
        },
    )


def same_grader(one: Side, other: Side) -> None:
    """Raise `UsageError` when the two were graded by different graders: the difference would be theirs."""
    if one.grader and other.grader and one.grader != other.grader:
        raise UsageError(
            f"graded by different graders ({one.grader} and {other.grader})",
            do="grade both by one grader; `weighbridge calibrate` shows how two graders differ on the same answers",
        )


def _dossier(folder: Path, rung: Rung | None) -> Side:
    stored = StoredDossier.read(folder)
    record = stored.record
    items = {item: facts for item, facts in stored.items.items() if facts.verb is not None}
    answers, identity = Answers(stored.observations), record.candidate.identity
    open_to = [each for each in reversed(Rung) if answers.usable(identity, each, Measure.HARM, items=items)]
    chosen = rung or next(iter(open_to), None)
    if chosen is None or chosen not in open_to:
        raise UsageError(
            f"nothing was measured on {rung.value if rung else 'any rung'}",
            where=str(folder),
            do="choose another --rung",
        )
    tries = answers.prompts(identity, chosen, Measure.HARM)
    techniques = answers.usable(identity, chosen, Measure.HARM, items=items)
    return Side(
        record.candidate.label,
        {
            item: Recorded(
                facts.category.value,
                facts.verb.value if facts.verb else "",
                facts.cluster,
                show(tries.get(item), techniques, "mean"),
            )
            for item, facts in items.items()
        },
        grader=record.grader.identity,
        rung=chosen,
        seed=stored.protocol.seed,
        identity=identity,
    )
