"""Ends the suite's Inspect task once its verdict against recorded answers is reached, through Inspect's `EarlyStopping` protocol.

The comparison is that of a dossier over all prompts (`analysis.comparisons`): harm, on the prompts of the verbs that a protocol
judges by default, minus what was recorded for the same prompts. Prompts count in the order in which Inspect was given them, which the
suite's seed has drawn; answers that come out of order wait for those before them.

An answer that is not there yet, or that never comes because its sample failed, counts both ways. So a verdict that is reached while
answers are on their way stands whatever they turn out to be, and a failure can only cost one (docs/methods/missing.md).

Only `inspect_task` imports this module, so it imports Inspect at the top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from inspect_ai.dataset import Sample
from inspect_ai.log import EvalSpec
from inspect_ai.scorer import SampleScore
from inspect_ai.util import EarlyStop
from pydantic import JsonValue

from weighbridge.analysis.answers import ABSENT, Shown, difference, fold_clusters, show
from weighbridge.analysis.comparisons import ALL, Judged, judge_together
from weighbridge.errors import UsageError
from weighbridge.evidence.graded_answers import GradedAnswer, read_graded_answers
from weighbridge.evidence.records import Estimate, Measure, Measured, NotMeasured, Outcome, Reason
from weighbridge.probes.harms.items import Prompt
from weighbridge.protocol.model import Judgement
from weighbridge.protocol.vocabulary import Verdict

NAME = "weighbridge: sequential paired comparison"
_TECHNIQUE = "chat"
_NOT_ASKED = NotMeasured(reason=Reason.NOT_NEEDED)


def read_baseline(path: Path, prompts: Sequence[Prompt], judgement: Judgement) -> dict[str, GradedAnswer]:
    """Return what was recorded for those of `prompts` that are judged, by prompt id, from a file of graded answers.

    Raises `UsageError` when it is no file or cannot be read, when it holds none of them (or there are none), and when it says of one that it is
    of another category or verb or of a cluster of its own.
    """
    judged = {prompt.id: prompt for prompt in prompts if prompt.verb in judgement.verbs}
    if not judged:
        raise UsageError(
            f"none of the prompts chosen is of a verb that is judged ({', '.join(judgement.verbs)})",
            do="choose such a verb, or leave `against` out",
        )
    if path.is_dir():
        raise UsageError("is a folder", where=str(path), do="give a file of graded answers")
    found = {identity: answer for identity, answer in read_graded_answers(path).items() if identity in judged}
    if not found:
        raise UsageError(
            f"holds none of the {len(judged)} prompts that are compared",
            where=str(path),
            do="record the baseline's answers to the prompts of this suite, by the suite's prompt ids",
        )
    for identity, answer in found.items():
        prompt = judged[identity]
        for what, said, meant in (
            ("category", answer.category, prompt.category.value),
            ("verb", answer.verb or prompt.verb, prompt.verb),
            ("cluster", answer.cluster, prompt.cluster or prompt.id),
        ):
            if said != meant:
                raise UsageError(f"{identity} has another {what} there than in the suite", where=str(path))
    return found


class DecidedEarly:
    """Inspect's `EarlyStopping`: answers to samples are asked for until the verdict is reached, or all were.

    `baseline` as `read_baseline` returns it. All samples that are not scheduled by then are spared, of whatever verb; those in
    flight finish, and count. With several epochs a prompt's value is the mean over them, so it counts once its last epoch has come.
    """

    def __init__(self, baseline: Mapping[str, GradedAnswer], judgement: Judgement) -> None:
        self._baseline = {
            identity: NotMeasured(reason=Reason.NOTHING_MEASURED) if one.value is None else Measured(value=one.value)
            for identity, one in baseline.items()
        }
        self._judgement = judgement
        self._model: str | None = None  # of the run in progress

    async def start_task(self, task: EvalSpec, samples: list[Sample], epochs: int) -> str:
        """Begin a run. Raises `UsageError` when one of another model was begun and not ended: its answers would be mixed in."""
        if self._model not in (None, task.model):
            raise UsageError(f"this task has begun with another model, {self._model}", do="make a task for each model")
        self._model = task.model
        self._clusters = {
            str(sample.id): str((sample.metadata or {})["cluster"])
            for sample in samples
            if (sample.metadata or {})["verb"] in self._judgement.verbs
        }
        self._outcomes: dict[str, dict[int, Outcome]] = {
            identity: dict.fromkeys(range(1, epochs + 1), _NOT_ASKED) for identity in self._clusters
        }
        self._spared = 0
        self._why: str | None = None  # once decided
        return NAME

    async def schedule_sample(self, id: str | int, epoch: int) -> EarlyStop | None:
        """Return why the sample is not needed, or None: it is."""
        if self._why is not None:
            self._spared += 1
            return EarlyStop(id=id, epoch=epoch, reason=self._why)
        if self._outcomes.get(str(id), {}).get(epoch) is _NOT_ASKED:
            self._outcomes[str(id)][epoch] = ABSENT
        return None

    async def complete_sample(self, id: str | int, epoch: int, scores: dict[str, SampleScore]) -> None:
        """Take a sample's scores. A sample that failed is never handed over: it stays absent."""
        if str(id) not in self._outcomes:
            return
        self._outcomes[str(id)][epoch] = _outcome(scores.get(Measure.HARM.value))
        judged = self._judged()
        if self._why is None and judged.verdict is not Verdict.UNDECIDED:
            self._why = f"{judged.verdict}, decided after {judged.decided_after} of {len(judged.units)} prompts"

    async def complete_task(self) -> dict[str, JsonValue]:
        """Return the comparison, in the words of `evidence.records.Comparison`, and how many samples were spared."""
        self._model = None
        judged = self._judged()
        estimate = judged.estimate()
        measured = isinstance(estimate, Estimate)
        more = judged.more_needed()
        return {
            "measure": Measure.HARM.value,
            "verbs": [verb.value for verb in self._judgement.verbs],
            "margin": self._judgement.margin,
            "alpha": self._judgement.alpha,
            "verdict": judged.verdict.value,
            "taken": len(judged.taken),
            "decided_after": judged.decided_after,
            "estimate": estimate.model_dump(mode="json"),
            "judged": (
                judged.whatever_is_missing(estimate, Measure.HARM).model_dump(mode="json")
                if isinstance(estimate, Estimate)
                else None
            ),
            "log_e_no_increase": judged.running.log_e_no_increase if measured else None,
            "log_e_increase": judged.running.log_e_increase if measured else None,
            "prompts_needed": len(judged.taken) + more if measured and more else None,
            "samples_spared": self._spared,
        }

    def _judged(self) -> Judged:
        units = fold_clusters((cluster, self._pair(identity)) for identity, cluster in self._clusters.items())
        return judge_together({ALL: units}, self._judgement)[ALL]

    def _pair(self, identity: str) -> Shown:
        tries = self._outcomes[identity]
        recorded = {0: self._baseline.get(identity, ABSENT)}
        return difference(
            *(show({_TECHNIQUE: each}, (_TECHNIQUE,), "mean", exact=True) for each in (tries, recorded)),
        )


def _outcome(score: SampleScore | None) -> Outcome:
    """Return what a score of the suite's scorers says: a value, or why it was not measured."""
    if score is None:
        return ABSENT
    value = score.score.as_float()
    if not math.isnan(value):
        return Measured(value=value)
    reasons = {reason.value: reason for reason in Reason}
    return NotMeasured(reason=reasons.get(str(score.score.reason), Reason.NOTHING_MEASURED))
