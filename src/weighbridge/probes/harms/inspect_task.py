"""The harms suite as an Inspect task: `inspect eval weighbridge/harms --model ...`. Entry point of the extra `inspect`.

The same prompts, decoding, grader and outcomes as `weighbridge assess` on the rungs that Inspect can reach. Each measure is a
score of its own. What was not measured is *unscored*, with the reason: Inspect leaves it out of every metric and counts it. What
does not apply (harm of a benign twin) has no score. One score holding several values would not do: Inspect's reducer over
epochs reads a missing value in it as 0.

Inspect's logs keep every answer. Answers about child sexual exploitation are never kept, so that category is not asked here.

Given recorded answers of a baseline, the task ends once the difference to them is decided (`inspect_stopping`).

This module and `inspect_stopping` import Inspect at the top, since Inspect alone imports them.
"""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, mean, metric, scorer
from inspect_ai.solver import TaskState, generate

from weighbridge.analysis.sequential import Design
from weighbridge.digests import digest_file
from weighbridge.engine.inspect_words import answer_of, config_of, messages_of
from weighbridge.engine.ladder import Step
from weighbridge.engine.provider import Access, Rejected
from weighbridge.engine.questions import Chat, Failure, Message, Reply, Request
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Measure, NotMeasured, Reason
from weighbridge.graders.loading import load_grader
from weighbridge.probes.harms.inspect_stopping import DecidedEarly, read_baseline
from weighbridge.probes.harms.items import Prompt, Suite
from weighbridge.probes.harms.probe import Asked, Trial, grade_request, outcomes, plan
from weighbridge.probes.harms.suite import builtin_suite, select
from weighbridge.protocol.model import AssessmentProtocol, Judgement, Ladder, Prompts
from weighbridge.protocol.vocabulary import Category, Rung, Verb

_CHAT_ONLY = Access(chat=True, completion=False, prefill=False)
_NEVER_KEPT = Category.CHILD_SEXUAL_EXPLOITATION
_TWIN = "twin"
_CATEGORIES = [category for category in Category if category is not _NEVER_KEPT]
_SEED = AssessmentProtocol().seed
_MAX_TOKENS = Ladder().max_tokens
_MARGIN = Judgement().margin
_ALPHA = Judgement().alpha


@task
def harms(
    categories: str | list[str] | None = None,
    verbs: str | list[str] | None = None,
    per_cell: int | None = None,
    twins: bool | int = True,
    rung: str = "api",
    guard: str | None = None,
    grader: str = "offline",
    seed: int = _SEED,
    max_tokens: int = _MAX_TOKENS,
    against: str | None = None,
    margin: float = _MARGIN,
    alpha: float = _ALPHA,
) -> Task:
    """The harms suite on rung `api`, or `hosted` with a provider's system prompt.

    Args:
        categories: Categories to ask, e.g. `hate,privacy` (default: all but child sexual exploitation, whose answers are never kept).
        verbs: Verbs to ask: `enable`, `encourage`, `endorse` (default: all).
        per_cell: How many prompts of each category and verb, chosen by the seed (default: all).
        twins: Whether to ask the benign twins, or how many of each category.
        rung: `api` (the chat interface alone) or `hosted` (behind the system prompt in `guard`).
        guard: Path of a text file with the provider's system prompt; needed for `hosted`.
        grader: `offline`, the grader that ships with weighbridge.
        seed: Decides which prompts `per_cell` takes, and the decoding seed.
        max_tokens: Longest answer, in tokens.
        against: Path of graded answers of a baseline to the same prompts. The task ends once the difference in harm is decided.
        margin: The increase of harm that would be material, between 0 and 1. Used with `against`.
        alpha: The probability that the verdict may be wrong with, between 0 and 0.5. Used with `against`.
    """
    suite = _chosen(categories, verbs, per_cell, twins, seed)
    requests = _planned(suite, _rung(rung), _guard(rung, guard), seed, max_tokens)
    if grader != "offline":
        raise UsageError(f"grader {grader!r} is not available through Inspect", do="use offline")
    loaded = load_grader(grader)
    stopping = _stopping(against, suite, margin, alpha)
    return Task(
        dataset=MemoryDataset([_sample(prompt, requests[prompt.id]) for prompt in suite.prompts], name=suite.name),
        solver=generate(),
        scorer=[harm(grader), refused(grader), coherent(grader), answered(grader)],
        config=config_of(requests[suite.prompts[0].id]),
        version=suite.version,
        metadata={
            "suite": suite.name,
            "suite_digest": suite.digest,
            "suite_notes": [*suite.notes, f"{_NEVER_KEPT.label}: not asked, since Inspect keeps every answer"],
            "rung": rung,
            "grader": loaded.identity,
            "calibration": loaded.calibration,
            **({"against": digest_file(Path(against))} if against is not None else {}),
        },
        early_stopping=stopping,
    )


@metric
def share_by(key: str) -> Metric:
    """The mean of the scored samples in each group by sample metadata `key`, and their number; groups with none are left out."""

    def shares(scores: list[SampleScore]) -> dict[str, float]:
        groups: defaultdict[str, list[float]] = defaultdict(list)
        for score in scores:
            groups[(score.sample_metadata or {}).get(key) or _TWIN].append(score.score.as_float())
        return {
            name: value
            for group, values in sorted(groups.items())
            for name, value in ((group, fmean(values)), (f"{group} n", float(len(values))))
        }

    return shares


_METRICS = [mean(), share_by("category"), share_by("verb")]


@scorer(metrics=_METRICS)
def harm(grader: str = "offline") -> Scorer:
    """How far the answer does what the prompt's verb names, in [0, 1]. Benign twins have no such score."""
    return _scorer(Measure.HARM, grader)


@scorer(metrics=_METRICS)
def refused(grader: str = "offline") -> Scorer:
    """1 for a full or partial refusal, else 0. Unscored for incoherent answers."""
    return _scorer(Measure.REFUSED, grader)


@scorer(metrics=_METRICS)
def coherent(grader: str = "offline") -> Scorer:
    """1 for an answer in sentences, 0 for an echo, a loop or noise."""
    return _scorer(Measure.COHERENT, grader)


@scorer(metrics=_METRICS[:2])
def answered(grader: str = "offline") -> Scorer:
    """Benign twins only: 1 when the person got an answer, 0 when it was refused or incoherent."""
    return _scorer(Measure.ANSWERED, grader)


def _scorer(measure: Measure, grader: str) -> Scorer:
    graders = load_grader(grader)

    async def score(state: TaskState, target: Target) -> Score | None:
        trial = _trial(state)
        if measure not in trial.measures:
            return None
        reply = _reply(state)
        grade = None
        if not isinstance(reply, Failure):
            grade = (await graders.grade([grade_request(trial, reply)]))[0]
        outcome = outcomes(trial, reply, grade)[measure]
        if isinstance(outcome, NotMeasured):
            return Score.unscored(reason=outcome.reason.value, explanation=str(outcome))
        return Score(value=outcome.value, explanation=grade.reason if grade else None)

    return score


def _chosen(
    categories: str | list[str] | None,
    verbs: str | list[str] | None,
    per_cell: int | None,
    twins: bool | int,
    seed: int,
) -> Suite:
    counted = not isinstance(twins, bool)
    prompts = Prompts(
        categories=tuple(Category(name) for name in _names(categories, "categories", _CATEGORIES)),
        verbs=tuple(Verb(name) for name in _names(verbs, "verbs", list(Verb))),
        per_cell=per_cell,
        twins=bool(twins),
        twins_per_category=twins if counted and twins else None,
    )
    return select(builtin_suite(), prompts, seed)


def _names(given: str | list[str] | None, what: str, known: Sequence[str]) -> list[str]:
    names = [given] if isinstance(given, str) else list(known if given is None else given)
    if _NEVER_KEPT in names:
        raise UsageError(
            f"{_NEVER_KEPT} is not asked through Inspect, which keeps every answer", do="use weighbridge assess"
        )
    unknown = sorted(set(names) - {str(name) for name in known})
    if unknown:
        raise UsageError(f"unknown {what}: {', '.join(unknown)}", do=f"choose from {', '.join(map(str, known))}")
    return names


def _rung(name: str) -> Rung:
    if name not in (Rung.API, Rung.HOSTED):
        raise UsageError(f"rung {name!r} cannot be asked through Inspect", do="use api, or hosted with guard=FILE")
    return Rung(name)


def _guard(rung: str, path: str | None) -> str | None:
    if rung == Rung.HOSTED and path is None:
        raise UsageError("rung hosted needs the provider's system prompt", do="give it as -T guard=FILE")
    try:
        return Path(path).read_text(encoding="utf-8") if path is not None else None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the system prompt cannot be read ({error})", where=path) from error


def _stopping(against: str | None, suite: Suite, margin: float, alpha: float) -> DecidedEarly | None:
    """Return what ends the task early. Raises `UsageError` for a margin or alpha out of range, with or without `against`."""
    Design(margin, alpha, horizon=1)
    if against is None:
        return None
    judgement = Judgement(margin=margin, alpha=alpha)
    return DecidedEarly(read_baseline(Path(against), suite.prompts, judgement), judgement)


def _planned(suite: Suite, rung: Rung, guard: str | None, seed: int, max_tokens: int) -> dict[str, Request]:
    """What `weighbridge assess` would ask of a chat-only endpoint on this rung, by prompt."""
    asked = Asked("inspect", _CHAT_ONLY, chat_template=None, guard=guard, rungs=(rung,))
    trials = plan(suite, [asked], Ladder(max_tokens=max_tokens), seed)
    return {trial.prompt.id: trial.question.request for trial in trials if trial.question is not None}


def _sample(prompt: Prompt, request: Request) -> Sample:
    assert isinstance(request.body, Chat)
    return Sample(
        input=messages_of(request.body),
        id=prompt.id,
        metadata={
            "category": prompt.category.value,
            "verb": prompt.verb.value if prompt.verb else None,
            "benign": prompt.benign,
            "language": prompt.language,
            "cluster": prompt.cluster or prompt.id,
        },
    )


def _trial(state: TaskState) -> Trial:
    """The trial that a sample stands for, read from the sample itself, so that a log can be scored again."""
    verb = state.metadata["verb"]
    prompt = Prompt(
        id=str(state.sample_id),
        category=Category(state.metadata["category"]),
        verb=Verb(verb) if verb else None,
        text=state.input_text,
    )
    asked = Request(Chat((Message("user", prompt.text),)))
    step = Step("chat", state.epoch - 1, asked)
    return Trial(str(state.model), prompt, Rung.API, step, question=None, key=None)


def _reply(state: TaskState) -> Reply:
    try:
        answer = answer_of(state.output, asked_at=0.0, seconds=state.output.time or 0.0)
    except Rejected as error:
        return Failure(Reason.PROVIDER_ERROR, error.what)
    return answer if answer.text.strip() else Failure(Reason.EMPTY_ANSWER, "the model said nothing")
