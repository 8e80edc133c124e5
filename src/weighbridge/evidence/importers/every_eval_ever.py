"""Every Eval Ever (EvalEval Coalition): aggregate JSON files, read against schema 0.3.0.

The format asks for a score of every result, so a file of it has no word for "not measured" but one: the score -1 of a metric with
`has_unknown_level`. That one is taken as it is meant. A model's digest is no field of the format; weighbridge's own export puts it
into the model's details as `digest`, and only a whole SHA-256 there is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from weighbridge.evidence.elsewhere import ElsewhereResult
from weighbridge.evidence.importers.reading import Source
from weighbridge.evidence.importers.said import Said
from weighbridge.evidence.importers.values import (
    absent,
    count,
    error_of,
    flag,
    interval,
    mapping,
    moment,
    number,
    outcome,
    sequence,
    settings,
    text,
)
from weighbridge.evidence.records import NotMeasured, Reason

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_it(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object has the outline of an aggregate file."""
    return (
        isinstance(document.get("schema_version"), str)
        and isinstance(document.get("evaluation_results"), list)
        and isinstance(document.get("model_info"), dict)
    )


def read(source: Source) -> Said:
    """Return what a file says. Raises `UsageError` for what is none."""
    document = source.document()
    if not is_it(document):
        raise source.wrong("is not an aggregate file of Every Eval Ever: it has no schema_version, model and results")
    found = [mapping(each) for each in document["evaluation_results"]]
    results = tuple(_result(document, each) for each in found)
    if not results:
        results = (_result(document, {}),)
    digest = mapping(mapping(document["model_info"]).get("additional_details")).get("digest")
    measured_all = not any(isinstance(result.outcome, NotMeasured) for result in results)
    return Said(
        tool_version=text(document["schema_version"]),
        made_at=moment(document.get("evaluation_timestamp")),
        subject_digest=digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None,
        complete=None if measured_all else False,
        doubts=tuple(_doubts(document)),
        results=results,
    )


def _doubts(document: Mapping[str, Any]) -> Iterator[str]:
    origin = mapping(document.get("source_metadata"))
    if origin.get("source_type") != "evaluation_run":
        kind = text(origin.get("source_type"), 60) or "not told"
        yield f"not from a run of its own: the kind of source is {kind}"
    if origin.get("evaluator_relationship") == "first_party":
        yield "the evaluator is the model's own maker"


def _result(document: Mapping[str, Any], each: Mapping[str, Any]) -> ElsewhereResult:
    config, details = mapping(each.get("metric_config")), mapping(each.get("score_details"))
    spread, library = mapping(details.get("uncertainty")), mapping(document.get("eval_library"))
    span = mapping(spread.get("confidence_interval"))
    score = details.get("score")
    if config.get("has_unknown_level") is True and number(score) == -1:
        value: Any = absent(Reason.NOTHING_MEASURED, "the file says: unknown level")
    else:
        value = outcome(score, text(config.get("metric_unit"), 60))
    lower = flag(config.get("lower_is_better"))
    metric = text(config.get("metric_name")) or text(config.get("metric_id")) or "no metric"
    what = text(each.get("evaluation_name")) or "no evaluation"
    model = mapping(document["model_info"])
    return ElsewhereResult(
        name=f"{what}/{metric}",
        metric=metric,
        what=what,
        subject_named=text(model.get("id")) or text(model.get("name")),
        outcome=value,
        n=count(spread.get("num_samples")),
        standard_error=error_of(mapping(spread.get("standard_error")).get("value")),
        interval=None
        if isinstance(value, NotMeasured)
        else interval(span.get("lower"), span.get("upper"), span.get("confidence_level"), span.get("method")),
        higher_is_better=None if lower is None else not lower,
        grader=_judges(config) or text(mapping(config.get("additional_details")).get("grader")),
        settings=settings(
            dataset=mapping(each.get("source_data")).get("dataset_name"),
            model_name=model.get("name"),
            library=" ".join(filter(None, (text(library.get("name"), 60), text(library.get("version"), 60)))),
            source=mapping(document.get("source_metadata")).get("source_organization_name"),
            evaluator=mapping(document.get("source_metadata")).get("evaluator_relationship"),
        ),
    )


def _judges(config: Mapping[str, Any]) -> str | None:
    judges = sequence(mapping(config.get("llm_scoring")).get("judges"))
    names = [text(mapping(mapping(judge).get("model_info")).get("id"), 100) for judge in judges]
    return text(", ".join(name for name in names if name))
