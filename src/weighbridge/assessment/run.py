"""Weigh a model, end to end: resolve, plan, ask, grade, estimate, compare, write.

A run that stops at any point goes on where it was: answers and grades are stored as they come, and everything else is
computed from them. A finished run made again asks nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from weighbridge.analysis.comparisons import Standing, standings
from weighbridge.assessment.asking import WITHHELD, Grading, WithheldAnswers
from weighbridge.assessment.baselines import check_recordings, strongest_first
from weighbridge.assessment.directory import RunDirectory, claimed, write_atomically
from weighbridge.assessment.files import components_of, inspect_models, refuse_critical
from weighbridge.assessment.prompts import prompts_of
from weighbridge.assessment.stopping import Rounds
from weighbridge.assessment.summary import Weighed, summarise
from weighbridge.assessment.watch import Watch
from weighbridge.dossier.datasheet import files_read
from weighbridge.dossier.gathering import check_beside, gather
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.ruled import bearing, terms_of
from weighbridge.dossier.terms import write_terms
from weighbridge.dossier.threat_sheets import with_threats
from weighbridge.dossier.write import write_components, write_dossier, write_inspections
from weighbridge.engine.asker import Asker, Event
from weighbridge.engine.opening import open_provider
from weighbridge.engine.provider import Provider
from weighbridge.engine.questions import Answer, Failure, Question, Reply
from weighbridge.engine.store import AnswerStore
from weighbridge.errors import UsageError
from weighbridge.evidence.completeness import check_complete
from weighbridge.evidence.journal import line_of
from weighbridge.evidence.records import NotMeasured, Observation, Reason
from weighbridge.graders.grade import Grade, Grader
from weighbridge.graders.opening import open_grader
from weighbridge.graders.store import GradeStore
from weighbridge.probes.harms.items import Suite
from weighbridge.probes.harms.probe import Asked, Trial, item_facts, observe, plan, planned_places
from weighbridge.protocol.files import dump_protocol
from weighbridge.protocol.model import AssessmentProtocol
from weighbridge.subject.model import SubjectKind
from weighbridge.subject.references import Resolved, resolve
from weighbridge.threats.sheet import ThreatSheet

NOT_NEEDED = NotMeasured(reason=Reason.NOT_NEEDED)
BUDGET_SPENT = NotMeasured(reason=Reason.BUDGET_SPENT, detail="never asked")


@dataclass(frozen=True)
class Order:
    """What a person asked for. `guard` is the text of a system prompt; `command` is what reproduces the run.

    `threats`: sheets to fill from the dossier. `load_anyway`: load models even where reading their files found that this runs code.
    """

    model: str
    out: Path
    protocol: AssessmentProtocol
    against: tuple[str, ...] = ()
    guard: str | None = None
    adapter: Path | None = None
    command: str = ""
    threats: tuple[ThreatSheet, ...] = ()
    load_anyway: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


async def assess(order: Order, watch: Watch | None = None) -> DossierRecord:
    """Weigh `order.model`, write its dossier to `order.out`, and return the dossier's record.

    Raises `UsageError` for what the caller can mend, `SubjectError` for broken model files and `EngineError` when a subject
    cannot be asked at all. What was answered before an error or a cancellation is kept.
    """
    watch = watch or Watch()
    suite = prompts_of(order.protocol)
    protocol = order.protocol.model_copy(
        update={"prompts": order.protocol.prompts.model_copy(update={"digest": suite.digest})}
    )
    watch.stage("reading the models")
    models = strongest_first(_resolve(order, watch), protocol.judgement.strongest)
    check_recordings(models, suite)
    candidate = models[0].subject
    with claimed(order.out, candidate) as directory:
        check_beside(directory.root)
        watch.stage("reading every byte of the models' files")
        reports = inspect_models(models, watch)
        inspection = write_inspections(directory.root, reports)
        components = write_components(directory.root, components_of(models[0]))
        if not order.load_anyway:
            refuse_critical(reports)
        async with AsyncExitStack() as open_things:
            watch.stage("opening the models")
            providers, asked = await _open(models, order, protocol, open_things)
            trials = plan(suite, asked, protocol.ladder, protocol.seed)
            grader = await open_things.enter_async_context(
                open_grader(
                    protocol.grading.grader,
                    environ=order.environ,
                    limits=protocol.asking,
                    store=directory.judged,
                    checked=protocol.grading.checked,
                )
            )
            weighing = _Weighing(trials, suite, models, protocol, grader)
            replies, grades, reused, unasked = await _ask(weighing, providers, directory, watch)
        watch.stage("weighing the evidence")
        observations = weighing.observations(replies, grades, unasked)
        check_complete(planned_places(trials), observations)
        evidence = b"".join(line_of(observation) for observation in observations)
        record = summarise(
            Weighed(
                subjects=tuple(model.subject for model in models),
                asked=tuple(asked),
                protocol=protocol,
                suite=suite,
                grader=grader,
                trials=tuple(trials),
                replies=replies,
                grades=grades,
                reused=reused,
                observations=tuple(observations),
                evidence=evidence,
                files_read=files_read(reports),
                inspection=inspection,
                components=components,
                command=order.command,
            )
        )
        record = with_threats(record, order.threats)
        write_atomically(directory.evidence, evidence)
        write_dossier(directory.root, record, protocol_text=dump_protocol(protocol))
        write_terms(
            directory.root, terms_of(gather(directory.root, record.made_at), bearing([{}]), [{}], at=record.made_at)
        )
    return record


def _resolve(order: Order, watch: Watch) -> list[Resolved]:
    """Return the candidate and then the baselines, each subject once."""
    models: list[Resolved] = []
    for position, reference in enumerate((order.model, *order.against)):
        adapter = order.adapter if position == 0 else None
        model = resolve(reference, adapter=adapter, environ=order.environ, progress=watch.fetching)
        if position == 0 and not model.subject.is_model:
            raise UsageError(
                "this is no model: nothing of it could be opened", where=reference, do="name it with --against"
            )
        if any(model.subject.identity == seen.subject.identity for seen in models):
            raise UsageError(
                "this is the same subject as one named before it", where=reference, do="name each subject once"
            )
        models.append(model)
    return models


async def _open(
    models: Sequence[Resolved], order: Order, protocol: AssessmentProtocol, open_things: AsyncExitStack
) -> tuple[dict[str, Provider], list[Asked]]:
    """Open every subject and find out what can be asked of it, before the first question is spent."""
    providers: dict[str, Provider] = {}
    asked: list[Asked] = []
    for position, model in enumerate(models):
        provider = open_provider(model, protocol.asking, order.environ)
        open_things.push_async_callback(provider.close)
        providers[model.subject.identity] = provider
        candidate = position == 0
        asked.append(
            Asked(
                subject=model.subject.identity,
                access=await provider.access(),
                chat_template=model.subject.chat_template,
                guard=order.guard if candidate else None,
                rungs=protocol.ladder.rungs if candidate else protocol.baselines.rungs,
            )
        )
    return providers, asked


@dataclass(frozen=True)
class _Weighing:
    """What is weighed, and how what was seen so far is looked at."""

    trials: Sequence[Trial]
    suite: Suite
    models: Sequence[Resolved]
    protocol: AssessmentProtocol
    grader: Grader

    def observations(
        self, replies: Mapping[str, Reply], grades: Mapping[str, Grade], unasked: NotMeasured
    ) -> list[Observation]:
        """Return one observation for every planned place; `unasked` says why the rest was not asked."""
        now = datetime.now(UTC)
        return [
            observation
            for trial in self.trials
            for observation in observe(
                trial,
                replies.get(trial.key) if trial.key else None,
                grades.get(trial.key) if trial.key else None,
                protocol=self.protocol.digest,
                grader=self.grader.identity,
                now=now,
                unasked=unasked,
            )
        ]

    def look(self, replies: Mapping[str, Reply], grades: Mapping[str, Grade]) -> list[Standing]:
        """Return how the comparisons stand so far, by the same analysis as the dossier's."""
        candidate, *baselines = (model.subject for model in self.models)
        return standings(
            self.observations(replies, grades, NOT_NEEDED),
            item_facts(self.suite),
            protocol=self.protocol,
            candidate=candidate,
            baselines=baselines,
            planned=frozenset(planned_places(self.trials)),
        )


async def _ask(
    weighing: _Weighing, providers: Mapping[str, Provider], directory: RunDirectory, watch: Watch
) -> tuple[dict[str, Reply], dict[str, Grade], Counter[str], NotMeasured]:
    """Ask, round by round, what is not yet answered, and grade it.

    Returns replies and grades by question key, reuse counts, and why the rest was not asked.
    """
    protocol, labels = weighing.protocol, _labels(weighing.models)
    by_key = {trial.key: trial for trial in weighing.trials if trial.key is not None}
    withheld = [key for key, trial in by_key.items() if trial.prompt.category in WITHHELD]
    replies: dict[str, Reply] = {}
    reused: Counter[str] = Counter()

    with AnswerStore(directory.answers) as answers, GradeStore(directory.grades) as given:
        searches = [model.subject.identity for model in weighing.models if model.subject.kind is SubjectKind.SEARCH]
        grading = Grading(weighing.grader, given, by_key, watch, searches)

        def hear(question: Question, reply: Reply, from_store: bool) -> None:
            key = question.key
            replies[key] = reply
            reused[question.subject] += from_store
            if isinstance(reply, Answer):
                grading.add(key, reply)
            watch.answered(
                labels[question.subject],
                reused=from_store,
                failed=isinstance(reply, Failure),
                tokens=(reply.completion_tokens or 0) if isinstance(reply, Answer) else 0,
            )

        def seen(event: Event) -> None:
            watch.called(event.calls, protocol.asking.budget)
            if event.kind == "retry":
                watch.retrying(labels[event.question.subject], event.detail)

        asker = Asker(
            providers,
            WithheldAnswers(answers, withheld, grading.is_graded),
            limits=protocol.asking,
            observe=seen,
            spent=len(answers),  # the budget is the assessment's, not the run's: going on does not begin it anew
        )
        rounds = Rounds(weighing.trials, weighing.suite, protocol, weighing.models[0].subject.identity, hear)
        grading_task = asyncio.create_task(grading.run())
        try:
            questions = rounds.first()
            while questions:
                watch.stage("asking")
                for subject, count in Counter(question.subject for question in questions).items():
                    watch.planned(labels[subject], count)
                await asker.run(rounds)
                await grading.caught_up(grading_task)
                if any(
                    isinstance(reply, Failure) and reply.reason is Reason.BUDGET_SPENT for reply in replies.values()
                ):
                    return replies, grading.grades, reused, BUDGET_SPENT
                questions = rounds.following(weighing.look(replies, grading.grades))
        finally:
            grading_task.cancel()
    return replies, grading.grades, reused, NOT_NEEDED


def _labels(models: Sequence[Resolved]) -> dict[str, str]:
    """Return a label for each subject's identity. Two files of one name get a part of their digest as well."""
    counts = Counter(model.subject.label for model in models)
    return {
        model.subject.identity: model.subject.label
        if counts[model.subject.label] == 1
        else f"{model.subject.label} ({model.subject.identity[:15]})"
        for model in models
    }
