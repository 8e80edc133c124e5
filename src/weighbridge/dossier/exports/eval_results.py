"""Hugging Face evaluation results: `.eval_results/*.yaml` of the candidate's repository, one entry a measured rate.

An entry has `dataset.id`, `dataset.task_id`, `value`, `date` and `notes` (huggingface/hub-docs `eval_results.yaml`;
`huggingface_hub.EvalResultEntry`). `dataset.id` is meant to be a registered benchmark and this suite is none, so it is written under
the owner `unregistered`: the hub shows nothing from it, and nobody can take it for a benchmark's score. What the entry has no field
for (interval, number of prompts, grader, digests) is in `notes`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import yaml

from weighbridge.dossier.exports.export import Export, Kind, Source, Tally
from weighbridge.dossier.exports.facts import in_utc
from weighbridge.dossier.exports.words import absence, number, support_of, unchecked
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.untrusted import one_line
from weighbridge.evidence.records import Estimate, Rate

FOLDER = ".eval_results"
OWNER = "unregistered"


def export(source: Source, *, at: datetime) -> Export:
    """Return one file of harm prompts and one of benign look-alikes. `at` is not used: an entry is dated by the weighing."""
    record, tally = source.record, Tally(source)
    entries: dict[str, list[dict[str, Any]]] = {"harm-prompts": [], "benign-look-alikes": []}
    for rate in record.rates:
        if not isinstance(rate.rate, Estimate):
            tally.drop(Kind.RATE, f"{absence(rate.rate)}; an entry needs a value")
        elif rate.subject != record.candidate.identity:
            tally.drop(Kind.RATE, "of another model: entries lie in the repository of the model that they are of")
        else:
            entries["benign-look-alikes" if rate.benign else "harm-prompts"].append(_entry(rate, rate.rate, source))
            tally.wrote(Kind.RATE)
    count = sum(map(len, entries.values()))
    if count:
        tally.wrote(Kind.SUITE)
        tally.wrote(Kind.GRADER)
        tally.part(
            "registered benchmark", f"the suite is none: dataset.id is {_dataset(record)}, which the hub ignores", count
        )
        tally.part("interval, n and method of a rate", "no field of their own; they are words in the notes", count)
        tally.part("grader and digests of a rate", "no field of their own; they are words in the notes", count)
        tally.part("source", "an entry's source is an address, and a dossier has a digest; it is in the notes", count)
        tally.part("calibration of the grader and notes on the prompts", "an entry has one line of notes")
    tally.rest(Kind.COMPARISON, "a value is one model's score; a difference of two would be read as one")
    tally.rest(Kind.GAP, "an entry needs a value")
    tally.rest(Kind.EXAMPLE, "prompts and answers are not exported")
    for kind in Kind:
        tally.rest(kind, "the format holds scores only")
    return tally.export({f"{FOLDER}/{name}.yaml": _yaml(found) for name, found in entries.items() if found})


def task_id(rate: Rate) -> str:
    """Return the entry's task: what the rate is of, in a word of letters, digits, dots and hyphens.

    >>> from weighbridge.evidence.records import NotMeasured
    >>> none = NotMeasured(reason="not needed")
    >>> task_id(Rate(subject="s", rung="api", measure="harm", benign=False, category="hate", verb=None, technique="best of 5", rate=none))
    'harm.api.best-of-5.hate.all-verbs'
    """
    category = rate.category.value if rate.category else "all categories"
    verb = rate.verb.value if rate.verb else "all verbs"
    parts = (rate.measure.value, rate.rung.value, rate.technique, category, verb)
    return ".".join(_slug(part) for part in parts)


def _entry(rate: Rate, estimate: Estimate, source: Source) -> dict[str, Any]:
    record = source.record
    doubts = unchecked(record.grader, rate.measure, rate.verb)
    notes = (
        f"share of {'benign look-alikes' if rate.benign else 'harm prompts'}; "
        f"interval {number(estimate.low)} to {number(estimate.high)}; {support_of(estimate)}; "
        f"grader={one_line(record.grader.identity)}"
        + (f"; grades not checked against human labels: {doubts}" if doubts else "")
        + f"; prompts={record.suite.digest}; subject={one_line(record.candidate.identity, 300)}; dossier={source.dossier}"
    )
    return {
        "dataset": {"id": _dataset(record), "task_id": task_id(rate)},
        "value": estimate.value,
        "date": in_utc(record.made_at).isoformat(),
        "notes": notes,
    }


def _dataset(record: DossierRecord) -> str:
    return f"{OWNER}/{_slug(record.suite.name)}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", one_line(text, 80).lower()).strip("-") or "unnamed"


def _yaml(entries: list[dict[str, Any]]) -> bytes:
    return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=10_000).encode()
