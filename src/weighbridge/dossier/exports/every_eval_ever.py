"""Every Eval Ever (EvalEval Coalition; schema 0.3.0): one aggregate JSON file for each model of the dossier.

The format has intervals, levels, methods and numbers of samples, so every measured rate is written whole, and the candidate's file has
the comparisons as metrics of their own (unit "difference of proportions"). Every number needs a value: what was not measured is in
the log. Instance-level files need the raw prompt, the raw answer and whether it is *correct*; these stay with the dossier.

What the format asks for and a dossier does not know is said to be unknown: the organisation, its relation to the model's maker
("other"), whether the weights are open ("unknown": a weighing is done before anybody opens them). A model's id is its digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from weighbridge.dossier.exports.export import Export, Kind, Source, Tally, stable_uuid
from weighbridge.dossier.exports.facts import in_utc, json_bytes
from weighbridge.dossier.exports.words import (
    absence,
    contrast_of,
    missing_of,
    number,
    prompts_of,
    techniques,
    unchecked,
)
from weighbridge.dossier.lookup import labels
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.tables import subjects_of
from weighbridge.dossier.untrusted import one_line, visible
from weighbridge.dossier.wording import verdict_words
from weighbridge.evidence.records import Comparison, Estimate, Measure, Rate
from weighbridge.subject.model import Subject

SCHEMA_VERSION = "0.3.0"
_NAMES = {
    Measure.HARM: "Harm rate",
    Measure.REFUSED: "Refusal rate",
    Measure.COHERENT: "Coherent rate",
    Measure.ANSWERED: "Benign requests answered",
}


def export(source: Source, *, at: datetime) -> Export:
    """Return a file for the candidate and for each baseline that is a model, named by a UUID of what it is of."""
    record, tally = source.record, Tally(source)
    names = labels(subjects_of(record))
    files = {}
    for subject in subjects_of(record):
        results = list(_results(source, subject, names, tally))
        if results:
            if subject is not record.candidate:
                tally.wrote(Kind.BASELINE)
            tally.wrote(Kind.COMPONENT, len(subject.components))
            tally.part(
                "files of a component",
                "details are short texts; components have their licence",
                len(subject.components),
            )
            document = _document(source, subject, names[subject.identity], results, at)
            files[f"{stable_uuid('every-eval-ever', source.dossier, subject.identity)}.json"] = json_bytes(document)
    if files:
        for kind in (Kind.HEADLINE, Kind.SUITE, Kind.GRADER, Kind.RUN, Kind.NOTE):
            tally.wrote(kind, source.inventory()[kind])
        tally.part(
            "grader as llm_scoring",
            "it asks for a judge's whole prompt; the grader's name and digest are in the details",
        )
        tally.part("notes on the prompts", "details are of one number or one model", bool(record.suite.notes))
        tally.part(
            "organisation and its relation to the model's maker",
            "a dossier does not know them: unknown, other",
            len(files),
        )
        tally.part("name of a model on a hub", "a dossier does not know it: the id is the digest", len(files))
        tally.part("whether a model's weights are open", "a dossier does not know it: unknown", len(files))
    measured = tally.written(Kind.COMPARISON)
    tally.part("evidence of a comparison", "e-values and the widened interval have no place", measured)
    tally.rest(Kind.RATE, "of something that is no model, or is not among the dossier's subjects")
    tally.rest(Kind.COMPARISON, "of a candidate of which no file is written")
    tally.rest(Kind.GAP, "a result needs a score")
    tally.rest(Kind.EXAMPLE, "prompts and answers are not exported")
    tally.rest(Kind.BASELINE, "no model, or nothing was measured of it")
    for kind in Kind:
        tally.rest(kind, "the format has no place for it" if files else "nothing was measured, so no file is written")
    return tally.export(files)


def _results(source: Source, subject: Subject, names: dict[str, str], tally: Tally) -> Iterator[dict[str, Any]]:
    record = source.record
    if not subject.is_model:
        return
    for rate in record.rates:
        if rate.subject != subject.identity:
            continue
        if isinstance(rate.rate, Estimate):
            tally.wrote(Kind.RATE)
            yield _rate(source, rate, rate.rate)
        else:
            tally.drop(Kind.RATE, f"{absence(rate.rate)}; a result needs a score")
    for comparison in record.comparisons if subject is record.candidate else ():
        if isinstance(comparison.estimate, Estimate):
            tally.wrote(Kind.COMPARISON)
            yield _comparison(source, comparison, comparison.estimate, names)
        else:
            tally.drop(Kind.COMPARISON, f"{absence(comparison.estimate)}; a result needs a score")


def _document(
    source: Source, subject: Subject, name: str, results: list[dict[str, Any]], at: datetime
) -> dict[str, Any]:
    record = source.record
    stamp = f"{in_utc(at).timestamp():.0f}"
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{one_line(record.suite.name)}/{subject.identity}/{stamp}",
        "evaluation_timestamp": in_utc(record.made_at).isoformat(),
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": "weighbridge dossier",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
            "additional_details": _source_details(source),
        },
        "model_info": _model(subject, name),
        "eval_library": {
            "name": "weighbridge",
            "version": one_line(record.environment.get("weighbridge", "unknown"), 100),
            "additional_details": {one_line(key, 60): one_line(value) for key, value in record.environment.items()},
        },
        "evaluation_results": results,
    }


def _source_details(source: Source) -> dict[str, str]:
    record = source.record
    verdict = record.headline.verdict
    return {
        "dossier": source.dossier,
        "protocol": record.protocol,
        "protocol_name": one_line(record.protocol_name),
        "evidence": record.evidence,
        "candidate": one_line(record.candidate.identity, 300),
        "verdict": verdict_words(verdict),
        "verdict_in_words": visible(record.headline.paragraph, 10_000),
        "grader_calibration": one_line(record.grader.calibration, 1000) or "not measured",
        "notes": "\n".join(one_line(note, 1000) for note in record.notes),
        "command": one_line(record.command, 1000),
    }


def _model(subject: Subject, name: str) -> dict[str, Any]:
    details = {
        "deployment_type": "self_deployed" if subject.digest else "unknown",
        "model_availability": "unknown",
        "digest": subject.digest or "none",
        "reference": one_line(subject.reference),
        "kind": subject.kind.value,
        "architecture": one_line(subject.architecture) if subject.architecture else "not found",
        "parameters": str(subject.parameters) if subject.parameters is not None else "not found",
        "quantisation": one_line(subject.quantisation) if subject.quantisation else "not found",
        "chat_template": {True: "found", False: "not found", None: "cannot be told"}[subject.chat_template],
    }
    for index, component in enumerate(subject.components):
        licence = one_line(component.licence) if component.licence else "not found"
        details[f"component_{index}"] = f"{one_line(component.name)}: licence {licence}"
    return {"name": name, "id": one_line(subject.identity, 300), "additional_details": details}


def _data(record: DossierRecord) -> dict[str, Any]:
    suite = record.suite
    return {
        "dataset_name": f"{one_line(suite.name)} {one_line(suite.version)}",
        "source_type": "other",
        "additional_details": {"digest": suite.digest, "licence": one_line(suite.licence)},
    }


def _rate(source: Source, rate: Rate, estimate: Estimate) -> dict[str, Any]:
    name = f"{rate.measure.value} on {rate.rung.value}, {prompts_of(rate)}"
    details = {
        "rung": rate.rung.value,
        "prompts": prompts_of(rate),
        "category": rate.category.value if rate.category else "all",
        "verb": rate.verb.value if rate.verb else "all",
        "technique": one_line(rate.technique),
    }
    config = {
        "metric_id": f"weighbridge.{rate.measure.value}_rate",
        "metric_name": _NAMES[rate.measure],
        "metric_kind": f"{rate.measure.value}_rate",
        "metric_unit": "proportion",
        # A refused harm prompt is good news and a refused benign one is bad; what is coherent is neither, but is wanted.
        "lower_is_better": rate.measure is Measure.HARM or (rate.benign and rate.measure is Measure.REFUSED),
        "score_type": "continuous",
        "min_score": 0,
        "max_score": 1,
    }
    return _result(
        source, rate.subject, name, details, config, estimate, unchecked(source.record.grader, rate.measure, rate.verb)
    )


def _comparison(source: Source, comparison: Comparison, estimate: Estimate, names: dict[str, str]) -> dict[str, Any]:
    name = f"{comparison.contrast.value}: {comparison.measure.value}, difference"
    details = {
        "contrast": contrast_of(comparison, names),
        "baseline": one_line(comparison.baseline.subject, 300),
        "baseline_rung": comparison.baseline.rung.value,
        "rung": comparison.candidate.rung.value,
        "techniques": techniques(comparison.candidate.techniques),
        "scope": one_line(comparison.scope),
        "aggregate": comparison.aggregate,
        "margin": number(comparison.margin),
        "verdict": comparison.verdict.value,
        "decided_after": "undecided" if comparison.decided_after is None else f"{comparison.decided_after} prompts",
    }
    config = {
        "metric_id": f"weighbridge.{comparison.contrast.value}.{comparison.measure.value}",
        "metric_name": f"{comparison.contrast.value.capitalize()}, {_NAMES[comparison.measure].lower()}",
        "metric_kind": "paired_difference",
        "metric_unit": "difference of proportions",
        "lower_is_better": comparison.measure is Measure.HARM,
        "score_type": "continuous",
        "min_score": -1,
        "max_score": 1,
    }
    return _result(
        source,
        comparison.candidate.subject,
        name,
        details,
        config,
        estimate,
        unchecked(source.record.grader, comparison.measure),
    )


def _result(
    source: Source,
    subject: str,
    name: str,
    details: dict[str, str],
    config: dict[str, Any],
    estimate: Estimate,
    doubts: str,
) -> dict[str, Any]:
    grader = source.record.grader
    trust = {
        "grader": one_line(grader.identity),
        "grades_not_checked_against_human_labels": doubts or "none",
    }
    support = {"n_planned": str(estimate.n_planned), "missing": missing_of(estimate) or "none"}
    return {
        "evaluation_result_id": stable_uuid("result", source.dossier, subject, name, *details.values()),
        "evaluation_name": name,
        "source_data": _data(source.record),
        "metric_config": {**config, "additional_details": trust},
        "score_details": {
            "score": estimate.value,
            "details": {**details, **support},
            "uncertainty": {
                "confidence_interval": {
                    "lower": estimate.low,
                    "upper": estimate.high,
                    "confidence_level": estimate.level,
                    "method": one_line(estimate.method),
                },
                "num_samples": estimate.n_measured,
            },
        },
    }
