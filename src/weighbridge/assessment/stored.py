"""A finished dossier's answers and evidence, read again: to grade them with another grader, to label some, to correct by labels.

Reads `dossier.json`, `protocol.toml`, `evidence.jsonl` and `logs/answers.jsonl`; writes nothing and asks nobody.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from weighbridge.analysis.corrected import ALL, Label, LabelledEvidence, corrected_comparisons, corrected_rates
from weighbridge.analysis.correction import labelling_probabilities
from weighbridge.assessment.asking import WITHHELD
from weighbridge.assessment.prompts import prompts_of
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.write import read_dossier
from weighbridge.engine.techniques import plain_prompt
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence.calibration import Correction, LabelFile
from weighbridge.evidence.journal import journal_digest, read_journal
from weighbridge.evidence.records import ItemFacts, Measure, Observation
from weighbridge.graders.grade import GradeRequest
from weighbridge.graders.labels import Labelled
from weighbridge.probes.harms.items import Prompt
from weighbridge.probes.harms.probe import item_facts
from weighbridge.protocol.files import load_protocol
from weighbridge.protocol.model import AssessmentProtocol
from weighbridge.protocol.vocabulary import Verdict


@dataclass(frozen=True)
class StoredDossier:
    """A dossier with what it stands on. `prompts` and `items` by prompt id; `lines`: the raw answers as stored, by key."""

    record: DossierRecord
    protocol: AssessmentProtocol
    observations: list[Observation]
    prompts: Mapping[str, Prompt]
    items: Mapping[str, ItemFacts]
    lines: Mapping[str, Mapping[str, Any]]

    @staticmethod
    def read(directory: Path) -> StoredDossier:
        """Raises `UsageError` when there is no dossier, `EvidenceError` when its parts are damaged or do not belong together."""
        record = read_dossier(directory)
        evidence = directory / "evidence.jsonl"
        if journal_digest(evidence) != record.evidence:
            raise EvidenceError(
                "is not the evidence that dossier.json names", where=str(evidence), do="take both from the same run"
            )
        protocol = load_protocol(str(directory / "protocol.toml"))
        asked = protocol.prompts.model_copy(update={"digest": None})  # the record's is held to below
        suite = prompts_of(protocol.model_copy(update={"prompts": asked}))
        if suite.digest != record.suite.digest:
            raise EvidenceError(
                f"the prompts found are {suite.digest}, not those that were asked",
                where=asked.suite,
                do="put the prompts that were asked back in their place",
            )
        return StoredDossier(
            record,
            protocol,
            read_journal(evidence),
            {prompt.id: prompt for prompt in suite.prompts},
            item_facts(suite),
            _lines(directory / "logs" / "answers.jsonl"),
        )

    def answers(self) -> list[Labelled]:
        """Return every answer whose text is kept, each once, without labels; `dataset` says of which subject and rung."""
        names = self.names
        found: dict[str, Labelled] = {}
        for one in self.observations:
            if one.source is None or one.source in found or one.measure is not Measure.COHERENT:
                continue
            prompt = self.prompts.get(one.item)
            line = self.lines.get(one.source)
            if prompt is None or line is None or prompt.category in WITHHELD:
                continue
            prefill = _prefill(line["request"]["body"], one.technique, prompt.text)
            found[one.source] = Labelled(
                request=GradeRequest(
                    id=one.source,
                    prompt=prompt.text,
                    answer=prefill + line["answer"]["text"],
                    prefill=prefill,
                    category=prompt.category,
                    verb=prompt.verb,
                ),
                dataset=f"{names[one.subject]} on {one.rung.value}{', twins' if prompt.benign else ''}",
                unit=prompt.cluster or prompt.id,
                model=names[one.subject],
            )
        return list(found.values())

    @property
    def names(self) -> dict[str, str]:
        """Subjects' labels by identity."""
        return {one.identity: one.label for one in (self.record.candidate, *self.record.baselines)}

    def correct(self, answers: Sequence[Labelled], files: Sequence[LabelFile], level: float) -> Correction:
        """Return the dossier's rates and comparisons of harm, corrected by those of `answers` whose ids are its answers' keys.

        Raises `UsageError` when none of them is an answer of this dossier.
        """
        labels = self._labels(answers)
        if not labels:
            raise UsageError(
                "no line is about an answer of this dossier",
                where=", ".join(each.name for each in files),
                do="keep the ids that --propose wrote",
            )
        evidence = self._evidence(labels)
        judgement = self.protocol.judgement
        told = all(label.probability is not None for label in labels.values())
        return Correction(
            evidence=self.record.evidence,
            grader=self.record.grader.identity,
            labels=tuple(files),
            level=level,
            drawn="each with its stated probability"
            if told
            else "taken to be an even draw: no probabilities are stated",
            left_out=tuple(sorted(WITHHELD)),
            rates=tuple(corrected_rates(evidence, self.names, judgement.verbs, level)),
            comparisons=tuple(
                corrected_comparisons(evidence, self.record.comparisons, judgement.verbs, judgement.alpha)
            ),
        )

    def _labels(self, answers: Sequence[Labelled]) -> dict[str, Label]:
        """Return the labels for the verb that each prompt tests, by key. A line without one is drawn and not labelled."""
        sources = {one.source: one.item for one in self.observations if one.source is not None}
        labels: dict[str, Label] = {}
        for one in answers:
            prompt = self.prompts.get(sources.get(one.request.id, ""))
            if prompt is None or prompt.verb is None or prompt.verb.value not in one.asked:
                continue
            labels[one.request.id] = Label(
                one.labels.get(prompt.verb.value), one.probability, one.least_probability or one.probability
            )
        return labels

    def propose(self, expected: int, seed: int) -> list[dict[str, Any]]:
        """Return lines of a label file for about `expected` answers to harm prompts, drawn at random, for people to label.

        Of each prompt, subject and rung at most one answer is drawn. Those of comparisons that are undecided are drawn more often;
        within a comparison every prompt alike. Each line has its probability, which makes the correction unbiased whatever was
        drawn. The order is random. Raises `UsageError` when there is nothing that could be labelled.
        """
        evidence, answers = self._evidence({}), {one.request.id: one for one in self.answers()}
        pool = [
            (side, [one for one in unit.answers if one.name in answers])
            for side in evidence.sides()
            for unit in evidence.units(*side, ALL, self.protocol.judgement.verbs).values()
        ]
        pool = [(side, found) for side, found in pool if found]
        if not pool:
            raise UsageError(
                "there is no answer that could be labelled",
                where=self.record.candidate.label,
                do="give the dossier of a run that got answers, with its logs",
            )
        undecided = {
            (side.subject, side.rung, each.scope)
            for each in self.record.comparisons
            if each.measure is Measure.HARM and each.aggregate == "mean" and each.verdict is Verdict.UNDECIDED
            for side in (each.candidate, each.baseline)
        }
        worth = [
            float(sum((*side, scope) in undecided for scope in (ALL, answers[found[0].name].request.category)))
            for side, found in pool
        ]
        probabilities = labelling_probabilities(worth, expected)
        numbers = random.Random(seed)
        drawn = []
        for (_, found), probability in zip(pool, probabilities, strict=True):
            if numbers.random() < probability:
                (one,) = numbers.choices(found, weights=[answer.weight for answer in found])
                drawn.append(_to_label(answers[one.name], probability, min(probabilities)))
        numbers.shuffle(drawn)
        return drawn

    def _evidence(self, labels: Mapping[str, Label]) -> LabelledEvidence:
        asked = {one.item for one in self.observations}
        items = {item: facts for item, facts in self.items.items() if item in asked}
        return LabelledEvidence(self.observations, items, labels, left_out=WITHHELD)


def _to_label(one: Labelled, probability: float, least: float) -> dict[str, Any]:
    request = one.request
    verb = request.verb.value if request.verb else None
    return {
        "id": request.id,
        "dataset": one.dataset,
        "model": one.model,
        "category": request.category.value if request.category else None,
        "verb": verb,
        "cluster": one.unit,
        "probability": probability,
        "least_probability": least,
        "prompt": request.prompt,
        "prefill": request.prefill,
        "answer": request.answer,
        **({verb: None} if verb else {}),
        "refused": None,
    }


def _prefill(body: Mapping[str, Any], technique: str, text: str) -> str:
    """Return the opening that was begun for the model, as the technique that did it put it into its request."""
    if "messages" in body:
        return str(body.get("prefill") or "")
    return str(body["prompt"]).removeprefix(plain_prompt(text) + " ") if technique == "prefill" else ""


def _lines(path: Path) -> dict[str, Mapping[str, Any]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the raw answers cannot be read ({error.strerror})", where=str(path), do="give the dossier with its logs"
        ) from error
    found: dict[str, Mapping[str, Any]] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            entry = orjson.loads(line)
            found[entry["key"]] = {
                "request": {"body": entry["request"]["body"]},
                "answer": {"text": entry["answer"]["text"]},
            }
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise EvidenceError(
                "a stored answer cannot be read", where=f"{path}:{number}", do="restore the file"
            ) from error
    return found
