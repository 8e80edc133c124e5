"""lm-evaluation-harness: `results_*.json`, read against lm_eval 0.4.13; keys without a filter (0.3 and before) are read too.

A value is under "metric,filter", its standard error under "metric_stderr,filter", which is "N/A" where there is none. A file
names the model as it was called on the command line; `model_sha` is a hub's revision and no digest of the weights.
"""

from __future__ import annotations

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
    mapping,
    moment,
    outcome,
    sequence,
    settings,
    text,
)
from weighbridge.evidence.records import NotMeasured, Reason

_NO_METRICS = frozenset({"alias", "name", "sample_len", "sample_count", "version", "samples", "task_hash", "group"})


def is_it(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object has the outline of the harness's results."""
    entries = document.get("results")
    return (
        isinstance(entries, dict)
        and all(isinstance(entry, dict) for entry in entries.values())
        and isinstance(document.get("versions"), dict)
        and isinstance(document.get("config"), dict)
    )


def read(source: Source) -> Said:
    """Return what a results file says. Raises `UsageError` for what is none."""
    document = source.document()
    if not is_it(document):
        raise source.wrong("is not a results file of lm-evaluation-harness: it has no results, versions and config")
    results = tuple(
        result
        for task, entry in mapping(document["results"]).items()
        for result in _task(document, task, mapping(entry))
    )
    doubts = tuple(_doubts(document))
    sizes = [_sizes(document, task) for task in mapping(document.get("n-samples"))]
    complete: bool | None = None
    if doubts or any(isinstance(result.outcome, NotMeasured) for result in results):
        complete = False
    elif sizes and results and all(None not in size for size in sizes):
        complete = True
    return Said(
        tool_version=text(document.get("lm_eval_version")),
        made_at=moment(document.get("date")),
        subject_digest=None,
        complete=complete,
        doubts=doubts,
        results=results,
    )


def _doubts(document: Mapping[str, Any]) -> Iterator[str]:
    if (limit := mapping(document.get("config")).get("limit")) is not None:
        yield f"only a part of each task was asked (limit {settings(limit=limit).get('limit', 'not a number')})"
    for task in mapping(document.get("n-samples")):
        planned, done = _sizes(document, task)
        if planned is not None and done is not None and done < planned:
            yield f"{text(task, 60)}: {done} of {planned} samples were asked"


def _sizes(document: Mapping[str, Any], task: str) -> tuple[int | None, int | None]:
    size = mapping(mapping(document.get("n-samples")).get(task))
    return count(size.get("original")), count(size.get("effective"))


def _task(document: Mapping[str, Any], task: str, entry: Mapping[str, Any]) -> Iterator[ElsewhereResult]:
    filtered = any("," in key for key in entry)
    found = 0
    for key, value in entry.items():
        metric, _, kept = key.partition(",")
        if metric in _NO_METRICS or metric.endswith("_stderr") or (filtered and not kept) or not key.strip():
            continue
        found += 1
        error = entry.get(f"{metric}_stderr,{kept}" if filtered else f"{metric}_stderr")
        yield _result(document, task, entry, metric, kept, outcome(value, None), error)
    if not found:
        tasks = mapping(document.get("group_subtasks")).get(task)
        if not sequence(tasks):  # a group that is only a heading has no numbers of its own
            yield _result(document, task, entry, "score", "", absent(Reason.NOTHING_MEASURED, "no metric"), None)


def _result(
    document: Mapping[str, Any],
    task: str,
    entry: Mapping[str, Any],
    metric: str,
    kept: str,
    value: Any,
    error: Any,
) -> ElsewhereResult:
    config = mapping(document.get("config"))
    done = _sizes(document, task)[1]
    metric = text(metric) or "no metric"
    return ElsewhereResult(
        name=f"{text(task) or 'no task'}/{metric}" + (f" ({text(kept)})" if kept not in ("", "none") else ""),
        metric=metric,
        what=text(task) or "no task",
        subject_named=_model(document, config),
        outcome=value,
        n=done if done is not None else count(entry.get("sample_len")),
        standard_error=error_of(error),
        interval=None,
        higher_is_better=flag(mapping(mapping(document.get("higher_is_better")).get(task)).get(metric)),
        grader=None,
        settings=settings(
            task_version=mapping(document.get("versions")).get(task),
            filter=kept,
            fewshot=mapping(document.get("n-shot")).get(task),
            limit=config.get("limit"),
            backend=config.get("model"),
            revision=config.get("model_sha"),
            chat_template=document["chat_template"] is not None if "chat_template" in document else None,
            seed=config.get("random_seed"),
        ),
    )


def _model(document: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """What was weighed, as it was named: where that is only a folder, with the file in it."""
    arguments = config.get("model_args")
    named = text(document.get("model_name")) or text(arguments)
    if isinstance(arguments, dict):
        named = named or text(arguments.get("pretrained")) or text(arguments.get("model"))
        file = text(arguments.get("gguf_file"))
        return f"{named}, {file}" if named and file else named or file
    return named
