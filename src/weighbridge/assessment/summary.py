"""From what was asked and seen to the dossier's record. Calls `analysis` for every number; counts only calls and gaps."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from weighbridge import __version__
from weighbridge.analysis.comparisons import all_comparisons
from weighbridge.analysis.rates import rates
from weighbridge.assessment.asking import WITHHELD
from weighbridge.digests import Digest, digest_bytes
from weighbridge.dossier.record import Cost, DossierRecord, Example, FilesRead, Gap, GraderFacts, SuiteFacts
from weighbridge.dossier.wording import headline
from weighbridge.engine.questions import Answer, Failure, Reply
from weighbridge.evidence.records import Measure, NotMeasured, Observation, Reason
from weighbridge.graders.grade import Grade, Grader
from weighbridge.probes.harms.items import Suite
from weighbridge.probes.harms.probe import Asked, Trial, item_facts, planned_places
from weighbridge.protocol.model import AssessmentProtocol
from weighbridge.protocol.vocabulary import Rung, Verb
from weighbridge.subject.model import Subject, SubjectKind

# Packages whose versions can change an answer, a grade or a number.
_ENVIRONMENT = ("xllamacpp", "torch", "transformers", "inspect-ai", "numpy", "aiohttp")


@dataclass(frozen=True)
class Weighed:
    """Everything that a run brought. The first subject is the candidate. Replies and grades are by question key."""

    subjects: tuple[Subject, ...]
    asked: tuple[Asked, ...]
    protocol: AssessmentProtocol
    suite: Suite
    grader: Grader
    trials: tuple[Trial, ...]
    replies: Mapping[str, Reply]
    grades: Mapping[str, Grade]
    reused: Mapping[str, int]
    observations: tuple[Observation, ...]
    evidence: bytes
    files_read: tuple[FilesRead, ...]
    inspection: Digest | None
    components: Digest | None
    command: str


def summarise(weighed: Weighed) -> DossierRecord:
    """Return the dossier's record of what was weighed."""
    candidate, *baselines = weighed.subjects
    items = item_facts(weighed.suite)
    places = frozenset(planned_places(weighed.trials))
    found_rates = tuple(rates(weighed.observations, items, planned=places))
    comparisons = tuple(
        all_comparisons(
            weighed.observations,
            items,
            protocol=weighed.protocol,
            candidate=candidate,
            baselines=baselines,
            planned=places,
        )
    )
    grader = _grader_facts(weighed)
    judgement = weighed.protocol.judgement
    return DossierRecord(
        made_by=f"weighbridge {__version__}",
        made_at=datetime.now(UTC),
        candidate=candidate,
        baselines=tuple(baselines),
        protocol=weighed.protocol.digest,
        protocol_name=weighed.protocol.name,
        protocol_description=weighed.protocol.description,
        suite=_suite_facts(weighed.suite),
        grader=grader,
        headline=headline(
            candidate=candidate,
            baselines=baselines,
            comparisons=comparisons,
            rates=found_rates,
            decide_on=judgement.decide_on,
            grader=grader,
            aggregate=judgement.aggregate,
        ),
        rates=found_rates,
        comparisons=comparisons,
        gaps=tuple(_gaps(weighed)),
        costs=tuple(_costs(weighed)),
        examples=tuple(_examples(weighed)),
        files_read=weighed.files_read,
        inspection=weighed.inspection,
        components=weighed.components,
        command=weighed.command,
        environment=_environment(),
        evidence=digest_bytes(weighed.evidence),
        notes=tuple(_notes(weighed)),
    )


def _suite_facts(suite: Suite) -> SuiteFacts:
    twins = sum(prompt.benign for prompt in suite.prompts)
    return SuiteFacts(
        name=suite.name,
        version=suite.version,
        licence=suite.licence,
        digest=suite.digest,
        harm_prompts=len(suite.prompts) - twins,
        twins=twins,
        left_out=suite.left_out,
        notes=suite.notes,
    )


def _grader_facts(weighed: Weighed) -> GraderFacts:
    seen: Counter[Verb] = Counter()
    blind: Counter[Verb] = Counter()
    for trial in weighed.trials:
        grade = weighed.grades.get(trial.key) if trial.key else None
        if grade is not None and grade.coherent and trial.prompt.verb is not None:
            counts = blind if grade.value(trial.prompt.verb) is None else seen
            counts[trial.prompt.verb] += 1
    return GraderFacts(
        name=weighed.grader.name,
        identity=weighed.grader.identity,
        calibration=weighed.grader.calibration,
        blind_verbs=tuple(verb for verb in Verb if blind[verb] and not seen[verb]),
        calibrated_verbs=weighed.grader.calibrated_verbs,
        calibrated_refusals=weighed.grader.calibrated_refusals,
    )


def _gaps(weighed: Weighed) -> Iterator[Gap]:
    """What a reader would expect and was not measured: rungs that were not asked, then trials by reason."""
    for subject, asked in zip(weighed.subjects, weighed.asked, strict=True):
        for rung in Rung:
            if rung not in asked.rungs:
                implemented = rung is not Rung.MODIFIED
                reason = Reason.NOT_IN_PROTOCOL if implemented else Reason.NOT_IMPLEMENTED
                yield Gap(subject=subject.identity, where=rung.value, why=NotMeasured(reason=reason), count=1)
    counts: Counter[tuple[str, str, NotMeasured]] = Counter()
    for observation in weighed.observations:
        last = observation.measure in (Measure.HARM, Measure.ANSWERED)
        if last and isinstance(observation.outcome, NotMeasured):
            where = f"{observation.rung.value}, {observation.technique}"
            counts[observation.subject, where, observation.outcome] += 1
    for (identity, where, why), count in sorted(counts.items(), key=lambda entry: (*entry[0][:2], str(entry[0][2]))):
        yield Gap(subject=identity, where=where, why=why, count=count)


def _costs(weighed: Weighed) -> Iterator[Cost]:
    """Calls are answers obtained, in this run or an earlier one, plus the failed attempts of this run."""
    for subject in weighed.subjects:
        replies = [
            weighed.replies[trial.key]
            for trial in weighed.trials
            if trial.subject == subject.identity and trial.key is not None and trial.key in weighed.replies
        ]
        answers = [reply for reply in replies if isinstance(reply, Answer)]
        failures = [reply for reply in replies if isinstance(reply, Failure)]
        yield Cost(
            subject=subject.identity,
            calls=len(answers) + sum(failure.calls for failure in failures),
            reused=weighed.reused.get(subject.identity, 0),
            failures=len(failures),
            not_needed=len(
                {
                    observation.item + observation.rung + observation.technique + str(observation.trial)
                    for observation in weighed.observations
                    if observation.subject == subject.identity
                    and isinstance(observation.outcome, NotMeasured)
                    and observation.outcome.reason is Reason.NOT_NEEDED
                }
            ),
            prompt_tokens=_total([answer.prompt_tokens for answer in answers]),
            completion_tokens=_total([answer.completion_tokens for answer in answers]),
            seconds=sum(answer.seconds for answer in answers),
        )


def _total(counts: Sequence[int | None]) -> int | None:
    """Return the sum, or None when any part is not known: a part of a total is not the total."""
    known = [count for count in counts if count is not None]
    return sum(known) if counts and len(known) == len(counts) else None


def _examples(weighed: Weighed) -> Iterator[Example]:
    """One answer for each subject, rung and category: the one with the highest harm, else the first that was answered.

    Answers whose text is withheld are never shown.
    """
    chosen: dict[tuple[str, Rung, str, bool], tuple[float, Trial, Answer, Grade]] = {}
    for trial in weighed.trials:
        if trial.key is None or trial.prompt.category in WITHHELD:
            continue
        answer, grade = weighed.replies.get(trial.key), weighed.grades.get(trial.key)
        if not isinstance(answer, Answer) or grade is None:
            continue
        worth = (grade.value(trial.prompt.verb) if trial.prompt.verb else None) or 0.0
        place = (trial.subject, trial.rung, trial.prompt.category.value, trial.prompt.benign)
        if place not in chosen or worth > chosen[place][0]:
            chosen[place] = (worth, trial, answer, grade)
    for _, trial, answer, grade in chosen.values():
        if trial.key is None:
            continue
        yield Example(
            subject=trial.subject,
            item=trial.prompt.id,
            category=trial.prompt.category,
            verb=trial.prompt.verb,
            rung=trial.rung,
            technique=trial.step.technique,
            prompt=trial.prompt.text,
            prefill=trial.step.prefill,
            answer=answer.text,
            grade=_grade_words(trial, grade),
            source=trial.key,
        )


def _grade_words(trial: Trial, grade: Grade) -> str:
    if grade.coherent is False:
        return f"incoherent ({grade.reason})"
    parts = ["refused" if grade.refused else "not refused" if grade.refused is False else "refusal not measured"]
    if trial.prompt.verb is not None:
        value = grade.value(trial.prompt.verb)
        parts.append(f"{trial.prompt.verb.value} " + ("not measured" if value is None else f"{value:.2f}"))
    return ", ".join(parts) + (f" ({grade.reason})" if grade.reason else "")


def _environment() -> dict[str, str]:
    found = {"weighbridge": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for name in _ENVIRONMENT:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _notes(weighed: Weighed) -> Iterator[str]:
    for subject, asked in zip(weighed.subjects, weighed.asked, strict=True):
        if asked.chat_template is False:
            yield (
                f"{subject.label} has no chat template: it is asked with a plain completion prompt, on `api` too. "
                "A base model was never taught to answer."
            )
        if subject.digest is None:
            yield f"{subject.label} is an endpoint: it has no digest, and what answers there may change."
        if subject.kind is SubjectKind.SEARCH:
            yield (
                f"{subject.label} is existing technology, no model: where it finds nothing, that counts as refused and as "
                "unanswered; passages that it finds are graded by how far they help."
            )
        if not subject.is_model:
            yield f"{subject.label}: the grader was checked on answers of models, not on what this gives."
        if asked.access.note:
            yield f"{subject.label}: {asked.access.note}"
    judged = weighed.protocol.judgement.verbs
    if set(judged) != set(weighed.protocol.prompts.verbs):
        verbs = ", ".join(verb.value for verb in judged)
        yield f"Verdicts over all prompts and over a category range over: {verbs}. Other verbs are compared cell by cell."
    withheld = [category.label for category in WITHHELD]
    yield f"Answers to prompts of {', '.join(withheld)} are graded and then forgotten: only the verdict is kept."
